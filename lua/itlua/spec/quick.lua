--- Whether an assertion plainly holds: for luassert's own, on arguments that no metamethod has a say in. "No" here
-- means "ask luassert", never "it fails".

local namespaces = require "luassert.namespaces"

local quick = {}

local rawequal, type, next, getmetatable = rawequal, type, next, debug.getmetatable

--- luassert's callbacks of `is` and of `not`.
quick.no_op = namespaces.modifier.is.callback
quick.negation = namespaces.modifier["not"].callback

local function equal(positive, n, a, b)
  if n < 2 then return false end
  if rawequal(a, b) then return positive end
  if positive then return false end
  local kind = type(a)
  return kind ~= "table" and kind ~= "userdata"
end

-- true or false where plain tables say so, nil where it takes a closer look.
local function same_tables(a, b, depth)
  if getmetatable(a) or getmetatable(b) or depth > 16 then return nil end
  if rawequal(a, b) then return true end
  for key, value in next, a do
    local other = b[key]
    if not rawequal(value, other) then
      local kind = type(value)
      if kind == "userdata" then return nil end
      if kind ~= "table" or type(other) ~= "table" then return false end
      local same = same_tables(value, other, depth + 1)
      if not same then return same end
    end
  end
  for key in next, b do
    if a[key] == nil then return false end
  end
  return true
end

local function same(positive, n, a, b)
  if n < 2 then return false end
  if type(a) ~= "table" or type(b) ~= "table" then return equal(positive, n, a, b) end
  return same_tables(a, b, 1) == positive
end

local function truthy(positive, n, a)
  return n > 0 and (not not a) == positive
end

local function falsy(positive, n, a)
  return n > 0 and (not a) == positive
end

local function is_type(name)
  return function(positive, _, a) return (type(a) == name) == positive end
end

local function is_value(value)
  return function(positive, _, a) return rawequal(a, value) == positive end
end

local checks = {
  equal = { equal, 3 }, equals = { equal, 3 }, same = { same, 3 },
  truthy = { truthy, 2 }, falsy = { falsy, 2 },
  ["true"] = { is_value(true), 2 }, ["false"] = { is_value(false), 2 },
}
for _, name in ipairs { "nil", "boolean", "number", "string", "table", "function", "userdata", "thread" } do
  checks[name] = { is_type(name), 2 }
end

--- By luassert's callback: how to check, and which argument would be the failure message.
---@type table<function, { holds: fun(positive: boolean, n: integer, ...): boolean, message_at: integer }>
quick.by_callback = {}
for name, check in pairs(checks) do
  local entry = namespaces.assertion[name]
  if entry then quick.by_callback[entry.callback] = { holds = check[1], message_at = check[2] } end
end

return quick
