--- Cookies: the Cookie header to a table, a table to Set-Cookie headers.

local core = require "itlua.core"

local cookies = {}

--- The cookies of a Cookie header; of a repeated name the first.
---@param header string?
---@return table<string, string>
function cookies.parse(header)
  local found = {}
  for pair in (header or ""):gmatch("[^;]+") do
    local name, value = pair:match("^%s*([^=%s]+)%s*=%s*(.-)%s*$")
    if name and found[name] == nil then found[name] = value:match('^"(.*)"$') or value end
  end
  return found
end

---@class itlua.server.cookie
---@field value string
---@field path? string "/" where not given
---@field domain? string
---@field max_age? integer seconds
---@field expires? string an HTTP date
---@field http_only? boolean
---@field secure? boolean
---@field same_site? "Strict"|"Lax"|"None"

local function text_of(name, value)
  if type(value) ~= "string" or value:find("[%c;,\"\\ ]") then
    core.usage(("cookie %s: its value has a character that a cookie cannot have: encode it"):format(name))
  end
  return value
end

--- A Set-Cookie header's value. `cookie` false tells the browser to forget it.
---@param name string
---@param cookie string|false|itlua.server.cookie
---@return string
function cookies.format(name, cookie)
  name = tostring(name)
  if not name:find("^[%w!#$%%&'*+%-.^_`|~]+$") then core.usage(("'%s' is no cookie name"):format(name)) end
  if cookie == false then cookie = { value = "", max_age = 0 } end
  if type(cookie) ~= "table" then cookie = { value = cookie } end
  local parts = { name .. "=" .. text_of(name, cookie.value), "Path=" .. (cookie.path or "/") }
  if cookie.domain then parts[#parts + 1] = "Domain=" .. cookie.domain end
  if cookie.max_age then parts[#parts + 1] = ("Max-Age=%d"):format(cookie.max_age) end
  if cookie.expires then parts[#parts + 1] = "Expires=" .. cookie.expires end
  if cookie.secure then parts[#parts + 1] = "Secure" end
  if cookie.http_only then parts[#parts + 1] = "HttpOnly" end
  if cookie.same_site then parts[#parts + 1] = "SameSite=" .. cookie.same_site end
  return table.concat(parts, "; ")
end

return cookies
