package.path = "tests/specs/services/?.lua;" .. package.path
local native = require "itlua.process"
local project = require "support.project"

local function installed(name)
  return native.run({ command = "ls -d /usr/lib/postgresql/*/bin/" .. name .. " $(command -v " .. name .. ")", merge = true })
    .stdout:find("/" .. name .. "\n", 1, true) ~= nil
end

local MIGRATION = "CREATE TABLE orders (id serial PRIMARY KEY, name text NOT NULL);\n"

describe("a service of kind postgres", function()
  if not installed "postgres" then
    pending "needs an installed PostgreSQL"
    return
  end

  it("is migrated, and each file has a database of its own", function()
    local spec = [[
      local services = require "itlua.services"
      local db = services.db:connect()
      describe("orders", function()
        it("are counted", function()
          assert.equal(0, db:value "SELECT count(*) FROM orders")
          db:exec("INSERT INTO orders (name) VALUES ($1)", "a")
          assert.equal(1, db:value "SELECT count(*) FROM orders")
          assert.is_not.equal(services.db.database, db:value "SELECT current_database()")
        end)
      end)
    ]]
    local dir = project.new {
      ["itlua.lua"] = project.settings [[db = { kind = "postgres", migrations = "db", provider = "native" }]],
      ["db/001_orders.up.sql"] = MIGRATION,
      ["specs/a_spec.lua"] = spec, ["specs/b_spec.lua"] = spec,
      ["specs/c_spec.lua"] = [[
        local services, sql = require "itlua.services", require "itlua.sql"
        it("is shared", function()
          local shared <close> = sql.connect(services.db.url)
          assert.equal(services.db.database, shared:value "SELECT current_database()")
          assert.equal(0, shared:value "SELECT count(*) FROM orders")
        end)
        describe("by truncation", function()
          local db = services.db:connect { by = "truncate" }
          it("fills", function() db:exec "INSERT INTO orders (name) VALUES ('a')" end)
          it("is empty", function() assert.equal(0, db:value "SELECT count(*) FROM orders") end)
        end)
      ]],
    }
    local text = project.passes(dir, { "-j", "2", "-o", "TAP" })
    assert.is_nil(text:find "left")
  end)

  it("that is restarted under a file's own database hands out others, and the file ends", function()
    local dir = project.new {
      ["itlua.lua"] = project.settings [[db = { kind = "postgres", provider = "native" }]],
      ["specs/a_spec.lua"] = [[
        local services = require "itlua.services"
        local db = services.db:connect()
        it("restarts", function()
          db:exec "CREATE TABLE t (n int)"
          services.db:restart()
          assert.has_error(function() db:value "SELECT 1" end) -- the connection went with the server
        end)
      ]],
      ["specs/b_spec.lua"] = [[
        local db = require("itlua.services").db:connect()
        it("has another", function()
          assert.equal(0, db:value "SELECT count(*) FROM pg_tables WHERE tablename = 't'")
        end)
      ]],
    }
    project.passes(dir, { "-j", "1", "--concurrency", "1" })
  end)

  it("is paused, killed and restarted with its data", function()
    local dir = project.new {
      ["itlua.lua"] = project.settings [[db = { kind = "postgres", migrations = "db", provider = "native" }]],
      ["db/001_orders.up.sql"] = MIGRATION,
      ["specs/a_spec.lua"] = [[
        local services, sql, task = require "itlua.services", require "itlua.sql", require "itlua.task"
        it("survives", function()
          local url = services.db.url
          local db = sql.connect(url)
          db:exec "INSERT INTO orders (name) VALUES ('a')"
          services.db:pause()
          assert.has_error(function() task.timeout(0.3, function() db:value "SELECT 1" end) end)
          services.db:resume()
          db:close()
          services.db:restart()
          assert.equal(url, services.db.url)
          local again <close> = sql.connect(url)
          assert.equal(1, again:value "SELECT count(*) FROM orders")
        end)
        it("is killed", function()
          services.db:signal "KILL"
          assert.has_error(function() sql.connect(services.db.url) end)
          services.db:restart()
          local db <close> = sql.connect(services.db.url)
          assert.equal(1, db:value "SELECT 1")
        end)
      ]],
    }
    project.passes(dir, { "-j", "1" })
  end)

  it("may be restarted between tests, which have their handles again, however they are isolated", function()
    local dir = project.new {
      ["itlua.lua"] = project.settings [[db = { kind = "postgres", migrations = "db", provider = "native" }]],
      ["db/001_orders.up.sql"] = MIGRATION,
      ["specs/a_spec.lua"] = [[
        local services = require "itlua.services"
        for _, options in ipairs { { by = "database" }, { by = "transaction" }, { by = "truncate" } } do
          local by = options.by
          describe(by, function()
            local db
            setup(function() db = services.db:connect(options) end)
            local function works(name)
              it(name, function()
                if by ~= "database" then assert.equal(0, db:value "SELECT count(*) FROM orders") end
                db:exec "INSERT INTO orders (name) VALUES ('x')"
              end)
            end
            works "works"
            it("restarts", function()
              db:exec "INSERT INTO orders (name) VALUES ('y')"
              services.db:restart()
            end)
            works "works again"
            it("stops", function()
              db:exec "INSERT INTO orders (name) VALUES ('z')"
              services.db:stop()
            end)
            it("finds it gone", function() assert.has_error(function() db:query "SELECT 1" end) end)
            it("starts", function() services.db:start() end)
            works "works at last"
            it("kills", function()
              services.db:signal "KILL"
              assert.eventually(function() return services.db:status().state == "ended" end, { timeout = 20 })
              services.db:start()
            end)
            works "works in the end"
          end)
        end]],
    }
    project.passes(dir, { "-j", "1", "--timeout", "60" })
  end)

  it("lets changes of its tables be captured where wal_level is logical, and its databases go all the same", function()
    local dir = project.new {
      ["itlua.lua"] = project.settings [[
        db = { kind = "postgres", migrations = "db", provider = "native", settings = { wal_level = "logical" } },
        other = { kind = "postgres", provider = "native" }]],
      ["db/001_orders.up.sql"] = MIGRATION,
      ["specs/a_spec.lua"] = [[
        local services = require "itlua.services"
        describe("orders", function()
          local db = services.db:connect()
          for i = 1, 2 do
            it("are captured " .. i, function()
              local orders = db:capture "orders" -- left open
              db:exec("INSERT INTO orders (name) VALUES ($1)", "n" .. i)
              assert.equal("insert", orders:wait_for({ name = "n" .. i }, { timeout = 20 }).operation)
              orders:expect_none({ name = "n" .. 3 - i }, { timeout = 20 })
            end)
          end
          it("are not where it is not", function()
            local ok, err = pcall(function() services.other:connect():capture() end)
            assert.is_false(ok)
            assert.equal("WAL_LEVEL", err.code)
          end)
        end)
      ]],
    }
    project.passes(dir, { "-o", "TAP" })
  end)

  it("of a version that is not there is an error that names what is", function()
    local dir = project.new {
      ["itlua.lua"] = project.settings [[db = { kind = "postgres", version = "3" }]],
      ["specs/a_spec.lua"] = [[it("fails", function() return require("itlua.services").db.url end)]],
    }
    local result = project.run(dir, { "-o", "TAP" })
    assert.equal(1, result.code)
    assert.is_truthy(result.stdout:find("service db (postgres 3) cannot be had here", 1, true))
    assert.is_truthy(result.stdout:find "native: version 3 was asked for, installed is %d+")
    assert.is_truthy(result.stdout:find("environment: DATABASE_URL is not set", 1, true))
  end)

  it("is a database of the run's own on the server of DATABASE_URL", function()
    local outer = project.new {
      ["itlua.lua"] = project.settings [[db = { kind = "postgres", provider = "native" }]],
      ["specs/a_spec.lua"] = ([=[
        local services, process = require "itlua.services", require "itlua.process"
        local fs = require "itlua.fs"
        it("is used", function()
          local r = process.run { command = { %q, "-C", "inner" }, merge = true, env = { DATABASE_URL = services.db.url } }
          assert.equal(0, r.code, r.stdout)
          local db = services.db:connect()
          local own = db:value [[SELECT shobj_description(oid, 'pg_database') FROM pg_database
            WHERE datname = current_database()]]
          local function left() -- by others
            return db:value([[SELECT count(*) FROM (SELECT shobj_description(oid, 'pg_database') AS said FROM pg_database) d
              WHERE said ~ '^itlua.owner=' AND said <> $1]], own)
          end
          assert.equal(0, left())
          -- killed as a whole, it leaves them; the next run on the server removes them
          local inner = process.start { command = { %q, "-C", "inner" }, env = { DATABASE_URL = services.db.url, HANG = "1" } }
          require("itlua.task").eventually(function() return fs.exists "inner/hangs" end, { timeout = 60 })
          local host = fs.read "inner/hangs"
          process.run { "kill", "-9", tostring(inner.pid), host }
          inner:wait()
          require("itlua.task").sleep(0.1)
          assert.is_true(left() > 0)
          assert.equal(0, process.run({ command = { %q, "-C", "inner" }, env = { DATABASE_URL = services.db.url } }).code)
          assert.equal(0, left())
        end)
      ]=]):format(native.self(), native.self(), native.self()),
      ["inner/itlua.lua"] = project.settings [[db = { kind = "postgres", migrations = "../db" }]],
      ["inner/specs/b_spec.lua"] = [[
        local services, sql = require "itlua.services", require "itlua.sql"
        it("is there", function()
          assert.equal("environment", services.db.provider)
          assert.is_truthy(services.db.database:find "^itlua_run_db_")
          local db = services.db:connect()
          assert.equal(0, db:value "SELECT count(*) FROM orders")
          local ok, err = pcall(function() services.db:stop() end)
          assert.is_false(ok)
          assert.equal("NOT_OURS", err.code)
          if os.getenv "HANG" then
            local f <close> = io.popen "pgrep -P $(ps -o ppid= -p $PPID) -f 'itlua services host'"
            require("itlua.fs").write("hangs", f:read "l", { atomic = true })
            require("itlua.task").sleep(60)
          end
        end)
      ]],
      ["db/001_orders.up.sql"] = MIGRATION,
    }
    project.passes(outer)
  end)
end)

