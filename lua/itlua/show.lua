--- Lua values as short readable text, for diffs and failure messages: quoted strings with what is invisible made
-- visible, tables on one line, null as null. Bounded, and safe for cycles and any bytes.

local null = require "itlua.null"

local show = {}

local escapes = { ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ['"'] = '\\"', ["\\"] = "\\\\" }

-- Code points that look like nothing, like a blank, or turn the direction of text.
local function invisible(code)
  return code == 0xA0 or code == 0xAD or code == 0xFEFF or code == 0x3000 or (code >= 0x80 and code <= 0x9F)
    or (code >= 0x2000 and code <= 0x200F) or (code >= 0x2028 and code <= 0x202F) or (code >= 0x205F and code <= 0x206F)
    or (code >= 0xFFF0 and code <= 0xFFFF)
end

local function escape_control(c) return escapes[c] or ("\\x%02X"):format(c:byte()) end

local function escape_wide(s)
  local parts, from = {}, 1
  while from <= #s do
    local length, bad = utf8.len(s, from)
    local stop = length and #s or bad - 1
    if stop >= from then
      for _, code in utf8.codes(s:sub(from, stop)) do
        parts[#parts + 1] = invisible(code) and ("\\u{%X}"):format(code) or utf8.char(code)
      end
    end
    if bad then parts[#parts + 1] = ("\\x%02X"):format(s:byte(bad)) end
    from = stop + (bad and 2 or 1)
  end
  return table.concat(parts)
end

--- The inside of a quoted string.
---@param s string
---@return string
function show.escape(s)
  if s:find '[%c"\\\127]' then s = s:gsub('[%c"\\\127]', escape_control) end
  if s:find "[\128-\255]" then s = escape_wide(s) end
  return s
end

-- Cut at a boundary of UTF-8 characters.
local function cut(s, limit)
  if #s <= limit then return s end
  local at = limit
  while at > 0 and (s:byte(at + 1) or 0) & 0xC0 == 0x80 do at = at - 1 end
  return s:sub(1, at)
end
show.cut = cut

local function string_text(s, limit)
  if #s <= limit then return '"' .. show.escape(s) .. '"' end
  return ('"%s…" (%d bytes)'):format(show.escape(cut(s, limit)), #s)
end

--- A number as a person writes it, with as many digits as tell it from any other.
---@param n number
---@return string
function show.number(n)
  if math.type(n) == "integer" then return tostring(n) end
  if n ~= n then return "nan" end
  if n == math.huge then return "inf" end
  if n == -math.huge then return "-inf" end
  local text = ("%.14g"):format(n)
  if tonumber(text) ~= n then text = ("%.17g"):format(n) end
  return text:find "[%.en]" and text or text .. ".0"
end

--- A key as part of a path: ".name", "[3]", '["two words"]'. Without the point at the beginning of a path.
---@param key any
---@param first? boolean
---@return string
function show.key(key, first)
  if type(key) == "string" then
    if key:find "^[%a_][%w_%-]*$" then return (first and "" or ".") .. key end
    return "[" .. string_text(key, 80) .. "]"
  end
  if type(key) == "number" then return "[" .. show.number(key) .. "]" end
  return "[" .. tostring(key) .. "]"
end

local ranks = { number = 1, string = 2, boolean = 3 }

--- A table's keys in an order that is always the same: numbers, strings, the rest.
---@param t table
---@param more? table     its keys, too
---@return any[]
function show.keys(t, more)
  local keys = {}
  for key in next, t do keys[#keys + 1] = key end
  if more then
    for key in next, more do
      if rawget(t, key) == nil then keys[#keys + 1] = key end
    end
  end
  table.sort(keys, function(a, b)
    local ta, tb = type(a), type(b)
    if ta ~= tb then return (ranks[ta] or 9) < (ranks[tb] or 9) end
    if ta == "number" or ta == "string" then return a < b end
    return tostring(a) < tostring(b)
  end)
  return keys
end

-- A tostring that cannot raise, whatever the metatable does.
local function own_words(value)
  local ok, words = pcall(tostring, value)
  return ok and words or type(value)
end

local value_text

local function table_text(t, limit, depth, seen)
  if seen[t] then return "{ … itself }" end
  if depth > 8 then return "{ … }" end
  local mt = debug.getmetatable(t)
  if mt and rawget(mt, "__tostring") and rawget(mt, "__jsontype") == nil then return cut(own_words(t), limit) end
  if next(t) == nil then return "{}" end
  seen[t] = true
  local parts, length, shown, total = {}, 0, 0, 0
  local array = #t
  for _, key in ipairs(show.keys(t)) do
    total = total + 1
    if length < limit then
      local name = ""
      if math.type(key) ~= "integer" or key < 1 or key > array then
        name = type(key) == "string" and key:find "^[%a_][%w_]*$" and key .. " = " or show.key(key, true) .. " = "
      end
      local part = name .. value_text(rawget(t, key), math.max(8, limit - length), depth + 1, seen)
      length = length + #part + 2
      shown = shown + 1
      parts[#parts + 1] = part
    end
  end
  seen[t] = nil
  if shown < total then parts[#parts + 1] = ("… %d more"):format(total - shown) end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

function value_text(value, limit, depth, seen)
  if value == null then return "null" end
  local kind = type(value)
  if kind == "string" then return string_text(value, limit) end
  if kind == "number" then return show.number(value) end
  if kind == "table" then return table_text(value, limit, depth, seen) end
  if kind == "nil" or kind == "boolean" then return tostring(value) end
  return cut(show.escape(own_words(value)), limit)
end

--- Any value on one line.
---@param value any
---@param limit? integer     roughly how many bytes, 60 by default
---@return string
function show.value(value, limit)
  return value_text(value, limit or 60, 1, {})
end

--- What a value is: "null", "integer", "array", "object", or Lua's type.
---@param value any
---@return string
function show.kind(value)
  if value == null then return "null" end
  if value == nil then return "nothing" end
  return type(value)
end

-- ---- JSON

local closing = { ["{"] = "}", ["["] = "]" }

-- The lines from `first` on as one, where that is no wider than `width`.
local function joined(lines, first, width)
  local bare = {}
  for i = first, #lines do bare[#bare + 1] = (i == first and lines[i] or lines[i]:match "^%s*(.*)$") end
  local line = table.concat(bare, " ")
  return (utf8.len(line) or #line) <= width and line or nil
end

--- Indented JSON with every object and list that is narrow enough on one line.
---@param pretty string     of json.encode(value, { pretty = true })
---@param width integer     columns
---@return string
function show.folded(pretty, width)
  local lines, open = {}, {}
  for line in (pretty .. "\n"):gmatch "(.-)\n" do
    lines[#lines + 1] = line
    local last = line:match "[%[{]$"
    if last then
      open[#open + 1] = { at = #lines, closes = closing[last] }
    elseif #open > 0 and line:match "^%s*([%]}]),?$" == open[#open].closes then
      local first = table.remove(open).at
      local one = joined(lines, first, width)
      if one then
        for i = #lines, first, -1 do lines[i] = nil end
        lines[first] = one
      end
    end
  end
  return table.concat(lines, "\n")
end

return show
