--- Server-sent events (text/event-stream, as the HTML standard has it) as an iterator.

local core = require "itlua.core"
local headers = require "itlua.http.headers"

local events = {}

-- ---- the format ---------------------------------------------------------------------------------

---@class itlua.http.Event
---@field event string   its type, "message" where none was given
---@field data string    its lines, joined by "\n"
---@field id string      the last id that was sent, "" where there was none
local Event = {}
Event.__index = Event
Event.__name = "itlua.http.event"

--- The data as JSON.
---@return any
function Event:json()
  return require "itlua.json".decode(self.data, { name = ("data of event '%s'"):format(self.event) })
end

function Event:__tostring()
  return ("%s: %s"):format(self.event, self.data)
end

---@class itlua.http.EventParser   push(bytes), then next() until it returns nil
local Parser = {}
Parser.__index = Parser

--- A parser of the format: for events that come another way than through a client.
function events.parser()
  return setmetatable({ rest = "", at = 1, begun = false, data = {}, kind = "", id = "", last_id = "" }, Parser)
end

function Parser:push(bytes)
  self.rest = self.rest:sub(self.at) .. bytes
  self.at = 1
  if not self.begun then
    local bom = "\239\187\191"
    if #self.rest < 3 and bom:sub(1, #self.rest) == self.rest then return end
    self.begun = true
    if self.rest:sub(1, 3) == bom then self.at = 4 end
  end
end

-- The next whole line. A CR at the end of what has arrived may be the first half of a CRLF: the line waits for more.
function Parser:line()
  local from = self.at
  local stop = self.begun and self.rest:find("[\r\n]", from)
  if not stop then return nil end
  local after = stop + 1
  if self.rest:byte(stop) == 13 then
    if after > #self.rest then
      self.after_cr = true
    elseif self.rest:byte(after) == 10 then
      after = after + 1
    end
  end
  self.at = after
  return self.rest:sub(from, stop - 1)
end

local fields = {}

function fields.event(self, value)
  self.kind = value
end

function fields.data(self, value)
  self.data[#self.data + 1] = value
end

function fields.id(self, value)
  if not value:find("\0", 1, true) then self.id = value end
end

function fields.retry(self, value)
  if value:find("^%d+$") then self.retry = tonumber(value) / 1000 end
end

function Parser:dispatch()
  self.last_id = self.id
  local data, kind = self.data, self.kind
  self.data, self.kind = {}, ""
  if #data == 0 then return nil end
  local event = { event = kind ~= "" and kind or "message", data = table.concat(data, "\n"), id = self.last_id }
  return setmetatable(event, Event)
end

--- The next event that is complete.
---@return itlua.http.Event?
function Parser:next()
  while true do
    if self.after_cr and self.at <= #self.rest then
      if self.rest:byte(self.at) == 10 then self.at = self.at + 1 end
      self.after_cr = false
    end
    local line = self:line()
    if not line then return nil end
    if line == "" then
      local event = self:dispatch()
      if event then return event end
    else
      local name, value = line:match("^([^:]*): ?(.*)$")
      if not name then name, value = line, "" end
      if fields[name] then fields[name](self, value) end
    end
  end
end

-- ---- the stream ---------------------------------------------------------------------------------

---@class itlua.http.EventOptions: itlua.http.RequestOptions
---@field method? string            "GET"
---@field last_id? string           sent as Last-Event-ID
---@field reconnect? boolean|integer   when the server ends the stream or the connection breaks: connect again (so
---often at most), after the time it asked for; false by default

---@class itlua.http.Events
---@field response itlua.http.Response
local Events = {}
Events.__index = Events
Events.__name = "itlua.http.events"

local OWN = { method = true, last_id = true, reconnect = true }

local function connect(self)
  local given = {}
  for k, v in pairs(self._given) do given[k] = v end
  given.stream = true
  local own = { Accept = "text/event-stream", ["Cache-Control"] = "no-store" }
  if self.last_id ~= "" then own["Last-Event-ID"] = self.last_id end
  given.headers = {}
  for i, entry in ipairs(headers.merge(headers.entries(own), headers.entries(self._given.headers or {}))) do
    given.headers[i] = { entry.name, entry.value or false }
  end
  local r = self._client:request(self._method, self._path, given)
  if r.status == 200 and r.content_type == "text/event-stream" then
    self.response, self._stream, self._parser = r, r._stream, events.parser()
    self._parser.id = self.last_id
    return true
  end
  if r.status == 204 then -- "no more": the end
    r:close()
    self.response = r
    return false
  end
  local status, content_type = r.status, r.content_type
  r:close()
  core.raise("http", "NO_EVENTS", ("%s %s: no event stream, but status %d with %s"):format(r.method, r.url, status,
    content_type ~= "" and content_type or "no content type"), { status = status, response = r })
end

function events.open(client, path, given)
  given = given or {}
  local self = setmetatable({
    _client = client, _path = path, _method = given.method or "GET", _given = {},
    _left = given.reconnect == true and math.huge or given.reconnect or 0,
    last_id = given.last_id or "", retry = 3,
  }, Events)
  for k, v in pairs(given) do
    if not OWN[k] then self._given[k] = v end
  end
  self._ended = not connect(self)
  return self, nil, nil, self -- a generic for closes it, also when it is left early
end

local function reconnect(self)
  while self._left > 0 do
    self._left = self._left - 1
    core.sleep(self.retry)
    local ok, connected = pcall(connect, self)
    if ok then return connected end
    if not core.is_error(connected) or not connected.code or self._left <= 0 then error(connected, 0) end
  end
  return false
end

-- The next piece of the stream; nil at its end. A broken connection is an end where it may be made again.
local function read(self, timeout)
  if self._left <= 0 then return self._stream:read(timeout) end
  local ok, piece = pcall(self._stream.read, self._stream, timeout)
  if ok then return piece end
  if core.is_error(piece) == "http" then return nil end
  error(piece, 0)
end

--- The next event; nil when the stream has ended. Raises kind "timeout" when none comes in time: the stream stays
--- open.
---@param timeout? number   seconds; the request's timeout by default
---@return itlua.http.Event?
function Events:next(timeout)
  if timeout ~= nil and type(timeout) ~= "number" then timeout = nil end -- called by a generic for
  timeout = timeout or self.response._timeout
  local deadline = timeout and timeout > 0 and core.now() + timeout
  while not self._ended do
    local event = self._parser:next()
    self.last_id = self._parser.last_id
    self.retry = self._parser.retry or self.retry
    if event then return event end
    local piece = read(self, deadline and math.max(deadline - core.now(), 0.001) or nil)
    if piece then
      self._parser:push(piece)
    else
      self._stream:close()
      self._ended = not reconnect(self)
    end
  end
end

Events.__call = function(self) return self:next() end

--- Ends the stream.
function Events:close()
  self._ended = true
  if self._stream then self._stream:close() end
end

Events.__close = Events.close

function Events:__tostring()
  return ("events of %s%s"):format(self.response.url, self._ended and " (ended)" or "")
end

return events
