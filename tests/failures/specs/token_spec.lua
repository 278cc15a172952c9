local http, jwt, services = require "itlua.http", require "itlua.jwt", require "itlua.services"

describe("a customer", function()
  it("sees who she is", function()
    local token = jwt.sign({ sub = "ada", exp = os.time() - 3600 }, "the shop's own secret")
    local api = http.client { base_url = services.shop.url, bearer = token }
    assert.response(api:get "/me").has.status(200)
  end)
end)
