local http = require "itlua.http"
local task = require "itlua.task"
local shop = require("support.shop").start { SHOP_RATE = 2 } -- two requests at once, and two a second
require "support.problems"

describe("the rate limit", function()
  -- A customer who has not sent anything yet.
  local function newcomer(name)
    return shop:with_token(shop:token { sub = name })
  end

  local function exhaust(client)
    return http.burst { client = client, path = "/health", requests = 40, concurrency = 10 }
  end

  it("lets through what it should, and refuses the rest", function()
    local burst = exhaust(newcomer "eve")
    assert.equal(0, burst.failed)
    assert.equal(40, burst.status[200] + burst.status[429])
    assert.is_true(burst.status[200] >= 2, tostring(burst))
    assert.is_true(burst.status[200] <= 2 + math.ceil(burst.seconds * 2), tostring(burst))
  end)

  it("says when to come back, and means it", function()
    local fay = newcomer "fay"
    exhaust(fay)
    local r
    task.eventually(function()
      r = fay:get "/health"
      return not r.ok
    end, { timeout = 20, interval = 0 })
    assert.problem(r, 429, "too_many_requests")
    assert.response(r).has.header("Retry-After", "1")
    task.sleep(1)
    assert.response(fay:get "/health").has.status(200)
  end)

  it("is each client's own", function()
    exhaust(newcomer "gus")
    local r = newcomer("hal"):get "/health"
    assert.response(r).has.status(200).has.header("RateLimit-Remaining", "1")
  end)
end)
