-- The one capture class, on a source that the specs push into.
local capture = require "itlua.capture"
local core = require "itlua.core"
local match = require "luassert.match"
local task = require "itlua.task"

local function failure(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

-- A source whose fence is what was pushed before it.
local function pushed(options, more)
  local source = { name = "orders", what = "test" }
  for name, value in pairs(more or {}) do source[name] = value end
  return capture.new(source, options)
end

local function push(cap, ...)
  for _, value in ipairs { ... } do cap:push { value = value } end
end

describe("a capture", function()
  describe("wait_for", function()
    it("takes a part of the value, a scalar, a predicate of the record, matchers, and a part of the record", function()
      local cap <close> = pushed()
      cap:push { value = { id = 1, items = { { sku = "a" }, { sku = "b" } } }, key = "k1" }
      cap:push { value = { id = 2, state = "new" }, key = "k2", headers = { trace = "t" } }
      cap:push { value = "text" }
      cap:push { value = 7, payload = "7" }
      assert.equal(1, cap:wait_for({ items = { { sku = "b" } } }).value.id)
      assert.equal("k2", cap:wait_for(function(record) return record.key == "k2" end).key)
      assert.equal("text", cap:wait_for("text").value)
      assert.equal(7, cap:wait_for("7").value)
      push(cap, { id = 3, state = "paid" })
      assert.equal(3, cap:wait_for({ id = match.is_number(), state = match.matches "^pa" }).value.id)
      push(cap, { id = 4 }, "done")
      assert.equal(4, cap:wait_for({ id = function(id) return id > 3 end }).value.id)
      assert.equal("done", cap:wait_for(match.is_string()).value)
      cap:push { value = { id = 5 }, key = "k5", headers = { trace = "x" } }
      assert.equal(5, cap:wait_for(capture.record { key = "k5", headers = { trace = "x" }, value = { id = 5 } }).value.id)
    end)

    it("returns each record once", function()
      local cap <close> = pushed()
      push(cap, { id = 1 }, { id = 1 })
      assert.equal(1, cap:wait_for({ id = 1 }).n)
      assert.equal(2, cap:wait_for({ id = 1 }).n)
      assert.raises({ kind = "timeout", code = "NO_EVENT" }, function() cap:wait_for({ id = 1 }, { timeout = 0 }) end)
      assert.equal(2, #cap:events())
    end)

    it("waits, several at once", function()
      local cap <close> = pushed()
      local one = task.spawn(function() return cap:wait_for { id = 1 } end)
      local two = task.spawn(function() return cap:wait_for { id = 2 } end)
      task.sleep(0.01)
      push(cap, { id = 2 }, { id = 1 })
      assert.equal(1, one:join().value.id)
      assert.equal(2, two:join().value.id)
    end)

    it("shows what came, the nearest, and how far was read", function()
      local cap <close> = pushed(nil, { progress = function() return { "orders[0]: to 3 of 3", "orders[1]: to 0 of 0" } end })
      cap:push { value = { id = 1, state = "new", total = 5 }, topic = "orders", partition = 0, offset = 1, key = "a" }
      cap:push { value = { id = 2, state = "new", total = 9 }, topic = "orders", partition = 0, offset = 2, key = "b" }
      cap:push { value = "else", topic = "orders", partition = 0, offset = 3 }
      cap:wait_for { id = 1 }
      local err = failure(cap.wait_for, cap, { id = 2, state = "paid", total = 9 }, { timeout = 0.01 })
      assert.subset({ kind = "timeout", code = "NO_EVENT" }, err)
      local text = err.message:gsub("%+%d+ ms", "+0 ms")
      assert.equal([[
nothing that matches { id = 2, state = "paid", total = 9 } came on orders within 0.01 s
  3 came:
    +0 ms  orders[0]@1 key=a  { id = 1, state = "new", total = 5 }   (returned by an earlier wait)
    +0 ms  orders[0]@2 key=b  { id = 2, state = "new", total = 9 }
    +0 ms  orders[0]@3  "else"
  the nearest is record 2 (orders[0]@2 key=b):
    1 of 3 values differs
      state   expected "paid"   got "new"
  read so far:
    orders[0]: to 3 of 3
    orders[1]: to 0 of 0]], text)
      assert.equal(2, err.nearest.n)
    end)

    it("names matchers and functions in words", function()
      local cap <close> = pushed()
      local wanted = { id = match.is_number(), lines = { { sku = function() return false end } } }
      local text = failure(cap.wait_for, cap, wanted, { timeout = 0 }).message
      assert.matches("nothing that matches { id = is.number(), lines = { { sku = what the function at", text, 1, true)
    end)

    it("takes null for a value that is null", function()
      local cap <close> = pushed()
      local null = require "itlua.null"
      push(cap, "else", null)
      assert.equal(2, cap:wait_for(null).n)
      assert.raises({ code = "UNEXPECTED_EVENT" }, function() cap:expect_none(null, { within = 0.01 }) end)
    end)

    it("says when nothing came at all, and when no more can come", function()
      local cap <close> = pushed()
      assert.equal("nothing came on orders within 0 s\n  nothing came at all",
        failure(cap.wait_for, cap, nil, { timeout = 0 }).message)
      cap:finish()
      assert.matches("came on orders before it ended", failure(cap.wait_for, cap, "x").message, 1, true)
    end)

    it("ends with its task's time, and goes on afterwards", function()
      local cap <close> = pushed()
      push(cap, "w")
      local err = failure(task.timeout, 0.05, function() cap:wait_for "x" end)
      assert.equal("timeout", err.kind)
      assert.matches('stopped after 0.05 s, waiting [%d.]+ s for orders\n  1 came:\n    %+%d+ ms  "w"$', err.message)
      push(cap, "x")
      assert.equal("x", cap:wait_for("x").value)
    end)

    it("asks a predicate that waits of every record, also of one that comes meanwhile", function()
      local cap <close> = pushed()
      push(cap, 1)
      task.spawn(function()
        task.sleep(0.005)
        push(cap, 2)
      end)
      local found = cap:wait_for(function(record)
        task.sleep(0.02)
        return record.value == 2
      end, { timeout = 30 })
      assert.equal(2, found.value)
      local both = task.all {
        function() return cap:wait_for(function() task.sleep(0.01) return true end) end,
        function() push(cap, 3) return cap:wait_for(function() task.sleep(0.01) return true end) end,
      }
      assert.not_equal(both[1].n, both[2].n)
    end)

    it("ends in time where a predicate waits longer, and loses nothing by it", function()
      local cap <close> = pushed()
      push(cap, 1)
      local slow = true
      local function slowly()
        if slow then task.sleep(60) end
        return true
      end
      local err = failure(cap.wait_for, cap, slowly, { timeout = 0.02 })
      assert.subset({ kind = "timeout", code = "NO_EVENT" }, err)
      slow = false
      assert.equal(1, cap:wait_for(slowly).value)
      push(cap, 2)
      assert.equal(2, cap:wait_for(function(record) -- no wait: what is there is looked at, however long it takes
        local over = os.clock() + 0.05
        repeat until os.clock() > over
        return record.value == 2
      end, { timeout = 0.02 }).value)
    end)

    it("refuses what cannot match", function()
      local cap <close> = pushed()
      assert.raises({ message = "wait_for: timeout is seconds, not \"soon\"" },
        function() cap:wait_for("x", { timeout = "soon" }) end)
      assert.raises({ message = "wait_for: options are a table, not 5" }, function() cap:wait_for("x", 5) end)
      assert.raises({ message = "wait_for has no option \"timout\"" }, function() cap:wait_for("x", { timout = 5 }) end)
      assert.raises({ message = "expect_none has no option \"fense\"" }, function() cap:expect_none("x", { fense = true }) end)
      assert.raises({ message = "expect_once has no option \"match\"" }, function() cap:expect_once("x", { match = 1 }) end)
      assert.raises({ message = "expect_order has no option \"key\"" }, function() cap:expect_order({ 1 }, { key = 1 }) end)
      assert.raises({ message = "wait_for cannot match by" }, function() cap:wait_for(io.stdout) end)
      assert.raises({ message = "capture.record needs a table" }, function() capture.record(7) end)
    end)

    it("raises what a predicate raises", function()
      local cap <close> = pushed()
      push(cap, { id = 1 })
      assert.raises({ message = "attempt to index a nil value" }, function()
        cap:wait_for(function(record) return record.value.customer.name end)
      end)
    end)
  end)

  it("counts", function()
    local cap <close> = pushed()
    push(cap, { id = 1 }, { id = 2, late = true })
    assert.equal(2, #cap:wait_for_count(2))
    assert.equal(0, #cap:wait_for_count(0, { match = { id = 9 } }))
    task.spawn(function()
      task.sleep(0.01)
      push(cap, { id = 3, late = true })
    end)
    assert.equal(3, cap:wait_for_count(2, { match = { late = true } })[2].value.id)
    local err = failure(cap.wait_for_count, cap, 3, { match = { late = true }, timeout = 0 })
    assert.subset({ kind = "timeout", code = "TOO_FEW", count = 2 }, err)
    assert.matches("2 of 3 records that match { late = true } came on orders within 0 s", err.message, 1, true)
    assert.equal(2, #cap:events { late = true })
    cap:clear()
    assert.equal(0, #cap:events())
    assert.raises({ message = "nothing has come since it was cleared" }, function() cap:wait_for(nil, { timeout = 0 }) end)
  end)

  describe("expect_none", function()
    it("is a window of time where the source has no fence, and says so", function()
      local cap <close> = pushed()
      local how = cap:expect_none({ id = 1 }, { within = 0.01 })
      assert.equal("within 0.01 s; that is a window of time, no fence: what comes later is not seen", how)
      local span
      for _, one in ipairs(core.timeline()) do
        if one.what == "expect_none" then span = one end
      end
      assert.equal("none " .. how, span.outcome)
      assert.raises({ message = "could not fail" }, function() cap:expect_none("x", { within = 0 }) end)
      assert.raises({ message = "expect_none: orders has no fence" }, function() cap:expect_none("x", { fence = true }) end)
      assert.raises({ message = "not both" }, function() cap:expect_none("x", { fence = true, within = 1 }) end)
    end)

    it("fails with what came, at once", function()
      local cap <close> = pushed()
      task.spawn(function()
        task.sleep(0.01)
        push(cap, { id = 1, state = "failed" })
      end)
      local err = failure(cap.expect_none, cap, { state = "failed" }, { within = 60 })
      assert.subset({ kind = "contract", code = "UNEXPECTED_EVENT" }, err)
      assert.matches('something that matches { state = "failed" } came on orders, and nothing was to:', err.message, 1, true)
      assert.matches('ms  { id = 1, state = "failed" }', err.message, 1, true)
    end)

    it("asks a predicate that waits longer than the window of every record", function()
      local cap <close> = pushed()
      local function slowly(record)
        if record.value == 0 then
          task.spawn(function()
            task.sleep(0)
            push(cap, 1)
          end)
          return false
        end
        task.sleep(0.3)
        return record.value == 1
      end
      push(cap, 0)
      assert.raises({ code = "UNEXPECTED_EVENT" }, function() cap:expect_none(slowly, { within = 0.2 }) end)
      cap:clear()
      push(cap, 1, 0)
      assert.raises({ code = "DUPLICATE_EVENT" }, function() cap:expect_once(slowly, { within = 0.2 }) end)
    end)

    it("ends at the source's fence", function()
      local asked = {}
      local cap
      cap = pushed(nil, { fence = function(_, point)
        asked[#asked + 1] = point
        task.sleep(0.01)
        push(cap, { id = #asked })
        return "up to offset 17"
      end })
      assert.equal("up to offset 17", cap:expect_none({ id = 9 }))
      assert.equal("up to offset 17", cap:expect_none({ id = 9 }, { fence = true }))
      assert.equal("up to offset 17", cap:expect_none({ id = 9 }, { fence = function() return { offset = 17 } end }))
      assert.same({ true, true, { offset = 17 } }, asked)
      assert.raises({ code = "UNEXPECTED_EVENT" }, function() cap:expect_none({ id = 4 }) end)
      cap:close()
    end)

    it("says when the fence is not reached", function()
      local cap
      cap = pushed(nil, { fence = function() cap:await(function() return false end) end })
      local err = failure(cap.expect_none, cap, "x", { fence = true, timeout = 0.02 })
      assert.subset({ kind = "timeout", code = "NO_FENCE" }, err)
      assert.matches("the fence of orders was not reached within 0.02 s, so nothing is proved", err.message, 1, true)
      cap:close()
    end)

    it("ends at a marker that is sent after the action", function()
      local cap <close> = pushed()
      push(cap, "a")
      task.spawn(function()
        task.sleep(0.01)
        push(cap, "b", "marker")
      end)
      assert.equal("up to the marker, record 3", cap:expect_none("c", { fence = { marker = "marker" } }))
      assert.raises({ code = "UNEXPECTED_EVENT" }, function() cap:expect_none("b", { within = 0.01 }) end)
      assert.raises({ kind = "timeout" }, function()
        cap:expect_none("c", { fence = { marker = "another" }, timeout = 0.01 })
      end)
    end)

    it("knows it all when the source has ended", function()
      local cap <close> = pushed()
      cap:finish()
      assert.equal("orders has ended, all of it was read", cap:expect_none("x"))
    end)
  end)

  it("expects once", function()
    local cap <close> = pushed()
    push(cap, { id = 1 }, { id = 2 }, { id = 2 })
    assert.equal(1, cap:expect_once({ id = 1 }, { within = 0.01 }).value.id)
    local err = failure(cap.expect_once, cap, { id = 2 }, { within = 60 })
    assert.subset({ kind = "contract", code = "DUPLICATE_EVENT" }, err)
    assert.matches("{ id = 2 } came 2 times on orders, and was to come once:", err.message, 1, true)
    assert.raises({ code = "NO_EVENT" }, function() cap:expect_once({ id = 3 }, { timeout = 0.01 }) end)
  end)

  describe("expect_order", function()
    local created, paid, shipped = { state = "created" }, { state = "paid" }, { state = "shipped" }

    it("finds an order among other records", function()
      local cap <close> = pushed()
      push(cap, { state = "created" }, { state = "noted" })
      task.spawn(function()
        task.sleep(0.01)
        push(cap, { state = "paid" }, { state = "paid" }, { state = "shipped" })
      end)
      local found = cap:expect_order { created, paid, shipped }
      assert.same({ 1, 3, 5 }, { found[1].n, found[2].n, found[3].n })
    end)

    it("fails at once with what came too early", function()
      local cap <close> = pushed()
      push(cap, { state = "created" }, { state = "shipped" })
      local err = failure(cap.expect_order, cap, { created, paid, shipped }, { timeout = 60 })
      assert.subset({ kind = "contract", code = "EVENT_ORDER" }, err)
      assert.matches("orders came out of order: number 3 of 3 came while number 2 had not", err.message, 1, true)
      assert.matches('3. { state = "shipped" }   came too early: { state = "shipped" }', err.message, 1, true)
    end)

    it("waits for the groups that are named, also for one that has not begun", function()
      local cap <close> = pushed()
      cap:push { key = "a", value = { state = "created" } }
      local wait = task.spawn(cap.expect_order, cap, { created }, { by = "key", groups = { "a", "b" }, timeout = 60 })
      task.sleep(0.01)
      assert.equal("running", wait:status())
      cap:push { key = "b", value = { state = "created" } }
      local found = wait:join()
      assert.equal("b", found.b[1].key)
      local err = failure(cap.expect_order, cap, { created }, { by = "key", groups = { "c" }, timeout = 0.01 })
      assert.matches('"c"\n    1. { state = "created" }   has not come', err.message, 1, true)
    end)

    it("holds for each key by itself", function()
      local cap <close> = pushed()
      for _, step in ipairs { "a created", "b created", "b paid", "a paid" } do
        local key, state = step:match "(%a) (%a+)"
        cap:push { key = key, partition = 0, value = { state = state } }
      end
      local found = cap:expect_order({ created, paid }, { by = "key" })
      assert.equal(4, found.a[2].n)
      assert.equal(3, found.b[2].n)
      local err = failure(cap.expect_order, cap, { created, paid, shipped }, { by = "key", timeout = 0.01 })
      assert.matches("not all of 3 came in order on orders within 0.01 s", err.message, 1, true)
      assert.matches('3. { state = "shipped" }   has not come', err.message, 1, true)
      cap:push { key = "c", value = { state = "paid" } }
      err = failure(cap.expect_order, cap, { created, paid }, { by = function(record) return record.key end })
      assert.matches('orders came out of order of "c": number 2 of 2', err.message, 1, true)
      assert.has.errors(function() cap:expect_order({}, {}) end)
      assert.has.errors(function() cap:expect_order({ created }, { groups = { "a" } }) end)
      assert.has.errors(function() cap:expect_order({ created }, { by = "colour" }) end)
    end)
  end)

  it("leaves out what its filter does not want", function()
    local cap <close> = pushed { filter = { kind = "order" } }
    push(cap, { kind = "order", id = 1 }, { kind = "other" }, { kind = "order", id = 2 })
    assert.equal(2, #cap:events())
    assert.matches("the filter left out 1 more", failure(cap.wait_for, cap, { id = 9 }, { timeout = 0 }).message, 1, true)
  end)

  it("holds a bounded number of records", function()
    local cap <close> = pushed { limit = 3 }
    push(cap, 1, 2, 3)
    assert.equal(3, #cap:wait_for_count(3))
    push(cap, 4)
    assert.equal(3, #cap:events())
    assert.raises({ code = "LIMIT", message = "the capture of orders holds 3 records (0 bytes), its limit, and more came" },
      function() cap:wait_for(4) end)
    assert.has.errors(function() pushed { limit = 0 } end)
    local large <close> = pushed { max_bytes = 1000 }
    large:push { value = 1, payload = ("x"):rep(600) }
    large:clear()
    large:push { value = 2, payload = ("x"):rep(600) }
    large:push { value = 3, payload = ("x"):rep(600) }
    large:wait_for(2)
    assert.raises({ code = "LIMIT", message = "holds 1 records (600 bytes), its limit, and more came: give it a filter, call "
      .. "clear() between steps, or raise the option max_bytes" }, function() large:wait_for(3) end)
  end)

  it("checks every value that it keeps", function()
    local cap <close> = pushed { check = function(value) return type(value.id) == "number", "id is no number" end }
    push(cap, { id = 1 }, { id = "2" })
    local err = failure(cap.wait_for, cap, { id = 3 })
    assert.subset({ kind = "contract", code = "CHECK" }, err)
    assert.matches('the check of orders refused record 2: id is no number\n    orders  { id = "2" }', err.message, 1, true)
    push(cap, { id = false })
    assert.raises({ code = "CHECK" }, function() cap:close() end)
  end)

  describe("that reads its source", function()
    local function reading(values)
      local source = { name = "numbers", closed = 0 }
      function source.receive()
        task.sleep(0.001)
        local value = table.remove(values, 1)
        if type(value) == "function" then value() end
        return value
      end
      function source:close() self.closed = self.closed + 1 end
      return source
    end

    it("reads in the background, also lists", function()
      local source = reading { { value = 1 }, { { value = 2 }, { value = 3 } }, { value = 4 } }
      local cap = capture.new(source)
      assert.equal(4, #cap:wait_for_count(4))
      assert.equal("capture of numbers, 4 records", tostring(cap))
      assert.raises({ message = "it has ended: nothing more can come" }, function() cap:wait_for(5) end)
      assert.equal("capture of numbers, 4 records (ended)", tostring(cap))
      cap:close()
      cap:close()
      assert.equal(1, source.closed)
      assert.raises({ message = "the capture of numbers is closed" }, function() cap:wait_for(1) end)
      assert.equal(4, #cap:events())
    end)

    it("raises why its source was lost, after what came before", function()
      local cap <close> = capture.new(reading { { value = 1 }, function()
        core.raise("kafka", "LOST", "the broker is gone")
      end })
      cap:wait_for(1)
      assert.raises({ kind = "kafka", code = "LOST", message = "the broker is gone" }, function() cap:wait_for(2) end)
      assert.matches("(lost)", tostring(cap), 1, true)
    end)

    it("is closed under who waits", function()
      local cap = pushed()
      local waiting = task.spawn(function() cap:wait_for(1) end)
      task.sleep(0.01)
      cap:close()
      assert.raises({ kind = "cancelled", code = "CLOSED" }, function() waiting:join() end)
    end)
  end)

  it("finds each of many quickly enough", function()
    local cap <close> = pushed()
    for i = 1, 20000 do cap:push { value = i } end
    for i = 1, 20000 do assert.equal(i, cap:wait_for().value) end
  end)
end)
