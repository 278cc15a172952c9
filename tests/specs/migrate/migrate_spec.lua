local fs = require "itlua.fs"
local migrate = require "itlua.migrate"
local postgres = require "tests.specs.sql.support.postgres"
local process = require "itlua.process"
local sql = require "itlua.sql"
local statements = require "itlua.migrate.statements"
local task = require "itlua.task"

local folder = "tests/fixtures/migrations/"

describe("splitting SQL", function()
  local function texts(text)
    local list = {}
    for i, statement in ipairs(statements.split(text)) do list[i] = statement.text end
    return list
  end

  it("goes by semicolons", function()
    assert.same({ "SELECT 1", "SELECT 2" }, texts " SELECT 1 ;\n;; SELECT 2")
    assert.same({}, texts " -- nothing\n/* at all */ ;")
  end)

  it("passes over quotes, dollar quotes and comments", function()
    assert.same({ "SELECT 'a;''b', \"c;d\"", "SELECT 2" }, texts "SELECT 'a;''b', \"c;d\"; SELECT 2")
    assert.same({ [[SELECT E'a\';b']], "SELECT 2" }, texts [[SELECT E'a\';b'; SELECT 2]])
    assert.same({ [[SELECT 'a\']], "SELECT 2" }, texts [[SELECT 'a\'; SELECT 2]])
    assert.same({ "DO $$ BEGIN; END; $$", "SELECT 2" }, texts "DO $$ BEGIN; END; $$; SELECT 2")
    assert.same({ "DO $x$ $$;$$ $x$", "SELECT $1" }, texts "DO $x$ $$;$$ $x$; SELECT $1")
    assert.same({ "SELECT 1 -- a;b\n+ 2", "SELECT 2" }, texts "SELECT 1 -- a;b\n+ 2; SELECT 2")
    assert.same({ "SELECT /* a /* ; */ ; */ 1", "SELECT 2" }, texts "SELECT /* a /* ; */ ; */ 1; SELECT 2")
  end)

  it("keeps BEGIN ATOMIC bodies whole", function()
    assert.same({ "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END", "SELECT 3" },
      texts "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; SELECT 3")
    assert.same({ "BEGIN", "COMMIT" }, texts "BEGIN; COMMIT;")
  end)

  it("says on which line each begins", function()
    local list = statements.split "\n\nSELECT 1;\n\n  -- two\n  SELECT 2;"
    assert.equal(3, list[1].line)
    assert.equal(5, list[2].line)
  end)
end)

describe("migrations", function()
  local server, db

  setup(function()
    server = postgres.start()
  end)
  before_each(function()
    local admin <close> = sql.connect(server:url())
    admin:exec "DROP DATABASE IF EXISTS migrated WITH (FORCE)"
    admin:exec "CREATE DATABASE migrated"
    db = sql.connect(server:url "migrated")
  end)
  after_each(function() db:close() end)
  teardown(function() server:stop() end)

  local function tables()
    return db:value [[SELECT coalesce(string_agg(relname, ' ' ORDER BY relname), '') FROM pg_class
      WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace]]
  end

  it("go up in order, once, and down again", function()
    local migrations = migrate.open(db, folder .. "shop")
    assert.same({ "001", "002" }, migrations:up())
    assert.same({}, migrations:up())
    assert.equal("customers itlua_migrations orders", tables())
    assert.equal("A;", db:value "SELECT shout('a')")
    assert.same({ "002" }, migrations:down())
    assert.equal("customers itlua_migrations", tables())
    assert.same({ "001" }, migrations:down(5))
    assert.equal("itlua_migrations", tables())
  end)

  it("may be named and written as dbmate has them, one of them outside of a transaction", function()
    local dir <close> = fs.tempdir {}
    dir:write("20240501120000_create_orders.sql", "-- migrate:up\nCREATE TABLE orders (id int);\n\n-- migrate:down\n" ..
      "DROP TABLE orders;\n")
    dir:write("20240502120000_index_orders.sql", "-- migrate:up transaction:false\n" ..
      "CREATE INDEX CONCURRENTLY by_id ON orders (id);\n-- migrate:down transaction:false\nDROP INDEX CONCURRENTLY by_id;\n")
    local migrations = migrate.open(db, dir.path)
    assert.same({ "20240501120000", "20240502120000" }, migrations:up())
    assert.equal("itlua_migrations orders", tables())
    assert.same({ "20240502120000" }, migrations:down())
    assert.same({ "20240501120000" }, migrations:down())
    assert.equal("itlua_migrations", tables())
    dir:write("20240503120000_broken.sql", "-- migrate:up\nSELECT 1;\nSELECT nothing;\n-- migrate:down\n")
    local err = select(2, pcall(migrations.up, migrate.open(db, dir.path)))
    assert.matches("20240503120000_broken.sql:3", tostring(err.message or err), 1, true)
  end)

  it("go to a version from either side", function()
    local migrations = migrate.open(db, folder .. "shop")
    migrations:to(1)
    assert.equal("customers itlua_migrations", tables())
    migrations:to "002"
    migrations:to(0)
    assert.equal("itlua_migrations", tables())
    assert.raises({ kind = "migration", code = "UNKNOWN_VERSION" }, migrations.to, migrations, 7)
  end)

  it("tell their status", function()
    local migrations = migrate.open(db, folder .. "shop")
    assert.subset({ { version = "001", name = "customers", applied = false }, { version = "002", applied = false } },
      migrations:status())
    migrations:up(1)
    assert.subset({ { applied = true, changed = false }, { applied = false } }, migrations:status())
  end)

  it("that fail leave nothing, and say file, line and statement", function()
    local migrations = migrate.open(db, folder .. "broken")
    local err = assert.raises({ kind = "migration", code = "FAILED" }, migrations.up, migrations)
    assert.matches("tests/fixtures/migrations/broken/001_half.up.sql:4: ", err.message, 1, true)
    assert.matches('type "integre" does not exist', err.message, 1, true)
    assert.equal(4, err.line)
    assert.equal("42704", err.sqlstate)
    assert.equal("itlua_migrations", tables())
  end)

  it("that were changed or removed after they ran are errors", function()
    local copy <close> = fs.tempdir()
    for _, name in ipairs { "001_customers.up.sql", "001_customers.down.sql" } do
      fs.copy(folder .. "shop/" .. name, fs.join(copy.path, name))
    end
    migrate.open(db, copy.path):up()
    fs.append(fs.join(copy.path, "001_customers.up.sql"), "\n-- a thought later")
    local err = assert.raises({ kind = "migration", code = "CHANGED" }, function() migrate.open(db, copy.path):up() end)
    assert.matches("write a new migration instead", err.message)
    fs.remove(fs.join(copy.path, "001_customers.up.sql"))
    fs.remove(fs.join(copy.path, "001_customers.down.sql"))
    assert.raises({ kind = "migration", code = "MISSING" }, function() migrate.open(db, copy.path):up() end)
  end)

  it("run once, however many start at the same time", function()
    local fns = {}
    for i = 1, 5 do
      fns[i] = function()
        local own <close> = sql.connect(server:url "migrated")
        return #migrate.open(own, folder .. "shop"):up()
      end
    end
    local total = 0
    for _, n in ipairs(task.all(fns)) do total = total + n end
    assert.equal(2, total)
  end)

  it("are reversible when each way down leads back", function()
    assert.migrations(db, folder .. "shop").reversible()
    assert.equal("customers itlua_migrations orders", tables())
  end)

  it("that leave something behind are named with it", function()
    local ok, err = pcall(function() assert.migrations(db, folder .. "oneway").reversible() end)
    assert.is_false(ok)
    assert.matches("001_status.down.sql does not lead back", tostring(err), 1, true)
    assert.matches("+ enum public.status: new, done", tostring(err), 1, true)
  end)

  it("without a way down say so", function()
    local copy <close> = fs.tempdir()
    fs.copy(folder .. "shop/001_customers.up.sql", fs.join(copy.path, "001_customers.up.sql"))
    local migrations = migrate.open(db, copy.path)
    migrations:up()
    assert.raises({ kind = "migration", code = "NO_WAY_DOWN" }, migrations.down, migrations)
  end)

  it("of a project's own tool are run by a command", function()
    migrate.open(db, { command = { process.self(), "version" } }):up()
    local err = assert.raises({ kind = "migration", code = "COMMAND" },
      function() migrate.open(db, { command = "echo no such table; exit 3" }):up() end)
    assert.matches("ended with code 3\nno such table", err.message, 1, true)
  end)

  it("of a project's own tool find the database in their environment, also where it is a clone", function()
    local copy <close> = fs.tempdir()
    local tool = fs.join(copy.path, "tool.lua")
    fs.write(tool, [[
      local sql = require "itlua.sql"
      local db <close> = sql.connect(os.getenv "DATABASE_URL")
      assert(db:info().database == os.getenv "PGDATABASE" and db:info().user == os.getenv "PGUSER")
      db:exec "CREATE TABLE by_tool (id int)"]])
    local command = { process.self(), "exec", tool }
    migrate.open(db, { command = command }):up()
    assert.table(db, "by_tool").is_empty()
    for _, files in ipairs { false, tool } do
      local own = db:isolate { by = "database", migrations = { command = command, files = files or nil } }
      assert.not_equal("migrated", own:info().database)
      assert.table(own, "by_tool").is_empty()
    end
  end)

  it("let go of a database where their time is over in the middle", function()
    local copy <close> = fs.tempdir()
    fs.write(fs.join(copy.path, "1_slow.up.sql"), "SELECT pg_sleep(30)")
    assert.raises({ kind = "timeout" }, task.timeout, 0.3, function() migrate.open(db, copy.path):up() end)
    local other <close> = db:clone()
    assert.same({ "001", "002" }, task.timeout(20, function() return migrate.open(other, folder .. "shop"):up() end))
  end)

  it("may build indexes beside the tables' users, where several runs begin at once", function()
    local copy <close> = fs.tempdir()
    fs.write(fs.join(copy.path, "1_a.up.sql"), "CREATE TABLE a (id int)")
    fs.write(fs.join(copy.path, "2_b.up.sql"), "-- transaction:false\nCREATE INDEX CONCURRENTLY b ON a (id)")
    local other <close> = db:clone()
    local done = task.all {
      function() return #migrate.open(db, copy.path):up() end, function() return #migrate.open(other, copy.path):up() end,
    }
    assert.equal(2, done[1] + done[2])
  end)

  it("are not called reversible where none could be tried", function()
    migrate.open(db, folder .. "shop"):up()
    local err = assert.raises({ kind = "migration", code = "APPLIED" }, function()
      assert.migrations(db, folder .. "shop").reversible()
    end)
    assert.matches("all migrations are applied already", err.message, 1, true)
  end)

  it("are refused where two have one version or one has none", function()
    local copy <close> = fs.tempdir()
    fs.write(fs.join(copy.path, "1_a.up.sql"), "SELECT 1")
    fs.write(fs.join(copy.path, "001_b.up.sql"), "SELECT 1")
    assert.raises({ kind = "migration", code = "FOLDER", message = "twice" }, migrate.open, db, copy.path)
    fs.write(fs.join(copy.path, "readme.sql"), "SELECT 1")
    assert.raises({ kind = "migration", code = "FOLDER", message = "no version" }, migrate.open, db, copy.path)
    assert.raises({ kind = "fs" }, migrate.open, db, "no/such/folder")
  end)
end)
