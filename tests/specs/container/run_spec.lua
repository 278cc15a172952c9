local container = require "itlua.container"
local engine = require "tests.specs.container.engine"
local fs = require "itlua.fs"
local redis = require "itlua.redis"
local sql = require "itlua.sql"
local task = require "itlua.task"
local wait = container.wait

local missing = engine.missing("busybox:latest", "redis:7-alpine", "postgres:16-alpine")
if missing then
  pending(missing)
  return
end

local failure = engine.failure

describe("container.run", function()
  describe("starts what is ready when it returns", function()
    it("redis", function()
      local c <close> = container.run "redis:7-alpine"
      local r <close> = redis.connect(c:url(nil, "redis"))
      assert.equal("OK", r:set("a", 1))
      assert.equal("127.0.0.1", c.host)
      assert.is_true(c:port() > 1024)
      assert.equal(c:port(6379), c:port "6379/tcp")
      assert.equal("running", c:status())
      assert.matches("^container redis:7%-alpine %(itlua%-redis%-%x+%)$", tostring(c))
    end)

    it("postgres, whose server starts twice", function()
      local c <close> = container.run {
        image = "postgres:16-alpine", env = { POSTGRES_PASSWORD = "secret", POSTGRES_USER = "app" },
        tmpfs = { ["/var/lib/postgresql/data"] = "rw" },
        files = { ["/docker-entrypoint-initdb.d/1.sql"] = "CREATE TABLE t (x int); SELECT pg_sleep(0.5); " ..
          "INSERT INTO t VALUES (7)" },
      }
      local db <close> = sql.connect(("postgresql://app:secret@%s/app"):format(c:address(5432)))
      assert.equal(7, db:value "SELECT x FROM t")
    end)
  end)

  describe("gives the container", function()
    local c

    setup(function()
      c = container.run {
        image = "busybox", command = "echo started; exec sleep 1000", env = { NAME = "value", N = 3 },
        user = "1000", workdir = "/tmp", hostname = "box", labels = { mine = "yes" }, memory = "64m", cpus = 0.5,
        tmpfs = { "/scratch" }, ports = { 80 }, wait = wait.log "started",
        files = { ["/etc/deep/er/a.conf"] = { content = "abc", mode = 384, uid = 1000 }, ["/b.txt"] = "b" },
        mounts = { { source = ".", target = "/here", readonly = true } },
      }
    end)

    teardown(function() c:close() end)

    local function sh(command) return (c:exec(command, { check = true }).stdout:gsub("\n$", "")) end

    it("environment, user, folder, name", function()
      assert.equal("value 3 1000 /tmp box", sh "echo $NAME $N $(id -u) $PWD $(hostname)")
    end)

    it("files, with their modes, owners and folders", function()
      assert.equal("abc", sh "cat /etc/deep/er/a.conf")
      assert.equal("600 1000", sh "stat -c '%a %u' /etc/deep/er/a.conf")
      assert.equal("b", c:read_file "/b.txt")
    end)

    it("mounts and places in memory", function()
      assert.matches("itlua.h", sh "ls /here/include")
      assert.not_equal(0, c:exec("touch /here/x").code)
      assert.matches("tmpfs", sh "mount | grep /scratch")
    end)

    it("limits and labels", function()
      local info = c:inspect()
      assert.equal(64 * 1024 * 1024, info.HostConfig.Memory)
      assert.equal(500000000, info.HostConfig.NanoCpus)
      assert.equal("yes", info.Config.Labels.mine)
      assert.matches("^[^:]+:[^:]+:%d+:%d+:%d+$", info.Config.Labels["itlua.owner"])
    end)

    it("ports on loopback alone", function()
      assert.equal("127.0.0.1", c:inspect().NetworkSettings.Ports["80/tcp"][1].HostIp)
      assert.matches("does not publish port 81/tcp: published are 80/tcp", failure(c.port, c, 81).message)
    end)
  end)

  it("starts several at the same time", function()
    local list = task.all(
      function() return container.run "redis:7-alpine" end,
      function() return container.run { image = "busybox", command = { "sleep", "100" } } end)
    for _, c in ipairs(list) do
      assert.is_true(c:running())
      c:close()
    end
  end)

  it("removes what is closed, with its volumes", function()
    local c = container.run "redis:7-alpine"
    local volume = c:inspect().Mounts[1].Name
    c:close()
    c:close()
    assert.is_false(engine.has(c.name))
    local r = container.engine():call("GET", "/volumes/" .. volume, "look", { may = { [404] = true } })
    assert.equal(404, r.status)
    assert.matches("was removed", failure(c.inspect, c))
  end)

  it("is cleaned up when its test is stopped meanwhile", function()
    local name = "itlua-test-" .. math.random(1 << 40)
    local err = failure(task.timeout, 4, container.run, {
      image = "busybox", name = name, command = { "sleep", "100" }, wait = wait.log "never",
    })
    assert.equal("timeout", err.kind)
    assert.matches("did not get ready: not within", err.message)
    assert.is_false(engine.has(name))
  end)
end)

