local container = require "itlua.container"
local engine = require "tests.specs.container.engine"
local fs = require "itlua.fs"
local owner = require "itlua.container.owner"
local process = require "itlua.process"
local task = require "itlua.task"

local failure = engine.failure
local missing = engine.missing("busybox:latest", "redis:7-alpine")
if missing then
  pending(missing)
  return
end

local SLEEPER = { image = "busybox", command = { "sleep", "1000" } }

local function guarded(options, guard)
  local all = { guard = guard }
  for name, value in pairs(options) do all[name] = value end
  return container.run(all)
end

describe("a guarded container", function()
  it("lives in its guard's namespace, of which a process has one", function()
    local a <close> = guarded(SLEEPER, "end")
    local b <close> = guarded(SLEEPER, true)
    local mode = a:inspect().HostConfig.PidMode
    assert.matches("^container:", mode)
    assert.equal(mode, b:inspect().HostConfig.PidMode)
    assert.is_false(a:inspect().HostConfig.AutoRemove)
    assert.is_true(b:inspect().HostConfig.AutoRemove)
    local plain <close> = guarded(SLEEPER, false)
    assert.not_matches("^container:", plain:inspect().HostConfig.PidMode)
  end)

  it("is stopped and started as others, unless the engine removes it", function()
    local c <close> = guarded({ image = "redis:7-alpine" }, "end")
    c:stop { timeout = 1 }
    assert.equal("exited", c:status())
    c:start()
    assert.is_true(c:running())
    local gone = guarded({ image = "redis:7-alpine" }, true)
    gone:restart { timeout = 1 }
    assert.is_true(gone:running())
    gone:stop { timeout = 1 }
    assert.is_false(engine.has(gone.name))
    assert.matches("was removed by the engine when it ended: that is what option 'guard' = true means",
      failure(gone.start, gone))
  end)

  it("says why it did not get ready", function()
    local err = failure(guarded, { image = "busybox", command = "echo the reason; exit 7", ports = { 80 } }, true)
    assert.equal("EXITED", err.code)
    assert.matches("exited .* with code 7.*the reason", err.message)
  end)

  it("that is waited for until it ends is there then", function()
    local c <close> = guarded({ image = "busybox", command = "echo done", wait = container.wait.exit() }, true)
    assert.equal("done\n", c:logs())
  end)

  it("gets another guard when somebody has removed the first", function()
    local first <close> = guarded(SLEEPER, "end")
    local id = first:inspect().HostConfig.PidMode:match "container:(.*)"
    container.engine():call("POST", "/containers/" .. id .. "/kill", "end the guard")
    task.eventually(function() return not first:running() end, { timeout = 20 })
    local second <close> = guarded(SLEEPER, "end")
    assert.not_equal(id, second:inspect().HostConfig.PidMode:match "container:(.*)")
    assert.is_true(second:running())
  end)

  it("refuses what is no guard", function()
    assert.matches("option 'guard' is true, false or \"end\", not 'yes'", failure(guarded, SLEEPER, "yes"))
  end)
end)

-- A CI job: this program in a container of its own, which uses the engine that the container is of. All its processes
-- are killed at once, those that clean up too.
describe("a job's container #heavy", function()
  local path = container.engine().endpoint.path
  if not path or container.engine():home() or container.engine().podman then
    pending "needs a Docker engine whose files are those of this machine"
    return
  end

  local SPEC = [[
    local container, services = require "itlua.container", require "itlua.services"
    it("hangs", function()
      local c = container.run { image = "busybox", command = { "sleep", "1000" } }
      local r = services.cache:connect()
      r:set("k", "v")
      assert.equal("v", r:get "k")
      require("itlua.fs").write("up", c.name .. " " .. services.cache:logs():match "Ready to accept", { atomic = true })
      require("itlua.task").sleep(100)
    end)
  ]]

  local function job(settings)
    local dir = fs.tempdir { prefix = "itlua-job-" } -- goes with the test
    dir:write("itlua.lua", ("return { %s services = { cache = { kind = 'redis', provider = 'docker' } } }\n"):format(settings))
    dir:write("specs/a_spec.lua", SPEC)
    local program = fs.realpath(process.self())
    local mounts = { dir.path .. ":" .. dir.path, path .. ":/var/run/docker.sock",
      fs.dirname(program) .. ":" .. fs.dirname(program) .. ":ro" }
    for _, folder in ipairs { "/usr", "/lib", "/lib64" } do
      if fs.exists(folder) then mounts[#mounts + 1] = folder .. ":" .. folder .. ":ro" end
    end
    local c = container.run {
      image = "busybox", command = { program, "-j", "1", "-o", "TAP" }, workdir = dir.path, entrypoint = false,
      env = { DOCKER_HOST = "unix:///var/run/docker.sock", HOME = dir.path }, guard = false, mounts = mounts,
    }
    local ok, said = pcall(task.eventually, function() return fs.read(dir:join "up") end, { timeout = 60 })
    if not ok then error(tostring(said) .. "\n" .. c:logs(), 0) end
    return c
  end

  -- What it has in the engine, beside itself.
  local function of_job(c)
    local list = {}
    for _, item in ipairs(container.engine():ask("GET", "/containers/json", "list", { query = { all = "true",
      filters = { label = { ("%s=%s"):format(owner.HOME, c.id) } } } })) do
      list[#list + 1] = item
    end
    return list
  end

  local function running(list)
    local n = 0
    for _, item in ipairs(list) do if item.State == "running" then n = n + 1 end end
    return n
  end

  it("that is killed leaves nothing behind with guard = true", function()
    local c <close> = job "guard = true,"
    assert.equal(4, #of_job(c)) -- the worker's and the services' guards, and what they guard
    c:kill()
    task.eventually(function() return #of_job(c) == 0 end, { timeout = 20 })
  end)

  it("that is killed leaves nothing running, and the next run removes the rest", function()
    local c <close> = job ""
    assert.equal(4, running(of_job(c)))
    c:kill()
    task.eventually(function() return running(of_job(c)) == 0 end, { timeout = 20 })
    owner.sweep(container.engine())
    assert.equal(0, #of_job(c))
  end)
end)
