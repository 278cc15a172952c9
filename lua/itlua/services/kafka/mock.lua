--- A broker where there is none: librdkafka's mock cluster, in a process of its own (`itlua services broker`). Its records
-- are in memory; what it cannot do (topics made or deleted by request, transactions, groups that were empty once, more than
-- 5 MB or 100,000 records a partition) itlua.kafka refuses, and it refuses transactions to everybody.
--
-- The process prints where it listens, and reads lines: "down" and it drops its clients, "up" and it is back, with its
-- records, at the same place; "topic NAME PARTITIONS".

local core = require "itlua.core"

local mock = {}

--- What there is to offer.
---@param spec { version?: string, settings?: table }
---@return table?
---@return string text    what it is, or why there is none
function mock.find(spec)
  for _, option in ipairs { "version", "settings", "port" } do
    if spec[option] then return nil, ("it is librdkafka's mock cluster, which takes no %s"):format(option) end
  end
  local ok, found = pcall(require, "itlua.kafka.mock")
  if not ok then return nil, "librdkafka cannot be loaded: " .. tostring(found) end
  return {}, ("librdkafka %s's mock cluster"):format(found.version())
end

local function listens(instance)
  return {
    name = "a line of its output says where it listens",
    try = function()
      for _, line in ipairs(instance.lines) do
        local host, port = line.text:match "^listening on ([%d.]+):(%d+)$"
        if host then
          instance.fields.host, instance.fields.port = host, math.tointeger(tonumber(port))
          return true
        end
      end
      return instance.fields.port ~= nil and instance.lasting, "no line yet"
    end,
  }
end

local function unreachable(brokers)
  return not pcall(require("itlua.kafka.mock").probe, brokers, 0.3)
end

--- Starts one.
---@return itlua.services.Instance
function mock.start()
  local process = require "itlua.process"
  local instance = { fields = { version = "mock" }, lines = {} }
  instance.ready = { listens(instance) }
  function instance:launch()
    self.lasting = self.process ~= nil and self.process:running() -- it is down, not gone
    if self.lasting then return self.process:write "up\n" end
    self.fields.port = nil
    self.process = process.start { command = { process.self(), "services", "broker" }, merge = true }
  end
  function instance:stop(seconds)
    self.process:signal "CONT"
    self.process:write "down\n"
    local deadline = core.now() + seconds
    while not unreachable(self.fields.brokers) and core.now() < deadline do core.sleep(0.005) end
  end
  function instance:create_topic(name, topic)
    if topic.config then core.raise("service", "EMBEDDED", "librdkafka's mock cluster takes no config of a topic: " .. name) end
    self.process:write(("topic %s %d\n"):format(name, topic.partitions or 1))
    local k <close> = require("itlua.kafka").connect(self.fields.brokers)
    while not k:has_topic(name) do core.sleep(0.002) end
  end
  function instance:discard() self.stop = nil end
  instance:launch()
  return instance
end

--- The process itself. Returns when nobody writes to it any more.
function mock.run()
  local cluster <close> = require("itlua.kafka.mock").start {}
  print("listening on " .. cluster:addresses())
  io.stdout:flush()
  for line in io.lines() do
    local word, name, partitions = line:match "^(%S+) ?(%S*) ?(%d*)$"
    if word == "topic" then
      cluster:topic(name, math.tointeger(tonumber(partitions)))
    elseif word == "down" or word == "up" then
      cluster:set(word == "up")
      print("is " .. word)
      io.stdout:flush()
    end
  end
end

return mock
