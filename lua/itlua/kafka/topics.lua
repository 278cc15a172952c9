--- Kafka: topics. Creating, describing and deleting them; names that are a spec file's own.

local closing = require "itlua.closing"
local core = require "itlua.core"
local encode = require "itlua.encode"
local handle = require "itlua.kafka.handle"
local publish = require "itlua.kafka.publish"
local policy = require "itlua.policy"
local show = require "itlua.show"

---@class itlua.kafka.TopicOptions     what is not given is as the broker has it
---@field partitions? integer
---@field replicas? integer
---@field config? table<string, any>   "cleanup.policy", "retention.ms", …
---@field timeout? number              seconds until it can be used, 30
---@field create? boolean              of k:topic: false only names it

---@class itlua.kafka.Topic
---@field name string
---@field partitions { id: integer, leader: integer, replicas: integer, first: integer, end_offset: integer }[]
---@field config table<string, string>     all of it
---@field set table<string, string>        what is no default

---@class itlua.kafka.Connection
local Connection = {}
local topics = { methods = Connection }

--- Raises what an embedded broker cannot do.
---@param connection itlua.kafka.Connection
---@param what string
function topics.needs_broker(connection, what)
  if not connection.embedded then return end
  core.raise("kafka", "EMBEDDED", ("%s needs a real broker: %s is librdkafka's mock cluster, which has no such thing")
    :format(what, connection.brokers))
end

local function words(value)
  if type(value) == "boolean" or type(value) == "number" then return tostring(value) end
  return value
end

local known = { partitions = true, replicas = true, config = true, timeout = true }

local function new_topic(name, options)
  if type(name) ~= "string" or name == "" then core.usage("a topic's name must be a string, not " .. show.value(name)) end
  for option in pairs(options) do
    if not known[option] then core.usage(("create_topic has no option %s"):format(show.value(option))) end
  end
  local config = {}
  for key, value in pairs(options.config or {}) do config[tostring(key)] = words(value) end
  return { name = name, partitions = options.partitions, replicas = options.replicas, config = config }
end

local function raise_first(list, what)
  for _, one in ipairs(list) do
    if one.error then core.raise("kafka", one.error, ("cannot %s the topic %s: %s"):format(what, one.name, one.message)) end
  end
end

-- The controller has made it; the brokers that clients ask learn of it a moment later, and then make its partitions.
local function until_known(self, name, partitions, timeout)
  local scope = core.enter(timeout)
  local silent = core.silence(true)
  local ok, err = pcall(function()
    while true do
      local topic = self.ask:metadata({ name }, timeout).topics[1]
      local ready = topic and not topic.error and #topic.partitions >= partitions
      local list = {}
      for i, p in ipairs(ready and topic.partitions or {}) do
        ready = ready and not p.error and p.leader >= 0
        list[i] = { topic = name, partition = p.id, offset = "end" }
      end
      if ready then return self.ask:offsets(list, timeout) end
      core.sleep(0.01)
    end
  end)
  core.silence(silent)
  core.leave(scope)
  if not ok then error(err, 0) end
end

--- Creates a topic; returns when it can be used. Raises code "TOPIC_ALREADY_EXISTS" where it is there.
---@param name string
---@param options? itlua.kafka.TopicOptions
function Connection:create_topic(name, options)
  if policy.read_only then policy.refuse("kafka", "creating the topic " .. tostring(name)) end
  options = options or {}
  local topic = new_topic(name, options)
  topics.needs_broker(self, "create_topic")
  local timeout = options.timeout or 30
  raise_first(handle.try(self.own, "cannot create the topic " .. name, self.ask.create_topics, self.ask, { topic }, timeout),
    "create")
  publish.forget(self, name)
  until_known(self, name, options.partitions or 1, timeout)
end

--- Deletes topics. Raises code "UNKNOWN_TOPIC_OR_PART" where there is none.
---@param ... string
function Connection:delete_topic(...)
  if policy.read_only then policy.refuse("kafka", "deleting topics") end
  local names = { ... }
  topics.needs_broker(self, "delete_topic")
  for _, name in ipairs(names) do publish.forget(self, name) end
  raise_first(handle.try(self.own, "cannot delete topics", self.ask.delete_topics, self.ask, names, 10), "delete")
end

