-- The REPL with a database and a cache: completion, interrupts, captures, and sessions that become specs.

local fs = require "itlua.fs"
local process = require "itlua.process"
local screen = require "tests.specs.repl.screen"

local program = process.self()

describe("itlua repl with PostgreSQL, Redis and Kafka #heavy", function()
  local project

  setup(function()
    project = fs.tempdir { prefix = "itlua-repl-" }
    project:write("itlua.lua", [[
      return {
        services = {
          db = { kind = "postgres", provider = "native" }, cache = { kind = "redis", provider = "native" },
          bus = { kind = "kafka", provider = "embedded" },
        },
        profiles = { live = { like = "production" } },
      }
    ]])
  end)
  teardown(function() project:close() end)

  local function open(options)
    return screen.open(("cd '%s' && '%s' repl %s"):format(project.path, program, options or ""))
  end

  local function script(text, options)
    return process.run {
      command = { program, "repl", table.unpack(options or {}) }, input = text, cwd = project.path, merge = true, timeout = 60,
    }
  end

  it("completes tables, columns and keys, and says what became of a connection", function()
    local s <close> = open "--service db --service cache"
    s:see "db is ready":see "cache is ready":at ">"
    s:enter('db:exec "CREATE TABLE orders (order_number int, customer text); INSERT INTO orders VALUES (1, \'ada\')"')
    s:see "\n1\n":at ">"
    s:type('db:query "SELECT * FROM ord'):press("Tab"):at '> db:query "SELECT * FROM orders'
    s:type(" WHERE order_n"):press("Tab"):at '> db:query "SELECT * FROM orders WHERE order_number'
    s:type(' = 1"'):press "Enter"
    s:see "order_number  customer":see "int4  text":see "           1  ada":see "1 row":at ">"
    local left = {}
    for i = 1, #' FROM orders o"' do left[i] = "Left" end
    s:type('db:query "SELECT o. FROM orders o"'):press(table.unpack(left))
    s:type "cus":press "Tab":at '> db:query "SELECT o.customer FROM orders o"'
    s:press "C-c":at ">"
    s:type "db:transac":press "Tab":at "> db:transaction"
    s:press "Tab":see "transaction_status":at "> db:transaction"
    s:press "C-c":at ">"
    s:enter(":help db"):see "db:query(sql, ...)":see "db:value(sql, ...)":at ">"
    s:enter('cache:set("user:ada:name", "Ada")'):see '"OK"':at ">"
    s:type('cache:get "us'):press("Tab"):at '> cache:get "user:ada:name"'
    s:press "Enter":see '"Ada"':at ">"
    s:type("cache:hgeta"):press("Tab"):at "> cache:hgetall"
    s:press("C-c"):at ">"
    s:enter('print "asked" db:query "SELECT pg_sleep(1000)"'):at "asked"
    s:press "C-c":see "waiting for sql.query SELECT pg_sleep(1000)":see("db [%a]+", true):at ">"
    s:enter('db:value "SELECT 6 * 7"'):see "\n42\n":at ">"
    s:enter('heard = cache:capture "news"'):at ">"
    s:enter('cache:publish("news", "hello there")'):see "┆ news  hello there":at ">"
    s:enter(":quit"):see "ended with code 0"
  end)

  it("completes topics", function()
    local s <close> = open "--service bus"
    s:see "bus is ready":at ">"
    s:enter('bus:publish("orders.created", { id = 7 })'):see("\n%d+\n0\n>", true):at ">"
    s:type('created = bus:capture "ord'):press("Tab"):at '> created = bus:capture "orders.created"'
    s:press "Enter":at ">"
    s:enter('bus:publish("orders.created", { id = 8 })'):see("┆ orders.created/%d@%d  { id = 8 }", true):at ">"
    s:enter(":quit"):see "ended with code 0"
  end)

  it("bounds what a million rows come to", function()
    local result = script('db:query "SELECT n FROM generate_series(1, 1000000) AS n"\n')
    assert.equal(0, result.code)
    assert.is_truthy(result.stdout:find("1000000 rows · the first 1000 are shown", 1, true))
    assert.is_true(#result.stdout < 100000)
  end)

  it("changes nothing under a read-only profile", function()
    local result = script([[
      db:exec "CREATE TABLE t (i int)"
      db:exec "SET default_transaction_read_only = off"
      db:exec "BEGIN READ /* */ WRITE"
      db:exec "SELECT 1; CREATE TABLE t (i int)"
      db:query "SELECT set_config('default_transaction_' || 'read_only', 'off', false)"
      db:exec "DO $$ BEGIN EXECUTE 'SET default_transaction_' || 'read_only = off'; COMMIT; CREATE TABLE t (i int); END $$"
      db:exec "/* now */ VACUUM"
      db:exec "ALTER SYSTEM SET work_mem = '1GB'"
      db:exec "COPY (SELECT 1) TO PROGRAM 'cat'"
      db:exec "CREATE TABLE t (i int)"
      db:transaction(function() db:exec "CREATE TABLE t (i int)" end)
      db:pipeline(function(p) p:exec "CREATE TABLE t (i int)" end)
      cache:set("a", 1)
      cache:eval("return redis.call('SET', 'a', 1)", 0)
      cache:pipeline(function(p) p:set("a", 1) end)
      cache:multi(function(p) p:incr("a") end)
      cache:config_set("maxmemory", "1gb")
      cache:publish("a", "b")
      cache:flushall()
      bus:publish("orders", { id = 1 })
      bus:delete_topic "orders"
    ]], { "--profile", "live", "--keep-going" })
    assert.equal(1, result.code)
    local _, refused = result.stdout:gsub("READ_ONLY error", "")
    local _, by_server = result.stdout:gsub("sql 25006 error", "")
    assert.same({ 16, 4 }, { refused, by_server })
    result = script([[
      db:value "SELECT count(*) FROM pg_tables WHERE tablename = 't'", cache:get "a", cache:exists "a", cache:ping()
    ]], { "--profile", "live" })
    assert.equal('0\nnil\n0\n"PONG"\n', result.stdout)
  end)

  it("saves a session as a spec that passes", function()
    local result = script([[
      db:exec "CREATE TABLE people (name text, made timestamptz DEFAULT now())"
      db:exec "INSERT INTO people VALUES ('ada'), ('grace')"
      db:query "SELECT * FROM people ORDER BY name"
      local n = db:value "SELECT count(*) FROM people"
      n + 1, "two"
      cache:get "nothing"
      math.random(1000000)
      no_such_function()
      db:query "SELECT * FROM nowhere"
      srv = server.listen()
      srv:get("/", function() return { json = { id = 7, token = "abc", items = { { sku = "a" } } } } end)
      http.get(srv.url .. "/")
      srv:close()
      sent = bus:capture "orders"
      bus:publish("orders", { id = 7 })
      sent:wait_for { id = 7 }
      :save session_spec.lua
    ]], { "--keep-going" })
    assert.is_truthy(result.stdout:find("session_spec.lua: 16 steps, %d+ assertions; it passes"), result.stdout)
    local text = fs.read(project:join "session_spec.lua")
    for _, line in ipairs {
      'assert.subset({ name = "ada" }, _[1])', "assert.equal(3, all[1])", 'assert.equal("two", all[2])',
      '    bus:publish("orders", { id = 7 })', 'assert.subset({ topic = "orders", value = { id = 7 } }, _)',
      'assert.raises({ kind = "sql", code = "42P01" }, function()', "assert.equal(200, _.status)",
      "assert.subset({ id = 7, items = { { sku = \"a\" } } }, _:json())", "-- left out, it failed: no_such_function()",
    } do
      assert.is_truthy(text:find(line, 1, true), line)
    end
    assert.is_nil(text:find("token", text:find("assert.equal(200", 1, true), true))
    local run = process.run { command = { program, "session_spec.lua" }, cwd = project.path, merge = true, timeout = 60 }
    assert.equal(0, run.code, run.stdout)
    result = script ":save empty_spec.lua\n"
    assert.equal(1, result.code)
    result = script "1\n:save /nowhere/at/all_spec.lua\n"
    assert.is_truthy(result.stdout:find("No such file", 1, true))
  end)
end)
