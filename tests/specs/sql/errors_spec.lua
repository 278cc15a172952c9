-- What fails, and what the error says.
local null = require "itlua.null"
local postgres = require "tests.specs.sql.support.postgres"
local sql = require "itlua.sql"
local task = require "itlua.task"

describe("sql errors", function()
  local server, db

  setup(function()
    server = postgres.start()
    db = sql.connect(server:url())
    db:exec [[
      CREATE TABLE customers (id text PRIMARY KEY);
      CREATE TABLE orders (
        id int PRIMARY KEY, customer text REFERENCES customers, quantity int CHECK (quantity > 0), note varchar(5) NOT NULL);
      INSERT INTO customers VALUES ('c-1');
      INSERT INTO orders VALUES (1, 'c-1', 1, 'x');
      CREATE FUNCTION broken() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
        RETURN (SELECT missing FROM orders);
      END $$;
    ]]
  end)

  teardown(function()
    db:close()
    server:stop()
  end)

  local function failing(statement, ...)
    local ok, err = pcall(db.query, db, statement, ...)
    assert.is_false(ok)
    return err
  end

  -- The message without position.
  local function message(statement, ...)
    return failing(statement, ...).message
  end

  after_each(function() assert.equal(1, db:value "SELECT 1") end) -- nothing that fails harms the connection

  it("carry what the server says", function()
    local err = failing("INSERT INTO orders VALUES ($1, 'c-9', 1, 'x')", 2)
    assert.subset({
      kind = "sql", code = "23503", severity = "ERROR", schema = "public", table = "orders",
      constraint = "orders_customer_fkey", detail = 'Key (customer)=(c-9) is not present in table "customers".',
      primary = 'insert or update on table "orders" violates foreign key constraint "orders_customer_fkey"',
      statement = "INSERT INTO orders VALUES ($1, 'c-9', 1, 'x')", op = "sql.query",
    }, err)
    assert.matches("errors_spec%.lua:%d+", err.where)
    assert.equal(err.where .. ": " .. err.message, tostring(err))
    assert.equal([[
insert or update on table "orders" violates foreign key constraint "orders_customer_fkey" (23503)
  detail: Key (customer)=(c-9) is not present in table "customers".
  statement: INSERT INTO orders VALUES ($1, 'c-9', 1, 'x')]], err.message)
  end)

  it("name columns, constraints, types", function()
    assert.subset({ code = "23502", table = "orders", column = "note" }, failing "INSERT INTO orders VALUES (2)")
    assert.subset({ code = "23514", constraint = "orders_quantity_check" },
      failing "INSERT INTO orders VALUES (2, 'c-1', 0, 'x')")
    assert.subset({ code = "23505", constraint = "orders_pkey", detail = "Key (id)=(1) already exists." },
      failing "INSERT INTO orders VALUES (1, 'c-1', 1, 'x')")
    assert.subset({ code = "22001" }, failing "INSERT INTO orders VALUES (2, 'c-1', 1, 'too long')")
  end)

  it("point at the place", function()
    assert.equal([[
column "nmae" does not exist (42703)
  SELECT nmae FROM customers
         ^]], message "SELECT nmae FROM customers")
  end)

  it("point at the place in a statement of many lines, with tabs and characters of many bytes", function()
    assert.equal([[
column "zzzz" does not exist (42703)
  line 2:  WHERE 'é€𝄞' <> '' AND zzzz = 1
                                 ^]], message "SELECT * FROM orders\n\tWHERE 'é€𝄞' <> '' AND zzzz = 1\nLIMIT 1")
  end)

  it("point at the place in a very long line", function()
    local list = {}
    for i = 1, 500 do list[i] = tostring(i) end
    local text = message("SELECT * FROM orders WHERE id IN (" .. table.concat(list, ", ") .. ") AND nope AND id IN ("
      .. table.concat(list, ", ") .. ")")
    local line, caret = text:match "\n([^\n]*)\n( *%^)$"
    assert.is_true(utf8.len(line) < 110)
    assert.equal("nope", line:sub(utf8.offset(line, #caret), utf8.offset(line, #caret) + 3))
  end)

  it("point at the place in a function", function()
    local err = failing "SELECT broken()"
    assert.equal("42703", err.code)
    assert.matches("RETURN %(SELECT missing FROM orders%)", (err.message:gsub("  %(SELECT", "  RETURN (SELECT", 1)))
    assert.matches("context: PL/pgSQL function broken%(%) line 2", err.message)
    assert.equal("PL/pgSQL function broken() line 2 at RETURN", err.context)
  end)

  it("give the hint", function()
    local err = failing "SELECT lenght('x')"
    assert.matches("No function matches", err.hint)
    assert.matches("\n  hint: No function matches", err.message)
  end)

  it("of syntax", function()
    assert.equal([[
syntax error at or near "FORM" (42601)
  SELECT * FORM orders
           ^]], message "SELECT * FORM orders")
    assert.subset({ code = "42601" }, failing "SELECT 'unterminated")
    assert.subset({ code = "42601" }, failing "SELECT 1; SELECT 2")
  end)

  it("of parameters", function()
    local err = failing("SELECT $1::int + $2", 1)
    assert.subset({ kind = "sql", code = "08P01" }, err)
    assert.matches("1 parameter for a statement with 2: SELECT $1::int + $2", err.message, 1, true)
    assert.subset({ code = "08P01" }, failing("SELECT 1 /* none */", 1))
    assert.subset({ code = "08P01" }, failing "SELECT $1::int")
    assert.matches("parameter $2 is nil %(itlua.null is SQL's NULL%)", failing("SELECT $1::int, $2::int", 1, nil))
    assert.subset({ code = "42P18" }, failing("SELECT $2::int", 1, 2))
    assert.subset({ code = "22P02" }, failing("SELECT $1::int", "x"))
  end)

  it("of text with a NUL byte", function()
    local err = failing("SELECT $1::text", "abc\0def")
    assert.subset({ kind = "sql", code = "22021" }, err)
    assert.matches("parameter $1 has a NUL byte at position 4", err.message, 1, true)
    assert.subset({ kind = "sql", code = "22021" }, failing("SELECT $1::text[]", { "a\0b" }))
    assert.subset({ kind = "sql", code = "42601" }, failing "SELECT 1\0")
    assert.has.errors(function() db:exec "SELECT 1\0" end)
    assert.subset({ code = "22P05" }, failing("SELECT $1::jsonb", { "a\0b" }))
  end)

  it("of text that is no UTF-8", function()
    assert.subset({ kind = "sql", code = "22021" }, failing("SELECT $1::text", "\xff\xfe"))
    assert.subset({ kind = "sql", code = "22021" }, failing "SELECT '\xc3\x28'")
    assert.raises({ kind = "json" }, function() db:query("SELECT $1::jsonb", "\xff") end)
  end)

  it("of something that is no statement", function()
    for _, name in ipairs { "query", "one", "value", "exec", "cursor" } do
      assert.has.errors(function() db[name](db) end)
      assert.has.errors(function() db[name](db, {}) end)
    end
    assert.matches("errors_spec.lua:%d+: query needs a statement, not table", select(2, pcall(function() db:query {} end)))
  end)

  it("of COPY where no COPY can be", function()
    assert.subset({ code = "0A000" }, failing "COPY orders FROM STDIN")
    assert.subset({ code = "0A000" }, failing "COPY orders TO STDOUT")
    assert.raises({ message = "db:copy_in" }, function() db:exec "COPY orders FROM STDIN" end)
    assert.raises({ message = "db:copy_out" }, function() db:exec "COPY orders TO STDOUT; SELECT 1" end)
  end)

  it("of a handle that is busy", function()
    local other <close> = db:clone()
    other:query "SELECT pg_advisory_lock(4711)"
    local waiting = task.spawn(function() return db:value "SELECT 'waited' FROM pg_advisory_lock(4711)" end)
    task.sleep(0.05)
    local err = failing "SELECT 1"
    assert.subset({ kind = "sql", code = "BUSY" }, err)
    assert.matches("is busy with sql.query: SELECT 'waited' FROM pg_advisory_lock(4711)", err.message, 1, true)
    other:query "SELECT pg_advisory_unlock(4711)"
    assert.equal("waited", waiting:join())
    db:query "SELECT pg_advisory_unlock(4711)"
  end)

  it("of a handle that is closed", function()
    local other = db:clone()
    other:close()
    other:close()
    assert.raises({ kind = "sql", code = "08003", message = "is closed" }, function() other:query "SELECT 1" end)
    assert.raises({ kind = "sql", code = "08003" }, function() other:exec "SELECT 1" end)
    assert.raises({ kind = "sql", code = "08003" }, function() other:transaction(function() end) end)
    assert.raises({ kind = "sql", code = "08003" }, function() other:pipeline(function() end) end)
    assert.raises({ kind = "sql", code = "08003" }, function() other:copy_in("orders", { {} }) end)
    assert.raises({ kind = "sql", code = "08003" }, function() other:copy_out "orders" end)
    assert.equal("closed", other:state())
    assert.matches("closed", tostring(other))
  end)

  it("of a handle that is closed while it works", function()
    local other = db:clone()
    local sleeping = task.spawn(function() other:query "SELECT pg_sleep(1000)" end)
    task.sleep(0.05)
    other:close()
    local ok, err = pcall(sleeping.join, sleeping)
    assert.is_false(ok)
    assert.subset({ kind = "sql", code = "08003" }, err)
    assert.eventually(function()
      return db:value "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(1000)%' AND pid <> pg_backend_pid()"
        == 0
    end, { timeout = 20 })
  end)

  it("do not follow from a value of 100 MB", function()
    local size = 100 << 20
    local big = ("x"):rep(size)
    assert.equal(size, db:value("SELECT length($1::text)", big))
    local back = db:value("SELECT repeat('y', $1)", size)
    assert.equal(size, #back)
    assert.equal("y", back:sub(-1))
    assert.equal(size // 2, db:value("SELECT length($1::bytea)", big:sub(1, size // 2)))
    assert.subset({ kind = "sql", code = "54000" }, failing("SELECT repeat('zz', 1200000000)"))
  end)

  it("of NULL where none may be", function()
    assert.subset({ code = "23502" }, failing("INSERT INTO orders VALUES (7, 'c-1', 1, $1)", null))
  end)
end)
