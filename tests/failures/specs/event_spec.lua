local http, redis, services = require "itlua.http", require "itlua.redis", require "itlua.services"

describe("an order", function()
  it("is announced", function()
    local created <close> = redis.connect(services.cache.url):capture "orders.created"
    local api = http.client { base_url = services.shop.url }
    api:post("/orders", { json = { customer = "c-1" } })
    created:wait_for({ customer = "c-1" }, { timeout = 2 })
  end)
end)
