--- Clients: settings, a cookie jar and connections that the requests of a test share; and how a request is sent.

local core = require "itlua.core"
local binding = require "itlua.http.core"
local Response = require "itlua.http.response"
local headers = require "itlua.http.headers"
local options = require "itlua.http.options"
local plans = require "itlua.http.plan"
local policy = require "itlua.policy"
local stream = require "itlua.http.stream"
local url = require "itlua.http.url"

local find = string.find
local request = binding.request

binding.responses(Response)

---@class itlua.http.Client
local Client = {}
Client.__index = Client
Client.__name = "itlua.http.client"

local clients = {}

-- The last request of this state, for reports of failures: client, method, URL, plan, box, jar. The binding fills it.
local last = binding.last

--- The last request as a curl command, or nil.
---@return string?
function clients.last_curl()
  if not last[1] then return nil end
  return require "itlua.http.curl".shown(last[1], last[2], last[3], last[4], last[6])
end

--- Forgets the last request: a test begins.
function clients.forget_last()
  for i = 1, 6 do last[i] = nil end
end

-- ---- sending ------------------------------------------------------------------------------------

local function target(self, path, query)
  if type(path) ~= "string" then
    core.usage(("a request needs a path or a URL, not a %s"):format(type(path)))
  end
  local full = url.join(self._prefix, path)
  if self._query then full = url.with_query(full, self._query) end
  if query then full = url.with_query(full, url.query(query)) end
  return full
end

local function streaming(self, method, address, plan, streamed, timeout)
  local jar = self._jar
  if not self._settings.quiet then
    last[1], last[2], last[3], last[4], last[5], last[6] = self, method, address, plan, nil, jar
  end
  local r = stream.send(self, method, address, plan, streamed, timeout)
  if self._core:changed() then self._jar = nil end
  r._client, r._plan, r._jar = self, plan, jar
  return r
end

local function perform(self, method, address, plan, streamed, timeout)
  if not self._jar then self._jar = self._keeps and self:cookies() or {} end -- it has changed
  local streams = streamed or plan and plan.feed
  if not policy.network and not streams then return request(self, method, address, plan) end
  local r = streams and streaming(self, method, address, plan, streamed, timeout) or request(self, method, address, plan)
  if not policy.network then return r end
  policy.network.check_answer(self, method, address, r)
  return r
end

local function worth_retrying(retry, ok, r)
  if ok then return retry.status[r.status] end
  local code = core.is_error(r) and r.code
  if not code then return false end -- a usage error, or the test's own deadline
  return retry.errors == true or (retry.errors and retry.errors[code])
end

local function retry_after(r)
  local given = tonumber((r.headers:get("retry-after")))
  return given and given >= 0 and given
end

local function with_retries(retry, self, method, address, plan, streamed, timeout)
  if plan and plan.feed and not plan.again then
    core.usage("a body that can be read only once cannot be retried: give it as a string or with option 'file'")
  end
  local delay = retry.delay
  for attempt = 1, retry.times + 1 do
    local ok, r = pcall(perform, self, method, address, plan, streamed, timeout)
    if attempt > retry.times or not worth_retrying(retry, ok, r) then
      if not ok then error(r, 0) end
      r.attempts = attempt
      return r
    end
    local wait = delay
    if ok then
      wait = retry_after(r) or wait
      r:close()
    end
    core.sleep(math.min(wait, retry.max_delay))
    delay = delay * retry.factor
  end
end

local STANDARD = {
  get = "GET", head = "HEAD", post = "POST", put = "PUT", patch = "PATCH", delete = "DELETE", options = "OPTIONS",
  trace = "TRACE", connect = "CONNECT",
}

local function send(self, method, path, given)
  if given == nil then given = {} else options.check(given, options.of_request, method) end
  local plan = plans.make(self, method, given)
  local address = target(self, path, given.query)
  if policy.read_only then policy.http(self, method, address) end
  if policy.network then policy.network.check_url(self, method, address) end
  local retry = self._retry
  if given.retry ~= nil then retry = options.retry(given.retry) end
  local timeout = given.timeout or given.timeout == nil and self._timeout or 0
  if not retry then return perform(self, method, address, plan, given.stream, timeout) end
  return with_retries(retry, self, method, address, plan, given.stream, timeout)
end

