--- Kafka over librdkafka: records sent with their acknowledgements, captures that see every later record and never an older
-- one, consumer groups, transactions, topics.
--
--     local k <close> = kafka.connect "127.0.0.1:9092"
--     local created <close> = k:capture "orders.created"
--     k:publish("orders", { id = 7 }, { key = "c-1" })
--     created:wait_for { order_id = 7 }
--     created:expect_none({ order_id = 8 }, { fence = true })

local capture = require "itlua.kafka.capture"
local codec = require "itlua.kafka.codec"
local core = require "itlua.core"
local encode = require "itlua.encode"
local groups = require "itlua.kafka.groups"
local handle = require "itlua.kafka.handle"
local kafka_core = require "itlua.kafka.core"
local null = require "itlua.null"
local publish = require "itlua.kafka.publish"
local reader = require "itlua.kafka.reader"
local settings = require "itlua.kafka.settings"
local show = require "itlua.show"
local topics = require "itlua.kafka.topics"

local kafka = { null = null, version = kafka_core.version }

local ID <const> = "0123456789abcdefghijklmnopqrstuvwxyz" -- of names of groups and of transactional producers

---@class itlua.kafka.ConnectOptions
---@field brokers string|string[]      "host:port", several with commas or as a list; kafka://host:port, too
---@field config? table<string, string|number|boolean>     librdkafka's properties by their names, for all handles
---@field tls? boolean|itlua.kafka.Tls
---@field sasl? itlua.kafka.Sasl
---@field codecs? table<string, string|itlua.kafka.Codec>  by topic
---@field check? fun(record: itlua.kafka.Record)           of every record captured, as k:check
---@field timeout? number              seconds for the first answer of a broker, 10

---@class itlua.kafka.Tls         names of files, PEM
---@field ca? string
---@field cert? string
---@field key? string
---@field key_password? string
---@field verify? boolean          false: any certificate will do

---@class itlua.kafka.Sasl
---@field mechanism? string        "PLAIN", "SCRAM-SHA-256", …; PLAIN
---@field username string
---@field password string          hidden in every message

---@class itlua.kafka.PublishOptions
---@field key? string
---@field headers? table<string, string>|table[]     by name, or a list of { name, value }
---@field partition? integer       as the key says, where it is not given
---@field timestamp? number        seconds since 1970; now
---@field codec? string|itlua.kafka.Codec            instead of the topic's

---@class itlua.kafka.PublishAllOptions
---@field key? string|fun(value: any): string        a field of the values, or a function of them
---@field headers? table
---@field partition? integer
---@field timestamp? number
---@field codec? string|itlua.kafka.Codec

---@class itlua.kafka.ReplayOptions
---@field topic? string|table<string, string>        another topic, or others by name
---@field timestamps? boolean      those of the records
---@field partitions? boolean      those of the records
---@field pace? number             1: as fast as it was, 2: twice as fast; at once

---@class itlua.kafka.CaptureOptions: itlua.capture.Options
---@field codec? string|itlua.kafka.Codec            instead of the topics'
---@field from? "beginning"|number     older records, too: all, or those since a time
---@field isolation? "read_committed"|"read_uncommitted"     read_committed

---@class itlua.kafka.Ack
---@field partition integer
---@field offset integer

---@class itlua.kafka.Connection
---@field brokers string
---@field embedded boolean      librdkafka's mock cluster: what it cannot do is an error that says so
local Connection = { __name = "itlua.kafka" }
Connection.__index = Connection


--- Connects to Kafka; returns once a broker has answered. All properties of librdkafka can be set by `config`.
--- Raises an error of kind "kafka" (code "_TRANSPORT", "_AUTHENTICATION", "_SSL", "_RESOLVE", "_TIMED_OUT", …).
---@param target string|itlua.kafka.ConnectOptions     "host:port", or more
---@return itlua.kafka.Connection
function kafka.connect(target)
  local options = type(target) == "string" and { brokers = target } or target
  if type(options) ~= "table" then core.usage("kafka.connect needs brokers, not " .. show.value(target)) end
  local own = settings.of(options)
  local self = setmetatable({
    own = own, brokers = own.brokers, id = encode.random_string(12, ID), embedded = options.embedded or false,
    readers = {}, codecs = {}, checks = {}, names = {}, members = {}, introduced = {},
  }, Connection)
  for topic, given in pairs(options.codecs or {}) do self:codec(topic, given) end
  if options.check then self:check(options.check) end
  self.ask = handle.open(own, "ask")
  local ok, metadata = pcall(handle.try, own, "cannot connect to Kafka at " .. own.brokers, self.ask.metadata, self.ask,
    "none", options.timeout or 10, true)
  if not ok then
    self.ask:close()
    error(metadata, 0)
  end
  self.cluster = metadata.cluster
  self.embedded = self.embedded or (metadata.cluster or ""):find "^mockCluster" ~= nil
  return self
end

-- ---- codecs and checks

--- The codec of a topic: "json", "string", "auto" (tables as JSON, strings as they are), or a table { encode, decode }.
---@param topic string
---@param given string|itlua.kafka.Codec
function Connection:codec(topic, given)
  self.codecs[topic] = codec.of(given)
end

function Connection:codec_of(topic)
  return self.codecs[topic] or codec.auto
end

