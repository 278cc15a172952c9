local shop = require("support.shop").start()
require "support.problems"

-- Every error that the service knows has the same form, whatever went wrong: see support/problems.lua.

describe("an error", function()
  local as = { nobody = shop.anybody, ada = shop:login "ada", dora = shop:login "dora" }

  for _, case in ipairs {
    { "nobody", "GET", "/me", 401, "no_token" },
    { "nobody", "POST", "/auth/login", 422, "invalid", { email = 1 } },
    { "nobody", "POST", "/auth/refresh", 401, "invalid_token", { refresh_token = "x" } },
    { "ada", "GET", "/orders/none", 404, "no_such_order" },
    { "ada", "GET", "/orders?limit=0", 400, "bad_limit" },
    { "ada", "POST", "/orders", 422, "invalid", { items = {} } },
    { "ada", "POST", "/orders", 409, "out_of_stock", { items = { { sku = "antique", quantity = 2 } } } },
    { "ada", "GET", "/stock/none", 404, "no_such_item" },
    { "ada", "GET", "/technicians", 403, "forbidden" },
    { "dora", "GET", "/technicians/none", 404, "no_such_technician" },
    { "dora", "GET", "/analytics/exports/none", 404, "no_such_export" },
    { "dora", "POST", "/notifications/none/read", 404, "no_such_notification" },
  } do
    local who, method, path, status, code, body = table.unpack(case, 1, 6)
    it(("of %s %s by %s is %d %s"):format(method, path, who, status, code), function()
      assert.problem(as[who]:request(method, path, { json = body }), status, code)
    end)
  end

  it("of a method that a path does not have says which it has", function()
    local r = as.ada:delete "/me"
    assert.response(r).has.status(405).has.header("Allow", "GET, HEAD, OPTIONS")
  end)

  it("of a path that is not there is 404", function()
    assert.response(as.ada:get "/nowhere").has.status(404)
  end)
end)
