-- Assertions about databases, comparing two of them, broken references.
local match = require "luassert.match"
local null = require "itlua.null"
local postgres = require "tests.specs.sql.support.postgres"
local sql = require "itlua.sql"

describe("databases", function()
  local server, db

  setup(function()
    server = postgres.start()
    db = sql.connect(server:url())
    db:exec [[
      CREATE TABLE orders (id int PRIMARY KEY, status text, total numeric(10,2), placed timestamptz, items jsonb, doc json,
        code uuid, tags text[]);
      CREATE TABLE "empty table" (id int);
      INSERT INTO orders VALUES
        (1, 'pending', 12.50, '2024-05-01 12:00:00Z', '[{"sku":"a","quantity":2}]', '{"a":1}',
         'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{x,y}'),
        (2, 'paid', 99, '2024-05-02 12:00:00.5Z', '[]', NULL, NULL, '{}'),
        (3, 'paid', NULL, NULL, NULL, NULL, NULL, NULL);
    ]]
  end)

  teardown(function()
    db:close()
    server:stop()
  end)

  local function failure(fn)
    local ok, err = pcall(fn)
    assert.is_false(ok, "did not fail")
    return (tostring(err):gsub("^[^\n]-:%d+: ", ""))
  end

  describe("assert.row", function()
    it("has columns, by their types", function()
      assert.row(db, "SELECT * FROM orders WHERE id = $1", 1).has {
        status = "pending", total = 12.5, placed = "2024-05-01T14:00:00+02:00", items = { { sku = "a", quantity = 2 } },
        doc = { a = 1 }, code = "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", tags = { "x", "y" },
      }
      assert.row(db, "SELECT * FROM orders WHERE id = 3").has { total = null, items = null }
      assert.row(db, "SELECT * FROM orders WHERE id = 1").has { id = match.is_number(), status = match.matches "^pend" }
      assert.row(db, "SELECT * FROM orders WHERE id = 1").has { id = 1 }.has { status = "pending" }
    end)

    it("equals", function()
      assert.row(db, "SELECT id, total FROM orders WHERE id = 1").equals { id = 1, total = "12.50" }
      assert.row(db, "SELECT id, total FROM orders WHERE id = 1").equals { id = 1, total = 12.5 }
      assert.row(db, "SELECT id, total FROM orders WHERE id = 1").same { id = match.is_number(), total = "12.5" }
      assert.row(db, "SELECT id FROM orders WHERE id = 1").is_not.equal { id = 2 }
      assert.row(db, "SELECT id FROM orders WHERE id = 1").has.no.row { id = 2 }
    end)

    it("says what differs", function()
      assert.equal([[
The row of "SELECT id, status, total FROM orders WHERE id = 1" differs.

  2 of 3 values differ
    status   expected "paid"   got "pending"
    total    expected 12.51    got "12.50"     (number, string)]], failure(function()
        assert.row(db, "SELECT id, status, total FROM orders WHERE id = 1").has { status = "paid", total = 12.51, id = 1 }
      end))
      assert.matches("unexpected 1", failure(function()
        assert.row(db, "SELECT id, status FROM orders WHERE id = 1").equals { status = "pending" }
      end))
      assert.matches("missing", failure(function()
        assert.row(db, "SELECT id FROM orders WHERE id = 1").has { nothing = 1 }
      end))
    end)

    it("is one row", function()
      assert.matches('^Expected one row of "SELECT %* FROM orders WHERE id = 9", there is none%.', failure(function()
        assert.row(db, "SELECT * FROM orders WHERE id = 9").has { id = 9 }
      end))
      assert.matches("there are 3", failure(function() assert.row(db, "SELECT id FROM orders").has { id = 1 } end))
      assert.no.row(db, "SELECT * FROM orders WHERE id = 9")
      assert.matches("^Expected no row of", failure(function() assert.no.row(db, "SELECT id FROM orders") end))
    end)

    it("needs a database and a statement", function()
      assert.matches("needs a database", failure(function() assert.row("SELECT 1") end))
      assert.matches("needs a statement", failure(function() assert.row(db) end))
      assert.matches("needs a table", failure(function() assert.row(db, "SELECT 1 AS n").has(1) end))
      assert.matches("there is no 'big'", failure(function() local _ = assert.row(db, "SELECT 1 AS n").is.big end))
      assert.raises({ kind = "sql", code = "42P01" }, function() assert.row(db, "SELECT * FROM nothing") end)
    end)
  end)

  describe("assert.rows", function()
    it("equals, in order", function()
      assert.rows(db, "SELECT id, status FROM orders ORDER BY id").equals {
        { id = 1, status = "pending" }, { id = 2, status = "paid" }, { id = 3, status = "paid" },
      }
      assert.rows(db, "SELECT id FROM orders WHERE id > $1", 9).equals {}
      assert.matches("The rows .* differ %(2 expected, got 3%)", failure(function()
        assert.rows(db, "SELECT id FROM orders ORDER BY id").equals { { id = 1 }, { id = 3 } }
      end))
    end)

    it("has one, count, emptiness", function()
      assert.rows(db, "SELECT * FROM orders").has { id = 2 }.count(3)
      assert.rows(db, "SELECT * FROM orders").is_not.empty()
      assert.rows(db, "SELECT * FROM orders WHERE false").is_empty()
      assert.rows(db, "SELECT * FROM orders").has.no.row { id = 4 }
      assert.no.rows(db, "SELECT * FROM orders WHERE false")
      assert.matches("The nearest of 3 rows", failure(function()
        assert.rows(db, "SELECT * FROM orders").has { id = 2, status = "lost" }
      end))
      assert.matches("Expected 2 rows .* there are 3",
        failure(function() assert.rows(db, "SELECT id FROM orders").count(2) end))
      assert.matches("Expected no rows", failure(function() assert.no.rows(db, "SELECT id FROM orders") end))
    end)
  end)

  describe("assert.table", function()
    it("has rows, which the database looks for", function()
      assert.table(db, "orders").has { status = "pending", total = 12.5, items = { { sku = "a", quantity = 2 } } }
      assert.table(db, "orders").has { doc = { a = 1 }, tags = { "x", "y" } }
      assert.table(db, "orders").has { id = 3, total = null, items = null }
      assert.table(db, "orders").has { id = match.is_number(), placed = "2024-05-02T14:00:00.5+02:00" }
      assert.table(db, "public.orders").has.no.row { status = "lost" }
      assert.table(db, "orders").does_not.have { status = "lost" }
      assert.equal([[
Expected a row in orders with { status = "paid", total = 98 }.

The nearest of 3 rows:

  1 of 2 values differs
    total   expected 98   got "99.00"     (number, string)]], failure(function()
        assert.table(db, "orders").has { status = "paid", total = 98 }
      end))
      assert.matches("There are no rows at all", failure(function() assert.table(db, "empty table").has { id = 1 } end))
      assert.matches('has no column "nothing" %(it has id, status', failure(function()
        assert.table(db, "orders").has { nothing = 1 }
      end))
    end)

    it("counts", function()
      assert.table(db, "orders").count(3)
      assert.table(db, "empty table").is_empty()
      assert.table(db, "orders").is_not.empty()
      assert.matches("Expected no rows in orders, there are 3%.\n\n  {", failure(function()
        assert.table(db, "orders").is_empty()
      end))
      assert.matches("Expected rows in empty table, there are none", failure(function()
        assert.table(db, "empty table").is_not_empty()
      end))
      assert.matches("Expected 4 rows in orders, there are 3", failure(function() assert.table(db, "orders").count(4) end))
    end)

    it("equals rows in any order", function()
      db:exec "CREATE TEMP TABLE small (id int, v text); INSERT INTO small VALUES (1, 'a'), (2, 'b'), (2, 'b')"
      assert.table(db, "small").equals { { id = 2, v = "b" }, { id = 1, v = "a" }, { id = 2, v = "b" } }
      local text = failure(function()
        assert.table(db, "small").equals { { id = 2, v = "b" }, { id = 1, v = "A" } }
      end)
      assert.matches("%(2 expected, 3 there%)", text)
      assert.matches('missing { id = 1, v = "A" }', text)
      assert.matches("not expected", text)
    end)

    it("stays luassert's check of a type", function()
      assert.table {}
      assert.is_table(db)
      assert.is_not.table(1)
      assert.has.errors(function() assert.table(1) end)
    end)
  end)

  describe("sql.compare", function()
    local other

    before_each(function()
      other = sql.connect(server:database("other" .. math.random(1 << 30)))
      other:exec [[CREATE TABLE orders (id int PRIMARY KEY, status text, total numeric);
        INSERT INTO orders VALUES (1, 'pending', 12.50), (2, 'lost', 99), (4, 'new', 1)]]
    end)

    after_each(function() other:close() end)

    it("tells what is missing, extra and different", function()
      local result = sql.compare({ db, "SELECT id, status FROM orders" }, { other, "SELECT id, status FROM orders" },
        { key = "id" })
      assert.is_false(result.equal)
      assert.equal(1, result.same)
      assert.same({ { id = 3, status = "paid" } }, result.missing)
      assert.same({ { id = 4, status = "new" } }, result.extra)
      assert.same({ { key = { 2 }, columns = { "status" }, first = { id = 2, status = "paid" },
        second = { id = 2, status = "lost" } } }, result.different)
      assert.equal([[
1 missing in the second
  { id = 3, status = "paid" }
1 extra in the second
  { id = 4, status = "new" }
1 different
  id 2
    status               first "paid"   second "lost"
1 the same]], tostring(result))
    end)

    it("takes tables, rows, iterators and parameters", function()
      assert.is_true(sql.compare({ other, "orders" }, { other, "orders" }, { key = { "id", "status" } }).equal)
      assert.is_true(sql.compare({ other, "SELECT id FROM orders WHERE id > $1", 1 }, { { id = 2 }, { id = 4 } },
        { key = "id" }).equal)
      assert.is_true(sql.compare(other:cursor "SELECT id FROM orders", other:query "SELECT id FROM orders",
        { key = "id" }).equal)
      assert.equal("the same 3 rows", tostring(sql.compare({ other, "orders" }, { other, "orders" })))
    end)

    it("takes no connection for rows", function()
      assert.matches('the second is a connection; { db, "orders" } are rows of it',
        failure(function() sql.compare({}, db) end), 1, true)
    end)

    it("looks at the columns it is told to, after a function of one's own", function()
      local a, b = { { id = 1, v = "x", at = 1 } }, { { id = 1.0, v = "X", at = 2 } }
      assert.is_false(sql.compare(a, b, { key = "id" }).equal)
      assert.is_true(sql.compare(a, a, { key = "id", columns = { "v" } }).equal)
      local function lower(row) return { id = row.id, v = row.v:lower(), at = row.at } end
      assert.is_true(sql.compare(a, b, { key = "id", ignore = { "at" }, normalize = lower }).equal)
    end)

    it("counts rows where there is no key", function()
      local result = sql.compare({ { v = 1 }, { v = 1 }, { v = 2 } }, { { v = 1 }, { v = 2 }, { v = 2 } })
      assert.same({ { v = 1 } }, result.missing)
      assert.same({ { v = 2 } }, result.extra)
      assert.equal(2, result.same)
    end)

    it("needs a key that is one", function()
      assert.raises({ kind = "sql", message = "two rows with the key" },
        function() sql.compare({ { id = 1 }, { id = 1 } }, {}, { key = "id" }) end)
      assert.has.errors(function() sql.compare({ { id = 1 } }, {}, { key = "nothing" }) end)
      assert.has.errors(function() sql.compare({}, {}, { key = 7 }) end)
      assert.has.errors(function() sql.compare(1, {}) end)
      assert.has.errors(function() sql.compare({ db }, {}) end)
    end)
  end)

  describe("db:orphans", function()
    setup(function()
      db:exec [[
        CREATE SCHEMA shop;
        CREATE TABLE shop.customers (id int PRIMARY KEY, a int, b int, UNIQUE (a, b));
        CREATE TABLE shop.sales (id int PRIMARY KEY, customer int REFERENCES shop.customers, a int, b int, loose int,
          CONSTRAINT "both" FOREIGN KEY (a, b) REFERENCES shop.customers (a, b));
        INSERT INTO shop.customers VALUES (1, 10, 20);
        INSERT INTO shop.sales VALUES (1, 1, 10, 20, 1), (2, NULL, 10, NULL, NULL);
      ]]
    end)

    it("are none where the database takes care", function()
      assert.same({}, db:orphans())
      assert.equal("no broken references", tostring(db:orphans()))
      assert.no.orphans(db)
    end)

    it("are found where it did not", function()
      db:transaction(function()
        db:exec "SET LOCAL session_replication_role = replica"
        db:exec "INSERT INTO shop.sales VALUES (3, 7, 10, 21, 9), (4, 8, NULL, NULL, NULL)"
      end)
      local found = db:orphans { references = { ["shop.sales.loose"] = "shop.customers.id" } }
      assert.equal(3, #found)
      assert.subset({ constraint = "both", table = "shop.sales", references = "shop.customers", columns = { "a", "b" },
        referenced = { "a", "b" }, count = 1, rows = { { id = 3 } } }, found[1])
      assert.subset({ constraint = "sales_customer_fkey", count = 2, rows = { { id = 3 }, { id = 4 } } }, found[2])
      assert.subset({ columns = { "loose" }, count = 1 }, found[3])
      assert.is_nil(found[3].constraint)
      assert.matches("shop.sales %(customer%) refers to shop.customers %(id%): 2 rows without it   sales_customer_fkey",
        tostring(found))
      assert.matches("Expected no broken references", failure(function() assert.no.orphans(db) end))
      assert.has.errors(function() db:orphans { references = { x = "y" } } end)
    end)
  end)
end)
