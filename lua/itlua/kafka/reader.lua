--- Kafka: one consumer that several captures share. Partitions are assigned with absolute offsets, no group is joined.
--
-- Records are read by the captures themselves: each has a task that waits for records of its own, and one of those that
-- wait reads from the consumer for all. So there is no task that would have to outlive the tests, and no detour.

local core = require "itlua.core"
local handle = require "itlua.kafka.handle"

local reader = {}

local RESCAN <const>, RESCAN_MISSING <const> = 1, 0.05 -- seconds between looks for new partitions, for missing topics
local PATIENCE <const> = 25 -- seconds for the ends of all partitions: a busy broker may have a thousand
local BATCH <const> = 5000 -- records read at once

-- topics: by name { partitions = by id { next = up to where it was read, first = where that began }, sources = captures
-- of it, missing = it does not exist }
local Reader = {}
Reader.__index = Reader

function reader.new(connection, config)
  local more = { ["group.id"] = "itlua-capture-" .. connection.id }
  for name, value in pairs(config) do more[name] = value end
  return setmetatable({
    connection = connection, own = connection.own, client = handle.open(connection.own, "consumer", more), topics = {},
    reading = false, words = {}, bell = core.bell(), scout_bell = core.bell(),
  }, Reader)
end

-- ---- what there is to read

local function each_source(self, fn)
  local seen = {}
  for _, topic in pairs(self.topics) do
    for _, source in ipairs(topic.sources) do
      if not seen[source] then
        seen[source] = true
        fn(source)
      end
    end
  end
end

local function names_of(self)
  local names = {}
  for name in pairs(self.topics) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- Several may want to change the assignment at once.
local function exclusively(self, fn, ...)
  while self.busy do self.bell:wait() end
  self.busy = true
  local results = table.pack(pcall(fn, self, ...))
  self.busy = false
  self.bell:ring()
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

