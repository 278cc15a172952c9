local http, services = require "itlua.http", require "itlua.services"

describe("a refund", function()
  it("is paid", function()
    local api = http.client { base_url = services.shop.url }
    assert.response(api:post("/refunds", { json = { order = 7 } })).has.status(201)
  end)
end)
