local services = require "itlua.services"
local task = require "itlua.task"

-- What the shop tells the world on Kafka.

local available, why = services.bus:available()
if not available then
  pending("the events of orders cannot be tried here: " .. why)
  return
end
local bus = services.bus:connect()
local shop, topics = require("support.shop").start_with_events(bus)
local ada, dora = shop:login "ada", shop:login "dora"

describe("the events of orders", function()
  it("are published when something was done", function()
    local events = bus:capture(topics.orders)
    local order = shop:order(ada, { { sku = "valve", quantity = 2 } })
    local created = events:wait_for({ event = "order.created", order = { id = order.id } }, { timeout = 20 })
    assert.equal(order.id, created.key)
    assert.equal("order.created", created.headers.event)
    assert.subset({ status = "pending", customer_id = "ada", total = 2500 }, created.value.order)
  end)

  it("keep their order, for every order by itself", function()
    local events = bus:capture(topics.orders)
    local buyers = {}
    for i = 1, 5 do
      buyers[i] = function()
        local order = shop:order(ada)
        assert.response(ada:post("/orders/" .. order.id .. "/cancel")).has.status(200)
        return order.id
      end
    end
    local ids = task.all(buyers)
    local by_order = events:expect_order({ { event = "order.created" }, { event = "order.cancelled" } },
      { by = "key", groups = ids, timeout = 20 })
    for _, id in ipairs(ids) do assert.equal(2, #by_order[id]) end
  end)

  it("tell the whole of a life", function()
    local events = bus:capture(topics.orders)
    local order = shop:order(ada)
    dora:post("/orders/" .. order.id .. "/assign", { json = { technician_id = "tess" } }):check()
    dora:post("/orders/" .. order.id .. "/complete"):check()
    events:expect_order({
      { event = "order.created" }, { event = "order.assigned", order = { technician_id = "tess" } },
      { event = "order.completed" },
    }, { timeout = 20 })
  end)

  it("are none of what was refused", function()
    local events = bus:capture(topics.orders)
    assert.response(ada:post("/orders", { json = { items = {} } })).has.status(422)
    assert.response(ada:post("/orders", { json = { items = { { sku = "antique", quantity = 2 } } } })).has.status(409)
    local order = shop:order(ada) -- published after anything that those might have been
    events:wait_for({ order = { id = order.id } }, { timeout = 20 })
    events:expect_none(function(event) return event.value.order.id ~= order.id end, { fence = true })
  end)
end)
