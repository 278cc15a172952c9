--- Services of kind "container": an image of any server, on the Docker Engine (itlua.container).
--
--     mail = { kind = "container", image = "axllent/mailpit:v1.20", port = 8025, ready = { http = "/api/v1/info" } }
--
-- Without `ready` it is ready when its health check says so, or its port answers. Its fields: url, host, port.

local kind = {
  name = "container",
  options = {
    image = "string", port = "number", env = "table", command = "text", ready = "table", scheme = "string", tmpfs = "table",
    mounts = "table", files = "table", memory = "text",
  },
  fields = { "url", "host", "port" },
}

local conditions = { http = "string", status = "number", line = "string" }

function kind.check(spec)
  if not spec.image then return "option 'image' is missing" end
  if not spec.port then return "option 'port' is missing: the container's, which is published" end
  for name, value in pairs(spec.ready or {}) do
    if not conditions[name] then return ("ready has no '%s' (there is http, status, line)"):format(tostring(name)) end
    if type(value) ~= conditions[name] then return ("ready.%s must be a %s"):format(name, conditions[name]) end
  end
end

local docker = { name = "docker" }

function docker.find(spec)
  return require("itlua.services.docker").find(spec)
end

local function condition_of(ready, port)
  if not ready then return nil end
  local wait, all = require("itlua.container").wait, {}
  if ready.line then all[#all + 1] = wait.log(ready.line) end
  if ready.http then all[#all + 1] = wait.http { path = ready.http, status = ready.status, port = port } end
  return #all == 1 and all[1] or wait.all(all)
end

function docker.start(context, offer)
  local spec = context.spec
  local port = math.tointeger(spec.port)
  local instance = require("itlua.services.docker").run(offer, context, {
    port = port, command = spec.command, wait = condition_of(spec.ready, port), tmpfs = spec.tmpfs, mounts = spec.mounts,
    files = spec.files, memory = spec.memory,
  })
  instance.fields = { host = instance.host, port = instance.port,
    url = ("%s://%s:%d"):format(spec.scheme or "http", instance.host, instance.port) }
  return instance
end

kind.providers = { docker }

return kind
