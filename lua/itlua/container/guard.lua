--- Guards: where the whole tree of processes can be killed at once, the reaper too (a CI job's container), the engine itself
--- ends what a process has started there.
--
-- A guard is a container that runs `cat`, whose input is a connection that this process keeps open (container_guard.c).
-- The containers that it guards have their processes in its process namespace. When this process ends, however it does, the
-- connection is closed, cat ends, the kernel ends the namespace and with it all guarded containers; those that were asked to
-- be are removed by the engine. There is one for a process and an engine; it is brought up when it is first needed. (Podman
-- removes what is guarded, but not the guard, which has ended: the next run does.)

local core = require "itlua.core"
local current_run = require "itlua.run"
local encode = require "itlua.encode"
local json = require "itlua.json"
local native = require "itlua.container.core"
local owner = require "itlua.container.owner"

local guard = {}

---@class itlua.container.Guard
---@field name string       of its container
---@field remove boolean    what it guards is removed, not only ended

-- ---- whether there is to be one

local FROM_ENVIRONMENT = { ["1"] = true, ["true"] = true, ["end"] = "end", ["0"] = false, ["false"] = false }

-- true, "end" or false; and whether somebody has asked for it.
local function wanted(engine, options)
  if options.guard ~= nil then return options.guard, true end
  if current_run.guard ~= nil then return current_run.guard, true end
  local said = FROM_ENVIRONMENT[os.getenv "ITLUA_GUARD" or ""]
  if said ~= nil then return said, true end
  return engine:home() and "end" or false, false
end

-- A container that is waited for until it has ended may not vanish then.
local function is_to_end(c)
  if c == nil then return false end
  if c.survives then return true end
  for _, child in ipairs(c.children or {}) do
    if is_to_end(child) then return true end
  end
  return false
end

-- ---- bringing one up

local function note_of(engine) return "guard " .. engine.address end

local function attach(engine, name)
  local found = engine.endpoint
  if found.tls then
    core.raise("container", "GUARD", "the engine is reached by TLS, over which no guard can be held")
  end
  local request = ("POST /v%s/containers/%s/attach?stream=1&stdin=1 HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\n" ..
    "Upgrade: tcp\r\nContent-Length: 0\r\n\r\n"):format(engine.api, name)
  local port = found.url and found.url:match ":(%d+)$"
  native.hold(found.path, found.host, port, request)
end

-- Nothing of the image but its cat.
local function body_of(engine, image)
  return {
    Image = image, Entrypoint = { "cat" }, Cmd = json.array {}, User = "0", OpenStdin = true, StdinOnce = true,
    AttachStdin = true, Healthcheck = { Test = { "NONE" } }, Labels = owner.labels(engine),
    HostConfig = { AutoRemove = true, NetworkMode = "none" },
  }
end

local function bring_up(engine, image)
  local name = "itlua-guard-" .. encode.hex(encode.random(5))
  owner.protect(engine)
  engine:ask("POST", "/containers/create", "the guard " .. name, { json = body_of(engine, image), query = { name = name } })
  local ok, err = pcall(function()
    attach(engine, name)
    engine:call("POST", "/containers/" .. name .. "/start", "the guard " .. name)
  end)
  if ok then return name end
  pcall(engine.call, engine, "DELETE", "/containers/" .. name, "remove the guard", { query = { force = "true", v = "true" } })
  error(err, 0)
end

-- The one of this process, which another state of it may just be bringing up.
local function of_process(engine, image)
  local key = note_of(engine)
  while native.note(key) == "starting" do core.sleep(0.01) end
  local name = native.note(key)
  if name then return name end
  native.note(key, "starting")
  local span = core.span("container", "guard")
  local before = core.silence(true)
  local scope = core.enter(30, true) -- others wait for it: it is not given up halfway
  local ok, result = pcall(bring_up, engine, image)
  local expired = core.leave(scope)
  core.silence(before)
  native.note(key, ok and result or "")
  core.span_end(span, not ok and "failed" or nil)
  if ok then return result end
  if expired then core.raise("container", "GUARD", "the guard was not there within 30 s") end
  return error(result, 0)
end

--- The guard of a container that is about to be created; nil where it is to have none.
---@param engine itlua.container.Engine
---@param options itlua.container.RunOptions
---@param image string     that is there, and may have a `cat`
---@return itlua.container.Guard?
function guard.of(engine, options, image)
  local mode, asked = wanted(engine, options)
  if not mode then return nil end
  local ok, name = pcall(of_process, engine, image)
  if ok then return { name = name, remove = mode == true and not is_to_end(options.wait) } end
  if core.is_error(name) ~= "container" then error(name, 0) end
  if not asked then return nil end -- it would have been a belt more
  return core.raise("container", "GUARD", ("there can be no guard (option 'guard', ITLUA_GUARD, or itlua.lua): %s"):format(
    name.message))
end

--- Whether a container could not be started because its guard is gone; then the next one gets another.
---@param engine itlua.container.Engine
---@param held itlua.container.Guard
---@param err any
---@return boolean
function guard.is_lost(engine, held, err)
  if core.is_error(err) ~= "container" then return false end
  local info = engine:find("/containers/" .. held.name .. "/json", "looking for the guard")
  if info and info.State.Running then return false end
  if native.note(note_of(engine)) == held.name then native.note(note_of(engine), "") end
  return true
end

return guard
