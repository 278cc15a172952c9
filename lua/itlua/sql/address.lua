--- Where a database is: a URL, libpq's "host=… dbname=…", or a table, to what libpq is given. Host names are
-- resolved here, for libpq would stop the whole program while it waits for the name server.

local core = require "itlua.core"
local dns = require "itlua.dns"
local encode = require "itlua.encode"
local show = require "itlua.show"
local sql_core = require "itlua.sql.core"

local address = {}

-- What is ours, beside libpq's own keywords.
local ours = {
  url = "string", database = "string", timeout = "number", timezone = "any", settings = "table", prepare = "boolean",
  size = "number", acquire_timeout = "number",
}

local defaults, keywords = sql_core.defaults() -- from the environment and a service file

local function parse(text)
  local found, wrong = sql_core.parse(text)
  if not found then core.usage("sql.connect: " .. wrong:gsub("%s+$", "")) end
  return found
end

local function check(name, value, wanted)
  local kind = type(value)
  if wanted == "any" or kind == wanted or wanted == "text" and (kind == "string" or kind == "number") then return end
  core.usage(("sql.connect: option '%s' must be a %s, not %s"):format(name, wanted == "text" and "string" or wanted,
    show.kind(value)))
end

local function text_of(value)
  return math.type(value) == "float" and ("%.0f"):format(value) or tostring(value)
end

--- The keywords of libpq and our options that a URL or table stands for.
---@param where string|table
---@return table keywords
---@return table options
function address.parse(where)
  if type(where) == "string" then where = { url = where } end
  if type(where) ~= "table" then core.usage("sql.connect needs a URL or a table, not " .. show.kind(where)) end
  if where.url ~= nil then check("url", where.url, "string") end
  local found, options = where.url and parse(where.url) or {}, {}
  for name, value in pairs(where) do
    if ours[name] then
      check(name, value, ours[name])
      options[name] = value
    elseif keywords[name] then
      check(name, value, "text")
      found[name] = text_of(value)
    else
      core.usage("sql.connect: there is no option " .. show.value(name))
    end
  end
  if options.database then found.dbname = options.database end
  for _, name in ipairs { "host", "hostaddr", "port", "user", "dbname" } do
    found[name] = found[name] or defaults[name]
  end
  found.dbname = found.dbname or found.user
  found.client_encoding = "UTF8"
  found.fallback_application_name = found.fallback_application_name or "itlua"
  -- Looking for Kerberos tickets takes milliseconds, and nobody tests with them unless he says so.
  found.gssencmode = found.gssencmode or "disable"
  return found, options
end

--- The URL of it without password, for messages.
---@param found table     keywords
---@return string
function address.label(found)
  local host, port, name = found.host or found.hostaddr or "", found.port or "5432", found.dbname or ""
  if host == "" or host:find "^[/@]" then return ("postgresql:///%s?host=%s&port=%s"):format(name, host, port) end
  if host:find ":" then host = "[" .. host .. "]" end
  local user = found.user and found.user .. "@" or ""
  if not host:find "," and not port:find "," then host = host .. ":" .. port end
  return ("postgresql://%s%s/%s"):format(user, host, name)
end

--- The environment in which other programs find it: DATABASE_URL, and libpq's own variables.
---@param found table     keywords
---@return table<string, string>
function address.environment(found)
  local host, name = found.host or found.hostaddr or "", found.dbname or ""
  local who = found.user and encode.url(found.user) .. (found.password and ":" .. encode.url(found.password) or "") .. "@" or ""
  local where = host:find ":" and not host:find "," and "[" .. host .. "]" or host
  local url = host:find "^[/@]" and ("postgresql://%s/%s?host=%s&port=%s"):format(who, encode.url(name), encode.url(host),
    found.port or "5432") or ("postgresql://%s%s:%s/%s"):format(who, where, found.port or "5432", encode.url(name))
  return {
    DATABASE_URL = url, PGHOST = host, PGPORT = found.port, PGUSER = found.user, PGPASSWORD = found.password, PGDATABASE = name,
  }
end

local function split(list)
  local items = {}
  for item in (list .. ","):gmatch "([^,]*)," do items[#items + 1] = item end
  return items
end

--- Replaces host names by what they resolve to: every address of every host, in order. Waits.
---@param found table     keywords, changed in place
function address.resolve(found)
  if found.hostaddr or not found.host then return end
  local hosts, ports = split(found.host), split(found.port or "")
  local names, addresses, at_ports = {}, {}, {}
  local function add(host, ip, i)
    names[#names + 1], addresses[#addresses + 1] = host, ip
    at_ports[#at_ports + 1] = ports[i] or ports[1]
  end
  for i, host in ipairs(hosts) do
    if host == "" or host:find "^[/@]" then
      add(host, "", i)
    else
      for _, ip in ipairs(dns.resolve(host)) do add(host, ip, i) end
    end
  end
  found.host, found.hostaddr = table.concat(names, ","), table.concat(addresses, ",")
  found.port = table.concat(at_ports, ",")
end

return address
