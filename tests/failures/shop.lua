-- The server under test.
local jwt, json, redis = require "itlua.jwt", require "itlua.json", require "itlua.redis"
local server, task = require "itlua.server", require "itlua.task"

local function log(...)
  print(string.format(...))
  io.stdout:flush()
end

local cache = redis.connect(os.getenv "CACHE")
local shop = server.listen { port = tonumber(os.getenv "PORT"), on_error = function() end }

shop:get("/health", function() return { text = "fine\n" } end)

shop:get("/me", function(req)
  local token = (req.headers.authorization or ""):match "^Bearer (.+)$"
  local ok, verified = pcall(jwt.verify, token, "the shop's own secret")
  if not ok then return { status = 401, json = { error = "unauthorized" } } end
  return { json = { name = verified.claims.sub } }
end)

shop:post("/orders", function(req)
  local order = req:json()
  log("INFO order of %s stored", order.customer)
  cache:publish("orders.created", json.encode { customer = order.customer:upper(), total = 12.5 })
  return { status = 201, json = {
    id = 7, customer = order.customer, total = "12.50", currency = "EUR", state = "pending",
    items = { { sku = "chair", quantity = 3, price = 4 }, { sku = "lamp", quantity = 1, price = 0.5 } },
  } }
end)

shop:post("/refunds", function(req)
  log("INFO refund of order %d", req:json().order)
  log("ERROR refund failed: the payment provider answered 503")
  return { status = 500, json = { error = "internal" } }
end)

shop:get("/report", function()
  log("INFO report: waiting for the warehouse")
  task.sleep(60)
  return { text = "42\n" }
end)

shop:serve()