describe("a service of kind redis", function()
  if not installed "redis-server" then
    pending "needs an installed Redis"
    return
  end

  it("gives each file a database number of its own", function()
    local spec = [[
      local services = require "itlua.services"
      describe("keys", function()
        local r = services.cache:connect()
        it("are set", function()
          assert.is_nil(r:get "k")
          r:set("k", "v")
        end)
        it("are gone", function() assert.is_nil(r:get "k") end)
      end)
    ]]
    local dir = project.new {
      ["itlua.lua"] = project.settings [[cache = { kind = "redis", provider = "native", settings = { maxmemory = "50mb" } }]],
      ["specs/a_spec.lua"] = spec, ["specs/b_spec.lua"] = spec,
      ["specs/c_spec.lua"] = [[
        local services = require "itlua.services"
        it("has its settings", function()
          local r = services.cache:connect { by = false }
          assert.equal("52428800", r:config_get("maxmemory").maxmemory)
        end)
      ]],
    }
    project.passes(dir, { "-j", "2" })
  end)

  it("comes from the first provider of a list that has it", function()
    local dir = project.new {
      ["itlua.lua"] = project.settings [[cache = { kind = "redis", provider = { "environment", "native", "docker" } }]],
      ["specs/a_spec.lua"] = [[
        it("is native", function() assert.equal("native", require("itlua.services").cache:start().provider) end)
      ]],
    }
    project.passes(dir, {})
  end)

  it("is kept between runs, whatever services others start beside it", function()
    local settings = project.settings [[cache = { kind = "redis", provider = "native" }]]
    local dir = project.new { ["itlua.lua"] = settings }
    local env = { XDG_RUNTIME_DIR = false, TMPDIR = false } -- its folder is among those of everybody
    local up = project.run(dir, { "services", "up" }, env)
    finally(function() project.run(dir, { "services", "down" }, env) end)
    assert.equal(0, up.code, up.stdout)
    project.passes(project.new { ["itlua.lua"] = settings, ["specs/a_spec.lua"] = [[
      it("is another", function() require("itlua.services").cache:start() end)
    ]] }, {}, env)
    local status = project.run(dir, { "services", "status" }, env)
    assert.equal(0, status.code, status.stdout)
    assert.equal(0, project.run(dir, { "services", "down" }, env).code)
    assert.equal(1, project.run(dir, { "services", "status" }, env).code)
  end)

  it("is the server of REDIS_URL, of which each file has a database number, and nobody ends it", function()
    local outer = project.new {
      ["itlua.lua"] = project.settings [[cache = { kind = "redis", provider = "native" }]],
      ["specs/a_spec.lua"] = ([[
        local services, redis, process = require "itlua.services", require "itlua.redis", require "itlua.process"
        it("is used", function()
          local r <close> = redis.connect(services.cache.url)
          r:set("mine", "kept")
          local run = process.run { command = { %q, "-C", "inner" }, merge = true, env = { REDIS_URL = services.cache.url } }
          assert.equal(0, run.code, run.stdout)
          assert.equal("kept", r:get "mine")
        end)
      ]]):format(native.self()),
      ["inner/itlua.lua"] = project.settings [[cache = { kind = "redis" }]],
      ["inner/specs/b_spec.lua"] = [[
        local services = require "itlua.services"
        describe("the cache", function()
          local r = services.cache:connect()
          it("is there", function()
            assert.equal("environment", services.cache.provider)
            assert.is_nil(r:get "mine")
            r:set("k", "v")
          end)
          it("is empty again, and not ours to stop", function()
            assert.is_nil(r:get "k")
            local ok, err = pcall(function() services.cache:stop() end)
            assert.is_false(ok)
            assert.equal("NOT_OURS", err.code)
            assert.matches("REDIS_URL", err.message)
          end)
        end)
      ]],
    }
    project.passes(outer)
  end)
end)

