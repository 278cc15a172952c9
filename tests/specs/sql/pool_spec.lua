-- Pools.
local core = require "itlua.core"
local postgres = require "tests.specs.sql.support.postgres"
local sql = require "itlua.sql"
local task = require "itlua.task"

describe("sql.pool", function()
  local server, pool

  setup(function()
    server = postgres.start()
    pool = sql.pool { url = server:url(), size = 3 }
    pool:exec "CREATE TABLE t (id int)"
  end)

  teardown(function()
    pool:close()
    server:stop()
  end)

  local function together(n, fn)
    local fns = {}
    for i = 1, n do fns[i] = function() return fn(i) end end
    return task.all(fns)
  end

  it("is a database for tasks that work at once", function()
    local started = core.now()
    local results = together(6, function(i)
      return pool:value("SELECT $1::int FROM pg_sleep(0.1)", i)
    end)
    local took = core.now() - started
    for i = 1, 6 do assert.equal(i, results[i]) end
    assert.is_true(took >= 0.19 and took < 20)
    assert.is_true(pool:value "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'itlua'" <= 3)
  end)

  it("opens no more than it needs", function()
    local own <close> = sql.pool { url = server:url(), size = 5, application_name = "lazy" }
    for _ = 1, 3 do own:query "SELECT 1" end
    assert.equal(1, own:value "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'lazy'")
  end)

  it("has what a connection has", function()
    assert.is_true(sql.is_database(pool))
    assert.same({ { n = 1 } }, pool:query "SELECT 1 AS n")
    assert.same({ n = 1 }, pool:one "SELECT 1 AS n")
    assert.equal(2, pool:exec("INSERT INTO t VALUES ($1), ($2)", 1, 2))
    assert.same({ 1 }, pool:pipeline(function(p) p:exec("INSERT INTO t VALUES ($1)", 3) end))
    assert.equal(2, pool:copy_in("t", { { 4 }, { 5 } }))
    assert.equal("5\n", (pool:copy_out "SELECT count(*) FROM t"))
    assert.equal("x", pool:transaction(function(db)
      db:exec "DELETE FROM t"
      return "x"
    end))
    local sum = 0
    for row in pool:cursor "SELECT i FROM generate_series(1, 100) i" do sum = sum + row.i end
    for row in pool:cursor "SELECT i FROM generate_series(1, 100) i" do
      if row.i == 2 then break end
    end
    assert.equal(5050, sum)
    assert.raises({ code = "42P01" }, function() pool:cursor "SELECT * FROM nothing" end)
    assert.same({}, pool:orphans())
    local capture <close> = pool:listen "c"
    pool:exec "NOTIFY c, 'x'"
    assert.equal("x", capture:wait_for(nil, { timeout = 20 }).payload)
    assert.table(pool, "t").is_empty()
    assert.equal(3, pool:with(function(db, n) return db:value("SELECT $1::int", n) end, 3))
  end)

  it("gives connections back whatever happens", function()
    for _ = 1, 10 do
      pcall(pool.query, pool, "SELEKT")
      pcall(pool.with, pool, function() error "x" end)
      pcall(pool.transaction, pool, function() error "x" end)
    end
    together(6, function() return pool:query "SELECT 1" end)
  end)

  it("gives a connection back when its task is stopped while it waits for one", function()
    local holders = {}
    for i = 1, 3 do holders[i] = pool:acquire() end
    local waiting = task.spawn(function() pool:query "SELECT 1" end)
    task.sleep(0.02)
    waiting:cancel()
    for _, db in ipairs(holders) do pool:release(db) end
    assert.is_false(pcall(waiting.join, waiting))
    together(3, function() return pool:value "SELECT 1 FROM pg_sleep(0.02)" end)
  end)

  it("does not hand out an open transaction", function()
    assert.raises({ kind = "sql", code = "25001", message = "open transaction" }, function()
      pool:with(function(db) db:exec "BEGIN; INSERT INTO t VALUES (99)" end)
    end)
    together(3, function()
      return pool:with(function(db) assert.equal("none", db:transaction_status()) end)
    end)
    assert.equal(0, pool:value "SELECT count(*) FROM t WHERE id = 99")
  end)

  it("replaces connections that were lost", function()
    pool:with(function(db)
      pcall(db.query, db, "SELECT pg_terminate_backend(pg_backend_pid())")
      assert.equal("lost", db:state())
    end)
    local admin <close> = sql.connect(server:url())
    admin:query [[SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = 'itlua' AND pid <> pg_backend_pid()]]
    task.eventually(function() -- they end a moment after they were told to
      return admin:value [[SELECT count(*) = 0 FROM pg_stat_activity
        WHERE application_name = 'itlua' AND pid <> pg_backend_pid()]]
    end, { timeout = 20 })
    together(6, function() return pool:query "SELECT 1" end)
  end)

  it("replaces connections that were lost while it rested", function()
    local own <close> = sql.pool { url = server:url(), size = 1, application_name = "resting" }
    own:query "SELECT 1"
    task.sleep(0.3) -- nobody watches it any more
    local admin <close> = sql.connect(server:url())
    local all = "FROM pg_stat_activity WHERE application_name = 'resting'"
    admin:query("SELECT pg_terminate_backend(pid) " .. all)
    task.eventually(function() return admin:value("SELECT count(*) = 0 " .. all) end, { timeout = 20 })
    assert.equal(1, own:value "SELECT 1")
  end)

  it("says who has the connections when there is none", function()
    local small <close> = sql.pool { url = server:url(), size = 1, acquire_timeout = 0.1 }
    local db = small:acquire()
    local err = assert.raises({ kind = "timeout", code = "POOL" }, function() small:query "SELECT 1" end)
    assert.matches("no connection of the pool of 1 for postgresql://", err.message, 1, true)
    assert.matches("taken at .*pool_spec.lua:%d+", err.message)
    small:release(db)
    assert.equal(1, small:value "SELECT 1")
    assert.has.errors(function() small:release(db) end)
  end)

  it("serves in the order of asking", function()
    local small <close> = sql.pool { url = server:url(), size = 1 }
    local db, order, tasks = small:acquire(), {}, {}
    for i = 1, 5 do
      tasks[i] = task.spawn(function()
        small:with(function() order[#order + 1] = i end)
      end)
    end
    task.sleep(0.02)
    small:release(db)
    for _, one in ipairs(tasks) do one:join() end
    assert.same({ 1, 2, 3, 4, 5 }, order)
  end)

  it("ends with everything", function()
    local small = sql.pool { url = server:url(), size = 2 }
    local db = small:acquire()
    small:query "SELECT 1"
    local other = small:acquire()
    local waiting = task.spawn(function() small:query "SELECT 1" end)
    task.sleep(0.02)
    small:close()
    local ok, err = pcall(waiting.join, waiting)
    assert.is_false(ok)
    assert.equal("08003", err.code)
    assert.equal("closed", db:state())
    assert.equal("closed", other:state())
    assert.raises({ code = "08003" }, function() small:query "SELECT 1" end)
    assert.matches("pool of 2", tostring(small))
  end)

  it("says what is wrong with its options, and with its database", function()
    assert.has.errors(function() sql.pool { url = server:url(), size = 0 } end)
    assert.has.errors(function() sql.pool { url = server:url(), sise = 2 } end)
    local nowhere <close> = sql.pool "postgresql://postgres@127.0.0.1:1/x"
    for _ = 1, 6 do
      assert.raises({ code = "ECONNREFUSED" }, function() nowhere:query "SELECT 1" end)
    end
  end)
end)
