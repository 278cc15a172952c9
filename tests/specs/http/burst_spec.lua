local core = require "itlua.core"
local http = require "itlua.http"
local servers = dofile("tests/specs/http/servers.lua")

describe("http.burst", function()
  local odd, base, api

  setup(function()
    odd, base = servers.odd()
    api = http.client { base_url = base, timeout = 30 }
  end)

  teardown(function() odd:close() end)

  it("counts answers by status and measures latency", function()
    local b = http.burst { url = base .. "/limited/a?7", requests = 20, concurrency = 4 }
    assert.equal(20, b.requests)
    assert.equal(20, b.answered)
    assert.equal(0, b.failed)
    assert.equal(7, b.status[200])
    assert.equal(13, b.status[429])
    assert.equal(0, b.status[500])
    assert.is_true(b.seconds > 0 and b.rate > 0)
    local l = b.latency
    assert.is_true(l.min > 0 and l.min <= l.p50 and l.p50 <= l.p90 and l.p90 <= l.p99 and l.p99 <= l.max and l.max < 20)
    assert.is_truthy(tostring(b):find("200 x 7, 429 x 13", 1, true))
  end)

  it("really sends at the same time", function()
    local from = core.now()
    local b = api:burst("/slow?2000", { requests = 10, concurrency = 10 })
    assert.is_true(core.now() - from < 18)
    assert.equal(10, b.status[200])
    assert.is_true(b.latency.min >= 1.99)
  end)

  it("sends method, body, headers and cookies", function()
    api:get("/login")
    local b = api:burst("/echo", { requests = 3, concurrency = 1, method = "post", json = { a = 1 }, bearer = "t" })
    assert.equal(3, b.status[200])
    assert.is_true(b.bytes > 300)
    b = http.burst { client = api, path = "/basic", requests = 4, basic = { "ann", "pa:ss" } }
    assert.equal(4, b.status[200])
  end)

  it("counts failures by code", function()
    local b = http.burst { url = "http://127.0.0.1:1/", requests = 30, concurrency = 3 }
    assert.equal(30, b.failed)
    assert.equal(30, b.errors.ECONNREFUSED)
    assert.equal(0, b.errors.TIMEOUT)
    assert.equal(0, b.answered)
    assert.is_nil(b.latency.p50)
    assert.is_truthy(b.first_error:find("nothing listens on 127.0.0.1:1", 1, true))
    assert.is_truthy(tostring(b):find("ECONNREFUSED x 30", 1, true))
    assert.equal(5, api:burst("/empty", { requests = 5, concurrency = 2 }).errors.EMPTY_REPLY)
    assert.equal(5, http.burst({ url = "http://none.invalid/", requests = 5 }).errors.ENOTFOUND)
  end)

  it("limits each request", function()
    local from = core.now()
    local b = api:burst("/slow?20000", { requests = 4, concurrency = 4, timeout = 0.2 })
    assert.equal(4, b.errors.TIMEOUT)
    assert.is_true(core.now() - from < 15)
    assert.is_truthy(b.first_error:find("within 0.2 s", 1, true), b.first_error)
  end)

  it("keeps a rate", function()
    local b = api:burst("/limited/b?1000", { requests = 50, rate = 200, concurrency = 5 })
    assert.equal(50, b.status[200])
    assert.is_true(b.seconds >= 0.24, b.seconds)
  end)

  it("charges a slow server for what had to wait", function()
    local b = api:burst("/slow?50", { requests = 20, rate = 100, concurrency = 1 })
    assert.is_true(b.latency.max > 0.5, b.latency.max)
  end)

  it("lasts a while", function()
    local b = api:burst("/limited/c?1000000", { duration = 0.3, concurrency = 2 })
    assert.is_true(b.seconds >= 0.29 and b.seconds < 10)
    assert.is_true(b.requests > 1)
    b = api:burst("/limited/d?1000000", { duration = 1, rate = 100 })
    assert.is_true(b.requests >= 2 and b.requests <= 110, b.requests)
  end)

  it("follows no deadline but the test's", function()
    local scope = core.enter(0.2)
    local ok, err = pcall(api.burst, api, "/slow?300", { requests = 1000, concurrency = 2 })
    assert.is_true(core.leave(scope))
    assert.is_false(ok)
    assert.equal("timeout", err.kind)
    assert.equal(200, api:get("/echo").status)
  end)

  it("lets other tasks run meanwhile", function()
    local n = 0
    local task = core.spawn(function()
      while true do
        core.sleep(0.01)
        n = n + 1
      end
    end)
    api:burst("/limited/e?100000", { requests = 500, concurrency = 8 })
    core.cancel(task)
    core.join(task)
    assert.is_true(n > 0)
  end)

  it("names wrong use", function()
    local function complaint(given)
      local ok, err = pcall(http.burst, given)
      assert.is_false(ok)
      return err
    end
    assert.is_truthy(complaint({}):find("needs a url", 1, true))
    assert.is_truthy(complaint({ url = base, concurrency = 0 }):find("positive whole number", 1, true))
    assert.is_truthy(complaint({ url = base, requests = 1.5 }):find("positive whole number", 1, true))
    assert.is_truthy(complaint({ url = base, request = 5 }):find("did you mean 'requests'?", 1, true))
    assert.is_truthy(complaint({ url = base, stream = true }):find("no option 'stream'", 1, true))
  end)
end)
