--- container.run: from options to a container that is ready, or an error that says why not with nothing left behind.

local Container = require "itlua.container.handle"
local cache = require "itlua.container.cache"
local closing = require "itlua.closing"
local condition = require "itlua.container.condition"
local core = require "itlua.core"
local encode = require "itlua.encode"
local guard = require "itlua.container.guard"
local image = require "itlua.container.image"
local json = require "itlua.json"
local owner = require "itlua.container.owner"
local plan = require "itlua.container.plan"
local story = require "itlua.container.story"

local run = {}

-- ---- errors of the engine, in words of the options

local function who_publishes(engine, port)
  local ok, list = pcall(engine.ask, engine, "GET", "/containers/json", "looking for the port")
  for _, item in ipairs(ok and list or {}) do
    for _, binding in ipairs(type(item.Ports) == "table" and item.Ports or {}) do
      if binding.PublicPort == port then return ("the container %s (%s)"):format(item.Names[1]:sub(2), item.Image) end
    end
  end
end

local function port_taken(engine, label, reason)
  local port = tonumber(reason:match ":(%d+): bind: address already in use" or
    reason:match "[Bb]ind for [%d.]*:(%d+) failed: port is already allocated" or
    reason:match "listen %a+4? [%d.]*:(%d+)")
  if not port and not reason:find "address already in use" and not reason:find "port is already allocated" then return end
  local by = port and who_publishes(engine, port)
  core.raise("container", "PORT_TAKEN", ("%s cannot start: port %s of this machine is taken%s; leave the host's port out " ..
    "of option 'ports' to get a free one"):format(label, port or "that was asked for", by and " by " .. by or
    " by another program"), { port = port, reason = reason })
end

local function no_network(name, reason)
  core.raise("container", "NETWORK", ("there is no network '%s' (container.network makes one)"):format(name),
    { reason = reason })
end

local function explain_start(container, err)
  local reason = core.is_error(err) == "container" and err.reason
  if not reason then error(err, 0) end
  port_taken(container.engine, container:label(), reason)
  local network = reason:match "network (%S+) not found"
  if network then no_network(network, reason) end
  if reason:find "executable file not found" or reason:find "no such file or directory" or
    reason:find "permission denied" and reason:find "exec" then
    local what = reason:match 'exec: \\?"(.-)\\?"' or reason:match "exec (%S+):"
    core.raise("container", "COMMAND", ("%s cannot start: the command%s is not in the image, or cannot be executed: %s")
      :format(container:label(), what and " '" .. what .. "'" or "", reason), { reason = reason })
  end
  error(err, 0)
end

-- Docker says so by the status, Podman in words.
local function name_is_taken(err)
  return err.status == 409 or err.status == 500 and tostring(err.reason):find("already in use", 1, true) ~= nil
end

local function explain_create(options, err)
  local reason = core.is_error(err) == "container" and err.reason
  if not reason then error(err, 0) end
  if name_is_taken(err) and options.name then
    core.raise("container", "NAME", ("there is a container '%s' already: %s"):format(options.name, reason),
      { reason = reason })
  end
  if reason:find "network" and (err.status == 404 or reason:find "not found") then
    no_network(type(options.network) == "table" and options.network.name or tostring(options.network), reason)
  end
  error(err, 0)
end

-- ---- creating and starting

local function made_up_name(options)
  local short = options.image:match "([%w_.-]+)[:@]?[^/]*$" or "container"
  return ("itlua-%s-%s"):format(short, encode.hex(encode.random(5)))
end

local function create(container, options, body)
  local ok, created = pcall(container.engine.ask, container.engine, "POST", "/containers/create",
    ("creating %s"):format(container:label()),
    { json = body, query = { name = container.name, platform = options.platform } })
  if not ok then explain_create(options, created) end
  container.id = created.Id
end

local function start(container, options)
  if options.files then container:copy_in(options.files) end
  local ok, err = pcall(container._call, container, "POST", "/start", "start")
  if not ok then explain_start(container, err) end
end

local function make_ready(container, options)
  container.condition = options.wait or condition.default(container)
  container.startup_timeout = options.startup_timeout or 60
  if container.condition then container:wait_for(container.condition, { timeout = container.startup_timeout }) end
end

-- What went wrong goes on; what was started does not.
local function undo(container, err)
  local scope = core.enter(20, true)
  pcall(container._delete, container)
  core.leave(scope)
  if container.lease then closing.done(container.lease) end
  error(err, 0)
end

local function prepare(engine, options)
  local known = image.ensure(engine, options)
  local given = setmetatable({ _ip = engine:publish_on() }, { __index = options })
  return given, known
end

-- With a guard that is gone nothing can start: a new one is brought up. One that the engine has removed cannot be asked
-- why it ended: it is started once more, to be asked.
local ENDED = { GONE = true, EXITED = true, OOM = true }

local function has_vanished(container, err)
  if core.is_error(err) ~= "container" then return false end
  if ENDED[err.code] then return true end
  local info = container.id and container.engine:find("/containers/" .. container.id .. "/json", "looking for it")
  return container.id ~= nil and (not info or info.State.Status == "removing")
