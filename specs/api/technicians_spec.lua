local shop = require("support.shop").start()
require "support.problems"

describe("technicians", function()
  local ada, dora, tess = shop:login "ada", shop:login "dora", shop:login "tess"

  local function assign(order, technician)
    return dora:post("/orders/" .. order.id .. "/assign", { json = { technician_id = technician } })
  end

  local function is_available(technician)
    return dora:get("/technicians/" .. technician):json().available
  end

  local function names(query)
    local list = {}
    for i, technician in ipairs(dora:get("/technicians", { query = query }):json().items) do list[i] = technician.name end
    return list
  end

  it("are found by what they can do, and whether they are free", function()
    assert.same({ "Tess", "Theo" }, names { skill = "boiler" })
    assert.same({ "Tess" }, names { skill = "solar" })
    assert.same({}, names { skill = "magic" })
    assert.same({ "Tess", "Theo" }, names { available = "true" })
  end)

  it("can be hired", function()
    local r = dora:post("/technicians", { json = { name = "Toni", skills = { "valves" } } })
    assert.response(r).has.status(201).matches { name = "Toni", skills = { "valves" }, available = true }
    assert.response(dora:get(r.headers.location)).has.json("name", "Toni")
    assert.problem(dora:post("/technicians", { json = { name = "Toni", skills = {} } }), 422, "invalid")
  end)

  it("are not free while they have an order", function()
    local order = shop:order(ada)
    assert.response(assign(order, "tess")).has.status(200).matches { status = "assigned", technician_id = "tess" }
    assert.is_false(is_available "tess")
    assert.problem(assign(shop:order(ada), "tess"), 409, "not_available")
    assert.problem(dora:patch("/technicians/tess", { json = { available = true } }), 409, "busy")

    tess:post("/orders/" .. order.id .. "/complete"):check()
    assert.is_true(is_available "tess")
  end)

  it("are free again when their order is cancelled", function()
    local order = shop:order(ada)
    assign(order, "theo"):check()
    ada:post("/orders/" .. order.id .. "/cancel"):check()
    assert.is_true(is_available "theo")
  end)

  it("see and complete their own orders only", function()
    local hers, his = shop:order(ada), shop:order(ada)
    assign(hers, "tess"):check()
    assign(his, "theo"):check()
    finally(function()
      for _, order in ipairs { hers, his } do dora:post("/orders/" .. order.id .. "/complete") end
    end)

    local seen = tess:get("/orders", { query = { status = "assigned" } }):json().items
    assert.equal(1, #seen)
    assert.equal(hers.id, seen[1].id)
    assert.problem(tess:post("/orders/" .. his.id .. "/complete"), 404, "no_such_order")
  end)

  it("say for themselves when they are off", function()
    finally(function() dora:patch("/technicians/tess", { json = { available = true } }) end)
    assert.response(tess:patch("/technicians/tess", { json = { available = false } })).has.json("available", false)
    assert.problem(assign(shop:order(ada), "tess"), 409, "not_available")
    assert.problem(tess:patch("/technicians/theo", { json = { available = false } }), 403, "forbidden")
  end)

  it("have to exist", function()
    assert.problem(assign(shop:order(ada), "nobody"), 422, "no_such_technician")
    assert.problem(dora:get "/technicians/nobody", 404, "no_such_technician")
  end)
end)
