--- Where an engine may be found: what the docker program would use, and the usual sockets of Docker and Podman.

local core = require "itlua.core"
local fs = require "itlua.fs"
local json = require "itlua.json"

local endpoint = {}

---@class itlua.container.Endpoint
---@field origin string       who says so: "DOCKER_HOST", "context work", "usual place"
---@field address string      as a person writes it: "unix:///var/run/docker.sock"
---@field path? string        of the socket
---@field url? string         "http://host:2375", of an engine that is reached over TCP
---@field host? string        of that URL
---@field tls? table          for itlua.http
---@field firm boolean        it was asked for: there is no looking elsewhere

local function bad(origin, address, why)
  core.raise("container", "HOST", ("%s names the engine '%s': %s"):format(origin, address, why))
end

local function env(environment, name)
  local value = environment[name]
  return value ~= nil and value ~= "" and value or nil
end

-- ---- one address

local function tls_files(folder, verify)
  local tls = { verify = verify }
  for option, name in pairs { ca = "ca.pem", cert = "cert.pem", key = "key.pem" } do
    local path = fs.join(folder, name)
    if fs.exists(path) then tls[option] = path end
  end
  return tls
end

local function over_tcp(found, rest, tls)
  local host, port = rest:match "^%[([%x:]+)%]:?(%d*)"
  if not host then host, port = rest:match "^([^:/]+):?(%d*)" end
  if not host then bad(found.origin, found.address, "it has no host name") end
  port = port ~= "" and port or (tls and "2376" or "2375")
  found.host, found.tls = host, tls
  found.url = ("%s://%s:%s"):format(tls and "https" or "http", host:find ":" and "[" .. host .. "]" or host, port)
  return found
end

--- An endpoint of an address such as DOCKER_HOST holds.
---@param address string
---@param origin string
---@param tls? table    where TLS is wanted
---@return itlua.container.Endpoint
function endpoint.parse(address, origin, tls)
  local found = { origin = origin, address = address, firm = true }
  local scheme, rest = address:match "^(%a[%w+.-]*)://(.*)$"
  if not scheme then
    if address:find "^/" then scheme, rest = "unix", address else scheme, rest = "tcp", address end
  end
  if scheme == "unix" then
    if rest == "" then bad(origin, address, "it has no path") end
    found.path, found.address = rest, "unix://" .. rest
    return found
  elseif scheme == "tcp" then
    return over_tcp(found, rest, tls)
  elseif scheme == "http" or scheme == "https" then
    return over_tcp(found, rest, scheme == "https" and (tls or {}) or nil)
  elseif scheme == "ssh" then
    bad(origin, address, ("engines over ssh are not supported: forward the socket (ssh -nNT -L " ..
      "/tmp/docker.sock:/var/run/docker.sock %s) and set DOCKER_HOST=unix:///tmp/docker.sock"):format(rest))
  end
  return bad(origin, address, ("%s:// is not supported: unix:///path or tcp://host:port"):format(scheme))
end

-- ---- the docker program's configuration

--- The folder of the docker program's configuration.
function endpoint.config_folder(environment)
  return env(environment, "DOCKER_CONFIG") or fs.join(env(environment, "HOME") or "/", ".docker")
end

--- Its config.json; an empty table where there is none.
---@return table
function endpoint.config(environment)
  local path = fs.join(endpoint.config_folder(environment), "config.json")
  local ok, exists = pcall(fs.exists, path)
  if not ok or not exists then return {} end
  local readable, text = pcall(fs.read, path)
  if not readable then return {} end
  local parsed, value = pcall(json.decode, text, { name = path })
  if not parsed or type(value) ~= "table" then
    core.raise("container", "CONFIG", ("%s is not readable as JSON: %s"):format(path, tostring(value)))
  end
  return value
end

-- A context's folder has the name's digest for a name; its meta.json holds the name itself.
local function context(environment, name, origin)
  local folder = fs.join(endpoint.config_folder(environment), "contexts")
  local metas = fs.join(folder, "meta")
  local seen = {}
  for _, id in ipairs(fs.exists(metas) and fs.list(metas) or {}) do
    local path = fs.join(metas, id, "meta.json")
    local meta = fs.exists(path) and json.decode(fs.read(path), { name = path })
    if meta then seen[#seen + 1] = tostring(meta.Name) end
    if meta and meta.Name == name then
      local docker = (meta.Endpoints or {}).docker or {}
      local certificates = fs.join(folder, "tls", id, "docker")
      local tls = (fs.exists(certificates) or docker.SkipTLSVerify) and
        tls_files(certificates, not docker.SkipTLSVerify) or nil
      if not docker.Host or docker.Host == "" then bad(origin, name, "this context has no Docker host") end
      return endpoint.parse(docker.Host, origin, tls)
    end
  end
  core.raise("container", "CONTEXT", ("%s: there is no context '%s' below %s (there is %s)"):format(origin, name,
    metas, #seen > 0 and table.concat(seen, ", ") or "none"))
end

local function asked_for(environment)
  for _, name in ipairs { "DOCKER_HOST", "CONTAINER_HOST" } do
    local address = env(environment, name)
    if address then
      local tls = env(environment, "DOCKER_TLS_VERIFY") or env(environment, "DOCKER_TLS")
      return endpoint.parse(address, name, tls and tls_files(
        env(environment, "DOCKER_CERT_PATH") or endpoint.config_folder(environment),
        env(environment, "DOCKER_TLS_VERIFY") ~= nil))
    end
  end
  local name, origin = env(environment, "DOCKER_CONTEXT"), "DOCKER_CONTEXT"
  if not name then
    name = endpoint.config(environment).currentContext
    origin = ("the current context '%s'"):format(tostring(name))
  end
  if name and name ~= "" and name ~= "default" then return context(environment, name, origin) end
end

local function usual(environment)
  local runtime, home = env(environment, "XDG_RUNTIME_DIR"), env(environment, "HOME")
  local paths = { "/var/run/docker.sock" }
  if runtime then paths[#paths + 1] = runtime .. "/docker.sock" end
  if home then
    paths[#paths + 1] = home .. "/.docker/run/docker.sock"
    paths[#paths + 1] = home .. "/.docker/desktop/docker.sock"
    paths[#paths + 1] = home .. "/.colima/default/docker.sock"
  end
  if runtime then paths[#paths + 1] = runtime .. "/podman/podman.sock" end
  paths[#paths + 1] = "/run/podman/podman.sock"
  return paths
end

--- The endpoints to try, in this order. DOCKER_HOST, then the context in use; without them the usual sockets of Docker,
--- rootless Docker, Docker Desktop, Colima, Podman.
---@param environment table<string, string>
---@return itlua.container.Endpoint[]
function endpoint.candidates(environment)
  local firm = asked_for(environment)
  if firm then return { firm } end
  local list = {}
  for _, path in ipairs(usual(environment)) do
    list[#list + 1] = { origin = "usual place", path = path, address = "unix://" .. path, firm = false }
  end
  return list
end

return endpoint
