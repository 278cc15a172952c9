local shop = require("support.shop").start()
require "support.problems"

-- One order from beginning to end, as those see it who have to do with it.

describe("an order's life", function()
  it("goes from the customer's login to the dispatcher's figures", function()
    local ada, dora, tess = shop:login "ada", shop:login "dora", shop:login "tess"

    -- Ada orders a boiler.
    local created = ada:post("/orders", {
      json = { items = { { sku = "boiler", quantity = 1 } }, note = "the dog is friendly" },
    })
    assert.response(created).has.status(201).has.json("status", "pending")
    local order = created.headers.location

    -- Dora hears of it and looks for somebody who can do it.
    assert.eventually(function() return dora:get("/notifications"):json().unread == 1 end, { timeout = 20 })
    local free = dora:get("/technicians", { query = { skill = "boiler", available = "true" } }):json().items
    assert.equal("Tess", free[1].name)
    assert.response(dora:post(order .. "/assign", { json = { technician_id = free[1].id } })).has.json("status", "assigned")

    -- Tess finds it in her list, with the note, and does it.
    local hers = tess:get("/orders", { query = { status = "assigned" } }):json().items
    assert.equal("the dog is friendly", hers[1].note)
    assert.response(tess:post(order .. "/complete")).has.json("status", "completed")

    -- Ada is told both times; it cannot be cancelled any more.
    assert.eventually(function()
      local kinds = {}
      for i, n in ipairs(ada:get("/notifications"):json().items) do kinds[i] = n.kind end
      assert.same({ "order.assigned", "order.completed" }, kinds)
    end, { timeout = 20 })
    assert.problem(ada:post(order .. "/cancel"), 409, "wrong_state")

    -- Dora sees what it earned, and that Tess is free again.
    assert.response(dora:get "/analytics/orders").matches { revenue = 89900, by_status = { completed = 1 } }
    assert.is_true(dora:get("/technicians/tess"):json().available)
  end)
end)
