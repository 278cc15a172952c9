--- JSON text to Lua values and back, exactly: what a service sent is what a test sees.
--
--     null                json.null, also inside arrays; it is not nil, and it is true in a condition
--     array               a table that json.is_array knows, so an empty one stays an array
--     object              a table; of a key that occurs twice the last value counts (option `duplicates`)
--     1, -7               integers, exact in 64 bits; -0 is the float -0.0
--     1.0, 1e2            floats, and written with a point or exponent again
--     beyond 64 bits      json.number: keeps the digits (option `big`)
--
-- A table without mark is an array when its keys are 1, 2, …, n; an empty one is an object.
-- Everything raises errors of kind "json". decode: code "syntax", "empty", "depth", "size", "utf8", "duplicate",
-- "range", with line, column, byte, excerpt. encode: "type", "keys", "number", "cycle", "depth", "size", "utf8", with
-- path.

local core = require "itlua.json.core"
local raise = require("itlua.core").raise

local json = {}

--- JSON's null, and SQL's NULL.
json.null = core.null

---@class itlua.json.DecodeOptions
---@field max_depth? integer   levels of nesting, 1,000; at most 5,000
---@field max_size? integer    bytes of text, 64 MiB
---@field duplicates? "last"|"first"|"error"   which value of a key that occurs twice counts; "last"
---@field big? "exact"|"float"|"error"         numbers beyond 64 bits: json.number (the default), a float, an error
---@field utf8? "strict"|"replace"|"keep"      invalid UTF-8, half surrogates: an error (the default), U+FFFD, as it is
---@field ordered? boolean     objects remember the order of their keys, for encode
---@field name? string         what the text is, for messages: "body of GET /orders"

--- The value of a JSON text.
---@param text string
---@param options? itlua.json.DecodeOptions
---@return any value
---@type fun(text: string, options?: itlua.json.DecodeOptions): any
json.decode = core.decode

---@class itlua.json.EncodeOptions
---@field pretty? boolean|string   on many lines; the string is the indent, two spaces if true
---@field order? "kept"|"sorted"|"any"   of keys: as remembered, else sorted (default); sorted; any, the fastest
---@field ascii? boolean       everything beyond ASCII as \u escapes
---@field empty? "object"|"array"   what an empty table without mark is; "object"
---@field utf8? "strict"|"replace"|"keep"   strings that are no UTF-8: an error (the default), U+FFFD, as they are
---@field max_depth? integer   levels of nesting, 1,000; at most 5,000
---@field max_size? integer    bytes of text, 64 MiB

--- The JSON text of a value.
---@param value any
---@param options? itlua.json.EncodeOptions
---@return string text
---@type fun(value: any, options?: itlua.json.EncodeOptions): string
json.encode = core.encode

--- The text without insignificant blanks; everything else stays as it was written. It has to be valid.
---@param text string
---@return string text
---@type fun(text: string): string
json.minify = core.minify

local function mark(t, metatable, what)
  t = t or {}
  if type(t) ~= "table" then error(("json.%s needs a table, not a %s"):format(what, type(t)), 3) end
  return setmetatable(t, metatable)
end

--- Marks a table as an array, so that it is encoded as one even if empty.
---@generic T: table
---@param t? T a new one by default
---@return T t
function json.array(t)
  return mark(t, core.array, "array")
end

--- Marks a table as an object, which matters for an empty one under `empty = "array"`.
---@generic T: table
---@param t? T a new one by default
---@return T t
function json.object(t)
  return mark(t, core.object, "object")
end

--- An object whose keys are encoded in this order: json.ordered { {"id", 1}, {"name", "x"} }. Keys that are added
--- later follow, sorted.
---@param pairs_ { [1]: string, [2]: any }[]
---@return table
function json.ordered(pairs_)
  local object, order = {}, {}
  for i, pair in ipairs(pairs_) do
    if type(pair) ~= "table" or type(pair[1]) ~= "string" then
      error(("json.ordered needs pairs of a string and a value; number %d is none"):format(i), 2)
    end
    order[i], object[pair[1]] = pair[1], pair[2]
  end
  return setmetatable(object, { __jsontype = "object", __jsonorder = order })
end

--- Whether the table is marked as an array, as every decoded one is.
---@param v any
---@return boolean
function json.is_array(v)
  local metatable = type(v) == "table" and getmetatable(v)
  return type(metatable) == "table" and metatable.__jsontype == "array"
end

-- ---- numbers that fit into nothing

