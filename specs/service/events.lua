--- What happened, told to whom it concerns: soon, but after the request that caused it was answered. The subscribers are in
--- this process; with Kafka, others are told by the outbox.

local encode = require "itlua.encode"
local task = require "itlua.task"
local time = require "itlua.time"

local Events = {}
Events.__index = Events

---@param outbox? table     outbox.lua
function Events.new(outbox)
  return setmetatable({ subscribers = {}, outbox = outbox }, Events)
end

--- Calls `fn(name, subject)` for every event whose name matches the pattern.
function Events:subscribe(pattern, fn)
  table.insert(self.subscribers, { pattern = "^" .. pattern .. "$", fn = fn })
end

local function message(name, order, id)
  return {
    id = id or encode.random_string(16), event = name, at = time.iso(time.now()),
    order = { id = order.id, status = order.status, customer_id = order.customer_id, technician_id = order.technician_id,
      items = order.items, total = order.total, paid = order.paid },
  }
end

--- `id` is the event's own, where it may be published again.
function Events:publish(name, subject, id)
  if self.outbox then self.outbox:add(subject.id, message(name, subject, id)) end
  task.spawn(function()
    task.sleep(0.01)
    for _, subscriber in ipairs(self.subscribers) do
      if name:find(subscriber.pattern) then subscriber.fn(name, subject) end
    end
  end)
end

return Events
