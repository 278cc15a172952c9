--- What is to be published, kept in the store until Kafka has acknowledged it: an event is late while the broker is away,
--- and never lost. It may be sent twice, with the same id. The events of an order keep their order: its id is their key.

local kafka = require "itlua.kafka"
local task = require "itlua.task"

local Outbox = {}
Outbox.__index = Outbox

local BATCH, PAUSE = 100, 0.05 -- records at once; seconds until the next try

---@param store table
---@param config table     of config.lua
function Outbox.new(store, config)
  local self = setmetatable({ store = store, topic = config.orders_topic, brokers = config.brokers }, Outbox)
  self:wake() -- what an earlier life has left
  return self
end

function Outbox:add(key, event)
  self.store:insert("outbox", { id = event.id, key = key, event = event })
  self:wake()
end

local function connection(self)
  self.kafka = self.kafka or kafka.connect {
    brokers = self.brokers, timeout = 1,
    config = { ["message.timeout.ms"] = 2000, ["enable.idempotence"] = true },
  }
  return self.kafka
end

-- Sends the oldest; how many those were.
local function send(self)
  local rows, records = self.store:find("outbox", {}, { limit = BATCH }), {}
  for i, row in ipairs(rows) do
    records[i] = { topic = self.topic, key = row.key, value = row.event, headers = { event = row.event.event } }
  end
  if #records > 0 then connection(self):publish_all(records) end
  for _, row in ipairs(rows) do self.store:delete("outbox", row.id) end
  return #rows
end

--- Sends until nothing is left.
function Outbox:wake()
  self.again = true
  if self.sending then return end
  self.sending = true
  task.spawn(function()
    while self.again do
      self.again = false
      local ok, sent = pcall(send, self)
      if not ok then task.sleep(PAUSE) end
      self.again = self.again or not ok or sent > 0
    end
    self.sending = false
  end)
end

return Outbox
