--- Paths into documents: "items[1].quantity", "$.customer['first name']". Arrays count from 1, as in Lua.

local null = require "itlua.null"
local show = require "itlua.show"

local path = {}

--- The keys of a path, or nil and what is wrong with it.
---@param text string
---@return (string|integer)[]? keys, string? problem
function path.parse(text)
  local keys, at = {}, 1
  if text:sub(1, 1) == "$" then at = 2 end
  while at <= #text do
    local key, next_at = text:match("^%[(%-?%d+)%]()", at)
    if key then
      keys[#keys + 1] = math.tointeger(tonumber(key))
    else
      local _, quoted, after = text:match("^%[([\"'])(.-)%1%]()", at)
      if quoted then
        key, next_at = quoted, after
      else
        local dotted = text:sub(at, at) == "."
        if not dotted and #keys > 0 then return nil, ("a '.' or '[' is missing at %q"):format(text:sub(at)) end
        key, next_at = text:match("^([^%.%[%]]+)()", dotted and at + 1 or at)
        if not key then return nil, ("no name at %q"):format(text:sub(at)) end
      end
      keys[#keys + 1] = key
    end
    at = next_at
  end
  return keys
end

--- The path of the first `n` keys.
---@param keys (string|integer)[]
---@param n integer
---@return string
function path.written(keys, n)
  local parts = {}
  for i = 1, n do parts[i] = show.key(keys[i], i == 1) end
  return table.concat(parts)
end

local function why_not(value, key, here)
  local place = here == "" and "the document" or here
  if value == null then return place .. " is null" end
  if type(value) ~= "table" then return ("%s is %s"):format(place, show.value(value)) end
  if math.type(key) == "integer" then
    return ("%s has %d element%s"):format(place, #value, #value == 1 and "" or "s")
  end
  local names = {}
  for _, name in ipairs(show.keys(value)) do names[#names + 1] = tostring(name) end
  if #names == 0 then return place .. " is empty" end
  if #names > 12 then names = table.move(names, 1, 12, 1, { [13] = "…" }) end
  return ("%s has %s"):format(place, table.concat(names, ", "))
end

--- The value at a path, or nil and why there is none.
---@param document any
---@param keys (string|integer)[]
---@return any value, string? why
function path.get(document, keys)
  local value = document
  for i, key in ipairs(keys) do
    local item
    if type(value) == "table" then
      if math.type(key) == "integer" and key < 0 then
        item = value[#value + 1 + key]
      else
        item = value[key]
      end
    end
    if item == nil then return nil, why_not(value, key, path.written(keys, i - 1)) end
    value = item
  end
  return value
end

return path
