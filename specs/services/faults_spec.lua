-- itlua: lock=shop
local services = require "itlua.services"
local task = require "itlua.task"
require "support.problems"

-- What becomes of the shop when what it needs stands still, dies or starts again.

describe("the shop", function()
  local available, why = services.shop:available()
  if not available then
    pending("cannot be tried here: " .. why)
    return
  end

  local shop = require("support.shop").service()
  local ada = shop:login "ada"

  local function recovers()
    task.eventually(function() return ada:get("/orders").status == 200 end, { timeout = 30 })
  end

  it("says so while its database stands still, and goes on after", function()
    services.db:pause()
    finally(function() services.db:resume() end)
    assert.problem(ada:get "/orders", 503, "unavailable")
    assert.response(ada:get "/health").has.status(200)
    services.db:resume()
    recovers()
  end)

  it("outlives its database's death", function()
    local order = shop:order(ada)
    services.db:signal "KILL"
    assert.problem(ada:get "/orders", 503, "unavailable")
    services.db:restart()
    recovers()
    assert.response(ada:get("/orders/" .. order.id)).has.status(200)
  end)

  it("cannot log in anybody while its sessions are gone, and can again", function()
    services.sessions:stop()
    finally(function() services.sessions:start() end)
    assert.problem(shop:log_in "ada", 503, "unavailable")
    assert.response(ada:get "/orders").has.status(200)
    services.sessions:start()
    task.eventually(function() return shop:log_in("ada").status == 200 end, { timeout = 30 })
  end)

  it("remembers sessions and orders when it is restarted", function()
    local login, order = shop:log_in("ada"):json(), shop:order(ada)
    services.shop:restart()
    assert.response(ada:get("/orders/" .. order.id)).has.json("status", "pending")
    local r = shop.anybody:post("/auth/refresh", { json = { refresh_token = login.refresh_token } })
    assert.response(r).has.status(200)
    assert.problem(shop.anybody:post("/auth/refresh", { json = { refresh_token = login.refresh_token } }), 401,
      "invalid_token")
  end)
end)
