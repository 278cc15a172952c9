--- Containers: real services for tests, through the Docker Engine API over its socket. No docker program is needed.
--
--     local container = require "itlua.container"
--     local wait = container.wait
--
--     local db = container.run { image = "postgres:16-alpine", env = { POSTGRES_PASSWORD = "secret" } }
--     local app = container.run { image = "app:test", ports = { 8080 }, wait = wait.http { path = "/health" } }
--     local r = http.get(app:url(8080) .. "/orders")
--     db:pause()                      -- connections stay, nothing answers
--
-- run returns when the container is ready: by default when a round trip of its protocol works (PostgreSQL, Redis), its
-- health check says so, or its published ports answer. What is published is published on a free port of 127.0.0.1.
-- What a test, a block or a file has started is removed at its end, and named when it was left open: close it, or
-- `local db <close> = container.run …`. What a killed run
-- leaves is removed by a reaper, a small process that outlives it; what a crashed machine left, by the next run.
--
-- The engine is found as the docker program finds it: DOCKER_HOST, the current context, the usual sockets (rootless
-- Docker and Podman too). Errors have kind "container"; a container that does not get ready ends in a verdict with what
-- was waited for, the container's state and its last lines.

local Engine = require "itlua.container.engine"
local cache = require "itlua.container.cache"
local compose = require "itlua.container.compose"
local condition = require "itlua.container.condition"
local core = require "itlua.core"
local image = require "itlua.container.image"
local native = require "itlua.container.core"
local owner = require "itlua.container.owner"
local run = require "itlua.container.run"
local shared = require "itlua.container.shared"

local container = {}

--- The conditions of readiness: port, log, http, healthy, exec, exit, file, sql, redis, check, all, any.
container.wait = {
  port = condition.port, log = condition.log, http = condition.http, healthy = condition.healthy,
  exec = condition.exec, exit = condition.exit, file = condition.file, sql = condition.sql, redis = condition.redis,
  check = condition.check, all = condition.all, any = condition.any,
}

-- ---- the engine

local environment = setmetatable({}, { __index = function(_, name) return os.getenv(name) end })

local default

--- The engine that everything here uses: connected to when first needed. What gone runs have left there is removed.
---@return itlua.container.Engine
function container.engine()
  if not default then
    default = Engine.connect(environment)
    if not native.note "swept" then
      core.daemon(function()
        owner.sweep(default)
        native.note("swept", "yes")
      end)
    end
  end
  return default
end

--- Connects to an engine as an environment names it: container.connect{DOCKER_HOST = "tcp://build:2375"}. Returns its
--- functions run, attach, pull, build, network, volume, image and the field `engine`.
---@param variables table<string, string>
---@return table
function container.connect(variables)
  if type(variables) ~= "table" then core.usage "container.connect needs a table of environment variables" end
  local engine = Engine.connect(variables)
  local bound = { engine = engine, wait = container.wait }
  for _, name in ipairs { "run", "attach", "pull", "build", "network", "volume", "compose", "image", "clear_cache" } do
    bound[name] = function(options) return container[name](options, engine) end
  end
  return bound
end

--- Whether an engine answers; else why not.
---@return boolean
---@return string? why
function container.available()
  local ok, err = pcall(container.engine)
  if ok then return true end
  return false, core.is_error(err) and err.message or tostring(err)
end

-- ---- what there is

--- Starts a container and returns when it is ready. Raises kind "container": NO_ENGINE, PERMISSION, IMAGE, NAME,
--- PORT_TAKEN, COMMAND, NETWORK, MOUNT, EXITED, OOM, UNHEALTHY, NOT_READY, …
---@param options itlua.container.RunOptions|string    or only the image
---@return itlua.container.Container
function container.run(options, engine)
  if type(options) == "string" then options = { image = options } end
  return run.run(engine or container.engine(), options)
end

--- A handle of a container that is there already, by name or id. Closing it leaves the container alone.
---@param name string
---@return itlua.container.Container
function container.attach(name, engine)
  return run.attach(engine or container.engine(), name)
end

--- A network of the test's own, removed with it.
---@param options? table    name, driver, internal, labels, options
---@return itlua.container.Network
function container.network(options, engine)
  return shared.network(engine or container.engine(), options)
end

--- A volume of the test's own, removed with it.
---@param options? table    name, driver, labels, options
---@return itlua.container.Volume
function container.volume(options, engine)
  return shared.volume(engine or container.engine(), options)
end

--- Pulls an image, with the credentials of the Docker configuration.
---@param options itlua.container.PullOptions|string
function container.pull(options, engine)
  image.pull(engine or container.engine(), options)
end

--- Builds an image from a folder or from files given here. Without `tag` or `keep` it is removed with the test.
---@param options itlua.container.BuildOptions
---@return table image    name, id, remove()
function container.build(options, engine)
  return image.build(engine or container.engine(), options)
end

--- Brings a Compose project up by the installed tool, and takes it down with its volumes when the test ends. Raises kind
--- "container": COMPOSE_MISSING, COMPOSE_INVALID, COMPOSE.
---@param options itlua.container.ComposeOptions
---@return itlua.container.Project
function container.compose(options, engine)
  return compose.up(engine or container.engine(), options)
end

--- Removes the images that option `cache` of container.run has kept.
---@return integer removed
function container.clear_cache(_, engine)
  return cache.clear(engine or container.engine())
end

--- What the engine knows of an image, or nil.
---@param name string
---@return table?
function container.image(name, engine)
  return image.inspect(engine or container.engine(), name)
end

return container
