-- Statements that are stopped, servers that die or freeze: nothing hangs, nothing is left behind.
local core = require "itlua.core"
local postgres = require "tests.specs.sql.support.postgres"
local sql = require "itlua.sql"
local task = require "itlua.task"

describe("a statement that is stopped", function()
  local server, db, other

  setup(function()
    server = postgres.start()
    db, other = sql.connect(server:url()), sql.connect(server:url())
    db:exec "CREATE TABLE t (id int PRIMARY KEY, v int DEFAULT 0); INSERT INTO t VALUES (1), (2)"
  end)

  teardown(function()
    db:close()
    other:close()
    server:stop()
  end)

  local function running()
    return other:value [[SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()
      AND backend_type = 'client backend']]
  end

  local function stopped(seconds, fn)
    local started = core.now()
    assert.raises({ kind = "timeout" }, function() task.timeout(seconds, fn) end)
    assert.is_true(core.now() - started < seconds + 10)
  end

  it("is stopped on the server, too, and the connection stays", function()
    local process = db:info().process
    stopped(0.1, function() db:query "SELECT pg_sleep(60)" end)
    assert.equal(1, db:value "SELECT 1")
    assert.equal(0, running())
    assert.equal(process, db:info().process)
    assert.equal("idle", db:state())
  end)

  it("leaves no lock", function()
    other:exec "BEGIN; UPDATE t SET v = 1 WHERE id = 1"
    stopped(0.1, function() db:exec "UPDATE t SET v = 2 WHERE id = 1" end) -- waits for other's lock
    assert.equal(1, db:value "SELECT 1") -- the server has stopped it
    other:exec "COMMIT"
    assert.equal(1, db:value "SELECT v FROM t WHERE id = 1")
    stopped(0.1, function() db:exec "UPDATE t SET v = 3 WHERE id = 2; SELECT pg_sleep(60)" end)
    assert.equal(1, other:exec "UPDATE t SET v = 4 WHERE id = 2")
  end)

  it("does not hit the next statement, however soon that comes", function()
    for i = 1, 100 do
      -- times around the end of the statement, so that requests to cancel come too late as well
      pcall(task.timeout, 0.001 + i % 10 / 5000, function() db:query "SELECT pg_sleep(0.002)" end)
      assert.equal(i, db:value("SELECT $1::int", i))
    end
  end)

  it("may be in any state", function()
    stopped(0.1, function() db:query("SELECT pg_sleep($1)", 60) end)
    stopped(0.1, function() db:exec "SELECT 1; SELECT pg_sleep(60)" end)
    stopped(0.1, function() db:query "SELECT repeat('x', 100000), pg_sleep(0.001) FROM generate_series(1, 100000)" end)
    stopped(0.2, function()
      local scan = "SELECT max(length(repeat('x', i % 1000))) FROM generate_series(1, 1000000000) i"
      db:query(scan)
    end)
    assert.equal(1, db:value "SELECT 1")
    assert.equal(0, running())
  end)

  it("is stopped when its task is", function()
    local sleeping = task.spawn(function() db:query "SELECT pg_sleep(60)" end)
    task.sleep(0.05)
    sleeping:cancel()
    assert.is_false(pcall(sleeping.join, sleeping))
    assert.equal(1, db:value "SELECT 1")
    assert.equal(0, running())
  end)

  it("is stopped when its connection is closed", function()
    local third = db:clone()
    local sleeping = task.spawn(function() third:query "SELECT pg_sleep(60)" end)
    task.sleep(0.05)
    third:close()
    pcall(sleeping.join, sleeping)
    task.eventually(function() return running() == 0 end, { timeout = 20 })
  end)

  it("can be stopped by the server itself", function()
    local limited <close> = sql.connect { url = server:url(), settings = { statement_timeout = "1s" } }
    assert.raises({ kind = "sql", code = "57014" }, function() limited:query "SELECT pg_sleep(60)" end)
    assert.equal(1, limited:value "SELECT 1")
  end)

  it("of a server that is frozen costs the connection, not the test", function()
    local third = db:clone()
    server:signal "STOP"
    finally(function()
      server:signal "CONT"
      third:close()
    end)
    stopped(0.1, function() third:query "SELECT 1" end)
    assert.equal("draining", third:state())
    stopped(0.1, function() third:query "SELECT 1" end)
    -- after five seconds it is given up
    local err = assert.raises({ kind = "sql" }, function() third:query "SELECT 1" end)
    assert.matches("did not stop a statement within 5 s", err.message)
    assert.equal("lost", third:state())
  end)
end)

