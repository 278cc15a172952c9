local fs = require "itlua.fs"
local http = require "itlua.http"
local process = require "itlua.process"
local server = require "itlua.server"
local task = require "itlua.task"

local function soon(fn)
  task.eventually(fn, { timeout = 20 })
end

describe("a server", function()
  it("listens on a free port of this machine only", function()
    local srv <close> = server.listen()
    assert.equal("127.0.0.1", srv.host)
    assert.is_true(srv.port > 1023)
    assert.equal("http://127.0.0.1:" .. srv.port, srv.url)
    assert.equal("server 127.0.0.1:" .. srv.port, tostring(srv))
    assert.equal(404, http.get(srv.url).status)
    local other = process.run { "sh", "-c", "hostname -I 2>/dev/null | cut -d' ' -f1" }.stdout:match "^%d+%.%d+%.%d+%.%d+"
    if other then
      assert.is_false((pcall(http.get, ("http://%s:%d/"):format(other, srv.port), { timeout = 2 })))
    end
  end)

  it("listens where it is told", function()
    local srv <close> = server.listen { host = "0.0.0.0" }
    assert.equal(404, http.get("http://127.0.0.1:" .. srv.port).status)
    local six <close> = server.listen { host = "::1" }
    assert.equal("http://[::1]:" .. six.port, six.url)
    assert.equal(404, http.get(six.url).status)
    local named <close> = server.listen { host = "localhost" }
    assert.equal(404, http.get(named.url).status)
  end)

  it("listens on a unix socket", function()
    local path = fs.tempdir().path .. "/server.sock"
    local srv = server.listen { unix = path }
    srv:get("/", function(req) return tostring(req.client) end)
    assert.equal("nil", http.get("http://localhost/", { unix_socket = path }).body)
    srv:close()
    assert.is_false(fs.exists(path))
  end)

  it("says why it cannot listen", function()
    local first <close> = server.listen()
    local ok, err = pcall(server.listen, { port = first.port })
    assert.is_false(ok)
    assert.equal("http", err.kind)
    assert.equal("EADDRINUSE", err.code)
    assert.equal(("cannot listen on 127.0.0.1:%d: Address already in use"):format(first.port), err.message)
    assert.equal("EADDRNOTAVAIL", select(2, pcall(server.listen, { host = "192.0.2.1" })).code)
    assert.equal("ENOENT", select(2, pcall(server.listen, { unix = "/nowhere/at/all" })).code)
  end)

  it("says which option is wrong", function()
    local function refuses(options, why)
      local ok, err = pcall(server.listen, options)
      assert.is_false(ok)
      assert.matches(why, err, 1, true)
    end
    refuses({ prot = 80 }, "unknown option 'prot'")
    refuses({ port = 65536 }, "port 65536")
    refuses({ port = "80" }, "'port' must be a number")
    refuses({ host = "example.org" }, "host example.org")
    refuses({ max_headers = 10 }, "max_headers")
    refuses({ max_connections = 0 }, "max_connections")
    refuses({ idle_timeout = -1 }, "idle_timeout")
    refuses({ journal = -1 }, "journal")
    refuses({ unix = ("x"):rep(200) }, "longer than the system allows")
    refuses({ tls = { cert = "-----BEGIN" } }, "tls.key")
  end)

  it("keeps connections open between requests", function()
    local srv <close> = server.listen()
    srv:get("/", function() return "" end)
    local api = http.client { base_url = srv.url }
    for _ = 1, 3 do api:get("/") end
    assert.equal(0, api:get("/").timings.connect)
  end)

  it("closes silent connections after a while", function()
    local srv <close> = server.listen { idle_timeout = 1 }
    srv:get("/", function() return "" end)
    local api = http.client { base_url = srv.url }
    api:get("/")
    task.sleep(2.2)
    assert.is_true(api:get("/").timings.connect > 0)
  end)

  it("can be closed, twice too, and is then refused", function()
    local srv = server.listen()
    srv:get("/", function() return "" end)
    http.get(srv.url)
    srv:close()
    srv:close()
    assert.equal(("server 127.0.0.1:%d (closed)"):format(srv.port), tostring(srv))
    local ok, err = pcall(http.get, srv.url)
    assert.is_false(ok)
    assert.equal("ECONNREFUSED", err.code)
  end)

  it("closes while connections are open in every state", function()
    for _ = 1, 8 do
      local srv = server.listen()
      srv:get("/quick", function() return "" end)
      srv:get("/slow", function() task.sleep(20) end)
      srv:get("/stream", function(req)
        req:stream():write "x"
        task.sleep(20)
      end)
      srv:get("/big", function() return ("x"):rep(20000000) end)
      local api = http.client { base_url = srv.url }
      api:get("/quick")
      local open = { api:get("/stream", { stream = true }), api:get("/big", { stream = true }) }
      local waiting = task.spawn(function() pcall(api.get, api, "/slow") end)
      soon(function() return #srv:requests() == 4 end)
      srv:close()
      waiting:join(10)
      for _, r in ipairs(open) do r:close() end
    end
  end)

  it("answers what is under way before it shuts down", function()
    local srv = server.listen()
    local release = false
    srv:get("/slow", function()
      soon(function() return release end)
      return "done"
    end)
    local slow = task.spawn(function() return http.get(srv.url .. "/slow") end)
    soon(function() return srv:requests()[1] end)
    task.spawn(function()
      task.sleep(0.1)
      release = true
    end)
    assert.is_true(srv:shutdown(20))
    local r = slow:join()
    assert.equal("done", r.body)
    assert.equal("close", r.headers.connection:lower())
    assert.is_false((pcall(http.get, srv.url)))
  end)

  it("does not wait for ever when it shuts down", function()
    local srv = server.listen()
    srv:get("/slow", function() task.sleep(20) end)
    local slow = task.spawn(function() return pcall(http.get, srv.url .. "/slow") end)
    soon(function() return srv:requests()[1] end)
    assert.is_false(srv:shutdown(0.1))
    assert.is_false((slow:join(10)))
  end)

  it("logs requests where it is told to", function()
    local lines = {}
    local srv <close> = server.listen { log = function(req) lines[#lines + 1] = tostring(req) end }
    srv:get("/", function() return "" end)
    http.get(srv.url .. "/")
    http.get(srv.url .. "/x")
    assert.same({ "GET / (200)", "GET /x (404)" }, lines)
  end)

  it("is named when a test leaves it open", function()
    local folder = fs.tempdir().path
    fs.write(folder .. "/leaky_spec.lua", [[
      local server = require "itlua.server"
      it("leaves a server open", function() server.listen() end)
    ]])
    fs.write(folder .. "/itlua.lua", "return {}")
    local r = process.run { process.self(), "leaky_spec.lua", cwd = folder }
    assert.matches("server 127.0.0.1:%d+", r.stdout .. r.stderr)
  end)
end)

describe("a server's process", function()
  local script

  setup(function()
    script = fs.tempdir().path .. "/service.lua"
    fs.write(script, [[
      local server, task = require "itlua.server", require "itlua.task"
      local srv = server.listen { log = true }
      srv:get("/slow", function()
        print "under way"
        io.stdout:flush()
        task.sleep(0.3)
        return "done"
      end)
      srv:get("/stop", function() task.spawn(function() srv:shutdown() end) return "bye" end)
      print(srv.url)
      srv:serve { grace = 20 }
      print "ended"
    ]])
  end)

  for _, signal in ipairs { "TERM", "INT" } do
    it("ends at SIG" .. signal .. " after it has answered", function()
      local p <close> = process.start { process.self(), "exec", script }
      local url = p:expect "^(http://.*)"
      local slow = task.spawn(function() return http.get(url .. "/slow").body end)
      p:expect "^under way"
      p:signal(signal)
      assert.equal("done", slow:join(20))
      assert.equal("ended", p:read_line { timeout = 20 })
      assert.equal(0, p:wait({ timeout = 20 }).code)
      assert.matches("GET /slow 200", p:output "stderr", 1, true)
    end)
  end

  it("ends when a handler shuts it down", function()
    local p <close> = process.start { process.self(), "exec", script }
    assert.equal("bye", http.get(p:expect "^(http://.*)" .. "/stop").body)
    assert.equal(0, p:wait({ timeout = 20 }).code)
  end)
end)

describe("a TLS server", function()
  local folder, cert, key

  setup(function()
    folder = fs.tempdir().path
    cert, key = folder .. "/cert.pem", folder .. "/key.pem"
    process.run {
      "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
      "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert,
      check = true,
    }
  end)

  it("speaks HTTPS, its certificate from files or as text", function()
    for _, tls in ipairs { { cert = cert, key = key }, { cert = fs.read(cert), key = fs.read(key) } } do
      local srv <close> = server.listen { tls = tls }
      assert.matches("^https://", srv.url)
      srv:post("/", function(req) return req.body end)
      -- First of all: libcurl 8.14 would send plain HTTP over a TLS connection that it has to the same port.
      assert.is_false((pcall(http.get, (srv.url:gsub("https", "http")))))
      assert.is_false((pcall(http.get, srv.url)))
      local api = http.client { base_url = srv.url, tls = { ca = cert } }
      assert.equal("secret", api:post("/", { body = "secret" }).body)
      local large = ("x"):rep(3000000)
      assert.is_true(api:post("/", { body = large }).body == large)
      assert.equal("still", api:post("/", { body = "still" }).body)
    end
  end)

  it("serves handlers that wait, streams, and clients that leave", function()
    local srv <close> = server.listen { tls = { cert = cert, key = key } }
    local api = http.client { base_url = srv.url, tls = { ca = cert } }
    local began, outcome = false, nil
    srv:get("/slow", function()
      task.sleep(0.05)
      return "slow"
    end)
    srv:get("/long", function()
      began = true
      local ok, err = pcall(task.sleep, 60)
      outcome = ok or err.kind
    end)
    srv:get("/stream", function(req)
      local out = req:stream()
      for i = 1, 100 do
        out:write(("%d"):format(i % 10):rep(10000))
        if i % 10 == 0 then task.sleep(0.001) end
      end
    end)
    assert.equal("slow", api:get("/slow").body)
    assert.equal(1000000, #api:get("/stream").body)
    for _, limit in ipairs { 0.2, 2, 10 } do -- as much as it takes to get there
      assert.is_false((pcall(api.get, api, "/long", { timeout = limit })))
      if began then break end
    end
    soon(function() return outcome end)
    assert.equal("cancelled", outcome)
  end)

  it("says what is wrong with its certificate", function()
    local ok, err = pcall(server.listen, { tls = { cert = "/no/such/file", key = key } })
    assert.is_false(ok)
    assert.equal("fs", err.kind)
    ok, err = pcall(server.listen, { tls = { cert = "-----BEGIN NONSENSE", key = fs.read(key) } })
    assert.is_false(ok)
    assert.equal("http", err.kind)
    assert.matches("cannot start the server", err.message, 1, true)
  end)
end)
