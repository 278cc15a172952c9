-- Rows one after the other.
local core = require "itlua.core"
local postgres = require "tests.specs.sql.support.postgres"
local sql = require "itlua.sql"
local task = require "itlua.task"

describe("db:cursor", function()
  local server, db

  setup(function()
    server = postgres.start()
    db = sql.connect(server:url())
    db:exec "CREATE TABLE t (id int, v text); CREATE TYPE mood AS ENUM ('sad', 'ok')"
    db:exec "INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 1000) i"
  end)

  teardown(function()
    db:close()
    server:stop()
  end)

  after_each(function()
    assert.equal("idle", db:state())
    assert.equal("none", db:transaction_status())
    assert.equal(0, db:value "SELECT count(*) FROM pg_cursors WHERE name <> ''")
  end)

  it("gives every row, in order", function()
    local n = 0
    for row in db:cursor("SELECT id, v FROM t WHERE id > $1 ORDER BY id", 10) do
      n = n + 1
      assert.equal(n + 10, row.id)
      assert.equal("v" .. n + 10, row.v)
    end
    assert.equal(990, n)
    for _ in db:cursor "SELECT 1 WHERE false" do error "there is none" end
  end)

  it("decodes types of the user's", function()
    for row in db:cursor("SELECT $1::mood AS m, ARRAY['sad'::mood] AS l", "ok") do
      assert.same({ m = "ok", l = { "sad" } }, row)
    end
  end)

  it("takes many columns", function()
    local columns = {}
    for i = 1, 400 do columns[i] = i .. " AS c" .. i end
    for row in db:cursor("SELECT " .. table.concat(columns, ",")) do assert.equal(400, row.c400) end
  end)

  it("needs little memory, however many rows", function()
    collectgarbage()
    local before, most, n = collectgarbage "count", 0, 0
    for row in db:cursor "SELECT i AS id, md5(i::text) AS v FROM generate_series(1, 300000) i" do
      n = n + row.id // row.id
      if n % 10000 == 0 then most = math.max(most, collectgarbage "count") end
    end
    assert.equal(300000, n)
    assert.is_true(most - before < 20000, ("it grew by %.0f KB"):format(most - before))
  end)

  it("fetches less at once where rows are large", function()
    local n = 0
    for row in db:cursor "SELECT repeat('x', 1000000) AS v FROM generate_series(1, 150)" do n = n + #row.v end
    assert.equal(150000000, n)
  end)

  it("may be left early", function()
    for row in db:cursor "SELECT * FROM t" do
      if row.id == 5 then break end
    end
    assert.equal("none", db:transaction_status())
    local function first()
      for row in db:cursor "SELECT id FROM t ORDER BY id" do
        if row.id then return row.id end
      end
    end
    assert.equal(1, first())
  end)

  it("lets the connection work in the loop, in one transaction with it", function()
    for row in db:cursor "SELECT id FROM t WHERE id <= 3 ORDER BY id" do
      db:exec("UPDATE t SET v = 'seen' WHERE id = $1", row.id)
    end
    assert.equal(3, db:value "SELECT count(*) FROM t WHERE v = 'seen'")
    pcall(function()
      for row in db:cursor "SELECT id FROM t" do
        db:exec("UPDATE t SET v = 'undone' WHERE id = $1", row.id)
        error "out"
      end
    end)
    assert.equal(0, db:value "SELECT count(*) FROM t WHERE v = 'undone'")
  end)

  it("may be inside another one, and inside a transaction", function()
    local sum = 0
    for a in db:cursor "SELECT i FROM generate_series(1, 3) i" do
      for b in db:cursor("SELECT i FROM generate_series(1, $1) i", a.i) do sum = sum + b.i end
    end
    assert.equal(10, sum)
    db:transaction(function()
      db:exec "UPDATE t SET v = 'x' WHERE id = 9"
      for row in db:cursor "SELECT * FROM t" do
        if row.id == 2 then break end
      end
      assert.equal("open", db:transaction_status())
      assert.equal("x", db:value "SELECT v FROM t WHERE id = 9")
    end)
  end)

  it("works by hand", function()
    local rows <close> = db:cursor "SELECT id FROM t ORDER BY id"
    assert.equal(1, rows().id)
    assert.equal(2, rows().id)
    rows:close()
    assert.is_nil(rows())
  end)

  it("raises what the server says, at once or on the way", function()
    assert.raises({ code = "42P01" }, function() db:cursor "SELECT * FROM nothing" end)
    assert.raises({ code = "42601" }, function() db:cursor "UPDATE t SET v = v" end)
    assert.equal("none", db:transaction_status())
    local n = 0
    assert.raises({ code = "22012" }, function()
      for _ in db:cursor "SELECT 1 / (5000 - i) FROM generate_series(1, 6000) i" do n = n + 1 end
    end)
    assert.is_true(n > 0)
  end)

  it("is stopped with its task", function()
    assert.raises({ kind = "timeout" }, function()
      task.timeout(0.2, function()
        for _ in db:cursor "SELECT pg_sleep(0.01) FROM generate_series(1, 10000)" do task.sleep(0) end
      end)
    end)
    assert.equal(1, db:value "SELECT 1")
  end)

  it("leaves one line in the timeline", function()
    local mark = core.mark()
    local n = 0
    for row in db:cursor "SELECT * FROM t" do n = n + row.id end
    assert.equal(500500, n)
    local found = {}
    for _, span in ipairs(core.timeline(mark)) do
      if span.what == "sql.cursor" then found[#found + 1] = span.detail .. " -> " .. span.outcome end
    end
    assert.same({ "SELECT * FROM t -> 1000 rows" }, found)
  end)
end)