describe("a server that dies", function()
  local server

  before_each(function() server = postgres.start() end)
  after_each(function() server:stop() end)

  -- Runs fn beside, kills the server meanwhile, and returns the error.
  local function dying(fn)
    local db = sql.connect(server:url())
    local work = task.spawn(fn, db)
    task.sleep(0.15)
    local started = core.now()
    server:kill()
    local ok, err = pcall(work.join, work)
    assert.is_false(ok)
    assert.is_true(core.now() - started < 20)
    assert.equal("sql", err.kind, tostring(err))
    assert.matches("server closed the connection", err.message)
    assert.matches("lost", err.message)
    assert.equal("lost", db:state())
    assert.raises({ kind = "sql", code = "08006", message = "is lost" }, function() db:query "SELECT 1" end)
    assert.raises({ kind = "sql", code = "08006" }, function() db:transaction(function() end) end)
    db:close()
    return err
  end

  it("in a query", function()
    local err = dying(function(db) db:query "SELECT pg_sleep(60)" end)
    assert.subset({ code = "08006", lost = true, statement = "SELECT pg_sleep(60)" }, err)
  end)

  it("in a transaction", function()
    dying(function(db)
      db:transaction(function()
        db:exec "CREATE TABLE t (id int)"
        db:query("SELECT pg_sleep($1)", 60)
      end)
    end)
  end)

  it("in COPY, in", function()
    dying(function(db)
      db:exec "CREATE TABLE t (id int)"
      db:copy_in("t", function()
        task.sleep(0.001)
        return ("1\n"):rep(1000)
      end)
    end)
  end)

  it("in COPY, out", function()
    dying(function(db)
      db:copy_out("SELECT i FROM generate_series(1, 1000000000) i", function() task.sleep(0.001) end)
    end)
  end)

  it("in a pipeline", function()
    dying(function(db)
      db:pipeline(function(p)
        p:query("SELECT pg_sleep($1)", 60)
        for i = 1, 1000 do p:query("SELECT $1::int", i) end
      end)
    end)
  end)

  it("in a cursor", function()
    dying(function(db)
      for _ in db:cursor "SELECT i FROM generate_series(1, 1000000000) i" do task.sleep(0.0001) end
    end)
  end)

  it("while nothing happens", function()
    local db <close> = sql.connect(server:url())
    assert.equal(1, db:value "SELECT 1")
    server:kill()
    local err = assert.raises({ kind = "sql", code = "08006" }, function() db:query "SELECT 1" end)
    assert.matches("server closed the connection", err.message)
    server:start()
    local again <close> = db:clone()
    assert.equal(1, again:value "SELECT 1")
  end)

  it("politely: the reason is told", function()
    local db <close> = sql.connect(server:url())
    local admin <close> = sql.connect(server:url())
    local work = task.spawn(function() db:query "SELECT pg_sleep(60)" end)
    task.sleep(0.05)
    admin:query("SELECT pg_terminate_backend($1)", db:info().process)
    local ok, err = pcall(work.join, work)
    assert.is_false(ok)
    assert.subset({ kind = "sql", code = "57P01", lost = true }, err)
    -- Its last words are sent before the server forgets it; a turn of the loop takes them in.
    local function ends(process)
      admin:query("SELECT pg_terminate_backend($1)", process)
      task.eventually(function()
        return admin:value("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $1", process)
      end, { timeout = 20 })
      task.sleep(0.01)
    end
    local told = { kind = "sql", code = "57P01", message = "administrator command" }
    local idle <close> = sql.connect(server:url())
    idle:query "SELECT 1"
    ends(idle:info().process)
    assert.raises(told, function() idle:query "SELECT 1" end)
    local resting <close> = sql.connect(server:url())
    task.sleep(0.3) -- nobody watches it any more
    ends(resting:info().process)
    assert.raises(told, function() resting:query "SELECT 1" end)
  end)
end)
