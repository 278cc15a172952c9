--- The elements of a run: files, blocks, tests and hooks, who belongs to whom, and the one whose turn it is. The
-- current element decides where a new one goes, which globals a spec sees, and who is to blame; see environment.lua.
-- Elements are plain tables that helpers see and copy, so the links between them are kept beside them.

local insulation = require "itlua.spec.insulation"

---@class itlua.spec.element
---@field descriptor string     "suite", "file", "describe", "it", "pending", "before_each" …
---@field attributes table      envmode: "insulate" | "expose" | "unwrap" | nil
---@field name? string
---@field run function|table
---@field env? table            globals that were assigned while it was current
---@field line? integer         where it was declared, and
---@field origin? table         in which function, see blame.lua
---@field trace? table          both as busted has them; only where somebody looks
---@field randomseed? integer

---@class itlua.spec.tree
---@field root itlua.spec.element
---@field current itlua.spec.element
---@field parents table<itlua.spec.element, itlua.spec.element>
---@field children table<itlua.spec.element, itlua.spec.element[]>
local Tree = {}
Tree.__index = Tree

-- What has no children: tests and hooks. There are many, and nothing is restored after them.
local leaf = {
  it = true, pending = true, before_each = true, after_each = true,
  lazy_setup = true, lazy_teardown = true, strict_setup = true, strict_teardown = true,
}

local function new()
  local root = { descriptor = "suite", attributes = {} }
  -- `saved` has an entry for every file and block on the way to the current element: the world to restore, or false.
  return setmetatable({ root = root, current = root, parents = {}, children = {}, saved = {} }, Tree)
end

--- Makes the element a child of the current one.
---@param element itlua.spec.element
function Tree:attach(element)
  local parent = self.current
  self.parents[element] = parent
  local children = self.children[parent]
  if children then
    children[#children + 1] = element
  else
    self.children[parent] = { element }
  end
end

--- Begins the element's turn; `leave` with what this returns ends it.
---@param element itlua.spec.element
---@return itlua.spec.element previous
function Tree:enter(element)
  local previous = self.current
  if element == previous then return previous end
  if not self.parents[element] and element ~= self.root then error("Detached child. Cannot push.") end
  if not leaf[element.descriptor] then
    local saved = self.saved
    saved[#saved + 1] = element.attributes.envmode == "insulate" and insulation.save()
  end
  self.current = element
  return previous
end

---@param previous itlua.spec.element
function Tree:leave(previous)
  local element = self.current
  if element == previous then return end
  self.current = previous
  if leaf[element.descriptor] then return end
  local saved = self.saved
  local world = saved[#saved]
  saved[#saved] = nil
  -- What an exposed block did is there to stay: the world its surroundings go back to includes it.
  if element.attributes.envmode == "expose" and saved[#saved] then saved[#saved] = insulation.save() end
  if world then insulation.restore(world) end
end

--- The element's names and those around it, joined by a blank; a file's name is not part of it.
---@param element itlua.spec.element
---@param own? string     instead of the element's own name
---@return string
function Tree:full_name(element, own)
  local names = { own or element.name or element.descriptor }
  local parent = self.parents[element]
  while parent and parent.descriptor ~= "file" do
    table.insert(names, 1, parent.name or parent.descriptor)
    parent = self.parents[parent]
  end
  return table.concat(names, " ")
end

--- The file that the element is in, nil for what stands above files.
---@param element itlua.spec.element
---@return itlua.spec.element?
function Tree:file_of(element)
  while element and element.descriptor ~= "file" do element = self.parents[element] end
  return element
end

--- Forgets what was below the element, and the element where it is not the root.
function Tree:forget(element)
  local children, parents = self.children, self.parents
  local function drop(parent)
    for _, child in ipairs(children[parent] or {}) do
      drop(child)
      parents[child] = nil
    end
    children[parent] = nil
  end
  drop(element)
  local parent = parents[element]
  if not parent then return end
  parents[element] = nil
  for i, child in ipairs(children[parent]) do
    if child == element then
      table.remove(children[parent], i)
      break
    end
  end
  local same = parent[element.descriptor]
  for i, child in ipairs(same or {}) do
    if child == element then
      table.remove(same, i)
      break
    end
  end
end

--- As it was at first.
function Tree:clear()
  self.root = { descriptor = "suite", attributes = {} }
  self.current, self.parents, self.children, self.saved = self.root, {}, {}, {}
end

return { new = new }
