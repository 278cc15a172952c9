--- What happened, told to whom it concerns: soon, but after the request that caused it was answered.

local task = require "itlua.task"

local Events = {}
Events.__index = Events

function Events.new()
  return setmetatable({ subscribers = {} }, Events)
end

--- Calls `fn(name, subject)` for every event whose name matches the pattern.
function Events:subscribe(pattern, fn)
  table.insert(self.subscribers, { pattern = "^" .. pattern .. "$", fn = fn })
end

function Events:publish(name, subject)
  task.spawn(function()
    task.sleep(0.01)
    for _, subscriber in ipairs(self.subscribers) do
      if name:find(subscriber.pattern) then subscriber.fn(name, subject) end
    end
  end)
end

return Events
