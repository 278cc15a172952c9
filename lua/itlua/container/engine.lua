--- A connection to an engine: found, its API version agreed on, requests and their errors.

local core = require "itlua.core"
local endpoint = require "itlua.container.endpoint"
local http = require "itlua.http"
local json = require "itlua.json"

---@class itlua.container.Engine
---@field address string      "unix:///var/run/docker.sock"
---@field api string          the version of the API that is spoken, "1.41"
---@field name string         "Docker 20.10.24"
---@field endpoint itlua.container.Endpoint
local Engine = {}
Engine.__index = Engine
Engine.__name = "itlua.container.engine"

local NEWEST, OLDEST = "1.51", "1.40" -- of the API: what this program was written for

local PATIENCE = 120 -- seconds for an answer: on a machine that starts much at once it may take that long

-- ---- versions

local function number_of(version)
  local major, minor = tostring(version):match "^(%d+)%.(%d+)"
  return major and tonumber(major) * 1000 + tonumber(minor)
end

local function older(a, b)
  return number_of(a) < number_of(b)
end

-- ---- errors

local CODES = {
  [400] = "BAD_REQUEST", [401] = "UNAUTHORIZED", [403] = "FORBIDDEN", [404] = "NOT_FOUND", [409] = "CONFLICT",
  [500] = "ENGINE", [503] = "UNAVAILABLE",
}

local function message_of(r)
  local ok, body = pcall(function() return r:json() end)
  local text = ok and type(body) == "table" and (body.message or body.cause) or r.body
  return (tostring(text or ""):gsub("%s+$", ""))
end

local function refused(self, r, doing)
  local text = message_of(r)
  local code = CODES[r.status] or "ENGINE"
  if text:find("no space left on device", 1, true) then code = "DISK_FULL" end
  core.raise("container", code, ("%s: %s"):format(doing, text ~= "" and text or "status " .. r.status),
    { status = r.status, reason = text, engine = self.address })
end

-- What a failed request says of the way to the engine.
local function unreachable(self, err, doing, timeout)
  if core.is_error(err) == "timeout" and err.code and timeout then -- without a code it is the test's own deadline
    core.raise("timeout", "CONTAINER", ("%s: no answer of the engine within %.6g s"):format(doing, timeout),
      { cause = err })
  end
  if core.is_error(err) ~= "http" and core.is_error(err) ~= "dns" then error(err, 0) end
  core.raise("container", "ENGINE_LOST", ("%s: the engine at %s does not answer any more: %s"):format(doing,
    self.address, err.message), { cause = err })
end

-- ---- requests

---@class itlua.container.CallOptions
---@field query? table
---@field json? any
---@field body? string|function
---@field headers? table
---@field timeout? number|false   seconds; 120
---@field stream? boolean
---@field may? table<integer, boolean>   statuses beyond 399 that are no error here

local function encoded(query)
  if not query then return nil end
  local plain = {}
  for name, value in pairs(query) do
    if type(value) == "table" then value = json.encode(value) end
    plain[name] = tostring(value)
  end
  return plain
end

--- Sends a request of the API. Raises kind "container".
---@param method string
---@param path string                without the version: "/containers/json"
---@param doing string               for messages: "starting container x"
---@param options? itlua.container.CallOptions
---@return itlua.http.Response
function Engine:call(method, path, doing, options)
  options = options or {}
  local given = {
    query = encoded(options.query), json = options.json, body = options.body, headers = options.headers,
    timeout = options.timeout == nil and PATIENCE or options.timeout, stream = options.stream, max_size = false,
  }
  local ok, r = pcall(self.client.request, self.client, method, "/v" .. self.api .. path, given)
  if not ok then unreachable(self, r, doing, given.timeout) end
  if r.status < 400 or options.may and options.may[r.status] then return r end
  if r.status == 400 and self:agree(r) then return self:call(method, path, doing, options) end
  return refused(self, r, doing)
