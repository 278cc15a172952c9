--- A service beside the shop: it hears of the orders' events and tells their customers.
--
--   itlua exec specs/service/notifier.lua     with SHOP_KAFKA and SHOP_PORT
--   GET /messages/{customer_id}               what was sent

package.path = (arg[0]:match "^(.*)/" or ".") .. "/?.lua;" .. package.path

local json = require "itlua.json"
local server = require "itlua.server"
local config = require "config"
local consumer = require "consumer"

local texts = {
  ["order.created"] = "Thank you for your order %s.", ["order.assigned"] = "%s will be done soon.",
  ["order.completed"] = "%s is done.", ["order.cancelled"] = "%s was cancelled.", ["order.paid"] = "%s is paid.",
}

local sent, heard = {}, {}

consumer.start(config.brokers, config.orders_topic, {}, function(event)
  if heard[event.id] then return end
  local text = texts[event.event] or error(("no customer is told of '%s'"):format(tostring(event.event)), 0)
  local customer = event.order.customer_id
  sent[customer] = sent[customer] or json.array()
  table.insert(sent[customer], { event = event.event, order_id = event.order.id, text = text:format(event.order.id) })
  heard[event.id] = true
end)

local app = server.listen { port = config.port }
app:get("/health", function() return { json = { status = "ok" } } end)
app:get("/messages/{customer_id}", function(req) return { json = sent[req.params.customer_id] or json.array() } end)
print("listening on " .. app.url)
io.stdout:flush()
app:serve()
