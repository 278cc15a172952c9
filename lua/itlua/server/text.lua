--- The small encodings of HTTP: percent-encoding, "a=1&b=2", header parameters.

local text = {}

local function byte_of(hex)
  return string.char(tonumber(hex, 16))
end

--- Decodes percent-encoding; what is malformed stays as it is.
---@param s string
---@return string
function text.decode(s)
  if not s:find("%", 1, true) then return s end
  return (s:gsub("%%(%x%x)", byte_of))
end

local function decode_form(s)
  if s:find("+", 1, true) then s = s:gsub("%+", " ") end
  return text.decode(s)
end

--- Decodes a query or an urlencoded body.
---@param s string
---@return table<string, string> first the first value of each name
---@return table<string, string[]> all every value of each name, in order
function text.pairs(s)
  local first, all = {}, {}
  for pair in s:gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=(.*)$")
    name, value = decode_form(name or pair), value and decode_form(value) or ""
    if all[name] then
      all[name][#all[name] + 1] = value
    else
      first[name], all[name] = value, { value }
    end
  end
  return first, all
end

-- The quoted string that begins at `from`: its text, and where it ends.
local function quoted_string(value, from)
  local at = from + 1
  while true do
    local found = value:find('["\\]', at)
    if not found then return value:sub(from + 1), #value + 1 end
    if value:byte(found) == 34 then return (value:sub(from + 1, found - 1):gsub("\\(.)", "%1")), found + 1 end
    at = found + 2
  end
end

--- Splits a header value such as `form-data; name="a"; filename="b.txt"`.
---@param value string
---@return string main lower case
---@return table<string, string> parameters names in lower case
function text.parameters(value)
  local main, at = value:match("^%s*([^;%s]*)[^;]*()")
  local parameters = {}
  while true do
    local name, from = value:match("^[;%s]*([^=;%s]+)%s*=%s*()", at)
    if not name then return main:lower(), parameters end
    local parameter
    if value:byte(from) == 34 then
      parameter, at = quoted_string(value, from)
    else
      parameter, at = value:match("^([^;%s]*)()", from)
    end
    parameters[name:lower()] = parameter
  end
end

return text
