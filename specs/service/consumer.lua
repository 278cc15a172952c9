--- Reading a topic as a service does: every record is handled, in the order of its key, however often Kafka hands it over.
-- One that cannot be handled (it is no JSON, it makes no sense) goes to the topic's dead letters, and does not stop the rest.

local kafka = require "itlua.kafka"
local task = require "itlua.task"

local consumer = {}

local PAUSE = 0.05 -- seconds until the next try

-- A group that goes on where it was; where the broker is librdkafka's mock cluster, which takes three seconds to let a
-- group begin, the whole topic again: what was handled is known by its id.
local function records_of(k, topic, group)
  if k.embedded or not group then
    local all = k:capture(topic, { from = "beginning" })
    return function() return all:wait_for(nil, { timeout = math.huge }) end, function() end
  end
  local member = k:consumer { group = group, topics = topic }
  return function() return member:next { timeout = math.huge } end, function(record) member:commit(record) end
end

local function bury(k, record, reason)
  k:publish(record.topic .. ".dead", record.payload, {
    key = record.key,
    headers = {
      ["x-original-topic"] = record.topic, ["x-original-partition"] = tostring(record.partition),
      ["x-original-offset"] = tostring(record.offset), ["x-error"] = reason,
    },
  })
end

-- What the service itself could not do now is tried again; everything else is the record's fault.
local function handle(k, record, fn)
  while true do
    local ok, why = pcall(function()
      if type(record.value) ~= "table" then error("it is no JSON object", 0) end
      if type(record.value.id) ~= "string" then error("it has no id", 0) end
      fn(record.value, record)
    end)
    if ok then return end
    if type(why) ~= "table" or why.status ~= 503 then
      return bury(k, record, type(why) == "table" and why.json and why.json.detail or tostring(why))
    end
    task.sleep(PAUSE)
  end
end

local function read(brokers, topic, options, fn)
  local k <close> = kafka.connect { brokers = brokers, timeout = 1, config = { ["message.timeout.ms"] = 2000 } }
  local next_record, done = records_of(k, topic, options.group)
  while true do
    local record = next_record()
    handle(k, record, fn)
    done(record)
  end
end

--- Calls `fn(value, record)` for each, in a task of its own, as long as the service lives.
---@param brokers string
---@param topic string
---@param options { group?: string }     without one the topic is read from its beginning
---@param fn fun(value: table, record: table)
function consumer.start(brokers, topic, options, fn)
  task.spawn(function()
    while true do -- the broker may not be there yet, or go away
      pcall(read, brokers, topic, options, fn)
      task.sleep(PAUSE)
    end
  end)
end

return consumer
