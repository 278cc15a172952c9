local http = require "itlua.http"

describe("the shop", function()
  it("is healthy", function()
    local api = http.client { base_url = "http://shop.invalid:8080", timeout = 5 }
    assert.equal(200, api:get("/health").status)
  end)
end)
