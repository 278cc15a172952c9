-- What LuaLS has to know of itlua, out of the annotations in lua/.    pack --run src/app/stubs.lua LUA_FOLDER OUT FILE.lua…
--
-- Part of the build: OUT becomes the module itlua.cli.stubs, which `itlua init --editor` writes into a project. It returns
-- the stubs by their paths ("itlua/http.lua"): of each file the comments with three dashes and what they stand above, without
-- the bodies of functions. FILE… are the public modules and the files of their folders.

local root, out = arg[1], arg[2]

local function lines_of(path)
  local list = {}
  for line in io.lines(path) do list[#list + 1] = line end
  return list
end

-- The line of code below a comment, as a declaration; and the local table that it is about.
local function declaration(code)
  local name, arguments = code:match("^function ([%w_.:]+)(%b())")
  if name then return ("function %s%s end"):format(name, arguments), name:match("^[%w_]+") end
  local owner, field = code:match("^([%w_]+)(%.[%w_.]+)%s*=")
  if owner and not field:find("^%.__") then return ("%s%s = nil"):format(owner, field), owner end
  local variable = code:match("^local ([%w_]+)%s*=")
  if variable then return "local " .. variable .. " = {}", variable, true end
end

-- Whether a comment says something to an editor about code that need not be there.
local function stands_alone(comment)
  for _, line in ipairs(comment) do
    if line:find("^%-%-%-@class") or line:find("^%-%-%-@alias") then return true end
  end
  return false
end

-- Tables that are used before anything declared them come first.
local function with_locals(body, used, declared)
  local list = {}
  for name in pairs(used) do
    if not declared[name] then list[#list + 1] = "local " .. name .. " = {}" end
  end
  table.sort(list)
  if #list > 0 then list[#list + 1] = "" end
  return table.move(body, 1, #body, #list + 1, list)
end

local function stub(path)
  local list = lines_of(path)
  local body, used, declared, returned, any = {}, {}, {}, nil, false
  local comment
  for i, line in ipairs(list) do
    if line:find("^%-%-%-") or (comment and line:find("^%-%-")) then
      comment = comment or {}
      comment[#comment + 1] = line:find("^%-%-%-") and line or "-" .. line
    else
      local code, owner, is_local = declaration(line)
      local class = comment and stands_alone(comment)
      local head = comment and i - #comment == 1
      returned = line:match("^return ([%w_]+)%s*$") or returned
      if is_local and not class then
        if declared[owner] or not line:find("=%s*{%s*}%s*$") then code = nil end -- some table of the module's own
      elseif code and not comment then
        code = nil -- nobody said what it is
      end
      if comment and (code or class or head) then
        table.move(comment, 1, #comment, #body + 1, body)
        any = any or class or (code and not is_local)
        if head then body[#body + 1] = "" end
      end
      if code and not (head and not class and is_local) then
        body[#body + 1] = code
        if is_local then declared[owner] = true else used[owner] = true end
        body[#body + 1] = ""
      elseif class then
        body[#body + 1] = ""
      end
      comment = nil
    end
  end
  if not any then return nil end
  local class = table.concat(body, "\n"):find("%-%-%-@class itlua%.") ~= nil
  if returned then used[returned] = true end
  body = with_locals(body, used, declared)
  table.insert(body, 1, "---@meta")
  table.insert(body, 2, "")
  if returned then body[#body + 1] = "return " .. returned end
  return table.concat(body, "\n") .. "\n", class
end

-- busted's words, and the assertions.
local words = [==[
---@meta

---@param name string
---@param fn fun()
function describe(name, fn) end
context, insulate, expose = describe, describe, describe

--- A test.
---@param name string
---@param fn fun()
function it(name, fn) end
spec, test = it, it

--- A test that is to come; inside a test: ends it as pending.
---@param name? string
---@param fn? fun()
function pending(name, fn) end

---@param fn fun()
function before_each(fn) end
after_each, setup, teardown, lazy_setup, lazy_teardown = before_each, before_each, before_each, before_each, before_each
strict_setup, strict_teardown = before_each, before_each

--- Runs when the test has ended, however it ended.
---@param fn fun()
function finally(fn) end

--- Random order of what is in this block.
---@param seed? integer|boolean
function randomize(seed) end

---@class itlua.assertions
---@overload fun(value: any, message?: any, ...: any): any, ...
---@field is itlua.assertions
---@field is_not itlua.assertions
---@field are itlua.assertions
---@field has itlua.assertions
---@field has_no itlua.assertions
---@field is_true fun(value: any, message?: string)
---@field is_false fun(value: any, message?: string)
---@field is_nil fun(value: any, message?: string)
---@field is_not_nil fun(value: any, message?: string)
---@field truthy fun(value: any, message?: string)
---@field falsy fun(value: any, message?: string)
---@field equal fun(expected: any, got: any, message?: string)
---@field equals fun(expected: any, got: any, message?: string)
---@field same fun(expected: any, got: any, message?: string)
---@field near fun(expected: number, got: number, tolerance: number, message?: string)
---@field matches fun(pattern: string, got: string, init?: integer, plain?: boolean, message?: string)
---@field error fun(fn: fun(), expected?: any)
---@field no_error fun(fn: fun())
---@field error_matches fun(fn: fun(), pattern: string)
---@field eventually fun(fn: fun(): any, options?: { timeout?: number, interval?: number }): any
---@field response fun(response: itlua.http.Response): any
---@field subset fun(expected: table, got: table, message?: string)
---@field raises fun(expected: any, fn: fun()): any
---@field [string] any
assert = {}

spy, stub, mock, match = {}, {}, {}, {} ---@type any, any, any, any
]==]

local stubs, names = { ["busted.lua"] = words }, { "busted.lua" }
for i = 3, #arg do
  local name = arg[i]:sub(#root + 2)
  local text, inner = stub(arg[i])
  if not inner and name:find("/.*/") then text = nil end -- what a module is made of says nothing without a class
  if text then
    local ok, why = load(text, "=" .. name)
    if not ok then error("the stub of " .. arg[i] .. " is no Lua: " .. why) end
    stubs[name], names[#names + 1] = text, name
  end
end

table.sort(names)
local file = assert(io.open(out, "wb"))
file:write("return {\n")
for _, name in ipairs(names) do file:write(("  [%q] = %q,\n"):format(name, stubs[name])) end
file:write("}\n")
assert(file:close())