end

--- The pieces of a streamed answer, with errors in the same words.
---@param r itlua.http.Response
---@param doing string
---@param timeout? number|false   seconds that the stream may be silent
---@return fun(): string?
---@return userdata stream        to be closed
function Engine:pieces(r, doing, timeout)
  local chunks, _, _, stream = r:chunks()
  return function()
    local ok, piece = pcall(chunks)
    if ok then return piece end
    if core.is_error(piece) == "timeout" and piece.code then
      core.raise("timeout", "CONTAINER", ("%s: nothing came for %.6g s"):format(doing, timeout or 0))
    end
    return unreachable(self, piece, doing)
  end, stream
end

-- The engine's null is "nothing": here it is nil.
local function without_null(value)
  if type(value) ~= "table" then return value end
  for key, field in pairs(value) do
    if field == json.null then value[key] = nil else without_null(field) end
  end
  return value
end

local function decoded(r, doing)
  local ok, value = pcall(r.json, r)
  if ok then return without_null(value) end
  return core.raise("container", "ENGINE", ("%s: the engine's answer is no JSON: %s"):format(doing, tostring(value)))
end

--- `call`, and the answer's JSON, in which what is null is left out.
---@return any
function Engine:ask(method, path, doing, options)
  return decoded(self:call(method, path, doing, options), doing)
end

--- What the engine knows of something, or nil where there is no such thing.
---@return table?
function Engine:find(path, doing)
  local r = self:call("GET", path, doing, { may = { [404] = true } })
  return r.status ~= 404 and decoded(r, doing) or nil
end

--- Takes the version that a refusal names ("client version 1.42 is too new. Maximum supported API version is 1.41").
---@return boolean changed
function Engine:agree(r)
  local text = message_of(r)
  local version = text:match "[Mm]aximum supported API version is (%d+%.%d+)"
    or text:match "[Mm]inimum supported API version is (%d+%.%d+)"
  if not version or version == self.api then return false end
  self.api = version
  return true
end

-- ---- where published ports are

-- Of the container that this program itself runs in, when it is one of this engine's: nil, or what the engine knows.
local function own_container(self)
  if not self.endpoint.path then return nil end
  local function there(path)
    local f = io.open(path)
    if f then f:close() end
    return f ~= nil
  end
  if not there "/.dockerenv" and not there "/run/.containerenv" then return nil end
  local f = io.open "/etc/hostname"
  local name = f and f:read "l"
  if f then f:close() end
  if not name or not name:find "^[%w.-]+$" then return nil end
  return self:find("/containers/" .. name .. "/json", "looking for itself")
end

local function find_places(self)
  if self.places then return self.places end
  local places = { host = "127.0.0.1", bind = "127.0.0.1" }
  if self.endpoint.host then
    places.host = self.endpoint.host
    local near = places.host == "localhost" or places.host:find "^127%." or places.host == "::1"
    if not near then places.bind = "0.0.0.0" end
  else
    local own = own_container(self)
    places.home = own and own.Id
    for _, network in pairs(own and own.NetworkSettings.Networks or {}) do
      if type(network.Gateway) == "string" and network.Gateway ~= "" then
        places.host, places.bind = network.Gateway, "0.0.0.0" -- loopback is another one inside a container
      end
    end
  end
  self.places = places
  return places
end

--- The address under which this program finds published ports.
---@return string
function Engine:published_host()
  return find_places(self).host
end

--- The container that this program itself runs in, where it is one of this engine's.
---@return string? id
function Engine:home()
  return find_places(self).home
end

--- The address that ports are published on: loopback wherever that is enough.
---@return string
function Engine:publish_on()
  return find_places(self).bind
end

function Engine:__tostring()
  return ("%s at %s (API %s)"):format(self.name, self.address, self.api)
end

-- ---- finding one

