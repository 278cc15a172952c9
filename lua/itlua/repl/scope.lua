--- The variables in reach of a line that failed: locals and upvalues of that function, then its globals; read and assigned
--- where they are, while the coroutine that failed stands still. What failed in a task is gone by the time that anybody
--- knows that it matters: of that what the locals were is kept.

local show = require "itlua.show"
local text = require "itlua.report.text"

---@class itlua.repl.Scope
---@field co thread
---@field run function      the function that failed
---@field line integer
---@field source string
---@field mark? integer     of the timeline, where its test began
---@field task? boolean     it failed in a task of the test
---@field kept? { [1]: string, [2]: any }[]   the locals, of a coroutine that does not stand there any more
local Scope = {}
Scope.__index = Scope

local scope = {}

-- Frames of ours, of luassert and of C are not what failed.
local function is_users(info)
  return info.what ~= "C" and info.currentline > 0 and not info.source:find "^=itlua:" and not info.source:find "^@luassert/"
    and not info.source:find "^@say/"
end

--- The innermost frame of the user's in a coroutine that stands still; nil where there is none.
---@param co thread
---@return itlua.repl.Scope?
function scope.of(co)
  for level = 0, 1000 do
    local info = debug.getinfo(co, level, "Slf")
    if not info then return nil end
    if is_users(info) then
      return setmetatable({ co = co, run = info.func, line = info.currentline, source = info.short_src }, Scope)
    end
  end
end

-- What stands above it comes and goes: it is looked for again.
local function level_of(self)
  for level = 0, 1000 do
    local info = debug.getinfo(self.co, level, "lf")
    if not info then return nil end
    if info.func == self.run and info.currentline == self.line then return level end
  end
end

-- The locals, the last declared last, and where they are.
local function locals_of(self)
  if self.kept then return self.kept end
  local level, list, i = level_of(self), {}, 1
  while level do
    local name, value = debug.getlocal(self.co, level, i)
    if not name then break end
    list[i], i = { name, value }, i + 1
  end
  return list, level
end

-- The innermost of that name: the last one counts.
local function find_local(self, name)
  local list, level = locals_of(self)
  for i = #list, 1, -1 do
    if list[i][1] == name then return i, list[i][2], level end
  end
end

--- Keeps what the locals are now: the coroutine will go on.
function Scope:keep()
  self.kept = locals_of(self)
end

--- Whether both are about the same frame.
---@param other? itlua.repl.Scope
function Scope:is(other)
  return other ~= nil and self.co == other.co and self.run == other.run and self.line == other.line
end

local function find_upvalue(self, name)
  local i = 1
  while true do
    local key, value = debug.getupvalue(self.run, i)
    if not key then return nil end
    if key == name then return i, value end
    i = i + 1
  end
end

--- The globals of the function that failed.
---@return table
function Scope:globals()
  local _, env = find_upvalue(self, "_ENV")
  return env or require("itlua.core").globals()
end

--- Reads a variable.
---@param name string
---@return any
function Scope:get(name)
  local found, value = find_local(self, name)
  if found then return value end
  found, value = find_upvalue(self, name)
  if found then return value end
  return self:globals()[name]
end

--- Assigns a variable where it is.
---@param name string
---@param value any
function Scope:set(name, value)
  local found, _, level = find_local(self, name)
  if found then
    if self.kept then self.kept[found][2] = value else debug.setlocal(self.co, level, found, value) end
    return
  end
  found = find_upvalue(self, name)
  if found then debug.setupvalue(self.run, found, value)
  else self:globals()[name] = value end
end

-- Names and values, the innermost first.
local function variables(self)
  local list, seen = {}, {}
  local function add(name, value, what)
    if seen[name] or not name:find "^[%a_]" or name == "_ENV" then return end
    seen[name] = true
    list[#list + 1] = { name = name, value = value, what = what }
  end
  local locals = locals_of(self)
  for i = #locals, 1, -1 do add(locals[i][1], locals[i][2], "local") end
  local i = 1
  while true do
    local name, value = debug.getupvalue(self.run, i)
    if not name then break end
    add(name, value, "upvalue")
    i = i + 1
  end
  return list
end

---@return string[]
function Scope:names()
  local names = {}
  for i, one in ipairs(variables(self)) do names[i] = one.name end
  return names
end

--- A line for each variable.
---@param view itlua.repl.View
---@return string[]
function Scope:describe(view)
  local lines, width = {}, 0
  local list = variables(self)
  for _, one in ipairs(list) do width = math.max(width, math.min(24, #one.name)) end
  for i, one in ipairs(list) do
    local shown = text.clip(text.one_line(show.value(one.value, 200)), math.max(10, view.columns - width - 16))
    lines[i] = view.hide(("  %s  %s%s"):format(view.paint("cyan", text.pad(one.name, width)), shown,
      one.what == "local" and "" or "  " .. view.paint("dim", "(upvalue)")))
  end
  if #lines == 0 then lines[1] = view.paint("dim", "no variables") end
  return lines
end

--- An environment for chunks that run in it; `find` knows names that are none of its.
---@param find fun(name: string): any
---@return table
function Scope:environment(find)
  return setmetatable({}, {
    __index = function(_, name)
      local value = self:get(name)
      if value == nil and type(name) == "string" then return find(name) end
      return value
    end,
    __newindex = function(_, name, value) self:set(name, value) end,
  })
end

return scope
