local container = require "itlua.container"
local server = require "itlua.server"
local task = require "itlua.task"
require "support.problems"

-- A store that runs but cannot be reached: its container is cut off from its network, and connected again.

local available, why = container.available()
if not available then
  pending("the shop's network cannot be tried here: " .. tostring(why):match "[^\n]*")
  return
end

-- A port of the engine's choosing is another one after every connect; this one stays.
local probe = server.listen()
local port = probe.port
probe:close()
local net = container.network()
local store = container.run { image = "redis:7-alpine", network = net, ports = { port .. ":6379" } }
local Shop = require "support.shop"
local shop = Shop.start { SHOP_REDIS_URL = "redis://127.0.0.1:" .. port, SHOP_PATIENCE = Shop.seconds(0.4) }

describe("the shop's network", function()
  teardown(function()
    store:close()
    net:close()
  end)

  it("is cut, which is said, and mended, which is noticed", function()
    assert.response(shop:log_in "ada").has.status(200)
    store:disconnect()
    assert.problem(shop:log_in "ada", 503, "unavailable")
    assert.response(shop.anybody:get "/health").has.status(200)
    store:connect()
    task.eventually(function() return shop:log_in("ada").status == 200 end, { timeout = 30 })
  end)
end)
