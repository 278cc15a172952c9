--- Tests chosen by their full names: what failed last time, what a bisection tries. The others are declared, too, so that
-- a seed gives those that run the order they have among all.

---@class itlua.spec.chosen
---@field names table<string, boolean>
---@field whole string[]      names of which everything below is chosen
---@field entries table[]
---@field all boolean
---@field tree itlua.spec.tree
---@field lines? itlua.spec.lines    chooses, too
local Chosen = {}
Chosen.__index = Chosen

---@param entries { name: string, whole?: boolean }[]
---@param tree itlua.spec.tree
---@param lines? itlua.spec.lines
local function new(entries, tree, lines)
  local self = { names = {}, whole = {}, entries = entries, all = false, tree = tree, lines = lines }
  for _, entry in ipairs(entries) do
    if entry.whole then self.whole[#self.whole + 1] = entry.name end
    self.names[entry.name] = true
    self.all = self.all or entry.name == ""
  end
  return setmetatable(self, Chosen)
end

local LISTED = { it = true, pending = true, describe = true }

local function below(name, block) return name:sub(1, #block + 1) == block .. " " end

function Chosen:declared(element, here)
  if self.lines then self.lines:declared(element, here) end
end

function Chosen:narrow(block, children)
  if self.lines then self.lines:narrow(block, children) end
end

-- Names as events have them: joined by a blank, also where they are no strings.
local function full_name(tree, element)
  local names = {}
  while element and element.descriptor ~= "file" and element.descriptor ~= "suite" do
    table.insert(names, 1, tostring(element.name == nil and element.descriptor or element.name))
    element = tree.parents[element]
  end
  return table.concat(names, " ")
end

function Chosen:includes(element)
  if not LISTED[element.descriptor] then return true end
  if self.lines and not self.lines:includes(element) then return false end
  if self.all then return true end
  local full = full_name(self.tree, element)
  if self.names[full] then return true end
  for _, block in ipairs(self.whole) do
    if below(full, block) then return true end
  end
  if element.descriptor ~= "describe" then return false end
  for _, entry in ipairs(self.entries) do
    if below(entry.name, full) then return true end
  end
  return false
end

return { new = new }
