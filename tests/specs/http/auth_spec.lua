local core = require "itlua.core"
local http = require "itlua.http"
local servers = dofile("tests/specs/http/servers.lua")

describe("itlua.http", function()
  local odd, base, api

  setup(function()
    odd, base = servers.odd()
  end)

  teardown(function() odd:close() end)

  before_each(function()
    api = http.client { base_url = base, timeout = 5 }
  end)

  local function header(r, name)
    for _, h in ipairs(r:json().headers) do
      if h[1]:lower() == name then return h[2] end
    end
  end

  describe("authentication", function()
    it("by a bearer token, the client's or the request's", function()
      local c = http.client { base_url = base, bearer = "abc" }
      assert.equal("Bearer abc", header(c:get("/echo"), "authorization"))
      assert.equal("Bearer other", header(c:get("/echo", { bearer = "other" }), "authorization"))
      assert.is_nil(header(c:get("/echo", { bearer = false }), "authorization"))
      assert.equal("Bearer abc", header(c:post("/echo", { json = {} }), "authorization"))
      assert.equal("Mine x", header(c:get("/echo", { headers = { Authorization = "Mine x" } }), "authorization"))
    end)

    it("basic", function()
      assert.equal(401, api:get("/basic").status)
      assert.equal(200, api:get("/basic", { basic = { "ann", "pa:ss" } }).status)
      assert.equal(200, api:get("/basic", { basic = "ann:pa:ss" }).status)
      assert.equal(401, api:get("/basic", { basic = { "ann", "wrong" } }).status)
      assert.equal(200, http.get((base:gsub("//", "//ann:pa%%3Ass@")) .. "/basic").status)
      local c = http.client { base_url = base, basic = { "ann", "pa:ss" } }
      assert.equal("welcome", c:get("/basic").body)
      assert.equal(401, c:get("/basic", { basic = false }).status)
      assert.equal("Bearer t", header(c:get("/echo", { bearer = "t" }), "authorization"))
      assert.equal(200, http.client({ base_url = base, bearer = "t" }):get("/basic", { basic = "ann:pa:ss" }).status)
    end)

    it("digest", function()
      local c = http.client { base_url = base, digest = { "ann", "secret" } }
      local r = c:get("/digest")
      assert.equal(200, r.status)
      assert.equal("welcome ", r.body)
      assert.equal("welcome data", c:post("/digest", { body = "data" }).body)
      assert.equal("welcome ", c:get("/digest", { stream = true }).body)
      assert.equal(401, api:get("/digest", { digest = { "ann", "wrong" } }).status)
      assert.equal("who?", api:get("/digest", { digest = { "ann", "wrong" } }).body)
    end)

    it("of a derived client", function()
      local c = http.client { base_url = base, bearer = "a", headers = { ["X-A"] = "1", ["X-B"] = "1" } }
      local d = c:with { bearer = "b", headers = { ["x-b"] = "2" } }
      local r = d:get("/echo")
      assert.equal("Bearer b", header(r, "authorization"))
      assert.equal("1", header(r, "x-a"))
      assert.equal("2", header(r, "x-b"))
      assert.equal("Bearer a", header(c:get("/echo"), "authorization"))
      assert.equal(200, c:with({ basic = { "ann", "pa:ss" } }):get("/basic").status)
    end)
  end)

  describe("cookies", function()
    it("are kept by a client, and sent where they belong", function()
      assert.is_nil(header(api:get("/echo"), "cookie"))
      local r = api:get("/login")
      assert.equal("s3cret", r:cookie("session"))
      assert.equal("dark", r:cookie("theme"))
      assert.is_nil(r:cookie("none"))
      local sent = header(api:get("/echo"), "cookie")
      assert.is_truthy(sent:find("session=s3cret", 1, true) and sent:find("theme=dark", 1, true))
      assert.equal("session=s3cret", header(api:get("/"), "cookie"))
      assert.equal("s3cret", api:cookie("session"))
      local cookie
      for _, c in ipairs(api:cookies()) do
        if c.name == "session" then cookie = c end
      end
      assert.equal("127.0.0.1", cookie.domain)
      assert.equal("/", cookie.path)
      assert.is_true(cookie.http_only)
      assert.is_false(cookie.secure)
      assert.is_nil(cookie.expires)
    end)

    it("are each client's own", function()
      api:get("/login")
      assert.is_nil(header(http.client({ base_url = base }):get("/echo"), "cookie"))
      assert.is_nil(header(http.get(base .. "/echo"), "cookie"))
    end)

    it("can be set, and cleared", function()
      api:set_cookie("a", "1")
      api:set_cookie("b", "2", { path = "/echo", http_only = true, expires = os.time() + 60 })
      assert.equal("1", api:cookie("a"))
      local sent = header(api:get("/echo"), "cookie")
      assert.is_truthy(sent:find("a=1", 1, true) and sent:find("b=2", 1, true))
      api:clear_cookies()
      assert.same({}, api:cookies())
      assert.is_nil(header(api:get("/echo"), "cookie"))
    end)

    it("can go with one request", function()
      assert.equal("x=1; y=2", header(api:get("/echo", { cookies = { x = 1, y = 2 } }), "cookie"))
      assert.is_nil(header(api:get("/echo"), "cookie"))
    end)

    it("are not kept where that was not wanted", function()
      local c = http.client { base_url = base, cookies = false }
      c:get("/login")
      assert.same({}, c:cookies())
      assert.is_nil(header(c:get("/echo"), "cookie"))
    end)

    it("set on the way of redirects count", function()
      api:get("/chain?3")
      assert.equal(3, #api:cookies())
    end)

    it("are shared by requests at the same time", function()
      local task = require "itlua.task"
      local function login() return api:get("/login").status end
      task.all { login, login, login }
      assert.equal("s3cret", api:cookie("session"))
    end)
  end)

  describe("redirects", function()
    it("are followed", function()
      local r = api:get("/chain?3")
      assert.equal("the end", r.body)
      assert.equal(base .. "/chain?0", r.url)
      assert.equal(3, #r.history)
      assert.equal(302, r.history[1].status)
      assert.equal("/chain?2", r.history[1].headers.location)
    end)

    it("are not, when that is not wanted", function()
      local r = api:get("/redirect/302?/echo", { redirects = false })
      assert.equal(302, r.status)
      assert.equal("moved", r.body)
      assert.equal("/echo", r.headers.location)
      assert.same({}, r.history)
      assert.equal(302, http.client({ base_url = base, redirects = false }):get("/chain?1").status)
    end)

    it("have a limit", function()
      assert.equal("the end", api:get("/chain?2", { redirects = 2 }).body)
      local ok, err = pcall(api.get, api, "/chain?3", { redirects = 2 })
      assert.is_false(ok)
      assert.equal("http", err.kind)
      assert.equal("TOO_MANY_REDIRECTS", err.code)
      assert.is_truthy(err.message:find("more than 2 redirects", 1, true))
      ok, err = pcall(api.get, api, "/loop")
      assert.is_false(ok)
      assert.equal("TOO_MANY_REDIRECTS", err.code)
      assert.is_truthy(err.message:find("more than 10 redirects", 1, true))
    end)

    it("change the method as the standard has it", function()
      local function after(method, status)
        local r = api:request(method, "/redirect/" .. status .. "?/echo", { body = "content" }):json()
        return r.method .. " " .. r.body
      end
      assert.equal("GET ", after("POST", 301))
      assert.equal("GET ", after("POST", 302))
      assert.equal("GET ", after("POST", 303))
      assert.equal("POST content", after("POST", 307))
      assert.equal("POST content", after("POST", 308))
      assert.equal("PUT content", after("PUT", 301))
      assert.equal("PUT content", after("PUT", 302))
      assert.equal("PATCH content", after("PATCH", 307))
      assert.equal("GET ", after("PUT", 303))
      assert.equal("GET ", after("PATCH", 303))
      assert.equal("GET ", after("DELETE", 303))
      assert.equal("GET", api:delete("/redirect/303?/echo"):json().method)
      assert.equal("DELETE", api:delete("/redirect/307?/echo"):json().method)
    end)

    it("do not give credentials to another host", function()
      local other, url = servers.odd()
      finally(function() other:close() end)
      local elsewhere = url:gsub("127.0.0.1", "localhost")
      local c = http.client { base_url = base, bearer = "secret" }
      assert.equal("Bearer secret", header(c:get("/redirect/302?/echo"), "authorization"))
      assert.is_nil(header(c:get("/redirect/302?" .. elsewhere .. "/echo"), "authorization"))
    end)

    it("lead nowhere but to HTTP", function()
      local ok, err = pcall(api.get, api, "/redirect/302?file:///etc/passwd")
      assert.is_false(ok)
      assert.equal("UNSUPPORTED_PROTOCOL", err.code)
    end)
  end)

  describe("retries", function()
    it("by status", function()
      local r = api:get("/flaky/a?2", { retry = { times = 3, delay = 0.01 } })
      assert.equal(200, r.status)
      assert.equal(3, r.attempts)
      assert.equal(503, api:get("/flaky/b?5", { retry = { times = 2, delay = 0.01 } }).status)
      assert.equal(503, api:get("/flaky/c?1").status)
      assert.equal(503, api:get("/flaky/d?1", { retry = { times = 2, delay = 0.01, status = { 502 } } }).status)
      assert.equal(3, api:post("/flaky/e?2", { json = { a = 1 }, retry = { times = 3, delay = 0.01 } }):json().attempts)
    end)

    it("by error", function()
      local c = http.client { base_url = base, keep_alive = false } -- else libcurl repeats a GET on its own
      local r = c:get("/breaks/a?2", { retry = { times = 3, delay = 0.01 } })
      assert.equal("whole", r.body)
      assert.equal(3, r.attempts)
      local ok, err = pcall(c.get, c, "/breaks/b?2", { retry = { times = 3, errors = false } })
      assert.is_false(ok)
      assert.equal("ECONNRESET", err.code)
      assert.is_false(pcall(c.get, c, "/breaks/c?2", { retry = { times = 3, errors = { "TIMEOUT" } } }))
      assert.is_true(pcall(c.get, c, "/breaks/d?2", { retry = { times = 3, errors = { "ECONNRESET" }, delay = 0.01 } }))
    end)

    it("are never made in silence of a request that is not idempotent", function()
      assert.equal(200, api:get("/echo").status)
      local ok, err = pcall(api.post, api, "/breaks/once?1", { body = "pay" })
      assert.is_false(ok)
      assert.equal("ECONNRESET", err.code)
      assert.is_truthy(err.message:find("a POST is not sent twice", 1, true), err.message)
      assert.equal(200, api:get("/echo").status)
      assert.equal("whole", api:get("/breaks/get?1").body) -- on a new connection
      assert.equal("whole", api:post("/breaks/once?1").body)
    end)

    it("wait longer each time, and as long as the server says", function()
      local from = core.now()
      api:get("/flaky/f?3", { retry = { times = 3, delay = 0.05, factor = 2 } })
      local took = core.now() - from
      assert.is_true(took >= 0.35 and took < 20, took)
      from = core.now()
      assert.equal("now", api:get("/later/a", { retry = 1 }).body)
      assert.is_true(core.now() - from >= 0.3)
    end)

    it("of a client's own", function()
      local c = http.client { base_url = base, retry = { times = 2, delay = 0.01 } }
      assert.equal(200, c:get("/flaky/g?2").status)
      assert.equal(503, c:get("/flaky/h?2", { retry = false }).status)
    end)

    it("are not made of what cannot be sent twice, nor after the test's time", function()
      local ok, err = pcall(api.post, api, "/echo", { body = function() end, retry = 2 })
      assert.is_false(ok)
      assert.is_truthy(err:find("only once", 1, true))
      local scope = core.enter(0.1)
      ok, err = pcall(api.get, api, "/slow?5000", { retry = { times = 50, delay = 0.01 } })
      assert.is_true(core.leave(scope))
      assert.is_false(ok)
      assert.equal("timeout", err.kind)
    end)
  end)
end)
