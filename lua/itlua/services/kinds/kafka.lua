--- Services of kind "kafka": an Apache Kafka broker in KRaft mode, without anything in it.
--
--     bus = { kind = "kafka", version = "4.3", settings = { ["num.partitions"] = 4 } }
--
-- In a spec `services.bus:connect()` is a connection (itlua.kafka), `services.bus.brokers` is for others.

local choice = require "itlua.services.choice"
local core = require "itlua.core"

local kafka = {
  name = "kafka",
  options = {
    version = "version", home = "string", settings = "table", jvm = "table", image = "string", env = "table", port = "number",
    config = "table",
  },
  fields = { "brokers", "url", "host", "port", "version" },
}

local TOPIC <const> = "itlua-ready" -- whose first record proves that the broker works

local function probe(...) return require("itlua.kafka.mock").probe(...) end

-- The last condition; where it is may only be known by then.
local function works(instance)
  local fields, list = instance.fields, instance.ready or {}
  instance.ready = list
  list[#list + 1] = {
    name = "metadata with a broker, and a record taken",
    try = function()
      fields.brokers = ("%s:%d"):format(fields.host, fields.port)
      fields.url = "kafka://" .. fields.brokers
      return probe(fields.brokers, 0.5, TOPIC).brokers >= 1
    end,
  }
  return instance
end

-- ---- existing brokers

local environment = { name = "environment" }

function environment.find()
  local brokers = os.getenv "KAFKA_BROKERS"
  if not brokers or brokers == "" then return nil, "KAFKA_BROKERS is not set" end
  local ok, why = pcall(probe, brokers, 5)
  if not ok then
    core.raise("service", "UNREACHABLE", "KAFKA_BROKERS is set, but no broker answers: " .. tostring(why.message or why))
  end
  return { brokers = brokers }, ("the Kafka of KAFKA_BROKERS, %s"):format(brokers)
end

function environment.start(_, offer)
  local host, port = offer.brokers:match "^([^,]-):?(%d*)%f[,\0]"
  return {
    external = "KAFKA_BROKERS",
    fields = { brokers = offer.brokers, url = "kafka://" .. offer.brokers, host = host or "",
      port = math.tointeger(tonumber(port)) or 9092, version = "?" },
  }
end

-- ---- a broker of this machine's programs

local native = { name = "native" }

function native.find(spec)
  local found, why = require("itlua.services.kafka.home").find(spec)
  if not found then return nil, why end
  return found, ("Kafka %s in %s, Java %s"):format(found.version, found.path, found.java_version)
end

function native.start(context, offer)
  return works(require("itlua.services.kafka.broker").start(context, offer))
end

-- ---- a broker in a container

local IMAGE <const>, TAG <const> = "apache/kafka", "4.3.1"

-- As the image wants its settings.
local function variable(name)
  return "KAFKA_" .. name:gsub("[-_.]", { ["-"] = "___", _ = "__", ["."] = "_" }):upper()
end

-- What it tells its clients to connect to is the port of this machine, which has to be known before it starts.
local function start_container(context, offer)
  local port = context.own_port or context.port()
  local host = require("itlua.container").engine():published_host()
  local all = {
    ["listeners"] = "PLAINTEXT://0.0.0.0:9092,CONTROLLER://127.0.0.1:9093",
    ["advertised.listeners"] = ("PLAINTEXT://%s:%d"):format(host, port), ["controller.quorum.voters"] = "1@127.0.0.1:9093",
    ["log.dirs"] = "/tmp/kraft-combined-logs",
    ["broker.session.timeout.ms"] = 3000, ["broker.heartbeat.interval.ms"] = 500, -- until one that was killed may come back
  }
  local env = { KAFKA_HEAP_OPTS = "-Xmx256m -Xms64m" }
  for _, list in ipairs { require("itlua.services.kafka.broker").settings, all, context.spec.settings or {} } do
    for name, value in pairs(list) do env[variable(name)] = tostring(value) end
  end
  local instance = require("itlua.services.docker").run(offer, context, { port = 9092, published = port, env = env })
  instance.fields = { host = host, port = port, version = offer.version }
  return works(instance)
end

local function find_image(spec, pull)
  local wanted = spec
  if choice.version_fits(spec.version, TAG) then wanted = setmetatable({ version = TAG }, { __index = spec }) end
  return require("itlua.services.docker").find(wanted, IMAGE, TAG, pull)
end

local docker = { name = "docker", start = start_container, find = find_image }
local fetched = { name = "docker", start = start_container, find = function(spec) return find_image(spec, true) end }

-- ---- none at all

local embedded = { name = "embedded" }

function embedded.find(spec)
  return require("itlua.services.kafka.mock").find(spec)
end

function embedded.start()
  return works(require("itlua.services.kafka.mock").start())
end

kafka.providers = { environment, docker, native, fetched, embedded }

function kafka.check(spec)
  for name, value in pairs(spec.settings or {}) do
    if type(name) ~= "string" or type(value) == "table" then
      return "settings must be names and values: those of server.properties"
    end
  end
end

-- ---- in a spec

kafka.methods = {}

--- A connection for this file.
---@param service itlua.services.Service
---@param options? table      more of kafka.connect
---@return table
function kafka.methods.connect(service, options)
  local all = { brokers = service.brokers }
  for name, value in pairs(options or {}) do all[name] = value end
  return require("itlua.kafka").connect(all)
end

return kafka
