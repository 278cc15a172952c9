-- Transactions, savepoints, isolation levels.
local postgres = require "tests.specs.sql.support.postgres"
local sql = require "itlua.sql"
local task = require "itlua.task"

describe("db:transaction", function()
  local server, db, other

  setup(function()
    server = postgres.start()
    db, other = sql.connect(server:url()), sql.connect(server:url())
    db:exec "CREATE TABLE t (id int PRIMARY KEY, v int DEFAULT 0, UNIQUE (v, id) DEFERRABLE INITIALLY DEFERRED)"
  end)

  teardown(function()
    db:close()
    other:close()
    server:stop()
  end)

  before_each(function() db:exec "TRUNCATE t" end)

  local function ids()
    local list = {}
    for _, row in ipairs(other:query "SELECT id FROM t ORDER BY id") do list[#list + 1] = row.id end
    return list
  end

  local function insert(id) db:exec("INSERT INTO t VALUES ($1)", id) end

  it("commits, and returns what the function returns", function()
    assert.same({ 1, "two" }, { db:transaction(function(same)
      assert.equal(db, same)
      insert(1)
      assert.same({}, ids())
      return 1, "two"
    end) })
    assert.same({ 1 }, ids())
    assert.equal("none", db:transaction_status())
  end)

  it("rolls back when the function raises, and raises that", function()
    local mark = setmetatable({}, { __tostring = function() return "mine" end })
    local ok, err = pcall(db.transaction, db, function()
      insert(1)
      error(mark)
    end)
    assert.is_false(ok)
    assert.equal(mark, err)
    assert.same({}, ids())
    assert.raises({ code = "23505" }, function()
      db:transaction(function() insert(1) insert(1) end)
    end)
    assert.same({}, ids())
  end)

  it("inside another one is a savepoint", function()
    db:transaction(function()
      insert(1)
      local ok = pcall(db.transaction, db, function()
        insert(2)
        db:transaction(function() insert(3) end)
        error "no"
      end)
      assert.is_false(ok)
      db:transaction(function() insert(4) end)
      local failed = pcall(db.transaction, db, function() insert(1) end)
      assert.is_false(failed)
      insert(5)
    end)
    assert.same({ 1, 4, 5 }, ids())
  end)

  it("inside a BEGIN of one's own is a savepoint, too", function()
    db:exec "BEGIN"
    db:transaction(function() insert(1) end)
    pcall(db.transaction, db, function() insert(2) error "no" end)
    assert.same({}, ids())
    db:exec "COMMIT"
    assert.same({ 1 }, ids())
  end)

  it("does not pretend to have committed", function()
    local err = assert.raises({ kind = "sql", code = "25P02" }, function()
      db:transaction(function()
        insert(1)
        pcall(insert, 1)
      end)
    end)
    assert.matches("was rolled back", err.message)
    assert.same({}, ids())
    assert.raises({ code = "25P02" }, function()
      db:transaction(function()
        pcall(insert, "x")
        insert(2)
      end)
    end)
  end)

  it("raises what the commit raises", function()
    db:exec "CREATE TABLE child (t int REFERENCES t DEFERRABLE INITIALLY DEFERRED)"
    assert.raises({ code = "23503" }, function()
      db:transaction(function() db:exec "INSERT INTO child VALUES (99)" end)
    end)
    assert.equal("none", db:transaction_status())
    assert.equal(0, db:value "SELECT count(*) FROM child")
    db:exec "DROP TABLE child"
  end)

  it("has isolation levels and modes", function()
    local function level(options)
      return db:transaction(function() return db:value "SHOW transaction_isolation" end, options)
    end
    assert.equal("read committed", level())
    assert.equal("serializable", level { isolation = "serializable" })
    assert.equal("repeatable read", level { isolation = "repeatable read" })
    assert.equal("repeatable read", level { isolation = "REPEATABLE_READ" })
    assert.equal("on", db:transaction(function() return db:value "SHOW transaction_read_only" end, { read_only = true }))
    assert.raises({ code = "25006" }, function() db:transaction(function() insert(1) end, { read_only = true }) end)
    db:transaction(function() db:value "SELECT 1" end, { isolation = "serializable", read_only = true, deferrable = true })
    assert.has.errors(function() level { isolation = "snapshot" } end)
    assert.has.errors(function() db:transaction(function() level { isolation = "serializable" } end) end)
    assert.has.errors(function() db:transaction() end)
    assert.equal("none", db:transaction_status())
  end)

  it("runs again after a serialization failure where it may", function()
    insert(1)
    local runs = 0
    db:transaction(function()
      runs = runs + 1
      local v = db:value "SELECT v FROM t WHERE id = 1"
      if runs == 1 then other:exec "UPDATE t SET v = 10 WHERE id = 1" end
      db:exec("UPDATE t SET v = $1 WHERE id = 1", v + 1)
    end, { isolation = "repeatable read", retries = 3 })
    assert.equal(2, runs)
    assert.equal(11, db:value "SELECT v FROM t WHERE id = 1")
    assert.raises({ code = "40001" }, function()
      db:transaction(function()
        db:value "SELECT v FROM t"
        other:exec "UPDATE t SET v = v + 1"
        db:exec "UPDATE t SET v = v + 1"
      end, { isolation = "repeatable read" })
    end)
  end)

  it("leaves no lock when its time is over", function()
    insert(1)
    assert.raises({ kind = "timeout" }, function()
      task.timeout(0.2, function()
        db:transaction(function()
          db:exec "UPDATE t SET v = 1 WHERE id = 1"
          db:query "SELECT pg_sleep(30)"
        end)
      end)
    end)
    assert.equal(1, other:exec "UPDATE t SET v = 2 WHERE id = 1")
    assert.equal(2, db:value "SELECT v FROM t")
    -- also when it waits for something else meanwhile
    assert.raises({ kind = "timeout" }, function()
      task.timeout(0.1, function()
        db:transaction(function()
          db:exec "UPDATE t SET v = 3 WHERE id = 1"
          task.sleep(30)
        end)
      end)
    end)
    assert.equal(1, other:exec "UPDATE t SET v = 4 WHERE id = 1")
    assert.equal("none", db:transaction_status())
  end)

  it("leaves no lock of a BEGIN of one's own when a statement is stopped", function()
    insert(1)
    assert.raises({ kind = "timeout" }, function()
      task.timeout(0.2, function()
        db:exec "BEGIN; UPDATE t SET v = 1 WHERE id = 1"
        db:query "SELECT pg_sleep(30)"
      end)
    end)
    assert.equal(1, other:exec "UPDATE t SET v = 2 WHERE id = 1")
    assert.equal("none", db:transaction_status())
  end)

  it("forgets what it had prepared for tables that were rolled back", function()
    for _, sql_type in ipairs { "int", "text" } do
      pcall(db.transaction, db, function()
        db:exec(("CREATE TABLE fleeting (a %s)"):format(sql_type))
        for _ = 1, 2 do db:exec("INSERT INTO fleeting VALUES ($1)", sql_type == "int" and 1 or "x") end
        error "back"
      end)
    end
    db:transaction(function()
      db:exec "CREATE TABLE fleeting (a bool)"
      db:exec("INSERT INTO fleeting VALUES ($1)", true)
      db:exec "DROP TABLE fleeting"
    end)
  end)
end)
