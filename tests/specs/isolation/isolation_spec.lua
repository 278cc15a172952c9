local core = require "itlua.core"
local fs = require "itlua.fs"
local postgres = require "tests.specs.sql.support.postgres"
local process = require "itlua.process"
local sql = require "itlua.sql"

local MIGRATIONS = "tests/fixtures/migrations/shop"
local OWN_DATABASES = "SELECT count(*) FROM pg_database WHERE datname LIKE 'itlua\\_db%'"

-- Runs spec files of their own against the server, as a user would; returns the result and what was printed.
local function run_specs(server, files, options)
  local folder <close> = fs.tempdir()
  for name, text in pairs(files) do fs.write(fs.join(folder.path, name), (text:gsub("$URL", server:url "shop"))) end
  local command = { process.self(), folder.path, "-o", "plainTerminal" }
  for _, word in ipairs(options or {}) do command[#command + 1] = word end
  return process.run { command = command, merge = true, timeout = 290 }
end

describe("isolation", function()
  local server, db

  setup(function()
    server = postgres.start { settings = { max_connections = 80 } }
    local admin <close> = sql.connect(server:url())
    admin:exec "CREATE DATABASE shop"
    db = sql.connect(server:url "shop")
    require("itlua.migrate").open(db, MIGRATIONS):up()
  end)
  teardown(function()
    db:close()
    server:stop()
  end)

  local counting = [[
    local sql = require "itlua.sql"
    local db = sql.connect "$URL"
    %s
    describe("customers", function()
      for i = 1, 3 do
        it("starts from the same " .. i, function()
          assert.equal(0, db:value "SELECT count(*) FROM customers")
          local id = db:value("INSERT INTO customers (name) VALUES ($1) RETURNING id", "c" .. i)
          db:transaction(function() db:exec("INSERT INTO orders (customer_id, total) VALUES ($1, 1)", id) end)
          pcall(db.transaction, db, function() db:exec "INSERT INTO customers (name) VALUES (NULL)" end)
          assert.equal(1, db:value "SELECT count(*) FROM orders")
        end)
      end
    end)]]

  it("by transaction rolls every test back, its own transactions too", function()
    local result = run_specs(server, { ["a_spec.lua"] = counting:format 'db:isolate { by = "transaction" }' })
    assert.equal(0, result.code, result.stdout)
    assert.matches("3 successes", result.stdout)
    assert.table(db, "customers").is_empty()
  end)

  it("by truncate empties what was filled; numbers start anew, seeds come back", function()
    db:exec "TRUNCATE customers, orders RESTART IDENTITY; INSERT INTO customers (id, name) VALUES (100, 'seed')"
    local result = run_specs(server, { ["a_spec.lua"] = [[
      local sql = require "itlua.sql"
      local db = sql.connect "$URL"
      local service = sql.connect "$URL"
      db:isolate { by = "truncate" }
      for i = 1, 3 do
        it("starts from the same " .. i, function()
          assert.same({ { id = 100, name = "seed" } }, { table.unpack(db:query "SELECT id, name FROM customers") })
          assert.equal(1, service:value "INSERT INTO orders (customer_id, total) VALUES (100, 1) RETURNING id")
          service:exec "UPDATE customers SET name = 'changed'"
        end)
      end]] })
    assert.equal(0, result.code, result.stdout)
    assert.table(db, "orders").is_empty()
    assert.row(db, "SELECT name FROM customers").equals { name = "seed" }
    db:exec "TRUNCATE customers, orders; DROP SCHEMA itlua_seeds CASCADE"
  end)

  it("by truncation brings back what computes, what refers in a circle, and what triggers would add to", function()
    local result = run_specs(server, { ["a_spec.lua"] = [=[
      local sql = require "itlua.sql"
      local admin <close> = sql.connect "$URL"
      admin:exec "CREATE DATABASE knots"
      local db = sql.connect(("$URL"):gsub("shop$", "knots"))
      db:exec [[
        CREATE TABLE "odd %t ""%i" (id serial PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED);
        INSERT INTO "odd %t ""%i" (a) VALUES (1);
        CREATE TABLE hen (id int PRIMARY KEY, egg int);
        CREATE TABLE egg (id int PRIMARY KEY, hen int REFERENCES hen);
        INSERT INTO hen VALUES (1, 1); INSERT INTO egg VALUES (1, 1);
        ALTER TABLE hen ADD FOREIGN KEY (egg) REFERENCES egg;
        CREATE TABLE log (id serial PRIMARY KEY, hen int);
        CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS
          'BEGIN INSERT INTO log (hen) VALUES (NEW.id); RETURN NEW; END';
        CREATE TRIGGER log AFTER INSERT ON hen FOR EACH ROW EXECUTE FUNCTION log()]]
      db:isolate { by = "truncate" }
      for i = 1, 3 do
        it("starts from the same " .. i, function()
          assert.row(db, [[SELECT id, a, twice FROM "odd %t ""%i"]]).equals { id = 1, a = 1, twice = 2 }
          assert.table(db, "log").is_empty()
          assert.row(db, "SELECT hen.id, hen.egg, egg.hen FROM hen, egg").equals { id = 1, egg = 1, hen = 1 }
          assert.equal(2, db:value [[INSERT INTO "odd %t ""%i" (a) VALUES (5) RETURNING id]])
          db:exec "INSERT INTO hen VALUES (2, 1)"
        end)
      end]=] })
    db:exec "DROP DATABASE IF EXISTS knots WITH (FORCE)"
    assert.equal(0, result.code, result.stdout)
  end)

  it("by database gives each file one of its own, migrated and seeded, and drops it", function()
    local text = [[
      local sql = require "itlua.sql"
      local admin = sql.connect "$URL"
      local db = admin:isolate { by = "database", migrations = "]] .. fs.realpath(MIGRATIONS) .. [[",
        seeds = { customers = { { id = 7, name = "seed" } } } }
      it("is this file's", function()
        assert.not_equal(admin:value "SELECT current_database()", db:value "SELECT current_database()")
        assert.equal("seed", db:value "SELECT name FROM customers WHERE id = 7")
        assert.equal(8, db:value "INSERT INTO customers (name) VALUES ('next') RETURNING id")
        assert.equal(2, db:value "SELECT count(*) FROM customers")
      end)]]
    local result = run_specs(server, { ["a_spec.lua"] = text, ["b_spec.lua"] = text })
    assert.equal(0, result.code, result.stdout)
    assert.table(db, "customers").is_empty()
    assert.equal(0, db:value(OWN_DATABASES))
  end)

  it("by database for each test starts anew every time", function()
    local result = run_specs(server, { ["a_spec.lua"] = counting:format(
      'db = db:isolate { by = "database", each = "test", migrations = "' .. fs.realpath(MIGRATIONS) .. '" }') })
    assert.equal(0, result.code, result.stdout)
    assert.matches("3 successes", result.stdout)
    assert.equal(0, db:value(OWN_DATABASES))
  end)

  it("by database for each test renews what a test has asked for", function()
    local result = run_specs(server, { ["a_spec.lua"] = [[
      local sql = require "itlua.sql"
      local db
      for i = 1, 3 do
        it("starts from the same " .. i, function()
          db = db or sql.connect("$URL"):isolate { by = "database", each = "test",
            migrations = "]] .. fs.realpath(MIGRATIONS) .. [[" }
          assert.equal(1, db:value "INSERT INTO customers (name) VALUES ('x') RETURNING id")
        end)
      end]] })
    assert.equal(0, result.code, result.stdout)
    assert.equal(0, db:value(OWN_DATABASES))
  end)

  it("by database for each test survives that the connection to the next one's is lost", function()
    local result = run_specs(server, { ["a_spec.lua"] = [[
      local sql, task = require "itlua.sql", require "itlua.task"
      local admin = sql.connect "$URL"
      local db = admin:isolate { by = "database", each = "test", migrations = "]] .. fs.realpath(MIGRATIONS) .. [[" }
      local seen = {}
      for i = 1, 3 do
        it("starts from the same " .. i, function()
          assert.equal(0, db:value "SELECT count(*) FROM customers")
          db:exec "INSERT INTO customers (name) VALUES ('x')"
          seen[i] = db:info().process -- what is left of earlier ones ends by itself
          local next_one = "FROM pg_stat_activity WHERE datname LIKE 'itlua\\_db%' AND pid <> ALL ($1::text::int[])"
          local pids = "{" .. table.concat(seen, ",") .. "}"
          task.eventually(function() assert.equal(1, admin:value("SELECT count(*) " .. next_one, pids)) end, { timeout = 20 })
          admin:query("SELECT pg_terminate_backend(pid) " .. next_one, pids)
          task.eventually(function() assert.equal(0, admin:value("SELECT count(*) " .. next_one, pids)) end, { timeout = 20 })
        end)
      end]] })
    assert.equal(0, result.code, result.stdout)
    assert.equal(0, db:value(OWN_DATABASES))
  end)

  it("by database does not complain of a server that the file has ended", function()
    local result = run_specs(server, { ["a_spec.lua"] = [[
      local postgres, sql = require "tests.specs.sql.support.postgres", require "itlua.sql"
      for _, each in ipairs { "file", "test" } do
        describe("each " .. each, function()
          local own, db
          setup(function()
            own = postgres.start()
            db = sql.connect(own:url()):isolate { by = "database", each = each }
          end)
          teardown(function() own:stop() end)
          for i = 1, 3 do it("works " .. i, function() assert.equal(1, db:value "SELECT 1") end) end
        end)
      end]] })
    assert.equal(0, result.code, result.stdout)
    assert.matches("6 successes / 0 failures / 0 errors", result.stdout, 1, true)
  end)

  it("by database leaves nothing for long, even where a run was killed", function()
    local text = [[
      local db = require("itlua.sql").connect "$URL"
      db = db:isolate { by = "database", each = "test", migrations = "]] .. fs.realpath(MIGRATIONS) .. [[" }
      for i = 1, 3 do it("is one " .. i, function() if i == %d then %s end end) end]]
    local killed = run_specs(server, { ["a_spec.lua"] = text:format(2,
      'require("itlua.process").run { "kill", "-9", require("itlua.identity").current().pid }') })
    assert.not_equal(0, killed.code)
    assert.is_true(db:value(OWN_DATABASES) > 0)
    local result = run_specs(server, { ["a_spec.lua"] = text:format(2, "") })
    assert.equal(0, result.code, result.stdout)
    assert.equal(0, db:value(OWN_DATABASES))
  end)

  it("audits: who left what behind, by name", function()
    local result = run_specs(server, { ["a_spec.lua"] = [[
      local sql = require "itlua.sql"
      local db = sql.connect "$URL"
      local other = sql.connect "$URL"
      db:isolate { by = "truncate", audit = true }
      it("is tidy", function() end)
      it("leaves a customer", function() db:exec "INSERT INTO customers (name) VALUES ('left')" end)
      it("leaves a transaction", function() other:exec "BEGIN"; other:value "SELECT 1" end)
      ]] }, { "-o", "terminal" })
    assert.matches("1 row in customers   by \"leaves a customer\"", result.stdout, 1, true)
    assert.matches('by "leaves a transaction"[^\n]*\n +a transaction that is open: SELECT 1\n', result.stdout)
    assert.not_matches("by \"is tidy\"", result.stdout, 1, true)
  end)

  it("audits what a test adds to what was there, in a database of the file's own too", function()
    local result = run_specs(server, { ["a_spec.lua"] = [[
      local sql = require "itlua.sql"
      local db = sql.connect("$URL"):isolate { by = "database", migrations = "]] .. fs.realpath(MIGRATIONS) .. [[",
        seeds = { customers = { { id = 7, name = "seed" } } } }
      it("is tidy", function() end)
      it("leaves two", function() db:exec "INSERT INTO customers (name) VALUES ('a'), ('b')" end)
      it("is tidy after it", function() end)
      it("begins", function() db:exec "BEGIN"; db:exec "INSERT INTO customers (name) VALUES ('c')" end)
      it("is tidy in it", function() end)
      it("spoils it", function() pcall(db.exec, db, "SELEC") end)]],
      ["b_spec.lua"] = [[
      local db = require("itlua.sql").connect "$URL"
      db:exec "INSERT INTO customers (name) VALUES ('seed')"
      teardown(function() db:exec "TRUNCATE customers, orders" end)
      describe("by truncation", function()
        db:isolate { by = "truncate" }
        it("is seeded", function() end)
        it("leaves one more", function() db:exec "INSERT INTO customers (name) VALUES ('more')" end)
        it("leaves its own open", function() db:exec "BEGIN" end)
      end)]],
      ["c_spec.lua"] = [[
      local db = require("itlua.sql").connect "$URL"
      db:isolate { by = "transaction" }
      it("is undone", function() db:exec "INSERT INTO customers (name) VALUES ('undone')" end)
      it("commits", function() db:exec "COMMIT" end)]] }, { "--audit", "-o", "terminal", "-j", "1", "--concurrency", "1" })
    assert.equal(0, result.code, result.stdout)
    assert.matches('2 rows in customers   by "leaves two"', result.stdout)
    assert.matches('1 row in customers   by "leaves one more"', result.stdout)
    assert.matches('by "begins"[^\n]*\n +1 row in customers\n +a transaction that is open', result.stdout)
    assert.matches('a transaction that is open   by "leaves its own open"', result.stdout)
    assert.matches('by "commits"[^\n]*\n +its transaction was ended in it: what it wrote stays', result.stdout)
    for _, tidy in ipairs { "is tidy", "is tidy after it", "is tidy in it", "is seeded", "is undone" } do
      assert.not_matches('by "' .. tidy .. '"', result.stdout, 1, true)
    end
  end)

  it("keeps 200 files apart that run 8 at a time, shuffled #heavy", function()
    local files = {}
    local text = [[
      local sql = require "itlua.sql"
      local admin = sql.connect "$URL"
      local db = admin:isolate { by = "database", migrations = "]] .. fs.realpath(MIGRATIONS) .. [[" }
      admin:close()
      for i = 1, 2 do
        it("sees only its own " .. i, function()
          db:exec("INSERT INTO customers (name) VALUES ($1)", "%d-" .. i)
          for _, row in ipairs(db:query "SELECT name FROM customers") do assert.matches("^%d%%-", row.name) end
        end)
      end]]
    for i = 1, 200 do files[("f%03d_spec.lua"):format(i)] = text:format(i, i) end
    local from = core.now()
    local result = run_specs(server, files, { "-j", "2", "--concurrency", "4", "--shuffle" })
    assert.equal(0, result.code, result.stdout)
    assert.matches("400 successes", result.stdout)
    assert.is_true(core.now() - from < 290)
    assert.equal(0, db:value(OWN_DATABASES))
  end, { timeout = 300 })

  it("says how it is to be called", function()
    assert.matches('isolate needs { by = "database" | "transaction" | "truncate" }',
      select(2, pcall(db.isolate, db, { by = "magic" })), 1, true)
  end)
end)