end

local function retry_without_guard(container, held, options, err)
  local lost = guard.is_lost(container.engine, held, err)
  if not lost and not (held.remove and has_vanished(container, err)) then return nil end
  local again = {}
  for name, value in pairs(options) do again[name] = value end
  if not lost then again.guard = "end" end
  return again
end

local start_fresh, fresh

function fresh(engine, options, labels)
  local asked = options
  local given, known = prepare(engine, options)
  if options.cache then
    local name
    options, name = cache.resolve(engine, options, known, start_fresh)
    given = setmetatable({ _ip = given._ip, _image = name }, { __index = options })
  end
  given._guard = guard.of(engine, options, given._image or options.image)
  local container = Container.new(engine, {
    name = options.name or made_up_name(options), image = asked.image, passing = given._guard and given._guard.remove,
  })
  local body = plan.create(given, labels, known)
  owner.protect(engine)
  -- From here on it is named and removed, even when this task is stopped while the engine creates it.
  container.lease = closing.add("container " .. container:label(), 1, function() container:_delete() end)
  local ok, err = pcall(function()
    create(container, options, body)
    start(container, options)
    make_ready(container, options)
  end)
  if not ok then
    if core.is_error(err) == "container" and err.code == "NAME" then -- that one is not ours to remove
      closing.done(container.lease)
      error(err, 0)
    end
    local again = given._guard and retry_without_guard(container, given._guard, asked, err)
    local fine, failure = pcall(undo, container, err)
    if again then return fresh(engine, again, labels) end
    if not fine then error(failure, 0) end
  end
  story.follow(container)
  return container
end

function start_fresh(engine, options) return fresh(engine, options, owner.labels(engine)) end

-- ---- shared with later runs

local NOT_COMPARED = { wait = true, startup_timeout = true, reuse = true, pull = true, auth = true, name = true }

local function key_of(options)
  local same = {}
  for name, value in pairs(options) do
    if not NOT_COMPARED[name] then same[name] = type(value) == "table" and value.name or value end
  end
  return encode.sha256(json.encode(same, { order = "sorted" })):sub(1, 16)
end

local function find_reused(engine, name)
  return engine:find("/containers/" .. name .. "/json", "looking for " .. name)
end

-- One that is there, running and ready. The engine lets only one run create the name: it is the lock.
local function join(engine, options, name, info)
  local container = Container.new(engine, { id = info.Id, name = name, image = options.image, attached = true })
  if not info.State.Running then
    local ok, err = pcall(container._call, container, "POST", "/start", "start")
    if not ok then explain_start(container, err) end
  end
  make_ready(container, options)
  return container
end

local function create_reused(engine, options, name, key)
  local given, known = prepare(engine, options)
  local container = Container.new(engine, { name = name, image = options.image, attached = true })
  local ok, err = pcall(create, container, options, plan.create(given, { [owner.REUSE] = key }, known))
  if not ok then
    if core.is_error(err) == "container" and name_is_taken(err) then return nil end -- another run was first
    error(err, 0)
  end
  ok, err = pcall(function()
    start(container, options)
    make_ready(container, options)
  end)
  if not ok then undo(container, err) end
  return container
end

local function reused(engine, options)
  local key = key_of(options)
  local name = options.name or "itlua-reuse-" .. key
  local deadline = core.now() + 120
  local created_since
  while core.now() < deadline do
    local info = find_reused(engine, name)
    if info and info.Config.Labels[owner.REUSE] ~= key then
      core.raise("container", "NAME", ("the container '%s' was started with other options: remove it (docker rm -f %s), " ..
        "or take another name"):format(name, name))
    end
    if info then
      created_since = created_since or core.now()
      -- One that is only created is about to be started by whoever made it, unless that run was killed.
      if info.State.Status ~= "created" or core.now() > created_since + 20 then
        return join(engine, options, name, info)
      end
      core.sleep(0.05)
    else
      local container = create_reused(engine, options, name, key)
      if container then return container end
    end
  end
  core.raise("container", "NAME", ("the container '%s' is created and removed again and again by others"):format(name))
end

--- Starts a container and waits until it is ready; see itlua.container.RunOptions.
---@param engine itlua.container.Engine
---@param options itlua.container.RunOptions
---@return itlua.container.Container
function run.run(engine, options)
  plan.check_run(options)
  if options.wait and not condition.is(options.wait) then core.usage "option 'wait' is no condition of container.wait" end
  if options.reuse and options.cache then core.usage "options 'reuse' and 'cache' exclude each other" end
  if options.reuse then return reused(engine, options) end
  return start_fresh(engine, options)
end

--- A handle of a container that somebody else has started; closing it leaves it alone.
---@param engine itlua.container.Engine
---@param name string    or id
---@return itlua.container.Container
function run.attach(engine, name)
  local info = find_reused(engine, name)
  if not info then core.raise("container", "NOT_FOUND", ("there is no container '%s'"):format(name)) end
  return Container.new(engine, {
    id = info.Id, name = info.Name:gsub("^/", ""), image = info.Config.Image, attached = true,
  })
end

return run
