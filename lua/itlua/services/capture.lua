--- What a service prints, as a capture: through the host, or, of a container, from the engine.

local base = require "itlua.capture"
local core = require "itlua.core"
local lines = require "itlua.capture.lines"

local capture = {}

--- Captures the lines that a service prints from now on.
---@param name string
---@param container? string     its id
---@param ask fun(query: string): table     GET /services/NAME/after
---@param options? itlua.capture.Options
---@return itlua.capture
function capture.open(name, container, ask, options)
  if container then
    local all = { name = name }
    for key, value in pairs(options or {}) do all[key] = value end
    return require("itlua.container").attach(container):capture(all)
  end
  local source = { what = "service", name = name, n = ask("").n }

  function source:receive()
    while true do
      local found = ask("?n=" .. self.n)
      self.n = found.n
      if found.lost > 0 then
        core.raise("service", "LOST", ("%d lines of %s were gone before they could be read"):format(found.lost, name))
      end
      local records = {}
      for i, text in ipairs(found.lines) do records[i] = lines.record(text) end
      if records[1] then return records end
    end
  end

  function source:progress() return { ("%d lines of %s"):format(self.n, name) } end

  return base.new(source, options)
end

return capture
