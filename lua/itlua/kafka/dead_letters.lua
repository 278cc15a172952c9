--- Kafka: dead letters. Records that a service could not handle, in a topic for such, with headers that say why: as Spring,
-- Kafka Connect, Kafka Streams and others name them.

local core = require "itlua.core"

local dead_letters = {}

local named = {
  topic = { "kafka_dlt-original-topic", "__connect.errors.topic", "x-original-topic", "original-topic", "dlq.topic",
    "__streams.errors.topic" },
  partition = { "kafka_dlt-original-partition", "__connect.errors.partition", "x-original-partition", "original-partition",
    "__streams.errors.partition" },
  offset = { "kafka_dlt-original-offset", "__connect.errors.offset", "x-original-offset", "original-offset",
    "__streams.errors.offset" },
  reason = { "kafka_dlt-exception-message", "__connect.errors.exception.message", "x-exception-message", "error-message",
    "x-error", "error", "reason", "dlq.reason", "__streams.errors.message" },
}

local function header(record, names)
  local headers = record.headers or {}
  for _, name in ipairs(names) do
    if headers[name] then return headers[name] end
  end
end

-- Spring writes big-endian integers, others digits.
local function number(text)
  if not text then return nil end
  if #text == 4 and not text:find "^%d+$" then return (string.unpack(">i4", text)) end
  if #text == 8 and not text:find "^%d+$" then return (string.unpack(">i8", text)) end
  return math.tointeger(tonumber(text))
end

---@class itlua.kafka.DeadLetter      what its headers do not say is nil
---@field record itlua.kafka.Record
---@field value any
---@field key? string
---@field topic? string        where it could not be handled
---@field partition? integer
---@field offset? integer
---@field reason? string

-- What a record's headers say of where it comes from.
function dead_letters.of(record)
  return {
    record = record, value = record.value, key = record.key, topic = header(record, named.topic),
    partition = number(header(record, named.partition)), offset = number(header(record, named.offset)),
    reason = header(record, named.reason),
  }
end

-- Those of `from`, where it is known.
local function wanted(letter, options)
  local from = options and options.of
  return not from or letter.topic == nil or letter.topic == from
end

---@class itlua.kafka.Capture: itlua.capture
local Capture = {}

--- The records that have come, as dead letters, by their headers (Spring's, Kafka Connect's, Kafka Streams', x-…).
---@param options? { of?: string }     only those of that topic
---@return itlua.kafka.DeadLetter[]
function Capture:dead_letters(options)
  local list = {}
  for _, record in ipairs(self:events()) do
    local letter = dead_letters.of(record)
    if wanted(letter, options) then list[#list + 1] = letter end
  end
  return list
end

--- Waits for one whose value matches.
---@param match any
---@param options? { timeout?: number, of?: string }     seconds; the topic that it has to come from
---@return itlua.kafka.DeadLetter
function Capture:wait_for_dead_letter(match, options)
  local letter = dead_letters.of(self:wait_for(match, { timeout = options and options.timeout }))
  if not wanted(letter, options) then
    core.raise("contract", "DEAD_LETTER", ("the dead letter comes from %s, not from %s"):format(letter.topic, options.of))
  end
  return letter
end

--- Writes the records that have come to a file, for k:replay.
---@param path string
---@return integer count
function Capture:save(path)
  return require("itlua.kafka.replay").save(self:events(), path)
end

-- A capture with these methods.
function dead_letters.extend(capture)
  for name, method in pairs(Capture) do capture[name] = method end
  return capture
end

return dead_letters
