-- What a timeline tells beyond its lines: what was sent and what came back, as plain data of bounded size.
local core = require "itlua.core"
local http = require "itlua.http"
local json = require "itlua.json"
local postgres = require "tests.specs.sql.support.postgres"
local process = require "itlua.process"
local redis = require "itlua.redis"
local redis_server = require "tests.specs.redis.server"
local server = require "itlua.server"
local sql = require "itlua.sql"
local timeline = require "itlua.spec.timeline"

-- The spans that fn leaves.
local function spans_of(fn)
  local since = core.mark()
  pcall(fn)
  return json.decode(timeline.json(since) or "[]")
end

describe("the data of a timeline", function()
  describe("of HTTP", function()
    local srv

    setup(function()
      srv = server.listen()
      srv:post("/orders", function(req) return { status = 201, json = { got = #req.body } } end)
      srv:get("/big", function() return { body = ("b"):rep(200000) } end)
      srv:get("/binary", function() return { body = "a\xFF\0z" } end)
    end)
    teardown(function() srv:close() end)

    it("is both sides of a request, without credentials", function()
      local spans = spans_of(function()
        http.client { base_url = srv.url, bearer = "sesame-open" }:post("/orders", {
          json = { a = 1 }, headers = { Cookie = "session=s3cr3t", ["X-Trace"] = "t-1" },
        })
      end)
      assert.equal(1, #spans)
      local data = spans[1].data
      assert.equal("POST", data.request.method)
      assert.equal(srv.url .. "/orders", data.request.url)
      assert.equal('{"a":1}', data.request.body)
      assert.equal("t-1", data.request.headers["X-Trace"])
      assert.equal("Bearer ***", data.request.headers.Authorization)
      assert.is_nil(json.encode(data.request):find("s3cr3t", 1, true))
      assert.equal(201, data.response.status)
      assert.equal('{"got":7}', data.response.body)
      assert.equal("application/json", data.response.headers["content-type"])
      assert.matches("^curl .*/orders", data.curl)
    end)

    it("is bounded, and says what is missing", function()
      local spans = spans_of(function() http.get(srv.url .. "/big") end)
      local response = spans[1].data.response
      assert.equal(200000, response.size)
      assert.is_true(#response.body < 70000)
      local asked = spans_of(function() http.post(srv.url .. "/orders", { body = ("q"):rep(100000) }) end)
      assert.matches("… %[65536 of 100000 bytes%]$", asked[1].data.request.body)
    end)

    it("is text, whatever the bytes", function()
      local spans = spans_of(function() http.get(srv.url .. "/binary") end)
      assert.equal("a\\xFF\0z", spans[1].data.response.body)
    end)

    it("has the request of one that was refused", function()
      local closed = server.listen()
      closed:close()
      local spans = spans_of(function() http.post(closed.url .. "/orders", { json = { a = 1 } }) end)
      assert.equal('{"a":1}', spans[1].data.request.body)
      assert.is_nil(spans[1].data.response)
    end)

    it("says what others asked of a server of the test", function()
      local spans = spans_of(function()
        process.run { process.self(), "exec", "/dev/stdin", stdin = false, input = ([[
          require("itlua.http").post("%s/orders", { json = { from = "outside" } })
        ]]):format(srv.url) }
      end)
      local asked
      for _, span in ipairs(spans) do
        if span.what == "server" then asked = span end
      end
      assert.equal("POST " .. srv.url .. "/orders", asked.detail)
      assert.equal("201", asked.outcome)
      assert.equal('{"from":"outside"}', asked.data.request.body)
    end)
  end)

  it("of a process is what it printed", function()
    local spans = spans_of(function() process.run { "sh", "-c", "echo out; echo err >&2; exit 3" } end)
    assert.same({ code = 3, stdout = "out\n", stderr = "err\n" }, spans[#spans].data)
  end)

  it("of SQL is the statement, its parameters and rows", function()
    local database = postgres.start()
    local db = sql.connect(database:url())
    local function last(fn)
      local spans = spans_of(fn)
      return spans[#spans].data, spans[#spans]
    end
    assert.same({ statement = "SELECT $1::int AS a, $2 AS b", parameters = { 7, "x" }, rows = { { a = 7, b = "x" } } },
      last(function() db:query("SELECT $1::int AS a, $2 AS b", 7, "x") end))
    assert.same({ statement = "SELECT 5", value = 5 }, last(function() db:value "SELECT 5" end))
    local rows = last(function() db:query "SELECT * FROM generate_series(1, 50) AS n" end)
    assert.equal(20, #rows.rows)
    assert.equal(30, rows.rows_left_out)
    assert.is_nil(last(function() db:query "SELECT * FROM generate_series(1, 5000) AS n" end).rows)
    local data, span = last(function() db:exec "INSERT INTO nowhere VALUES (1)" end)
    assert.equal("INSERT INTO nowhere VALUES (1)", data.statement)
    assert.matches("42P01", span.outcome)
    db:close()
    database:stop()
  end)

  it("of a row that is there already names what put rows into its table before", function()
    local evidence, run = require "itlua.evidence", require "itlua.run"
    local database <close> = postgres.start()
    local db <close> = sql.connect(database:url())
    db:exec "CREATE TABLE taken (id int PRIMARY KEY)"
    db:exec "INSERT INTO public.taken VALUES (1), (2)"
    local before = run.began
    run.began = core.now()
    local ok, err = pcall(db.exec, db, "INSERT INTO taken VALUES (2)")
    assert.is_false(ok)
    local event = { error_code = err.code, error_table = err.table or "taken" }
    evidence.add_to(event)
    run.began = before
    local rows = json.decode(event.earlier_rows)
    assert.equal("INSERT INTO public.taken VALUES (1), (2)", rows[1].statement)
    assert.is_true(rows[1].at <= core.clock() and rows[1].at > core.clock() - 600)
    assert.is_nil(rows[2])
  end)

  it("of Redis is the command and its reply", function()
    local started = redis_server.start()
    local r = redis.connect(started.url)
    local spans = spans_of(function()
      r:set("name", "Ada")
      r:get "name"
      r:get "nobody"
      r:rpush("name", 1)
    end)
    assert.same({ command = { "SET", "name", "Ada" }, reply = "OK" }, spans[1].data)
    assert.equal("OK", spans[1].outcome)
    assert.equal("Ada", spans[2].outcome)
    assert.matches("^WRONGTYPE", spans[4].outcome)
    local pipeline = spans_of(function()
      r:pipeline(function(p)
        p:set("a", 1)
        p:get "a"
      end)
    end)
    assert.same({ commands = { { "SET", "a", "1" }, { "GET", "a" } }, replies = { "OK", "1" } }, pipeline[1].data)
    r:close()
    started.process:close()
  end)

  it("says what a task waits for inside of an operation of ours", function()
    local capture, task = require "itlua.capture", require "itlua.task"
    local since = core.mark()
    local created = capture.new { name = "orders.created", what = "made up" }
    local waiting = task.spawn(function() created:wait_for({ a = 1 }, { timeout = 60 }) end)
    local waits
    task.eventually(function()
      waits = core.waits(since)
      return waits[1] and waits[1].what == "wait_for"
    end, { timeout = 20 })
    assert.equal("orders.created: { a = 1 }", waits[1].detail)
    waiting:cancel()
    created:close()
  end)

  it("of a span made in Lua is the table that it was given", function()
    local spans = spans_of(function()
      local span = core.span("event", "orders.created", { topic = "orders.created", value = { id = 1 } })
      core.span_end(span, "came")
    end)
    assert.same({ topic = "orders.created", value = { id = 1 } }, spans[1].data)
  end)

  it("is bounded as a whole, cycles and functions too", function()
    local cycle = { fn = print, name = "c" }
    cycle.self = cycle
    local spans = spans_of(function()
      for _ = 1, 100 do core.span_end(core.span("x", "y", { text = ("t"):rep(65000) })) end
      core.span_end(core.span("x", "y", cycle))
    end)
    assert.equal("c", spans[#spans].data.name)
    assert.is_true(#json.encode(spans) < 3 << 20)
  end)
end)