-- The partitions that the brokers have of these topics, and the topics that do not exist.
local function look(self, names)
  local metadata = handle.try(self.own, "cannot ask for topics", self.connection.ask.metadata, self.connection.ask, names)
  local partitions, missing = {}, {}
  for _, topic in ipairs(metadata.topics) do
    if topic.error or #topic.partitions == 0 then
      missing[topic.name] = topic.error or "NO_PARTITIONS"
    else
      for _, partition in ipairs(topic.partitions) do
        partitions[#partitions + 1] = { topic = topic.name, partition = partition.id, offset = "end" }
      end
    end
  end
  return partitions, missing
end

-- The end of every partition, by one request a broker.
local function ends_of(self, partitions)
  if #partitions == 0 then return {} end
  local ask = self.connection.ask
  local list = handle.try(self.own, "cannot ask for offsets", ask.offsets, ask, partitions, PATIENCE)
  for _, p in ipairs(list) do
    if p.error then
      core.raise("kafka", p.error, ("cannot ask for the end of %s[%d]: %s"):format(p.topic, p.partition, p.message))
    end
  end
  return list
end

-- The end of every partition of these topics now.
function Reader:ends(names)
  return (ends_of(self, (look(self, names))))
end

local function topic_of(self, name)
  local topic = self.topics[name]
  if not topic then
    topic = { partitions = {}, sources = {}, missing = false }
    self.topics[name] = topic
  end
  return topic
end

-- librdkafka looks for a new topic's leaders once a second, unless somebody asks; nobody has to wait for the answer.
local function introduce(self, partitions)
  local names, seen = {}, {}
  for _, p in ipairs(partitions) do
    if not seen[p.topic] then
      seen[p.topic] = true
      names[#names + 1] = p.topic
    end
  end
  core.daemon(function()
    core.silence(true)
    pcall(self.client.metadata, self.client, names)
  end)
end

-- Reads these, too: those that captures have been waiting for from their first record on.
local function assign(self, list)
  local new = {}
  for _, p in ipairs(list) do
    local topic = topic_of(self, p.topic)
    if not topic.partitions[p.partition] then
      local from = p.offset
      if topic.sources[1] then from = 0 end -- they have been there before it
      topic.partitions[p.partition] = { next = from, first = from }
      new[#new + 1] = { topic = p.topic, partition = p.partition, offset = from }
    end
  end
  if #new == 0 then return end
  handle.try(self.own, "cannot read", self.client.assign, self.client, new)
  introduce(self, new)
end

-- Nothing more comes to those that read it. Who begins after that begins anew: offsets may mean other records now.
local function fail(self, name, code, text)
  local topic = self.topics[name]
  if not topic then return end
  self.topics[name] = nil
  local read = {}
  for id in pairs(topic.partitions) do read[#read + 1] = { topic = name, partition = id } end
  if #read > 0 then pcall(self.client.unassign, self.client, read) end
  for _, source in ipairs { table.unpack(topic.sources) } do source.capture:fail(core.error_new("kafka", code, text)) end
end

local function made_anew(self, name, partition, offset)
  fail(self, name, "OFFSET_OUT_OF_RANGE",
    ("%s[%d] no longer has what follows offset %s: the topic was deleted and made anew, or its records were removed%s")
    :format(name, partition, offset or "?",
      self.connection.embedded and " (an embedded broker keeps 5 MB or 100,000 records a partition)" or ""))
end

-- The ends of partitions. One that ends before what was read of it before is another partition of that name.
local function ends_now(self, partitions)
  local before = {}
  for i, p in ipairs(partitions) do
    local known = self.topics[p.topic] and self.topics[p.topic].partitions[p.partition]
    before[i] = known and known.next or 0
  end
  local list = ends_of(self, partitions)
  for i, p in ipairs(list) do
    if p.offset < before[i] then made_anew(self, p.topic, p.partition, before[i]) end
  end
  return list
end

-- Where one capture alone reads, the binding leaves out for it what its filter would. A read that waits has this very
-- table: it is changed in place.
local function share_words(self)
  local only, several
  each_source(self, function(source)
    only, several = source, only ~= nil
  end)
  local new = only and not several and only.words or {}
  for i = 1, math.max(#new, #self.words) do self.words[i] = new[i] end
end

local function add(self, source)
  local partitions, missing = look(self, source.topics)
  local list = source.from and source.from(partitions) or ends_now(self, partitions)
  assign(self, list)
  for _, p in ipairs(list) do
    local starts = source.starts[p.topic] or {}
    source.starts[p.topic] = starts
    starts[p.partition] = p.offset
  end
  for _, name in ipairs(source.topics) do
    local topic = topic_of(self, name)
    topic.missing = missing[name] ~= nil
    topic.sources[#topic.sources + 1] = source
  end
  share_words(self)
end

local scout -- below

-- From now on the source gets what comes.
function Reader:add(source)
  exclusively(self, add, source)
  if not self.scout or core.status(self.scout) ~= "running" then self.scout = core.daemon(scout, self) end
end

-- No longer.
function Reader:remove(source)
  local unused = {}
  for _, name in ipairs(source.topics) do
    local topic = self.topics[name]
    for i, one in ipairs(topic and topic.sources or {}) do
      if one == source then
        table.remove(topic.sources, i)
        break
      end
    end
    if topic and #topic.sources == 0 then
      self.topics[name] = nil
      for id in pairs(topic.partitions) do unused[#unused + 1] = { topic = name, partition = id } end
    end
  end
  share_words(self)
  if #unused > 0 and not self.closed then pcall(self.client.unassign, self.client, unused) end
  self:hand_over()
end

-- ---- topics and partitions that appear

local function rescan(self)
  local names = names_of(self)
  if #names == 0 then return end
  local partitions, missing = look(self, names)
  local new = {}
  for _, p in ipairs(partitions) do
    local topic = self.topics[p.topic]
    if topic and not topic.partitions[p.partition] then
      new[#new + 1] = { topic = p.topic, partition = p.partition, offset = 0 }
    end
  end
  assign(self, new)
  for name, topic in pairs(self.topics) do topic.missing = missing[name] ~= nil end
end

-- Looks for them now.
function Reader:rescan()
  exclusively(self, rescan)
end

-- A topic may have appeared: somebody has published to it.
function Reader:may_exist(name)
  local topic = self.topics[name]
  if topic and topic.missing then self.scout_bell:ring() end
end

local function wait_for_bell(bell, seconds)
  local scope = core.enter(seconds)
  local ok, err = pcall(bell.wait, bell)
  local expired = core.leave(scope)
  if not ok and not expired then error(err, 0) end
end

function scout(self)
  core.silence(true)
  while next(self.topics) and not self.closed do
    local missing = false
    for _, topic in pairs(self.topics) do missing = missing or topic.missing end
    wait_for_bell(self.scout_bell, missing and RESCAN_MISSING or RESCAN)
    local ok, err = pcall(self.rescan, self)
    if not ok and core.is_error(err) ~= "kafka" then error(err, 0) end -- a broker that is away may come back
  end
end

-- ---- what comes

-- Whether the topic is gone for good is asked: a broker that has just learned of it may not know it yet.
local function look_into(self, event)
  local names = { event.topic }
  for _ = 1, 3 do
    local ok, partitions = pcall(look, self, names)
    if ok and #partitions > 0 then return end
    core.sleep(0.1)
  end
  fail(self, event.topic, "UNKNOWN_TOPIC_OR_PART", ("the topic %s was deleted during the capture"):format(event.topic))
end

local function on_error(self, event)
  if event.error == "UNKNOWN_TOPIC_OR_PART" or event.error == "_UNKNOWN_PARTITION" or event.error == "_UNKNOWN_TOPIC" then
    core.daemon(look_into, self, event)
  elseif event.error == "_AUTO_OFFSET_RESET" or event.error == "OFFSET_OUT_OF_RANGE" then
    local partition = self.topics[event.topic] and self.topics[event.topic].partitions[event.partition]
    made_anew(self, event.topic, event.partition, partition and partition.next)
  elseif event.topic then
    fail(self, event.topic, event.error,
      ("reading %s[%d]: %s"):format(event.topic, event.partition, self.own.mask(event.message)))
  end
end

local function copy(record)
  local new = {}
  for key, value in pairs(record) do new[key] = value end
  return new
end

-- To every capture of the topic that began before it; each has a table of its own.
local function give(topic, record, woken)
  local used = false
  for _, source in ipairs(topic.sources) do
    local starts = source.starts[record.topic]
    local first = starts and starts[record.partition]
    if not first or record.offset >= first then
      local queue = source.queue
      queue[#queue + 1] = used and copy(record) or record
      used = true
      woken[source] = true
    end
  end
end

local function lost_some(self, event, partition)
  return self.connection.embedded and event.offset > partition.next and event.offset > partition.first
end

local function dispatch(self, list)
  local woken = {}
  for i = 1, #list do
    local event = list[i]
    local topic = self.topics[event.topic]
    local partition = topic and topic.partitions[event.partition]
    if event.error then
      on_error(self, event)
    elseif partition and event.offset >= partition.next then
      if event.skipped then
        if lost_some(self, { offset = event.first }, partition) then
          on_error(self, { topic = event.topic, partition = event.partition, error = "OFFSET_OUT_OF_RANGE" })
        end
        partition.next = event.offset + 1
        for _, source in ipairs(topic.sources) do
          source.capture.passed = source.capture.passed + event.skipped
          woken[source] = true
        end
      elseif event.eof then
        partition.next = event.offset
        for _, source in ipairs(topic.sources) do woken[source] = true end
      else
        if lost_some(self, event, partition) then
          on_error(self, { topic = event.topic, partition = event.partition, error = "OFFSET_OUT_OF_RANGE" })
        end
        partition.next = event.offset + 1
        give(topic, event, woken)
      end
    end
  end
  for source in pairs(woken) do
    source.bell:ring()
    if not source.queue[1] then source.capture:advance() end
  end
end

-- One of those that wait has to read now.
function Reader:hand_over()
  if not self.reading then each_source(self, function(source) source.bell:ring() end) end
end

-- Waits until there is something in the source's queue: reads for all, or waits for whoever does.
function Reader:wait(source)
  while not source.queue[1] do
    if self.reading then
      source.bell:wait()
    else
      self.reading = true
      local ok, list = pcall(self.client.read, self.client, BATCH, self.words)
      self.reading = false
      if not ok then
        self:hand_over()
        error(list, 0)
      end
      dispatch(self, list)
    end
  end
  self:hand_over()
end

-- Whether all that was read up to these offsets has been read.
function Reader:has_read(targets)
  for _, target in ipairs(targets) do
    local topic = self.topics[target.topic]
    local partition = topic and topic.partitions[target.partition]
    if not partition or partition.next < target.offset then return false end
  end
  return true
end

function Reader:close()
  self.closed = true
  self.client:close()
end

return reader
