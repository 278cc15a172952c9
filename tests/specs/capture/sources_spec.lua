-- Captures of what a process prints, of webhooks and of server-sent events. The others stand with their protocols.
local http = require "itlua.http"
local process = require "itlua.process"
local record = require "itlua.capture".record
local server = require "itlua.server"
local task = require "itlua.task"

local function failure(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

describe("lines of a process", function()
  it("are matched by patterns, or as JSON, beside who else reads", function()
    local p <close> = process.start { "/bin/sh", "-c",
      [[echo listening on 80; echo oh no >&2; read line; echo '{"level":"info","order":{"id":7}}'; printf end]] }
    local log <close> = p:capture()
    assert.equal("listening on 80", log:wait_for("on %d+", { timeout = 20 }).value)
    assert.equal("stderr", log:wait_for("^oh", { timeout = 20 }).stream)
    assert.equal("listening on 80", p:read_line())
    assert.equal("within 0.02 s; that is a window of time, no fence: what comes later is not seen",
      log:expect_none("order", { within = 0.02 }))
    p:write "go\n"
    local line = log:wait_for({ order = { id = 7 } }, { timeout = 20 })
    assert.equal('{"level":"info","order":{"id":7}}', line.line)
    assert.equal("end", log:wait_for("^end$", { timeout = 20 }).line)
    p:wait()
    assert.matches("has ended, all of it was read", log:expect_none("more", { within = 60 }))
    local err = failure(log.wait_for, log, "more")
    assert.matches('nothing that matches "more" came on sh %-c', err.message)
    assert.matches("before it ended\n  4 came:", err.message, 1, true)
    assert.matches('{"level":"info","order":{"id":7}}', err.message, 1, true)
    assert.matches("stdout: 53 bytes", err.message, 1, true)
  end)

  it("begin now, and come in pieces", function()
    local p <close> = process.start { "/bin/sh", "-c", "echo before; read a; printf 'one '; sleep 0.05; echo two; read b" }
    p:expect("before", { timeout = 20 })
    local log <close> = p:capture { stream = "stdout", name = "worker" }
    p:write "\n"
    assert.equal("one two", log:wait_for(nil, { timeout = 20 }).line)
    assert.equal(1, #log:events())
    assert.equal("capture of worker, 1 record", tostring(log))
    assert.has.errors(function() p:capture { stream = "stdin" } end)
  end)

  it("are waited for where no coroutine can yield", function()
    local p <close> = process.start { "/bin/sh", "-c", "while read l; do echo $l; done" }
    local log <close> = p:capture()
    local list = { 3, 1, 2 }
    table.sort(list, function(a, b)
      p:write(("%d and %d\n"):format(a, b))
      log:wait_for(("^%d and %d$"):format(a, b), { timeout = 20 })
      return a < b
    end)
    assert.same({ 1, 2, 3 }, list)
    local lines = coroutine.wrap(function()
      for i = 1, 2 do
        p:write(("line %d\n"):format(i))
        coroutine.yield(log:wait_for("line " .. i, { timeout = 20 }).line)
      end
    end)
    assert.equal("line 1", lines())
    assert.equal("line 2", lines())
  end)

  it("say when some were gone before they could be read", function()
    local p <close> = process.start { command = "head -c 3000000 /dev/zero | tr '\\0' 'x' | fold -w 99; read a",
      max_output = 1000 }
    local log <close> = p:capture()
    local err = failure(log.wait_for, log, "never", { timeout = 20 })
    assert.subset({ kind = "process", code = "LOST" }, err)
  end)
end)

describe("a route of a server", function()
  local srv, api

  before_each(function()
    srv = server.listen()
    api = http.client { base_url = srv.url }
  end)
  after_each(function()
    api:close()
    srv:close()
  end)

  it("is a capture of webhooks", function()
    local hooks <close> = srv:capture "POST /hooks/{id}"
    assert.equal(204, api:post("/hooks/1", { json = { event = "paid" }, headers = { ["X-Signature"] = "abc" } }).status)
    assert.equal(204, api:post("/hooks/2?try=1", { form = { event = "shipped" } }).status)
    assert.equal(404, api:post("/other", { json = {} }).status)
    local paid = hooks:wait_for({ event = "paid" }, { timeout = 20 })
    assert.equal("abc", paid.headers["x-signature"])
    assert.equal("1", paid.params.id)
    assert.equal('{"event":"paid"}', paid.payload)
    local shipped = hooks:wait_for(record { path = "/hooks/2", query = { try = "1" } }, { timeout = 20 })
    assert.equal("shipped", shipped.value.event)
    assert.equal("event=shipped", shipped.request.body)
    assert.equal(2, #hooks:events())
    local err = failure(hooks.wait_for, hooks, { event = "lost" }, { timeout = 0.01 })
    assert.matches('POST /hooks/2  { event = "shipped" }', err.message, 1, true)
    assert.matches("2 requests to http://127.0.0.1:", err.message, 1, true)
  end)

  it("keeps its handler, or takes another answer", function()
    srv:post("/mine", function() return { status = 201, json = { taken = true } } end)
    local mine <close> = srv:capture "POST /mine"
    local down <close> = srv:capture("POST /down", { reply = { status = 503 } })
    local tries = 0
    local up <close> = srv:capture("POST /up", { reply = function()
      tries = tries + 1
      return { status = tries < 3 and 500 or 200 }
    end })
    assert.equal(201, api:post("/mine", { json = { n = 1 } }).status)
    assert.equal(503, api:post("/down", { json = { n = 1 } }).status)
    for _ = 1, 3 do api:post("/up", { body = "plain", headers = { ["Content-Type"] = "text/plain" } }) end
    assert.equal(1, mine:expect_once({ n = 1 }, { within = 0.01, timeout = 20 }).n)
    assert.equal(1, #down:events { n = 1 })
    assert.equal(3, #up:wait_for_count(3, { timeout = 20, match = "plain" }))
    assert.raises({ code = "DUPLICATE_EVENT" }, function() up:expect_once "plain" end)
  end)

  it("has ended with its server", function()
    local hooks <close> = srv:capture "POST /hook"
    srv:close()
    assert.matches("has ended", hooks:expect_none())
    assert.raises({ message = 'server:capture needs a method and a route, "POST /hook", not "/hook"' },
      function() srv:capture "/hook" end)
  end)
end)

describe("server-sent events", function()
  it("are a capture", function()
    local srv <close> = server.listen()
    local sent = {}
    srv:get("/feed", function(req)
      local events = req:events()
      for i = 1, 50 do
        while #sent < i do task.sleep(0.005) end
        if sent[i].over then break end
        events:send(sent[i])
      end
    end)
    local api <close> = http.client { base_url = srv.url, timeout = 2 }
    local feed <close> = api:capture("/feed", { filter = function(event) return event.event ~= "ping" end })
    sent[1] = { event = "ping", data = "1" }
    sent[2] = { event = "order", id = "17", data = '{"id":1,"state":"new"}' }
    local event = feed:wait_for({ state = "new" }, { timeout = 20 })
    assert.equal("order", event.event)
    assert.equal("17", event.id)
    task.sleep(2.2) -- longer than the client's timeout: a silent stream is no fault
    sent[3] = { data = "marker" }
    assert.equal("up to the marker, record 2", feed:expect_none({ state = "failed" }, { fence = { marker = "marker" } }))
    local err = failure(feed.wait_for, feed, { state = "paid" }, { timeout = 0.01 })
    assert.matches('/feed order  { id = 1, state = "new" }', err.message, 1, true)
    assert.matches("/feed: 3 events, last id 17", err.message, 1, true)
    sent[4] = { over = true }
    assert.matches("has ended", feed:expect_none({ state = "failed" }, { within = 60 }))
    assert.equal("NO_EVENTS", failure(api.capture, api, "/nothing").code)
  end)
end)
