--- Kafka: what a connection is given, as librdkafka's own properties. Which of them are secrets, and how they are kept out
-- of every message.

local core = require "itlua.core"
local mask = require "itlua.mask"
local show = require "itlua.show"

local settings = {}

-- For everybody. `?` before a name: where the installed librdkafka knows it.
local common = {
  ["socket.nagle.disable"] = true,
  ["log.connection.close"] = false,
  ["reconnect.backoff.ms"] = 20, -- a broker that comes back is found soon
  ["reconnect.backoff.max.ms"] = 500,
  ["client.id"] = "itlua",
  ["socket.connection.setup.timeout.ms"] = 5000,
}

local by_use = {
  ask = { ["isolation.level"] = "read_uncommitted" }, -- an end offset is the high watermark, open transactions or not
  producer = {
    ["linger.ms"] = 0, -- a test waits for every acknowledgement
    ["queue.buffering.max.messages"] = 1000000,
    ["message.timeout.ms"] = 30000,
    ["topic.metadata.propagation.max.ms"] = 3000, -- then an unknown topic is an error
  },
  consumer = {
    ["enable.partition.eof"] = true,
    ["enable.auto.commit"] = false,
    ["enable.auto.offset.store"] = false,
    ["auto.offset.reset"] = "error", -- offsets that are gone are never skipped in silence
    ["fetch.wait.max.ms"] = 10, -- how late the end of a partition is told; records wake a waiting fetch
    ["fetch.error.backoff.ms"] = 20,
    ["?fetch.queue.backoff.ms"] = 20,
    ["allow.auto.create.topics"] = false,
    ["topic.metadata.refresh.fast.interval.ms"] = 50,
  },
  member = {
    ["auto.offset.reset"] = "earliest",
    ["fetch.wait.max.ms"] = 10,
    ["fetch.error.backoff.ms"] = 20,
    ["enable.partition.eof"] = false,
    ["enable.auto.commit"] = false,
    ["session.timeout.ms"] = 10000,
    ["heartbeat.interval.ms"] = 500, -- how soon a rebalance is noticed
    ["allow.auto.create.topics"] = false,
    ["topic.metadata.refresh.interval.ms"] = 1000, -- how soon a topic that appears is
  },
}

-- Of which uses a property is; the others are everybody's. librdkafka warns of those that are not for it.
local producers_only = { "^linger%.ms", "^queue%.buffering", "^message%.timeout", "^delivery%.", "^acks$", "^request%.required",
  "^request%.timeout", "^enable%.idempotence", "^transactional", "^transaction%.", "^compression", "^batch%.", "^partitioner",
  "^retries", "^message%.send", "^retry%.backoff", "^sticky", "^topic%.metadata%.propagation", "^enable%.gapless" }
local consumers_only = { "^group%.", "^session%.", "^heartbeat", "^max%.poll", "^enable%.auto", "^auto%.", "^fetch%.",
  "^queued%.", "^isolation", "^enable%.partition", "^check%.crcs", "^partition%.assignment", "^allow%.auto", "^consume%.",
  "^max%.partition" }

local function one_of(name, patterns)
  for _, pattern in ipairs(patterns) do
    if name:find(pattern) then return true end
  end
  return false
end

local secret_words = { "password", "secret", "%.pem$", "jaas", "oauthbearer%.config", "token" }

--- Whether a property's value is a secret.
---@param name string
---@return boolean
function settings.is_secret(name)
  local lower = name:lower()
  for _, word in ipairs(secret_words) do
    if lower:find(word) then return true end
  end
  return false
end

-- ---- tables that say the same with fewer words

local tls_fields = {
  ca = "ssl.ca.location", ca_path = "ssl.ca.location", cert = "ssl.certificate.location", key = "ssl.key.location",
  key_password = "ssl.key.password", ca_pem = "ssl.ca.pem", cert_pem = "ssl.certificate.pem", key_pem = "ssl.key.pem",
}
local sasl_fields = { mechanism = "sasl.mechanism", username = "sasl.username", password = "sasl.password" }

local function spread(given, fields, config, name)
  for key, value in pairs(given) do
    if fields[key] then
      config[fields[key]] = value
    elseif not (name == "tls" and key == "verify") then
      core.usage(("kafka.connect: %s has no %s"):format(name, show.value(key)))
    end
  end
end

local function security(options, config)
  local tls, sasl = options.tls, options.sasl
  if tls then
    spread(tls == true and {} or tls, tls_fields, config, "tls")
    if tls ~= true and tls.verify == false then
      config["enable.ssl.certificate.verification"] = false
      config["ssl.endpoint.identification.algorithm"] = "none"
    end
  end
  if sasl then
    spread(sasl, sasl_fields, config, "sasl")
    config["sasl.mechanism"] = config["sasl.mechanism"] or "PLAIN"
  end
  if tls or sasl then
    config["security.protocol"] = (sasl and "sasl_" or "") .. (tls and "ssl" or "plaintext")
  end
end

-- "a:9092,b:9092", a list of them, kafka://a:9092,b:9092
local function addresses(brokers)
  if type(brokers) == "table" then brokers = table.concat(brokers, ",") end
  if type(brokers) ~= "string" or not brokers:find "%S" then
    core.usage("kafka.connect needs brokers, \"host:port\" or a list of them, not " .. show.value(brokers))
  end
  return (brokers:gsub("kafka://", ""):gsub("/*$", ""):gsub("%s", ""))
end

local known = { brokers = true, url = true, config = true, tls = true, sasl = true, codecs = true, timeout = true, check = true,
  embedded = true }

--- The settings of a connection, checked.
---@param options table     of kafka.connect
---@return { brokers: string, config: table<string, any>, mask: fun(text: string): string }
function settings.of(options)
  for name in pairs(options) do
    if not known[name] then core.usage(("kafka.connect has no option %s"):format(show.value(name))) end
  end
  if options.config ~= nil and type(options.config) ~= "table" then
    core.usage("kafka.connect: config is a table of librdkafka's properties, not " .. show.value(options.config))
  end
  local config = {}
  security(options, config)
  for name, value in pairs(options.config or {}) do config[name] = value end
  local brokers = addresses(options.brokers or options.url or config["bootstrap.servers"] or config["metadata.broker.list"])
  config["bootstrap.servers"], config["metadata.broker.list"] = brokers, nil
  local secrets = {}
  for name, value in pairs(config) do
    if type(name) == "string" and settings.is_secret(name) then secrets[#secrets + 1] = tostring(value) end
  end
  return { brokers = brokers, config = config, mask = mask.new { values = secrets } }
end

--- The properties of a handle: what is good for tests, then what the user says, then what has to be.
---@param own { config: table }                          of settings.of
---@param use "ask"|"producer"|"consumer"|"member"
---@param more? table<string, any>
---@return table<string, any>
function settings.config(own, use, more)
  local config = {}
  for name, value in pairs(common) do config[name] = value end
  for name, value in pairs(by_use[use]) do config[name] = value end
  local unwanted = use == "producer" and consumers_only or producers_only
  for name, value in pairs(own.config) do
    if type(name) ~= "string" or not one_of(name, unwanted) then config[name] = value end
  end
  if use == "ask" then
    config["isolation.level"], config["group.id"] = "read_uncommitted", nil
  end
  config["transactional.id"] = nil -- of those that transactions are made with alone
  for name, value in pairs(more or {}) do config[name] = value end
  return config
end

return settings
