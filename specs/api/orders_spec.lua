local json = require "itlua.json"
local shop = require("support.shop").start()
require "support.problems"

describe("orders", function()
  local ada, bob, dora = shop:login "ada", shop:login "bob", shop:login "dora"

  describe("when they are made", function()
    it("have a price for each item, and in total", function()
      local r = ada:post("/orders", {
        json = { items = { { sku = "boiler", quantity = 1 }, { sku = "valve", quantity = 4 } }, note = "ring twice" },
      })
      assert.response(r).has.status(201).matches {
        status = "pending",
        customer_id = "ada",
        items = { { sku = "boiler", quantity = 1, price = 89900 }, { sku = "valve", quantity = 4, price = 1250 } },
        total = 94900,
        note = "ring twice",
        technician_id = json.null,
      }
      assert.response(r).has.header("Location", "/orders/" .. r:json().id)
    end)

    it("are found where Location says", function()
      local r = ada:post("/orders", { json = { items = { { sku = "valve", quantity = 1 } } } })
      assert.same(r:json(), ada:get(r.headers.location):json())
    end)

    it("take their items out of the stock", function()
      local before = ada:get("/stock/panel"):json().quantity
      shop:order(ada, { { sku = "panel", quantity = 3 } })
      assert.equal(before - 3, ada:get("/stock/panel"):json().quantity)
    end)

    it("are refused when there is not enough", function()
      local r = ada:post("/orders", { json = { items = { { sku = "antique", quantity = 2 } } } })
      assert.problem(r, 409, "out_of_stock")
      assert.equal("antique", r:json().sku)
      assert.equal(1, ada:get("/stock/antique"):json().quantity)
    end)

    it("are for customers", function()
      assert.problem(dora:post("/orders", { json = {} }), 403, "forbidden")
    end)
  end)

  describe("that are not valid", function()
    -- What the service says about a body, by field.
    local function complaints(body)
      local r = ada:post("/orders", { json = body })
      assert.problem(r, 422, "invalid")
      local by_field = {}
      for _, e in ipairs(r:json().errors) do by_field[e.field] = e.problem end
      return by_field
    end

    it("are refused with all that is wrong, and where", function()
      assert.same({
        ["items[0].quantity"] = "must be at least 1",
        ["items[1].sku"] = "must be a text",
        ["items[1].quantity"] = "must be a whole number",
        ["items[2].sku"] = "is missing",
        ["items[2].quantity"] = "must be at most 100",
        note = "must not be empty",
        colour = "is not known",
      }, complaints {
        items = { { sku = "valve", quantity = 0 }, { sku = 5, quantity = 1.5 }, { quantity = 101 } },
        note = "",
        colour = "red",
      })
    end)

    it("are refused without items, or with items that are none", function()
      assert.same({ items = "is missing" }, complaints {})
      assert.same({ items = "must have at least 1 elements" }, complaints { items = json.array() })
      assert.same({ items = "must be a list" }, complaints { items = "valve" })
      assert.same({ ["items[0].sku"] = "is not in the catalogue" },
        complaints { items = { { sku = "unicorn", quantity = 1 } } })
    end)

    it("are refused when the body is no JSON", function()
      local r = ada:post("/orders", { body = '{"items": [' })
      assert.response(r).has.status(400).has.json("error", "bad request")
    end)
  end)

  describe("that belong to somebody else", function()
    it("are as if they did not exist", function()
      local order = shop:order(ada)
      assert.problem(bob:get("/orders/" .. order.id), 404, "no_such_order")
      assert.problem(bob:post("/orders/" .. order.id .. "/cancel"), 404, "no_such_order")
      assert.problem(bob:get "/orders/never-was", 404, "no_such_order")
    end)

    it("are seen by dispatchers", function()
      local order = shop:order(ada)
      assert.response(dora:get("/orders/" .. order.id)).has.status(200).has.json("id", order.id)
    end)
  end)

  describe("when they are changed", function()
    it("get a new note and a new version", function()
      local before = ada:get("/orders/" .. shop:order(ada).id)
      local r = ada:patch("/orders/" .. before:json().id, {
        json = { note = "use the back door" },
        headers = { ["If-Match"] = before.headers.etag },
      })
      assert.response(r).has.status(200).has.json("note", "use the back door")
      assert.not_equal(before.headers.etag, r.headers.etag)
    end)

    it("stay as they are when somebody else was faster", function()
      local order = ada:get("/orders/" .. shop:order(ada).id)
      local function change(note)
        return ada:patch(order.url, { json = { note = note }, headers = { ["If-Match"] = order.headers.etag } })
      end
      assert.response(change "first").has.status(200)
      assert.problem(change "second", 412, "changed")
      assert.equal("first", ada:get(order.url):json().note)
    end)

    it("need to be told which version is meant", function()
      local r = ada:patch("/orders/" .. shop:order(ada).id, { json = { note = "x" } })
      assert.problem(r, 428, "no_if_match")
    end)

    it("are not sent again to who has them", function()
      local r = ada:get("/orders/" .. shop:order(ada).id)
      local again = ada:get(r.url, { headers = { ["If-None-Match"] = r.headers.etag } })
      assert.response(again).has.status(304)
      assert.equal("", again.body)
    end)
  end)

  describe("when they are deleted", function()
    it("are gone, once they were cancelled", function()
      local path = "/orders/" .. shop:order(ada).id
      assert.problem(dora:delete(path), 409, "wrong_state")
      ada:post(path .. "/cancel"):check()
      assert.response(dora:delete(path)).has.status(204)
      assert.problem(dora:get(path), 404, "no_such_order")
    end)
  end)
end)
