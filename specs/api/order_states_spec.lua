local shop = require("support.shop").start()
require "support.problems"

--  pending ──assign──> assigned ──complete──> completed
--     └──────cancel───────┴────────────────> cancelled

describe("an order's state", function()
  local ada, dora = shop:login "ada", shop:login "dora"

  local actions = {
    assign = function(path) return dora:post(path .. "/assign", { json = { technician_id = "tess" } }) end,
    complete = function(path) return dora:post(path .. "/complete") end,
    cancel = function(path) return ada:post(path .. "/cancel") end,
  }

  -- The path of an order on which these actions were done.
  local function order_after(...)
    local path = "/orders/" .. shop:order(ada).id
    for _, action in ipairs { ... } do actions[action](path):check() end
    return path
  end

  after_each(function() -- Tess has time for the next one
    for _, order in ipairs(dora:get("/orders", { query = { status = "assigned" } }):json().items) do
      dora:post("/orders/" .. order.id .. "/complete"):check()
    end
  end)

  -- How to get to a state, and what can be done there.
  local states = {
    pending = { way = {}, assign = "assigned", cancel = "cancelled" },
    assigned = { way = { "assign" }, complete = "completed", cancel = "cancelled" },
    completed = { way = { "assign", "complete" } },
    cancelled = { way = { "cancel" } },
  }

  for _, state in ipairs { "pending", "assigned", "completed", "cancelled" } do
    for _, action in ipairs { "assign", "complete", "cancel" } do
      local target = states[state][action]
      it(("%s: %s %s"):format(state, action, target and "makes it " .. target or "is refused"), function()
        local path = order_after(table.unpack(states[state].way))
        local r = actions[action](path)
        if target then
          assert.response(r).has.status(200).has.json("status", target)
        else
          assert.problem(r, 409, "wrong_state")
          assert.equal(state, r:json().state)
        end
        assert.equal(target or state, ada:get(path):json().status)
      end)
    end
  end

  it("goes back to no state, and its items go back to the stock when it is cancelled", function()
    local before = ada:get("/stock/panel"):json().quantity
    local order = shop:order(ada, { { sku = "panel", quantity = 5 } })
    ada:post("/orders/" .. order.id .. "/cancel"):check()
    assert.equal(before, ada:get("/stock/panel"):json().quantity)
  end)
end)
