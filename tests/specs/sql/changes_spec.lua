-- Changes of tables, from the server's log.
local postgres = require "tests.specs.sql.support.postgres"
local record = require "itlua.capture".record
local sql = require "itlua.sql"
local task = require "itlua.task"

local function failure(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

describe("db:capture", function()
  local server, db

  setup(function()
    server = postgres.start { settings = { wal_level = "logical", max_replication_slots = 3 } }
    db = sql.connect(server:url())
    db:exec [[
      CREATE TABLE orders (id serial PRIMARY KEY, status text NOT NULL, total numeric(10, 2), lines jsonb, tags text[]);
      CREATE TABLE notes (id bigint, "Weird ""Name" text, done boolean, raw bytea, at timestamptz, bits bit(3));
      CREATE UNLOGGED TABLE fleeting (id int);
      CREATE TABLE parts (id int, day date) PARTITION BY RANGE (day);
      CREATE TABLE parts_2024 PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')]]
  end)

  teardown(function()
    db:close()
    server:stop()
  end)

  local function slots() return db:value "SELECT count(*) FROM pg_replication_slots" end

  it("sees what is inserted, updated and deleted from now on, by anybody", function()
    db:exec "INSERT INTO orders (status) VALUES ('before')"
    local orders <close> = db:capture "orders"
    local other <close> = sql.connect(server:url())
    local id = other:value([[INSERT INTO orders (status, total, lines, tags)
      VALUES ('new', 12.50, '{"sku":"a","n":[1,2]}', '{x,"y z"}') RETURNING id]])
    other:exec("UPDATE orders SET status = 'paid' WHERE id = $1", id)
    other:exec("UPDATE orders SET id = 1000 WHERE id = $1", id)
    other:exec "DELETE FROM orders WHERE id = 1000"
    db:exec "INSERT INTO notes (id) VALUES (1)"
    local new = orders:wait_for({ id = id, status = "new" }, { timeout = 20 })
    assert.same({ id = id, status = "new", total = "12.50", lines = { sku = "a", n = { 1, 2 } }, tags = { "x", "y z" } },
      new.value)
    assert.equal("insert", new.operation)
    assert.equal("public", new.schema)
    assert.is_nil(new.old)
    assert.equal("update", orders:wait_for({ status = "paid" }, { timeout = 20 }).operation)
    local moved = orders:wait_for({ id = 1000 }, { timeout = 20 })
    assert.equal(id, moved.old.id)
    local gone = orders:wait_for(record { operation = "delete" }, { timeout = 20 })
    assert.same({ id = 1000 }, gone.value)
    assert.equal(4, #orders:events())
    orders:expect_order({ { status = "new" }, { status = "paid" }, record { operation = "delete" } }, { timeout = 20 })
  end)

  it("gives the values that a query gives", function()
    local notes <close> = db:capture("notes", "orders")
    db:exec([[INSERT INTO notes VALUES (9007199254740993, $1, true, '\x00ff27', '2024-05-06 07:08:09.5+02', B'101'),
      (2, NULL, NULL, NULL, NULL, NULL), (3, ' new-tuple: x[text]:''y'' ', false, '', 'infinity', NULL)]],
      "it's [text]:'a\\b'\n\"ü\"")
    local rows = db:query "SELECT * FROM notes WHERE at IS NOT NULL OR id = 2"
    notes:wait_for_count(3, { timeout = 20 })
    for i, one in ipairs(notes:events()) do assert.same(rows[i], one.value) end
    assert.equal("it's [text]:'a\\b'\n\"ü\"", notes:events()[1].value['Weird "Name'])
    db:exec "TRUNCATE notes, orders"
    assert.equal("notes", notes:wait_for(record { operation = "truncate", table = "notes" }, { timeout = 20 }).table)
    notes:wait_for(record { operation = "truncate", table = "orders" }, { timeout = 20 })
  end)

  it("proves with a fence that nothing was changed", function()
    local orders <close> = db:capture "orders"
    db:exec "INSERT INTO orders (status) SELECT 'bulk' FROM generate_series(1, 500)"
    assert.matches("up to a message behind", orders:expect_none({ status = "failed" }, { timeout = 60 }))
    assert.equal(500, #orders:events())
    pcall(db.transaction, db, function()
      db:exec "INSERT INTO orders (status) VALUES ('failed')"
      error "never mind"
    end)
    orders:expect_none({ status = "failed" }, { fence = true, timeout = 60 })
    db:exec "INSERT INTO orders (status) VALUES ('failed')"
    assert.equal("UNEXPECTED_EVENT", failure(orders.expect_none, orders, { status = "failed" }, { timeout = 60 }).code)
    local err = failure(orders.wait_for, orders, { status = "bulk", id = 0 }, { timeout = 0.05 })
    assert.matches("the log to %x+/%x+; what is not committed is not in it", err.message)
  end)

  it("leaves no slot behind", function()
    local orders = db:capture "orders"
    assert.equal(1, slots())
    orders:close()
    task.eventually(function() return slots() == 0 end, { timeout = 20 })
    local lost <close> = db:capture "orders"
    db:query("SELECT pg_terminate_backend($1)", lost.source.db:info().process)
    assert.equal("sql", failure(lost.wait_for, lost, "x", { timeout = 20 }).kind)
    task.eventually(function() return slots() == 0 end, { timeout = 20 })
    assert.has.errors(function() db:capture(7) end)
    assert.equal("42P01", failure(db.capture, db, "ordres").code)
    assert.equal(0, slots())
  end)

  it("takes all tables, and the partitions of one", function()
    local parts <close> = db:capture "parts"
    local all <close> = db:capture { filter = function(event) return event.table ~= "notes" end }
    db:exec "INSERT INTO parts VALUES (1, '2024-02-03'); INSERT INTO notes (id) VALUES (7)"
    assert.equal("2024-02-03", parts:wait_for({ id = 1 }, { timeout = 20 }).value.day)
    assert.equal("parts_2024", all:wait_for({ id = 1 }, { timeout = 20 }).table)
  end)

  it("says what it lacks", function()
    local err = failure(db.capture, db, "fleeting")
    assert.subset({ kind = "sql", code = "UNLOGGED" }, err)
    db:exec "CREATE ROLE plain LOGIN"
    local plain <close> = sql.connect(server:url("postgres", "plain"))
    err = failure(plain.capture, plain, "orders")
    assert.equal("42501", err.code)
    assert.matches("its user needs the attribute REPLICATION", err.message, 1, true)
    local held = {}
    for i = 1, 3 do held[i] = db:capture "orders" end
    err = failure(db.capture, db, "orders")
    assert.equal("53400", err.code)
    assert.matches("no replication slot left (max_replication_slots)", err.message, 1, true)
    for i = 1, 3 do held[i]:close() end
    local minimal <close> = postgres.start()
    local other <close> = sql.connect(minimal:url())
    err = failure(other.capture, other, "orders")
    assert.subset({ kind = "sql", code = "WAL_LEVEL" }, err)
    assert.matches("wal_level is minimal and has to be logical", err.message, 1, true)
  end)

  it("names the transactions that it had to wait for", function()
    local other <close> = sql.connect(server:url())
    other:exec "BEGIN; INSERT INTO notes (id) VALUES (99)"
    local err = failure(db.capture, db, "orders", { timeout = 0.5 })
    assert.subset({ kind = "timeout", code = "SLOT" }, err)
    assert.matches("it waits for the transactions that are open\n    process %d+, idle in transaction, database postgres: ",
      err.message)
    other:exec "ROLLBACK"
    local orders <close> = db:capture "orders"
    assert.equal(0, #orders:events())
  end)
end)
