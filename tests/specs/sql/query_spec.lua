-- Statements and what they return.
local null = require "itlua.null"
local postgres = require "tests.specs.sql.support.postgres"
local sql = require "itlua.sql"

describe("sql statements", function()
  local server, db

  setup(function()
    server = postgres.start()
    db = sql.connect(server:url())
    db:exec [[
      CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, age int);
      INSERT INTO people VALUES (1, 'Ada', 36), (2, 'Grace', NULL), (3, 'Edsger', 72);
    ]]
  end)

  teardown(function()
    db:close()
    server:stop()
  end)

  describe("query", function()
    it("returns rows by column name", function()
      assert.same({
        { id = 1, name = "Ada", age = 36 }, { id = 2, name = "Grace", age = null },
      }, db:query "SELECT id, name, age FROM people WHERE id < 3 ORDER BY id")
    end)

    it("says columns, types, count and command beside the rows", function()
      local rows = db:query("SELECT id, name, ARRAY[1.5] AS list FROM people WHERE id > $1", 1)
      assert.same({ "id", "name", "list" }, rows.columns)
      assert.same({ "int4", "text", "numeric[]" }, rows.types)
      assert.equal(2, rows.count)
      assert.equal("SELECT", rows.command)
      assert.equal(2, #rows)
    end)

    it("has columns where there are no rows", function()
      local rows = db:query "SELECT id, name FROM people WHERE false"
      assert.same({}, rows)
      assert.same({ "id", "name" }, rows.columns)
      assert.equal(0, rows.count)
    end)

    it("counts what a statement without rows affected", function()
      local rows = db:query("UPDATE people SET age = age WHERE id <> $1", 1)
      assert.same({}, rows)
      assert.equal(2, rows.count)
      assert.equal("UPDATE", rows.command)
    end)

    it("returns what RETURNING returns", function()
      local rows = db:query("UPDATE people SET age = age WHERE id = $1 RETURNING name", 3)
      assert.same({ { name = "Edsger" } }, rows)
      assert.equal(1, rows.count)
    end)

    it("takes an empty statement", function()
      assert.same({}, db:query "")
      assert.equal(0, db:exec "")
      assert.equal(0, db:exec "-- nothing")
    end)

    it("refuses two columns of one name, for a row could hold only one", function()
      local err = assert.raises({ kind = "sql", code = "42701" }, function() db:query "SELECT 1 AS a, 2 AS b, 3 AS a" end)
      assert.matches('columns 1 and 3 are both called "a"', err.message)
      assert.equal(1, db:value "SELECT 1")
    end)

    it("takes a statement of many columns and rows", function()
      local columns = {}
      for i = 1, 600 do columns[i] = i .. " AS c" .. i end
      local row = db:one("SELECT " .. table.concat(columns, ", "))
      assert.equal(600, row.c600)
      assert.equal(50000, #db:query "SELECT generate_series(1, 50000) AS n")
    end)

    it("takes many parameters", function()
      local marks, values = {}, {}
      for i = 1, 1000 do marks[i], values[i] = "$" .. i .. "::int", i end
      assert.equal(500500, db:value("SELECT sum(n)::int FROM unnest(ARRAY[" .. table.concat(marks, ",") .. "]) n",
        table.unpack(values)))
    end)
  end)

  describe("one and value", function()
    it("want exactly one row", function()
      assert.same({ name = "Ada" }, db:one "SELECT name FROM people WHERE id = 1")
      assert.raises({ kind = "sql", code = "P0002", message = "expected one row, there is no row" },
        function() db:one "SELECT 1 FROM people WHERE id = 9" end)
      assert.raises({ kind = "sql", code = "P0003", message = "there are 3 rows" },
        function() db:one "SELECT id FROM people" end)
    end)

    it("want exactly one column", function()
      assert.equal("Grace", db:value("SELECT name FROM people WHERE id = $1", 2))
      assert.equal(null, db:value("SELECT age FROM people WHERE id = $1", 2))
      assert.equal(false, db:value "SELECT false")
      assert.raises({ kind = "sql", code = "P0002" }, function() db:value "SELECT 1 WHERE false" end)
      assert.raises({ kind = "sql", message = "there are 2 columns" }, function() db:value "SELECT 1, 2" end)
      assert.raises({ kind = "sql", code = "P0002" }, function() db:value "UPDATE people SET age = age" end)
    end)
  end)

  describe("exec", function()
    it("returns how many rows were affected", function()
      assert.equal(3, db:exec "UPDATE people SET age = age")
      assert.equal(1, db:exec("UPDATE people SET age = $2 WHERE id = $1", 1, 36))
      assert.equal(0, db:exec "SET work_mem = '4MB'")
    end)

    it("runs several statements, and adds up", function()
      assert.equal(4, db:exec "UPDATE people SET age = age; UPDATE people SET age = age WHERE id = 1")
    end)

    it("does all or nothing of several", function()
      assert.raises({ code = "22012" }, function() db:exec "DELETE FROM people; SELECT 1/0" end)
      assert.equal(3, db:value "SELECT count(*) FROM people")
    end)

    it("takes one statement where there are parameters", function()
      assert.raises({ code = "42601" }, function() db:exec("SELECT $1::int; SELECT 2", 1) end)
    end)

    it("leaves a transaction to those who write BEGIN", function()
      db:exec "BEGIN"
      assert.equal("open", db:transaction_status())
      db:exec "ROLLBACK"
      assert.equal("none", db:transaction_status())
    end)
  end)

  describe("prepared statements", function()
    local function prepared(like)
      return db:value("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE $1", like)
    end

    it("are prepared once and used again", function()
      for i = 1, 5 do assert.equal(i, db:value("SELECT $1::int /* once */", i)) end
      assert.equal(1, prepared "SELECT $1::int /* once */")
    end)

    it("are made of statements without parameters when these come again", function()
      db:query "SELECT 1 /* again */"
      assert.equal(0, prepared "SELECT 1 /* again */")
      db:query "SELECT 1 /* again */"
      assert.equal(1, prepared "SELECT 1 /* again */")
    end)

    it("notice a change of the schema by the same connection", function()
      db:exec "CREATE TABLE shape (a int)"
      for _ = 1, 3 do db:query "SELECT * FROM shape" end
      db:exec("INSERT INTO shape VALUES ($1)", 1)
      db:exec "ALTER TABLE shape ALTER a TYPE text, ADD b int"
      assert.same({ { a = "1", b = null } }, db:query "SELECT * FROM shape")
      db:exec("INSERT INTO shape VALUES ($1)", "text")
      db:exec "DROP TABLE shape"
    end)

    it("notice a change of the schema by another connection", function()
      db:exec "CREATE TABLE shape (a int); INSERT INTO shape VALUES (1)"
      for _ = 1, 3 do db:query "SELECT * FROM shape" end
      local other <close> = db:clone()
      other:exec "ALTER TABLE shape ADD b int DEFAULT 2"
      assert.same({ { a = 1, b = 2 } }, db:query "SELECT * FROM shape")
      db:exec "DROP TABLE shape"
    end)

    it("survive DISCARD ALL and DEALLOCATE ALL", function()
      for i = 1, 2 do assert.equal(i, db:value("SELECT $1::int", i)) end
      db:exec "DISCARD ALL"
      assert.equal(3, db:value("SELECT $1::int", 3))
      db:exec "DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$"
      assert.equal(4, db:value("SELECT $1::int", 4))
    end)

    it("do not grow without end", function()
      for i = 1, 600 do db:value(("SELECT $1::int + %d"):format(i), 1) end
      assert.is_true(prepared "%" <= 257)
    end)

    it("are none where nobody wants them", function()
      local plain <close> = sql.connect { url = server:url(), prepare = false }
      for _ = 1, 3 do plain:query "SELECT 1" end
      assert.equal(0, plain:value "SELECT count(*) FROM pg_prepared_statements")
    end)
  end)

  describe("notices", function()
    it("are kept until they are asked for", function()
      db:notices()
      db:exec [[DO $$ BEGIN
        RAISE NOTICE 'hello %', 1 USING DETAIL = 'd', HINT = 'h';
        RAISE WARNING 'careful';
      END $$]]
      local notices = db:notices()
      assert.equal(2, #notices)
      assert.subset({ severity = "NOTICE", code = "00000", message = "hello 1", detail = "d", hint = "h" }, notices[1])
      assert.subset({ severity = "WARNING", code = "01000", message = "careful" }, notices[2])
      assert.same({}, db:notices())
    end)

    it("do not grow without end", function()
      db:exec "DO $$ BEGIN FOR i IN 1..3000 LOOP RAISE NOTICE 'n%', i; END LOOP; END $$"
      local notices = db:notices()
      assert.equal(1000, #notices)
      assert.equal("n3000", notices[1000].message)
    end)
  end)

  it("works where a coroutine cannot yield", function()
    local list = { 3, 1, 2 }
    table.sort(list, function(a, b) return db:value("SELECT $1::int < $2", a, b) end)
    assert.same({ 1, 2, 3 }, list)
    assert.equal("1 4 9", (("1 2 3"):gsub("%d", function(d) return db:value("SELECT ($1::int * $1::int)::text", d) end)))
    local generate = coroutine.wrap(function()
      for row in db:cursor "SELECT i FROM generate_series(1, 3) i" do coroutine.yield(row.i) end
    end)
    assert.same({ 1, 2, 3 }, { generate(), generate(), generate() })
    generate()
  end)

  it("says what it is", function()
    assert.equal(server:url():gsub("postgres$", "postgres"), tostring(db))
    local info = db:info()
    assert.equal("postgres", info.user)
    assert.equal("postgres", info.database)
    assert.is_true(info.version >= 120000)
    assert.equal(info.process, db:value "SELECT pg_backend_pid()")
    assert.equal("idle", db:state())
  end)

  it("leaves its statements in the timeline", function()
    local core = require "itlua.core"
    local mark = core.mark()
    db:query "SELECT id,\n   name FROM people"
    pcall(db.query, db, "SELECT nothing FROM people")
    local lines = {}
    for _, span in ipairs(core.timeline(mark)) do
      if span.what == "sql.query" then lines[#lines + 1] = span.detail .. " -> " .. span.outcome end
    end
    assert.same({
      "SELECT id, name FROM people -> 3 rows",
      'SELECT nothing FROM people -> column "nothing" does not exist 42703',
    }, lines)
  end)
end)
