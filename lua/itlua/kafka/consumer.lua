--- Kafka: members of consumer groups, for specs about groups themselves. What a service would do: join, get partitions, read,
-- commit, lose partitions to others.

local codec = require "itlua.kafka.codec"
local core = require "itlua.core"
local handle = require "itlua.kafka.handle"
local show = require "itlua.show"

local consumer = {}

---@class itlua.kafka.ConsumerOptions
---@field group string
---@field topics string|string[]       one that begins with ^ is a regular expression
---@field codec? string|itlua.kafka.Codec
---@field config? table<string, string|number|boolean>     librdkafka's properties; auto.offset.reset is "earliest" here

---@class itlua.kafka.Consumer
---@field group string
---@field rebalances { rebalance: "assigned"|"revoked", partitions: table[] }[]     in order, those read so far
local Consumer = { __name = "itlua.kafka.consumer" }
Consumer.__index = Consumer

local known = { group = true, topics = true, codec = true, config = true }

local used = {} -- groups of embedded brokers that had members

local function check_rejoin(connection, group)
  if not connection.embedded then return end
  local key = connection.brokers .. " " .. group
  if used[key] == 0 then
    core.raise("kafka", "EMBEDDED", ("the group %s has lost all its members, and an embedded broker lets nobody join such a "
      .. "group: give every test a group of its own, or take a real broker"):format(group))
  end
  used[key] = (used[key] or 0) + 1
end

--- A new member.
---@param connection itlua.kafka.Connection
---@param options itlua.kafka.ConsumerOptions
---@return itlua.kafka.Consumer
function consumer.new(connection, options)
  if type(options) ~= "table" or type(options.group) ~= "string" then
    core.usage "consumer needs { group = name, topics = names }"
  end
  for option in pairs(options) do
    if not known[option] then core.usage(("consumer has no option %s"):format(show.value(option))) end
  end
  local topics = type(options.topics) == "string" and { options.topics } or options.topics
  if type(topics) ~= "table" or not topics[1] then core.usage "consumer needs topics, a name or a list of names" end
  check_rejoin(connection, options.group)
  local config = { ["group.id"] = options.group }
  for name, value in pairs(options.config or {}) do config[name] = value end
  local self = setmetatable({
    connection = connection, own = connection.own, group = options.group, topics = topics, codec = codec.of(options.codec),
    client = handle.open(connection.own, "member", config), rebalances = {}, waiting = {}, positions = {},
  }, Consumer)
  connection.members[self] = true
  self.client:subscribe(topics)
  return self
end

-- ---- reading

local function name_of(self) return ("the consumer of %s in %s"):format(table.concat(self.topics, ", "), self.group) end

local function key_of(p) return p.topic .. "\0" .. p.partition end

