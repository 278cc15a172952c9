local container = require "itlua.container"
local engine = require "tests.specs.container.engine"
local fs = require "itlua.fs"
local identity = require "itlua.identity"
local owner = require "itlua.container.owner"
local process = require "itlua.process"
local task = require "itlua.task"

local missing = engine.missing "busybox:latest"
if missing then
  pending(missing)
  return
end

local OPTIONS = '{ image = "busybox", command = { "sleep", "1000" } }'

describe("what is left open", function()
  it("belongs to this process, which is not gone", function()
    assert.is_false(identity.gone(owner.labels(container.engine())[owner.LABEL]))
    assert.is_true(identity.gone((identity.current().text:gsub("%d+$", "1"))))
    assert.is_false(identity.gone "another:machine:1:2:3")
  end)

  it("is named and removed at the end of its test", function()
    local dir <close> = fs.tempdir()
    local spec = dir:write("left_spec.lua", ([[
      local container = require "itlua.container"
      it("leaves a container", function() c = container.run %s; print("name " .. c.name) end)
      it("leaves a network with one in it", function()
        local net = container.network()
        local c = container.run { image = "busybox", command = { "sleep", "1000" }, network = net }
        print("name " .. c.name)
        print("net " .. net.name)
      end)
    ]]):format(OPTIONS))
    local result = process.run { process.self(), spec, "-o", "jsonl" }
    local names = 0
    for name in result.stdout:gmatch "name (itlua%-[%w-]+)" do
      names = names + 1
      assert.is_false(engine.has(name))
    end
    assert.equal(2, names)
    assert.matches("container busybox %(itlua%-busybox%-%x+%), opened at [^\"]*left_spec.lua:2", result.stdout)
    assert.matches("network itlua%-network%-%x+, opened at [^\"]*left_spec.lua:4", result.stdout)
    local net = result.stdout:match "net (itlua%-network%-%x+)"
    local r = container.engine():call("GET", "/networks/" .. net, "look", { may = { [404] = true } })
    assert.equal(404, r.status)
  end)

  it("is removed at the end of a script", function()
    local dir <close> = fs.tempdir()
    local script = dir:write("script.lua", 'print(require "itlua.container".run ' .. OPTIONS .. ".name)")
    local result = process.run { process.self(), "exec", script, check = true }
    assert.matches("^itlua%-busybox", result.stdout)
    assert.is_false(engine.has((result.stdout:gsub("%s+$", ""))))
  end)

  it("adds its lines to the timeline of a test that fails", function()
    local dir <close> = fs.tempdir()
    local spec = dir:write("fails_spec.lua", [[
      local container = require "itlua.container"
      describe("with a container", function()
        local c
        setup(function()
          c = container.run { image = "busybox", tty = true, wait = container.wait.log "before",
            command = "echo before; while [ ! -e /go ]; do sleep 0.05; done; echo the reason; exit 7" }
        end)
        teardown(function() c:close() end)
        it("fails", function()
          c:write_file("/go", "")
          c:wait_exit()
          assert.is_true(false)
        end)
      end)
    ]])
    local result = process.run { process.self(), spec, "-o", "jsonl" }
    assert.matches('busybox', result.stdout)
    assert.matches('detail\\":\\"the reason', result.stdout)
    assert.matches('detail\\":\\"exited with code 7', result.stdout)
    assert.not_matches('detail\\":\\"before', result.stdout)
  end)

  it("adds them also where it was closed before the test had failed, and in the first test", function()
    local dir <close> = fs.tempdir()
    local spec = dir:write("fails_spec.lua", [[
      local container = require "itlua.container"
      it("fails", function()
        local c <close> = container.run { image = "busybox", wait = container.wait.log "the reason",
          command = { "sh", "-c", "echo the reason; sleep 1000" } }
        assert.is_true(false)
      end)
      it("fails without one", function() require("itlua.task").sleep(0.01) assert.is_true(false) end)
    ]])
    local result = process.run { process.self(), spec, "-o", "jsonl" }
    local _, told = result.stdout:gsub('detail\\":\\"the reason', "")
    assert.equal(1, told, result.stdout)
  end)

  local SCRIPT = [[
    local container = require "itlua.container"
    local net, volume = container.network(), container.volume()
    local c = container.run { image = "busybox", command = { "sleep", "1000" }, network = net }
    io.stdout:setvbuf "line"
    print("up " .. c.name .. " " .. volume.name .. " ")
    require "itlua.task".sleep(100)
  ]]

  local function all_gone(name, volume)
    task.eventually(function() return not engine.has(name) end, { timeout = 30 })
    task.eventually(function()
      return container.engine():call("GET", "/volumes/" .. volume, "look", { may = { [404] = true } }).status == 404
    end, { timeout = 30 })
  end

  it("by a killed script is removed", function()
    local dir <close> = fs.tempdir()
    local run = process.start { process.self(), "exec", dir:write("script.lua", SCRIPT) }
    local name, volume = run:expect("up (%S+) (%S+)", { timeout = 60 })
    run:signal "KILL"
    run:wait()
    all_gone(name, volume)
  end)

  it("by a killed run of specs is removed", function()
    local dir <close> = fs.tempdir()
    local said = dir:join "said"
    local spec = dir:write("x_spec.lua", ("it('runs', function() local print = function(text) " ..
      "require 'itlua.fs'.write(%q, text) end\n%s end)"):format(said, SCRIPT))
    local run = process.start { process.self(), spec }
    local name, volume = task.eventually(function()
      return fs.read(said):match "up (%S+) (%S+) "
    end, { timeout = 60 })
    run:signal "KILL"
    run:wait()
    all_gone(name, volume)
  end)

  it("of processes that are gone is removed by the next run", function()
    local text = identity.current().text:gsub("%d+$", "1") -- this process id, but another process
    local c <close> = container.run { image = "busybox", command = { "sleep", "1000" },
      labels = { [owner.LABEL] = "another:machine:1:2:3" } }
    assert.equal(identity.current().text, c:inspect().Config.Labels[owner.LABEL])
    local e = container.engine()
    local created = e:ask("POST", "/containers/create", "create", { json = { Image = "busybox",
      Labels = { [owner.LABEL] = text } } })
    local foreign = { Image = "busybox", Labels = { [owner.LABEL] = "a:b:1:2:3", [owner.HOME] = created.Id } }
    local in_ended = e:ask("POST", "/containers/create", "create", { json = foreign })
    foreign.Labels[owner.HOME] = c.id
    local in_running = e:ask("POST", "/containers/create", "create", { json = foreign })
    finally(function() container.attach(in_running.Id):remove() end)
    owner.sweep(e)
    assert.is_false(engine.has(created.Id))
    assert.is_false(engine.has(in_ended.Id))
    assert.is_true(engine.has(in_running.Id))
    assert.is_true(c:running())
  end)
end)