describe("a server that the environment names and that does not answer", function()
  local spec = [[
    it("db", function() return require("itlua.services").db.url end)
    it("cache", function() return require("itlua.services").cache.url end)
  ]]

  it("is an error, and no other is taken in its place", function()
    local dir = project.new {
      ["itlua.lua"] = project.settings [[db = { kind = "postgres" }, cache = { kind = "redis" }]],
      ["specs/a_spec.lua"] = spec,
    }
    local env = { DATABASE_URL = "postgresql://me:secret@127.0.0.1:1/app", REDIS_URL = "redis://127.0.0.1:1" }
    local result = project.run(dir, { "-o", "TAP" }, env)
    assert.equal(1, result.code)
    assert.matches("service db (postgres) cannot be had here", result.stdout, 1, true)
    assert.matches("environment: DATABASE_URL is set, but its server does not answer: ", result.stdout, 1, true)
    assert.matches("environment: REDIS_URL is set, but its server does not answer: ", result.stdout, 1, true)
    assert.not_matches("native", result.stdout, 1, true)
    assert.not_matches("secret", result.stdout, 1, true)
  end)

  it("is passed over where another provider was asked for", function()
    if not installed "redis-server" then
      pending "needs an installed Redis"
      return
    end
    local dir = project.new {
      ["itlua.lua"] = project.settings [[cache = { kind = "redis", provider = "native" }]],
      ["specs/a_spec.lua"] = [[it("is native", function()
        assert.equal("native", require("itlua.services").cache:start().provider)
      end)]],
    }
    project.passes(dir, {}, { REDIS_URL = "redis://127.0.0.1:1" })
  end)
end)
