--- Conditions of readiness: what container.wait offers. Each says when a container has got so far;
--- itlua.container.wait waits for them.
--
--     wait = wait.all(wait.port(8080), wait.log "listening")
--     wait = wait.http { path = "/health", status = 200 }
--     wait = wait.sql()          a query over TCP from outside: what a health check says inside may come too early

local core = require "itlua.core"
local dns = require "itlua.dns"
local match = require "itlua.match"
local native = require "itlua.container.core"
local plan = require "itlua.container.plan"
local show = require "itlua.show"

---@class itlua.container.wait   the conditions of readiness, container.wait
local condition = {}

---@class itlua.container.Condition
---@field name string
---@field check? fun(container: itlua.container.Container, node: table): any, string?   true when it holds; "never"
---when it cannot any more; else not yet. The second value says why. What it raises is a reason too
---@field run? fun(container: itlua.container.Container, node: table): boolean, string?   waits by itself
---@field children? itlua.container.Condition[]
---@field any? boolean          one of them is enough
---@field survives? boolean     the container's end does not decide it
---@field reads? boolean        what was printed does, and ends soon after the container
local Condition = {}
Condition.__index = Condition
Condition.__name = "itlua.container.condition"

function Condition:__tostring()
  return self.name
end

local function new(fields)
  return setmetatable(fields, Condition)
end

--- Whether the value is a condition.
function condition.is(value)
  return getmetatable(value) == Condition
end

-- ---- ports

