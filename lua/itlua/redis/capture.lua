--- Captures of Redis: what was published or added since the capture began, in order, none missed and none from before.

local scheduler = require "itlua.core"
local json = require "itlua.json"
local match = require "itlua.match"

local capture = {}

---@class itlua.redis.capture
---@field private seen table[]
local Capture = {}
Capture.__index = Capture

-- A partial table is held against a stream entry's fields or a published JSON document; the rest against the value itself.
local function matches(wanted, event)
  local value = event.value
  if type(wanted) == "table" and type(value) == "string" then
    local ok, document = pcall(json.decode, value)
    if ok then value = document end
  end
  return match.subset(wanted, value)
end

local function text_of(event)
  local value = tostring(event.value or event.fields and "fields" or "")
  return #value > 80 and value:sub(1, 77) .. "..." or value
end

local function timed_out(self, what, timeout)
  local lines = { ("%s within %.3g s on %s; %d arrived"):format(what, timeout, self.name, #self.seen) }
  for i = math.max(1, #self.seen - 9), #self.seen do
    lines[#lines + 1] = ("    %s  %s"):format(self.seen[i].channel or self.seen[i].id or "", text_of(self.seen[i]))
  end
  scheduler.raise("timeout", "NO_EVENT", table.concat(lines, "\n"))
end

-- Calls `enough(event)` for each event, those seen before included, until it says true or the time is over.
local function scan(self, timeout, enough)
  for _, event in ipairs(self.seen) do
    if enough(event) then return event end
  end
  local scope = scheduler.enter(timeout)
  local ok, result = pcall(function()
    while true do
      local event = self:receive()
      self.seen[#self.seen + 1] = event
      if enough(event) then return event end
    end
  end)
  if scheduler.leave(scope) and not ok then return nil end
  if not ok then error(result, 0) end
  return result
end

--- Waits for an event that matches: a value, a partial table (of a JSON value or a stream entry's fields), or a predicate.
---@param wanted any
---@param options? { timeout?: number } seconds; 5
---@return table event { value, channel | id, fields }
function Capture:wait_for(wanted, options)
  local timeout = options and options.timeout or 5
  return scan(self, timeout, function(event) return matches(wanted, event) end)
    or timed_out(self, "no event matched", timeout)
end

--- Waits until `count` events have arrived and returns them.
---@param count integer
---@param options? { timeout?: number }
---@return table[] events
function Capture:wait_for_count(count, options)
  local timeout, n = options and options.timeout or 5, 0
  if count > 0 and not scan(self, timeout, function() n = n + 1 return n >= count end) then
    timed_out(self, ("%d events did not come"):format(count), timeout)
  end
  return self:events()
end

--- The events that arrived until now.
---@return table[]
function Capture:events()
  return table.move(self.seen, 1, #self.seen, 1, {})
end

function Capture:close()
  self.client:close()
end

Capture.__close = Capture.close

local function new(client, name, receive)
  return setmetatable({ client = client, name = name, seen = {}, receive = receive }, Capture)
end

--- By SUBSCRIBE and PSUBSCRIBE; returns once the server has confirmed, so nothing later is missed.
---@param client itlua.redis.client a connection of its own
---@return itlua.redis.capture
function capture.channels(client, ...)
  local connection, confirmations = client.connection, select("#", ...)
  local exact, patterns = { "SUBSCRIBE" }, { "PSUBSCRIBE" }
  for _, channel in ipairs { ... } do
    local list = channel:find("[*?%[]") and patterns or exact
    list[#list + 1] = channel
  end
  if #exact > 1 then connection:subscribe(exact) end
  if #patterns > 1 then connection:subscribe(patterns) end
  local function receive()
    while true do
      local message = connection:receive()
      if message[1] == "message" then return { channel = message[2], value = message[3] } end
      if message[1] == "pmessage" then return { pattern = message[2], channel = message[3], value = message[4] } end
      if confirmations > 0 then
        confirmations = confirmations - 1
        if confirmations == 0 then return nil end
      end
    end
  end
  if confirmations > 0 then receive() end
  return new(client, table.concat({ ... }, ", "), receive)
end

--- By XREAD from the stream's last entry on.
---@return itlua.redis.capture
function capture.stream(client, reader, stream)
  local newest = reader:call("XREVRANGE", stream, "+", "-", "COUNT", 1)
  local last, waiting = newest[1] and newest[1][1] or "0-0", {}
  local function receive()
    while #waiting == 0 do
      local reply = reader:call("XREAD", "COUNT", 1000, "BLOCK", 0, "STREAMS", stream, last)
      waiting = reply and reply[1][2] or {}
    end
    local entry = table.remove(waiting, 1)
    local fields = {}
    for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
    last = entry[1]
    return { id = entry[1], fields = fields, value = fields }
  end
  return new(client, stream, receive)
end

return capture
