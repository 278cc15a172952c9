local http = require "itlua.http"
local process = require "itlua.process"
local server = require "itlua.server"
local task = require "itlua.task"

local function soon(fn)
  task.eventually(fn, { timeout = 20 })
end

local here = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$"

describe("a server among hostile clients", function()
  local srv, errors

  before_each(function()
    errors = {}
    srv = server.listen { on_error = function(text) errors[#errors + 1] = text end }
    srv:any("/{path*}", function(req) return ("%s %s %d"):format(req.method, req.path, #req.body) end)
    srv:get("/wait", function()
      task.sleep(0.3)
      return "waited"
    end)
  end)

  after_each(function()
    assert.equal("GET /after 0", http.get(srv.url .. "/after").body)
    srv:close()
    assert.same({}, errors)
  end)

  local function raw(bytes, ...)
    return process.run({
      "perl", here .. "/raw.pl", tostring(srv.port), ...,
      input = bytes, check = true, timeout = 60,
    }).stdout
  end

  local function statuses(answer)
    local list = {}
    for status in answer:gmatch "HTTP/1%.%d (%d%d%d)" do list[#list + 1] = tonumber(status) end
    return list
  end

  it("answers pipelined requests in their order, also when one waits", function()
    local answer = raw("GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /wait HTTP/1.1\r\nHost: a\r\n\r\n"
      .. "POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc")
    assert.same({ 200, 200, 200 }, statuses(answer))
    assert.matches("GET /a 0.*waited.*POST /c 3", answer)
  end)

  it("tells a client that asks to go on with its body", function()
    local head = "POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    local answer = raw(head .. "abc", ("piece=%d,0.3"):format(#head))
    assert.same({ 100, 200 }, statuses(answer))
    assert.matches("POST /c 3", answer, 1, true)
  end)

  it("answers a client that has shut down its sending side", function()
    assert.matches("GET /a 0", raw("GET /a HTTP/1.1\r\nHost: a\r\n\r\n", "half-close"), 1, true)
  end)

  it("takes a client that shuts down its sending side for one that left, where the handler waits", function()
    srv:get("/hold", function() task.sleep(50) end)
    assert.equal("", raw("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n", "half-close", "timeout=60"))
  end)

  it("is patient with slow clients, and serves others meanwhile", function()
    local request = "POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\nConnection: close\r\n\r\n12345678901234567890"
    local slow = task.spawn(function() return raw(request, "piece=7,0.05") end)
    for _ = 1, 10 do
      assert.equal(200, http.get(srv.url .. "/x").status)
      task.sleep(0.02)
    end
    assert.matches("POST /slow 20", slow:join(), 1, true)
  end)

  it("is patient with clients that read slowly", function()
    srv:get("/big", function() return { body = ("x"):rep(100000), headers = { connection = "close" } } end)
    local answer = raw("GET /big HTTP/1.1\r\nHost: a\r\n\r\n", "slow-read")
    assert.is_true(#answer > 100000)
  end)

  it("closes connections that say nothing", function()
    local impatient <close> = server.listen { idle_timeout = 1 }
    local r = process.run {
      "perl", here .. "/raw.pl", tostring(impatient.port), "timeout=60",
      input = "GET / HTTP/1.1\r\nHos", timeout = 70,
    }
    assert.equal("", r.stdout)
    assert.is_true(r.seconds < 30)
  end)

  it("forgets clients that leave in the middle of a request", function()
    raw("GET / HTTP/1.1\r\nHos", "leave")
    raw("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc", "leave")
    raw("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "leave")
    raw("", "leave")
    assert.same({}, srv:requests())
  end)

  it("refuses headers that are too large", function()
    local answer = raw("GET / HTTP/1.1\r\nHost: a\r\nX-Big: " .. ("x"):rep(100000) .. "\r\n\r\n", "half-close")
    assert.same({ 431 }, statuses(answer))
    answer = raw("GET /" .. ("x"):rep(100000) .. " HTTP/1.1\r\nHost: a\r\n\r\n", "half-close")
    assert.same({ 414 }, statuses(answer))
    local many = {}
    for i = 1, 5000 do many[i] = ("X-%d: y\r\n"):format(i) end
    answer = raw("GET / HTTP/1.1\r\nHost: a\r\n" .. table.concat(many) .. "\r\n", "half-close")
    assert.same({ 431 }, statuses(answer))
  end)

  it("takes larger headers where it is told to", function()
    local large <close> = server.listen { max_headers = 1024 * 1024 }
    large:get("/", function(req) return tostring(#req.headers["x-big"]) end)
    assert.equal("200000", http.get(large.url, { headers = { ["X-Big"] = ("x"):rep(200000) } }).body)
  end)

  it("refuses what is no HTTP", function()
    local function refused(bytes)
      local answer = raw(bytes, "half-close", "timeout=3")
      for _, status in ipairs(statuses(answer)) do assert.is_true(status >= 400 and status <= 505, answer) end
      assert.same({}, srv:requests(), bytes)
    end
    refused "\0\1\2\3\r\n\r\n"
    refused "GET\r\n\r\n"
    refused "GET / HTTP/9.9\r\n\r\n"
    refused "\22\3\1\2\0\1\0\1\252\3\3" -- the beginning of TLS
    refused "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"
    refused "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n"
    refused "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n"
    refused(("A"):rep(30) .. " / HTTP/1.1\r\nHost: a\r\n\r\n")
  end)

  it("survives 10,000 requests of garbage", function()
    local said = task.all(
      function() return raw("", "garbage", "5000", "1") end,
      function() return raw("", "garbage", "5000", "2") end)
    for i = 1, 2 do assert.matches("^%d+ answered, %d+ closed without a word\n$", said[i]) end
    -- None of those connections is left.
    soon(function() return require("itlua.server.core").active(srv.handle) == 0 end)
  end)

  it("has as many connections as it is told to, and the others wait", function()
    local small <close> = server.listen { max_connections = 2 }
    small:get("/", function()
      task.sleep(0.01)
      return ""
    end)
    local burst = http.burst { url = small.url, requests = 50, concurrency = 10, timeout = 60, keep_alive = false }
    assert.equal(50, burst.status[200])
  end)
end)
