-- Many statements at once.
local core = require "itlua.core"
local postgres = require "tests.specs.sql.support.postgres"
local sql = require "itlua.sql"
local task = require "itlua.task"

describe("db:pipeline", function()
  local server, db

  setup(function()
    server = postgres.start()
    db = sql.connect(server:url())
    db:exec "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TYPE mood AS ENUM ('sad', 'ok')"
  end)

  teardown(function()
    db:close()
    server:stop()
  end)

  before_each(function() db:exec "TRUNCATE t" end)

  after_each(function()
    assert.equal("idle", db:state())
    assert.equal("none", db:transaction_status())
    assert.equal(1, db:value "SELECT 1")
  end)

  it("returns results in order: counts of exec, rows of query", function()
    assert.same({ 1, 1, { { id = 1, v = "a" }, { id = 2, v = "b" } }, 2, {} }, db:pipeline(function(p)
      assert.equal(1, p:exec("INSERT INTO t VALUES ($1, $2)", 1, "a"))
      assert.equal(2, p:exec("INSERT INTO t VALUES ($1, $2)", 2, "b"))
      assert.equal(3, p:query "SELECT * FROM t ORDER BY id")
      p:exec "UPDATE t SET v = v || '!'"
      p:query "SELECT * FROM t WHERE false"
    end))
    assert.same({}, db:pipeline(function() end))
  end)

  it("decodes types of the user's", function()
    assert.same({ { { m = "ok", l = { "sad" } } } }, db:pipeline(function(p)
      p:query("SELECT $1::mood AS m, ARRAY['sad'::mood] AS l", "ok")
    end))
  end)

  it("takes very many, and sends while it queues", function()
    local results = db:pipeline(function(p)
      for i = 1, 20000 do p:exec("INSERT INTO t VALUES ($1, $2)", i, "value " .. i) end
    end)
    assert.equal(20000, #results)
    assert.equal(20000, db:value "SELECT count(*) FROM t")
  end)

  it("does not choke on answers that are larger than the questions", function()
    local results = db:pipeline(function(p)
      for i = 1, 200 do p:query("SELECT repeat('x', 50000) || $1::int AS v", i) end
    end)
    assert.equal(50003, #results[200][1].v)
  end)

  it("is one transaction: a statement that fails undoes all", function()
    local err = assert.raises({ kind = "sql", code = "23505", index = 3 }, function()
      db:pipeline(function(p)
        p:exec("INSERT INTO t VALUES ($1)", 1)
        p:exec("INSERT INTO t VALUES ($1)", 2)
        p:exec("INSERT INTO t VALUES ($1)", 1)
        p:exec("INSERT INTO t VALUES ($1)", 4)
      end)
    end)
    assert.matches("^statement 3 of the pipeline: duplicate key", err.message)
    assert.equal("INSERT INTO t VALUES ($1)", err.statement)
    assert.equal(0, db:value "SELECT count(*) FROM t")
  end)

  it("counts on when statements had to be prepared in between", function()
    assert.raises({ code = "22012", index = 3 }, function()
      db:pipeline(function(p)
        p:exec("INSERT INTO t VALUES ($1) /* fresh */", 1)
        p:query("SELECT $1::int /* fresh too */", 2)
        p:query("SELECT 1 / $1::int /* fresh as well */", 0)
        p:query("SELECT $1::int /* never reached */", 2)
      end)
    end)
    assert.equal(0, db:value "SELECT count(*) FROM t")
  end)

  it("undoes all when the function raises", function()
    assert.raises({ message = "mine" }, function()
      db:pipeline(function(p)
        p:exec("INSERT INTO t VALUES ($1)", 1)
        error "mine"
      end)
    end)
    assert.equal(0, db:value "SELECT count(*) FROM t")
    assert.raises({ code = "42601" }, function() db:pipeline(function(p) p:exec "SELEKT" end) end)
    assert.raises({ code = "08P01" }, function() db:pipeline(function(p) p:exec("SELECT 1", 2) end) end)
    assert.has.errors(function() db:pipeline(function(p) p:exec(nil) end) end)
    assert.has.errors(function() db:pipeline() end)
  end)

  it("is a part of a transaction that is open", function()
    pcall(db.transaction, db, function()
      db:pipeline(function(p) p:exec("INSERT INTO t VALUES ($1)", 1) end)
      assert.equal(1, db:value "SELECT count(*) FROM t")
      error "back"
    end)
    assert.equal(0, db:value "SELECT count(*) FROM t")
    db:transaction(function()
      db:pipeline(function(p) p:exec("INSERT INTO t VALUES ($1)", 1) end)
    end)
    assert.equal(1, db:value "SELECT count(*) FROM t")
  end)

  it("is no place for other statements of the connection, nor after its end", function()
    local kept
    assert.raises({ kind = "sql", code = "BUSY", message = "pipeline" }, function()
      db:pipeline(function(p)
        kept = p
        p:exec("INSERT INTO t VALUES ($1)", 1)
        db:query "SELECT 1"
      end)
    end)
    assert.has.errors(function() kept:exec "SELECT 1" end)
  end)

  it("is stopped with its task, and leaves no lock", function()
    db:exec "INSERT INTO t VALUES (1)"
    assert.raises({ kind = "timeout" }, function()
      task.timeout(0.2, function()
        db:pipeline(function(p)
          p:exec("UPDATE t SET v = $1", "x")
          p:query("SELECT pg_sleep($1)", 30)
          p:exec("UPDATE t SET v = $1", "y")
        end)
      end)
    end)
    local other <close> = db:clone()
    assert.equal(1, other:exec "UPDATE t SET v = 'z'")
    assert.raises({ kind = "timeout" }, function()
      task.timeout(0.1, function()
        db:pipeline(function(p)
          p:exec("UPDATE t SET v = $1", "x")
          task.sleep(30)
        end)
      end)
    end)
    assert.equal(1, other:exec "UPDATE t SET v = 'z'")
  end)

  it("leaves one line in the timeline", function()
    local function three() db:pipeline(function(p) for i = 1, 3 do p:query("SELECT $1::int", i) end end) end
    three()
    local mark = core.mark()
    three()
    local details = {}
    for _, span in ipairs(core.timeline(mark)) do
      if span.what == "sql.pipeline" then details[#details + 1] = span.detail end
    end
    assert.same({ "5 statements" }, details) -- BEGIN and COMMIT among them
  end)
end)
