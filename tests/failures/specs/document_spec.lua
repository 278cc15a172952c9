local http, services = require "itlua.http", require "itlua.services"

describe("an order", function()
  it("is confirmed as it was sent", function()
    local api = http.client { base_url = services.shop.url }
    local r = api:post("/orders", { json = { customer = "c-1" } })
    assert.same({
      id = 7, customer = "c-1", total = 12.5, currency = "EUR", state = "pending",
      items = { { sku = "chair", quantity = 2, price = 4 }, { sku = "lamp", quantity = 1, price = 0.5 } },
    }, r:json())
  end)
end)