-- Whether the connection was there: "open", "closed" (the engine's proxy took it and gave it up), or an error's code.
local function probe(ip, port, stays, limit)
  local scope = core.enter(limit)
  local ok, result = pcall(native.probe, ip, port, stays)
  local expired = core.leave(scope)
  if ok then return result and "open" or "closed" end
  if expired then return "ETIMEDOUT" end
  if core.is_error(result) == "container" then return result.code end
  return error(result, 0)
end

local REFUSED = { ECONNREFUSED = "connection refused", ECONNRESET = "connection reset", ETIMEDOUT = "no answer" }

-- By the container's own address, where this machine reaches it: a refused connection says all there.
local function directly(container, inside)
  local engine = container.engine
  if not engine.endpoint.path or engine.reaches == false then return nil end
  local ip = container:ip()
  if not ip then return nil end
  local seen = probe(ip, inside, 0, 0.5)
  if seen ~= "open" and seen ~= "ECONNREFUSED" and seen ~= "ECONNRESET" then
    -- Not yet, or never: rootless, or a virtual machine in between.
    engine.unreached = (engine.unreached or 0) + 1
    if engine.unreached >= 5 and not engine.reaches then engine.reaches = false end
    return nil
  end
  engine.reaches = true
  return seen
end

local function listens(container, key)
  local inside, protocol = tonumber(key:match "%d+"), key:match "/(%a+)$"
  if protocol ~= "tcp" then core.usage(("wait.port: %s cannot be asked: only TCP ports can"):format(key)) end
  local seen = directly(container, inside)
  local where = ("port %d of %s"):format(inside, container:ip() or "the container")
  if not seen then
    local address = dns.resolve(container.host)[1]
    local port = container:port(key)
    where = ("port %d, published as %s:%d"):format(inside, container.host, port)
    seen = probe(address, port, 0.05, 2)
  end
  if seen == "open" then return true end
  return false, ("%s: %s"):format(where, seen == "closed" and "nothing listens inside" or REFUSED[seen] or seen)
end

-- The TCP ports that were asked to be published, whether it runs or not.
local function published(container)
  local keys = {}
  for key in pairs(container:_known().HostConfig.PortBindings or {}) do
    if key:find "/tcp$" then keys[#keys + 1] = key end
  end
  table.sort(keys)
  return keys
end

--- Something listens on the ports; without ports, on all TCP ports that are published.
---@param ... integer|string
function condition.port(...)
  local keys = {}
  for i = 1, select("#", ...) do keys[i] = plan.port((select(i, ...))).key end
  local name = #keys == 0 and "the published ports" or (#keys == 1 and "port " or "ports ") ..
    table.concat(keys, ", "):gsub("/tcp", "")
  return new {
    name = name,
    check = function(container)
      local wanted = keys
      if #wanted == 0 then
        wanted = published(container)
        if #wanted == 0 then return "never", "no TCP port is published" end
      end
      for _, key in ipairs(wanted) do
        local ok, why = listens(container, key)
        if not ok then return false, why end
      end
      return true
    end,
  }
end

-- ---- what it prints

--- A line of its output matches a Lua pattern, so many times.
---@param pattern string
---@param options? { times?: integer, stream?: "stdout"|"stderr", plain?: boolean }
function condition.log(pattern, options)
  options = options or {}
  plan.check(options, { times = "number", stream = "string", plain = "boolean" }, "wait.log")
  if type(pattern) ~= "string" then core.usage "wait.log needs a pattern" end
  local times = options.times or 1
  local many = times > 1 and (" %d times"):format(times) or ""
  return new {
    name = ("a log line that matches %s%s"):format(show.value(pattern), many), survives = true, reads = true,
    run = function(container, node)
      local seen = 0
      for line, stream in container:logs { follow = true, since = node.since } do
        node.tries = node.tries + 1
        if (not options.stream or options.stream == stream) and line:find(pattern, 1, options.plain) then
          seen = seen + 1
          if seen >= times then return true end
        end
        node.last = ("%d of %d among %d lines"):format(seen, times, node.tries)
      end
      return false, ("its output ended after %d lines%s"):format(node.tries, times > 1 and
        (", %d of %d matched"):format(seen, times) or ", none matched")
    end,
  }
end

-- ---- HTTP

local HTTP = {
  path = "string", port = "number string", status = "number table function", body = "string",
  json = "table string number boolean function", method = "string", headers = "table", tls = "table boolean",
  timeout = "number",
}

local function expected_status(wanted, status)
  if wanted == nil then return status >= 200 and status < 400 end
  if type(wanted) == "function" then return wanted(status) end
  if type(wanted) == "number" then return wanted == status end
  for _, one in ipairs(wanted) do
    if one == status then return true end
  end
  return false
end

local function http_check(options, container)
  local http = require "itlua.http"
  local client = http.client { quiet = true, cookies = false, timeout = options.timeout or 2, redirects = 0,
    tls = type(options.tls) == "table" and options.tls or options.tls and { verify = false } or nil }
  local url = container:url(options.port, options.tls and "https" or "http") .. (options.path or "/")
  local r = client:request(options.method or "GET", url, { headers = options.headers })
  if not expected_status(options.status, r.status) then return false, ("status %d"):format(r.status) end
  if options.body and not r.body:find(options.body) then
    return false, ("the body does not match %s"):format(show.value(options.body))
  end
  if options.json ~= nil and not match.subset(options.json, r:json()) then
    return false, ("the body was %s"):format(show.value(r:json(), 120))
  end
  return true
end

--- An HTTP request is answered as wanted: by any status of 200 to 399 unless told otherwise.
---@param options? { path?: string, port?: integer, status?: integer|integer[]|function, json?: any, body?: string,
---method?: string, headers?: table, tls?: boolean|table, timeout?: number }   json: a part of what the body has to be,
---or a function; tls = true: HTTPS with any certificate
function condition.http(options)
  if type(options) == "string" then options = { path = options } end
  options = options or {}
  plan.check(options, HTTP, "wait.http")
  return new {
    name = ("%s %s%s"):format(options.method or "GET", options.path or "/", type(options.status) == "number" and
      " with status " .. options.status or ""),
    check = function(container) return http_check(options, container) end,
  }
end

-- ---- inside

--- Its health check says "healthy". An unhealthy container is given up at once.
function condition.healthy()
  return new {
    name = "healthy",
    check = function(container)
      container:_check_health()
      local health = container:inspect().State.Health
      if type(health) ~= "table" or health.Status == "" then return "never", "it has no health check" end
      if health.Status == "healthy" then return true end
      local last = type(health.Log) == "table" and health.Log[#health.Log]
      local said = last and (": exit code %s %s"):format(tostring(last.ExitCode), last.Output or ""):gsub("%s+$", "")
      return health.Status == "unhealthy" and "never" or false, health.Status .. (said or "")
    end,
  }
end

--- A command in it ends with exit code 0.
---@param command string[]|string
---@param options? { code?: integer, user?: string }
function condition.exec(command, options)
  options = options or {}
  local words = plan.words(command, "command")
  return new {
    name = "exec " .. (type(command) == "string" and command or table.concat(words, " ")), interval = 0.05,
    check = function(container)
      local result = container:exec(words, { user = options.user })
      if result.code == (options.code or 0) then return true end
      local said = (result.stderr ~= "" and result.stderr or result.stdout):gsub("%s+$", ""):match "[^\n]*$"
      return false, ("exit code %d%s"):format(result.code, said ~= "" and ": " .. said or "")
    end,
  }
end

--- There is a file at a path in it.
---@param path string
function condition.file(path)
  return new {
    name = "the file " .. path, survives = true,
    check = function(container)
      if container:exists(path) then return true end
      return not container:running() and "never" or false, "it is not there"
    end,
  }
end

--- It ends: with code 0, or the one that is wanted.
---@param options? { code?: integer|boolean }   true: any
function condition.exit(options)
  local code = options and options.code or 0
  return new {
    name = code == true and "its end" or ("its end with code %d"):format(code), survives = true,
    run = function(container)
      local result = container:wait_exit()
      if code == true or result.code == code then return true end
      return false, ("it ended with code %d"):format(result.code)
    end,
  }
end

-- ---- databases, from outside

local function variable(container, name)
  local env = container:_known().Config.Env
  for _, line in ipairs(type(env) == "table" and env or {}) do
    local value = line:match("^" .. name .. "=(.*)$")
    if value and value ~= "" then return value end
  end
end

local SQL = {
  scheme = "string", port = "number", user = "string", password = "string", database = "string", query = "string",
}

--- A query is answered over TCP. User, password and database are those of the environment (POSTGRES_USER, …).
---@param options? { scheme?: string, port?: integer, user?: string, password?: string, database?: string,
---query?: string }
function condition.sql(options)
  options = options or {}
  plan.check(options, SQL, "wait.sql")
  local query = options.query or "SELECT 1"
  return new {
    name = query .. " over TCP",
    check = function(container)
      local sql = require "itlua.sql"
      local user = options.user or variable(container, "POSTGRES_USER") or "postgres"
      local where = {
        host = container.host, port = container:port(options.port or 5432), user = user,
        password = options.password or variable(container, "POSTGRES_PASSWORD"), timeout = 2,
        dbname = options.database or variable(container, "POSTGRES_DB") or user,
      }
      if options.scheme then
        where = ("%s://%s:%s@%s:%d/%s"):format(options.scheme, user, where.password or "", where.host, where.port,
          where.dbname)
      end
      local db <close> = sql.connect(where)
      db:query(query)
      return true
    end,
  }
end

--- PING is answered.
---@param options? { port?: integer, user?: string, password?: string }
function condition.redis(options)
  options = options or {}
  plan.check(options, { port = "number", user = "string", password = "string" }, "wait.redis")
  return new {
    name = "PING over TCP",
    check = function(container)
      local redis = require "itlua.redis"
      local r <close> = redis.connect { host = container.host, port = container:port(options.port or 6379),
        user = options.user, password = options.password, timeout = 2 }
      return r:call "PING" == "PONG"
    end,
  }
end

-- ---- more than one

local function several(name, any, ...)
  local children = { ... }
  if #children == 1 and not condition.is(children[1]) and type(children[1]) == "table" then children = children[1] end
  if #children == 0 then core.usage(("wait.%s needs conditions"):format(name)) end
  for i, child in ipairs(children) do
    if not condition.is(child) then core.usage(("wait.%s: argument %d is no condition"):format(name, i)) end
  end
  return new { name = any and "one of" or "all of", children = children, any = any }
end

--- All of them, waited for at the same time.
---@param ... itlua.container.Condition
function condition.all(...)
  return several("all", false, ...)
end

--- One of them.
---@param ... itlua.container.Condition
function condition.any(...)
  return several("any", true, ...)
end

--- A function of the container returns something true without raising.
---@param name string
---@param fn fun(container: itlua.container.Container): any
function condition.check(name, fn)
  if type(name) ~= "string" or type(fn) ~= "function" then core.usage "wait.check needs a name and a function" end
  return new { name = name, check = function(container) return fn(container) and true or false, "not yet" end }
end

-- ---- by default

local BY_IMAGE = {
  postgres = { "5432/tcp", condition.sql }, postgis = { "5432/tcp", condition.sql },
  timescaledb = { "5432/tcp", condition.sql }, pgvector = { "5432/tcp", condition.sql },
  redis = { "6379/tcp", condition.redis }, valkey = { "6379/tcp", condition.redis },
}

--- What a container is waited for where nobody says: a round trip of its protocol, where the image is known; else its
--- health check; else its published ports.
---@param container itlua.container.Container
---@return itlua.container.Condition?
function condition.default(container)
  local info = container:_known()
  local ports = published(container)
  local known = BY_IMAGE[container.image:match "([^/:@]+)[:@]?[^/]*$"]
  for _, key in ipairs(known and ports or {}) do
    if key == known[1] then return known[2]() end
  end
  local health = info.Config.Healthcheck
  local test = type(health) == "table" and type(health.Test) == "table" and health.Test[1]
  if test and test ~= "NONE" then return condition.healthy() end
  if ports[1] then return condition.port() end
end

return condition
