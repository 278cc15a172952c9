local http, services = require "itlua.http", require "itlua.services"

describe("an order", function()
  it("can be looked at", function()
    local api = http.client { base_url = services.shop.url }
    local made = api:post("/orders", { json = { customer = "c-1" } })
    assert.response(api:get("/order/" .. made:json().id)).has.status(200)
  end)
end)
