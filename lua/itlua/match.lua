--- Whether a value is what a spec expects of it: a part of it, a predicate's yes, a luassert matcher's, nested. What
-- "part of" means, and how it differs where it is not, is diff.partial's.

local diff = require "itlua.diff"
local show = require "itlua.show"

local match = {}

--- What can be called: a function, a luassert matcher (a table with __call), a spy.
---@param value any
---@return boolean
function match.is_callable(value)
  if type(value) == "function" then return true end
  local mt = type(value) == "table" and debug.getmetatable(value)
  return mt and mt.__call ~= nil or false
end

--- luassert's matchers, told from other values: for diff.partial.
---@param value any
---@return boolean is, (fun(got: any): boolean)? accepts, string? words
function match.matcher(value)
  if type(value) ~= "table" or not debug.getmetatable(value) then return false end
  local luassert = require "luassert"
  if not require("luassert.match").is_matcher(value) then return false end
  local words = luassert:format { value, n = 1 }
  return true, function(got) return value(got) end, (words[1]:gsub("^%(matcher%) ", ""))
end

-- Also functions, and whatever else can be called.
local function predicate(value)
  local is, accepts, words = match.matcher(value)
  if is or not match.is_callable(value) then return is, accepts, words end
  local info = type(value) == "function" and debug.getinfo(value, "S")
  local where = info and ("what the function at %s:%d accepts"):format(info.short_src, info.linedefined)
  return true, value, where or tostring(value)
end

--- How `actual` falls short of what is expected: no entries where it does not. Fields of tables are held against each
--- other one by one, the elements of an array are looked for in any order, functions and matchers are asked.
---@param expected any
---@param actual any
---@return itlua.diff.result
function match.compare(expected, actual)
  return diff.partial(expected, actual, predicate)
end

local scalar = { string = true, number = true, boolean = true }

-- A scalar field that differs settles it: most of many records are told apart by one.
local function surely_not(expected, actual)
  if type(actual) ~= "table" then return false end
  for key, value in next, expected do
    if type(key) == "string" and scalar[type(value)] and actual[key] ~= value then return true end
  end
  return false
end

--- Whether `actual` has everything that is expected.
---@param expected any
---@param actual any
---@return boolean
function match.subset(expected, actual)
  if type(expected) ~= "table" then
    if type(expected) == "function" then return not not expected(actual) end
    return expected == actual
  end
  if debug.getmetatable(expected) == nil and surely_not(expected, actual) then return false end
  return #match.compare(expected, actual).entries == 0
end

local Words = { __name = "itlua.match.words", __tostring = function(self) return self.text end }

-- The same with words instead of the matchers and functions in it.
local function in_words(expected, depth)
  local is, _, words = predicate(expected)
  if is then return setmetatable({ text = words }, Words) end
  if type(expected) ~= "table" or depth > 8 or debug.getmetatable(expected) then return expected end
  local copy = {}
  for key, value in next, expected do copy[key] = in_words(value, depth + 1) end
  return copy
end

--- What is expected, in a few words.
---@param expected any
---@param limit? integer
---@return string
function match.words(expected, limit)
  local words = in_words(expected, 1)
  return debug.getmetatable(words) == Words and words.text or show.value(words, limit or 200)
end

return match
