local core = require "itlua.core"
local http = require "itlua.http"
local servers = dofile("tests/specs/http/servers.lua")

describe("itlua.http", function()
  local odd, base, api, address

  setup(function()
    odd, base = servers.odd()
    api = http.client { base_url = base, timeout = 30 }
    address = base:match("//(.*)")
  end)

  teardown(function() odd:close() end)

  local function failure(path, given, client)
    client = client or api
    local ok, err = pcall(client.get, client, path, given)
    assert.is_false(ok)
    assert.is_truthy(core.is_error(err), tostring(err))
    assert.equal("http.request", err.op)
    assert.is_truthy(err.where:find("errors_spec.lua:%d+"), err.where)
    return err
  end

  local function has(err, kind, code, text)
    assert.equal(kind, err.kind, err.message)
    assert.equal(code, err.code, err.message)
    assert.is_truthy(err.message:find(text, 1, true), err.message)
  end

  describe("an error", function()
    it("where nothing listens", function()
      has(failure("http://127.0.0.1:1/x"), "http", "ECONNREFUSED",
        "GET http://127.0.0.1:1/x: nothing listens on 127.0.0.1:1")
      has(failure("http://localhost:1/"), "http", "ECONNREFUSED", "nothing listens on localhost:1")
    end)

    it("where the name is unknown", function()
      has(failure("http://no-such-host.invalid/"), "dns", "ENOTFOUND",
        "the name of no-such-host.invalid:80 cannot be resolved")
    end)

    it("where the connection is reset", function()
      has(failure("/resets"), "http", "ECONNRESET", address .. " reset the connection")
      has(failure("/halfway"), "http", "ECONNRESET", address .. " reset the connection")
    end)

    it("where there is no answer", function()
      has(failure("/empty"), "http", "EMPTY_REPLY", address .. " closed the connection without an answer")
    end)

    it("where the answer is cut off", function()
      has(failure("/truncated"), "http", "TRUNCATED", "after 9 of 100 bytes")
      has(failure("/chopped"), "http", "TRUNCATED", "before the end of the response")
    end)

    it("where the answer is not HTTP", function()
      has(failure("/malformed"), "http", "MALFORMED", "the answer of " .. address .. " is not HTTP")
      has(failure("/badchunk"), "http", "MALFORMED", "is not HTTP")
      has(failure("/badlength"), "http", "MALFORMED", "is not HTTP")
    end)

    it("where the encoding is broken", function()
      has(failure("/badzip", { decompress = true }), "http", "BAD_ENCODING", address)
    end)

    it("where the protocol is none of ours", function()
      has(failure("ftp://127.0.0.1/"), "http", "UNSUPPORTED_PROTOCOL", "ftp")
    end)

    it("where a file of the body is missing", function()
      local ok, err = pcall(api.post, api, "/echo", { multipart = { f = { file = "/nowhere/at/all" } } })
      assert.is_false(ok)
      assert.equal("fs", err.kind)
      assert.is_truthy(err.message:find("/nowhere/at/all", 1, true))
      ok, err = pcall(api.post, api, "/echo", { file = "/nowhere/at/all" })
      assert.is_false(ok)
      assert.equal("fs", err.kind)
    end)

    it("leaves the client as it was", function()
      failure("/truncated")
      failure("/resets")
      assert.equal(200, api:get("/echo").status)
    end)
  end)

  describe("a timeout", function()
    local function after(seconds, fn, ...)
      local from = core.now()
      local err = fn(...)
      local took = core.now() - from
      assert.is_true(took > seconds * 0.9 and took < seconds + 15, took)
      return err
    end

    it("where no answer comes", function()
      has(after(0.2, failure, "/slow?20000", { timeout = 0.2 }), "timeout", "TIMEOUT",
        "no answer from " .. address .. " within 0.2 s")
      local c = http.client { base_url = base, timeout = 0.1 }
      has(after(0.1, failure, "/slow?20000", nil, c), "timeout", "TIMEOUT", "within 0.1 s")
      assert.equal("at last", c:get("/slow?300", { timeout = false }).body)
    end)

    it("where the answer stops", function()
      has(after(0.2, failure, "/stalls", { timeout = 0.2 }), "timeout", "TIMEOUT", "only 5 of 10 bytes")
    end)

    it("where no connection comes about", function()
      local full = servers.full()
      finally(function() full:close() end)
      local port = full:read_line({ timeout = 20 })
      local url = "http://127.0.0.1:" .. port .. "/"
      local text = "no connection to 127.0.0.1:" .. port
      has(after(0.2, failure, url, { connect_timeout = 0.2 }), "timeout", "CONNECT_TIMEOUT", text)
      has(after(0.2, failure, url, { timeout = 0.2 }), "timeout", "CONNECT_TIMEOUT", text)
    end)

    it("of the test's own is the test's", function()
      local scope = core.enter(0.1)
      local ok, err = pcall(api.get, api, "/slow?5000")
      assert.is_true(core.leave(scope))
      assert.is_false(ok)
      assert.equal("timeout", err.kind)
      assert.is_nil(err.code)
      assert.equal(200, api:get("/echo").status)
    end)

    it("of a task that is cancelled frees its request", function()
      local mark = core.mark()
      local task = core.spawn(function() api:get("/slow?5000") end)
      core.sleep(0.05)
      core.cancel(task, "enough")
      local ok = core.join(task)
      assert.is_false(ok)
      assert.same({}, core.sweep(mark))
      assert.equal(200, api:get("/echo").status)
    end)
  end)

  describe("a limit of size", function()
    it("stops a response early", function()
      local from = core.now()
      has(failure("/big?1000000000"), "http", "TOO_LARGE", "larger than 67108864 bytes: raise max_size")
      has(failure("/endless"), "http", "TOO_LARGE", "larger than 67108864 bytes")
      assert.is_true(core.now() - from < 20)
      has(failure("/big?1001", { max_size = 1000 }), "http", "TOO_LARGE", "larger than 1000 bytes")
      assert.equal(1000, #api:get("/big?1000", { max_size = 1000 }).body)
    end)

    it("counts what is unpacked", function()
      has(failure("/bomb", { decompress = true, max_size = 1 << 20 }), "http", "TOO_LARGE", "larger than 1048576 bytes")
    end)

    it("holds for headers", function()
      local err = failure("/headbomb")
      assert.equal("http", err.kind)
      assert.equal("TOO_LARGE", err.code, err.message)
    end)

    it("can be lifted", function()
      assert.equal(70 << 20, #api:get("/big?" .. (70 << 20), { max_size = false }).body)
    end)
  end)

  it("leaves a trace of every request", function()
    local from = core.now()
    api:get("/echo")
    pcall(api.get, api, "/resets")
    local seen = {}
    for _, span in ipairs(core.timeline()) do
      if span.what == "http.request" and span.at >= from then seen[#seen + 1] = span end
    end
    assert.equal(2, #seen)
    assert.equal("GET " .. base .. "/echo", seen[1].detail)
    assert.is_truthy(seen[1].outcome:find("^200 %(%d+ B%)$"))
    assert.equal("ECONNRESET", seen[2].outcome)
  end)
end)
