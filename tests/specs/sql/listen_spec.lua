-- LISTEN and NOTIFY.
local core = require "itlua.core"
local postgres = require "tests.specs.sql.support.postgres"
local sql = require "itlua.sql"
local task = require "itlua.task"

describe("db:listen", function()
  local server, db

  setup(function()
    server = postgres.start()
    db = sql.connect(server:url())
  end)

  teardown(function()
    db:close()
    server:stop()
  end)

  local function notify(channel, payload)
    db:query("SELECT pg_notify($1, $2)", channel, payload)
  end

  it("captures what is sent from now on", function()
    notify("orders", "before")
    local orders <close> = db:listen "orders"
    notify("orders", "first")
    notify("other", "not this")
    notify("orders", "second")
    local n = orders:wait_for(nil, { timeout = 20 })
    assert.equal("orders", n.channel)
    assert.equal("first", n.payload)
    assert.equal("first", n.value)
    assert.equal(db:info().process, n.process)
    assert.equal("second", orders:wait_for(nil, { timeout = 20 }).payload)
    assert.equal(2, #orders:events())
  end)

  it("decodes JSON, and finds what matches", function()
    local orders <close> = db:listen("orders", "Two Words")
    notify("orders", '{"id":1,"items":[{"sku":"a"}]}')
    notify("orders", '{"id":2,"items":[{"sku":"b"}]}')
    notify("Two Words", "plain")
    assert.equal(2, orders:wait_for({ id = 2 }, { timeout = 20 }).value.id)
    assert.equal("b", orders:events()[2].value.items[1].sku)
    assert.equal("Two Words", orders:wait_for("plain", { timeout = 20 }).channel)
    assert.equal(1, orders:wait_for(function(n) return n.channel == "orders" end, { timeout = 20 }).value.id)
    local err = assert.raises({ kind = "timeout", code = "NO_EVENT" },
      function() orders:wait_for({ id = 2 }, { timeout = 0.05 }) end)
    assert.matches("nothing that matches { id = 2 } came on orders, Two Words within 0.05 s", err.message, 1, true)
    assert.matches("3 came:", err.message)
    assert.matches('Two Words  "plain"', err.message)
  end)

  it("waits", function()
    local orders <close> = db:listen "orders"
    local sender = task.spawn(function()
      task.sleep(0.1)
      notify("orders", "late")
    end)
    local started = core.now()
    assert.equal("late", orders:wait_for("late", { timeout = 20 }).payload)
    assert.is_true(core.now() - started >= 0.09)
    sender:join()
    assert.raises({ kind = "timeout", message = "1 came:" }, function() orders:wait_for(nil, { timeout = 0.05 }) end)
    orders:clear()
    assert.raises({ kind = "timeout", message = "nothing has come since it was cleared" },
      function() orders:wait_for(nil, { timeout = 0 }) end)
  end)

  it("is stopped with its task, and goes on afterwards", function()
    local orders <close> = db:listen "orders"
    assert.raises({ kind = "timeout", message = "stopped after 0.1 s" }, function()
      task.timeout(0.1, function() orders:wait_for "x" end)
    end)
    notify("orders", "y")
    assert.equal("y", orders:wait_for(nil, { timeout = 20 }).payload)
  end)

  it("comes also while the database is in a transaction, when that has ended", function()
    local orders <close> = db:listen "orders"
    db:transaction(function()
      notify("orders", "in")
      assert.raises({ kind = "timeout" }, function() orders:wait_for("in", { timeout = 0.05 }) end)
    end)
    assert.equal("in", orders:wait_for("in", { timeout = 20 }).payload)
  end)

  it("proves with a fence that nothing was sent", function()
    local orders <close> = db:listen "orders"
    db:exec "SELECT pg_notify('orders', i::text) FROM generate_series(1, 1000) i"
    assert.matches("up to a notification sent after", orders:expect_none "wanted")
    assert.equal(1000, #orders:events())
    notify("orders", "wanted")
    assert.raises({ code = "UNEXPECTED_EVENT" }, function() orders:expect_none("wanted", { fence = true }) end)
    assert.equal("wanted", orders:expect_once("wanted", { timeout = 20 }).value)
    -- What is not committed yet is not sent: the fence lies before it.
    db:transaction(function()
      notify("orders", "later")
      orders:expect_none "later"
    end)
    orders:wait_for("later", { timeout = 20 })
  end)

  it("takes many, in order", function()
    local orders <close> = db:listen "orders"
    db:exec "SELECT pg_notify('orders', i::text || repeat(' ', 1000)) FROM generate_series(1, 5000) i"
    task.sleep(0.3) -- it rests meanwhile
    for i = 1, 5000 do assert.equal(i, orders:wait_for(nil, { timeout = 20 }).value) end
  end)

  it("ends", function()
    local orders = db:listen "orders"
    local waiting = task.spawn(function() orders:wait_for() end)
    task.sleep(0.05)
    orders:close()
    local ok, err = pcall(waiting.join, waiting)
    assert.is_false(ok)
    assert.subset({ kind = "cancelled", code = "CLOSED" }, err)
    assert.raises({ message = "the capture of orders is closed" }, function() orders:wait_for() end)
    assert.has.errors(function() db:listen() end)
    assert.has.errors(function() db:listen(7) end)
  end)

  it("says when the server is lost", function()
    local orders <close> = db:listen "orders"
    local waiting = task.spawn(function() orders:wait_for() end)
    task.sleep(0.05)
    db:query("SELECT pg_terminate_backend($1)", orders.source.db:info().process)
    local ok, err = pcall(waiting.join, waiting)
    assert.is_false(ok)
    assert.subset({ kind = "sql", code = "57P01" }, err)
    assert.matches("terminating connection due to administrator command", err.message)
  end)
end)
