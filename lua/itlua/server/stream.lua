--- Answers written bit by bit: plain streams and server-sent events.

local core = require "itlua.core"
local native = require "itlua.server.core"

local stream = {}

---@class itlua.server.stream
---@field request itlua.server.request
local Stream = {}
Stream.__index = Stream
Stream.__name = "itlua.server.stream"

local known = { status = true, headers = true, length = true }

local function begin(req, options, content_type, class)
  for name in pairs(options) do
    if not known[name] then core.usage(("stream: unknown option '%s'"):format(tostring(name))) end
  end
  local status = options.status or 200
  native.stream(req.handle, status, options.length, content_type, options.headers)
  req.streaming = true
  return setmetatable({ request = req, handle = req.handle }, class)
end

--- See Request:stream.
---@return itlua.server.stream
function stream.open(req, options, content_type)
  return begin(req, options, content_type or "application/octet-stream", Stream)
end

--- Sends a piece of the body, and waits while the client is too slow to take it. Raises http EPIPE once it has left.
---@param chunk string
function Stream:write(chunk)
  native.write(self.handle, chunk)
end

--- Ends the body.
function Stream:close()
  native.finish(self.handle, true)
end

--- Cuts the connection, so that the client sees an incomplete answer.
function Stream:abort()
  native.finish(self.handle, false)
end

Stream.__close = Stream.close

---@class itlua.server.events: itlua.server.stream
local Events = setmetatable({}, { __index = Stream })
Events.__index = Events
Events.__name = "itlua.server.events"
Events.__close = Stream.close

--- See Request:events.
---@return itlua.server.events
function stream.events(req, options)
  local headers = { ["cache-control"] = "no-cache" }
  for name, value in pairs(options.headers or {}) do headers[name:lower()] = value end
  return begin(req, { status = options.status, headers = headers }, "text/event-stream", Events)
end

local function line(out, name, value)
  if value == nil then return end
  value = tostring(value)
  if value:find("[\r\n%z]") then core.usage(("events: %s has a line break"):format(name)) end
  out[#out + 1] = name .. ": " .. value
end

--- Sends an event: its data as a string, or a table {data= | json=, event=, id=, retry= (seconds)}.
---@param event string|{ data?: string, json?: any, event?: string, id?: string, retry?: number }
function Events:send(event)
  if type(event) == "string" then event = { data = event } end
  local out = {}
  line(out, "event", event.event)
  line(out, "id", event.id)
  line(out, "retry", event.retry and math.floor(event.retry * 1000))
  local data = event.data
  if event.json ~= nil then data = require("itlua.json").encode(event.json) end
  for piece in ((data or "") .. "\n"):gmatch("(.-)\r?\n") do out[#out + 1] = "data: " .. piece end
  native.write(self.handle, table.concat(out, "\n") .. "\n\n")
end

--- Sends a comment, which clients skip: it keeps the connection alive.
---@param comment? string
function Events:comment(comment)
  native.write(self.handle, ": " .. (comment or ""):gsub("[\r\n]+", " ") .. "\n\n")
end

return stream
