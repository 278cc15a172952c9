local encode = require "itlua.encode"
local task = require "itlua.task"
local shop = require("support.shop").start()
require "support.problems"

describe("an Idempotency-Key", function()
  local ada, bob = shop:login "ada", shop:login "bob"
  local key

  before_each(function() key = encode.uuid() end)

  local function order(customer, quantity)
    return customer:post("/orders", {
      json = { items = { { sku = "valve", quantity = quantity } } },
      headers = { ["Idempotency-Key"] = key },
    })
  end

  it("makes one order of a request that is sent twice", function()
    local first, again = order(ada, 1), order(ada, 1)
    assert.response(again).has.status(201).has.header("Idempotency-Replayed", "true")
    assert.response(first).has.no.header "Idempotency-Replayed"
    assert.same(first:json(), again:json())
  end)

  it("makes one order of ten requests at once", function()
    local requests = {}
    for i = 1, 10 do requests[i] = function() return order(ada, 1):json().id end end
    local ids = task.all(requests)
    for i = 2, 10 do assert.equal(ids[1], ids[i]) end
  end)

  it("is refused for another request", function()
    order(ada, 1)
    assert.problem(order(ada, 2), 422, "key_reused")
  end)

  it("is its customer's own", function()
    assert.not_equal(order(ada, 1):json().id, order(bob, 1):json().id)
  end)

  it("can be used again when the request failed", function()
    assert.problem(order(ada, 0), 422, "invalid")
    assert.response(order(ada, 1)).has.status(201)
  end)
end)
