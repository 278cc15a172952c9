--- Server-sent events as a capture.

local base = require "itlua.capture"
local events = require "itlua.http.events"

local capture = {}

local OWN = { name = true, filter = true, check = true, limit = true, max_bytes = true }

---@class itlua.http.EventRecord: itlua.capture.Record
---@field event string     its type
---@field id string        the last id that was sent
---@field payload string   its data

--- Opens the stream: when this returns the server has answered, so what it sends later is captured.
---@param client itlua.http.Client
---@param path string
---@param given? itlua.http.EventOptions|itlua.capture.Options
---@return itlua.capture
function capture.open(client, path, given)
  local own, rest = {}, {}
  for name, value in pairs(given or {}) do (OWN[name] and own or rest)[name] = value end
  local stream = events.open(client, path, rest)
  local source = { what = "http", name = path }

  function source:receive() -- luacheck: no self
    local event = stream:next(0)
    if not event then return nil end
    return {
      value = base.decode(event.data), payload = event.data, event = event.event, id = event.id,
      place = ("%s %s"):format(path, event.event),
    }
  end

  function source:progress()
    local received = self.capture.count + self.capture.passed
    return { ("%s: %d events%s"):format(path, received, stream.last_id ~= "" and ", last id " .. stream.last_id or "") }
  end

  function source:close() -- luacheck: no self
    stream:close()
  end

  return base.new(source, own)
end

return capture
