local container = require "itlua.container"
local engine = require "tests.specs.container.engine"
local sql = require "itlua.sql"
local task = require "itlua.task"

local missing = engine.missing "postgres:16-alpine"
if missing then
  pending(missing)
  return
end

describe("container.run with option cache #heavy", function()
  local mark = math.random(1 << 40)
  local kept = {} -- those of others stay

  local function options(changes)
    local all = {
      image = "postgres:16-alpine", env = { POSTGRES_PASSWORD = "secret", POSTGRES_DB = "app" }, cache = true,
      files = { ["/docker-entrypoint-initdb.d/1.sql"] = ("CREATE TABLE t (x bigint); INSERT INTO t VALUES (%d)")
        :format(mark) },
    }
    for name, value in pairs(changes or {}) do all[name] = value end
    return all
  end

  local function value_of(c)
    kept[c:inspect().Config.Image] = true
    local db <close> = sql.connect(("postgresql://postgres:secret@%s/app"):format(c:address(5432)))
    local value = db:value "SELECT x FROM t"
    db:exec "INSERT INTO t VALUES (0)"
    return value, db:value "SELECT count(*) FROM t"
  end

  teardown(function()
    for name in pairs(kept) do
      container.engine():call("DELETE", "/images/" .. name, "remove", { may = { [404] = true, [409] = true } })
    end
  end)

  it("initialises a database once; each start has a fresh copy", function()
    local first = container.run(options())
    assert.same({ mark, 2 }, { value_of(first) })
    assert.equal("container postgres:16-alpine", tostring(first):match "^container %S+")
    first:close()
    local second <close> = container.run(options())
    assert.same({ mark, 2 }, { value_of(second) })
    assert.not_matches("initdb", second:logs())
  end)

  it("does so once, also when two start at once, and again for other options", function()
    local changed = { POSTGRES_PASSWORD = "secret", POSTGRES_DB = "app", OTHER = mark }
    local both = task.all(function() return container.run(options { env = changed }) end,
      function() return container.run(options { env = changed }) end)
    assert.equal(mark, (value_of(both[1])))
    assert.equal(mark, (value_of(both[2])))
    assert.not_equal(both[1].id, both[2].id)
    assert.equal(both[1]:inspect().Image, both[2]:inspect().Image)
    both[1]:close()
    both[2]:close()
  end)

  it("says what it cannot keep", function()
    assert.matches("not known where busybox keeps its data", engine.failure(container.run,
      { image = "busybox", cache = true }))
  end)
end)