--- Calls `fn(record)` for every record that a later capture keeps: a schema check. What it raises, the capture's next
--- method raises.
---@param topic string|fun(record: itlua.kafka.Record)     all topics, where it is the function
---@param fn? fun(record: itlua.kafka.Record)
function Connection:check(topic, fn)
  if fn == nil then topic, fn = true, topic end
  if type(fn) ~= "function" then core.usage("check needs a function, not " .. show.value(fn)) end
  self.checks[topic] = self.checks[topic] or {}
  table.insert(self.checks[topic], fn)
end

-- ---- sending

local BULK <const> = 1000 -- records from which on it pays to gather them into larger requests

local function writer_of(self, many)
  if self.closed then core.usage(tostring(self)) end
  if many and self.own.config["linger.ms"] == nil then
    -- Large requests, but so many of them that the broker writes one while the next is made.
    self.bulk = self.bulk or handle.open(self.own, "producer", {
      ["linger.ms"] = 5, ["batch.num.messages"] = self.own.config["batch.num.messages"] or 2000,
    })
    return self.bulk
  end
  if not self.writer then self.writer = handle.open(self.own, "producer") end
  return self.writer
end

--- Sends a record and returns where it stands, once all replicas have acknowledged it.
--- Raises an error of kind "kafka" (code "MSG_SIZE_TOO_LARGE", "UNKNOWN_TOPIC_OR_PART", "_MSG_TIMED_OUT", …).
---@param topic string
---@param value any     a table as JSON, a string as it is, or by the topic's codec; nil or itlua.null: a tombstone
---@param options? itlua.kafka.PublishOptions
---@return integer partition, integer offset
function Connection:publish(topic, value, options)
  return publish.one(self, self.writer or writer_of(self), topic, value, options)
end

--- Sends many records at once and returns where each stands, once all are acknowledged.
---@param topic string|table[]      the records: { topic =, value =, key =, … }; or the topic of
---@param values? any[]             these values
---@param options? itlua.kafka.PublishAllOptions
---@return itlua.kafka.Ack[]
function Connection:publish_all(topic, values, options)
  local list = values or topic
  return publish.all(self, writer_of(self, type(list) == "table" and #list >= BULK), topic, values, options)
end

--- Sends the records of a file that capture:save has written, or of a list of records, in order.
---@param source string|table[]     a path, or records
---@param options? itlua.kafka.ReplayOptions
---@return itlua.kafka.Ack[]
function Connection:replay(source, options)
  return require("itlua.kafka.replay").send(self, writer_of(self), source, options)
end

--- Runs `fn(tx)` in a transaction: what tx:publish and tx:publish_all send is seen when fn has returned, and never where it
--- raises. tx:commit_offsets(consumer or { group, partitions }) makes a consumer's progress part of it.
---@param fn fun(tx: itlua.kafka.Transaction): any
---@param options? { timeout?: number }     seconds; 30
---@return any ... what fn returned
function Connection:transaction(fn, options)
  return require("itlua.kafka.transaction").run(self, fn, options)
end

-- ---- receiving

function Connection:reader_of(isolation, private)
  if self.closed then core.usage(tostring(self)) end
  if isolation ~= nil and isolation ~= "read_committed" and isolation ~= "read_uncommitted" then
    core.usage("isolation is \"read_committed\" or \"read_uncommitted\", not " .. show.value(isolation))
  end
  isolation = isolation or "read_committed"
  if private then return reader.new(self, { ["isolation.level"] = isolation }) end
  if not self.readers[isolation] then self.readers[isolation] = reader.new(self, { ["isolation.level"] = isolation }) end
  return self.readers[isolation]
end

--- Captures records of the topics from now on: the end of every partition is taken before it returns. A topic that does
--- not exist is read from its first record on once it does. The methods of captures: itlua.capture.
---@param ... string|itlua.kafka.CaptureOptions     topics, then options
---@return itlua.kafka.Capture
function Connection:capture(...)
  local names = table.pack(...)
  local options = type(names[names.n]) == "table" and table.remove(names, names.n) or {}
  if #names == 0 then core.usage "capture needs a topic" end
  for i, name in ipairs(names) do
    if type(name) ~= "string" or name == "" then
      core.usage(("argument %d of capture must be a topic's name, not %s"):format(i, show.value(name)))
    end
  end
  names.n = nil
  return capture.new(self, names, options)
end

--- A new member of a consumer group. A test's end closes it.
---@param options itlua.kafka.ConsumerOptions
---@return itlua.kafka.Consumer
function Connection:consumer(options)
  return require("itlua.kafka.consumer").new(self, options)
end

for _, part in ipairs { topics.methods, groups.methods } do
  for name, method in pairs(part) do Connection[name] = method end
end

-- ---- the rest

--- The last lines that librdkafka has logged for this connection.
---@return string[]
function Connection:logs()
  return handle.lines(self.own)
end

function Connection:close()
  if self.closed then return end
  self.closed = true
  for _, one in pairs(self.readers) do one:close() end
  for member in pairs(self.members) do member:close() end
  if self.writer then self.writer:close() end
  if self.bulk then self.bulk:close() end
  for _, producer in ipairs(self.transactional or {}) do producer:close() end
  self.ask:close()
end

Connection.__close = Connection.close

function Connection:__tostring()
  return ("kafka %s%s"):format(self.brokers, self.closed and " is closed" or "")
end

return kafka
