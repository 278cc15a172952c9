--- Lua values to PostgreSQL's text where that takes more than a glance (JSON, arrays, objects), and the types of the
-- user's that a connection has to look up. Decoding is the core's; encoding what it decoded gives the same value again.

local core = require "itlua.core"
local json = require "itlua.json"
local null = require "itlua.null"
local show = require "itlua.show"
local sql_core = require "itlua.sql.core"

local types = {}

-- ---- text that is sent as it is

local Raw = { __name = "itlua.sql.raw" }

function Raw:__tostring()
  return self.text
end

--- A parameter whose text PostgreSQL reads as it is: JSON text, an array's text, a range.
---@param text string
---@return table
function types.raw(text)
  if type(text) ~= "string" then core.usage("sql.raw needs a string, not " .. show.kind(text)) end
  return setmetatable({ text = text }, Raw)
end

-- ---- encoding

-- The shortest text that is the same number again.
local function number_text(n)
  if math.type(n) == "integer" then return tostring(n) end
  if n ~= n then return "NaN" end
  if n == math.huge then return "Infinity" end
  if n == -math.huge then return "-Infinity" end
  local text
  for digits = 15, 17 do
    text = ("%." .. digits .. "g"):format(n)
    if tonumber(text) == n then break end
  end
  return text
end

-- The text of an object that has one (a number kept as text, a UUID of some library).
local function own_text(value)
  local mt = debug.getmetatable(value)
  if mt == Raw then return value.text end
  if type(mt) == "table" and rawget(mt, "__tostring") then return tostring(value) end
end

local function quoted(text)
  return '"' .. text:gsub('[\\"]', "\\%0") .. '"'
end

local function bytes_text(s)
  return "\\x" .. s:gsub(".", function(c) return ("%02x"):format(c:byte()) end)
end

local encode_array

local function element_text(value, kind, delimiter, which)
  if value == null then return "NULL" end
  if kind == "json" then return quoted(debug.getmetatable(value) == Raw and value.text or json.encode(value)) end
  local lua_type = type(value)
  if lua_type == "string" then return quoted(kind == "bytea" and bytes_text(value) or value) end
  if lua_type == "number" then return number_text(value) end
  if lua_type == "boolean" then return value and "t" or "f" end
  local text = (lua_type == "table" or lua_type == "userdata") and own_text(value)
  if text then return quoted(text) end
  if lua_type == "table" then return encode_array(value, kind, delimiter, which) end
  core.usage(("%s: a %s cannot be an element of an array"):format(which, lua_type))
end

function encode_array(list, kind, delimiter, which)
  local n, texts = #list, {}
  for key in next, list do
    if math.type(key) ~= "integer" or key < 1 or key > n then
      core.usage(("%s: an array needs the keys 1, 2, …, not %s"):format(which, show.value(key)))
    end
  end
  for i = 1, n do
    if list[i] == nil then
      core.usage(("%s: element %d is nil (itlua.null is SQL's NULL)"):format(which, i))
    end
    texts[i] = element_text(list[i], kind, delimiter, which)
  end
  local mt = debug.getmetatable(list)
  local bounds = type(mt) == "table" and rawget(mt, "__bounds") or ""
  return bounds .. "{" .. table.concat(texts, delimiter) .. "}"
end

-- Called by the core for what is no plain value of a plain type.
local function encode(value, kind, element_kind, delimiter, which, type_name)
  local object = type(value) == "table" or type(value) == "userdata"
  if debug.getmetatable(value) == Raw then return value.text end
  if kind == "json" then return json.encode(value) end
  local text = object and own_text(value)
  if text then return text end
  if kind == "array" and type(value) == "table" then return encode_array(value, element_kind, delimiter, which) end
  core.usage(("%s is %s: a %s cannot be sent as that"):format(which, type_name, type(value)))
end

sql_core.setup {
  null = null,
  decode_json = function(text) return json.decode(text, { name = "a JSON value", max_size = #text + 1 }) end,
  encode = encode,
}

-- ---- types of the user's

local lookup = [[
SELECT t.oid::int8 AS oid, t.typname AS name, t.typbasetype::int8 AS base, coalesce(e.oid::int8, 0) AS element,
       coalesce(e.typname, t.typname) AS element_name, coalesce(e.typdelim, ',') AS delimiter
FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_type e ON e.typarray = t.oid
WHERE t.oid IN (%s)]]

local function tell(handle, oid, row)
  if handle:knows(oid) then return end
  if not row then
    handle:learn(oid, "unknown")
  elseif row.element ~= 0 then
    handle:learn(oid, row.element_name, row.element, row.delimiter)
  elseif row.base ~= 0 then
    handle:learn(oid, row.name, row.base)
  else
    handle:learn(oid, row.name)
  end
end

--- Looks types up and tells the handle of them: enums and composites are text, domains what they are made of.
---@param handle userdata
---@param oids integer[]
---@param fail fun(problem: table, statement: string)
function types.learn(handle, oids, fail)
  local statement = lookup:format(table.concat(oids, ", "))
  local rows, problem = handle:send(statement, sql_core.ROWS)
  if problem then fail(problem, statement) end
  local found, needed = {}, {}
  for _, row in ipairs(rows) do
    found[row.oid] = row
    local other = row.element ~= 0 and row.element or row.base
    if other ~= 0 and not handle:knows(other) then needed[#needed + 1] = other end
  end
  if #needed > 0 then types.learn(handle, needed, fail) end
  for _, oid in ipairs(oids) do tell(handle, oid, found[oid]) end
end

return types
