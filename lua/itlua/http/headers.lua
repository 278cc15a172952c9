--- Headers: those of a request as lines for libcurl, those of a response by name.

local core = require "itlua.core"

local headers = {}

-- ---- of requests --------------------------------------------------------------------------------

local function check(name, value)
  if type(name) ~= "string" or not name:find("^[%w!#$%%&'*+%-.^_`|~]+$") then
    core.usage(("'%s' is no name of a header"):format(tostring(name)))
  end
  local kind = type(value)
  if kind ~= "string" and kind ~= "number" then
    core.usage(("header %s: the value is a %s; it can be a string, a number, a list of those, or false for none")
      :format(name, kind))
  end
  value = tostring(value)
  if value:find("[\r\n\0]") then core.usage(("header %s: the value has a line break or a zero byte"):format(name)) end
  return value
end

local function add(list, name, value)
  if value == false then
    check(name, "")
    list[#list + 1] = { lower = name:lower(), name = name }
    return
  end
  for _, v in ipairs(type(value) == "table" and value or { value }) do
    v = check(name, v)
    list[#list + 1] = { lower = name:lower(), name = name, value = v }
  end
end

--- A table of headers as a list of entries: a map by name (sorted), or a list of {name, value}. `false` is "not this
--- one".
---@param t table
---@return { lower: string, name: string, value?: string }[]
function headers.entries(t)
  local list, names = {}, {}
  for key, value in pairs(t) do
    if math.type(key) == "integer" then
      if type(value) ~= "table" then core.usage("headers: a list holds pairs, {{'name', 'value'}, …}") end
      add(list, value[1], value[2])
    else
      names[#names + 1] = key
      if type(key) ~= "string" then check(key, "") end
    end
  end
  table.sort(names)
  for _, name in ipairs(names) do add(list, name, t[name]) end
  return list
end

--- The first list without what the second one names, and the second. An entry marked `remove` only removes.
function headers.merge(base, more)
  local named, list = {}, {}
  for _, entry in ipairs(more) do named[entry.lower] = true end
  for _, entry in ipairs(base) do
    if not named[entry.lower] then list[#list + 1] = entry end
  end
  for _, entry in ipairs(more) do
    if not entry.remove then list[#list + 1] = entry end
  end
  return list
end

function headers.has(list, lower)
  for _, entry in ipairs(list) do
    if entry.lower == lower then return true end
  end
  return false
end

--- As libcurl wants them: "Name: value", "Name;" for an empty value, "Name:" for none at all.
function headers.lines(list)
  local lines = {}
  for i, entry in ipairs(list) do
    if not entry.value then
      lines[i] = entry.name .. ":"
    elseif entry.value:find("^%s*$") then
      lines[i] = entry.name .. ";"
    else
      lines[i] = entry.name .. ": " .. entry.value
    end
  end
  return lines
end

-- ---- of responses -------------------------------------------------------------------------------

---@class itlua.http.Headers   by name, whatever its case: headers["content-type"], headers.Location. A header that
---came several times is its values joined by ", "; headers:all(name) tells them apart. pairs() goes through all in
---their order.
local Headers = {}

local lists = setmetatable({}, { __mode = "k" })

--- Every value of a header, in order.
---@param name string
---@return string[]
function Headers:all(name)
  local lower, values = name:lower(), {}
  for _, entry in ipairs(lists[self]) do
    if entry[1]:lower() == lower then values[#values + 1] = entry[2] end
  end
  return values
end

--- The value of a header, also of one named as a method of this object.
---@param name string
---@return string?
function Headers:get(name)
  local values = Headers.all(self, name)
  return values[1] and table.concat(values, ", ")
end

--- All of them as a plain table: lower-case name to value.
---@return table<string, string>
function Headers:table()
  local t = {}
  for _, entry in ipairs(lists[self]) do
    local lower = entry[1]:lower()
    t[lower] = t[lower] and t[lower] .. ", " .. entry[2] or entry[2]
  end
  return t
end

local meta = { __name = "itlua.http.headers" }

function meta:__index(name)
  if Headers[name] then return Headers[name] end
  if type(name) == "string" then return Headers.get(self, name) end
end

function meta:__pairs()
  local list, i = lists[self], 0
  return function()
    i = i + 1
    if list[i] then return list[i][1], list[i][2] end
  end
end

function meta:__len()
  return #lists[self]
end

function meta:__tostring()
  local lines = {}
  for i, entry in ipairs(lists[self]) do lines[i] = entry[1] .. ": " .. entry[2] end
  return table.concat(lines, "\n")
end

local function split(text)
  local list = {}
  for line in text:gmatch("[^\r\n]+") do
    local name, value = line:match("^([^:]+):%s*(.-)%s*$")
    if name then
      list[#list + 1] = { name, value }
    elseif #list > 0 and line:find("^%s") then -- a folded line
      list[#list][2] = list[#list][2] .. " " .. line:match("^%s*(.-)%s*$")
    end
  end
  return list
end

local function object(list)
  local self = setmetatable({}, meta)
  lists[self] = list
  return self
end

--- What a response's head says.
---@param head string   from the status line on; trailers may follow the blank line
---@return itlua.http.Headers headers
---@return itlua.http.Headers trailers
---@return string reason   the words after the status, "" where there are none (HTTP/2)
function headers.parse(head)
  local status, rest = head:match("^([^\r\n]*)\r?\n(.*)$")
  if not status then return object {}, object {}, "" end
  local fields, trailers = rest:match("^(.-\n)\r?\n(.*)$")
  if not fields then fields, trailers = rest, "" end
  return object(split(fields)), object(split(trailers)), status:match("^HTTP/%S+ +%d+ *(.-)%s*$") or ""
end

return headers
