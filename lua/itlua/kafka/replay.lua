--- Kafka: files of events. A line of JSON a record, as capture:save writes them; what is no text is base64.
--
--     {"topic":"orders","partition":0,"offset":12,"key":"c-1","value":{"id":7},"headers":[["trace","a1"]],"timestamp":17.25}

local core = require "itlua.core"
local encode = require "itlua.encode"
local fs = require "itlua.fs"
local json = require "itlua.json"
local publish = require "itlua.kafka.publish"
local show = require "itlua.show"

local replay = {}

-- { field = text } or { field_base64 = … }
local function put(line, field, bytes)
  if bytes == nil then return end
  if utf8.len(bytes) and not bytes:find "\0" then
    line[field] = bytes
  else
    line[field .. "_base64"] = encode.base64(bytes)
  end
end

local function line_of(record)
  local line = {
    topic = record.topic, partition = record.partition, offset = record.offset, timestamp = record.timestamp,
  }
  put(line, "key", record.key)
  -- A value that is JSON stays readable, where its text can be made again from it.
  local bytes = record.payload
  local is, value = pcall(json.decode, bytes or "")
  if bytes == nil then
    line.value = json.null
  elseif is and type(value) == "table" and json.encode(value) == bytes then
    line.value = value
  else
    put(line, "value", bytes)
  end
  if record.header_list then
    line.headers = json.array {}
    for i, pair in ipairs(record.header_list) do
      local text = pair[2]
      if text and (not utf8.len(text) or text:find "\0") then
        line.headers[i] = json.array { pair[1], json.null, encode.base64(text) }
      else
        line.headers[i] = json.array { pair[1], text or json.null }
      end
    end
  end
  return json.encode(line)
end

--- Writes records to a file.
---@param records itlua.kafka.Record[]
---@param path string
---@return integer count
function replay.save(records, path)
  local lines = {}
  for i, record in ipairs(records) do lines[i] = line_of(record) end
  fs.write(path, table.concat(lines, "\n") .. (lines[1] and "\n" or ""))
  return #lines
end

local function get(line, field)
  local base64 = line[field .. "_base64"]
  if base64 ~= nil then return encode.from_base64(base64) end
  return line[field]
end

local function record_of(line)
  local record = {
    topic = line.topic, key = get(line, "key"), value = get(line, "value"), timestamp = line.timestamp,
    partition = line.partition,
  }
  if line.headers then
    record.headers = {}
    for i, pair in ipairs(line.headers) do
      local text = pair[2] ~= json.null and pair[2] or pair[3] and encode.from_base64(pair[3]) or false
      record.headers[i] = { pair[1], text }
    end
  end
  return record
end

--- The records of a file. Raises which line is none.
---@param path string
---@return table[]
function replay.load(path)
  local records, n = {}, 0
  for text in (fs.read(path) .. "\n"):gmatch "([^\n]*)\n" do
    n = n + 1
    if text:find "%S" then
      local ok, line = pcall(json.decode, text)
      if not ok or type(line) ~= "table" or type(line.topic) ~= "string" then
        local why = ok and "it names no topic" or line.message or tostring(line)
        core.raise("json", "NO_RECORD", ("%s:%d is no record of events: %s"):format(path, n, why))
      end
      records[#records + 1] = record_of(line)
    end
  end
  return records
end

local function renamed(topic, to)
  if type(to) == "table" then return to[topic] or topic end
  return to or topic
end

-- A record of a capture has its bytes still.
local function prepared(record, options)
  local value = record.value
  if record.offset ~= nil and (record.payload ~= nil or record.tombstone) then value = record.payload end
  return {
    topic = renamed(record.topic, options.topic), key = record.key, value = value,
    headers = record.header_list or record.headers, codec = type(value) == "string" and "string" or nil,
    timestamp = options.timestamps and record.timestamp or nil, partition = options.partitions and record.partition or nil,
  }
end

---@return { partition: integer, offset: integer }[]
function replay.send(connection, writer, source, options)
  options = options or {}
  local records = type(source) == "table" and source or replay.load(source)
  local pace = options.pace
  if pace ~= nil and (type(pace) ~= "number" or pace <= 0) then
    core.usage("pace is how many times as fast, not " .. show.value(pace))
  end
  local list = {}
  for i, record in ipairs(records) do list[i] = prepared(record, options) end
  if not pace then return publish.all(connection, writer, list) end
  local acks, began, first = {}, core.now(), records[1] and records[1].timestamp
  for i, record in ipairs(list) do
    local due = first and records[i].timestamp and (records[i].timestamp - first) / pace or 0
    local wait = began + due - core.now()
    if wait > 0 then core.sleep(wait) end
    local partition, offset = publish.one(connection, writer, record.topic, record.value, {
      key = record.key, headers = record.headers, partition = record.partition, timestamp = record.timestamp,
      codec = record.codec,
    })
    acks[i] = { partition = partition, offset = offset }
  end
  return acks
end

return replay
