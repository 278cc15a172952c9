--- Responses. What a test seldom reads (headers, times) is taken apart when it is first asked for.

local core = require "itlua.core"
local headers = require "itlua.http.headers"

---@class itlua.http.Response
---@field status integer
---@field reason string          the words after the status; "" under HTTP/2
---@field ok boolean             the status is 200 to 299
---@field headers itlua.http.Headers
---@field trailers itlua.http.Headers   what came after a chunked body
---@field body string            as it was sent, or unpacked under `decompress`
---@field url string             where the answer came from, after redirects
---@field method string          of the request
---@field version string         "1.0", "1.1", "2"
---@field content_type string    without parameters, in lower case; "" where there is none
---@field timings { dns: number, connect: number, tls: number, first_byte: number, total: number }   seconds: the
---first three are how long each took (0 where a connection was reused), the others count from the start
---@field history { status: integer, reason: string, headers: itlua.http.Headers }[]   the redirects before it, and
---challenges
---@field attempts integer       1, or more where it was retried
local Response = {}

local lazy = {}

local TIMES = "ddddd" -- what `_raw` begins with; the head follows

local function take_head_apart(r)
  local h, t, reason = headers.parse(r._raw:sub(TIMES:packsize() + 1))
  rawset(r, "headers", h)
  rawset(r, "trailers", t)
  rawset(r, "reason", reason)
end

function lazy.headers(r)
  take_head_apart(r)
  return rawget(r, "headers")
end

function lazy.trailers(r)
  take_head_apart(r)
  return rawget(r, "trailers")
end

function lazy.reason(r)
  take_head_apart(r)
  return rawget(r, "reason")
end

function lazy.ok(r)
  return r.status >= 200 and r.status < 300
end

function lazy.attempts()
  return 1
end

function lazy.version(r)
  return r._raw:match("^HTTP/(%S+)", TIMES:packsize() + 1)
end

function lazy.content_type(r)
  local value = r.headers:all("content-type")[1] or ""
  return value:match("^%s*([^;]-)%s*;") and value:match("^%s*([^;]-)%s*;"):lower() or value:lower()
end

function lazy.timings(r)
  local resolved, connected, agreed, first, total = TIMES:unpack(r._raw)
  return {
    dns = resolved,
    connect = math.max(connected - resolved, 0),
    tls = math.max(agreed - connected, 0),
    first_byte = first,
    total = total,
  }
end

function lazy.history(r)
  local list = {}
  for head in (r._before or ""):gmatch("(HTTP/.-\r?\n\r?\n)") do
    local status = tonumber(head:match("^HTTP/%S+ +(%d+)"))
    if status and status >= 200 then
      local h, _, reason = headers.parse(head)
      list[#list + 1] = { status = status, reason = reason, headers = h }
    end
  end
  return list
end

-- Of a streamed response: whatever has not been read yet.
function lazy.body(r)
  local stream = rawget(r, "_stream")
  if not stream then return nil end
  local pieces = {}
  for piece in r:chunks() do pieces[#pieces + 1] = piece end
  return table.concat(pieces)
end

local meta = { __name = "itlua.http.response" }

function meta.__index(r, key)
  local method = Response[key]
  if method then return method end
  local get = lazy[key]
  if not get then return nil end
  local value = get(r)
  rawset(r, key, value)
  return value
end

function meta.__tostring(r)
  local body = rawget(r, "body")
  return ("%s %s -> %d%s%s"):format(r.method, r.url, r.status, r.reason ~= "" and " " .. r.reason or "",
    body and (" (%d B)"):format(#body) or "")
end

function meta.__close(r)
  r:close()
end

local function excerpt(body)
  local text = body:sub(1, 200):gsub("%c+", " ")
  return #body > 200 and text .. "…" or text
end

--- The body as JSON. Decoded once: every call returns the same value.
---@param options? table   of itlua.json's decode
---@return any
--- Raises kind "json" with the position and an excerpt where the body is not JSON.
function Response:json(options)
  local known = rawget(self, "_json")
  if known and not options then return known[1] end
  local given = { name = ("body of %s %s (%d, %s)"):format(self.method, self.url, self.status,
    self.content_type ~= "" and self.content_type or "no content type") }
  for k, v in pairs(options or {}) do given[k] = v end
  local ok, value = pcall(require "itlua.json".decode, self.body, given)
  if not ok then
    local packed = self.headers["content-encoding"]
    if packed and not self._client._settings.decompress and not (self._plan or {}).decompress then
      core.raise("json", "encoding", ("%s is compressed (%s): set decompress = true"):format(given.name, packed))
    end
    error(value, 0)
  end
  if not options then rawset(self, "_json", { value }) end
  return value
end

--- Itself when the status is 200 to 299; else raises kind "http", code "STATUS" (the response is in field
--- `response`).
---@return itlua.http.Response
function Response:check()
  if self.ok then return self end
  core.raise("http", "STATUS", ("%s %s: %d %s: %s"):format(self.method, self.url, self.status, self.reason,
    excerpt(self.body)), { status = self.status, response = self })
end

--- The value of a cookie that this response sets.
---@param name string
---@return string?
function Response:cookie(name)
  local value
  for _, line in ipairs(self.headers:all("set-cookie")) do
    local n, v = line:match("^%s*([^=;]-)%s*=%s*([^;]-)%s*;") -- with attributes
    if not n then n, v = line:match("^%s*([^=;]-)%s*=%s*([^;]-)%s*$") end
    if n == name then value = v end
  end
  return value
end

--- A curl command that sends the same request, ready for a shell.
---@return string
function Response:as_curl()
  return require "itlua.http.curl".command(self._client, self.method, self._asked or self.url, self._plan, self._jar)
end

-- ---- streamed -----------------------------------------------------------------------------------

--- The pieces of a streamed response as they come: `for chunk in r:chunks() do`. Each wait is limited by the timeout
--- of the request. Leaving the loop closes the response.
---@return fun(): string?
function Response:chunks()
  local stream, timeout = rawget(self, "_stream"), self._timeout
  if not stream then
    local body = self.body
    return function()
      local piece = body ~= "" and body or nil
      body = ""
      return piece
    end
  end
  local ended = self._ended
  local function next_chunk()
    if ended then return nil end
    local piece = stream:read(timeout)
    if not piece then
      ended = true
      rawset(self, "_ended", true)
      stream:close()
    end
    return piece
  end
  return next_chunk, nil, nil, stream
end

--- The lines of a streamed response as they come, without their ends; a last one without an end too.
---@return fun(): string?
function Response:lines()
  local chunk, _, _, stream = self:chunks()
  local rest, ended = "", false
  local function next_line()
    while true do
      local line, after = rest:match("^([^\n]*)\n(.*)$")
      if line then
        rest = after
        return (line:gsub("\r$", ""))
      end
      if ended then return nil end
      local piece = chunk()
      if piece then
        rest = rest .. piece
      else
        ended = true
        local last = rest
        rest = ""
        return last ~= "" and last or nil
      end
    end
  end
  return next_line, nil, nil, stream
end

--- Ends a streamed response. Nothing to do for others.
function Response:close()
  local stream = rawget(self, "_stream")
  if stream then stream:close() end
end

return meta
