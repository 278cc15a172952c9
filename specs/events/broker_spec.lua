-- itlua: lock=bus, lock=shop
local services = require "itlua.services"

-- What becomes of the shop's events while the broker is away. (The other shop could not start meanwhile.)

local available, why = services.bus:available()
if not available then
  pending("without a broker cannot be tried here: " .. why)
  return
end
if services.bus.provider == "environment" then
  pending "the broker is not ours to stop"
  return
end

local bus = services.bus:connect()
local shop, topics = require("support.shop").start_with_events(bus)
local ada = shop:login "ada"

describe("without a broker", function()
  it("orders are taken, and announced when it is back", function()
    local events = bus:capture(topics.orders)
    local before = shop:order(ada)
    events:wait_for({ event = "order.created", order = { id = before.id } }, { timeout = 20 })

    services.bus:stop()
    finally(function() services.bus:start() end)
    local during = shop:order(ada)
    assert.response(ada:post("/orders/" .. during.id .. "/cancel")).has.status(200)
    services.bus:start()

    events:wait_for({ event = "order.created", order = { id = during.id } }, { timeout = 20 })
    events:wait_for({ event = "order.cancelled", order = { id = during.id } }, { timeout = 20 })
    local after = shop:order(ada)
    events:wait_for({ event = "order.created", order = { id = after.id } }, { timeout = 20 })
  end)
end)
