--- Options: what a client or a request was asked for, checked and made flat for the binding (src/bind/http_settings.c
--- and http_send.c list what it takes).

local core = require "itlua.core"
local headers = require "itlua.http.headers"
local url = require "itlua.http.url"

local options = {}

--- What a client does unless told otherwise.
options.defaults = {
  timeout = 10,
  connect_timeout = 5,
  max_size = 64 * 1024 * 1024,
  redirects = 10,
}

-- ---- which there are ----------------------------------------------------------------------------

-- Of clients and requests: the types an option may have.
local SHARED = {
  headers = "table",
  query = "table string",
  timeout = "number boolean",
  connect_timeout = "number boolean",
  max_size = "number boolean",
  redirects = "number boolean",
  bearer = "string boolean",
  basic = "table string boolean",
  digest = "table string boolean",
  tls = "table",
  proxy = "string boolean",
  unix_socket = "string",
  version = "string number",
  decompress = "boolean",
  keep_alive = "boolean",
  resolve = "table",
  retry = "number table boolean",
  cookies = "table boolean",
}

local CLIENT = { base_url = "string", quiet = "boolean" }

local REQUEST = {
  json = "any",
  form = "table string",
  multipart = "table",
  body = "string function userdata",
  file = "string",
  body_size = "number",
  stream = "boolean",
}

local function with(base, more)
  local t = {}
  for k, v in pairs(base) do t[k] = v end
  for k, v in pairs(more) do t[k] = v end
  return t
end

options.of_client = with(SHARED, CLIENT)
options.of_request = with(SHARED, REQUEST)
options.with = with

