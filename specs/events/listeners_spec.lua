local encode = require "itlua.encode"
local http = require "itlua.http"
local services = require "itlua.services"

-- The services beside the shop, which only hear its events: who tells the customers, who keeps the figures.

local available, why = services.bus:available()
if not available then
  pending("who hears of orders cannot be tried here: " .. why)
  return
end
local bus = services.bus:connect()
local notifier = http.client { base_url = services.notifier.url }
local figures = http.client { base_url = services.figures.url }

describe("who hears of orders", function()
  local customer

  before_each(function() customer = encode.random_string(8) end)

  -- As the shop publishes it.
  local function tell(event, total, id)
    local order = { id = "o-" .. customer, customer_id = customer, total = total or 100 }
    local value = { id = id or encode.random_string(12), event = event, order = order }
    bus:publish("orders", value, { key = order.id })
    return value.id
  end

  local function told()
    local events = {}
    for i, message in ipairs(notifier:get("/messages/" .. customer):json()) do events[i] = message.event end
    return events
  end

  local function sums() return figures:get("/figures/" .. customer):json() end

  it("tells the customer, in order, and counts", function()
    tell "order.created"
    tell "order.assigned"
    tell("order.completed", 700)
    assert.eventually(function() assert.same({ "order.created", "order.assigned", "order.completed" }, told()) end,
      { timeout = 20 })
    assert.eventually(function() assert.subset({ created = 1, completed = 1, revenue = 700 }, sums()) end,
      { timeout = 20 })
  end)

  it("handles an event once that comes twice", function()
    local id = tell "order.created"
    tell("order.created", nil, id)
    tell "order.cancelled"
    assert.eventually(function() assert.same({ "order.created", "order.cancelled" }, told()) end, { timeout = 20 })
    assert.eventually(function() assert.subset({ created = 1, cancelled = 1 }, sums()) end, { timeout = 20 })
  end)

  it("is not stopped by what it does not understand", function()
    local dead = bus:capture "orders.dead"
    local id = tell "order.eaten"
    tell "order.created"
    assert.eventually(function() assert.same({ "order.created" }, told()) end, { timeout = 20 })
    local letters = dead:wait_for_count(2, { match = { id = id }, timeout = 20 }) -- one of each service
    assert.equal("orders", letters[1].headers["x-original-topic"])
  end)

  it("forgets nothing, and says nothing twice, when it is restarted", function()
    tell "order.created"
    assert.eventually(function() assert.same({ "order.created" }, told()) end, { timeout = 20 })
    services.notifier:stop()
    tell "order.paid" -- while nobody listens
    services.notifier:start()
    assert.eventually(function() assert.same({ "order.created", "order.paid" }, told()) end, { timeout = 20 })
  end)
end)