describe("container errors", function()
  local function fails(options) return failure(container.run, options) end

  it("an image that is not here and cannot be pulled", function()
    local err = fails { image = "127.0.0.1:1/no/such:1" }
    assert.equal("container IMAGE", err.kind .. " " .. err.code)
    assert.matches("127.0.0.1:1/no/such:1 is not here, and cannot be pulled: .*refused", err.message)
    assert.equal("IMAGE", fails({ image = "no-such", pull = "never" }).code)
  end)

  it("a port that is taken, and by whom", function()
    local c <close> = container.run "redis:7-alpine"
    local name = "itlua-test-" .. math.random(1 << 40)
    local err = fails { image = "redis:7-alpine", name = name, ports = { c:port() .. ":6379" } }
    assert.equal("PORT_TAKEN", err.code)
    assert.equal(c:port(), err.port)
    assert.matches("port %d+ of this machine is taken by the container " .. c.name:gsub("%-", "%%-"), err.message)
    assert.is_false(engine.has(name))
  end)

  it("a command that is not in the image", function()
    local name = "itlua-test-" .. math.random(1 << 40)
    local err = fails { image = "busybox", name = name, command = { "no-such-program" } }
    assert.equal("COMMAND", err.code)
    assert.matches("the command 'no%-such%-program' is not in the image", err.message)
    assert.is_false(engine.has(name))
  end)

  it("a container that exits at once: a verdict, at once", function()
    local began = os.clock()
    local err = fails { image = "busybox", command = "echo out; echo err >&2; exit 3", ports = { 80 } }
    assert.equal("EXITED", err.code)
    assert.equal(3, err.exit)
    assert.matches("did not get ready: the container exited after [%d.]+ s with code 3", err.message)
    assert.matches("✗ the published ports", err.message)
    assert.matches("exited %(3%) · not out of memory", err.message)
    assert.matches("its last words\n", err.message)
    assert.matches("\n      out", err.message)
    assert.matches("\n      err", err.message)
    assert.is_true(os.clock() - began < 5)
  end)

  it("a password that is missing, and what to do", function()
    local err = fails { image = "postgres:16-alpine" }
    assert.matches("likely +POSTGRES_PASSWORD is missing", err.message)
    assert.matches("✗ SELECT 1 over TCP", err.message)
  end)

  it("one that never gets ready", function()
    local err = fails {
      image = "busybox", command = "echo here I am; sleep 100", ports = { 80 }, startup_timeout = 3,
      wait = wait.all(wait.log "here I am", wait.any(wait.port(80), wait.file "/nothing")),
    }
    assert.equal("NOT_READY", err.code)
    assert.matches("not within 3", err.message)
    assert.matches('✓ a log line that matches "here I am"', err.message)
    assert.matches("one of\n +✗ port 80: port 80[^\n]+%(last of %d+ tries%)", err.message)
    assert.matches("✗ the file /nothing: it is not there", err.message)
  end)

  it("unhealthy", function()
    local err = fails {
      image = "busybox", command = { "sleep", "100" },
      health = { command = "echo I feel sick; exit 1", interval = 0.1, retries = 2 },
    }
    assert.equal("UNHEALTHY", err.code)
    assert.matches("unhealthy: exit code 1 I feel sick", err.message)
  end)

  it("out of memory", function()
    local err = fails {
      image = "busybox", memory = "8m", command = "sleep 0.3; exec dd if=/dev/zero of=/dev/null bs=64M", ports = { 80 },
    }
    assert.equal("OOM", err.code)
    assert.is_true(err.oom)
    assert.matches("the container ran out of memory", err.message)
    assert.matches("likely +it needs more memory than option 'memory' allows", err.message)
  end)

  it("no space left for what is copied in", function()
    local volume <close> = container.volume { options = { type = "tmpfs", device = "tmpfs", o = "size=64k" } }
    local c <close> = container.run { image = "busybox", command = { "sleep", "100" },
      mounts = { { source = volume, target = "/small" } } }
    local err = failure(c.write_file, c, "/small/large", ("x"):rep(1 << 20))
    assert.equal("DISK_FULL", err.code)
    assert.matches("no space left on device", err.message)
  end)

  it("a name that is taken, and the one who has it lives on", function()
    local c <close> = container.run { image = "busybox", command = { "sleep", "100" } }
    assert.equal("NAME", fails({ image = "busybox", name = c.name }).code)
    assert.is_true(c:running())
  end)

  it("a network or a folder that is not there", function()
    assert.equal("NETWORK", fails({ image = "busybox", network = "no-such-network" }).code)
    assert.equal("MOUNT", fails({ image = "busybox", mounts = { "/no/such:/x" } }).code)
  end)

  it("options that are wrong", function()
    assert.matches("unknown option 'imgae'", fails { imgae = "x" })
    assert.matches("needs an image", fails {})
    assert.matches("'ports': 'abc' is no port", fails { image = "busybox", ports = { "abc" } })
    assert.matches("'lots' is no size", fails { image = "busybox", memory = "lots" })
    assert.matches("'wait' is no condition", fails { image = "busybox", wait = {} })
  end)
end)

