local http = require "itlua.http"
local task = require "itlua.task"
local shop = require("support.shop").start()
require "support.problems"

describe("at the same time", function()
  local ada, bob, dora = shop:login "ada", shop:login "bob", shop:login "dora"

  local function statuses(responses)
    local list = {}
    for i, r in ipairs(responses) do list[i] = r.status end
    table.sort(list)
    return list
  end

  it("two customers cannot get the last one of an item", function()
    local function buy(customer)
      return function() return customer:post("/orders", { json = { items = { { sku = "antique", quantity = 1 } } } }) end
    end
    assert.same({ 201, 409 }, statuses(task.all(buy(ada), buy(bob))))
    assert.equal(0, ada:get("/stock/antique"):json().quantity)
  end)

  it("a hundred orders take exactly what there is", function()
    dora:put("/stock/panel", { json = { quantity = 30 } }):check()
    local burst = http.burst {
      client = ada, path = "/orders", method = "POST", requests = 100, concurrency = 20,
      json = { items = { { sku = "panel", quantity = 1 } } },
    }
    assert.equal(30, burst.status[201])
    assert.equal(70, burst.status[409])
    assert.equal(0, ada:get("/stock/panel"):json().quantity)
  end)

  it("a technician gets one order only", function()
    local function assign(order)
      return function() return dora:post("/orders/" .. order.id .. "/assign", { json = { technician_id = "theo" } }) end
    end
    local a, b, c = shop:order(ada), shop:order(ada), shop:order(bob)
    assert.same({ 200, 409, 409 }, statuses(task.all(assign(a), assign(b), assign(c))))
  end)

  it("an order is either cancelled or assigned", function()
    for _ = 1, 10 do
      local path = "/orders/" .. shop:order(ada).id
      local r = task.all(
        function() return ada:post(path .. "/cancel") end,
        function() return dora:post(path .. "/assign", { json = { technician_id = "tess" } }) end)
      local last = ada:get(path):json().status
      if r[1].status == 200 then assert.equal("cancelled", last) else assert.equal("assigned", last) end
      if last == "assigned" then dora:post(path .. "/complete"):check() end
    end
  end)

  it("a hundred clients are answered", function()
    local burst = http.burst { client = ada, path = "/me", requests = 500, concurrency = 100 }
    assert.equal(500, burst.status[200])
    assert.is_true(burst.latency.p99 < 10, tostring(burst))
  end)
end)
