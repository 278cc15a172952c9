-- COPY in and out.
local null = require "itlua.null"
local postgres = require "tests.specs.sql.support.postgres"
local sql = require "itlua.sql"
local task = require "itlua.task"

describe("sql copy", function()
  local server, db

  setup(function()
    server = postgres.start()
    db = sql.connect(server:url())
    db:exec [[
      CREATE TYPE mood AS ENUM ('sad', 'ok');
      CREATE TABLE t (id int, v text, j jsonb, b bytea, l int[], m mood, ok bool, n numeric, f float8);
      CREATE TABLE "Odd ""name" ("two words" int, "order" text);
      CREATE TABLE made (id int, twice int GENERATED ALWAYS AS (id * 2) STORED);
    ]]
  end)

  teardown(function()
    db:close()
    server:stop()
  end)

  before_each(function() db:exec "TRUNCATE t, made" end)

  after_each(function()
    assert.equal(1, db:value "SELECT 1")
    assert.equal("idle", db:state())
    assert.equal("none", db:transaction_status())
  end)

  describe("in", function()
    it("takes rows by name, of every type", function()
      local rows = {
        { id = 1, v = "tab\tline\nback\\slash\r \\N", j = { a = { 1, null } }, b = "\0\1\255\\", l = { 1, null, 3 },
          m = "ok", ok = true, n = "12.50", f = 0.1 },
        { id = 2, v = null, j = null, b = null, l = null, m = null, ok = null, n = null, f = null },
        { id = 3, v = "", j = "a string", b = "", l = {}, m = "sad", ok = false, n = 7, f = math.huge },
        { id = 4.0, v = "\\.", j = false, b = "x", l = { 5 }, m = "ok", ok = true, n = 0.5, f = -1 },
      }
      assert.equal(4, db:copy_in("t", rows))
      local back = db:query "SELECT * FROM t ORDER BY id"
      rows[3].n, rows[4].n = "7", "0.5"
      assert.same(rows, back)
    end)

    it("takes lists, of the columns named", function()
      assert.equal(2, db:copy_in("t (id, v)", { { 1, "a" }, { 2, null } }))
      assert.equal(1, db:copy_in("t", { { 3, "c" } }, { columns = { "id", "v" } }))
      assert.same({ { id = 1, v = "a" }, { id = 2, v = null }, { id = 3, v = "c" } },
        db:query "SELECT id, v FROM t ORDER BY id")
      assert.equal(1, db:copy_in("made", { { 5 } }))
      assert.equal(10, db:value "SELECT twice FROM made")
    end)

    it("takes a function that gives rows or text", function()
      local i = 0
      assert.equal(5000, db:copy_in("t (id, v)", function()
        i = i + 1
        if i <= 5000 then return { i, "v" .. i } end
      end))
      local pieces = { "1\ta\n2\t", "b\n3\tc", "\n" }
      assert.equal(3, db:copy_in("t (id, v)", function() return table.remove(pieces, 1) end))
      assert.equal(5003, db:value "SELECT count(*) FROM t")
    end)

    it("takes text, and COPY's formats", function()
      assert.equal(2, db:copy_in("t (id, v)", "1\tone\n2\t\\N\n"))
      assert.equal(2, db:copy_in("t (id, v)", 'id,v\n3,"a, b"\n4,\n', { format = "csv", header = true }))
      assert.equal(1, db:copy_in("COPY t (id, v) FROM STDIN WITH (FORMAT csv, DELIMITER ';')", "5;five\n"))
      assert.equal(1, db:copy_in("COPY t (id, v) FROM STDIN", { { 6, "six" } }))
      assert.equal(6, db:value "SELECT count(*) FROM t")
    end)

    it("takes nothing", function()
      assert.equal(0, db:copy_in("t", {}))
      assert.equal(0, db:copy_in("t", function() end))
      assert.equal(0, db:copy_in("t", ""))
    end)

    it("quotes names", function()
      assert.equal(1, db:copy_in('"Odd ""name"', { { ["two words"] = 1, order = "x" } }))
      assert.equal(1, db:value [[SELECT "two words" FROM "Odd ""name"]])
      assert.equal(1, db:copy_in("public.t", { { id = 1 } }))
    end)

    it("takes a large amount at once", function()
      local line = "1\t" .. ("x"):rep(97) .. "\n"
      assert.equal(200000, db:copy_in("t (id, v)", line:rep(200000)))
      local rows = {}
      for i = 1, 50000 do rows[i] = { id = i, v = "row " .. i } end
      assert.equal(50000, db:copy_in("t", rows))
    end)

    it("says which row and column the server refuses, and keeps nothing", function()
      local err = assert.raises({ kind = "sql", code = "22P02", op = "sql.copy" }, function()
        db:copy_in("t (id, v)", { { 1, "a" }, { "x", "b" } })
      end)
      assert.matches('context: COPY t, line 2, column id: "x"', err.message)
      assert.raises({ code = "42P01" }, function() db:copy_in("nothing", { { id = 1 } }) end)
      assert.raises({ code = "42P01" }, function() db:copy_in("nothing", "1\n") end)
      assert.raises({ code = "42703" }, function() db:copy_in("t", { { nothing = 1 } }) end)
      assert.raises({ code = "22P04" }, function() db:copy_in("t (id, v)", "1\n") end)
      assert.equal(0, db:value "SELECT count(*) FROM t")
    end)

    it("says what is wrong with a row, and keeps nothing", function()
      local function refused(...)
        local ok, err = pcall(db.copy_in, db, ...)
        assert.is_false(ok)
        assert.equal(1, db:value "SELECT 1")
        return tostring(err)
      end
      assert.matches("row 2 has no column v", refused("t", { { id = 1, v = "a" }, { id = 2 } }))
      assert.matches("row 1 has no column 2", refused("t (id, v)", { { 1 } }))
      assert.matches("row 2 is a number, not a table", refused("t (id, v)", { { 1, "a" }, 7 }))
      assert.matches("row 1, column 2 has a NUL byte", refused("t (id, v)", { { 1, "a\0" } }))
      assert.matches("row 1, column 2 is text: a table", refused("t (id, v)", { { 1, {} } }))
      assert.matches("must give strings or rows", refused("t (id, v)", coroutine.wrap(function()
        coroutine.yield { 1, "a" }
        coroutine.yield(true)
      end)))
      assert.matches("needs text", refused("t", 7))
      assert.matches("needs a table", refused(nil, {}))
      assert.matches("copy_in cannot run COPY", refused("COPY t TO STDOUT", { {} }))
      assert.matches("no COPY", refused("COPY t (id) FROM PROGRAM 'true'", { { 1 } }))
      assert.equal(0, db:value "SELECT count(*) FROM t")
    end)

    it("keeps nothing when the function raises, and raises that", function()
      local n = 0
      assert.raises({ message = "mine" }, function()
        db:copy_in("t (id, v)", function()
          n = n + 1
          if n == 2000 then error "mine" end
          return { n, "v" }
        end)
      end)
      assert.equal(0, db:value "SELECT count(*) FROM t")
    end)

    it("may wait in the function, where other statements have another connection", function()
      local n = 0
      assert.equal(3, db:copy_in("t (id, v)", function()
        n = n + 1
        task.sleep(0.01)
        if n <= 3 then return { n, "v" } end
      end))
      assert.raises({ code = "BUSY", message = "COPY" }, function()
        db:copy_in("t (id, v)", function() db:query "SELECT 1" end)
        local given = false
        db:copy_in("t (id, v)", function()
          if given then db:query "SELECT 1" end
          given = true
          return { 1, "x" }
        end)
      end)
    end)

    it("is stopped with its task", function()
      assert.raises({ kind = "timeout" }, function()
        task.timeout(0.1, function()
          db:copy_in("t (id, v)", function()
            task.sleep(0.02)
            return "1\tx\n"
          end)
        end)
      end)
      assert.equal(0, db:value "SELECT count(*) FROM t")
    end)
  end)

  describe("out", function()
    before_each(function()
      db:exec "INSERT INTO t (id, v) VALUES (1, 'a'), (2, NULL), (3, E'tab\\t')"
    end)

    it("returns text and the number of rows", function()
      assert.same({ "1\ta\n2\t\\N\n3\ttab\\t\n", 3 }, { db:copy_out "SELECT id, v FROM t ORDER BY id" })
      assert.same({ "id,v\n1,a\n2,\n", 2 },
        { db:copy_out("SELECT id, v FROM t WHERE id < 3 ORDER BY id", { format = "csv", header = true }) })
      db:copy_in("made", { { 5 } })
      assert.same({ "5\n", 1 }, { db:copy_out "COPY made (id) TO STDOUT" })
      assert.same({ "5\n", 1 }, { db:copy_out "made" })
      assert.same({ "", 0 }, { db:copy_out "SELECT 1 WHERE false" })
    end)

    it("gives pieces to a function", function()
      local pieces, bytes = 0, 0
      local rows = db:copy_out("SELECT repeat('x', 99) FROM generate_series(1, 100000)", function(piece)
        pieces, bytes = pieces + 1, bytes + #piece
        assert.equal("\n", piece:sub(-1))
      end)
      assert.equal(100000, rows)
      assert.equal(10000000, bytes)
      assert.is_true(pieces > 10)
    end)

    it("gives back what copy_in takes", function()
      db:exec "INSERT INTO t SELECT i, md5(i::text) FROM generate_series(4, 5000) i"
      local text = db:copy_out "SELECT id, v FROM t"
      db:exec "CREATE TEMP TABLE again (id int, v text)"
      assert.equal(5000, db:copy_in("again", text))
      assert.equal(0, db:value "SELECT count(*) FROM (SELECT id, v FROM t EXCEPT SELECT * FROM again) x")
      db:exec "DROP TABLE again"
    end)

    it("lets the server wait while the function works", function()
      local n = 0
      assert.equal(200000, db:copy_out("SELECT repeat('x', 99) FROM generate_series(1, 200000)", function()
        n = n + 1
        if n < 5 then task.sleep(0.02) end
      end))
    end)

    it("stops when the function raises", function()
      assert.raises({ message = "mine" }, function()
        db:copy_out("SELECT i FROM generate_series(1, 10000000) i", function() error "mine" end)
      end)
    end)

    it("says what the server says", function()
      assert.raises({ code = "42P01" }, function() db:copy_out "nothing" end)
      assert.raises({ code = "22012" }, function()
        db:copy_out("SELECT 1 / (100000 - i) FROM generate_series(1, 200000) i", function() end)
      end)
      assert.has.errors(function() db:copy_out "COPY t FROM STDIN" end)
      assert.has.errors(function() db:copy_out(7) end)
    end)

    it("is stopped with its task", function()
      assert.raises({ kind = "timeout" }, function()
        task.timeout(0.2, function() db:copy_out "SELECT pg_sleep(0.01) FROM generate_series(1, 10000)" end)
      end)
    end)
  end)
end)
