local factory = require "itlua.factory"
local fake = require "itlua.fake"
local fixture = require "itlua.fixture"
local fs = require "itlua.fs"
local migrate = require "itlua.migrate"
local null = require "itlua.null"
local postgres = require "tests.specs.sql.support.postgres"
local sql = require "itlua.sql"

describe("fake data", function()
  it("is the same for the same seed, and another for another", function()
    local function some(seed)
      local f = fake.new(seed)
      return { f:name(), f:email(), f:uuid(), f:date(), f:integer(1, 1000000), f:sentence() }
    end
    assert.same(some(1), some(1))
    assert.same(some "word", some "word")
    assert.are_not.same(some(1), some(2))
  end)

  it("has the form that it should have", function()
    local f = fake.new(3)
    for _ = 1, 200 do
      assert.matches("^%x+%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x+$", f:uuid())
      assert.equal(36, #f:uuid())
      assert.matches("^[%w.]+@example%.com$", f:email())
      assert.matches("^%d+%.%d%d$", f:amount())
      local date = f:date("2024-02-01", "2024-02-29")
      assert.is_true(date >= "2024-02-01" and date <= "2024-02-29", date)
      local n = f:integer(-2, 2)
      assert.is_true(n >= -2 and n <= 2)
      assert.is_true(f:random() < 1)
    end
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$", f:datetime())
    assert.is_string(f:address().postcode)
  end)
end)

describe("factories", function()
  local customers = factory.define("customer", {
    table = "customers",
    fields = {
      name = factory.fake "name",
      email = function(record, f) return f:email(record.name) end,
    },
    traits = { vip = { tier = "gold" }, anonymous = { name = "Nobody", email = null } },
  })
  local orders = factory.define("order", {
    table = "orders",
    fields = { customer_id = factory.association("customer", { traits = { "vip" } }), total = factory.fake("amount", 1, 9) },
  })

  it("build records: fields, traits, overrides, in this order", function()
    local record = customers:build("vip", { name = "Ada L" })
    assert.equal("gold", record.tier)
    assert.equal("Ada L", record.name)
    assert.matches("^ada%.l%.%d+@", record.email)
    assert.equal(null, customers:build("anonymous").email)
  end)

  it("count with sequences", function()
    local things = factory.define("thing", { fields = { id = factory.sequence(),
      code = factory.sequence(function(n) return ("T-%03d"):format(n) end) } })
    assert.same({ { id = 1, code = "T-001" }, { id = 2, code = "T-002" } }, things:build_list(2))
  end)

  it("inherit", function()
    local admins = factory.define("admin", { parent = "customer", fields = { tier = "admin" } })
    local admin = admins:build("anonymous")
    assert.equal("admin", admin.tier)
    assert.equal("Nobody", admin.name)
    assert.equal("customers", admins.table)
  end)

  it("say what is wrong", function()
    assert.has_error(function() customers:build "golden" end)
    assert.matches("no trait 'golden'", select(2, pcall(customers.build, customers, "golden")))
    assert.matches("there is no factory 'nobody'; defined are: ", select(2, pcall(factory.get, "nobody")))
    assert.matches("unknown key 'field'", select(2, pcall(factory.define, "x", { field = {} })))
    assert.matches("no fake 'nose'", select(2, pcall(factory.fake, "nose")))
    local loop = factory.define("loop", { fields = { a = function(r) return r.b end, b = function(r) return r.a end } })
    assert.matches("needs itself", select(2, pcall(loop.build, loop)))
    assert.matches("neither a table nor an insert", select(2, pcall(loop.create, loop, nil, { a = 1, b = 2 })))
  end)

  describe("with a database", function()
    local server, db

    setup(function()
      server = postgres.start()
      db = sql.connect(server:url())
      migrate.open(db, "tests/fixtures/migrations/shop"):up()
    end)
    before_each(function() db:exec "TRUNCATE customers, orders RESTART IDENTITY" end)
    teardown(function()
      db:close()
      server:stop()
    end)

    it("create rows, and what they belong to", function()
      local order = orders:create(db, { total = "3.50" })
      assert.equal("3.50", order.total)
      assert.row(db, "SELECT c.tier FROM customers c JOIN orders o ON o.customer_id = c.id").equals { tier = "gold" }
      assert.equal(3, #customers:create_list(db, 3))
      assert.table(db, "customers").count(4)
    end)

    it("store by a function of one's own", function()
      local by_hand = factory.define("by_hand", {
        fields = { name = "hand" },
        insert = function(database, record)
          return database:one("INSERT INTO customers (name) VALUES ($1) RETURNING id, name", record.name)
        end,
      })
      assert.same({ id = 1, name = "hand" }, by_hand:create(db))
    end)

    describe("fixtures", function()
      it("of CSV, JSON, YAML and SQL go in with parents first; sequences follow", function()
        local rows = fixture.load(db, "tests/fixtures/rows")
        assert.equal("Ada, Countess", rows.customers[1].name)
        assert.equal('Grace "Amazing" Hopper', rows.customers[2].name)
        assert.equal(null, rows.customers[2].email)
        assert.equal("12.50", rows.orders.first.total)
        assert.equal(3, customers:create(db).id)
        assert.no.orphans(db)
      end)

      it("may be a table", function()
        local rows = fixture.load(db, {
          orders = { { customer_id = 7, total = 1 } },
          customers = { ada = { id = 7, name = "Ada" } },
        })
        assert.equal(7, rows.customers.ada.id)
        assert.equal("1.00", rows.orders[1].total)
        rows = fixture.load(db, {
          ["public.orders"] = { { customer_id = 8, total = 2 } }, customers = { { id = 8, name = "Bo" } },
        })
        assert.equal(8, rows["public.orders"][1].customer_id)
      end)

      it("are loaded whole or not at all, and name the row", function()
        local err = assert.raises({ kind = "fixture", code = "INSERT", sqlstate = "23514" }, fixture.load, db, {
          customers = { { id = 1, name = "A" } },
          orders = { good = { customer_id = 1, total = 1 }, worse = { customer_id = 1, total = -1 } },
        })
        assert.matches("orders worse: ", err.message, 1, true)
        assert.table(db, "customers").is_empty()
      end)

      it("of a wrong form say which file and where", function()
        local folder <close> = fs.tempdir()
        local function load(name, text)
          fs.write(fs.join(folder.path, name), text)
          return assert.raises({ kind = "fixture" }, fixture.load, db, fs.join(folder.path, name)).message
        end
        assert.matches("customers.csv: line 3 has 1 fields, the first line names 2",
          load("customers.csv", "id,name\n1,a\n2\n"), 1, true)
        assert.matches("customers.csv: line 2: a quote is not closed", load("customers.csv", 'id,name\n1,"a\n'), 1, true)
        assert.matches("bad.json: ", load("bad.json", "{"), 1, true)
        assert.matches("bad.yaml: line 1", load("bad.yaml", "a: ]"), 1, true)
        assert.matches("orders.yaml: first total is 3, not a row", load("orders.yaml", "first:\n  total: 3\n"), 1, true)
        assert.matches("table 'orders' holds no rows",
          assert.raises({ kind = "fixture" }, fixture.load, db, { orders = 5 }).message, 1, true)
        assert.matches("bad.sql: ", load("bad.sql", "SELEC 1"), 1, true)
        assert.matches("is no fixture", load("bad.txt", ""), 1, true)
      end)
    end)
  end)
end)