--- Sends a request and waits for the response. An answer of any status is a response; where none comes, an error is
--- raised: kind "http" (code ECONNREFUSED, ECONNRESET, EMPTY_REPLY, TRUNCATED, MALFORMED, TOO_LARGE,
--- TOO_MANY_REDIRECTS, TLS/…), kind "dns" (ENOTFOUND) or kind "timeout" (TIMEOUT, CONNECT_TIMEOUT).
---@param method string
---@param path string              appended to base_url; or an absolute URL
---@param given? itlua.http.RequestOptions
---@return itlua.http.Response
function Client:request(method, path, given)
  if type(method) ~= "string" or not find(method, "^[%w!#$%%&'*+%-.^_`|~]+$") then
    core.usage(("'%s' is no HTTP method"):format(tostring(method)))
  end
  return send(self, STANDARD[method] or method, path, given)
end

-- The verbs are of C: a request without options costs no Lua.

--- As request("GET", path, given).
---@type fun(self: itlua.http.Client, path: string, given?: itlua.http.RequestOptions): itlua.http.Response
Client.get = binding.verb("GET", send)

--- As request("HEAD", path, given).
---@type fun(self: itlua.http.Client, path: string, given?: itlua.http.RequestOptions): itlua.http.Response
Client.head = binding.verb("HEAD", send)

--- As request("POST", path, given).
---@type fun(self: itlua.http.Client, path: string, given?: itlua.http.RequestOptions): itlua.http.Response
Client.post = binding.verb("POST", send)

--- As request("PUT", path, given).
---@type fun(self: itlua.http.Client, path: string, given?: itlua.http.RequestOptions): itlua.http.Response
Client.put = binding.verb("PUT", send)

--- As request("PATCH", path, given).
---@type fun(self: itlua.http.Client, path: string, given?: itlua.http.RequestOptions): itlua.http.Response
Client.patch = binding.verb("PATCH", send)

--- As request("DELETE", path, given).
---@type fun(self: itlua.http.Client, path: string, given?: itlua.http.RequestOptions): itlua.http.Response
Client.delete = binding.verb("DELETE", send)

--- As request("OPTIONS", path, given).
---@type fun(self: itlua.http.Client, path: string, given?: itlua.http.RequestOptions): itlua.http.Response
Client.options = binding.verb("OPTIONS", send)

--- Server-sent events as they come: `for event in api:events("/feed") do`.
---@param path string
---@param given? itlua.http.EventOptions
---@return itlua.http.Events
function Client:events(path, given)
  return require "itlua.http.events".open(self, path, given)
end

--- Server-sent events from now on, as a capture (itlua.capture): the value of a record is its data, decoded where it is
--- JSON; it has `event`, `id` and `payload`, too. There is no fence: expect_none watches for a time, unless the server
--- ends the stream; a marker that the server sends after the action can be one.
---@param path string
---@param given? itlua.http.EventOptions|itlua.capture.Options
---@return itlua.capture
function Client:capture(path, given)
  return require "itlua.http.capture".open(self, path, given)
end

--- A GraphQL request: query = …, variables = {…}.
---@param given itlua.http.GraphqlOptions
---@return itlua.http.GraphqlResponse
function Client:graphql(given)
  return require "itlua.http.graphql".request(self, given)
end

--- Sends many requests at once; see itlua.http.burst.
---@param path string
---@param given itlua.http.BurstOptions
---@return itlua.http.Burst
function Client:burst(path, given)
  return require "itlua.http.burst".run(self, path, given)
end

--- The curl command of a request that is not sent.
---@param method string
---@param path string
---@param given? itlua.http.RequestOptions
---@return string
function Client:as_curl(method, path, given)
  given = given or {}
  options.check(given, options.of_request, method)
  local address, p = self:_prepare(method, path, given)
  return require "itlua.http.curl".command(self, method, address, p, self._keeps and self:cookies())
end

-- What burst.lua needs to know of a request before it is sent.
function Client:_prepare(method, path, given)
  return target(self, path, given.query), plans.make(self, method, given)
end

-- ---- cookies ------------------------------------------------------------------------------------

local function cookie_of(line)
  local http_only = find(line, "^#HttpOnly_") ~= nil
  local domain, _, path, secure, expires, name, value =
    line:gsub("^#HttpOnly_", ""):match("^([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$")
  if not domain then return nil end
  expires = tonumber(expires)
  return {
    name = name, value = value, domain = domain, path = path, secure = secure == "TRUE", http_only = http_only,
    expires = expires ~= 0 and expires or nil,
  }
end