---@class itlua.json.Number   immutable; tostring gives the digits; == < <= compare the values
local Number = core.number_metatable
Number.__index = {}

--- A number that keeps its text: for integers beyond 64 bits, and for sending 1.10 as "1.10".
---@param text string as JSON writes numbers
---@return itlua.json.Number
---@type fun(text: string): itlua.json.Number
json.number = core.number

--- Whether the value is a number that keeps its text.
---@param v any
---@return boolean
function json.is_number(v)
  return getmetatable(v) == Number
end

--- The nearest Lua number.
---@return number
function Number.__index:tonumber()
  return tonumber(tostring(self)) --[[@as number]]
end

-- Sign, digits without leading and trailing zeros, and the place of the point: 0.digits * 10^point.
local function parts(v)
  local text = math.type(v) == "float" and ("%.17g"):format(v) or tostring(v)
  local sign, whole, fraction, power = text:match("^(%-?)(%d+)%.?(%d*)[eE]?([-+]?%d*)$")
  if not sign then return v > 0 and 1 or -1, "9", math.maxinteger end -- an infinity
  local digits = (whole .. fraction):gsub("^0+", "")
  local point = #whole - (#whole + #fraction - #digits) + (tonumber(power) or 0)
  digits = digits:gsub("0+$", "")
  return digits == "" and 0 or sign == "-" and -1 or 1, digits, point
end

-- a < b: -1, a == b: 0, a > b: 1
local function compare(a, b)
  local sign_a, digits_a, point_a = parts(a)
  local sign_b, digits_b, point_b = parts(b)
  if sign_a ~= sign_b then return sign_a < sign_b and -1 or 1 end
  if sign_a == 0 or point_a == point_b and digits_a == digits_b then return 0 end
  local less = point_a < point_b or point_a == point_b and digits_a < digits_b
  return less == (sign_a > 0) and -1 or 1
end

local function comparable(a, b)
  for _, v in ipairs { a, b } do
    if not (type(v) == "number" and v == v) and not json.is_number(v) then
      error(("attempt to compare a json.number with a %s"):format(type(v)), 3)
    end
  end
end

function Number.__eq(a, b)
  return json.is_number(a) and json.is_number(b) and compare(a, b) == 0
end

function Number.__lt(a, b)
  comparable(a, b)
  return compare(a, b) < 0
end

function Number.__le(a, b)
  comparable(a, b)
  return compare(a, b) <= 0
end

-- ---- what others read

local function differs(path, why, ...)
  local message = ("%s: %s"):format(path == "" and "the value" or path, why:format(...))
  raise("json", "portable", message, { path = path })
end

local function same(path, ours, theirs)
  if json.is_number(ours) then
    differs(path, "%s is beyond what others read", ours)
  elseif type(ours) == "number" then
    if ours ~= theirs then differs(path, "%s is read as %.17g where numbers are doubles", ours, theirs) end
  elseif type(ours) == "table" then
    local array = json.is_array(ours)
    for k, v in pairs(ours) do
      if theirs[k] == nil then differs(path, "the key %q is cut at its NUL", k) end
      same(array and ("%s[%d]"):format(path, k) or path .. "." .. k, v, theirs[k])
    end
  elseif ours ~= theirs then
    differs(path, "of a string of %d bytes, others read what is before its NUL", #ours)
  end
end

--- Checks that ordinary JSON readers, which keep numbers as doubles and strings as C strings (cJSON reads along), get
--- the same value out of the text. Raises an error of kind "json", code "portable", with the path of the first
--- difference: an integer beyond 2^53, a NUL in a string, a key twice.
---@param text string
---@return true
function json.portable(text)
  local value = json.decode(text, { duplicates = "error" })
  local read, theirs = core.peer(text)
  if not read then raise("json", "portable", ("others give up at byte %d"):format(theirs)) end
  same("", value, theirs)
  return true
end

-- ---- JSON lines

--- The values of newline-delimited JSON, with their line numbers: for value, line in json.lines(text) do … end. Blank
--- lines are passed over; an error names the line.
---@param text string
---@param options? itlua.json.DecodeOptions
---@return fun(): any, integer
function json.lines(text, options)
  local settings = {}
  for k, v in pairs(options or {}) do settings[k] = v end
  local name, number, next_line = settings.name or "invalid JSON", 0, text:gmatch("[^\n]*")
  return function()
    for line in next_line do
      number = number + 1
      if line:find("%S") then
        settings.name = ("%s (line %d of the text)"):format(name, number)
        return core.decode(line, settings), number
      end
    end
  end
end

return json
