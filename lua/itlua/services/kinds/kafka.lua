--- Services of kind "kafka": one Apache Kafka broker in KRaft mode, with nothing in it but the topics that are named.
--
--     bus = { kind = "kafka", version = "4.3", topics = { "orders", payments = { partitions = 3 } },
--             settings = { ["message.max.bytes"] = 5000000 } }
--
-- Options: version; home (the folder of a Kafka), settings (of server.properties), jvm (options of Java), port, topics
-- ("name", or name = { partitions, config }), config (of librdkafka, for connections: passwords of KAFKA_BROKERS), image,
-- env. It is the first of: KAFKA_BROKERS of the environment; apache/kafka where a Docker engine has it; an installed Kafka
-- with Java (`home`, KAFKA_HOME, ~/.cache/itlua/kafka/kafka_*, /opt/kafka); the image pulled, where provider = "docker";
-- librdkafka's mock cluster ("embedded"), for which version, settings and port cannot be asked.
--
-- In a spec `services.bus:connect()` is a connection (itlua.kafka), `services.bus.brokers` "host:port" for others, `url`
-- the same with kafka:// before it.

local choice = require "itlua.services.choice"
local core = require "itlua.core"

local kafka = {
  name = "kafka", startup_timeout = 60, -- Java on a busy machine
  options = {
    version = "version", home = "string", settings = "table", jvm = "table", image = "string", env = "table", port = "number",
    config = "table", topics = "table",
  },
  fields = { "brokers", "url", "host", "port", "version" },
}

local TOPIC <const> = "itlua-ready" -- whose first record proves that the broker works

local function probe(...) return require("itlua.kafka.mock").probe(...) end

local function connection(brokers, config, options)
  local all = { brokers = brokers, config = config }
  for name, value in pairs(options or {}) do all[name] = value end
  return require("itlua.kafka").connect(all)
end

local function name_place(fields)
  fields.brokers = ("%s:%d"):format(fields.host, fields.port)
  fields.url = "kafka://" .. fields.brokers
  return fields.brokers
end

-- A broker that answers may still not have a leader for anything.
local function works(instance)
  instance.ready = { {
    name = "metadata with a broker, and a record taken",
    try = function()
      local brokers = name_place(instance.fields)
      if probe(brokers, 0.5, TOPIC).brokers < 1 then return false end
      pcall(function()
        local k <close> = connection(brokers)
        k:delete_topic(TOPIC)
      end)
      return true
    end,
  } }
  return instance
end

-- ---- existing brokers

local environment = { name = "environment" }

function environment.find(spec)
  local brokers = os.getenv "KAFKA_BROKERS"
  if not brokers or brokers == "" then return nil, "KAFKA_BROKERS is not set" end
  local ok, why = pcall(function() connection(brokers, spec.config, { timeout = 5 }):close() end)
  if not ok then
    local said = tostring(core.is_error(why) and why.message or why):match "[^\n]*"
    core.raise("service", "UNREACHABLE", "KAFKA_BROKERS is set, but no broker answers: " .. said)
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

-- What it tells its clients to connect to is the port of this machine, which has to be known before it starts. It connects
-- to itself, too (for transactions), which goes by a listener of its own: from inside that port is not to be reached.
local function start_container(context, offer)
  local port = context.own_port or context.port()
  local host = require("itlua.container").engine():published_host()
  local all = {
    ["listeners"] = "PLAINTEXT://0.0.0.0:9092,INSIDE://127.0.0.1:19092,CONTROLLER://127.0.0.1:9093",
    ["advertised.listeners"] = ("PLAINTEXT://%s:%d,INSIDE://127.0.0.1:19092"):format(host, port),
    ["listener.security.protocol.map"] = "PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT",
    ["inter.broker.listener.name"] = "INSIDE", ["controller.quorum.voters"] = "1@127.0.0.1:9093",
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
  if spec.home then return nil, "option 'home' asks for an installed one" end
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
  local instance = require("itlua.services.kafka.mock").start()
  instance.ready[2] = { -- it is only known by now where it is
    name = "metadata with a broker",
    try = function() return probe(name_place(instance.fields), 0.5).brokers >= 1 end,
  }
  return instance
end

kafka.providers = { environment, docker, native, fetched, embedded }

-- What is wrong with them; from here on all are names with a table, also those that were given as a list.
local function wrong_topics(spec)
  local topics = {}
  for name, topic in pairs(spec.topics or {}) do
    if math.type(name) == "integer" then name, topic = topic, {} end
    if type(name) ~= "string" or type(topic) ~= "table" then
      return "topics must be names, or names with a table { partitions =, config = }"
    end
    for option in pairs(topic) do
      if option ~= "partitions" and option ~= "config" then
        return ("topics.%s has no '%s' (there is partitions, config)"):format(name, tostring(option))
      end
    end
    topics[name] = topic
  end
  spec.topics = next(topics) and topics or nil
end

function kafka.check(spec)
  for name, value in pairs(spec.settings or {}) do
    if type(name) ~= "string" or type(value) == "table" then
      return "settings must be names and values: those of server.properties"
    end
  end
  return wrong_topics(spec)
end

-- ---- its topics

--- Makes them, where they are not there yet.
function kafka.prepare(context, instance)
  local spec = context.spec
  if not spec.topics then return end
  local k <close> = not instance.create_topic and connection(instance.fields.brokers, spec.config) or nil
  for name, topic in pairs(spec.topics) do
    if instance.create_topic then
      instance:create_topic(name, topic)
    else
      local ok, err = pcall(k.create_topic, k, name, { partitions = topic.partitions, config = topic.config })
      if not ok and not (core.is_error(err) and err.code == "TOPIC_ALREADY_EXISTS") then error(err, 0) end
    end
  end
end

-- ---- in a spec

kafka.methods = {}

--- A connection for this file.
---@param service itlua.services.Service
---@param options? table      more of kafka.connect
---@return itlua.kafka.Connection
function kafka.methods.connect(service, options)
  return connection(service.brokers, service.spec.config, options)
end

return kafka
