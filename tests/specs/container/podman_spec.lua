-- Podman's service instead of Docker's engine, with a storage of its own; the image is taken from the engine that is here.

local container = require "itlua.container"
local engine = require "tests.specs.container.engine"
local fs = require "itlua.fs"
local process = require "itlua.process"
local task = require "itlua.task"

local failure = engine.failure
local missing = engine.missing "busybox:latest"
if missing then
  pending(missing)
  return
end

-- What podman is to do here: as little as possible of what only some machines allow.
local CONF = [[
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
]]

local function words(dir, runtime, ...)
  return { "podman", "--root", dir:join "root", "--runroot", dir:join "run", "--storage-driver", "vfs",
    "--runtime", runtime, ... }
end

local function env(dir)
  return { CONTAINERS_CONF = dir:join "containers.conf", XDG_RUNTIME_DIR = dir:join "xdg", DOCKER_HOST = false,
    CONTAINER_HOST = false }
end

local function run(dir, runtime, ...)
  local ok, result = pcall(process.run, { command = words(dir, runtime, ...), env = env(dir), merge = true, timeout = 14,
    cwd = dir.path })
  if not ok then return nil, tostring(result):match "[^\n]*" end
  return result.code == 0, result.stdout:match "[^\n]*\n?$"
end

-- The runtime that starts a container here; else why there is none.
local function prepare(dir)
  dir:write("containers.conf", CONF)
  fs.mkdir(dir:join "xdg", { mode = 448 })
  local e = container.engine()
  local image = e:call("GET", "/images/busybox:latest/get", "save the image").body
  dir:write("busybox.tar", image)
  local why
  for _, runtime in ipairs { "crun", "runc" } do
    local ok, said = run(dir, runtime, "load", "-i", dir:join "busybox.tar")
    if ok then ok, said = run(dir, runtime, "run", "--rm", "--network", "none", "busybox:latest", "true") end
    if ok then return runtime end
    why = ("%s: %s"):format(runtime, said or "?")
  end
  return nil, why
end

describe("Podman", function()
  local dir = fs.tempdir { prefix = "itlua-podman-" }
  local runtime, why = prepare(dir)
  if not runtime then
    dir:close()
    pending("no podman that starts a container here: " .. why)
    return
  end

  local service, podman

  setup(function()
    local socket = dir:join "podman.sock"
    service = process.start {
      command = words(dir, runtime, "system", "service", "--time=0", "unix://" .. socket), env = env(dir), cwd = dir.path,
      merge = true,
    }
    podman = task.eventually(function() return container.connect { CONTAINER_HOST = "unix://" .. socket } end, { timeout = 30 })
  end)
  teardown(function()
    service:stop()
    run(dir, runtime, "rm", "-fa", "-t", "0")
    dir:close()
  end)

  local function sleeper(options)
    local all = { image = "busybox:latest", command = { "sleep", "1000" }, network = "none" }
    for name, value in pairs(options or {}) do all[name] = value end
    return podman.run(all)
  end

  it("is found, and named as what it is", function()
    assert.matches("^Podman [%d.]+ at unix://.*podman.sock %(API 1", tostring(podman.engine))
  end)

  it("starts, stops, copies, executes and prints as Docker does", function()
    local c <close> = sleeper { env = { WHO = "me" }, files = { ["/etc/greeting"] = "hello" } }
    assert.equal("me hello", c:exec("printf '%s ' $WHO; cat /etc/greeting").stdout)
    c:write_file("/tmp/x", "there")
    assert.equal("there", c:read_file "/tmp/x")
    c:stop { timeout = 1 }
    assert.is_false(c:running())
    c:start()
    assert.is_true(c:running())
    local job <close> = podman.run { image = "busybox:latest", command = "echo done; exit 3", network = "none",
      wait = container.wait.exit { code = 3 } }
    assert.equal("done\n", job:logs())
  end)

  it("runs its health checks when they are waited for", function()
    local c <close> = sleeper { command = "sleep 0.5; touch /ok; exec sleep 1000",
      health = { command = "test -e /ok", interval = 0.1, retries = 100 } }
    assert.equal("healthy", c:health())
  end)

  it("has the same errors", function()
    local c <close> = sleeper()
    assert.equal("NAME", failure(sleeper, { name = c.name }).code)
    assert.is_true(c:running())
    assert.equal("NETWORK", failure(sleeper, { network = "no-such-network" }).code)
    local err = failure(sleeper, { command = "echo the reason; exit 7", wait = container.wait.log "never" })
    assert.equal("EXITED", err.code)
    assert.matches("with code 7.*the reason", err.message)
    assert.equal("IMAGE", failure(sleeper, { image = "busybox:none", pull = "never" }).code)
  end)
end)
