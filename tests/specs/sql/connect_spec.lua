-- Connecting: where to, and what can go wrong.
local core = require "itlua.core"
local postgres = require "tests.specs.sql.support.postgres"
local sql = require "itlua.sql"
local task = require "itlua.task"

-- No trust: passwords over TCP, so that a wrong one is one.
local hba = [[
local all all trust
host guarded all 127.0.0.1/32 scram-sha-256
host all nobody 127.0.0.1/32 reject
host all all 127.0.0.1/32 trust
host all all ::1/128 trust
]]

describe("sql.connect", function()
  local server

  setup(function()
    server = postgres.start { hba = hba, settings = { max_connections = 8, superuser_reserved_connections = 0 } }
    local db <close> = sql.connect(server:url())
    db:exec "CREATE ROLE app LOGIN PASSWORD 'secret'; CREATE ROLE nobody LOGIN; CREATE ROLE few LOGIN CONNECTION LIMIT 1"
    db:exec "CREATE DATABASE guarded"
  end)

  teardown(function() server:stop() end)

  local function refused(where)
    local ok, err = pcall(sql.connect, where)
    assert.is_false(ok)
    return err
  end

  local function works(where)
    local db <close> = sql.connect(where)
    assert.equal(1, db:value "SELECT 1")
    return db:info()
  end

  it("takes a URL, libpq's words, or a table", function()
    works(server:url())
    works(("postgres://postgres@127.0.0.1:%d/postgres?application_name=spec"):format(server.port))
    works(("host=127.0.0.1 port=%d user=postgres dbname=postgres"):format(server.port))
    works { host = "127.0.0.1", port = server.port, user = "postgres", database = "postgres" }
    assert.equal("guarded", works { url = server:url(), user = "app", password = "secret", database = "guarded" }.database)
  end)

  it("goes by name, by socket, by several hosts", function()
    works(("postgresql://postgres@localhost:%d/postgres"):format(server.port))
    works { host = server.socket, port = server.port, user = "postgres", database = "postgres" }
    works(("postgresql:///postgres?host=%s&port=%d&user=postgres"):format(server.socket, server.port))
    works(("postgresql://postgres@127.0.0.1:1,localhost:%d/postgres"):format(server.port))
  end)

  it("sets what the session is told", function()
    local db <close> = sql.connect {
      url = server:url(), application_name = "mine", settings = { search_path = "pg_catalog", work_mem = "7MB" },
    }
    assert.equal("mine", db:value "SHOW application_name")
    assert.equal("pg_catalog", db:value "SHOW search_path")
    assert.equal("7MB", db:value "SHOW work_mem")
    assert.equal("UTF8", db:value "SHOW client_encoding")
    assert.raises({ kind = "sql", code = "42704" },
      function() sql.connect { url = server:url(), settings = { nonsense = 1 } } end)
  end)

  it("does not show the password", function()
    local mark = core.mark()
    local url = ("postgresql://app:secret@127.0.0.1:%d/guarded"):format(server.port)
    local db <close> = sql.connect(url)
    assert.not_matches("secret", tostring(db))
    assert.not_matches("secret", refused((url:gsub("secret", "secret2"))).message)
    for _, span in ipairs(core.timeline(mark)) do assert.not_matches("secret", span.detail) end
  end)

  it("says what is wrong with what it was given", function()
    assert.matches("connect_spec.lua:%d+: no database for mysql://", refused "mysql://localhost/x")
    assert.matches("invalid port number", tostring(refused "postgresql://localhost:99999/x"))
    assert.matches("sql.connect: .*invalid", tostring(refused "postgresql://local host/%zz"))
    assert.matches("there is no option \"databse\"", refused { databse = "x" })
    assert.matches("option 'timeout' must be a number", refused { url = server:url(), timeout = "5" })
    assert.matches("needs a URL or a table", refused(nil))
    assert.matches("needs a URL or a table", refused(7))
  end)

  it("names a host that does not exist", function()
    local err = refused "postgresql://postgres@no-such-host.invalid:5432/postgres"
    assert.equal("dns", err.kind)
    assert.matches("no%-such%-host%.invalid", err.message)
  end)

  it("names a server that is not there", function()
    local err = refused "postgresql://postgres@127.0.0.1:1/postgres"
    assert.subset({ kind = "sql", code = "ECONNREFUSED", op = "sql.connect" }, err)
    assert.matches("cannot connect to postgresql://postgres@127.0.0.1:1/postgres: Connection refused", err.message, 1, true)
    err = refused { host = "/tmp/no-such-folder", user = "postgres" }
    assert.subset({ kind = "sql", code = "ENOENT" }, err)
  end)

  it("says what the server says", function()
    local base = { host = "127.0.0.1", port = server.port }
    local function with(more)
      for name, value in pairs(base) do more[name] = value end
      return refused(more)
    end
    assert.subset({ kind = "sql", code = "28P01", primary = 'password authentication failed for user "app"' },
      with { user = "app", password = "wrong", database = "guarded" })
    assert.subset({ kind = "sql", code = "28P01" }, with { user = "app", database = "guarded", passfile = "/nonexistent" })
    assert.subset({ kind = "sql", code = "3D000", primary = 'database "missing" does not exist' },
      with { user = "postgres", database = "missing" })
    assert.subset({ kind = "sql", code = "28000" }, with { user = "nobody", database = "postgres" })
    assert.subset({ kind = "sql", code = "28000" }, with { user = "unknown", database = "postgres" })
    assert.matches("guarded: password authentication failed", with { user = "app", password = "wrong",
      database = "guarded" }.message)
  end)

  it("says when there are too many connections", function()
    local one <close> = sql.connect(server:url("postgres", "few"))
    assert.subset({ kind = "sql", code = "53300" }, refused(server:url("postgres", "few")))
    one:close()
    -- Connections of before may still be ending on the server, and count until they have.
    local open = {}
    task.eventually(function()
      open[#open + 1] = sql.connect(server:url())
      return #open == 8
    end, { timeout = 20 })
    local err = refused(server:url())
    assert.subset({ kind = "sql", code = "53300" }, err)
    assert.matches("too many clients", err.message)
    for _, db in ipairs(open) do db:close() end
    task.eventually(function() works(server:url()) end, { timeout = 20 })
  end)

  it("gives up when the server does not answer", function()
    server:signal "STOP"
    finally(function() server:signal "CONT" end)
    local started = core.now()
    local err = refused { url = server:url(), timeout = 0.3 }
    assert.subset({ kind = "timeout", code = "CONNECT" }, err)
    assert.matches("no connection to .* within 0.3 s", err.message)
    assert.is_true(core.now() - started < 20)
    assert.raises({ kind = "timeout" }, function()
      task.timeout(0.2, function() sql.connect { url = server:url() } end)
    end)
  end)

  it("is stopped with its task", function()
    server:signal "STOP"
    finally(function() server:signal "CONT" end)
    local connecting = task.spawn(function() sql.connect(server:url()) end)
    task.sleep(0.05)
    connecting:cancel()
    local ok, err = pcall(connecting.join, connecting)
    assert.is_false(ok)
    assert.equal("cancelled", err.kind)
  end)

  it("connects many at once", function()
    local tasks = {}
    for i = 1, 6 do
      tasks[i] = function()
        local db <close> = sql.connect(server:url())
        return db:value("SELECT $1::int", i)
      end
    end
    local results = task.all(tasks)
    for i = 1, 6 do assert.equal(i, results[i]) end
  end)

  it("takes its defaults from nowhere else than the environment", function()
    local keywords = require("itlua.sql.address").parse { host = "127.0.0.1", user = "u" }
    assert.equal("u", keywords.dbname)
    assert.equal("UTF8", keywords.client_encoding)
  end)

  it("speaks TLS", function()
    local secure <close> = postgres.start { tls = true }
    local db <close> = sql.connect { url = secure:url(), sslmode = "require" }
    assert.is_true(db:value "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    for size = 8000, 40000, 997 do
      assert.equal(size, #db:value("SELECT repeat('x', $1)", size))
      assert.equal(size, db:value("SELECT length($1::text)", ("x"):rep(size)))
    end
    assert.equal(100, #db:query("SELECT repeat('x', 20000) FROM generate_series(1, 100)"))
    db:exec "CREATE TABLE t (v text)"
    assert.equal(5000, db:copy_in("t", (("x"):rep(3000) .. "\n"):rep(5000)))
    assert.equal(5000, db:copy_out("t", function() task.sleep(0) end))
    assert.raises({ kind = "timeout" }, function()
      task.timeout(0.1, function() db:query "SELECT repeat('x', 10000), pg_sleep(0.001) FROM generate_series(1, 10000)" end)
    end)
    assert.equal(1, db:value "SELECT 1")
    local capture <close> = db:listen "c"
    db:exec "NOTIFY c, 'x'"
    assert.equal("x", capture:wait_for(nil, { timeout = 20 }).payload)
    assert.raises({ kind = "sql", message = "server does not support SSL" },
      function() sql.connect { url = server:url(), sslmode = "require" } end)
    assert.raises({ kind = "sql", message = "certificate" },
      function() sql.connect { url = secure:url(), sslmode = "verify-full", sslrootcert = secure.data .. "/none.crt" } end)
  end)

  describe("drivers of other schemes", function()
    local function fake()
      local statements = {}
      local class = sql.driver {
        query = function(_, text)
          statements[#statements + 1] = text
          if text:find "^SELECT" then return { { n = 7 } } end
          return {}
        end,
        exec = function(_, text)
          statements[#statements + 1] = text
          if text == "fail" then error("it failed", 0) end
          return 1
        end,
        close = function(self) self.closed = true end,
      }
      sql.register("fake", { connect = function(where) return setmetatable({ where = where }, class) end })
      finally(function() sql.schemes.fake = nil end)
      return statements
    end

    it("get a whole database from query, exec and close", function()
      local statements = fake()
      local db = sql.connect "fake://somewhere"
      assert.equal("fake://somewhere", db.where.url)
      assert.is_true(sql.is_database(db))
      assert.same({ n = 7 }, db:one "SELECT x")
      assert.equal(7, db:value "SELECT x")
      for row in db:cursor "SELECT x" do assert.equal(7, row.n) end
      assert.row(db, "SELECT x").equals { n = 7 }
      assert.equal("done", db:transaction(function()
        db:exec "one"
        pcall(db.transaction, db, function() db:exec "fail" end)
        return "done"
      end))
      assert.same({ "BEGIN", "one", "SAVEPOINT itlua_2", "fail",
        "ROLLBACK TO SAVEPOINT itlua_2; RELEASE SAVEPOINT itlua_2", "COMMIT" },
        table.move(statements, #statements - 5, #statements, 1, {}))
      do local _ <close> = db end
      assert.is_true(db.closed)
    end)

    it("need the methods", function()
      assert.has.errors(function() sql.driver { query = print } end)
      assert.has.errors(function() sql.register("x", {}) end)
      fake()
      assert.has.errors(function() sql.pool "fake://x" end)
    end)
  end)
end)
