--- Kafka: records on their way out. What a user gives, as the binding takes it; what it raises, in words that help.

local codec = require "itlua.kafka.codec"
local core = require "itlua.core"
local null = require "itlua.null"
local show = require "itlua.show"

local publish = {}

-- ---- the parts of a record

-- A flat list: name, value, name, value.
local function headers_of(given)
  if given == nil then return nil end
  if type(given) ~= "table" then core.usage("headers are a table, not " .. show.value(given)) end
  local list = {}
  local function add(name, value)
    if type(name) ~= "string" then core.usage("a header's name must be a string, not " .. show.value(name)) end
    if type(value) == "number" then value = tostring(value) end
    if type(value) ~= "string" and value ~= false then
      core.usage(("the header %s must be a string, not %s"):format(name, show.value(value, 80)))
    end
    list[#list + 1], list[#list + 2] = name, value
  end
  if given[1] ~= nil then
    for _, pair in ipairs(given) do
      if type(pair) ~= "table" then core.usage("a list of headers has pairs { name, value }, not " .. show.value(pair, 80)) end
      add(pair[1], pair[2])
    end
  else
    for _, name in ipairs(show.keys(given)) do add(name, given[name]) end
  end
  return list
end

local function key_of(key)
  if key == nil or type(key) == "string" then return key end
  if type(key) == "number" then return tostring(key) end
  core.usage("a key must be a string, not " .. show.value(key, 80))
end

local function milliseconds(timestamp)
  if timestamp == nil then return nil end
  local exact = type(timestamp) == "number" and timestamp >= 0 and math.tointeger(timestamp * 1000 // 1)
  if not exact then core.usage("timestamp is seconds since 1970, not " .. show.value(timestamp)) end
  return math.floor(timestamp * 1000 + 0.5)
end

local function partition_of(partition)
  if partition == nil then return nil end
  local id = math.tointeger(partition)
  if not id or id < 0 or id > 0x7fffffff then
    core.usage("partition is the number of one, from 0 on, not " .. show.value(partition))
  end
  return id
end

-- Of a table of names, and from a hole on, nothing would be sent.
local function check_list(list)
  if type(list) ~= "table" then core.usage("publish_all needs a list of values, not " .. show.value(list)) end
  if list[1] == nil and next(list) ~= nil then
    core.usage("publish_all needs a list of values, and this begins with none: " .. show.value(list, 80))
  end
  local n = 0
  for key in pairs(list) do n = math.type(key) == "integer" and n + 1 or n end
  for i = 1, n == #list and 0 or n do
    if list[i] == nil then core.usage(("publish_all: number %d of the list is nil; a tombstone is kafka.null"):format(i)) end
  end
end

local function topic_name(topic)
  if type(topic) ~= "string" or topic == "" then core.usage("a topic's name must be a string, not " .. show.value(topic)) end
  return topic
end

local known = { key = true, headers = true, partition = true, timestamp = true, codec = true }

local function check_options(options, name)
  if type(options) ~= "table" then core.usage(("%s: options are a table, not %s"):format(name, show.value(options))) end
  for option in pairs(options) do
    if not known[option] then core.usage(("%s has no option %s"):format(name, show.value(option))) end
  end
end

-- ---- what went wrong

--- A topic is not what it was: created, deleted, not there.
---@param connection itlua.kafka.Connection
---@param topic string
function publish.forget(connection, topic)
  for _, names in pairs(connection.introduced) do names[topic] = nil end
end

local hints = {
  MSG_SIZE_TOO_LARGE = "a record may have message.max.bytes of this connection (1,000,000: config = { [\"message.max.bytes\"]"
    .. " = … }) and max.message.bytes of the topic",
  UNKNOWN_TOPIC_OR_PART = "there is no such topic, and the broker makes none by itself: create_topic",
  _UNKNOWN_TOPIC = "there is no such topic, and the broker makes none by itself: create_topic",
  _UNKNOWN_PARTITION = "the topic has no such partition",
  INVALID_RECORD = "a topic that is compacted takes none without a key",
  _QUEUE_FULL = "it is larger than queue.buffering.max.kbytes of this connection",
  TOPIC_EXCEPTION = "is that a name of a topic?",
}

local function explain(connection, err, topic, bytes)
  if core.is_error(err) ~= "kafka" then error(err, 0) end
  publish.forget(connection, topic)
  local hint = hints[err.code]
  core.raise("kafka", err.code, ("cannot publish to %s%s: %s%s"):format(topic,
    bytes and (" (%d bytes)"):format(bytes) or "", connection.own.mask(err.message), hint and "; " .. hint or ""),
    { op = err.op, cause = err })
end

local function tell_readers(connection, topic)
  for _, reader in pairs(connection.readers) do reader:may_exist(topic) end
end

-- ---- one

local none = {}

-- librdkafka looks for new topics once a second, unless it is told to: then the first record goes at once. A topic that
-- the broker makes by itself is there a moment later; of any other the record's own error tells.
local function introduce(connection, client, topic)
  local names = connection.introduced[client] or {}
  connection.introduced[client] = names
  if names[topic] then return end
  local silent = core.silence(true)
  local ok, err = pcall(function()
    for _ = 1, 50 do
      local fine, metadata = pcall(client.metadata, client, { topic }, 1)
      if not fine and core.is_error(metadata) ~= "kafka" then error(metadata, 0) end
      local found = fine and metadata.topics[1]
      names[topic] = found and not found.error or nil
      if not found or not found.error or found.error == "TOPIC_EXCEPTION" then return end
      core.sleep(0.02)
    end
  end)
  core.silence(silent)
  if not ok then error(err, 0) end
end

-- librdkafka's queue is full of what was sent before: in a moment there is less of it.
local function until_room()
  local silent = core.silence(true)
  local ok, err = pcall(core.sleep, 0.002)
  core.silence(silent)
  if ok then return end
  if err.waited_for then err.message = err.message:gsub(", waiting .*", ", waiting for room in librdkafka's queue") end
  error(err, 0)
end

---@return integer partition, integer offset
function publish.one(connection, client, topic, value, options)
  if options then check_options(options, "publish") else options = none end
  local record = { topic = topic_name(topic), key = key_of(options.key), headers = options.headers }
  local bytes = codec.encode(codec.of(options.codec) or connection:codec_of(topic), value, record)
  local headers, timestamp = headers_of(options.headers), milliseconds(options.timestamp)
  local partition_id = partition_of(options.partition)
  local names = connection.introduced[client]
  if not names or not names[topic] then introduce(connection, client, topic) end
  local ok, partition, offset
  while not partition do
    if ok then until_room() end
    ok, partition, offset = pcall(client.produce, client, topic, partition_id, record.key, bytes, headers, timestamp)
  end
  if not ok then explain(connection, partition, topic, bytes and #bytes or 0) end
  if next(connection.readers) then tell_readers(connection, topic) end
  return partition, offset
end

-- ---- many

local function all_strings(values)
  for i = 1, #values do
    if type(values[i]) ~= "string" then return false end
  end
  return true
end

local function field_of(value, key, i)
  if type(value) == "table" or type(value) == "userdata" and value ~= null then return value[key] end
  core.usage(("publish_all: record %d has no field %s, it is %s"):format(i, show.value(key), show.value(value, 80)))
end

-- The records of a topic's values.
local function of_values(connection, topic, values, options)
  check_options(options, "publish_all")
  local own = codec.of(options.codec) or connection:codec_of(topic)
  if next(options) == nil and own == codec.auto and all_strings(values) then
    return table.move(values, 1, #values, 1, {}) -- who sends it waits, and others may change theirs
  end
  local key, headers, list = options.key, headers_of(options.headers), {}
  local timestamp, partition = milliseconds(options.timestamp), partition_of(options.partition)
  for i, value in ipairs(values) do
    local own_key
    if type(key) == "function" then own_key = key(value) elseif key ~= nil then own_key = field_of(value, key, i) end
    local record = { topic = topic, key = key_of(own_key), partition = partition, timestamp = timestamp }
    record.value = codec.encode(own, value, record)
    record.headers = headers
    list[i] = record
  end
  return list
end

local function of_records(connection, records)
  local list = {}
  for i, record in ipairs(records) do
    if type(record) ~= "table" then
      core.usage(("record %d is %s, and should be a table { topic =, value = }"):format(i, show.value(record, 80)))
    end
    local new = { topic = topic_name(record.topic), key = key_of(record.key), headers = record.headers }
    new.value = codec.encode(codec.of(record.codec) or connection:codec_of(record.topic), record.value, record)
    new.headers, new.partition, new.timestamp = headers_of(record.headers), partition_of(record.partition),
      milliseconds(record.timestamp)
    list[i] = new
  end
  return list
end

local function raise_failures(connection, topic, failures, count)
  local first, n
  for i in pairs(failures) do
    first, n = math.min(first or i, i), (n or 0) + 1
  end
  local err = failures[first]
  if topic then publish.forget(connection, topic) end
  core.raise("kafka", err.code, ("%d of %d records were not acknowledged%s; the first is number %d: %s%s"):format(n, count,
    topic and " by " .. topic or "", first, connection.own.mask(err.message),
    hints[err.code] and "; " .. hints[err.code] or ""),
    { failures = failures, op = "kafka.publish_all" })
end

---@return { partition: integer, offset: integer }[]
function publish.all(connection, client, topic, values, options)
  local list
  if type(topic) == "table" then
    if values ~= nil then core.usage "publish_all of records has no options: each record has its own" end
    check_list(topic)
    topic, list = nil, of_records(connection, topic)
  else
    check_list(values)
    list = of_values(connection, topic_name(topic), values, options or {})
  end
  if topic then
    introduce(connection, client, topic)
  else
    for _, record in ipairs(list) do introduce(connection, client, record.topic) end
  end
  local acks, failures
  local from = 1
  repeat -- as many at once as librdkafka's queue takes
    local tried, some, failed = client:produce_all(topic, list, from)
    acks = acks and table.move(some, 1, #some, from, acks) or some
    for i, err in pairs(failed or none) do
      failures = failures or {}
      failures[from + i - 1] = err
    end
    from = from + tried
    if tried == 0 and list[from] ~= nil then until_room() end
  until from > #list
  if failures then raise_failures(connection, topic, failures, #list) end
  if topic and next(connection.readers) then tell_readers(connection, topic) end
  return acks
end

return publish