describe("a container's", function()
  local c

  setup(function()
    c = container.run { image = "busybox", command = "echo one; echo two >&2; exec sleep 1000",
      wait = wait.all(wait.log "one", wait.log "two") }
  end)

  teardown(function() c:close() end)

  it("exec gives code and output, or raises", function()
    local result = c:exec "echo out; echo err >&2; exit 4"
    assert.same({ 4, "out\n", "err\n" }, { result.code, result.stdout, result.stderr })
    assert.equal("a b c", c:exec({ "echo", "-n", "a b", "c" }).stdout)
    assert.equal("x /tmp", (c:exec("echo -n $V $PWD", { env = { V = "x" }, workdir = "/tmp" }).stdout))
    local err = failure(c.exec, c, "echo why >&2; exit 1", { check = true })
    assert.equal("EXEC", err.code)
    assert.matches("exit code 1\nwhy", err.message)
    assert.equal(127, c:exec({ "sh", "-c", "nothing-there" }).code)
  end)

  it("exec reads what it is given", function()
    local input = ("line\n"):rep(100000)
    assert.equal("100000", c:exec("wc -l", { input = input }).stdout:match "%d+")
    assert.equal("a 'b'\n", c:exec({ "cat", "-" }, { input = "a 'b'\n" }).stdout)
    assert.equal("", c:exec("ls -a /tmp | grep itlua").stdout)
  end)

  it("exec streams its output", function()
    local seen = {}
    c:exec("echo a; sleep 0.2; echo b >&2", { on_output = function(bytes, stream)
      seen[#seen + 1] = stream .. " " .. bytes
    end })
    assert.same({ "stdout a\n", "stderr b\n" }, seen)
  end)

  it("exec, logs and its end are waited for as long as is said", function()
    local err = failure(c.exec, c, "sleep 5", { timeout = 0.3 })
    assert.equal("timeout CONTAINER", err.kind .. " " .. err.code)
    assert.matches("exec sleep 5: not done within 0.3 s; it goes on in the container", err.message)
    err = failure(function()
      for _ in c:logs { follow = true, timeout = 0.2 } do c:running() end
    end)
    assert.matches("logs: nothing came for 0.2 s", err.message)
    err = failure(c.wait_exit, c, { timeout = 0.2 })
    assert.matches("has not ended within 0.2 s", err.message)
  end)

  it("logs are all, one stream, the last, or followed", function()
    assert.equal("one\n", c:logs { stderr = false })
    assert.equal("two\n", c:logs { stdout = false })
    assert.matches("^%d%d%d%d%-.* one\n$", c:logs { stderr = false, timestamps = true })
    local lines = {}
    for line, stream in c:logs { follow = true } do
      lines[#lines + 1] = stream .. " " .. line
      if #lines == 2 then break end
    end
    table.sort(lines)
    assert.same({ "stderr two", "stdout one" }, lines)
  end)

  it("files go in and out, large ones and folders too", function()
    local dir <close> = fs.tempdir()
    local large = ("0123456789abcdef"):rep(1 << 17)
    dir:write("in/large", large)
    dir:write("in/sub/" .. ("long"):rep(40) .. "/x.txt", "deep")
    fs.symlink("large", dir:join "in/link")
    fs.chmod(dir:join "in/large", "750")
    c:copy_in(dir:join "in", "/data/in")
    assert.equal("750", (c:exec("stat -c %a /data/in/large").stdout:gsub("\n", "")))
    assert.equal(large, c:read_file "/data/in/link")
    c:copy_out("/data/in", dir:join "out")
    assert.equal(large, fs.read(dir:join "out/large"))
    assert.equal("deep", fs.read(dir:join("out/sub", ("long"):rep(40), "x.txt")))
    assert.equal("link", fs.stat(dir:join "out/link", { follow = false }).type)
    c:write_file("/one", "1")
    assert.equal("1", c:read_file "/one")
    assert.is_true(c:exists "/one")
    assert.is_false(c:exists "/none")
    assert.equal("NOT_FOUND", failure(c.read_file, c, "/none").code)
  end)

  it("figures are there", function()
    local s = c:stats()
    assert.is_true(s.memory > 0 and s.processes >= 1 and s.cpu >= 0)
  end)

  it("wait_for waits for more", function()
    c:wait_for(wait.exec "test -e /bin/sh")
    assert.equal("NOT_READY", failure(c.wait_for, c, wait.file "/later", { timeout = 0.2 }).code)
  end)
end)

describe("a container's life", function()
  it("stop, start and restart make it ready again", function()
    local c <close> = container.run "redis:7-alpine"
    c:stop()
    assert.equal("exited", c:status())
    c:start()
    local r <close> = redis.connect(c:url(6379, "redis"))
    assert.equal("PONG", r:ping())
    c:restart { timeout = 1 }
    local again <close> = redis.connect(c:url(6379, "redis"))
    assert.equal("PONG", again:ping())
  end)

  it("pause, unpause, kill", function()
    local c <close> = container.run "redis:7-alpine"
    local r <close> = redis.connect(c:url(6379, "redis"))
    c:pause()
    assert.equal("paused", c:status())
    assert.is_false((pcall(task.timeout, 0.2, r.ping, r)))
    c:unpause()
    c:kill()
    assert.equal("exited", c:status())
    assert.equal(137, c:wait_exit().code)
  end)

  it("a job that ends", function()
    local c <close> = container.run { image = "busybox", command = "echo done", wait = wait.exit() }
    assert.equal("done\n", c:logs())
    local err = failure(container.run, { image = "busybox", command = "exit 2", wait = wait.exit() })
    assert.matches("✗ its end with code 0: it ended with code 2", err.message)
  end)

  it("disconnect cuts it off, connect brings it back under its names", function()
    local net <close> = container.network()
    local server <close> = container.run { image = "redis:7-alpine", network = net, aliases = { "cache" } }
    local client <close> = container.run { image = "redis:7-alpine", network = net }
    local function ping() return client:exec("timeout 2 redis-cli -h cache ping").stdout end
    assert.equal("PONG\n", ping())
    server:disconnect()
    assert.not_equal("PONG\n", ping())
    server:connect()
    assert.equal("PONG\n", ping())
  end)

  it("a volume outlives the container", function()
    local volume <close> = container.volume()
    local function run(command)
      local c <close> = container.run { image = "busybox", command = command, wait = wait.exit(),
        mounts = { { source = volume, target = "/v" } } }
      return c:logs()
    end
    run "echo kept > /v/x"
    assert.equal("kept\n", run "cat /v/x")
  end)

  it("reuse finds it again, and closing leaves it alone", function()
    local options = { image = "busybox", command = { "sleep", "100" }, reuse = true, env = { K = math.random(1 << 40) } }
    local both = task.all(function() return container.run(options) end, function() return container.run(options) end)
    assert.equal(both[1].id, both[2].id)
    both[1]:close()
    assert.is_true(both[2]:running())
    container.attach(both[1].name):remove()
    assert.is_false(engine.has(both[1].name))
  end)
end)
