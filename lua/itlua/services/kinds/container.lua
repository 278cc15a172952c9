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

function kind.check(spec)
  if not spec.image then return "option 'image' is missing" end
  if not spec.port then return "option 'port' is missing: the container's, which is published" end
  return require("itlua.services.docker").wrong_ready(spec.ready, "ready")
end

local docker = { name = "docker" }

function docker.find(spec)
  return require("itlua.services.docker").find(spec)
end

function docker.start(context, offer)
  local spec = context.spec
  local port, shared = math.tointeger(spec.port), require "itlua.services.docker"
  local instance = shared.run(offer, context, {
    port = port, command = spec.command, wait = shared.condition(spec.ready, port), tmpfs = spec.tmpfs, mounts = spec.mounts,
    files = spec.files, memory = spec.memory,
  })
  instance.fields = { host = instance.host, port = instance.port,
    url = ("%s://%s:%d"):format(spec.scheme or "http", instance.host, instance.port) }
  return instance
end

kind.providers = { docker }

return kind