--- What the cookie jar holds.
---@return { name: string, value: string, domain: string, path: string, secure: boolean, http_only: boolean, expires?:
---integer }[]
function Client:cookies()
  local list = {}
  for _, line in ipairs(self._core:cookies()) do list[#list + 1] = cookie_of(line) end
  return list
end

--- The value of the cookie of that name in the jar.
---@param name string
---@return string?
function Client:cookie(name)
  for _, cookie in ipairs(self:cookies()) do
    if cookie.name == name then return cookie.value end
  end
end

--- Puts a cookie into the jar.
---@param name string
---@param value string
---@param given? { domain?: string, path?: string, secure?: boolean, http_only?: boolean, expires?: integer }   the
---domain is that of base_url by default; without `expires` (seconds since 1970) it lasts as long as the client
function Client:set_cookie(name, value, given)
  given = given or {}
  local domain = given.domain or (self._prefix and binding.parse(self._prefix))
  if not domain then core.usage("set_cookie needs a domain: the client has no base_url") end
  for _, text in ipairs { name, value, domain, given.path or "/" } do
    if type(text) ~= "string" or find(text, "[%c]") then
      core.usage("set_cookie: a name or value with control characters, or that is no string")
    end
  end
  local line = table.concat({ domain, given.domain and "TRUE" or "FALSE", given.path or "/",
    given.secure and "TRUE" or "FALSE", tostring(given.expires or 0), name, value }, "\t")
  self._core:cookie((given.http_only and "#HttpOnly_" or "") .. line)
  self._jar = nil
end

--- Empties the cookie jar.
function Client:clear_cookies()
  self._core:cookie("ALL")
  self._jar = nil
end

-- ---- life ---------------------------------------------------------------------------------------

-- Where the environment names a proxy, what runs on this machine is not behind it. Where it names none, libcurl need
-- not look for one with every request.
local function beyond_environment(settings)
  if settings.proxy ~= nil then return end
  for _, name in ipairs { "http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY" } do
    if (os.getenv(name) or "") ~= "" then
      local more = os.getenv("no_proxy") or os.getenv("NO_PROXY")
      settings.no_proxy = "localhost,127.0.0.1,::1" .. (more and more ~= "" and "," .. more or "")
      return
    end
  end
  settings.direct = true
end

--- A new client.
---@param given? itlua.http.ClientOptions
---@return itlua.http.Client
function clients.new(given)
  given = given or {}
  options.check(given, options.of_client, "http.client")
  local settings, entries = options.settings(given)
  for name, value in pairs(options.defaults) do
    if settings[name] == nil then settings[name] = value end
  end
  beyond_environment(settings)
  if not headers.has(entries, "user-agent") then
    entries[#entries + 1] = { lower = "user-agent", name = "User-Agent", value = "itlua" }
  end
  entries = headers.merge({}, entries)
  settings.headers = headers.lines(entries)
  local base = given.base_url
  if base then
    local _, why = binding.parse(base)
    if not _ then core.usage(("base_url '%s' is no URL: %s"):format(base, why)) end
    base = base:gsub("/+$", "")
  end
  settings.prefix = base
  local query = given.query and url.query(given.query) or nil
  local retry = options.retry(given.retry)
  return setmetatable({
    _core = binding.client(settings, given.cookies ~= false, not (query or retry or policy.read_only or policy.network)),
    _settings = settings,
    _entries = entries,
    _typed = {},
    _prefix = base,
    _query = query,
    _retry = retry,
    _timeout = settings.timeout,
    _keeps = given.cookies ~= false,
    _jar = {},
    _given = given,
  }, Client)
end

--- A client like this one with other options, and a cookie jar of its own: `api:with { bearer = token }`.
---@param given itlua.http.ClientOptions
---@return itlua.http.Client
function Client:with(given)
  options.check(given, options.of_client, "client:with")
  local merged = options.with(self._given, given)
  if given.bearer ~= nil or given.basic ~= nil or given.digest ~= nil then
    merged.bearer, merged.basic, merged.digest = given.bearer, given.basic, given.digest
  end
  if self._given.headers and given.headers then
    local entries = headers.merge(headers.entries(self._given.headers), headers.entries(given.headers))
    merged.headers = {}
    for i, entry in ipairs(entries) do merged.headers[i] = { entry.name, entry.value or false } end
  end
  return clients.new(merged)
end

--- Lets go of the client: its cookies, and handles that wait for the next request.
function Client:close()
  self._core:close()
end

Client.__close = Client.close

function Client:__tostring()
  return ("http client%s"):format(self._prefix and " of " .. self._prefix or "")
end

return clients
