--- What a handler returns, and how it becomes an answer.

local core = require "itlua.core"
local native = require "itlua.server.core"
local cookies = require "itlua.server.cookies"

local response = {}

---@class itlua.server.response
---@field status? integer 200 where not given
---@field headers? table<string, string|string[]>
---@field body? string
---@field json? any encoded, as application/json
---@field text? string as text/plain
---@field html? string as text/html
---@field cookies? table<string, string|false|itlua.server.cookie>

local known = {
  status = true, headers = true, cookies = true, body = true, json = true, text = true, html = true,
}

local TEXT <const>, HTML <const> = "text/plain; charset=utf-8", "text/html; charset=utf-8"
local JSON <const> = "application/json"

--- The one value that a handler returns: a second would be lost without a word.
---@param result any
---@param more any
---@return any result
function response.only(result, more)
  if more == nil then return result end
  core.usage("the handler returned two values: one is expected, as in { status = 422, json = … }")
end

--- A handler's result as a table: a string is a text, a number a status.
---@param result any
---@return itlua.server.response
function response.of(result)
  local kind = type(result)
  if kind == "table" then return result end
  if kind == "string" then return { text = result } end
  if math.type(result) == "integer" then return { status = result } end
  core.usage(("the handler returned %s: a table {status=, json=, …}, a text or a status is expected")
    :format(kind == "nil" and "nothing" or "a " .. kind))
end

local streamed = {} -- the metatable of what stands for an answer that is streamed

--- A handler's result as middleware sees it; of an answer that was streamed, its status, and headers without effect.
---@param req itlua.server.request
---@param result any
---@return itlua.server.response
function response.seen(req, result)
  if not req.streaming then return response.of(result) end
  return result or setmetatable({ status = req.status, headers = {} }, streamed)
end

---@param result any
---@return boolean
function response.is_streamed(result)
  return getmetatable(result) == streamed
end

local function check(result)
  for name in next, result do
    if not known[name] then
      core.usage(("a response has no field '%s': status, headers, cookies, body, json, text and html are known")
        :format(tostring(name)))
    end
  end
end

local function with_cookies(result)
  local headers = {}
  for name, value in pairs(result.headers or {}) do headers[name:lower()] = value end
  local list = headers["set-cookie"]
  list = type(list) == "table" and { table.unpack(list) } or { list }
  local names = {}
  for name in pairs(result.cookies) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do list[#list + 1] = cookies.format(name, result.cookies[name]) end
  headers["set-cookie"] = list
  return headers
end

local function body_of(result)
  if result.json ~= nil then return require("itlua.json").encode(result.json), JSON end
  if result.text ~= nil then return result.text, TEXT end
  if result.html ~= nil then return result.html, HTML end
  return result.body, result.body and TEXT
end

--- Answers the request with what its handler returned.
---@param req itlua.server.request
---@param result any
function response.send(req, result)
  if type(result) == "string" then return native.reply(req.handle, 200, result, TEXT) end
  if type(result) ~= "table" then result = response.of(result) end
  check(result)
  local body, kind = body_of(result)
  local status = result.status or 200
  local headers = result.cookies and with_cookies(result) or result.headers
  native.reply(req.handle, status, body, kind, headers)
end

return response