local function take(self, event)
  if event.rebalance then
    self.rebalances[#self.rebalances + 1] = event
  elseif event.error then
    if event.error == "UNKNOWN_TOPIC_OR_PART" then return end -- it may appear
    core.raise("kafka", event.error, ("%s: %s"):format(name_of(self), self.own.mask(event.message)))
  elseif not event.eof then
    local problem = codec.decode(self.codec or self.connection:codec_of(event.topic), event)
    if problem then event.problem = problem end
    self.waiting[#self.waiting + 1] = event
  end
end

local function fill(self, most)
  for _, event in ipairs(self.client:read(most)) do take(self, event) end
end

local function within(seconds, fn)
  local scope = core.enter(seconds)
  local ok, err = pcall(fn)
  local expired = core.leave(scope)
  if ok then return true end
  if not expired or core.is_error(err) ~= "timeout" then error(err, 0) end
  return false
end

local function assignment_in_words(self)
  local list = self:assignment()
  if #list == 0 then return "it has no partitions" end
  local words = {}
  for i, p in ipairs(list) do words[i] = ("%s[%d] at %s"):format(p.topic, p.partition, p.offset or "its beginning") end
  return "it reads " .. table.concat(words, ", ")
end

--- The next record; raises a timeout where none comes. A record that its codec cannot decode has `problem`.
---@param options? { timeout?: number } seconds; 5
---@return itlua.kafka.Record
function Consumer:next(options)
  local timeout = options and options.timeout or 5
  if not self.waiting[1] and not within(timeout, function()
    while not self.waiting[1] do fill(self, 100) end
  end) then
    local code, text = self.client:trouble()
    core.raise("timeout", "NO_EVENT", ("no record came to %s within %.6g s: %s%s"):format(name_of(self), timeout,
      assignment_in_words(self), code and "; " .. self.own.mask(text) or ""), { op = "kafka.next" })
  end
  local record = table.remove(self.waiting, 1)
  self.positions[key_of(record)] = { topic = record.topic, partition = record.partition, offset = record.offset + 1 }
  return record
end

--- Up to `count` records, as many as come in time.
---@param count integer
---@param options? { timeout?: number } seconds; 1
---@return itlua.kafka.Record[]
function Consumer:poll(count, options)
  local list = {}
  within(options and options.timeout or 1, function()
    while #self.waiting < count do fill(self, count) end
  end)
  for i = 1, math.min(count, #self.waiting) do list[i] = self:next() end
  return list
end

-- ---- partitions

--- Its partitions now, with the offsets of what comes next.
---@return { topic: string, partition: integer, offset?: integer }[]
function Consumer:assignment()
  local list = self.client:assignment()
  for _, p in ipairs(list) do
    local own = self.positions[key_of(p)]
    if own then p.offset = own.offset end
  end
  return list
end

--- Waits until it has partitions (or as many as `count`), and returns them.
---@param options? { timeout?: number, count?: integer } seconds; 10
---@return { topic: string, partition: integer, offset?: integer }[]
function Consumer:wait_for_assignment(options)
  local timeout, count = options and options.timeout or 10, options and options.count
  local list
  local silent = core.silence(true)
  local done = within(timeout, function()
    repeat
      list = self:assignment()
      local enough = count and #list == count or not count and #list > 0
      if not enough then core.sleep(0.005) end
    until enough
  end)
  core.silence(silent)
  if done then return list end
  local code, text = self.client:trouble()
  local embedded = self.connection.embedded and "; an embedded broker lets nobody join a group that has lost all members" or ""
  core.raise("timeout", "NO_ASSIGNMENT", ("%s did not get %s within %.6g s: %s%s%s"):format(name_of(self),
    count and count .. " partitions" or "partitions", timeout, assignment_in_words(self),
    code and "; " .. self.own.mask(text) or "", embedded), { op = "kafka.wait_for_assignment" })
end

--- Reads no more of these partitions (all of its own), until `resume`.
---@param partitions? { topic: string, partition: integer }[]
function Consumer:pause(partitions)
  self.client:pause(partitions or self:assignment(), true)
end

---@param partitions? { topic: string, partition: integer }[]
function Consumer:resume(partitions)
  self.client:pause(partitions or self:assignment(), false)
end

--- Reads on from another offset.
---@param partition { topic: string, partition: integer, offset: integer|"beginning"|"end" }
function Consumer:seek(partition)
  for i = #self.waiting, 1, -1 do
    if key_of(self.waiting[i]) == key_of(partition) then table.remove(self.waiting, i) end
  end
  for _, p in ipairs(handle.try(self.own, name_of(self) .. " cannot seek", self.client.seek, self.client, { partition }, 10)) do
    if p.error then core.raise("kafka", p.error, ("%s cannot seek: %s"):format(name_of(self), p.message)) end
  end
  self.positions[key_of(partition)] = math.type(partition.offset) == "integer" and partition or nil
end

-- ---- commits

--- Commits that a record was handled (and so all before it in its partition); without one, all that next has returned.
---@param record? itlua.kafka.Record|{ topic: string, partition: integer, offset: integer }[] a record, or offsets of what
--- is to come next
function Consumer:commit(record)
  local list
  if record == nil then
    list = {}
    for _, p in pairs(self.positions) do list[#list + 1] = p end
  elseif record.topic then
    list = { { topic = record.topic, partition = record.partition, offset = record.offset + 1 } }
  else
    list = record
  end
  if #list == 0 then return end
  for _, p in ipairs(handle.try(self.own, name_of(self) .. " cannot commit", self.client.commit, self.client, list)) do
    if p.error then
      core.raise("kafka", p.error, ("%s cannot commit %s[%d]: %s"):format(name_of(self), p.topic, p.partition, p.message))
    end
  end
end

--- What its group has committed of its partitions; no offset where nothing.
---@return { topic: string, partition: integer, offset?: integer }[]
function Consumer:committed()
  return handle.try(self.own, "cannot ask what was committed", self.client.committed, self.client, self:assignment(), 10)
end

--- How many records of its partitions its group has not committed.
---@return integer
function Consumer:lag()
  local own, total = {}, 0
  for _, p in ipairs(self:assignment()) do own[key_of(p)] = true end
  for _, topic in ipairs(self.topics) do
    for _, p in ipairs(self.connection:group_lag(self.group, topic).partitions) do
      if own[key_of(p)] then total = total + p.lag end
    end
  end
  return total
end

--- Leaves the group.
function Consumer:close()
  if self.closed then return end
  self.closed = true
  self.connection.members[self] = nil
  if self.connection.embedded then
    local key = self.connection.brokers .. " " .. self.group
    used[key] = used[key] - 1
  end
  self.client:close()
end

Consumer.__close = Consumer.close

function Consumer:__tostring()
  return name_of(self) .. (self.closed and " (closed)" or "")
end

return consumer