--- Gives a topic more partitions.
---@param name string
---@param count integer     how many it has then
function Connection:add_partitions(name, count)
  if policy.read_only then policy.refuse("kafka", "adding partitions to " .. tostring(name)) end
  topics.needs_broker(self, "add_partitions")
  raise_first(handle.try(self.own, "cannot add partitions to " .. name, self.ask.create_partitions, self.ask, name, count, 30),
    "add partitions to")
  publish.forget(self, name)
  until_known(self, name, count, 30)
end

--- The names of all topics, sorted; those that Kafka keeps for itself only if asked for.
---@param options? { internal?: boolean }
---@return string[]
function Connection:topics(options)
  local metadata = handle.try(self.own, "cannot list topics", self.ask.metadata, self.ask, "all", 10)
  local names = {}
  for _, topic in ipairs(metadata.topics) do
    if options and options.internal or not topic.name:find "^__" then names[#names + 1] = topic.name end
  end
  table.sort(names)
  return names
end

local function metadata_of(self, name)
  local metadata = handle.try(self.own, "cannot describe the topic " .. name, self.ask.metadata, self.ask, { name }, 10)
  local topic = metadata.topics[1]
  if not topic or topic.error then
    core.raise("kafka", topic and topic.error or "UNKNOWN_TOPIC_OR_PART", ("there is no topic %s"):format(name))
  end
  return topic
end

--- What there is to know of a topic: its partitions with the offsets of their first record and their end, its
--- configuration as strings.
---@param name string
---@return itlua.kafka.Topic
function Connection:describe_topic(name)
  local topic = metadata_of(self, name)
  local list = {}
  for i, p in ipairs(topic.partitions) do list[i] = { topic = name, partition = p.id, offset = "end" } end
  local ends = handle.try(self.own, "cannot describe the topic " .. name, self.ask.offsets, self.ask, list, 10)
  for i in ipairs(list) do list[i].offset = "beginning" end
  local firsts = handle.try(self.own, "cannot describe the topic " .. name, self.ask.offsets, self.ask, list, 10)
  for i, p in ipairs(topic.partitions) do p.first, p.end_offset = firsts[i].offset, ends[i].offset end
  topic.config, topic.set = {}, {}
  if not self.embedded then
    local described = handle.try(self.own, "cannot describe the topic " .. name, self.ask.describe_config, self.ask, name, 10)
    if described.error then core.raise("kafka", described.error, described.message) end
    topic.config = described.config
    for key, is in pairs(described.set) do
      if is then topic.set[key] = described.config[key] end
    end
  end
  return topic
end

--- Whether there is such a topic. It is not made by asking.
---@param name string
---@return boolean
function Connection:has_topic(name)
  return (pcall(metadata_of, self, name))
end

-- ---- topics of a spec file

local id

local function own_id()
  id = id or encode.random_string(8, "0123456789abcdefghijklmnopqrstuvwxyz")
  return id
end

local function remove(self, names)
  local again = self.closed and require("itlua.kafka").connect { brokers = self.brokers, config = self.own.config }
  local connection = again or self
  connection.ask:delete_topics(names, 5)
  if again then again:close() end
end

--- A topic of this file's own: its name is the given one and a suffix, the same for the whole file and in no other. It is
--- made where it is new (an embedded broker makes it with the first record) and deleted when the file has ended.
---@param name string
---@param options? itlua.kafka.TopicOptions
---@return string
function Connection:topic(name, options)
  local full = ("%s.%s"):format(name, own_id())
  if self.names[full] then return full end
  options = options or {}
  self.names[full] = true
  if not self.deletes and not self.embedded then
    self.deletes = {}
    -- A broker that is gone by then took them with it.
    closing.at_end(("Kafka topics of this file at %s: delete"):format(self.brokers), function()
      pcall(remove, self, self.deletes)
    end)
  end
  if self.deletes then table.insert(self.deletes, full) end
  if self.embedded or options.create == false then return full end
  local ok, err = pcall(Connection.create_topic, self, full, {
    partitions = options.partitions, replicas = options.replicas, config = options.config, timeout = options.timeout,
  })
  if not ok and not (type(err) == "table" and err.code == "TOPIC_ALREADY_EXISTS") then
    self.names[full] = nil
    error(err, 0)
  end
  return full
end

return topics
