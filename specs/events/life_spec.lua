-- itlua: share=shop
local encode = require "itlua.encode"
local http = require "itlua.http"
local services = require "itlua.services"
require "support.problems"

-- One order through everything there is: the shop's API, its database, the events, and the services that hear of them.

describe("an order", function()
  local available, why = services.shop:available()
  if not available then
    pending("cannot be tried here: " .. why)
    return
  end

  local shop = require("support.shop").service()
  local db = services.db:connect { by = false }
  local bus = services.bus:connect()
  local ada, dora, tess = shop:login "ada", shop:login "dora", shop:login "tess"
  local figures = http.client { base_url = services.figures.url }
  local notifier = http.client { base_url = services.notifier.url }

  it("is made, paid, assigned, done, and everybody knows", function()
      local earned = figures:get("/figures/ada"):json().revenue
    local events = bus:capture "orders"
    local order = shop:order(ada, { { sku = "pump", quantity = 1 } })
    assert.row(db, "SELECT * FROM orders WHERE id = $1", order.id).has { status = "pending", paid = false, total = 45900 }
    events:wait_for({ event = "order.created", order = { id = order.id } }, { timeout = 20 })

    bus:publish("payments", { id = encode.random_string(12), order_id = order.id, amount = order.total, status = "paid" },
      { key = order.id })
    events:wait_for({ event = "order.paid", order = { id = order.id } }, { timeout = 20 })
    assert.is_true(db:value("SELECT paid FROM orders WHERE id = $1", order.id))

    dora:post("/orders/" .. order.id .. "/assign", { json = { technician_id = "tess" } }):check()
    tess:post("/orders/" .. order.id .. "/complete"):check()
    events:wait_for({ event = "order.completed", order = { id = order.id } }, { timeout = 20 })
    assert.equal("completed", db:value("SELECT status FROM orders WHERE id = $1", order.id))

    assert.eventually(function()
      local kinds = {}
      for _, message in ipairs(notifier:get("/messages/ada"):json()) do
        if message.order_id == order.id then kinds[#kinds + 1] = message.event end
      end
      assert.same({ "order.created", "order.paid", "order.assigned", "order.completed" }, kinds)
    end, { timeout = 20 })
    assert.eventually(function() return figures:get("/figures/ada"):json().revenue >= earned + 45900 end, { timeout = 20 })
    assert.eventually(function() return db:value "SELECT count(*) FROM outbox" == 0 end, { timeout = 20 })

    assert.happened({
      "POST /orders", "order.created", { what = "kafka.publish", detail = "payments" }, "order.paid",
      "POST /orders/" .. order.id .. "/assign", "POST /orders/" .. order.id .. "/complete", "order.completed",
    }).in_order()
  end)
end)
