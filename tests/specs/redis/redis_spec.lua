local fs = require "itlua.fs"
local null = require "itlua.null"
local process = require "itlua.process"
local redis = require "itlua.redis"
local servers = require "tests.specs.redis.server"
local task = require "itlua.task"

local function failure(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok, "it should have failed")
  return err
end

describe("redis", function()
  local server, r

  setup(function()
    server = servers.start { "--unixsocket", "/tmp/itlua-redis-" .. math.random(1 << 40) .. ".sock" }
    r = redis.connect(server.url)
  end)
  before_each(function() r:flushall() end)
  teardown(function()
    r:close()
    server.process:close()
  end)

  describe("commands", function()
    it("are methods; replies are Lua values", function()
      assert.equal("OK", r:set("a", 1))
      assert.equal("1", r:get("a"))
      assert.equal(2, r:incr("a"))
      assert.is_nil(r:get("missing"))
      r:rpush("list", { 1, 2, 3 })
      assert.same({ "1", "2", "3" }, r:lrange("list", 0, -1))
      assert.same({ "2", null }, r:mget("a", "missing"))
    end)

    it("of two words are methods too", function()
      assert.equal("0", r:config_get("maxmemory").maxmemory)
      assert.is_number(r:client_id())
      assert.equal("embstr", r:set("k", "v") and r:object_encoding("k"))
      assert.equal("OK", r:client_no_evict "off")
    end)

    it("send numbers so that none is lost", function()
      for _, n in ipairs { 3, 1.5, 0.1, 0.1 + 0.2, 2 ^ 53 + 2, 1e300, math.mininteger } do
        r:set("n", n)
        assert.equal(n, tonumber((r:get "n")))
      end
      assert.equal("0.1", r:set("n", 0.1) and r:get "n")
    end)

    it("take tables, and give name-value replies as tables", function()
      r:hset("h", { x = 1, y = "two" })
      assert.same({ x = "1", y = "two" }, r:hgetall("h"))
    end)

    it("are binary safe", function()
      local bytes = {}
      for i = 0, 255 do bytes[#bytes + 1] = string.char(i) end
      local all = table.concat(bytes):rep(100)
      r:set(all, all)
      assert.equal(all, r:get(all))
    end)

    it("move large values", function()
      local large = ("x"):rep(20 * 1024 * 1024)
      r:set("large", large)
      assert.equal(#large, #r:get("large"))
    end)

    it("go by the dozen beside each other on one connection", function()
      local fns = {}
      for i = 1, 50 do fns[i] = function() return r:incr("n") end end
      local seen = {}
      for _, n in ipairs(task.all(fns)) do seen[n] = true end
      assert.equal(50, #seen)
    end)

    it("fail with the server's word as the code", function()
      r:rpush("l", 1)
      local err = failure(r.incr, r, "l")
      assert.equal("redis", err.kind)
      assert.equal("WRONGTYPE", err.code)
      assert.matches("redis_spec.lua:%d+: WRONGTYPE Operation against a key", tostring(err))
      assert.equal("ERR", failure(r.call, r, "NOSUCHCOMMAND").code)
    end)

    it("with a wrong argument fail before anything is sent", function()
      assert.matches("argument 2 of SET is nil", failure(r.set, r, "a", nil))
      assert.matches("must be a string or a number, not a function", failure(r.set, r, "a", print))
    end)
  end)

  describe("blocking commands", function()
    it("leave the connection free for others", function()
      local popper = task.spawn(function() return r:blpop("queue", 30) end)
      task.sleep(0.02)
      r:rpush("queue", "job")
      assert.same({ "queue", "job" }, popper:join())
    end)

    it("end with a deadline, and nothing is left waiting on the server", function()
      local err = failure(task.timeout, 0.05, function() r:blpop("queue", 0) end)
      assert.equal("timeout", err.kind)
      task.eventually(function()
        return not r:client_list():find("cmd=blpop", 1, true)
      end, { timeout = 20 })
      assert.equal("PONG", r:ping())
    end)
  end)

  it("speaks RESP3 where hiredis does", function()
    local own <close> = redis.connect(server.url)
    local ok, told = pcall(own.hello, own, 3)
    if redis.version:find "^0%." then
      assert.is_false(ok)
      assert.matches("Protocol error", told.message)
      return
    end
    own:hset("h", "a", "1")
    own:zadd("z", 1.5, "m")
    own:sadd("s", "x")
    assert.same({ { a = "1" }, 1.5, { "x" } }, own:pipeline(function(p) p:hgetall("h"):zscore("z", "m"):smembers "s" end))
    assert.is_nil(own:get "none")
  end)

  it("runs scripts by hash, again after the server forgot them", function()
    local script = "return {KEYS[1], ARGV[1]}"
    assert.same({ "k", "v" }, r:script(script, { "k" }, { "v" }))
    r:script_flush()
    assert.same({ "k", "v" }, r:script(script, { "k" }, { "v" }))
  end)

  it("lists keys by pattern", function()
    for i = 1, 30 do r:set("k" .. i, i) end
    r:set("other", 1)
    assert.equal(30, #r:keys_matching("k*"))
  end)

  describe("captures", function()
    it("see everything published after they began, and nothing before", function()
      r:publish("news", "old")
      local news <close> = r:capture("news", "log.*")
      r:publish("news", "first")
      r:publish("log.app", '{"level":"info","text":"started"}')
      assert.equal("first", news:wait_for("first", { timeout = 20 }).value)
      assert.equal("log.app", news:wait_for({ level = "info" }, { timeout = 20 }).channel)
      assert.equal("first", news:events(function(event) return event.payload:find("fir") end)[1].value)
      assert.equal(2, #news:wait_for_count(2, { timeout = 20 }))
    end)

    it("say what did arrive when the wanted does not", function()
      local news <close> = r:capture("news")
      r:publish("news", "something else")
      news:wait_for_count(1, { timeout = 20 })
      local err = failure(news.wait_for, news, "wanted", { timeout = 0.1 })
      assert.equal("timeout", err.kind)
      assert.equal("NO_EVENT", err.code)
      assert.matches('nothing that matches "wanted" came on news within 0.1 s\n  1 came:', err.message, 1, true)
      assert.matches('news  "something else"', err.message, 1, true)
    end)

    it("follow a stream from now on", function()
      r:xadd("orders", "*", "id", 1)
      local orders <close> = r:capture_stream("orders")
      r:xadd("orders", "*", "id", 2, "state", "new")
      local entry = orders:wait_for({ state = "new" }, { timeout = 20 })
      assert.equal("2", entry.fields.id)
      assert.equal(1, #orders:events())
      r:xadd("orders", "*", "document", '{"id":3}')
      entry = orders:wait_for({ document = { id = 3 } }, { timeout = 20 })
      assert.equal('{"id":3}', entry.fields.document)
    end)

    it("prove with a fence that nothing was published", function()
      local news <close> = r:capture("news", "log.*")
      for i = 1, 2000 do r:publish("news", i) end
      assert.matches("up to what the server had published", news:expect_none("wanted"))
      assert.equal(2000, #news:events())
      assert.equal(2000, news:events()[2000].value)
      r:publish("log.app", "wanted")
      assert.equal("UNEXPECTED_EVENT", failure(news.expect_none, news, "wanted", { fence = true }).code)
      r:publish("log.app", "wanted")
      assert.equal("DUPLICATE_EVENT", failure(news.expect_once, news, "wanted", { timeout = 20 }).code)
    end)

    it("prove with a fence that nothing was added to a stream", function()
      local orders <close> = r:capture_stream("fenced", { filter = { kind = "order" } })
      assert.matches("up to entry 0-0", orders:expect_none())
      r:pipeline(function(p)
        for i = 1, 3000 do p:xadd("fenced", "*", "id", i, "kind", i % 2 == 0 and "order" or "other") end
      end)
      assert.matches("up to entry %d+%-%d+", orders:expect_none { id = "0" })
      assert.equal(1500, #orders:events())
      r:xadd("fenced", "*", "id", 0, "kind", "order")
      assert.equal("UNEXPECTED_EVENT", failure(orders.expect_none, orders, { id = "0" }).code)
    end)

    it("end with their connection, and say why", function()
      local news <close> = r:capture "news"
      local orders <close> = r:capture_stream "orders"
      r:client("KILL", "TYPE", "pubsub")
      assert.equal("CLOSED", failure(news.wait_for, news, "x", { timeout = 20 }).code)
      r:client("KILL", "TYPE", "normal", "SKIPME", "yes")
      assert.equal("CLOSED", failure(orders.wait_for, orders, "x", { timeout = 20 }).code)
    end)
  end)

  describe("connecting", function()
    it("takes a database number, a unix socket, and keeps them apart", function()
      r:set("a", "zero")
      local one <close> = redis.connect(server.url .. "/1")
      assert.is_nil(one:get("a"))
      one:set("a", "one")
      assert.equal("zero", r:get("a"))
      local path = r:config_get("unixsocket").unixsocket
      local socket <close> = redis.connect("unix://" .. path .. "?db=1")
      assert.equal("one", socket:get("a"))
    end)

    it("logs in", function()
      local guarded = servers.start { "--requirepass", "secret" }
      assert.equal("NOAUTH", failure(function() redis.connect(guarded.url):get("a") end).code)
      assert.equal("WRONGPASS", failure(redis.connect, "redis://:wrong@127.0.0.1:" .. guarded.port).code)
      local client <close> = redis.connect("redis://default:secret@127.0.0.1:" .. guarded.port)
      assert.equal("PONG", client:ping())
      guarded.process:close()
    end)

    it("says what is wrong with where it should go", function()
      assert.matches("redis_spec.lua:%d+: redis.connect needs a URL or a table",
        tostring(failure(function() redis.connect(5) end)))
      assert.matches("port must be a whole number, not x", tostring(failure(redis.connect, { port = "x" })))
      local err = failure(redis.connect, "redis://127.0.0.1:1")
      assert.equal("ECONNREFUSED", err.code)
      assert.matches("cannot connect to Redis at 127.0.0.1:1", err.message, 1, true)
      assert.equal("dns", failure(redis.connect, "redis://no.such.host.invalid").kind)
      assert.equal("redis", failure(redis.connect, "unix:///no/such.sock").kind)
      assert.matches("is no Redis URL", failure(redis.connect, "http://127.0.0.1"))
    end)

    it("speaks TLS where hiredis does, and says so where it does not", function()
      if not redis.tls then
        local err = failure(redis.connect, "rediss://127.0.0.1:" .. server.port)
        assert.equal("TLS", err.code)
        assert.matches("needs a hiredis with TLS", err.message)
        return
      end
      local folder <close> = require("itlua.fs").tempdir()
      local cert, key = folder.path .. "/cert.pem", folder.path .. "/key.pem"
      process.run { "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-keyout", key, "-out", cert, check = true }
      local port = server.port + 1
      local guarded = servers.start { "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key,
        "--tls-auth-clients", "no" }
      local client <close> = redis.connect { url = "rediss://localhost:" .. port, tls = { ca = cert } }
      local large = ("x"):rep(3000000)
      client:set("a", large)
      assert.equal(large, client:get "a")
      assert.equal(100, #client:pipeline(function(p) for _ = 1, 100 do p:ping() end end))
      local err = failure(redis.connect, "rediss://localhost:" .. port)
      assert.matches("certificate", err.message)
      guarded.process:close()
    end)

    it("gives up on a server that accepts and says nothing", function()
      local silent = process.start { command = { "python3", "-c", [[
import socket, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); print(s.getsockname()[1], flush=True); time.sleep(30)]] } }
      local port = silent:read_line()
      local err = failure(redis.connect, { port = tonumber(port), password = "x", timeout = 0.2 })
      assert.equal("timeout", err.kind)
      silent:close()
    end)
  end)

  describe("a lost connection", function()
    it("is said by what waits and by what comes after", function()
      local client = redis.connect(server.url)
      r:client_kill("ID", client:client_id())
      local err = failure(client.get, client, "a")
      assert.equal("CLOSED", err.code)
      assert.matches("the connection to Redis at 127.0.0.1:%d+ was lost", err.message)
      assert.equal("CLOSED", failure(client.pipeline, client, function(p) p:ping() end).code)
      client:close()
      assert.matches("is closed", failure(client.get, client, "a"))
    end)

    it("ends a server that is killed in the middle of a command", function()
      local doomed = servers.start { "--enable-debug-command", "yes" }
      local client = redis.connect(doomed.url)
      local waiting = task.spawn(function() return client:debug_sleep(100) end)
      task.sleep(0.05)
      doomed.process:signal("KILL")
      local err = failure(waiting.join, waiting, 20)
      assert.equal("CLOSED", err.code)
      client:close()
      doomed.process:close()
    end)
  end)

  it("says that the server is out of memory, or a key lives on another node", function()
    local small = servers.start { "--maxmemory", "1mb", "--maxmemory-policy", "noeviction" }
    local client <close> = redis.connect(small.url)
    local err = failure(client.set, client, "k", ("x"):rep(2000000))
    assert.equal("OOM", err.code)
    small.process:close()
  end)

  it("refuses a reply that is too large, in time, and says how large it is", function()
    r:eval("for i = 1, 30 do redis.call('RPUSH', 'long', i) end", 0)
    local careful <close> = redis.connect { url = server.url, max_reply = 20 }
    assert.equal(20, #careful:lrange("long", 0, 19))
    local err = failure(careful.lrange, careful, "long", 0, -1)
    assert.subset({ kind = "redis", code = "TOO_LARGE" }, err)
    assert.matches("a reply of 30 elements is more than the 20 that it may have (option max_reply)", err.message, 1, true)
    assert.equal("TOO_LARGE", failure(careful.ping, careful).code)
    assert.has.errors(function() redis.connect { url = server.url, max_reply = 0 } end)
    assert.equal("PONG", r:ping())
  end)

  it("reads only the first line of a reply of ten million elements #heavy", function()
    r:eval([[
      local t = { 'RPUSH', 'huge' }
      for j = 1, 5000 do t[j + 2] = '7' end
      for i = 1, 2000 do redis.call(unpack(t)) end]], 0)
    local plain <close> = redis.connect(server.url)
    local err = failure(plain.lrange, plain, "huge", 0, -1)
    assert.matches("a reply of 10000000 elements", err.message, 1, true)
    r:del "huge"
  end)

  it("names the node of a cluster that a key belongs to", function()
    local dir <close> = fs.tempdir {}
    local nodes, clients = {}, {}
    for i = 1, 2 do
      nodes[i] = servers.start { "--cluster-enabled", "yes", "--cluster-config-file", dir:join("nodes" .. i),
        "--cluster-require-full-coverage", "no" }
      clients[i] = redis.connect(nodes[i].url)
      clients[i]:cluster("ADDSLOTSRANGE", i == 1 and 0 or 8192, i == 1 and 8191 or 16383)
    end
    clients[1]:cluster("MEET", "127.0.0.1", nodes[2].port)
    local slot = clients[1]:cluster("KEYSLOT", "foo") -- 12182: the second node's
    task.eventually(function()
      local err = failure(clients[1].get, clients[1], "foo")
      assert.equal("MOVED", err.code)
      local node = "127.0.0.1:" .. nodes[2].port
      assert.matches(("the key belongs to slot %d on %s; connect to that node"):format(slot, node), err.message, 1, true)
      assert.equal(node, err.node)
    end, { timeout = 60, interval = 0.1 })
    task.eventually(function() return clients[2]:set("foo", "bar") end, { timeout = 60, interval = 0.1 })
    assert.equal("bar", clients[2]:get "foo")
    for i = 1, 2 do
      clients[i]:close()
      nodes[i].process:close()
    end
  end)

  it("says that a server is still loading, and serves once it has", function()
    local dir <close> = fs.tempdir {}
    local first = servers.start { "--dir", dir.path, "--dbfilename", "dump.rdb" }
    local filler <close> = redis.connect(first.url)
    for i = 1, 300 do filler:set("key:" .. i, ("x"):rep(2000)) end
    filler:save()
    first.process:close()
    local slow = { "redis-server", "--bind", "127.0.0.1", "--save", "", "--dir", dir.path, "--dbfilename", "dump.rdb",
      "--key-load-delay", 50000, "--loading-process-events-interval-bytes", 1024, "--port", first.port }
    local loading <close> = process.start { command = slow, merge = true }
    local client <close> = task.eventually(function()
      local ok, c = pcall(redis.connect, first.url)
      return ok and c
    end, { timeout = 20 })
    local err = failure(client.get, client, "key:1")
    assert.subset({ kind = "redis", code = "LOADING" }, err)
    assert.matches("Redis is loading the dataset in memory", err.message, 1, true)
    client:config_set("key-load-delay", 0)
    task.eventually(function() return client:get "key:300" end, { timeout = 60 })
    assert.is_true(loading:running())
  end)

  it("takes a reply of a million elements", function()
    r:eval([[
      for i = 1, 1000000, 1000 do
        local t = {}
        for j = 1, 1000 do t[j] = i + j end
        redis.call('RPUSH', 'big', unpack(t))
      end]], 0)
    local list = r:lrange("big", 0, -1)
    assert.equal(1000000, #list)
    assert.equal("1000001", list[1000000])
  end)
end)
