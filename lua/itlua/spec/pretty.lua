--- Tables as source text, as Penlight's pretty.write prints them: what busted shows of an error that is a table.

local pretty = {}

local keywords = {}
for word in ([[and break do else elseif end false for function if in local nil not or repeat return then true until
  while]]):gmatch("%a+") do
  keywords[word] = true
end

local function number(value)
  if value ~= value then return "NaN" end
  if value == math.huge then return "Inf" end
  if value == -math.huge then return "-Inf" end
  if math.floor(value) == value and math.tointeger(value) then return ("%d"):format(value) end
  return ("%.14g"):format(value)
end

local function text(value)
  return type(value) == "number" and number(value) or tostring(value)
end

-- A string in quotes, or in long brackets of a level that it does not contain.
local function quoted(s)
  local level = -1
  for equals in (s .. "]"):gmatch("](=*)") do
    if (s .. "]"):find("]" .. equals .. "]", 1, true) then level = math.max(level, #equals) end
  end
  if (s:find("\n") or level >= 0) and not s:find("\r") then
    local equals = ("="):rep(level + 1)
    return "[" .. equals .. "[" .. (s:find("^\n") and "\n" or "") .. s .. "]" .. equals .. "]"
  end
  return (("%q"):format(s):gsub("\r", "\\r"))
end

local function is_identifier(s)
  return s:find("^[%a_][%w_]*$") and not keywords[s]
end

local function key_text(key)
  if type(key) == "number" then return "[" .. text(key) .. "]" end
  key = text(key)
  if is_identifier(key) then return key end
  key = quoted(key)
  return "[" .. (key:find("^%[") and " " .. key .. " " or key) .. "]"
end

local function sorted_keys(value)
  local named, numbers = {}, {}
  for key in next, value do
    local list = type(key) == "number" and numbers or named
    list[#list + 1] = key
  end
  table.sort(named, function(a, b)
    if type(a) ~= type(b) then return type(a) < type(b) end
    return text(a) < text(b)
  end)
  return named, numbers
end

local write_table

local function write_value(value, indent, open)
  if type(value) == "table" then return write_table(value, indent, open) end
  if type(value) == "string" then return quoted(value) end
  local words = text(value)
  return words:find(" ") and quoted(words) or words
end

function write_table(value, indent, open)
  if open[value] then return "<cycle>" end
  open[value] = true
  local inner, lines, listed = indent .. "  ", {}, {}
  local function add(entry) lines[#lines + 1] = inner .. entry end
  for i, item in ipairs(value) do
    add(write_value(item, inner, open))
    listed[i] = true
  end
  local named, numbers = sorted_keys(value)
  for _, key in ipairs(named) do add(key_text(key) .. " = " .. write_value(rawget(value, key), inner, open)) end
  for _, key in ipairs(numbers) do
    if not listed[key] then add(key_text(key) .. " = " .. write_value(rawget(value, key), inner, open)) end
  end
  open[value] = nil
  if #lines == 0 then return "{\n" .. indent .. "}" end
  return "{\n" .. table.concat(lines, ",\n") .. "\n" .. indent .. "}"
end

--- The value as text, an entry a line.
---@param value any
---@return string
function pretty.write(value)
  if type(value) == "table" then return write_table(value, "", {}) end
  if type(value) == "string" then return quoted(value) end
  return text(value)
end

return pretty
