local fs = require "itlua.fs"
local process = require "itlua.process"
local task = require "itlua.task"

package.path = "tests/specs/services/?.lua;" .. package.path
local project = require "support.project"

describe("a service of kind process", function()
  it("is started when it is first used, once for all files", function()
    local spec = [[
      local services, http = require "itlua.services", require "itlua.http"
      it("uses it", function()
        assert.equal("fine", http.get(services.app.url .. "/health").body)
        require("itlua.fs").append("pids", services.app.pid .. "\n")
      end)
    ]]
    local dir = project.new {
      ["itlua.lua"] = project.settings("app = " .. project.app()
        .. ", unused = { kind = 'process', command = 'touch used' }"),
      ["specs/a_spec.lua"] = spec, ["specs/b_spec.lua"] = spec, ["specs/c_spec.lua"] = spec,
    }
    local text = project.passes(dir, { "-j", "2" })
    assert.is_truthy(text:find "\n services  app  %S+ exec app.lua %(native, [%d.]+ s%)\n", text)
    local pids, seen = fs.read(dir:join "pids"), {}
    for pid in pids:gmatch "%d+" do
      seen[#seen + 1] = pid
      assert.equal(seen[1], pid)
    end
    assert.equal(3, #seen)
    assert.is_false(fs.exists(dir:join "used"))
    assert.is_false(fs.exists("/proc/" .. seen[1]))
  end)

  it("has its port from a line that it prints", function()
    local dir = project.new {
      ["itlua.lua"] = project.settings("app = " .. project.app [[ready = { line = "listening on (%d+)", http = "/health" }]]),
      ["specs/a_spec.lua"] = [[
        local services, http = require "itlua.services", require "itlua.http"
        it("answers", function()
          assert.equal("http://127.0.0.1:" .. services.app.port, services.app.url)
          assert.equal("fine", http.get(services.app.url .. "/health").body)
        end)
      ]],
    }
    project.passes(dir)
  end)

  it("is given what other services turned out to be", function()
    local dir = project.new {
      ["itlua.lua"] = project.settings("app = " .. project.app() .. ", second = "
        .. project.app [[env = { PORT = "${second.port}", FIRST = "${app.url}", PLACE = "${app.host}:${app.port}" },
          ready = { http = "/health" }]]),
      ["specs/a_spec.lua"] = [[
        local services, http = require "itlua.services", require "itlua.http"
        it("is told", function()
          local first = http.get(services.second.url .. "/env/FIRST").body
          assert.equal(services.app.url, first)
          assert.equal(services.app.url, "http://" .. http.get(services.second.url .. "/env/PLACE").body)
        end)
      ]],
    }
    project.passes(dir)
  end)

  it("restarts, stops, takes signals, pauses, and tells what it printed", function()
    local dir = project.new {
      ["itlua.lua"] = project.settings("app = " .. project.app()),
      ["specs/a_spec.lua"] = [[
        local services, http = require "itlua.services", require "itlua.http"
        local app = services.app
        it("restarts", function()
          local pid, url = app.pid, app.url
          app:restart()
          assert.is_not.equal(pid, app.pid)
          assert.equal(url, app.url)
          assert.equal("fine", http.get(url .. "/health").body)
        end)
        it("stops and starts", function()
          local url = app.url
          app:stop()
          assert.equal("stopped", app.state)
          assert.raises({ kind = "http", code = "ECONNREFUSED" }, function() http.get(url .. "/health") end)
          assert.raises({ kind = "service", code = "NOT_RUNNING" }, function() return app.url end)
          assert.raises({ kind = "service", code = "NOT_RUNNING" }, function() app:pause() end)
          app:start()
          assert.equal("fine", http.get(app.url .. "/health").body)
        end)
        it("pauses", function()
          app:pause()
          local ok, err = pcall(http.get, app.url .. "/health", { timeout = 0.2 })
          assert.is_false(ok)
          assert.equal("timeout", err.code == "TIMEOUT" and "timeout" or err.kind)
          app:resume()
          assert.equal("fine", http.get(app.url .. "/health").body)
        end)
        it("is killed, and says so", function()
          app:signal "KILL"
          assert.eventually(function() return app.state == "ended" end, { timeout = 20 })
          app:restart()
          assert.equal("ready", app.state)
        end)
        it("tells its log", function()
          assert.is_truthy(app:logs():find "listening on")
          local at = require("itlua.core").clock()
          http.post(app.url .. "/say", { body = "now" })
          assert.eventually(function() return app:logs { since = at } == "now" end, { timeout = 20 })
          assert.equal("now", app:logs { last = 1 })
        end)
      ]],
    }
    project.passes(dir, { "-j", "1" })
  end)

  it("is captured line by line, also when it is restarted", function()
    local dir = project.new {
      ["itlua.lua"] = project.settings("app = " .. project.app()),
      ["specs/a_spec.lua"] = [[
        local services, http, task = require "itlua.services", require "itlua.http", require "itlua.task"
        it("prints", function()
          local api <close> = http.client { base_url = services.app.url }
          api:post("/say", { body = "before" })
          task.eventually(function() return services.app:logs { last = 1 } == "before" end, { timeout = 20 })
          local log <close> = services.app:capture()
          assert.equal("capture of app, 0 records", tostring(log))
          api:post("/say", { body = "order 7 is paid" })
          api:post("/say", { body = '{"level":"warn","order":8}' })
          assert.equal("order 7 is paid", log:wait_for("order %d+", { timeout = 20 }).line)
          assert.equal(8, log:wait_for({ level = "warn" }, { timeout = 20 }).value.order)
          assert.matches("a window of time", log:expect_none("before", { within = 0.05 }))
          local waiting = task.spawn(function() return log:wait_for("listening", { timeout = 20 }) end)
          services.app:restart()
          assert.matches("listening on", waiting:join().line)
          assert.happened({ "order 7 is paid", '"level":"warn"', "listening" }).in_order()
        end)
      ]],
    }
    project.passes(dir)
  end)

  it("has what it prints during a test that fails in that test's timeline", function()
    local dir = project.new {
      ["itlua.lua"] = project.settings("app = " .. project.app()),
      ["specs/a_spec.lua"] = [[
        local services, http, task = require "itlua.services", require "itlua.http", require "itlua.task"
        local function say(what)
          http.post(services.app.url .. "/say", { body = what })
          task.eventually(function() return services.app:logs { last = 1 } == what end, { timeout = 20 })
        end
        it("passes", function() say "of another test" end)
        it("fails", function()
          say "of this test"
          error "here"
        end)
      ]],
    }
    local text = project.run(dir, { "-j", "1" }).stdout
    assert.is_truthy(text:find "ms +app +of this test")
    assert.is_nil(text:find("of another test", 1, true))
  end)

  it("that is unknown, or a field it has not, is named with what there is", function()
    local dir = project.new {
      ["itlua.lua"] = project.settings("app = " .. project.app()
        .. ", other = { kind = 'process', command = { 'no-such-program' } }"),
      ["specs/a_spec.lua"] = [[
        local services = require "itlua.services"
        it("is told", function()
          assert.has_error(function() return services.ap.url end)
          local ok, err = pcall(function() return services.ap.url end)
          assert.is_truthy(tostring(err):find("there is no service 'ap' in itlua.lua (did you mean app?)", 1, true))
          ok, err = pcall(function() return services.app.hosst end)
          assert.is_truthy(tostring(err):find("services.app has no 'hosst' (did you mean host?)", 1, true))
          assert.is_true(services.app:available())
          local available, why = services.other:available()
          assert.is_false(available)
          assert.is_truthy(why:find("no program 'no-such-program'", 1, true))
        end)
      ]],
    }
    project.passes(dir)
  end)

  it("ends with the run, also when that is killed", function()
    local dir = project.new {
      ["itlua.lua"] = project.settings("app = " .. project.app()),
      ["specs/a_spec.lua"] = [[
        local services = require "itlua.services"
        it("hangs", function()
          require("itlua.fs").write("pid.tmp", tostring(services.app.pid))
          os.rename("pid.tmp", "pid")
          require("itlua.task").sleep(20)
        end)
      ]],
    }
    fs.mkdir(dir:join "tmp")
    local run = process.start {
      command = { process.self(), "-j", "1" }, cwd = dir.path, merge = true, env = { TMPDIR = dir:join "tmp" },
    }
    local pid
    task.eventually(function()
      pid = fs.exists(dir:join "pid") and fs.read(dir:join "pid")
      return pid
    end, { timeout = 60 })
    run:signal "KILL"
    run:wait()
    task.eventually(function() return not fs.exists("/proc/" .. pid) end, { timeout = 20 })
    task.eventually(function() return #fs.list(dir:join "tmp") == 0 end, { timeout = 20 })
  end)
end)

describe("services that one file names", function()
  it("start at the same time", function()
    local dir = project.new {
      ["itlua.lua"] = project.settings [[
        a = { kind = "process", command = "while [ ! -e begun ]; do sleep 0.1; done; echo up; sleep 100",
          ready = { line = "up" } }, -- not ready before the other begins
        b = { kind = "process", command = "touch begun; echo up; sleep 100", ready = { line = "up" } },
        c = { kind = "process", command = "sleep 1; echo up; sleep 100", ready = { line = "up" } },
        d = { kind = "process", command = "sleep 1; echo up; sleep 100", ready = { line = "up" } }]],
      ["specs/a_spec.lua"] = [[
        local services = require "itlua.services"
        it("uses one after the other", function()
          assert.equal("ready", services.a.state)
          assert.equal("ready", services.b.state)
        end)
        it("may do without one", function() return services.c:available() end) -- and services.d is a comment
      ]],
    }
    local text = project.passes(dir, { "-j", "1" })
    assert.is_nil(text:find("  c  sleep 1", 1, true), text)
    assert.is_nil(text:find("  d  sleep 1", 1, true), text)
  end)
end)

describe("the exit of a service", function()
  it("is waited for, and has the code that was asked for", function()
    local dir = project.new {
      ["itlua.lua"] = project.settings [[
        job = { kind = "process", command = "echo working; while [ ! -e go ]; do sleep 0.1; done; exit 0",
          ready = { line = "working" }, exit = 0 },
        bad = { kind = "process", command = "echo working; while [ ! -e go ]; do sleep 0.1; done; echo no luck; exit 3",
          ready = { line = "working" }, exit = 0 },
        rude = { kind = "process", command = "trap 'exit 4' TERM; echo up; sleep 1000 & wait",
          ready = { line = "up" }, exit = 0 },
        last = { kind = "process", command = "trap 'exit 5' TERM; echo up; sleep 1000 & wait",
          ready = { line = "up" }, exit = 0 }]],
      ["specs/a_spec.lua"] = [[
        local services = require "itlua.services"
        local function failure(fn, ...)
          local ok, err = pcall(fn, ...)
          assert.is_false(ok)
          return err
        end
        it("of a job", function()
          assert.equal("ready ready", services.job.state .. " " .. services.bad.state)
          require("itlua.fs").write("go", "")
          assert.same({ code = 0 }, services.job:wait_exit { timeout = 20 })
          assert.equal("ended", services.job.state)
          assert.is_truthy(services.job:logs():find("(it has ended with exit code 0)", 1, true))
        end)
        it("of one that fails", function()
          local err = failure(services.bad.wait_exit, services.bad, { timeout = 20 })
          assert.equal("service EXIT", err.kind .. " " .. err.code)
          assert.is_truthy(err.message:find("was to end with exit code 0, and ended with 3", 1, true))
          assert.is_truthy(err.message:find("no luck", 1, true))
        end)
        it("of one that is stopped", function()
          local err = failure(services.rude.wait_exit, services.rude, { timeout = 0.1 })
          assert.is_truthy(err.message:find "has not ended within")
          assert.is_truthy(failure(services.rude.stop, services.rude).message:find("ended with 4", 1, true))
        end)
        it("of one that goes on to the end", function() assert.equal("ready", services.last.state) end)
      ]],
    }
    local text = project.passes(dir, { "-j", "1" })
    assert.is_truthy(text:find("service last .* was to end with exit code 0, and ended with 5"), text)
  end)
end)

describe("a service that does not get ready", function()
  local function verdict(app)
    local dir = project.new {
      ["itlua.lua"] = project.settings(app),
      ["specs/a_spec.lua"] = [[
        local services = require "itlua.services"
        it("first", function() return services.app.url end)
        it("second", function() return services.app.url end)
      ]],
    }
    local result = project.run(dir, { "-j", "1", "-o", "TAP" })
    assert.equal(1, result.code)
    return result.stdout
  end

  local function has(text, part)
    if not text:find(part, 1, true) then error(("%q is not in\n%s"):format(part, text), 2) end
  end

  it("because it ended: its exit code, what was waited for, its last words", function()
    local text = verdict [[app = { kind = "process", command = "echo before; echo broken >&2; exit 3",
      env = { PORT = "${app.port}" }, ready = { http = "/health" } }]]
    has(text, "service app (echo before; echo broken >&2; exit 3) did not get ready: its process exited with code 3 after")
    has(text, "✗ GET /health — ")
    has(text, "      before\n")
    has(text, "      broken\n")
  end)

  it("in time: the last error, and what to do", function()
    local text = verdict [[app = { kind = "process", command = "echo started; sleep 30", startup_timeout = 0.3,
      ready = { line = "ready", http = "/health" } }]]
    has(text, "did not get ready: not within 0.3")
    has(text, "✗ a line of its output matches 'ready' — ")
    has(text, "✗ GET /health — not tried yet")
    has(text, "if it only needs longer: option 'startup_timeout' (now 0.3 s)")
  end)

  it("for its program is not there", function()
    local text = verdict [[app = { kind = "process", command = { "no-such-program" } }]]
    has(text, "service app (process) cannot be had here")
    has(text, "there is no program 'no-such-program' in PATH")
  end)

  it("for another that it needs did not", function()
    local text = verdict [[app = { kind = "process", command = { "true" }, depends_on = { "other" } },
      other = { kind = "process", command = "exit 4", ready = { line = "x" } }]]
    has(text, "service app was not started, for it needs other:")
    has(text, "its process exited with code 4")
  end)

  it("for it is done at once", function()
    local text = verdict [[app = { kind = "process", command = { "true" }, ready = { line = "up" } }]]
    has(text, "its command was done at once: a service has to stay in the foreground")
  end)
end)
