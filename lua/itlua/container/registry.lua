--- Names of images, and the credentials for their registries as the docker program has them.

local core = require "itlua.core"
local encode = require "itlua.encode"
local endpoint = require "itlua.container.endpoint"
local json = require "itlua.json"

local registry = {}

local HUB = "https://index.docker.io/v1/"

--- The parts of an image's name: "ghcr.io/a/b:1" is registry "ghcr.io", repository "a/b", tag "1".
---@param image string
---@return { registry: string?, repository: string, tag: string?, digest: string? }
function registry.parse(image)
  local rest, digest = image:match "^(.-)@(.+)$"
  rest = rest or image
  local name, tag = rest:match "^(.*):([^:/]+)$"
  name = name or rest
  local first, path = name:match "^([^/]+)/(.+)$"
  if first and (first:find "[.:]" or first == "localhost") then
    return { registry = first, repository = path, tag = tag, digest = digest }
  end
  return { repository = name, tag = tag, digest = digest }
end

--- Where the docker program keeps the credentials: "config.json", or the name of a helper program.
local function from_helper(helper, server)
  local process = require "itlua.process"
  local ok, result = pcall(process.run, {
    command = { "docker-credential-" .. helper, "get" }, input = server, timeout = 20,
  })
  if not ok then
    core.raise("container", "CREDENTIALS", ("the credentials for %s are kept by docker-credential-%s, which cannot be " ..
      "asked: %s"):format(server, helper, core.is_error(result) and result.message or tostring(result)))
  end
  if result.code ~= 0 then return nil end -- it has none
  local value = json.decode(result.stdout, { name = "answer of docker-credential-" .. helper })
  if value.Username == "<token>" then return { identitytoken = value.Secret, serveraddress = server } end
  return { username = value.Username, password = value.Secret, serveraddress = server }
end

local function from_entry(entry, server)
  if type(entry) ~= "table" then return nil end
  if type(entry.identitytoken) == "string" then return { identitytoken = entry.identitytoken, serveraddress = server } end
  if type(entry.auth) == "string" and entry.auth ~= "" then
    local ok, text = pcall(encode.from_base64, entry.auth)
    local user, password = tostring(ok and text or ""):match "^([^:]*):(.*)$"
    if not user then
      core.raise("container", "CREDENTIALS", ("the credentials for %s in the Docker configuration are not readable")
        :format(server))
    end
    return { username = user, password = password:gsub("%z+$", ""), serveraddress = server }
  end
  if type(entry.username) == "string" then
    return { username = entry.username, password = entry.password, serveraddress = server }
  end
end

local function servers_of(name)
  if not name or name == "docker.io" or name == "index.docker.io" then return { HUB, "docker.io", "index.docker.io" } end
  return { name, "https://" .. name, "http://" .. name, "https://" .. name .. "/v1/", "https://" .. name .. "/v2/" }
end

--- The credentials for an image's registry, or nil. Raises kind "container", code CREDENTIALS.
---@param image string
---@param environment table
---@return table?
function registry.credentials(image, environment)
  local config = endpoint.config(environment)
  local name = registry.parse(image).registry
  local servers = servers_of(name)
  local helpers = type(config.credHelpers) == "table" and config.credHelpers or {}
  for _, server in ipairs(servers) do
    if helpers[server] then return from_helper(helpers[server], server) end
  end
  for _, server in ipairs(servers) do
    local found = from_entry((type(config.auths) == "table" and config.auths or {})[server], server)
    if found then return found end
  end
  if type(config.credsStore) == "string" and config.credsStore ~= "" then
    return from_helper(config.credsStore, servers[1])
  end
end

--- The header that carries credentials.
---@param credentials table?
---@return table<string, string>?
function registry.header(credentials)
  if not credentials then return nil end
  return { ["X-Registry-Auth"] = (encode.base64(json.encode(credentials)):gsub("+", "-"):gsub("/", "_")) }
end

return registry
