local http = require "itlua.http"
local servers = dofile("tests/specs/http/servers.lua")

describe("itlua.http", function()
  local folder

  setup(function()
    folder = servers.folder()
    servers.certificates(folder)
  end)

  teardown(function() servers.remove(folder) end)

  local function pem(name) return ("%s/%s.pem"):format(folder, name) end
  local function key(name) return ("%s/%s.key"):format(folder, name) end

  local function contents(path)
    local f <close> = assert(io.open(path))
    return f:read("a")
  end

  describe("TLS", function()
    local server, good

    local function serve(name, ...)
      return servers.odd("--tls", pem(name), key(name), ...)
    end

    setup(function() server, good = serve("good") end)

    teardown(function() server:close() end)

    local function refused(url, tls, code, text)
      local ok, err = pcall(http.get, url .. "/echo", { tls = tls, timeout = 5 })
      assert.is_false(ok)
      assert.equal("http", err.kind)
      assert.equal(code, err.code, err.message)
      assert.is_truthy(err.message:find(text, 1, true), err.message)
    end

    it("trusts a CA, given as a file or as text", function()
      assert.equal(200, http.get(good .. "/echo", { tls = { ca = pem "ca" } }).status)
      assert.equal(200, http.get(good .. "/echo", { tls = { ca = contents(pem "ca") } }).status)
      local c = http.client { base_url = good, tls = { ca = pem "ca" }, keep_alive = false }
      local r = c:get("/echo")
      assert.equal(200, r.status)
      assert.equal(200, c:get("/echo").status)
      assert.is_true(r.timings.tls > 0)
    end)

    it("trusts nobody else", function()
      refused(good, nil, "TLS/CERT_UNTRUSTED", "was signed by nobody trusted: give its CA as tls.ca")
      refused(good, { ca = pem "self" }, "TLS/CERT_UNTRUSTED", "nobody trusted")
      local p <close>, url = serve("self")
      assert.is_true(p:running())
      refused(url, nil, "TLS/CERT_SELF_SIGNED", "is self-signed")
    end)

    it("refuses an expired certificate", function()
      local p <close>, url = serve("old")
      assert.is_true(p:running())
      refused(url, { ca = pem "ca" }, "TLS/CERT_EXPIRED", "has expired")
    end)

    it("refuses a certificate for another host", function()
      local p <close>, url = serve("other")
      assert.is_true(p:running())
      refused(url, { ca = pem "ca" }, "TLS/CERT_HOSTNAME", "is for another host")
    end)

    it("can be told not to look", function()
      assert.equal(200, http.get(good .. "/echo", { tls = { verify = false } }).status)
      local p <close>, url = serve("old")
      assert.is_true(p:running())
      assert.equal(200, http.get(url .. "/echo", { tls = { verify = false } }).status)
      refused(url, { ca = pem "ca" }, "TLS/CERT_EXPIRED", "has expired")
    end)

    it("shows a client certificate", function()
      local p <close>, url = serve("good", pem "ca")
      assert.is_true(p:running())
      local mine = { ca = pem "ca", cert = pem "client", key = key "client" }
      assert.equal(200, http.get(url .. "/echo", { tls = mine }).status)
      local text = { ca = pem "ca", cert = contents(pem "client"), key = contents(key "client") }
      assert.equal(200, http.get(url .. "/echo", { tls = text }).status)
      assert.is_false(pcall(http.get, url .. "/echo", { tls = { ca = pem "ca" } }))
      refused(url, { ca = pem "ca", cert = folder .. "/none.pem", key = key "client" }, "TLS/CLIENT_CERT", "none.pem")
      refused(url, { ca = folder .. "/none.pem" }, "TLS/CA_FILE", "none.pem")
    end)

    it("can be held to a version", function()
      assert.equal(200, http.get(good .. "/echo", { tls = { ca = pem "ca", version = "1.3" } }).status)
      assert.equal(200, http.get(good .. "/echo", { tls = { ca = pem "ca", version = 1.2 } }).status)
    end)

    it("fails clearly where the other side speaks none", function()
      local p <close>, url = servers.odd()
      assert.is_true(p:running())
      refused(url:gsub("http:", "https:"), nil, "TLS/HANDSHAKE", "127.0.0.1")
    end)

    it("goes to a host of that name wherever it is", function()
      local port = good:match(":(%d+)$")
      local r = http.get("https://localhost:1234/echo", { tls = { ca = pem "ca" },
        resolve = { ["localhost:1234"] = "127.0.0.1:" .. port } })
      assert.equal(200, r.status)
      local host
      for _, h in ipairs(r:json().headers) do
        if h[1] == "Host" then host = h[2] end
      end
      assert.equal("localhost:1234", host)
    end)

    it("passes a proxy by a tunnel", function()
      local proxy <close>, address = servers.odd()
      assert.is_true(proxy:running())
      local r = http.get(good .. "/echo", { proxy = address, tls = { ca = pem "ca" } })
      assert.equal(200, r.status)
      assert.equal("/echo", r:json().target)
      local ok, err = pcall(http.get, "https://127.0.0.1:9/", { proxy = address })
      assert.is_false(ok)
      assert.equal("PROXY", err.code, err.message)
    end)
  end)

  describe("HTTP/2", function()
    local nginx, tls, plain, old

    setup(function() nginx, tls, plain, old = servers.nginx(folder) end)

    teardown(function() nginx:close() end)

    it("is spoken over TLS where the server can", function()
      local r = http.get(tls .. "/", { tls = { ca = pem "ca" } })
      assert.equal("2", r.version)
      assert.equal("HTTP/2.0 itlua", r.body)
      assert.equal("", r.reason)
      assert.equal("text/plain", r.content_type)
      assert.equal("1.1", http.get(tls .. "/", { tls = { ca = pem "ca" }, version = "1.1" }).version)
      assert.equal("HTTP/2.0 itlua", http.get(tls .. "/", { tls = { ca = pem "ca" }, version = 2 }).body)
      assert.equal("2", http.get(tls .. "/moved", { tls = { ca = pem "ca" }, redirects = false }).version)
    end)

    it("is spoken without TLS where that is known", function()
      local r = http.get(plain .. "/", { version = "2-prior-knowledge" })
      assert.equal("2", r.version)
      assert.equal("HTTP/2.0", r.body)
      assert.equal("1.1", http.get(old .. "/").version)
      assert.equal("1.0", http.get(old .. "/", { version = "1.0" }).body:match("HTTP/(.*)"))
    end)

    it("carries bodies, streams and bursts", function()
      local c = http.client { base_url = tls, tls = { ca = pem "ca" } }
      assert.equal(200, c:post("/", { json = { a = 1 } }).status)
      local n = 0
      assert.equal(200, c:put("/", { body = function()
        n = n + 1
        return n < 5 and "piece" or nil
      end }).status)
      local pieces = {}
      for chunk in c:get("/", { stream = true }):chunks() do pieces[#pieces + 1] = chunk end
      assert.equal("HTTP/2.0 itlua", table.concat(pieces))
      assert.equal(100, c:burst("/", { requests = 100, concurrency = 8 }).status[200])
    end)

    it("is an error where the server speaks it not", function()
      local ok, err = pcall(http.get, old .. "/", { version = "2-prior-knowledge" })
      assert.is_false(ok)
      assert.equal("http", err.kind)
    end)
  end)

  describe("a way round", function()
    local odd, base

    setup(function() odd, base = servers.odd() end)

    teardown(function() odd:close() end)

    it("through a local socket", function()
      local path = folder .. "/socket"
      local p <close> = servers.odd_unix(path)
      local c = http.client { base_url = "http://whatever", unix_socket = path }
      assert.equal("/echo?a=1", c:get("/echo?a=1"):json().target)
      assert.equal(200, c:post("/echo", { json = {} }).status)
      p:stop()
      local ok, err = pcall(c.get, c, "/echo")
      assert.is_false(ok)
      assert.equal("ECONNREFUSED", err.code)
      assert.is_truthy(err.message:find("nothing listens on " .. path, 1, true), err.message)
      ok, err = pcall(http.get, "http://x/", { unix_socket = folder .. "/none" })
      assert.is_false(ok)
      assert.equal("ENOENT", err.code)
      assert.is_truthy(err.message:find("there is no socket " .. folder .. "/none", 1, true), err.message)
    end)

    it("through a proxy", function()
      local r = http.get("http://somewhere.test/path?q", { proxy = base })
      assert.equal("http://somewhere.test/path?q", r:json().target)
      local ok, err = pcall(http.get, "http://somewhere.test/", { proxy = "http://127.0.0.1:1" })
      assert.is_false(ok)
      assert.equal("ECONNREFUSED", err.code)
      assert.is_truthy(err.message:find("nothing listens on http://127.0.0.1:1", 1, true), err.message)
    end)

    it("to another address", function()
      local port = base:match(":(%d+)$")
      local r = http.get("http://api.test/echo", { resolve = { ["api.test"] = "127.0.0.1:" .. port } })
      assert.equal("/echo", r:json().target)
    end)
  end)
end)
