local http, services = require "itlua.http", require "itlua.services"

describe("the report of sales", function()
  it("counts what was sold", function()
    local api = http.client { base_url = services.shop.url, timeout = 0.5 }
    assert.equal("42\n", api:get("/report").body)
  end)
end)
