-- itlua: lock=stock, share=shop
local services = require "itlua.services"
local task = require "itlua.task"
require "support.problems"

-- The order service as it runs in earnest: with PostgreSQL and Redis, which itlua.lua declares as services.

describe("the shop on PostgreSQL and Redis", function()
  local available, why = services.shop:available()
  if not available then
    pending("cannot be tried here: " .. why)
    return
  end

  local shop = require("support.shop").service()
  local db = services.db:connect { by = false } -- the one that the shop has
  local redis = services.sessions:connect { by = false }
  local ada, dora = shop:login "ada", shop:login "dora"

  it("keeps orders in the database", function()
    local order = shop:order(ada, { { sku = "valve", quantity = 2 }, { sku = "panel", quantity = 1 } })
    assert.row(db, "SELECT * FROM orders WHERE id = $1", order.id).has {
      status = "pending", customer_id = "ada", total = 26500,
    }
    assert.same(order, ada:get("/orders/" .. order.id):json())

    assert.response(ada:post("/orders/" .. order.id .. "/cancel")).has.status(200)
    assert.equal("cancelled", db:value("SELECT status FROM orders WHERE id = $1", order.id))
  end)

  it("takes from the stock once, whoever asks at the same time", function()
    dora:put("/stock/boiler", { json = { quantity = 3 } }):check()
    local buyers = {}
    for i = 1, 8 do
      buyers[i] = function()
        return ada:post("/orders", { json = { items = { { sku = "boiler", quantity = 1 } } } }).status
      end
    end
    local sold = 0
    for _, status in ipairs(task.all(buyers)) do
      if status == 201 then sold = sold + 1 else assert.equal(409, status) end
    end
    assert.equal(3, sold)
    assert.equal(0, db:value "SELECT quantity FROM stock WHERE id = 'boiler'")
  end)

  it("answers a repeated Idempotency-Key from Redis", function()
    local function order()
      return ada:post("/orders", {
        json = { items = { { sku = "valve", quantity = 1 } } }, headers = { ["Idempotency-Key"] = "k-1" },
      })
    end
    local first, again = order(), order()
    assert.equal(first:json().id, again:json().id)
    assert.equal(1, #redis:keys_matching "shop:idempotency:ada:k-1")
  end)

  it("leaves no order behind that refers to nothing", function()
    assert.equal("no broken references", tostring(db:orphans()))
  end)
end)
