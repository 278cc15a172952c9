--- A request, as a handler sees it. What costs something (headers, query, cookies, body) is read when it is asked for.

local core = require "itlua.core"
local native = require "itlua.server.core"
local cookies = require "itlua.server.cookies"
local headers = require "itlua.server.headers"
local multipart = require "itlua.server.multipart"
local stream = require "itlua.server.stream"
local text = require "itlua.server.text"

---@class itlua.server.request
---@field method string
---@field path string decoded, without the query
---@field target string as it was sent, with the query
---@field params table<string, any> the route's parameters
---@field route string? the route's pattern
---@field query table<string, string> of a repeated name the first value
---@field headers itlua.server.Headers
---@field cookies table<string, string>
---@field body string
---@field client string? the client's address; nil once the connection is over
---@field at number when it was complete, in seconds since 1970
---@field status integer? of the answer, once there is one
---@field seconds number? from complete request to answer
---@field error string? what its handler raised, when it did
local Request = {}

local lazy = {
  headers = function(req) return headers.new(native.fields(req.handle)) end,
  params = function() return {} end,
  query = function(req)
    local first, all = text.pairs(req.query_text or "")
    req.query_lists = all
    return first
  end,
  query_lists = function(req)
    local _, all = text.pairs(req.query_text or "")
    return all
  end,
  target = function(req)
    return req.query_text and req.raw_path .. "?" .. req.query_text or req.raw_path
  end,
  cookies = function(req) return cookies.parse(req.headers.cookie) end,
  body = function(req) return native.body(req.handle) end,
  client = function(req) return (native.client(req.handle)) end,
}

-- What changes while the request is handled.
local current = {
  status = function(req) return native.status(req.handle) end,
  at = function(req) return (native.times(req.handle)) end,
  seconds = function(req) return select(2, native.times(req.handle)) end,
  error = function(req) return native.failed(req.handle) end,
}

function Request.__index(req, key)
  local method = Request[key]
  if method then return method end
  local make = lazy[key]
  if make then
    local value = make(req)
    rawset(req, key, value)
    return value
  end
  make = current[key]
  return make and make(req)
end

function Request:__tostring()
  return ("%s %s%s"):format(self.method, self.target, self.status and (" (%d)"):format(self.status) or "")
end

--- A header's value; quicker than `headers` when it is the only one that is looked at. Of a repeated one the first.
---@param name string
---@return string?
function Request:header(name)
  return native.field(self.handle, name)
end

--- Every value of a repeated query parameter, in order.
---@param name string
---@return string[]
function Request:query_values(name)
  return self.query_lists[name] or {}
end

-- The answer to a request that cannot be understood. Raising it answers the request.
local function bad_request(message)
  error({ status = 400, json = { error = "bad request", message = message } }, 0)
end

--- The body as JSON. Where it is none, the request is answered with 400 and what is wrong with it.
---@return any
function Request:json()
  local json = require "itlua.json"
  local ok, value = pcall(json.decode, self.body)
  if ok then return value end
  return bad_request(core.is_error(value) and value.message or tostring(value))
end

--- The parts of a multipart body, in order; 400 where it is malformed or something else.
---@return itlua.server.part[]
function Request:multipart()
  local kind, parameters = text.parameters(self:header "content-type" or "")
  if kind ~= "multipart/form-data" or not parameters.boundary then
    return bad_request "a multipart/form-data body is expected"
  end
  local ok, parts = pcall(multipart.parse, self.body, parameters.boundary)
  return ok and parts or bad_request(parts.message)
end

--- The fields of an urlencoded or multipart body; 400 where it is neither.
---@return table<string, string> fields of a repeated name the first value; a file's is its content
---@return table<string, string[]> all every value of each name
function Request:form()
  local kind = text.parameters(self:header "content-type" or "")
  if kind == "application/x-www-form-urlencoded" then return text.pairs(self.body) end
  local first, all = {}, {}
  for _, part in ipairs(self:multipart()) do
    local name = part.name
    first[name] = first[name] or part.body
    all[name] = all[name] or {}
    table.insert(all[name], part.body)
  end
  return first, all
end

--- The files of a multipart body by their field's name; of a repeated name the first.
---@return table<string, itlua.server.part>
function Request:files()
  local files = {}
  for _, part in ipairs(self:multipart()) do
    if part.filename and not files[part.name] then files[part.name] = part end
  end
  return files
end

--- Begins the answer and returns a stream for its body. The stream is closed when the handler returns.
---@param options? { status?: integer, headers?: table, length?: integer }
---@return itlua.server.stream
function Request:stream(options)
  return stream.open(self, options or {}, nil)
end

--- Begins an answer of server-sent events.
---@param options? { status?: integer, headers?: table }
---@return itlua.server.events
function Request:events(options)
  return stream.events(self, options or {})
end

--- Makes a request of what the native queue hands out.
---@return itlua.server.request
function Request.new(handle, method, raw_path, query)
  local path = raw_path
  if raw_path:find("%", 1, true) or raw_path:byte() ~= 47 then
    -- An absolute target ("GET http://host/path", to a proxy) loses its origin. Percent-encoding is undone for the
    -- reader, while routes look at the path as it was sent.
    raw_path = raw_path:gsub("^%a[%w+.-]*://[^/]*", "")
    if raw_path == "" then raw_path = "/" end
    path = text.decode(raw_path)
  end
  local req = { handle = handle, method = method, path = path, raw_path = raw_path, query_text = query }
  return setmetatable(req, Request)
end

return Request
