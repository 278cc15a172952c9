local container = require "itlua.container"
local core = require "itlua.core"
local engine = require "tests.specs.container.engine"
local wait = container.wait

local missing = engine.missing("busybox:latest", "redis:7-alpine", "postgres:16-alpine")
if missing then
  pending(missing)
  return
end

local failure = engine.failure

local function web(options)
  options.image, options.ports = "busybox", { 8080 }
  options.command = "sleep 0.3; mkdir -p /www/cgi-bin; echo '{\"status\": \"up\", \"more\": [1]}' > /www/health; " ..
    "exec httpd -f -p 8080 -h /www"
  return container.run(options)
end

describe("wait", function()
  describe("http", function()
    it("for a path, a status, a part of its JSON", function()
      local c <close> = web { wait = wait.all(
        wait.http { path = "/health", json = { status = "up" } }, wait.http { path = "/no", status = 404 },
        wait.http { path = "/health", port = 8080, status = { 200, 204 }, body = "up" },
        wait.http { path = "/health", status = function(status) return status == 200 end }) }
      assert.is_true(c:running())
    end)

    it("says what came instead", function()
      local err = failure(web, { startup_timeout = 4, wait = wait.all(wait.http "/none",
        wait.http { path = "/health", json = { status = "down" } }) })
      assert.matches("✗ GET /none: status 404 %(last of %d+ tries%)", err.message)
      assert.matches('✗ GET /health: the body was { more = %[1%], status = "up" }', (err.message:gsub("{ 1 }", "[1]")))
    end)
  end)

  it("port, through the engine's proxy too, which takes any connection", function()
    local c <close> = web { wait = wait.port(8080) }
    local before = c.engine.reaches
    c.engine.reaches = false -- as where containers have no address that is reached from here
    finally(function() c.engine.reaches = before end)
    c:wait_for(wait.port(8080))
    c:exec "killall httpd || true"
    local other <close> = container.run { image = "busybox", command = { "sleep", "100" }, ports = { 8080 },
      wait = wait.exec "true" }
    local err = failure(other.wait_for, other, wait.port(8080), { timeout = 3 })
    assert.matches("published as 127.0.0.1:%d+: nothing listens inside", err.message)
  end)

  it("log, so many times, on one stream", function()
    local command = "for i in 1 2 3; do echo tick $i; echo tock >&2; sleep 0.1; done; exec sleep 100"
    local c <close> = container.run { image = "busybox", command = command,
      wait = wait.log("tick %d", { times = 3, stream = "stdout" }) }
    c:wait_for(wait.log("tick 3", { plain = true }))
    local err = failure(c.wait_for, c, wait.log("tock", { times = 4 }), { timeout = 2 })
    assert.matches("✗ a log line that matches \"tock\" 4 times: 3 of 4 among 6 lines", err.message)
  end)

  it("log of a container that ends", function()
    local err = failure(container.run, { image = "busybox", command = "echo other", wait = wait.log "ready" })
    assert.equal("EXITED", err.code)
    assert.matches("its output ended after 1 lines, none matched", err.message)
    assert.matches("done at once: a server has to stay in the foreground", err.message)
    local c <close> = container.run { image = "busybox", command = "echo ready", wait = wait.log "ready" }
    assert.equal("ready\n", c:logs())
  end)

  it("healthy, by the image's or an own check", function()
    local c <close> = container.run { image = "busybox", command = "sleep 0.3; touch /ok; exec sleep 100",
      health = { command = "test -e /ok", interval = 0.1 } }
    assert.equal("healthy", c:health())
    local none <close> = container.run { image = "busybox", command = { "sleep", "100" } }
    assert.matches("it has no health check", failure(none.wait_for, none, wait.healthy()).message)
  end)

  it("exec and file", function()
    local c <close> = container.run { image = "busybox", command = "sleep 0.2; touch /a; exec sleep 100",
      wait = wait.all(wait.exec "test -e /a", wait.file "/a") }
    local err = failure(c.wait_for, c, wait.exec "echo the reason >&2; exit 7", { timeout = 3 })
    assert.matches("✗ exec echo the reason >&2; exit 7: exit code 7: the reason", err.message)
  end)

  it("redis and sql by hand", function()
    local r <close> = container.run { image = "redis:7-alpine", command = { "redis-server", "--requirepass", "pw" },
      wait = wait.redis { password = "pw" } }
    assert.matches("NOAUTH", failure(r.wait_for, r, wait.redis(), { timeout = 3 }).message)
    local db <close> = container.run { image = "postgres:16-alpine", env = { POSTGRES_PASSWORD = "pw" },
      tmpfs = { "/var/lib/postgresql/data" }, wait = wait.sql { query = "SELECT count(*) FROM pg_class" } }
    assert.matches("wrong", failure(db.wait_for, db, wait.sql { password = "wrong", query = "SELECT wrong" },
      { timeout = 4 }).message)
  end)

  it("any is enough, and a check of one's own", function()
    local calls = 0
    local c <close> = container.run { image = "busybox", command = { "sleep", "100" },
      wait = wait.any(wait.log "never", wait.check("the third time", function()
        calls = calls + 1
        return calls == 3
      end)) }
    assert.equal(3, calls)
    local err = failure(c.wait_for, c, wait.check("mine", function() error "broken" end), { timeout = 0.1 })
    assert.matches("✗ mine: .*broken", err.message)
  end)

  it("ends at once when the container does", function()
    local began = core.now()
    local err = failure(container.run, { image = "busybox", command = "sleep 0.5; exit 9", wait = wait.any(
      wait.exec "false", wait.all(wait.http { path = "/", port = 80 }, wait.log "never")), ports = { 80 } })
    assert.equal(9, err.exit)
    assert.is_true(core.now() - began < 40)
  end)

  it("refuses what is no condition", function()
    assert.matches("argument 2 is no condition", failure(wait.all, wait.port(1), {}))
    assert.matches("needs conditions", failure(wait.any))
    assert.matches("wait.http: unknown option 'pth'", failure(wait.http, { pth = "/" }))
    assert.matches("only TCP ports can", failure(container.run,
      { image = "busybox", command = { "sleep", "9" }, wait = wait.port "53/udp", startup_timeout = 1 }).message)
  end)
end)
