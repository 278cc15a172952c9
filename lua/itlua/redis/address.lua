--- URLs of Redis servers.

local core = require "itlua.core"

local address = {}

local function percent_decode(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

--- redis://[user:password@]host[:port][/database], rediss://…, unix:///path[?db=n]
---@param url string
---@return table options     of redis.connect
function address.parse(url)
  local scheme, rest = url:match("^([%w+]+)://(.*)$")
  if scheme == "unix" or scheme == "redis+unix" then
    local path, query = rest:match("^([^?]*)%??(.*)$")
    return { path = percent_decode(path), database = tonumber(query:match("db=(%d+)")) }
  end
  if scheme ~= "redis" and scheme ~= "rediss" then
    core.usage(("'%s' is no Redis URL: redis://[user:password@]host[:port][/database], rediss://… or unix:///path")
      :format(url))
  end
  local authority, path = rest:match("^([^/]*)/?(.*)$")
  local userinfo, hostport = authority:match("^(.*)@(.*)$")
  hostport = hostport or authority
  local host, port = hostport:match("^%[(.-)%]:?(%d*)$")
  if not host then host, port = hostport:match("^([^:]*):?(%d*)$") end
  if not host then core.usage(("'%s' is no Redis URL: what is '%s'?"):format(url, hostport)) end
  local user, password
  if userinfo then user, password = userinfo:match("^([^:]*):?(.*)$") end
  return {
    host = host ~= "" and host or nil, port = tonumber(port),
    user = user and user ~= "" and percent_decode(user) or nil,
    password = password and password ~= "" and percent_decode(password) or nil,
    database = tonumber(path),
    tls = scheme == "rediss" and {} or nil,
  }
end

return address
