--- A service beside the shop: sums over the orders' events, always of all of them, so that it needs no database.
--
--   itlua exec specs/service/figures.lua      with SHOP_KAFKA and SHOP_PORT
--   GET /figures                              of all orders
--   GET /figures/{customer_id}                of one customer's

package.path = (arg[0]:match "^(.*)/" or ".") .. "/?.lua;" .. package.path

local server = require "itlua.server"
local config = require "config"
local consumer = require "consumer"

local function nothing() return { created = 0, assigned = 0, completed = 0, cancelled = 0, paid = 0, revenue = 0 } end

local all, by_customer, heard = nothing(), {}, {}

local function add(figures, event)
  local what = event.event:match "^order%.(%a+)$"
  if not figures[what] then error(("'%s' counts for nothing"):format(tostring(event.event)), 0) end
  figures[what] = figures[what] + 1
  if what == "completed" then figures.revenue = figures.revenue + event.order.total end
end

consumer.start(config.brokers, config.orders_topic, {}, function(event)
  if heard[event.id] then return end
  local customer = event.order.customer_id
  by_customer[customer] = by_customer[customer] or nothing()
  add(by_customer[customer], event)
  add(all, event)
  heard[event.id] = true
end)

local app = server.listen { port = config.port }
app:get("/health", function() return { json = { status = "ok" } } end)
app:get("/figures", function() return { json = all } end)
app:get("/figures/{customer_id}", function(req) return { json = by_customer[req.params.customer_id] or nothing() } end)
print("listening on " .. app.url)
io.stdout:flush()
app:serve()
