--- Services of kind "kafka": an Apache Kafka broker in KRaft mode, without anything in it.
--
--     bus = { kind = "kafka", version = "4.3", settings = { ["num.partitions"] = 4 } }
--
-- In a spec `services.bus:connect()` is a connection (itlua.kafka), `services.bus.brokers` is for others.

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

-- ---- none at all

local embedded = { name = "embedded" }

function embedded.find(spec)
  return require("itlua.services.kafka.mock").find(spec)
end

function embedded.start()
  return works(require("itlua.services.kafka.mock").start())
end

kafka.providers = { environment, native, embedded }

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
