local http = require "itlua.http"
local shop = require("support.shop").start()
require "support.problems"

-- The service notifies when it has answered already: what is expected comes soon, not at once.

describe("notifications", function()
  local ada, bob, dora, tess = shop:login "ada", shop:login "bob", shop:login "dora", shop:login "tess"

  -- The user's notification of this kind about this order, once it is there.
  local function notification(user, kind, order)
    return assert.eventually(function()
      for _, n in ipairs(user:get("/notifications"):json().items) do
        if n.kind == kind and n.order_id == order.id then return n end
      end
      return nil
    end, { timeout = 20 })
  end

  it("tell dispatchers of new orders", function()
    local order = shop:order(ada)
    local n = notification(dora, "order.created", order)
    assert.equal("A new order: " .. order.id, n.text)
    assert.is_false(n.read)
  end)

  it("tell customer and technician what becomes of an order", function()
    local order = shop:order(ada)
    local path = "/orders/" .. order.id
    dora:post(path .. "/assign", { json = { technician_id = "tess" } }):check()
    notification(ada, "order.assigned", order)
    notification(tess, "order.assigned", order)
    tess:post(path .. "/complete"):check()
    notification(ada, "order.completed", order)
  end)

  it("can be read", function()
    local order = shop:order(ada)
    ada:post("/orders/" .. order.id .. "/cancel"):check()
    local n = notification(ada, "order.cancelled", order)
    local before = ada:get("/notifications"):json().unread
    assert.response(ada:post("/notifications/" .. n.id .. "/read")).has.status(204)
    assert.equal(before - 1, ada:get("/notifications"):json().unread)
    for _, unread in ipairs(ada:get("/notifications", { query = { unread = "true" } }):json().items) do
      assert.not_equal(n.id, unread.id)
    end
  end)

  it("are one's own", function()
    local order = shop:order(ada)
    ada:post("/orders/" .. order.id .. "/cancel"):check()
    local n = notification(ada, "order.cancelled", order)
    assert.problem(bob:post("/notifications/" .. n.id .. "/read"), 404, "no_such_notification")
    assert.same({}, bob:get("/notifications"):json().items)
  end)

  it("come as they happen to who listens", function()
    local feed <close> = dora:capture "/notifications/stream"
    local order = shop:order(ada)
    assert.equal("order.created", feed:wait_for({ order_id = order.id }, { timeout = 10 }).event)
  end)

  it("can be listened to by those who are logged in", function()
    assert.problem(http.get(shop.url .. "/notifications/stream"), 401, "no_token")
  end)
end)
