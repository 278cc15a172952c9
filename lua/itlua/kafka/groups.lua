--- Kafka: consumer groups from outside. How far one has come, what it still has to read, whether the service under test has
-- caught up.

local core = require "itlua.core"
local handle = require "itlua.kafka.handle"
local policy = require "itlua.policy"
local show = require "itlua.show"
local topics = require "itlua.kafka.topics"
local wait = require "itlua.capture.wait"

---@class itlua.kafka.Lag
---@field total integer
---@field partitions { topic: string, partition: integer, committed?: integer, end_offset: integer, lag: integer }[]

---@class itlua.kafka.Group
---@field state string
---@field assignor string
---@field members { id: string, client: string, host: string, partitions: table[] }[]

---@class itlua.kafka.Connection
local Connection = {}
local groups = { methods = Connection }

local POLL <const> = 0.02 -- seconds

local function check_group(group)
  if type(group) ~= "string" or group == "" then core.usage("a group's name must be a string, not " .. show.value(group)) end
end

local function place(p) return ("%s[%d]"):format(p.topic, p.partition) end

-- Of these partitions, or of all; an embedded broker would say nothing of all.
local function committed_of(self, group, partitions)
  if not partitions then topics.needs_broker(self, "group_lag of all topics") end
  local list = handle.try(self.own, "cannot ask for the offsets of the group " .. group, self.ask.group_offsets, self.ask,
    group, 10, partitions)
  local by_place = {}
  for _, p in ipairs(list) do by_place[place(p)] = p.offset end
  return by_place, list
end

-- All partitions of a topic.
local function partitions_of(self, topic)
  local metadata = handle.try(self.own, "cannot ask for the topic " .. topic, self.ask.metadata, self.ask, { topic })
  local found = metadata.topics[1]
  if not found or found.error then
    core.raise("kafka", found and found.error or "UNKNOWN_TOPIC_OR_PART", ("there is no topic %s"):format(topic))
  end
  local list = {}
  for i, p in ipairs(found.partitions) do list[i] = { topic = topic, partition = p.id } end
  return list
end

local function with_offset(self, list, offset)
  local asked = {}
  for i, p in ipairs(list) do asked[i] = { topic = p.topic, partition = p.partition, offset = offset } end
  return handle.try(self.own, "cannot ask for offsets", self.ask.offsets, self.ask, asked)
end

--- How many records the group has not committed yet, in all and by partition. A partition in which it has committed
--- nothing counts from its first record (`committed` is nil).
---@param group string
---@param topic? string     all topics that it has committed something of
---@return itlua.kafka.Lag
function Connection:group_lag(group, topic)
  check_group(group)
  local asked = topic and partitions_of(self, topic)
  local committed, list = committed_of(self, group, asked)
  list = asked or list
  local result = { total = 0, partitions = {} }
  if #list == 0 then return result end
  local ends, firsts = with_offset(self, list, "end"), nil
  for i, p in ipairs(ends) do
    local own = committed[place(p)]
    if not own then firsts = firsts or with_offset(self, list, "beginning") end
    local lag = math.max(0, p.offset - (own or firsts[i].offset))
    result.partitions[i] = { topic = p.topic, partition = p.partition, committed = own, end_offset = p.offset, lag = lag }
    result.total = result.total + lag
  end
  return result
end

--- The group's state ("Stable", "PreparingRebalance", "Empty", "Dead", …) and its members.
---@param group string
---@return itlua.kafka.Group
function Connection:describe_group(group)
  check_group(group)
  topics.needs_broker(self, "describe_group")
  local found = handle.try(self.own, "cannot describe the group " .. group, self.ask.describe_group, self.ask, group, 10)
  if found.error then core.raise("kafka", found.error, ("cannot describe the group %s: %s"):format(group, found.message)) end
  return found
end

--- The names of all groups, sorted.
---@return string[]
function Connection:groups()
  topics.needs_broker(self, "groups")
  local names = {}
  for i, group in ipairs(handle.try(self.own, "cannot list groups", self.ask.groups, self.ask, 10)) do names[i] = group.name end
  table.sort(names)
  return names
end

