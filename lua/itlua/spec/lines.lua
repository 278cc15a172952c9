--- Tests chosen by line, `path:line`: the tests whose code the line is in; all of a block when the line is the block's
-- own.

local blame = require "itlua.spec.blame"

---@class itlua.spec.lines
---@field source string
---@field here table                 by element: the line of the file that declared it, or false
---@field wanted table               by block: the lines looked for in it
---@field whole table                blocks of which everything is chosen
---@field chosen table
local Lines = {}
Lines.__index = Lines

---@param source string         of the file's functions: "@" and its path
---@param numbers integer[]
---@param file itlua.spec.element
local function new(source, numbers, file)
  return setmetatable({
    source = source, wanted = { [file] = numbers }, whole = {}, chosen = { [file] = true }, here = {},
  }, Lines)
end

--- An element was declared, from this line of the file.
function Lines:declared(element, here)
  self.here[element] = here or false
end

-- From the line that declares it to the last line of its function.
local function range(self, element)
  local first = self.here[element]
  if not first then return 1, 0 end
  local origin = blame.origin(element.run)
  local last = origin and origin.source == self.source and origin.lastlinedefined or first
  return first, math.max(first, last)
end

local LISTED = { it = true, pending = true, describe = true }

--- The block's body has run: chooses among its children.
function Lines:narrow(block, children)
  local wanted = self.wanted[block] or {}
  local whole = self.whole[block]
  for _, line in ipairs(wanted) do
    local found
    for _, child in ipairs(children) do
      local first, last = range(self, child)
      if LISTED[child.descriptor] and line >= first and line <= last then
        found = true
        self.chosen[child] = true
        self.wanted[child] = self.wanted[child] or {}
        table.insert(self.wanted[child], line)
      end
    end
    if not found and block.descriptor ~= "file" then whole = true end
  end
  if not whole then return end
  for _, child in ipairs(children) do
    self.chosen[child], self.whole[child] = true, true
  end
end

function Lines:includes(element)
  return self.chosen[element] or not LISTED[element.descriptor]
end

return { new = new }
