local encode = require "itlua.encode"
local services = require "itlua.services"

-- What the shop is told on Kafka: that orders were paid.

local available, why = services.bus:available()
if not available then
  pending("payments cannot be tried here: " .. why)
  return
end
local bus = services.bus:connect()
local shop, topics = require("support.shop").start_with_events(bus)
local ada = shop:login "ada"

describe("payments", function()
  -- Those of one key come one after the other.
  local function pay(order, changes)
    local payment = { id = encode.random_string(12), order_id = order.id, amount = order.total, status = "paid" }
    for name, value in pairs(changes or {}) do payment[name] = value end
    return bus:publish(topics.payments, payment, { key = "ada" }), payment
  end

  local function is_paid(order) return ada:get("/orders/" .. order.id):json().paid end

  it("are consumed: the order is paid, which is announced", function()
    local events = bus:capture(topics.orders)
    local order = shop:order(ada)
    assert.is_false(order.paid)
    pay(order)
    events:wait_for({ event = "order.paid", order = { id = order.id, paid = true } }, { timeout = 20 })
    assert.is_true(is_paid(order))
  end)

  it("are handled once, however often they come", function()
    local events = bus:capture(topics.orders)
    local order, later = shop:order(ada), shop:order(ada)
    local _, payment = pay(order)
    pay(order, payment)
    pay(order, payment)
    pay(later)
    events:wait_for({ event = "order.paid", order = { id = later.id } }, { timeout = 20 }) -- all before it were handled
    events:expect_once({ event = "order.paid", order = { id = order.id } }, { fence = true, timeout = 20 })
  end)

  it("that make no sense go to the dead letters, and stop nobody", function()
    local dead = bus:capture(topics.payments .. ".dead")
    local order = shop:order(ada)
    local partition, offset = bus:publish(topics.payments, "paid, trust me", { key = "ada" })
    pay(order, { order_id = "o-nowhere" })
    pay(order, { amount = order.total - 1 })
    pay(order, { status = "perhaps" })
    pay(order)
    assert.eventually(function() return is_paid(order) end, { timeout = 20 })

    dead:wait_for_count(4, { timeout = 20 })
    local letters = dead:dead_letters { of = topics.payments }
    assert.equal("paid, trust me", letters[1].value)
    assert.same({ partition, offset }, { letters[1].partition, letters[1].offset })
    local reasons = {}
    for i, letter in ipairs(letters) do reasons[i] = letter.reason end
    assert.same({
      "it is no JSON object", "there is no order o-nowhere",
      ("the order costs %d, not %d"):format(order.total, order.total - 1), "a payment cannot be 'perhaps'",
    }, reasons)
  end)

  it("of a group are seen to be consumed", function()
    if bus.embedded then
      pending "the embedded broker has no groups that last"
      return
    end
    local order = shop:order(ada)
    pay(order)
    bus:wait_until_consumed(topics.payments .. "-shop", topics.payments, { timeout = 20 })
    assert.is_true(is_paid(order))
  end)
end)
