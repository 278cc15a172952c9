--- Rows about data: Redis against hiredis and redis-benchmark; PostgreSQL by tests/bench/sql.lua.

local core = require "itlua.core"
local fs = require "itlua.fs"
local peers = require "tests.bench.peers"
local process = require "itlua.process"

local connect = 'local r = require("itlua.redis").connect "redis://127.0.0.1:%d"'

-- As many connections on either side, each with 100 commands under way.
local function pipelined(clients)
  return function(compare)
    local redis <close> = peers.redis()
    return compare(function()
      return peers.in_test(([[
        local redis, task = require "itlua.redis", require "itlua.task"
        local clients, rounds = %d, %d
        local pipelines = {}
        for i = 1, clients do
          local r = redis.connect "redis://127.0.0.1:%d"
          pipelines[i] = function()
            for _ = 1, rounds do
              r:pipeline(function(p)
                for _ = 1, 100 do p:set("key:000000000000", "xxx") end
              end)
            end
          end
        end]]):format(clients, 4000 // clients, redis.port), "task.all(pipelines)") / 400000
    end, function()
      local out = peers.output { "redis-benchmark", "-p", redis.port, "-t", "set", "-P", "100", "-n", "400000", "-c",
        clients, "--csv" }
      return 1 / tonumber(out:match '"SET","([%d.]+)"')
    end)
  end
end

-- What passes from the end of one test to the start of the next, which has a database of its own.
local renewing = [[
  local core, fs, sql = require "itlua.core", require "itlua.fs", require "itlua.sql"
  local db = sql.connect(%q):isolate { by = "database", each = "test", migrations = %q }
  local tests, total, ended = 8, 0, nil
  for i = 0, tests do
    it("has its own " .. i, function()
      if ended then total = total + core.now() - ended end
      assert.are.equal(0, db:value "SELECT count(*) FROM t1")
      db:exec "INSERT INTO t1 (name) VALUES ('x')"
      core.sleep(0.5) -- the next one is made ahead
      if i == tests then fs.write(%q, tostring(total / tests)) end
      ended = core.now()
    end)
  end
]]

local function fresh_database(compare)
  local postgres = require "tests.specs.sql.support.postgres"
  local server <close> = postgres.start()
  local dir <close> = fs.tempdir()
  local tables = {}
  for i = 1, 10 do
    tables[i] = ("CREATE TABLE t%d (id serial PRIMARY KEY, name text UNIQUE, made timestamptz DEFAULT now());"):format(i)
  end
  local all = table.concat(tables, "\n")
  dir:write("migrations/001_tables.up.sql", all)
  local spec = dir:write("fresh_spec.lua", renewing:format(server:url(), dir:join "migrations", dir:join "seconds"))
  peers.output { "psql", "-Xqc", "CREATE DATABASE ten", server:url() }
  peers.output { "psql", "-Xqc", all, server:url "ten" }
  local made = 0
  return compare(function()
    peers.output { peers.itlua, spec }
    return tonumber(fs.read(dir:join "seconds"))
  end, function()
    made = made + 1
    local from = core.now()
    peers.output { "psql", "-Xqc", ("CREATE DATABASE made%d TEMPLATE ten"):format(made), server:url() }
    return core.now() - from
  end)
end

-- A line of sql.lua: name, our figure, theirs, "ratio R", "(reach R)" or "(at most R)", MISSED where it was missed.
local function parse(line)
  local name, ours, theirs, ratio, bound, reach = line:match
    "^(.-)%s%s+(%S+ %S+)%s+against%s+(%S+ %S+)%s+ratio ([%d.]+)%s+%((%D-) ([%d.]+)%)"
  if not name then return nil end
  return { what = name, against = name:find "against psql" and "psql" or "the same on libpq in C",
    reach = bound == "at most" and ("at most %g of its time"):format(reach) or ("%g of its rate"):format(reach),
    figure = ("%s (%s, %s)"):format(ratio, ours, theirs), met = not line:find "MISSED" }
end

return {
  { key = "set", what = "Redis: sequential SET", against = "a hiredis loop in C", as = "rate", per = 5000, reach = 0.8,
    times = 3, needs = { "redis-server" }, run = function(compare)
      local raw = peers.program("redis_raw", "hiredis")
      local redis <close> = peers.redis()
      return compare(function()
        return peers.in_test(connect:format(redis.port), 'for _ = 1, 5000 do r:set("key:000000000000", "xxx") end')
      end, function() return tonumber(peers.output { raw, redis.port, "5000" }) end)
    end },
  { key = "pipeline", what = "Redis: pipelined SET, 100 at a time, 50 clients", against = "redis-benchmark -P 100 -c 50",
    as = "rate", per = 1, reach = 0.4, needs = { "redis-server", "redis-benchmark" }, run = pipelined(50) },
  { key = "pipeline-1", what = "Redis: the same, 1 client", against = "redis-benchmark -P 100 -c 1", as = "rate", per = 1,
    reach = 0.4, needs = { "redis-server", "redis-benchmark" }, run = pipelined(1) },
  { key = "database", what = "PostgreSQL: a fresh database for a test, 10 tables, warm", as = "time", reach = 1,
    against = "CREATE DATABASE … TEMPLATE by psql", needs = { "psql" }, run = fresh_database },
  { key = "sql", what = "PostgreSQL", against = "libpq in C, psql", needs = { "psql" }, several = function(rounds)
    local result = process.run { peers.itlua, "exec", "tests/bench/sql.lua", rounds, timeout = 1200 }
    local found = {}
    for line in result.stdout:gmatch "[^\n]+" do found[#found + 1] = parse(line) end
    if #found == 0 then error(result.stderr, 0) end
    return found
  end },
}
