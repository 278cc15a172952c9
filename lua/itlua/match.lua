--- Whether a value is what a spec expects of it: equal, a partial table, a predicate, or a luassert matcher, nested.

local match = {}

-- luassert's matchers are callable tables.
local function is_callable(value)
  if type(value) == "function" then return true end
  local meta = type(value) == "table" and getmetatable(value)
  return meta and meta.__call ~= nil or false
end

--- Whether `actual` has everything that `expected` has: fields of tables one by one, functions and matchers asked, other
--- values equal. Lists must have as many elements as expected.
---@param expected any
---@param actual any
---@return boolean
function match.subset(expected, actual)
  if is_callable(expected) then return not not expected(actual) end
  if type(expected) ~= "table" then return expected == actual end
  if type(actual) ~= "table" then return false end
  if #expected > 0 and #expected ~= #actual then return false end
  for key, value in pairs(expected) do
    if not match.subset(value, actual[key]) then return false end
  end
  return true
end

return match
