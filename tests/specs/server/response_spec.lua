local http = require "itlua.http"
local json = require "itlua.json"
local server = require "itlua.server"

describe("server responses", function()
  local srv, api, errors

  before_each(function()
    errors = {}
    srv = server.listen { on_error = function(text) errors[#errors + 1] = text end }
    api = http.client { base_url = srv.url }
  end)

  after_each(function() srv:close() end)

  local function answer(...)
    local results = table.pack(...)
    srv:get("/", function() return table.unpack(results, 1, results.n) end)
    return api:get("/")
  end

  it("are a text, a status, or a table", function()
    assert.equal("text", answer("text").body)
    local r = answer(204)
    assert.equal(204, r.status)
    assert.equal("", r.body)
    r = answer { status = 201, body = "bytes", headers = { ["Content-Type"] = "image/x", ["X-Other"] = 7 } }
    assert.equal(201, r.status)
    assert.equal("bytes", r.body)
    assert.equal("image/x", r.headers["content-type"])
    assert.equal("7", r.headers["x-other"])
    r = answer {}
    assert.equal(200, r.status)
    assert.equal("", r.body)
    assert.is_nil(r.headers["content-type"])
  end)

  it("carry JSON, text or HTML", function()
    local r = answer { json = { a = { 1, 2 }, none = json.null } }
    assert.equal("application/json", r.headers["content-type"])
    assert.same({ a = { 1, 2 }, none = json.null }, r:json())
    r = answer { html = "<p>" }
    assert.equal("text/html; charset=utf-8", r.headers["content-type"])
    assert.equal("<p>", r.body)
    assert.equal("null", answer({ json = json.null }).body)
    assert.equal("false", answer({ json = false }).body)
    r = answer { status = 422, json = { ok = false }, headers = { ["content-type"] = "application/problem+json" } }
    assert.equal("application/problem+json", r.headers["content-type"])
  end)

  it("may be large and of any bytes", function()
    local all = ("\0\r\n\255abc"):rep(1000000)
    assert.is_true(answer({ body = all }).body == all)
  end)

  it("repeat a header that is a list", function()
    local r = answer { headers = { ["X-A"] = { "1", "2" } } }
    assert.same({ "1", "2" }, r.headers:all "x-a")
  end)

  it("set cookies", function()
    local r = answer {
      headers = { ["Set-Cookie"] = "own=1" },
      cookies = {
        plain = "abc",
        session = {
          value = "x", path = "/app", domain = "example.org", max_age = 60, expires = "Thu, 01 Jan 2099 00:00:00 GMT",
          http_only = true, secure = true, same_site = "Lax",
        },
        gone = false,
      },
    }
    assert.same({
      "own=1",
      "gone=; Path=/; Max-Age=0",
      "plain=abc; Path=/",
      "session=x; Path=/app; Domain=example.org; Max-Age=60; Expires=Thu, 01 Jan 2099 00:00:00 GMT; Secure; HttpOnly; "
        .. "SameSite=Lax",
    }, r.headers:all "set-cookie")
  end)

  it("may be raised", function()
    srv:get("/", function()
      local function deep() error { status = 403, json = { error = "forbidden" } } end
      deep()
    end)
    local r = api:get("/")
    assert.equal(403, r.status)
    assert.equal("forbidden", r:json().error)
    assert.same({}, errors)
  end)

  it("are 500 where the handler fails, and the error is told with where it was raised", function()
    srv:get("/fail", function() error "the reason" end)
    local r = api:get("/fail?x=1")
    assert.equal(500, r.status)
    assert.equal("internal server error\n", r.body)
    assert.equal(1, #errors)
    assert.matches("^GET /fail%?x=1: .*response_spec.lua:%d+: the reason\n", errors[1])
    assert.matches("stack traceback", errors[1], 1, true)
    assert.matches("the reason", srv:requests()[1].error, 1, true)
    srv:get("/object", function() error({ odd = true }) end)
    assert.equal(500, api:get("/object").status)
    srv:get("/nil", function() error(nil) end)
    assert.equal(500, api:get("/nil").status)
  end)

  local function is_refused(result, why)
    local r = answer(result)
    assert.equal(500, r.status)
    assert.matches(why, errors[#errors], 1, true)
  end

  it("are 500 where the handler returns more than one", function()
    assert.equal(500, answer(422, "wrong").status)
    assert.matches("the handler returned two values: one is expected, as in { status = 422", errors[1], 1, true)
  end)

  it("are 500 where the handler returns what is no answer", function()
    is_refused(nil, "the handler returned nothing")
    is_refused(true, "the handler returned a boolean")
    is_refused(1.5, "the handler returned a number")
    is_refused({ stauts = 200 }, "a response has no field 'stauts'")
    is_refused({ status = 99 }, "status 99")
    is_refused({ status = 1000 }, "status 1000")
    is_refused({ status = "x" }, "number expected")
    is_refused({ body = {} }, "string expected")
    is_refused({ headers = { ["X-A"] = "a\r\nX-Evil: 1" } }, "header X-A cannot be sent")
    is_refused({ headers = { ["X-A"] = "a\0b" } }, "header X-A cannot be sent")
    is_refused({ headers = { ["X A"] = true } }, "header X A is a boolean")
    is_refused({ headers = { "no name" } }, "a header's name is a number")
    is_refused({ cookies = { a = "b; Path=/evil" } }, "cookie a")
    is_refused({ cookies = { ["a b"] = "c" } }, "no cookie name")
    is_refused({ json = function() end }, "function")
  end)

  it("goes on after all of that", function()
    for _ = 1, 50 do is_refused({ nonsense = 1 }, "nonsense") end
    assert.equal("fine", answer("fine").body)
  end)

  it("frames the body itself, whatever the handler says of its length", function()
    local r = answer { body = "12345", headers = { ["Content-Length"] = "3", ["Transfer-Encoding"] = "chunked" } }
    assert.equal("12345", r.body)
    assert.equal("5", r.headers["content-length"])
  end)

  it("end the connection when they say so, and keep it otherwise", function()
    assert.is_nil(answer("kept").headers.connection)
    assert.equal("close", answer({ body = "", headers = { Connection = "close" } }).headers.connection:lower())
  end)

  it("have a date", function()
    assert.matches("^%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT$", answer("").headers.date)
  end)
end)

describe("server middleware", function()
  local srv, api, errors

  before_each(function()
    errors = {}
    srv = server.listen { on_error = function(text) errors[#errors + 1] = text end }
    api = http.client { base_url = srv.url }
  end)

  after_each(function() srv:close() end)

  it("wraps what comes after it, in the order in which it was added", function()
    local order = {}
    for i = 1, 3 do
      srv:use(function(_, next)
        order[#order + 1] = i
        local r = next()
        order[#order + 1] = -i
        return r
      end)
    end
    srv:get("/", function()
      order[#order + 1] = 0
      return ""
    end)
    api:get("/")
    assert.same({ 1, 2, 3, 0, -3, -2, -1 }, order)
  end)

  it("sees every answer as a table that it may change, also of unknown paths", function()
    srv:use(function(_, next)
      local r = next()
      r.headers = r.headers or {}
      r.headers["x-seen"] = tostring(r.status or 200)
      return r
    end)
    srv:get("/text", function() return "text" end)
    srv:get("/status", function() return 204 end)
    assert.equal("200", api:get("/text").headers["x-seen"])
    assert.equal("204", api:get("/status").headers["x-seen"])
    assert.equal("404", api:get("/none").headers["x-seen"])
  end)

  it("may answer by itself", function()
    srv:use(function(req, next)
      if not req:header "authorization" then return { status = 401, text = "who are you?" } end
      return next()
    end)
    srv:get("/", function() return "in" end)
    assert.equal(401, api:get("/").status)
    assert.equal("in", api:get("/", { bearer = "x" }).body)
  end)

  it("may be for a part of the paths, or for one route", function()
    local count = 0
    local function counting(_, next)
      count = count + 1
      return next()
    end
    srv:use("/admin/", counting)
    srv:get("/admin/x", function() return "" end)
    srv:get("/x", function() return "" end)
    srv:get("/counted", counting, counting, function() return "" end)
    api:get("/x")
    assert.equal(0, count)
    api:get("/admin/x")
    assert.equal(1, count)
    api:get("/counted")
    assert.equal(3, count)
  end)

  it("that returns nothing is told", function()
    srv:use(function(_, next) next() end)
    srv:get("/", function() return "" end)
    assert.equal(500, api:get("/").status)
    assert.matches("returned nothing", errors[1], 1, true)
  end)
end)
