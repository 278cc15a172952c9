--- Named channels with subscribers: what `busted.subscribe`, `publish` and `unsubscribe` are made of.
-- The spec engine has one for helpers and specs; a report has one for custom output handlers, see
-- report/busted_handler.lua. Channels are paths: a publication to {"error", "it"} reaches the subscribers of that
-- channel, then those of {"error"}, then the root's. A subscriber that does not return `nil, true` ends the
-- publication; its first result is collected. Behaves as the mediator_lua rock that busted uses, and survives
-- subscribers that come and go while it publishes.

local mediator = {}

---@class itlua.mediator.options
---@field priority? integer       position among the channel's subscribers, 1 is first; without it: last
---@field predicate? fun(...): boolean   asked with what is published; false skips the subscriber

---@class itlua.mediator.subscriber
---@field id integer
---@field fn function
---@field options itlua.mediator.options

local serial = 0

local Subscriber = {}
Subscriber.__index = Subscriber

function Subscriber:update(changes)
  if changes then
    self.fn = changes.fn or self.fn
    self.options = changes.options or self.options
  end
end

local Channel = {}
Channel.__index = Channel

local function new_channel(namespace, parent)
  local channel = { stopped = false, namespace = namespace, callbacks = {}, channels = {}, parent = parent }
  return setmetatable(channel, Channel)
end

function Channel:addSubscriber(fn, options)
  serial = serial + 1
  local subscriber = setmetatable({ id = serial, fn = fn, options = options or {} }, Subscriber)
  local position = #self.callbacks + 1
  local priority = subscriber.options.priority
  if priority and priority >= 0 and priority < position then position = math.max(1, priority) end
  -- A new list instead of a changed one: a publication under way walks the list that it began with.
  local callbacks = table.move(self.callbacks, 1, #self.callbacks, 1, {})
  table.insert(callbacks, position, subscriber)
  self.callbacks = callbacks
  return subscriber
end

function Channel:getSubscriber(id)
  for index, subscriber in ipairs(self.callbacks) do
    if subscriber.id == id then return { index = index, value = subscriber } end
  end
  for _, channel in pairs(self.channels) do
    local found = channel:getSubscriber(id)
    if found then return found end
  end
end

function Channel:setPriority(id, priority)
  local removed = self:removeSubscriber(id)
  if removed then
    local callbacks = table.move(self.callbacks, 1, #self.callbacks, 1, {})
    table.insert(callbacks, math.max(1, math.min(priority, #callbacks + 1)), removed)
    self.callbacks = callbacks
  end
end

function Channel:removeSubscriber(id)
  for index, subscriber in ipairs(self.callbacks) do
    if subscriber.id == id then
      local callbacks = table.move(self.callbacks, 1, #self.callbacks, 1, {})
      self.callbacks = callbacks
      return table.remove(callbacks, index)
    end
  end
  for _, channel in pairs(self.channels) do
    local removed = channel:removeSubscriber(id)
    if removed then return removed end
  end
end

function Channel:addChannel(namespace)
  local channel = new_channel(namespace, self)
  self.channels[namespace] = channel
  return channel
end

function Channel:hasChannel(namespace)
  return namespace and self.channels[namespace] and true
end

function Channel:getChannel(namespace)
  return self.channels[namespace] or self:addChannel(namespace)
end

function Channel:publish(result, ...)
  local channel = self
  repeat
    local callbacks = channel.callbacks
    for i = 1, #callbacks do
      local subscriber = callbacks[i]
      local predicate = subscriber.options.predicate
      if not predicate or predicate(...) then
        local value, continue = subscriber.fn(...)
        if value then result[#result + 1] = value end
        if not continue then return result end
      end
    end
    channel = channel.parent
  until not channel
  return result
end

local Mediator = {}
Mediator.__index = Mediator

--- The channel of a path, made where it is not there yet.
---@param path any[]     its names, outermost first
function Mediator:getChannel(path)
  local channel = self.channel
  for i = 1, #path do channel = channel.channels[path[i]] or channel:addChannel(path[i]) end
  return channel
end

--- Calls `fn` with whatever is published to the channel or below it.
---@param path any[]
---@param fn fun(...): any, boolean?    return `nil, true` to let others see it too
---@param options? itlua.mediator.options
---@return itlua.mediator.subscriber
function Mediator:subscribe(path, fn, options)
  return self:getChannel(path):addSubscriber(fn, options)
end

function Mediator:getSubscriber(id, path)
  return self:getChannel(path):getSubscriber(id)
end

--- Ends a subscription.
---@param id integer    the subscriber's id
---@param path any[]    its channel, or one above it
function Mediator:removeSubscriber(id, path)
  return self:getChannel(path):removeSubscriber(id)
end

--- Calls the subscribers of the channel, then those of the channels around it.
---@param path any[]
---@return any[]    the first results that were not nil
function Mediator:publish(path, ...)
  -- Only channels that somebody asked for exist: an event nobody listens to costs a walk and no memory.
  local channel = self.channel
  for i = 1, #path do
    local child = channel.channels[path[i]]
    if not child then break end
    channel = child
  end
  return channel:publish({}, ...)
end

--- A new mediator, empty.
function mediator.new()
  return setmetatable({ channel = new_channel("root") }, Mediator)
end

return setmetatable(mediator, { __call = mediator.new })
