--- Services of kind "compose": a Compose project, by the installed tool (docker compose, docker-compose, podman compose).
--
--     stack = { kind = "compose", file = "compose.yml", profiles = { "test" }, services = { "web" },
--               ready = { web = { http = "/health" } } }
--
-- It is up when each of its services is ready: as `ready` says, else by a round trip of the image's protocol, its health
-- check, or its published ports. Others refer to its services: "${stack.web.url}", and where one publishes several ports
-- "${stack.web:8080.url}"; in a spec `services.stack.web.url`, and `services.stack:service("web")` is the container. At
-- the end it is always taken down with its volumes.

local core = require "itlua.core"
local nearest = require "itlua.cli.nearest"
local show = require "itlua.show"

local kind = {
  name = "compose",
  options = {
    file = "text", folder = "string", project = "string", services = "table", profiles = "table", env = "table",
    build = "boolean", ready = "table",
  },
  fields = {},
}

local function wrong_list(spec, name)
  for i, word in ipairs(type(spec[name]) == "table" and spec[name] or {}) do
    if type(word) ~= "string" then return ("%s[%d] must be a string, not a %s"):format(name, i, type(word)) end
  end
end

function kind.check(spec)
  if not spec.file and not spec.folder then return "option 'file' is missing, or 'folder'" end
  for _, name in ipairs { "file", "services", "profiles" } do
    local wrong = wrong_list(spec, name)
    if wrong then return wrong end
  end
  for name, ready in pairs(spec.ready or {}) do
    if ready ~= false and type(ready) ~= "table" then return ("ready.%s must be a table, or false"):format(tostring(name)) end
    local wrong = ready and require("itlua.services.docker").wrong_ready(ready, "ready." .. tostring(name))
    if wrong then return wrong end
  end
end

-- ---- references: "web.url", "web:8080.url"

local FIELDS = { "url", "host", "port" }

local function parts_of(field)
  local name, rest = field:match "^(.+)%.(%a+)$"
  if not name then return nil end
  local service, port = name:match "^(.+):(%d+)$"
  return service or name, port, rest
end

function kind.knows(_, field)
  local _, _, rest = parts_of(field)
  for _, known in ipairs(FIELDS) do if rest == known then return true end end
  return false, ("of a compose project one refers to SERVICE.url, SERVICE.host, SERVICE.port, or SERVICE:PORT.url%s"):format(
    rest and nearest.hint(rest, FIELDS) or "")
end

function kind.field(fields, field)
  local service, port, rest = parts_of(field)
  local one = fields[service]
  local function fail(text) core.raise("service", "REFERENCE", ("${….%s}: %s"):format(field, text)) end
  if not one then
    fail(("the compose project has no service '%s' (there is %s)"):format(service, table.concat(show.keys(fields), ", ")))
  end
  if rest == "host" then return one.host end
  local found = not port and one.port or port and one.ports[port]
  if not found then
    local published = show.keys(one.ports)
    fail(#published == 0 and service .. " publishes no port (ports: in the compose file)" or
      ("%s publishes %s: say which, ${….%s:%s.%s}"):format(service, table.concat(published, ", "), service, published[1],
      rest))
  end
  return rest == "port" and found or ("http://%s:%d"):format(one.host, found)
end

-- ---- the provider

local docker = { name = "docker" }

local function tool()
  return require("itlua.container.compose").tool()
end

function docker.find(spec)
  local fs = require "itlua.fs"
  local ok, why = require("itlua.container").available()
  if not ok then return nil, (why:match("[^\n]*"):gsub("%.? Tried:?$", "")) end
  local found, words = pcall(tool)
  if not found then return nil, words.message end
  local files = type(spec.file) == "table" and spec.file or { spec.file }
  for _, file in ipairs(files) do
    local path = spec.folder and not file:find "^/" and fs.join(spec.folder, file) or file
    if not fs.exists(path) then return nil, "there is no file " .. path end
  end
  return {}, ("%s by %s"):format(table.concat(#files > 0 and files or { spec.folder }, ", "), table.concat(words, " "))
end

local function waits_of(spec)
  local waits = {}
  for name, ready in pairs(spec.ready or {}) do
    waits[name] = ready and require("itlua.services.docker").condition(ready) or false
  end
  return waits
end

function docker.start(context)
  local spec = context.spec
  local project = require("itlua.container").compose {
    file = spec.file, folder = spec.folder, project = spec.project, services = spec.services, profiles = spec.profiles,
    env = spec.env, build = spec.build, wait = waits_of(spec), startup_timeout = spec.startup_timeout,
  }
  local instance = { project = project, fields = project:published() }
  function instance:launch()
    project:start()
    self.fields = project:published()
  end
  function instance.signal(_, name) project:signal(name) end
  function instance.stop(_, seconds) project:stop { timeout = seconds } end
  function instance.read_log(_, last, since) return project:logs(nil, { tail = last, since = since }) end
  function instance:discard()
    self.stop = nil
    project:down()
  end
  return instance
end

kind.providers = { docker }

-- ---- in a spec

kind.methods = {}

--- The container of one of its services: with exec, logs, pause, disconnect and all else a container has.
---@param service itlua.services.Service
---@param name string
---@return itlua.container.Container
function kind.methods.service(service, name)
  local fields = service:start():status().fields or {}
  if not fields[name] then
    core.raise("service", "UNKNOWN", ("the compose project has no service '%s'%s (there is %s)"):format(tostring(name),
      nearest.hint(tostring(name), show.keys(fields)), table.concat(show.keys(fields), ", ")))
  end
  return require("itlua.container").attach(fields[name].id)
end

return kind
