-- What happened in a test, in order, across protocols.
local capture = require "itlua.capture"
local core = require "itlua.core"
local http = require "itlua.http"
local process = require "itlua.process"
local server = require "itlua.server"
local task = require "itlua.task"

local function failure(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return tostring(err.message or err)
end

-- A shop that announces its orders by an event and a webhook.
local function shop(created)
  local srv = server.listen()
  local hooks = server.listen()
  local caller = http.client { base_url = hooks.url }
  local n = 0
  srv:post("/orders", function()
    n = n + 1
    created:push { topic = "orders.created", partition = 0, offset = n, key = "o-" .. n, value = { id = n } }
    return { status = 201, json = { id = n } }
  end)
  srv:post("/orders/{id}/pay", function(req)
    caller:post("/paid", { json = { id = tonumber(req.params.id) } })
    return { status = 202 }
  end)
  return srv, hooks, caller
end

describe("task.timeline", function()
  local created, srv, hooks, caller, api

  before_each(function()
    created = capture.new { name = "orders.created", what = "kafka" }
    srv, hooks, caller = shop(created)
    api = http.client { base_url = srv.url }
  end)
  after_each(function()
    for _, one in ipairs { api, caller, srv, hooks, created } do one:close() end
  end)

  it("has requests, events and commands in order, with what they carried", function()
    process.run { "true" }
    api:post("/orders?try=1", { json = { sku = "a" } })
    created:wait_for { id = 1 }
    local entries = {}
    for _, entry in ipairs(task.timeline()) do
      if not entry.waits then entries[#entries + 1] = entry end
    end
    assert.equal(3, #entries)
    local command, request, event = entries[1], entries[2], entries[3]
    assert.equal("process.wait", command.what)
    assert.subset({ what = "http.request", method = "POST", path = "/orders", status = 201 }, request)
    assert.equal('{"sku":"a"}', request.data.request.body)
    assert.subset({ what = "events", name = "orders.created", value = { id = 1 }, outcome = "captured" }, event)
    assert.subset({ topic = "orders.created", partition = 0, offset = 1, key = "o-1", source = "kafka" }, event.data)
    assert.is_true(command.at <= request.at and request.at <= event.at)
    assert.is_true(event.at - request.at <= request.seconds + 0.001)
  end)

  it("begins with the test", function()
    assert.same({}, task.timeline())
  end)

  it("has all events of a busy capture", function()
    for i = 1, 1000 do created:push { value = { id = i } } end
    local events = 0
    for _, entry in ipairs(task.timeline()) do
      if entry.what == "events" then events = events + 1 end
    end
    assert.equal(1000, events)
    assert.happened({ { value = { id = 3 } }, { value = { id = 999 } } }).in_order()
    assert.happened({ "orders.created" }).times(1000)
  end)

  describe("assert.happened", function()
    it("holds for requests, events, webhooks, statements of any kind, in order", function()
      local paid <close> = hooks:capture "POST /paid"
      api:post("/orders", { json = {} })
      api:post("/orders/1/pay", { json = {} })
      paid:wait_for { id = 1 }
      assert.happened({ "POST /orders", "orders.created", "POST /orders/%d+/pay", "POST /paid" }).in_order()
      assert.happened({ { method = "POST", status = 202 }, "orders%.%a+", function(entry) return entry.status == 201 end })
        .any_order()
      assert.happened({ { what = "events", value = { id = 1 } }, { detail = "/pay", outcome = "202" } }).in_order()
      assert.happened({ "POST /orders", "POST /orders/1/pay" }).times(1).at_least(1)
      assert.happened({ "DELETE /orders" }).times(0)
    end)

    it("shows the first that did not come, and the timeline", function()
      api:post("/orders", { json = {} })
      api:post("/orders/1/pay", { json = {} })
      created:wait_for { id = 1 }
      local text = failure(function()
        assert.happened({ "orders.created", "POST /orders", "mails.sent" }).in_order()
      end)
      assert.matches("Expected these to have happened in this order; number 2 did not come after number 1.", text, 1, true)
      assert.matches('1. "orders.created"   ✓ %d+ ms  events  orders.created%[0%]@1 key=o%-1  { id = 1 } → captured', text)
      assert.matches('2. "POST /orders"     ✗ not after that; it happened earlier, at %d+ ms  http.request', text)
      assert.matches("\nafter that came\n", text, 1, true)
      assert.matches("ms  http.request  POST http://127.0.0.1:%d+/orders/1/pay → 202", text)
      assert.not_matches("wait_for", text)
      text = failure(function() assert.happened({ "orders.created", "mails.sent" }).any_order() end)
      assert.matches("Expected all of these to have happened; 1 did not.", text, 1, true)
      assert.matches('2. "mails.sent"       ✗ did not happen', text, 1, true)
      text = failure(function() assert.happened({ "orders.created" }).times(2) end)
      assert.matches("Expected each of these to have happened 2 times.", text, 1, true)
      assert.matches("✗ 1", text, 1, true)
    end)

    it("is a failure, no error, of the line that asserts", function()
      local ok, err = pcall(function() assert.happened({ "nothing" }).in_order() end)
      assert.is_false(ok)
      assert.matches("Expected these to have happened in this order; number 1 did not happen.", tostring(err), 1, true)
      assert.is_nil(core.is_error(err))
    end)

    it("waits when it is told to", function()
      task.spawn(function()
        task.sleep(0.05)
        created:push { value = "late" }
      end)
      assert.happened({ "late" }, { timeout = 20 }).in_order()
    end)

    it("refuses what cannot be meant", function()
      assert.raises({ message = "needs a list" }, function() assert.happened "POST /orders" end)
      assert.raises({ message = "needs a list" }, function() assert.happened {} end)
      assert.raises({ message = "number 1 is 7" }, function() assert.happened { 7 } end)
      assert.raises({ message = "there is no 'soon'" }, function() assert.happened({ "a" }).soon() end)
      assert.raises({ message = "times needs a number" }, function() assert.happened({ "a" }).times() end)
      assert.raises({ message = "{ timeout = seconds }" }, function() assert.happened({ "a" }, 3) end)
    end)
  end)
end)
