local task = require "itlua.task"
local Shop = require "support.shop"
local shop = Shop.start { SHOP_TOKEN_SECONDS = Shop.seconds(0.5) }
require "support.problems"

-- A token that does not live long: the client refreshes it and goes on.

describe("a session", function()
  it("outlives its tokens", function()
    local login = shop:log_in("ada"):json()
    local before = shop:with_token(login.access_token)
    assert.response(before:get "/me").has.status(200)

    task.eventually(function() return before:get("/me").status == 401 end, { timeout = 20 })
    assert.problem(before:get "/me", 401, "expired_token")

    local r = shop.anybody:post("/auth/refresh", { json = { refresh_token = login.refresh_token } })
    assert.response(shop:with_token(r:json().access_token):get "/me").has.json("id", "ada")
  end)
end)
