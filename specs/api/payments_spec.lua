local server = require "itlua.server"
local task = require "itlua.task"
require "support.problems"

-- The payment service belongs to somebody else. Here is one that does what a test wants; the shop is told to use it.
local payments = server.listen()
local Shop = require "support.shop"
local shop = Shop.start { SHOP_PAYMENTS_URL = payments.url, SHOP_PAYMENTS_TIMEOUT = Shop.seconds(0.5) }

describe("paying", function()
  local ada = shop:login "ada"

  before_each(function() payments:clear() end)

  teardown(function() payments:close() end)

  local function pays(handler)
    payments:post("/charges", handler)
    return ada:post("/orders", { json = { items = { { sku = "valve", quantity = 2 } } } })
  end

  -- Nothing was ordered, and the items are back in the stock.
  local function nothing_happened(fn)
    local stock, orders = ada:get("/stock/valve"):json().quantity, #ada:get("/orders"):json().items
    fn()
    assert.equal(stock, ada:get("/stock/valve"):json().quantity)
    assert.equal(orders, #ada:get("/orders"):json().items)
  end

  it("charges the total, once", function()
    assert.response(pays(function() return 201 end)).has.status(201)
    local charges = payments:requests { method = "POST", path = "/charges" }
    assert.equal(1, #charges)
    assert.same({ customer_id = "ada", amount = 2500 }, charges[1]:json())
  end)

  it("that is declined orders nothing", function()
    nothing_happened(function()
      assert.problem(pays(function() return 402 end), 402, "payment_declined")
    end)
  end)

  it("that takes too long orders nothing", function()
    nothing_happened(function()
      local r = pays(function()
        task.sleep(30)
        return 201
      end)
      assert.problem(r, 504, "payment_timeout")
      assert.response(r).is.faster_than(15)
    end)
  end)

  it("is tried again when the service is busy", function()
    local answers = { 503, 201 }
    assert.response(pays(function() return table.remove(answers, 1) end)).has.status(201)
    assert.equal(2, #payments:requests())
  end)

  it("fails when the service stays down, with an answer of ours", function()
    nothing_happened(function()
      assert.problem(pays(function() return 503 end), 502, "payment_unavailable")
      assert.problem(pays(function() return 500 end), 502, "payment_unavailable")
    end)
  end)

  it("holds the item: while one customer pays, another cannot have it", function()
    local bob = shop:login "bob"
    local release = false
    payments:post("/charges", function()
      task.eventually(function() return release end, { timeout = 20, interval = 0.005 })
      return 201
    end)
    local first = task.spawn(function()
      return ada:post("/orders", { json = { items = { { sku = "antique", quantity = 1 } } } })
    end)
    task.eventually(function() return #payments:requests() == 1 end, { timeout = 20, interval = 0.005 })
    assert.problem(bob:post("/orders", { json = { items = { { sku = "antique", quantity = 1 } } } }), 409, "out_of_stock")
    release = true
    assert.response(first:join()).has.status(201)
  end)
end)
