--- A service, or what listens at a URL, as what one talks to: a database, a Redis, an HTTP client, connected when it is
--- first asked for something, and again when the connection was lost. The REPL's names are these.
--
--     local reach = require "itlua.services.reach"
--     local shop, db = reach.service "shop", reach.service "db"
--     print(db:value "SELECT count(*) FROM orders", shop:get("/health").status, shop.url)
--     local api = reach.url("api", "https://api.example")

local core = require "itlua.core"
local mask = require "itlua.mask"

local reach = {}

---@class itlua.services.Reach
---@field name string
---@field target? string      the URL, where it is no service

local function postgres()
  return {
    open = function(url) return require("itlua.sql").connect(url) end,
    alive = function(db)
      local state = db:state()
      return state ~= "lost" and state ~= "closed"
    end,
    state = function(db) return db:state() end,
  }
end

local function redis()
  return {
    open = function(url) return require("itlua.redis").connect(url) end,
    alive = function(r) return r.connection:alive() end,
    state = function(r) return r.connection:alive() and "connected" or "lost" end,
  }
end

local function http()
  return {
    open = function(url) return require("itlua.http").client { base_url = url } end,
    alive = function() return true end,
    state = function() return "ready" end,
  }
end

local function kafka()
  return {
    open = function(url)
      local module = require "itlua.kafka"
      return module.connect((url:gsub("^kafka://", "")))
    end,
    alive = function() return true end,
    state = function() return "connected" end,
  }
end

local by_scheme = {
  postgres = postgres, postgresql = postgres, redis = redis, rediss = redis, http = http, https = http, kafka = kafka,
}

--- Whether something can talk to what a URL names.
---@param url any
---@return boolean
function reach.can(url)
  local scheme = type(url) == "string" and url:match "^(%a[%w+.-]*)://"
  return by_scheme[scheme and scheme:lower() or ""] ~= nil
end

-- Of a kind that is the project's own: what its connect gives.
local function of_kind(service)
  return {
    open = function() return service:connect() end,
    alive = function() return true end,
    state = function() return "connected" end,
  }
end

local function driver_for(name, url, service)
  local scheme = type(url) == "string" and url:match "^(%a[%w+.-]*)://"
  local make = by_scheme[scheme and scheme:lower() or ""]
  if not make then
    if service and rawget(service, "methods").connect then return of_kind(service) end
    core.usage(url and ("%s: nothing here talks to %s"):format(name, mask.text(tostring(url)))
      or ("%s has no address: itlua.lua gives it one with `url`, or with a port, as in env = { PORT = \"${%s.port}\" }"):format(
        name, name))
  end
  return make()
end

-- What a handle of a service has by itself; all else is asked of the connection.
local SERVICE = {
  available = true, start = true, stop = true, restart = true, signal = true, pause = true, resume = true, logs = true,
  status = true, url = true, host = true, port = true, pid = true, state = true, provider = true, title = true, kind = true,
}

-- Starts a service that is not started yet, and says so.
local function start(self)
  local service, tell = rawget(self, "service"), rawget(self, "tell")
  if rawget(service, "known") then return end
  if tell then tell(self, "starts") end
  service:start()
  if tell then tell(self, "ready") end
end

--- Starts its service, where it is one.
---@param self itlua.services.Reach
function reach.start(self)
  if rawget(self, "service") then start(self) end
end

local function url_of(self)
  local service = rawget(self, "service")
  if not service then return rawget(self, "target") end
  start(self)
  local ok, url = pcall(function() return service.url end) -- a kind may have none
  return ok and url or nil
end

-- Whether a key is the service's own: what every service has, what its kind adds.
local function is_own(service, key)
  if SERVICE[key] or rawget(service, "methods")[key] then return true end
  local kind = require("itlua.services.kinds").find(rawget(service, "kind"))
  for _, field in ipairs(kind and kind.fields or {}) do
    if field == key then return true end
  end
  return false
end

--- Its connection, opened where there is none that lives.
---@param self itlua.services.Reach
---@return any connection
function reach.connection(self)
  local driver, open = rawget(self, "driver"), rawget(self, "open")
  if open and driver.alive(open) then return open end
  local url = url_of(self)
  driver = driver_for(rawget(self, "name"), url, rawget(self, "service"))
  open = driver.open(url)
  rawset(self, "driver", driver)
  rawset(self, "open", open)
  return open
end

local metatable = { __name = "itlua.reach" }

-- The connection's own methods are called on the connection.
local function method_of(self, key, method)
  local known = rawget(self, "methods")
  local wrapped = known[method]
  if not wrapped then
    wrapped = function(this, ...)
      if this ~= self then return method(this, ...) end
      local open = reach.connection(self)
      local current = open[key]
      return (current or method)(open, ...)
    end
    known[method] = wrapped
  end
  return wrapped
end

function metatable.__index(self, key)
  if type(key) ~= "string" or key:find "^__" then return nil end
  local service = rawget(self, "service")
  if service and is_own(service, key) then
    if key ~= "available" then start(self) end
    local value = service[key]
    if type(value) ~= "function" then return value end
    return function(this, ...)
      if this == self then this = service end
      return value(this, ...)
    end
  end
  local value = reach.connection(self)[key]
  return type(value) == "function" and method_of(self, key, value) or value
end

function metatable.__tostring(self)
  local service, open = rawget(self, "service"), rawget(self, "open")
  local what = service and tostring(service) or mask.text(rawget(self, "target"))
  return ("%s: %s%s"):format(rawget(self, "name"), what, open and ", " .. tostring(open) or "")
end

-- To be told apart from other tables, and to close it, without asking the connection.
metatable.__close = function(self) reach.close(self) end

local function new(self)
  self.methods = {}
  return setmetatable(self, metatable)
end

--- What one talks to of a service of itlua.lua.
---@param name string
---@param tell? fun(self: itlua.services.Reach, what: "starts"|"ready")   it is started because it is asked for
---@return itlua.services.Reach
function reach.service(name, tell)
  return new { name = name, service = require("itlua.services")[name], tell = tell }
end

--- What listens at a URL: postgresql://, redis://, http://, https://, kafka://.
---@param name string     for messages
---@param url string
---@return itlua.services.Reach
function reach.url(name, url)
  driver_for(name, url)
  return new { name = name, target = url }
end

--- Whether a value is one of these.
---@param value any
---@return boolean
function reach.is(value)
  return type(value) == "table" and debug.getmetatable(value) == metatable
end

--- The connection if there is one, without opening any; and its state in a word.
---@param self itlua.services.Reach
---@return any? connection
---@return string? state
function reach.peek(self)
  local open = rawget(self, "open")
  if not open then return nil end
  return open, rawget(self, "driver").state(open)
end

local modules = { postgres = "sql", postgresql = "sql", redis = "redis", rediss = "redis", http = "http", https = "http",
  process = "http", kafka = "kafka" }

--- The name of the module that its connection is of, where that is known without connecting.
---@param self itlua.services.Reach
---@return string?
function reach.kind(self)
  local service, target = rawget(self, "service"), rawget(self, "target")
  return modules[service and rawget(service, "kind") or target and target:match "^(%a[%w+.-]*)://" or ""]
end

--- Closes its connection; the next use opens another one.
---@param self itlua.services.Reach
function reach.close(self)
  local open = rawget(self, "open")
  rawset(self, "open", nil)
  if open then pcall(open.close, open) end
end

return reach
