--- Payments that come as events: the bank says later that an order was paid.

local consumer = require "consumer"

local settlements = {}

local function settle(shop, payment)
  if payment.status ~= "paid" then error(("a payment cannot be '%s'"):format(tostring(payment.status)), 0) end
  local order = type(payment.order_id) == "string" and shop.store:get("orders", payment.order_id)
  if not order then error("there is no order " .. tostring(payment.order_id), 0) end
  if payment.amount ~= order.total then
    error(("the order costs %d, not %s"):format(order.total, tostring(payment.amount)), 0)
  end
  if order.paid then return end
  local paid = shop.store:update("orders", order.id, { paid = true })
  shop.events:publish("order.paid", paid, "paid-" .. payment.id)
end

function settlements.serve(_, shop)
  local config = shop.config
  if not config.brokers then return end
  consumer.start(config.brokers, config.payments_topic, { group = config.payments_topic .. "-shop" }, function(payment)
    if shop.store:get("handled", payment.id) then return end
    settle(shop, payment)
    shop.store:insert("handled", { id = payment.id })
  end)
end

return settlements
