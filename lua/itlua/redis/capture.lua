--- Captures of Redis: what was published or added since the capture began, in order, none missed and none from before.

local base = require "itlua.capture"
local core = require "itlua.core"

local capture = {}

---@class itlua.redis.Record: itlua.capture.Record
---@field channel? string     of a publication
---@field pattern? string     that it was subscribed by
---@field payload? string     of a publication, as it came; value is what its JSON says, or the same
---@field id? string          of a stream's entry
---@field fields? table<string, string>     of a stream's entry, as they came; in value those that are JSON objects or
---    arrays are decoded

-- ---- publications

local Channels = { what = "redis" }
Channels.__index = Channels

function Channels:receive()
  while true do
    local message = self.connection:receive()
    local kind = message[1]
    if kind == "message" then
      return { channel = message[2], payload = message[3], value = base.decode(message[3]) }
    elseif kind == "pmessage" then
      return { pattern = message[2], channel = message[3], payload = message[4], value = base.decode(message[4]) }
    elseif message[2] == self.marker then
      self.fenced = true
      self.capture:advance()
    end
  end
end

function Channels:progress()
  local n = self.capture.count + self.capture.passed
  return { ("%s: %d message%s received"):format(self.name, n, n == 1 and "" or "s") }
end

-- The server answers on this connection in the order in which things happened: behind the answer to a subscription
-- there is nothing older.
function Channels:fence()
  self.fences = (self.fences or 0) + 1
  self.marker, self.fenced = ("itlua:fence:%d"):format(self.fences), false
  self.connection:subscribe { "SUBSCRIBE", self.marker }
  self.capture:await(function() return self.fenced end)
  self.connection:subscribe { "UNSUBSCRIBE", self.marker }
  return "up to what the server had published when it was asked"
end

function Channels:close()
  self.client:close()
end

--- What `client:capture` was given: channels, and perhaps options behind them.
---@return string[] channels, itlua.capture.Options? options
function capture.arguments(...)
  local channels = { ... }
  local options = type(channels[#channels]) == "table" and table.remove(channels) or nil
  if #channels == 0 then core.usage "capture needs a channel" end
  for _, channel in ipairs(channels) do
    if type(channel) ~= "string" then core.usage("capture needs the name of a channel, not " .. tostring(channel)) end
  end
  return channels, options
end

--- By SUBSCRIBE and PSUBSCRIBE; returns once the server has confirmed, so nothing later is missed.
---@param client itlua.redis.client a connection of its own
---@param channels string[]
---@param options? itlua.capture.Options
---@return itlua.capture
function capture.channels(client, channels, options)
  local connection = client.connection
  local exact, patterns = { "SUBSCRIBE" }, { "PSUBSCRIBE" }
  for _, channel in ipairs(channels) do
    local list = channel:find("[*?%[]") and patterns or exact
    list[#list + 1] = channel
  end
  if #exact > 1 then connection:subscribe(exact) end
  if #patterns > 1 then connection:subscribe(patterns) end
  local early, confirmed = {}, 0
  while confirmed < #channels do
    local message = connection:receive()
    if message[1] == "subscribe" or message[1] == "psubscribe" then
      confirmed = confirmed + 1
    else
      early[#early + 1] = message -- of a channel that was confirmed before the others
    end
  end
  local source = setmetatable({ client = client, connection = connection, name = table.concat(channels, ", ") }, Channels)
  if early[1] then
    local at = 0
    source.connection = {
      receive = function()
        at = at + 1
        return early[at] or connection:receive()
      end,
      subscribe = function(_, command) connection:subscribe(command) end,
    }
  end
  return base.new(source, options)
end

-- ---- a stream's entries

local Stream = { what = "redis" }
Stream.__index = Stream

local function record_of(entry)
  local fields, value = {}, {}
  for i = 1, #entry[2], 2 do
    local text = entry[2][i + 1]
    fields[entry[2][i]] = text
    value[entry[2][i]] = text:find "^%s*[{%[]" and base.decode(text) or text
  end
  return { id = entry[1], fields = fields, value = value }
end

function Stream:receive()
  while true do
    local reply = self.reader.connection:call({ "XREAD", "COUNT", 1000, "BLOCK", 0, "STREAMS", self.name, self.last }, true)
    local entries = type(reply) == "table" and reply[1] and reply[1][2] or {}
    local records = {}
    for i, entry in ipairs(entries) do records[i] = record_of(entry) end
    if records[1] then
      self.last = records[#records].id
      return records
    end
  end
end

function Stream:progress()
  return { ("%s: to entry %s"):format(self.name, self.pushed or self.last) }
end

local function newest(client, stream)
  local list = client:call("XREVRANGE", stream, "+", "-", "COUNT", 1)
  return list[1] and list[1][1] or "0-0"
end

local function reached(last, id)
  local time, n = last:match "^(%d+)%-(%d+)$"
  local other_time, other_n = id:match "^(%d+)%-(%d+)$"
  time, other_time = math.tointeger(tonumber(time)), math.tointeger(tonumber(other_time))
  if time ~= other_time then return time > other_time end
  return math.tointeger(tonumber(n)) >= math.tointeger(tonumber(other_n))
end

-- Entry identifiers only grow.
function Stream:fence()
  local id = newest(self.client, self.name)
  self.capture:await(function() return reached(self.last, id) end)
  return ("up to entry %s, the newest when it was asked"):format(id)
end

function Stream:close()
  self.reader:close()
  self.client:close()
end

--- By XREAD from the stream's last entry on.
---@param reader itlua.redis.client     a connection of its own: it is blocked all the time
---@param client itlua.redis.client     another
---@param stream string
---@param options? itlua.capture.Options
---@return itlua.capture
function capture.stream(reader, client, stream, options)
  local source = { reader = reader, client = client, name = stream, last = newest(client, stream) }
  return base.new(setmetatable(source, Stream), options)
end

return capture
