--- Values as Lua source, and whether a value can be expected to be the same the next time.

local null = require "itlua.null"
local show = require "itlua.show"

local literal = {}

local MAX_STRING, MAX_DEPTH, MAX_ITEMS = 300, 6, 60

-- Strings that nobody gets twice: dates, tokens, addresses of this run, temporary files.
local passing = {
  "%d%d%d%d%-%d%d%-%d%d", "%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-", "^eyJ", "%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x",
  "127%.0%.0%.1", "localhost:%d", "%[::1%]", "/tmp/", "%d%d:%d%d:%d%d", "0x%x%x%x%x%x%x%x%x", "\27",
}

-- Fields whose values are of the moment.
local passing_names = {
  "token", "nonce", "secret", "password", "_at$", "^at$", "time", "date", "duration", "seconds", "^pid$", "^port$", "^url$",
  "^uri$", "etag", "^date$", "random", "uuid", "version", "signature", "expires",
}

--- Whether it can be expected to be the same the next time.
---@param value any
---@param key? any      the field that it is the value of
---@return boolean
function literal.is_stable(value, key)
  if type(key) == "string" then
    for _, pattern in ipairs(passing_names) do
      if key:lower():find(pattern) then return false end
    end
  end
  if value == nil or value == null or type(value) == "boolean" then return true end
  if type(value) == "number" then
    if math.type(value) == "integer" then return math.abs(value) < 1000000000 end
    return value == value and value * 10000 % 1 == 0 and math.abs(value) < 1e9
  end
  if type(value) ~= "string" or #value > MAX_STRING then return false end
  for _, pattern in ipairs(passing) do
    if value:find(pattern) then return false end
  end
  return not (#value >= 20 and value:find "^[%w_%-+/=]+$" and value:find "%d" and value:find "%u" and value:find "%l")
end

--- What of a value can be expected to be the same, nil where nothing can. Lists keep their length, or are left out.
---@param value any
---@param key? any
---@param depth? integer
---@return any
function literal.stable_part(value, key, depth)
  depth = depth or 1
  if type(value) ~= "table" then
    if value ~= nil and literal.is_stable(value, key) then return value end
    return nil
  end
  local mt = debug.getmetatable(value)
  if depth > MAX_DEPTH or mt and rawget(mt, "__tostring") and not rawget(mt, "__jsontype") then return nil end
  local out = {}
  if #value > 0 then
    if #value > MAX_ITEMS then return nil end
    for i = 1, #value do
      out[i] = literal.stable_part(value[i], nil, depth + 1)
      if out[i] == nil then return nil end
    end
    return out
  end
  for _, k in ipairs(show.keys(value)) do out[k] = literal.stable_part(rawget(value, k), k, depth + 1) end
  return out
end

local function quoted(s)
  return (("%q"):format(s):gsub("\\\n", "\\n"):gsub("\r", "\\r"))
end

local reserved = {}
for word in ("and break do else elseif end false for function goto if in local nil not or repeat return then true until while")
  :gmatch "%a+" do
  reserved[word] = true
end

local function key_of(key)
  if type(key) == "string" and key:find "^[%a_][%w_]*$" and not reserved[key] then return key end
  return "[" .. literal.of(key) .. "]"
end

--- Lua source of it, on one line.
---@param value any     nil, null, boolean, number, string, or a table of those
---@return string
function literal.of(value)
  if value == null then return "null" end
  if type(value) == "string" then return quoted(value) end
  if type(value) == "number" then return show.number(value) end
  if type(value) ~= "table" then return tostring(value) end
  local parts = {}
  for i = 1, #value do parts[i] = literal.of(value[i]) end
  for _, key in ipairs(show.keys(value)) do
    if math.type(key) ~= "integer" or key < 1 or key > #value then
      parts[#parts + 1] = ("%s = %s"):format(key_of(key), literal.of(value[key]))
    end
  end
  return parts[1] and "{ " .. table.concat(parts, ", ") .. " }" or "{}"
end

return literal
