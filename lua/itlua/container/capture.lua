--- What a container prints, as a capture.

local base = require "itlua.capture"
local core = require "itlua.core"
local lines = require "itlua.capture.lines"
local time = require "itlua.time"

local capture = {}

local TIMESTAMP <const> = "^(%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d)%.?(%d*)([Z+-][%d:]*) ?(.*)$"

-- A line's time so that text compares as time does, as it is written, and the rest of the line. Engines write fractions
-- of any length.
local function parts_of(line)
  local seconds, fraction, zone, text = line:match(TIMESTAMP)
  if not seconds then return nil end
  return seconds .. "." .. (fraction .. "000000000"):sub(1, 9), seconds .. zone, text
end

-- The engine's time of the last line there is: what comes after it is new, whatever the two clocks say.
local function last_line(container)
  local newest, since = "", nil
  for line in container:logs({ tail = 1, timestamps = true }):gmatch "[^\n]+" do
    local at, written = parts_of(line)
    if at and at > newest then newest, since = at, written end
  end
  return newest, since and time.parse(since)
end

--- Captures the lines that a container prints from now on.
---@param container itlua.container.Container
---@param options? itlua.capture.Options
---@return itlua.capture
function capture.open(container, options)
  local after, second = last_line(container) -- since a whole second: the rest is told by the text
  local next_line, _, _, stream = container:logs { follow = true, timestamps = true, since = second }
  local source = { what = "container", name = container.image, read = 0 }

  function source:receive()
    for line, name in next_line do
      local at, _, text = parts_of(line)
      if not at then
        core.raise("container", "LOG", ("a line of the log of %s without a time: %s"):format(container:label(), line))
      end
      if at > after then
        self.read = self.read + 1
        return lines.record(text, name)
      end
    end
  end

  function source:progress() return { ("%s: %d lines"):format(container:label(), self.read) } end

  function source:close() -- luacheck: no self
    stream:close()
  end

  return base.new(source, options)
end

return capture
