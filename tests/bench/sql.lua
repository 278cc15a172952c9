-- itlua.sql against libpq in C (sql_raw.c, which it compiles) and psql:    build/itlua exec tests/bench/sql.lua [ROUNDS]
--
-- Every row is measured several times, ours and theirs in turn; the medians are compared. A line a row: name, our
-- figure, theirs, the ratio, what it has to reach. Exit code 1 when one is missed.
local core = require "itlua.core"
local fs = require "itlua.fs"
local postgres = require "tests.specs.sql.support.postgres"
local process = require "itlua.process"
local sql = require "itlua.sql"

local rounds, missed = tonumber(arg[1]) or 5, 0
local raw <close> = fs.tempdir()
process.run { "/bin/sh", "-c", ("cc -O2 -o %s/sql_raw tests/bench/sql_raw.c $(pkg-config --cflags --libs libpq)"):format(
  raw.path), check = true }

local server <close> = postgres.start { settings = { shared_buffers = "256MB" } }
local db <close> = sql.connect(server:url())

db:exec [[
  CREATE TABLE bench (id int PRIMARY KEY, name text, total numeric);
  INSERT INTO bench SELECT i, 'name ' || i, i / 4.0 FROM generate_series(1, 1000) i;
  CREATE TABLE bench_in (id int, name text, total numeric);
  CREATE TABLE million AS SELECT i AS id, 'name ' || i AS name, i / 4.0 AS total FROM generate_series(1, 1000000) i;
]]
db:exec "VACUUM ANALYZE"

local function timed(fn)
  collectgarbage()
  local from = core.now()
  fn()
  return core.now() - from
end

local function in_c(what, n)
  local result = process.run { raw.path .. "/sql_raw", server:url(), what, tostring(n), check = true }
  return tonumber(result.stdout)
end

local function psql(statement, stdin)
  return timed(function()
    process.run { "/bin/sh", "-c", ('psql -X -q -A -t -c "%s" "%s" %s'):format(statement, server:url(), stdin or
      "> /dev/null"), check = true, timeout = 120 }
  end)
end

local function median(values)
  table.sort(values)
  return values[#values // 2 + 1]
end

-- `per` is how many make a rate; a ratio of rates has to be at least, one of times at most `reach`. What is short is
-- measured several times as often: `times`.
local function row(name, reach, per, ours, theirs, times)
  local mine, other = {}, {}
  for i = 1, rounds * (times or 1) do
    other[i], mine[i] = theirs(), ours()
  end
  local a, b = median(mine), median(other)
  local ratio = per and b / a or a / b
  local fine = per and ratio >= reach or not per and ratio <= reach
  if not fine then missed = missed + 1 end
  if per then
    print(("%-44s %9.0f /s   against %9.0f /s   ratio %.2f   (reach %.2f)%s"):format(name, per / a, per / b, ratio, reach,
      fine and "" or "   MISSED"))
  else
    print(("%-44s %9.3f s    against %9.3f s    ratio %.2f   (at most %.2f)%s"):format(name, a, b, ratio, reach,
      fine and "" or "   MISSED"))
  end
end

local n = 4000
row("sequential parameterised SELECTs", 0.7, n, function()
  return timed(function()
    for i = 1, n do db:query("SELECT id, name, total FROM bench WHERE id = $1", i % 1000 + 1) end
  end)
end, function() return in_c("select", n) end, 3)

row("sequential parameterised SELECTs, one value", 0.7, n, function()
  return timed(function()
    for i = 1, n do db:value("SELECT name FROM bench WHERE id = $1", i % 1000 + 1) end
  end)
end, function() return in_c("select", n) end, 3)

local inserts = 50000
row("pipelined inserts", 0.6, inserts, function()
  db:exec "TRUNCATE bench_in"
  return timed(function()
    db:pipeline(function(p)
      for i = 1, inserts do p:exec("INSERT INTO bench_in VALUES ($1, $2, $3)", i, "name " .. i, "12.50") end
    end)
  end)
end, function()
  db:exec "TRUNCATE bench_in"
  return in_c("insert", inserts)
end)

do -- the rows go before the next measurements: a large heap would make the collector a part of them
  local rows = 300000
  local list, lines = {}, {}
  for i = 1, rows do
    list[i] = { i, "name " .. i, "12.50" }
    lines[i] = ("%d\tname %d\t12.50\n"):format(i, i)
  end
  local text = table.concat(lines)
  local file = fs.join(server.folder, "rows.txt")
  fs.write(file, text)

  local function copied_by_psql()
    db:exec "TRUNCATE bench_in"
    return psql("\\copy bench_in from stdin", "< " .. file)
  end

  row("COPY in, text, against psql \\copy", 0.8, rows, function()
    db:exec "TRUNCATE bench_in"
    return timed(function() db:copy_in("bench_in", text) end)
  end, copied_by_psql)

  row("COPY in, Lua rows, against psql \\copy", 0.8, rows, function()
    db:exec "TRUNCATE bench_in"
    return timed(function() db:copy_in("bench_in", list) end)
  end, copied_by_psql)

  row("COPY out, against psql \\copy", 0.8, 1000000, function()
    return timed(function() db:copy_out("million", function() end) end)
  end, function() return psql("\\copy million to stdout") end)

end

local most, ids = 0, 0
row("1,000,000 rows by cursor, against psql", 3, nil, function()
  return timed(function()
    local before, seen = collectgarbage "count", 0
    for r in db:cursor "SELECT id, name, total FROM million" do
      ids, seen = ids + r.id, seen + 1
      if seen % 50000 == 0 then most = math.max(most, collectgarbage "count" - before) end
    end
  end)
end, function() return psql "SELECT id, name, total FROM million" end)
print(("%-44s %9.1f MB of Lua memory at most"):format("  its memory", most / 1024))

local turns = 1000
row("a transaction with one INSERT, rolled back", 2, nil, function()
  return timed(function()
    for _ = 1, turns do
      db:exec "BEGIN"
      db:exec("INSERT INTO bench_in VALUES ($1, $2, $3)", 1, "name", "12.50")
      db:exec "ROLLBACK"
    end
  end)
end, function() return in_c("rollback", turns) end, 5)

if missed > 0 then error(missed .. " missed", 0) end