--- Deletes a group that has no members.
---@param group string
function Connection:delete_group(group)
  topics.needs_broker(self, "delete_group")
  if policy.read_only then policy.refuse("kafka", "deleting the group " .. tostring(group)) end
  check_group(group)
  handle.try(self.own, "cannot delete the group " .. group, self.ask.delete_group, self.ask, group, 10)
end

-- ---- until it has caught up

local function members_in_words(self, group)
  local scope = core.enter(2) -- the time is over already
  local ok, found = pcall(self.describe_group, self, group)
  core.leave(scope)
  if not ok then return nil end
  local n = #found.members
  if n == 0 then return ("the group %s has no members (state %s): nobody consumes"):format(group, found.state) end
  local who = {}
  for i, member in ipairs(found.members) do
    who[i] = ("%s at %s has %d partitions"):format(member.client, member.host, #member.partitions)
  end
  return ("the group %s is %s: %s"):format(group, found.state, table.concat(who, ", "))
end

local function stuck(self, group, topic, targets, committed, timeout)
  local lines = { ("the group %s has not consumed %s within %.6g s"):format(group, topic, timeout) }
  for _, p in ipairs(targets) do
    local own = committed[place(p)]
    if p.first and p.first < p.offset and (own or p.first) < p.offset then
      lines[#lines + 1] = ("    %s: committed %s of %d"):format(place(p), own or "nothing", p.offset)
    end
  end
  local code, text = self.ask:trouble()
  if targets[1] and targets[1].first then
    lines[#lines + 1] = members_in_words(self, group)
  elseif code then
    lines[#lines + 1] = "no broker answers: " .. self.own.mask(text)
  end
  core.raise("timeout", "NOT_CONSUMED", table.concat(lines, "\n"), { op = "kafka.wait_until_consumed" })
end

-- Whether no record lies between what is committed and the ends: what a transaction leaves there is none.
local function nothing_left(self, targets, committed)
  local list, open = {}, {}
  for _, p in ipairs(targets) do
    local own = committed[place(p)] or p.first
    if own < p.offset then
      list[#list + 1] = { topic = p.topic, partition = p.partition, offset = own }
      open[place(p)] = p.offset
    end
  end
  local client <close> = handle.open(self.own, "consumer", { ["group.id"] = "itlua-look-" .. self.id })
  client:assign(list)
  while next(open) do
    for _, event in ipairs(client:read()) do
      local last = open[place(event)]
      if event.error then return false end
      if last and not event.eof and event.offset < last then return false end
      if last and event.offset >= last then open[place(event)] = nil end
    end
  end
  return true
end

local function behind(targets, committed)
  local records = 0
  for _, p in ipairs(targets) do
    records = records + math.max(0, p.offset - math.max(p.first, committed[place(p)] or p.first))
  end
  return records
end

--- Waits until the group has committed all that is in the topic now: the service under test has caught up.
--- Raises a timeout that says what is left and who the group's members are.
---@param group string
---@param topic string
---@param options? { timeout?: number } seconds; 10
function Connection:wait_until_consumed(group, topic, options)
  check_group(group)
  wait.check_options(options, "wait_until_consumed", { timeout = true })
  local timeout = wait.seconds(options, "timeout", 10, "wait_until_consumed")
  local targets, committed = {}, {}
  local span = core.span("kafka.wait_until_consumed", ("%s by %s"):format(topic, group))
  local scope, silent = core.enter(timeout), core.silence(true)
  local ok, err = pcall(function()
    targets = with_offset(self, partitions_of(self, topic), "end")
    for i, p in ipairs(with_offset(self, targets, "beginning")) do targets[i].first = p.offset end
    local before, since = nil, core.now()
    while true do
      committed = committed_of(self, group, targets)
      local left = behind(targets, committed)
      if left == 0 then return end
      if left ~= before then before, since = left, core.now() end
      if core.now() - since > 0.3 and left <= 2 * #targets then -- nothing moves: are these records at all?
        if nothing_left(self, targets, committed) then return end
        since = core.now()
      end
      core.sleep(POLL)
    end
  end)
  core.silence(silent)
  local expired = core.leave(scope)
  core.span_end(span, ok and "all of it" or "not all of it")
  if ok then return end
  if not expired or core.is_error(err) ~= "timeout" then error(err, 0) end
  stuck(self, group, topic, targets, committed, timeout)
end

return groups
