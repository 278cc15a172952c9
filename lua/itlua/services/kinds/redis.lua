--- Services of kind "redis": a Redis server that writes nothing to disk.
--
--     cache = { kind = "redis", version = "7", settings = { maxmemory = "64mb" } }
--
-- In a spec `services.cache:connect()` is a database number of the file's own, `services.cache.url` the server.

local choice = require "itlua.services.choice"
local core = require "itlua.core"

local redis = {
  name = "redis",
  options = { version = "version", settings = "table", image = "string", env = "table" },
  fields = { "url", "host", "port", "version" },
}

local function client() return require "itlua.redis" end

local function ping(url)
  return {
    name = "PING over TCP",
    try = function()
      local r <close> = client().connect { host = url.host, port = url.port, timeout = 2 }
      local reply = r:call "PING"
      return reply == "PONG", ("PING was answered with %s"):format(tostring(reply))
    end,
  }
end

local function with_url(instance)
  local fields = instance.fields
  fields.url = ("redis://%s:%d"):format(fields.host, fields.port)
  instance.ready = { ping(fields) }
  return instance
end

-- ---- an existing server

local environment = { name = "environment" }

local function server_version(url)
  local r <close> = client().connect(url)
  return r:call("INFO", "server"):match "redis_version:([%d.]+)" or "?"
end

function environment.find(spec)
  local url = os.getenv "REDIS_URL"
  if not url or url == "" then return nil, "REDIS_URL is not set" end
  local ok, version = pcall(server_version, url)
  if not ok then
    local why = tostring(version.message or version):match "[^\n]*"
    core.raise("service", "UNREACHABLE", "REDIS_URL is set, but its server does not answer: " .. why)
  end
  if not choice.version_fits(spec.version, version) then
    return nil, ("REDIS_URL is a Redis %s, not %s"):format(version, spec.version)
  end
  return { url = url, version = version }, ("Redis %s of REDIS_URL"):format(version)
end

function environment.start(_, offer)
  local host, port = offer.url:match "^redis://[^/@]*@?([^:/@]+):?(%d*)"
  return {
    external = "REDIS_URL",
    fields = { url = offer.url, host = host or "", port = math.tointeger(tonumber(port)) or 6379, version = offer.version },
  }
end

-- ---- a server in a container

local function start_container(context, offer)
  local command = { "redis-server", "--save", "", "--databases", "512" }
  for name, value in pairs(context.spec.settings or {}) do
    command[#command + 1] = "--" .. name
    command[#command + 1] = tostring(value)
  end
  local instance = require("itlua.services.docker").run(offer, context, { port = 6379, command = command })
  instance.fields = { host = instance.host, port = instance.port, version = offer.version }
  return with_url(instance)
end

-- ---- a server of this machine's programs

local native = { name = "native" }

function native.find(spec)
  local path = require("itlua.services.native").find "redis-server"
  if not path then return nil, "no redis-server in PATH" end
  local text = require("itlua.process").run({ command = { path, "--version" }, merge = true }).stdout
  local version = text:match "v=([%d.]+)" or text:match "(%d[%d.]+)"
  if not version then return nil, path .. " does not say its version" end
  if not choice.version_fits(spec.version, version) then
    return nil, ("version %s was asked for, installed is %s"):format(spec.version, version)
  end
  return { path = path, version = version }, ("Redis %s in %s"):format(version, path)
end

function native.start(context, offer)
  local fields = { host = "127.0.0.1", port = context.port(), version = offer.version }
  local instance = with_url { fields = fields }
  local command = { offer.path, "--port", fields.port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
    "--databases", "512", "--dir", context.folder() }
  for name, value in pairs(context.spec.settings or {}) do
    command[#command + 1] = "--" .. name
    command[#command + 1] = tostring(value)
  end
  function instance:launch()
    self.process = require("itlua.process").start { command = command, merge = true }
  end
  instance:launch()
  return instance
end

local docker, fetched = require("itlua.services.docker").providers("redis", "7-alpine", start_container)
redis.providers = { environment, docker, native, fetched }

-- ---- in a spec

redis.methods = {}

--- A connection for this file: a database number of its own, empty for every test. { by = "prefix" } gives keys with a
--- prefix in database 0 instead, { by = false } database 0 as it is.
---@param service itlua.services.Service
---@param options? { by?: "database"|"prefix"|false, prefix?: string, audit?: boolean }
---@return itlua.redis.client
function redis.methods.connect(service, options)
  local all = { by = "database" }
  for name, value in pairs(options or {}) do all[name] = value end
  local r = client().connect(service.url)
  if all.by == false then return r end
  return r:isolate(all)
end

return redis