local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and diagonal or 1 + math.min(diagonal, row[j], row[j - 1])
      diagonal, row[j] = row[j], cost
    end
  end
  return row[#b]
end

local function unknown(key, known, what)
  local best, nearest = 3, nil
  for name in pairs(known) do
    local d = type(key) == "string" and distance(key, name) or 9
    if d < best or (d == best and nearest and name < nearest) then best, nearest = d, name end
  end
  core.usage(("%s has no option '%s'%s"):format(what, tostring(key),
    nearest and ("; did you mean '%s'?"):format(nearest) or ""))
end

--- Raises a usage error for what is no option or has a wrong type.
---@param given table
---@param known table<string, string>
---@param what string   "http.client"
function options.check(given, known, what)
  if type(given) ~= "table" then
    core.usage(("%s: the options are a table, not a %s"):format(what, type(given)))
  end
  for key, value in pairs(given) do
    local types = known[key]
    if not types then unknown(key, known, what) end
    if types ~= "any" and not types:find(type(value), 1, true) then
      core.usage(("%s: option '%s' is a %s, not a %s"):format(what, key, types:gsub(" ", " or a "), type(value)))
    end
  end
end

-- ---- settings -----------------------------------------------------------------------------------

local function seconds(name, value)
  if value == false then return 0 end
  if value == true or value <= 0 or value ~= value then
    core.usage(("option '%s' is a positive number of seconds, or false for no limit"):format(name))
  end
  return value < math.huge and value or 0
end

local function max_size(value)
  if value == false then return math.huge end
  if value == true or value < 0 or value ~= value then
    core.usage("option 'max_size' is a number of bytes, or false for no limit")
  end
  return value
end

local function redirects(value)
  if value == true then return options.defaults.redirects end
  if value == false then return 0 end
  if math.type(value) ~= "integer" or value < 0 then
    core.usage("option 'redirects' is a whole number, true or false")
  end
  return value
end

local VERSIONS = {
  ["1.0"] = "1.0", ["1.1"] = "1.1", ["2"] = "2", ["2.0"] = "2", ["2-prior-knowledge"] = "2-prior-knowledge",
  ["3"] = "3", ["3.0"] = "3",
}

local function version(value)
  return VERSIONS[tostring(value)] or
    core.usage(("option 'version' is '1.0', '1.1', '2', '2-prior-knowledge' or '3', not '%s'"):format(value))
end

local TLS = {
  ca = "string", cert = "string", key = "string", key_password = "string", verify = "boolean",
  version = "string number",
}

local function tls(settings, given)
  options.check(given, TLS, "tls")
  for _, name in ipairs { "ca", "cert", "key" } do
    local value = given[name]
    if value then settings[value:find("-----BEGIN", 1, true) and name .. "_pem" or name] = value end
  end
  settings.key_password = given.key_password
  settings.verify = given.verify
  if given.version then settings.tls_version = tostring(given.version) end
end

local function split_address(address)
  local host, port = address:match("^(%[[^%]]*%]):?(%d*)$")
  if not host then host, port = address:match("^([^:]+):?(%d*)$") end
  if not host then core.usage(("option 'resolve': '%s' is no 'host' or 'host:port'"):format(address)) end
  return host, port
end

local function connect_to(map)
  local lines = {}
  for from, to in pairs(map) do
    if type(from) ~= "string" or type(to) ~= "string" then
      core.usage("option 'resolve' maps 'host[:port]' to 'address[:port]'")
    end
    local host, port = split_address(from)
    local other, other_port = split_address(to)
    lines[#lines + 1] = ("%s:%s:%s:%s"):format(host, port, other, other_port)
  end
  table.sort(lines)
  return lines
end

local function credentials(name, value)
  local user, password
  if type(value) == "table" then
    user, password = value[1] or value.user, value[2] or value.password
  elseif type(value) == "string" then
    user, password = value:match("^([^:]*):(.*)$")
  end
  if type(user) ~= "string" or type(password) ~= "string" then
    core.usage(("option '%s' is {'user', 'password'} or 'user:password'"):format(name))
  end
  return user, password
end

-- How a request says who it is: one of bearer, basic and digest, which replaces the client's.
local function authenticate(settings, entries, given)
  local scheme
  for _, name in ipairs { "bearer", "basic", "digest" } do
    if given[name] ~= nil then
      if scheme and given[name] and given[scheme] then
        core.usage(("options '%s' and '%s' exclude each other"):format(scheme, name))
      end
      if given[name] or not scheme then scheme = name end
    end
  end
  if not scheme then return end
  local entry = { lower = "authorization", name = "Authorization", remove = true }
  settings.user, settings.password = false, false
  if scheme == "bearer" and given.bearer then
    entry = headers.entries({ Authorization = "Bearer " .. given.bearer })[1]
  elseif given[scheme] then
    settings.user, settings.password = credentials(scheme, given[scheme])
    settings.auth = scheme
  end
  if not headers.has(entries, "authorization") then entries[#entries + 1] = entry end
end

local function cookie_text(map)
  local list = {}
  for i, field in ipairs(url.fields(map, "cookies")) do list[i] = field[1] .. "=" .. field[2] end
  return table.concat(list, "; ")
end

--- The settings of the options, flat; and their headers as entries.
---@param given table
---@return table settings
---@return table[] entries
function options.settings(given)
  local settings = {}
  local entries = given.headers and headers.entries(given.headers) or {}
  if given.timeout ~= nil then settings.timeout = seconds("timeout", given.timeout) end
  if given.connect_timeout ~= nil then settings.connect_timeout = seconds("connect_timeout", given.connect_timeout) end
  if given.max_size ~= nil then settings.max_size = max_size(given.max_size) end
  if given.redirects ~= nil then settings.redirects = redirects(given.redirects) end
  if given.version then settings.version = version(given.version) end
  if given.tls then tls(settings, given.tls) end
  if given.proxy ~= nil then
    settings.proxy = given.proxy
    settings.no_proxy = "" -- what was asked for counts for every host
  end
  if given.resolve then settings.connect_to = connect_to(given.resolve) end
  if type(given.cookies) == "table" then settings.cookie = cookie_text(given.cookies) end
  settings.quiet = given.quiet
  settings.unix_socket, settings.decompress, settings.keep_alive = given.unix_socket, given.decompress, given.keep_alive
  authenticate(settings, entries, given)
  return settings, entries
end

-- ---- retries ------------------------------------------------------------------------------------

local RETRY = {
  times = "number", delay = "number", factor = "number", max_delay = "number", status = "table",
  errors = "table boolean",
}

local function set_of(list)
  local set = {}
  for _, v in ipairs(list) do set[v] = true end
  return set
end

--- `retry = 3` or `retry = {times=, delay=, factor=, max_delay=, status={…}, errors={…}|boolean}` with what it leaves
--- open.
---@param given number|table|boolean
---@return table?
function options.retry(given)
  if not given then return nil end
  if given == true then given = 3 end
  if type(given) == "number" then given = { times = given } end
  options.check(given, RETRY, "retry")
  local errors = given.errors
  return {
    times = given.times or 3,
    delay = given.delay or 0.1,
    factor = given.factor or 2,
    max_delay = given.max_delay or 5,
    status = set_of(given.status or { 429, 502, 503, 504 }),
    errors = type(errors) == "table" and set_of(errors) or errors ~= false,
  }
end

return options
