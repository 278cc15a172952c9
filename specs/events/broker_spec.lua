local services = require "itlua.services"

-- What becomes of the shop's events while the broker is away. (This broker is ours alone: the others' goes on.)

local broker = services.fragile_bus
local available, why = broker:available()
if not available then
  pending("without a broker cannot be tried here: " .. why)
  return
end

local bus = broker:connect()
local shop, topics = require("support.shop").start_with_events(bus)
local ada = shop:login "ada"

describe("without a broker", function()
  it("orders are taken, and announced when it is back", function()
    local events = bus:capture(topics.orders)
    local before = shop:order(ada)
    events:wait_for({ event = "order.created", order = { id = before.id } }, { timeout = 20 })

    broker:stop()
    finally(function() broker:start() end)
    local during = shop:order(ada)
    assert.response(ada:post("/orders/" .. during.id .. "/cancel")).has.status(200)
    broker:start()

    events:wait_for({ event = "order.created", order = { id = during.id } }, { timeout = 60 })
    events:wait_for({ event = "order.cancelled", order = { id = during.id } }, { timeout = 20 })
    local after = shop:order(ada)
    events:wait_for({ event = "order.created", order = { id = after.id } }, { timeout = 20 })
  end)
end)
