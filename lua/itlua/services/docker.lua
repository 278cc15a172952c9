--- Containers as services: whether there are any here, and how one becomes what the host runs (itlua.container).

local core = require "itlua.core"

local docker = {}

-- The engine is looked for once a process.
local known, why

local function available(container)
  if known == nil then known, why = container.available() end
  return known, why
end

--- An offer of an image, where an engine answers and has it; with `pull` also where it would have to be fetched.
---@param spec table
---@param repository? string    "postgres"; not where the image is named
---@param tag? string           where no version was asked for: "16-alpine"
---@param pull boolean?
---@return { image: string, version: string, fetch?: string }?
---@return string text
function docker.find(spec, repository, tag, pull)
  local container = require "itlua.container"
  local ok, reason = available(container)
  if not ok then return nil, (tostring(reason):match("[^\n]*"):gsub("%.? Tried:?$", "")) end
  local image = spec.image or ("%s:%s"):format(repository, spec.version and spec.version .. "-alpine" or tag)
  local plain = spec.version and not spec.image and repository .. ":" .. spec.version
  if plain and not container.image(image) and container.image(plain) then image = plain end
  local offer = { image = image, version = spec.version or image:match ":([%d.]+)" or "?" }
  if container.image(image) then return offer, ("container %s"):format(image) end
  if pull or spec.image or spec.provider == "docker" then
    offer.fetch = image
    return offer, ("container %s, to be pulled"):format(image)
  end
  return nil, ("the engine has no %s; option image or provider = \"docker\" would pull it"):format(image)
end

--- The provider of a kind's images that are here, and the one that fetches them where nothing else offers.
---@param repository string
---@param tag string
---@param start fun(context: itlua.services.Context, offer: table): itlua.services.Instance
---@return itlua.services.Provider here, itlua.services.Provider fetched
function docker.providers(repository, tag, start)
  return {
    name = "docker", start = start, find = function(spec) return docker.find(spec, repository, tag) end,
  }, {
    name = "docker", start = start, find = function(spec) return docker.find(spec, repository, tag, true) end,
  }
end

--- Starts it. The instance has host and port, where its port is published.
---@param offer { image: string }
---@param context itlua.services.Context
---@param options { port: integer, published?: integer, env?: table, command?: string[]|string, cache?: boolean,
---    wait?: table }   and more of container.run; published: the port of this machine, chosen before
---@return itlua.services.Instance
function docker.run(offer, context, options)
  local env = {}
  for name, value in pairs(options.env or {}) do env[name] = value end
  for name, value in pairs(context.spec.env or {}) do env[name] = value end
  -- A port of our choice: one of the engine's would be another after each start.
  local container = require "itlua.container"
  local c = container.run {
    image = offer.image, env = env,
    ports = { ("%s:%d:%d"):format(container.engine():publish_on(), options.published or context.port(), options.port) },
    startup_timeout = context.seconds, command = options.command, cache = options.cache,
    wait = options.wait, tmpfs = options.tmpfs, mounts = options.mounts, files = options.files, memory = options.memory,
  }
  local instance = { container = c, host = c.host, port = c:port(options.port) }
  function instance.launch() c:start() end
  if c.passing then -- the engine removes it when it ends, but not when it is restarted
    instance.launch = nil
    function instance:restart(seconds)
      self:signal "CONT"
      c:restart { timeout = math.ceil(seconds) }
    end
  end
  local paused = false
  function instance.signal(_, name)
    if name ~= "STOP" and name ~= "CONT" then return c:kill(name) end
    if paused == (name == "STOP") then return end
    paused = name == "STOP"
    if paused then c:pause() else c:unpause() end
  end
  function instance:stop(seconds)
    self:signal "CONT"
    c:stop { timeout = math.ceil(seconds) }
  end
  function instance.read_log(_, last, since) return c:logs { tail = last, since = since } end
  function instance.timed_lines(_, since, last)
    return require("itlua.container.story").lines(c, since, last)
  end
  function instance:discard()
    local ok, err = pcall(c.remove, c)
    if not ok and core.is_error(err) ~= "container" then error(err, 0) end
    self.stop = nil
  end
  return instance
end

-- ---- what makes it ready, as services describe it

docker.conditions = { http = "string", status = "number", line = "string", port = "number" }

--- What is wrong with a `ready` of a container, or nil.
---@param ready table?
---@param path string    "ready", for the message
---@return string?
function docker.wrong_ready(ready, path)
  for name, value in pairs(ready or {}) do
    local wanted = docker.conditions[name]
    if not wanted then return ("%s has no '%s' (there is http, status, line, port)"):format(path, tostring(name)) end
    if type(value) ~= wanted then return ("%s.%s must be a %s"):format(path, name, wanted) end
  end
end

--- The condition that it stands for; nil where nothing is said.
---@param ready table?
---@param port? integer
---@return itlua.container.Condition?
function docker.condition(ready, port)
  if not ready or not next(ready) then return nil end
  local wait, all = require("itlua.container").wait, {}
  port = math.tointeger(ready.port) or port
  if ready.line then all[#all + 1] = wait.log(ready.line) end
  if ready.http then all[#all + 1] = wait.http { path = ready.http, status = ready.status, port = port } end
  if not ready.http and ready.port then all[#all + 1] = wait.port(port) end
  return #all == 1 and all[1] or wait.all(all)
end

return docker
