local http = require "itlua.http"
local server = require "itlua.server"
local task = require "itlua.task"

local function soon(fn)
  task.eventually(fn, { timeout = 20 })
end

describe("server streams", function()
  local srv, api, errors

  before_each(function()
    errors = {}
    srv = server.listen { on_error = function(text) errors[#errors + 1] = text end }
    api = http.client { base_url = srv.url }
  end)

  after_each(function() srv:close() end)

  it("send what is written when it is written", function()
    local chunks = {}
    srv:get("/", function(req)
      local out <close> = req:stream { status = 203, headers = { ["Content-Type"] = "text/csv" } }
      for i = 1, 3 do
        out:write(i .. "\n")
        soon(function() return #chunks == i end)
      end
    end)
    local r = api:get("/", { stream = true })
    assert.equal(203, r.status)
    assert.equal("text/csv", r.headers["content-type"])
    assert.equal("chunked", r.headers["transfer-encoding"])
    for chunk in r:chunks() do chunks[#chunks + 1] = chunk end
    assert.same({ "1\n", "2\n", "3\n" }, chunks)
  end)

  it("end when the handler returns", function()
    srv:get("/", function(req) req:stream():write "all" end)
    srv:get("/empty", function(req) req:stream() end)
    assert.equal("all", api:get("/").body)
    assert.equal("", api:get("/empty").body)
    assert.equal("application/octet-stream", api:get("/").headers["content-type"])
    assert.same({}, errors)
  end)

  it("can be as large as nothing could hold, at the pace of the client", function()
    local chunk, written = ("x"):rep(100000), 0
    srv:get("/", function(req)
      local out = req:stream()
      for _ = 1, 300 do
        out:write(chunk)
        written = written + 1
      end
    end)
    local r = api:get("/", { stream = true })
    task.sleep(0.1)
    local before = written
    assert.is_true(before < 200, "the writer did not wait for the reader")
    local size = 0
    for piece in r:chunks() do size = size + #piece end
    assert.equal(300 * 100000, size)
    assert.equal(300, written)
  end)

  it("pass middleware, which sees their status", function()
    local seen
    local function look(_, next)
      local r = next()
      seen = r.status
      r.headers["x-too"] = "late"
      return r
    end
    srv:use(look)
    srv:get("/", look, function(req) req:stream({ status = 203 }):write "x" end)
    assert.equal("x", api:get("/").body)
    assert.equal(203, seen)
    assert.same({}, errors)
  end)

  it("may have a known length", function()
    srv:get("/", function(req)
      local out = req:stream { length = 6 }
      out:write "abc"
      out:write "def"
    end)
    local r = api:get("/")
    assert.equal("6", r.headers["content-length"])
    assert.is_nil(r.headers["transfer-encoding"])
    assert.equal("abcdef", r.body)
  end)

  it("that are shorter than their length are seen to be incomplete", function()
    srv:get("/", function(req) req:stream({ length = 100 }):write "abc" end)
    local ok, err = pcall(api.get, api, "/")
    assert.is_false(ok)
    assert.equal("http", err.kind)
  end)

  it("that fail are cut, so that the client can tell", function()
    srv:get("/", function(req)
      req:stream():write "part"
      error "broken"
    end)
    local ok, err = pcall(api.get, api, "/")
    assert.is_false(ok)
    assert.equal("http", err.kind)
    assert.matches("broken", errors[1], 1, true)
    srv:get("/abort", function(req)
      local out = req:stream()
      out:write "part"
      out:abort()
    end)
    assert.is_false((pcall(api.get, api, "/abort")))
  end)

  it("have no body under HEAD", function()
    srv:get("/", function(req)
      local out = req:stream()
      for _ = 1, 100 do out:write(("x"):rep(10000)) end
    end)
    local r = api:head("/")
    assert.equal(200, r.status)
    assert.equal("", r.body)
    for _ = 1, 50 do assert.equal(200, api:head("/").status) end -- none begins with the end of the one before
    assert.same({}, errors)
  end)

  it("work for HTTP/1.0 clients", function()
    srv:get("/", function(req)
      local out = req:stream()
      out:write "a"
      out:write "b"
    end)
    assert.equal("ab", api:get("/", { version = "1.0" }).body)
  end)

  it("tell the writer that the client has left", function()
    local outcome
    srv:get("/", function(req)
      local out = req:stream()
      local ok, err = pcall(function()
        while true do
          out:write(("x"):rep(10000))
          task.sleep(0.001)
        end
      end)
      outcome = ok or err.kind
    end)
    local r = api:get("/", { stream = true })
    r:close()
    soon(function() return outcome end)
    assert.is_true(outcome == "cancelled" or outcome == "http", tostring(outcome))
    assert.same({}, errors)
  end)

  it("that wait for something to write notice that the client has left", function()
    local outcome
    srv:get("/", function(req)
      req:stream():write "first"
      local ok, err = pcall(task.sleep, 20)
      outcome = ok or err.kind
    end)
    local r = api:get("/", { stream = true })
    assert.equal("first", r:chunks()())
    r:close()
    soon(function() return outcome end)
    assert.equal("cancelled", outcome)
  end)

  it("are ended by the server's close", function()
    srv:get("/", function(req)
      local out = req:stream()
      while true do
        out:write "tick\n"
        task.sleep(0.01)
      end
    end)
    local r = api:get("/", { stream = true })
    local next_chunk = r:chunks()
    assert.is_string(next_chunk())
    srv:close()
    local ok = pcall(function()
      while next_chunk() do end -- luacheck: ignore
    end)
    r:close()
    assert.is_false(ok)
  end)

  it("refuse to be used wrongly", function()
    local messages = {}
    local function try(fn, ...)
      messages[#messages + 1] = tostring(select(2, pcall(fn, ...)))
    end
    srv:get("/", function(req)
      try(req.stream, req, { stauts = 200 })
      local out = req:stream()
      try(req.stream, req)
      out:close()
      try(out.write, out, "late")
      return "and an answer"
    end)
    assert.equal(200, api:get("/").status)
    assert.matches("unknown option 'stauts'", messages[1], 1, true)
    assert.matches("answered already", messages[2], 1, true)
    assert.matches("the stream is closed", messages[3], 1, true)
    assert.matches("after it had begun to stream", errors[1], 1, true)
  end)

  it("speak server-sent events", function()
    srv:get("/", function(req)
      local events = req:events { headers = { ["X-A"] = "b" } }
      events:send "plain"
      events:comment "still here"
      events:send { event = "order", id = 7, data = "two\nlines", retry = 1.5 }
      events:send { json = { n = 1 } }
    end)
    local r = api:get("/")
    assert.equal("text/event-stream", r.headers["content-type"])
    assert.equal("no-cache", r.headers["cache-control"])
    assert.equal("b", r.headers["x-a"])
    assert.equal("data: plain\n\n: still here\n\nevent: order\nid: 7\nretry: 1500\ndata: two\ndata: lines\n\n"
      .. 'data: {"n":1}\n\n', r.body)
  end)

  it("refuse events that would be two", function()
    srv:get("/", function(req) req:events():send { event = "a\ndata: b", data = "" } end)
    pcall(api.get, api, "/")
    assert.matches("event has a line break", errors[1], 1, true)
  end)
end)
