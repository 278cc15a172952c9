--- Charging a card, at a service that belongs to somebody else: it may say no, be slow, or be down.

local problem = require "problem"

local payments = {}

--- Charges the amount, or raises the problem that the customer is told.
function payments.charge(config, customer_id, amount)
  if not config.payments_url then return end
  local http = require "itlua.http"
  local ok, answer = pcall(http.post, config.payments_url .. "/charges", {
    json = { customer_id = customer_id, amount = amount },
    timeout = config.payments_timeout,
    retry = { times = 1, delay = 0.01, status = { 503 }, errors = false },
  })
  if not ok and answer.kind == "timeout" then
    problem.raise(504, "payment_timeout", "The payment service did not answer in time; nothing was ordered.")
  elseif not ok or answer.status >= 500 then
    problem.raise(502, "payment_unavailable", "The payment service is not available; nothing was ordered.")
  elseif answer.status == 402 then
    problem.raise(402, "payment_declined", "The card was declined.")
  end
end

return payments
