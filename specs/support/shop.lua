--- The service under test: started once for a spec file, on a free port, and stopped when the file has ended.
--
--   local shop = require("support.shop").start()
--   local ada = shop:login "ada"                   -- a client that is logged in
--   ada:get "/me"

local fixture = require "itlua.fixture"
local http = require "itlua.http"
local jwt = require "itlua.jwt"
local process = require "itlua.process"

local Shop = {}
Shop.__index = Shop

local SECRET <const> = "the specs' own secret"

--- As many seconds, on a machine that has the time: a busy one may be given more, SHOP_PACE=5 five times as many.
---@param n number
---@return number
function Shop.seconds(n)
  return n * (tonumber(os.getenv "SHOP_PACE") or 1)
end

--- Starts the service. `settings` are environment variables, see service/config.lua.
---@param settings? table<string, string|number>
function Shop.start(settings)
  fixture.define("shop", function(f)
    local env = { SHOP_SECRET = SECRET }
    for name, value in pairs(settings or {}) do env[name] = value end
    local service = process.start { process.self(), "exec", "specs/service/main.lua", env = env }
    f:teardown(function() service:stop() end)
    local url = service:expect("^listening on (.*)$", { timeout = 30 })
    return setmetatable({ url = url, anybody = http.client { base_url = url, timeout = 30 } }, Shop)
  end, { scope = "file" })
  return fixture.use "shop"
end

--- Likewise, publishing and consuming events on topics of the file's own.
---@param bus table     a connection of services.bus
---@return table shop
---@return { orders: string, payments: string } topics
function Shop.start_with_events(bus)
  local topics = { orders = bus:topic("orders", { partitions = 3 }), payments = bus:topic("payments", { partitions = 3 }) }
  return Shop.start {
    SHOP_KAFKA = bus.brokers, SHOP_ORDERS_TOPIC = topics.orders, SHOP_PAYMENTS_TOPIC = topics.payments,
  }, topics
end

--- The one that is a service of itlua.lua, with PostgreSQL and Redis behind it: shared by all files.
function Shop.service()
  local url = require("itlua.services").shop.url
  return setmetatable({ url = url, anybody = http.client { base_url = url, timeout = 30 } }, Shop)
end

--- A client that sends this token.
---@param token string
---@return itlua.http.Client
function Shop:with_token(token)
  return http.client { base_url = self.url, bearer = token, timeout = 30 }
end

--- Logs in as one of the users of service/seed.lua: ada and bob are customers, dora is a dispatcher, tess and theo are
--- technicians.
---@param user string
---@return itlua.http.Response
function Shop:log_in(user)
  return self.anybody:post("/auth/login", {
    json = { email = user .. "@shop.example", password = user .. "'s password" },
  })
end

--- A client that is logged in as this user.
---@param user string
---@return itlua.http.Client
function Shop:login(user)
  return self:with_token(self:log_in(user):check():json().access_token)
end

--- A token as the service would sign it. `options` are those of jwt.sign: `expires_in = -1` is one that has expired.
---@param claims table changes to the claims of a customer's token
---@param options? table
---@return string
function Shop:token(claims, options) -- luacheck: no self
  local all = { iss = "shop", sub = "ada", role = "customer" }
  for name, value in pairs(claims) do all[name] = value end
  return jwt.sign(all, SECRET, options or { expires_in = 60 })
end

--- Orders something and returns the order.
---@param customer itlua.http.Client
---@param items? table
---@return table
function Shop:order(customer, items) -- luacheck: no self
  local r = customer:post("/orders", { json = { items = items or { { sku = "valve", quantity = 1 } } } })
  return r:check():json()
end

return Shop
