--- Writes JSON that is valid whatever bytes the strings hold, with keys in a given order.
-- `itlua.json` refuses strings that are not UTF-8; a report must not. A byte that is no UTF-8 is written as \xHH.

local json = require "itlua.json"
local text = require "itlua.report.text"

local json_text = {}

local LONG <const> = 200 -- bytes from which the binding is the faster way

local escapes = {
  ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t",
}
for byte = 0, 127 do
  local c = string.char(byte)
  if c:find "%c" then escapes[c] = escapes[c] or ("\\u%04x"):format(byte) end
end

---@param s string
---@return string
local function encode_string(s)
  if not s:find '[%c"\\\128-\255]' then return '"' .. s .. '"' end
  if s:find "[\128-\255]" then s = text.utf8(s) end
  if #s > LONG then return json.encode(s) end
  if s:find '[%c"\\]' then s = s:gsub('[%c"\\]', escapes) end
  return '"' .. s .. '"'
end

local function encode_number(n)
  if math.type(n) == "integer" then return tostring(n) end
  if n ~= n or n == math.huge or n == -math.huge then return "null" end
  if n == math.floor(n) and math.abs(n) < 1e15 then return ("%d"):format(n) end
  local short = ("%.15g"):format(n)
  return (((tonumber(short) == n and short or ("%.17g"):format(n)):gsub(",", ".")))
end

local encode

-- The place of each key in an order.
local ranks_by_order = setmetatable({}, { __mode = "k" })

local function ranks_of(order)
  local ranks = ranks_by_order[order]
  if not ranks then
    ranks = {}
    for i, key in ipairs(order) do ranks[key] = i end
    ranks_by_order[order] = ranks
  end
  return ranks
end

local no_order = {}

local function encode_object(value, order)
  local ranks = ranks_of(order or no_order)
  local keys, n = {}, 0
  for key in next, value do
    if type(key) == "string" then
      n = n + 1
      keys[n] = key
    end
  end
  table.sort(keys, function(a, b)
    local ra, rb = ranks[a] or 1000, ranks[b] or 1000
    if ra ~= rb then return ra < rb end
    return a < b
  end)
  for i = 1, n do
    local key = keys[i]
    keys[i] = encode_string(key) .. ":" .. encode(value[key], order)
  end
  return "{" .. table.concat(keys, ",") .. "}"
end

--- A list where it has [1] or nothing at all, else an object. Functions and the like become null.
---@param value any
---@param order? string[]     keys that come first, in this order
---@return string
function encode(value, order)
  local kind = type(value)
  if kind == "string" then return encode_string(value) end
  if kind == "number" then return encode_number(value) end
  if kind == "boolean" then return tostring(value) end
  if kind ~= "table" then return "null" end
  if value[1] == nil and next(value) ~= nil then return encode_object(value, order) end
  local parts = {}
  for i, item in ipairs(value) do parts[i] = encode(item, order) end
  return "[" .. table.concat(parts, ",") .. "]"
end

json_text.encode = encode
json_text.string = encode_string

return json_text
