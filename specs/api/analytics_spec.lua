local Shop = require "support.shop"
local shop = Shop.start { SHOP_EXPORT_SECONDS = Shop.seconds(0.2) }
require "support.problems"

describe("analytics", function()
  local ada, dora, tess = shop:login "ada", shop:login "dora", shop:login "tess"

  local function complete(order)
    dora:post("/orders/" .. order.id .. "/assign", { json = { technician_id = "tess" } }):check()
    tess:post("/orders/" .. order.id .. "/complete"):check()
  end

  setup(function()
    complete(shop:order(ada, { { sku = "boiler", quantity = 1 }, { sku = "valve", quantity = 2 } }))
    complete(shop:order(ada, { { sku = "valve", quantity = 5 } }))
    shop:order(ada, { { sku = "panel", quantity = 3 } })
    local regretted = shop:order(ada, { { sku = "panel", quantity = 90 } })
    ada:post("/orders/" .. regretted.id .. "/cancel"):check()
  end)

  it("sum up the orders", function()
    assert.same({
      orders = 4,
      by_status = { pending = 1, assigned = 0, completed = 2, cancelled = 1 },
      revenue = 89900 + 7 * 1250,
      top_items = {
        { sku = "valve", quantity = 7 },
        { sku = "panel", quantity = 3 },
        { sku = "boiler", quantity = 1 },
      },
    }, dora:get("/analytics/orders"):json())
  end)

  it("tell who did how much", function()
    assert.response(dora:get "/analytics/technicians").matches {
      items = { { id = "tess", completed = 2, assigned = 0 }, { id = "theo", completed = 0 } },
    }
  end)

  it("are exported when there is time", function()
    local export = dora:post "/analytics/exports"
    assert.response(export).has.status(202).has.json("state", "running")
    local path = export.headers.location
    assert.problem(dora:get(path .. "/csv"), 409, "not_ready")

    assert.eventually(function() return dora:get(path):json().state == "done" end, { timeout = 20 })

    local csv = dora:get(path .. "/csv")
    assert.response(csv).has.content_type "text/csv"
    local lines = {}
    for line in csv.body:gmatch "[^\n]+" do lines[#lines + 1] = line end
    assert.equal("id,status,total", lines[1])
    assert.equal(1 + 4, #lines)
  end)

  it("are for dispatchers", function()
    for _, path in ipairs { "/analytics/orders", "/analytics/technicians", "/analytics/exports/x" } do
      assert.problem(ada:get(path), 403, "forbidden")
      assert.problem(tess:get(path), 403, "forbidden")
    end
  end)
end)
