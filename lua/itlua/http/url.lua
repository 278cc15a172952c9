--- URLs: what is asked of a client, joined to its base, with the query written out.

local core = require "itlua.core"

local url = {}

local function percent(c)
  return ("%%%02X"):format(c:byte())
end

--- Everything but unreserved characters as %XX.
---@param s string
---@return string
function url.escape(s)
  return (s:gsub("[^%w%-._~]", percent))
end

local function text(value, name, what)
  local kind = type(value)
  if kind == "string" or kind == "number" or kind == "boolean" then return tostring(value) end
  core.usage(("%s: the value of '%s' is a %s; it can be a string, a number, a boolean or a list of those"):format(
    what, name, kind))
end

local function add(list, name, value, what)
  name = tostring(name)
  if type(value) ~= "table" then
    list[#list + 1] = { name, text(value, name, what) }
    return
  end
  for _, v in ipairs(value) do list[#list + 1] = { name, text(v, name, what) } end
end

--- A table as a list of {name, value}: of a map sorted by name, a list of pairs in its order. A value that is a list
--- is repeated.
---@param t table
---@param what string   for messages: "query"
---@return { [1]: string, [2]: string }[]
function url.fields(t, what)
  local list, names = {}, {}
  for key, value in pairs(t) do
    if math.type(key) ~= "integer" then
      names[#names + 1] = key
    elseif type(value) ~= "table" or value[1] == nil then
      core.usage(("%s: a list holds pairs, {{'name', 'value'}, …}; number %d is none"):format(what, key))
    end
  end
  for _, pair in ipairs(t) do add(list, pair[1], pair[2], what) end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  for _, name in ipairs(names) do add(list, name, t[name], what) end
  return list
end

local function encode(t, what, space)
  if type(t) == "string" then return t end
  local parts = {}
  for i, field in ipairs(url.fields(t, what)) do
    parts[i] = url.escape(field[1]) .. "=" .. url.escape(field[2])
  end
  local encoded = table.concat(parts, "&")
  return space and encoded:gsub("%%20", space) or encoded
end

--- "a=1&b=two%20words"; a string is taken as it is.
---@param t table|string
---@return string
function url.query(t)
  return encode(t, "query")
end

--- The same as a form's body: blanks are "+".
---@param t table|string
---@return string
function url.form(t)
  return (encode(t, "form", "+"))
end

--- The URL with more in its query.
---@param target string
---@param query string
---@return string
function url.with_query(target, query)
  if query == "" then return target end
  local before, fragment = target:match("^([^#]*)(.*)$")
  local joint = not before:find("?", 1, true) and "?" or before:find("[?&]$") and "" or "&"
  return before .. joint .. query .. fragment
end

--- A path of a client, or an absolute URL as it is. What no URL may contain (blanks, bytes beyond ASCII) is escaped.
---@param prefix? string   the client's base_url without a slash at its end
---@param path string
---@return string
function url.join(prefix, path)
  if path:find("^%a[%w+.-]*://") then
    local authority, rest = path:match("^(%a[%w+.-]*://[^/?#]*)(.*)$")
    return authority .. rest:gsub("[^!-~]", percent)
  end
  if not prefix then
    core.usage(("'%s' is no absolute URL, and the client has no base_url"):format(path))
  end
  path = path:gsub("[^!-~]", percent)
  if path == "" or path:find("^[/?#]") then return prefix .. path end
  return prefix .. "/" .. path
end

return url
