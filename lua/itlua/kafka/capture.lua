--- Kafka: captures. A source for itlua.capture that sees every record whose offset lies behind the ends of the partitions
-- when it was made, and none before.

local base = require "itlua.capture"
local codec = require "itlua.kafka.codec"
local core = require "itlua.core"
local dead_letters = require "itlua.kafka.dead_letters"
local kafka_topics = require "itlua.kafka.topics"
local prefilter = require "itlua.kafka.prefilter"
local show = require "itlua.show"
local wait = require "itlua.capture.wait"

local capture = {}

---@class itlua.kafka.Record: itlua.capture.Record
---@field topic string
---@field partition integer
---@field offset integer
---@field key? string
---@field value any            decoded; itlua.null for a tombstone
---@field payload? string      the bytes; nil for a tombstone
---@field tombstone? boolean
---@field headers? table<string, string|false>      the last of each name; false has no value
---@field header_list? table[]                      { name, value } of all, in order
---@field timestamp? number    seconds since 1970

local Source = { what = "kafka" }
Source.__index = Source

local function decode(self, record)
  local own = self.codec or self.connection:codec_of(record.topic)
  local problem = codec.decode(own, record)
  if problem then wait.refuse(self.capture, record, problem) end
  return not problem
end

local function check(self, record)
  for _, fn in ipairs(self.connection.checks[record.topic] or {}) do fn(record) end
  for _, fn in ipairs(self.connection.checks[true] or {}) do fn(record) end
end

function Source:receive()
  self.pushed = true -- all that was received before
  self.capture:advance()
  self.reader:wait(self)
  local list, n, words = self.queue, 0, self.words
  self.queue, self.pushed = {}, false
  for i = 1, #list do
    local record = list[i]
    local payload = record.payload
    if words and payload and not prefilter.may_fit(words, payload) then
      self.capture.passed = self.capture.passed + 1
    elseif decode(self, record) then
      n = n + 1
      list[n] = record
    end
  end
  for i = #list, n + 1, -1 do list[i] = nil end
  return list
end

-- Only where it is known how bytes and values hang together, and where nothing is said of bytes that are no such value.
local function words_of(self, filter)
  for _, topic in ipairs(self.topics) do
    if (self.codec or self.connection:codec_of(topic)) ~= codec.auto then return nil end
  end
  return prefilter.words(filter)
end

local function place(p) return ("%s[%d]"):format(p.topic, p.partition) end

local function start_of(self, p)
  local starts = self.starts[p.topic]
  return starts and starts[p.partition] or 0
end

function Source:progress()
  local lines = {}
  local ok, ends = pcall(function()
    local scope = core.enter(2)
    local fine, list = pcall(self.reader.ends, self.reader, self.topics)
    core.leave(scope)
    return fine and list or {}
  end)
  local known = {}
  for _, p in ipairs(ok and ends or {}) do known[place(p)] = p.offset end
  for _, name in ipairs(self.topics) do
    local topic = self.reader.topics[name]
    local ids = {}
    for id in pairs(topic and topic.partitions or {}) do ids[#ids + 1] = id end
    table.sort(ids)
    for _, id in ipairs(ids) do
      local p = { topic = name, partition = id }
      local last, from = known[place(p)], start_of(self, p)
      local read = math.max(topic.partitions[id].next, from)
      lines[#lines + 1] = ("%s: from offset %d, read up to %d%s"):format(place(p), from, read,
        not last and "" or last > read and (" of %d"):format(last) or ", its end")
    end
    if #ids == 0 then lines[#lines + 1] = ("the topic %s does not exist"):format(name) end
  end
  local code, text = self.connection.ask:trouble()
  if code and not next(known) then lines[#lines + 1] = ("no broker answers: %s"):format(self.connection.own.mask(text)) end
  return lines
end

-- The offset behind a record that was acknowledged: { partition =, offset =, topic = }, or a list of them.
local function points(self, point)
  local list = {}
  for i, ack in ipairs(point[1] and point or { point }) do
    if type(ack) ~= "table" or math.type(ack.offset) ~= "integer" or math.type(ack.partition) ~= "integer" then
      core.usage("a fence is true, a function, a marker or what publish was answered ({ topic =, partition =, offset = }), not "
        .. show.value(point, 100))
    end
    list[i] = { topic = ack.topic or self.topics[1], partition = ack.partition, offset = ack.offset + 1 }
  end
  return list
end

function Source:fence(point)
  local reader, targets = self.reader
  if type(point) == "table" then
    targets = points(self, point)
  else
    targets = reader:ends(self.topics)
  end
  for _, target in ipairs(targets) do -- a partition that was added, a topic that has appeared
    local topic = reader.topics[target.topic]
    if not topic or not topic.partitions[target.partition] then
      reader:rescan()
      break
    end
  end
  self.capture:await(function() return self.pushed and not self.queue[1] and reader:has_read(targets) end)
  local words = {}
  for i, target in ipairs(targets) do
    if i > 8 then
      words[i] = ("%d more partitions"):format(#targets - 8)
      break
    end
    words[i] = ("%s@%d"):format(place(target), target.offset)
  end
  if #targets == 0 then return ("%s did not exist then"):format(self.name) end
  return "up to " .. table.concat(words, ", ")
end

function Source:close()
  self.reader:remove(self)
  if self.private then self.reader:close() end
end

-- From the first record that there is, or from a time.
local function beginning(connection, from)
  return function(partitions)
    for _, p in ipairs(partitions) do p.offset = from == "beginning" and "beginning" or math.floor(from * 1000) end
    if #partitions == 0 then return {} end
    local list = connection.ask:offsets(partitions)
    for _, p in ipairs(list) do p.offset = p.offset or 0 end
    return list
  end
end

local known = { codec = true, from = true, isolation = true, filter = true, check = true, name = true, limit = true,
  max_bytes = true }

--- A capture of topics.
---@param connection itlua.kafka.Connection
---@param topics string[]
---@param options table
---@return itlua.kafka.Capture
function capture.new(connection, topics, options)
  wait.check_options(options, "capture", known)
  local source = setmetatable({
    connection = connection, topics = topics, name = table.concat(topics, ", "), starts = {}, queue = {},
    bell = core.bell(), codec = codec.of(options.codec), pushed = true,
  }, Source)
  if options.from then
    if options.from ~= "beginning" then
      if type(options.from) ~= "number" then
        core.usage("from is \"beginning\" or seconds since 1970, not " .. show.value(options.from))
      end
      kafka_topics.needs_broker(connection, "a capture from a time on")
    end
    source.from, source.private = beginning(connection, options.from), true
  end
  source.words = words_of(source, options.filter)
  source.reader = connection:reader_of(options.isolation, source.private)
  source.reader:add(source)
  local given, checked = options.check, next(connection.checks) ~= nil
  local made = base.new(source, {
    filter = options.filter, limit = options.limit, max_bytes = options.max_bytes, name = options.name,
    check = checked and function(value, record)
      check(source, record)
      if given then return given(value, record) end
    end or given,
  })
  return dead_letters.extend(made)
end

return capture
