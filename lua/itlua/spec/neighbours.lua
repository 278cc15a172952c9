--- What stands around an element: where it was declared, what else is declared there, what does not run because of it.

local neighbours = {}

--- Where an element was declared.
---@param element itlua.spec.element
---@return integer? line
---@return string? source     the short name of its file
function neighbours.declared(element)
  local trace = element.trace
  if trace then return trace.currentline, trace.short_src end
  return element.line, element.origin and element.origin.short_src
end

local function place_of(element)
  local line, source = neighbours.declared(element)
  return ("%s\0%s\0%s"):format(element.descriptor, source, line)
end

local counts = setmetatable({}, { __mode = "k" }) -- by parent

-- How many children are declared at each place: counted once, for thousands of them may fail.
local function count_of(parent, tree)
  local children, count = tree.children[parent] or {}, counts[parent]
  if not count or count.of ~= #children then
    count = { of = #children, at = {} }
    for _, child in ipairs(children) do
      local place = place_of(child)
      count.at[place] = (count.at[place] or 0) + 1
    end
    counts[parent] = count
  end
  return count.at
end

--- Whether its line names others, too: a test made in a loop, or in a block made in one.
---@param element itlua.spec.element
---@param tree itlua.spec.tree
---@return true?
function neighbours.has_twins(element, tree)
  local parent = tree.parents[element]
  while parent do
    if (count_of(parent, tree)[place_of(element)] or 0) > 1 then return true end
    element, parent = parent, tree.parents[parent]
  end
  return nil
end

--- What does not run because a block's setup failed: its tests and blocks, as far as they are declared.
---@param element itlua.spec.element
---@param tree itlua.spec.tree
---@return string?     "3 tests and 1 block"
function neighbours.left_out(element, tree)
  local tests, blocks = 0, 0
  for _, child in ipairs(tree.children[element] or {}) do
    if child.descriptor == "it" then tests = tests + 1 end
    if child.descriptor == "describe" then blocks = blocks + 1 end
  end
  local parts = {}
  if tests > 0 then parts[1] = tests == 1 and "1 test" or tests .. " tests" end
  if blocks > 0 then parts[#parts + 1] = blocks == 1 and "1 block" or blocks .. " blocks" end
  return parts[1] and table.concat(parts, " and ") or nil
end

return neighbours
