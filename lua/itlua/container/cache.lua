--- Databases that are initialised once: a container is started as asked for, stopped when it is ready, and its state kept
--- as an image under a key of all that went into it (image, environment, files, command). The next start needs no
--- initialisation. Off unless option `cache` is given.

local core = require "itlua.core"
local encode = require "itlua.encode"
local fs = require "itlua.fs"
local image = require "itlua.container.image"
local json = require "itlua.json"
local owner = require "itlua.container.owner"

local cache = {}

cache.IMAGES, cache.LABEL = "itlua/cache", "itlua.cache"

-- The official images declare their data folder a volume, which no image can keep: the data goes elsewhere.
local DATA = "/var/lib/itlua-data"
local POSTGRES = { env = "PGDATA" }
local KNOWN = { postgres = POSTGRES, postgis = POSTGRES, timescaledb = POSTGRES, pgvector = POSTGRES }

local PATIENCE = 180 -- seconds for another run that initialises the same

local function knowledge(name)
  local known = KNOWN[name:match "([^/:@]+)[:@]?[^/]*$"]
  if known then return known end
  return core.usage(("option 'cache': it is not known where %s keeps its data (known: postgres, postgis, timescaledb, " ..
    "pgvector)"):format(name))
end

-- ---- the key

local function digest_of_file(value)
  if type(value) == "string" then return encode.sha256(value) end
  if value.content then return { encode.sha256(value.content), value.mode, value.uid, value.gid } end
  local list = { value.mode or 0, value.uid or 0, value.gid or 0 }
  if fs.exists(value.source) == "folder" then
    for _, name in ipairs(fs.list(value.source, { recursive = true })) do
      local path = fs.join(value.source, name)
      list[#list + 1] = name
      if fs.stat(path).type == "file" then list[#list + 1] = encode.sha256(fs.read(path)) end
    end
  elseif fs.exists(value.source) then
    list[#list + 1] = encode.sha256(fs.read(value.source))
  end
  return list
end

local function key_of(options, known)
  local files = {}
  for name, value in pairs(options.files or {}) do files[name] = digest_of_file(value) end
  return encode.sha256(json.encode({
    image = known.Id, env = options.env, files = files, command = options.command, entrypoint = options.entrypoint,
    user = options.user, platform = options.platform,
  }, { order = "sorted" })):sub(1, 24)
end

-- ---- variants of what was asked for

local function copy(options, changes, without)
  local all = {}
  for name, value in pairs(options) do all[name] = value end
  for _, name in ipairs(without) do all[name] = nil end
  for name, value in pairs(changes) do all[name] = value end
  all.env = { [knowledge(options.image).env] = DATA }
  for name, value in pairs(options.env or {}) do all.env[name] = value end
  return all
end

local function for_initialising(options, name)
  return copy(options, { name = name, guard = options.guard and "end" },
    { "cache", "network", "aliases", "mounts", "tmpfs", "reuse", "memory", "cpus", "wait", "labels", "ports" })
end

-- ---- making it

local function commit(container, key)
  container:stop { timeout = 60 }
  local code = container:inspect().State.ExitCode
  if code ~= 0 then
    core.raise("container", "CACHE", ("%s did not stop in order (exit code %d): its data cannot be kept"):format(
      container:label(), code))
  end
  local span = core.span("container", "keep the state of " .. container:label())
  -- Labels of the container become those of the image: nobody owns it.
  container.engine:call("POST", "/commit", "keeping the state of " .. container:label(), {
    query = { container = container.id, repo = cache.IMAGES, tag = key, pause = false },
    json = { Labels = { [cache.LABEL] = key, [owner.LABEL] = "", [owner.RUN] = "" } }, timeout = 300,
  })
  core.span_end(span)
end

-- Another run is doing it: until the image is there, or that run has given up.
local function wait_for_other(engine, name, lock)
  local deadline, absent = core.now() + PATIENCE, 0
  while core.now() < deadline do
    if image.inspect(engine, name) then return end
    local r = engine:call("GET", "/containers/" .. lock .. "/json", "waiting for " .. lock, { may = { [404] = true } })
    absent = r.status == 404 and absent + 1 or 0 -- a name is taken a moment before its container can be seen
    if absent > 10 then return end
    core.sleep(0.1)
  end
  core.raise("container", "CACHE", ("the container %s has been initialising for %d s: remove it (docker rm -f %s)"):format(
    lock, PATIENCE, lock))
end

local function initialise(engine, options, name, key, start)
  local lock = "itlua-init-" .. key
  local ok, container = pcall(start, engine, for_initialising(options, lock))
  if not ok then
    if core.is_error(container) == "container" and container.code == "NAME" then
      return wait_for_other(engine, name, lock)
    end
    error(container, 0)
  end
  local kept, err = pcall(commit, container, key)
  container:remove()
  if not kept then error(err, 0) end
end

--- What to start instead: the options with the image that holds the initialised state, which is made where it is not
--- there.
---@param engine itlua.container.Engine
---@param options itlua.container.RunOptions
---@param known table        what the engine knows of the image
---@param start fun(engine: itlua.container.Engine, options: table): itlua.container.Container
---@return table options
---@return string image
function cache.resolve(engine, options, known, start)
  knowledge(options.image)
  local key = key_of(options, known)
  local name = cache.IMAGES .. ":" .. key
  for _ = 1, 3 do
    if image.inspect(engine, name) then break end
    initialise(engine, options, name, key, start)
  end
  return copy(options, {}, { "cache", "files" }), name
end

--- Removes all images that were kept.
---@param engine itlua.container.Engine
---@return integer removed
function cache.clear(engine)
  local removed = 0
  for _, item in ipairs(engine:ask("GET", "/images/json", "kept states",
    { query = { filters = { reference = { cache.IMAGES } } } })) do
    for _, name in ipairs(type(item.RepoTags) == "table" and item.RepoTags or {}) do
      engine:call("DELETE", "/images/" .. name, "removing " .. name, { may = { [404] = true, [409] = true } })
      removed = removed + 1
    end
  end
  return removed
end

return cache