local function client_of(found)
  return http.client {
    base_url = found.url or "http://docker", unix_socket = found.path, tls = found.tls, cookies = false, quiet = true,
    proxy = false, redirects = 0,
  }
end

local function version_for(environment, theirs, address)
  local forced = environment.DOCKER_API_VERSION
  if forced and forced ~= "" then return forced end
  if not number_of(theirs) then return OLDEST end -- it does not say: the oldest that will do
  if older(theirs, OLDEST) then
    core.raise("container", "API_VERSION", ("the engine at %s speaks version %s of the API; %s is needed " ..
      "(Docker 19.03, Podman 3)"):format(address, theirs, OLDEST), { api = theirs })
  end
  return older(NEWEST, theirs) and NEWEST or theirs
end

local function open(found, environment)
  local client = client_of(found)
  local r = client:get("/_ping", { timeout = found.path and 10 or 20 })
  local theirs = r.headers["api-version"]
  if r.status ~= 200 and not theirs then
    core.raise("container", "ENGINE", ("%s answers /_ping with status %d: no container engine?"):format(found.address,
      r.status))
  end
  local server = r.headers["server"] or ""
  local name = r.headers["libpod-api-version"] and "Podman " .. r.headers["libpod-api-version"]
    or "Docker" .. (server:match "^Docker(/%S+)" or ""):gsub("/", " ")
  return setmetatable({
    endpoint = found, client = client, address = found.address, name = name,
    api = version_for(environment, theirs, found.address), environment = environment, podman = name:find "^Podman" ~= nil,
  }, Engine)
end

local PERMISSION = [[
this user may not open the socket %s. Either become a member of its group (sudo usermod -aG docker "$USER",
then log in again), or run a rootless engine, or set DOCKER_HOST to one that may be used.]]

-- A line for what was tried, and a code where the cause is plain.
local function complaint(err)
  local code = core.is_error(err) and err.code
  if code == "EACCES" or code == "EPERM" then return "permission denied", "PERMISSION" end
  if code == "ENOENT" then return "there is no such socket" end
  if code == "ECONNREFUSED" then return "nothing listens there" end
  return tostring(core.is_error(err) and err.message or err), type(code) == "string" and code:find "^TLS" and "TLS" or nil
end

local function none(tried)
  local lines = {}
  for i, one in ipairs(tried) do
    lines[i] = ("    %s (%s): %s"):format(one.found.address, one.found.origin, one.text)
  end
  for _, one in ipairs(tried) do
    if one.code == "PERMISSION" then
      core.raise("container", "PERMISSION", ("no container engine can be used: " .. PERMISSION):format(one.found.path),
        { tried = lines })
    end
  end
  local advice = tried[1].found.firm and ("%s says where it is; is it running, and is that right?"):format(
    tried[1].found.origin) or "Start Docker (sudo systemctl start docker) or Podman (systemctl --user start " ..
    "podman.socket), or set DOCKER_HOST."
  core.raise("container", tried[1].code or "NO_ENGINE", ("no container engine answers. Tried:\n%s\n%s"):format(
    table.concat(lines, "\n"), advice), { tried = lines })
end

--- Connects to the first engine that answers. Raises kind "container": NO_ENGINE (with what was tried), PERMISSION,
--- API_VERSION, HOST, CONTEXT, CONFIG, TLS.
---@param environment table<string, string>
---@return itlua.container.Engine
function Engine.connect(environment)
  local tried = {}
  for _, found in ipairs(endpoint.candidates(environment)) do
    local ok, result = pcall(open, found, environment)
    if ok then return result end
    local kind = core.is_error(result)
    if kind ~= "http" and kind ~= "dns" and kind ~= "timeout" then error(result, 0) end
    if kind == "timeout" and not result.code then error(result, 0) end -- the test's own deadline
    local text, code = complaint(result)
    tried[#tried + 1] = { found = found, text = text, code = code }
  end
  return none(tried)
end

return Engine
