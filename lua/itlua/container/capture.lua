--- What a container prints, as a capture.

local base = require "itlua.capture"
local core = require "itlua.core"
local lines = require "itlua.capture.lines"
local time = require "itlua.time"

local capture = {}

local TIMESTAMP <const> = "^(%d%d%d%d%-%d%d%-%d%dT[%d:.]+Z) ?(.*)$"

-- The engine's time of the last line there is: what comes after it is new, whatever the two clocks say.
local function last_line(container)
  local newest = ""
  for line in container:logs({ tail = 1, timestamps = true }):gmatch "[^\n]+" do
    local at = line:match(TIMESTAMP)
    if at and at > newest then newest = at end
  end
  return newest
end

--- Captures the lines that a container prints from now on.
---@param container itlua.container.Container
---@param options? itlua.capture.Options
---@return itlua.capture
function capture.open(container, options)
  local after = last_line(container)
  local next_line, _, _, stream = container:logs { follow = true, timestamps = true,
    since = after ~= "" and math.floor(time.parse(after)) or nil } -- whole seconds: the rest is told by the text
  local source = { what = "container", name = container.image, read = 0 }

  function source:receive()
    for line, name in next_line do
      local at, text = line:match(TIMESTAMP)
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
