--- The order service that the specs test: customers order, dispatchers assign technicians, who do the work.
--
--   itlua exec specs/service/main.lua        prints where it listens; ends at SIGTERM or Ctrl-C
--
-- It is set up by its environment: see config.lua. Its data is in memory, or where that says.

package.path = (arg[0]:match "^(.*)/" or ".") .. "/?.lua;" .. package.path

local server = require "itlua.server"

local config = require "config"
local app = server.listen { port = config.port }

local store = config.database_url and require("sql_store").new(config.database_url) or require("store").new()
if config.redis_url then store = require("sessions").new(config.redis_url, store) end
local shop = {
  config = config,
  store = store,
  events = require("events").new(config.brokers and require("outbox").new(store, config)),
}
-- While the service starts nobody waits for an answer: a database that is slow to come is asked again.
require("itlua.task").eventually(function()
  require("seed")(store)
  return true
end, { timeout = 20 })

app:use(require("limits").per_client(config.rate))
for _, part in ipairs { "auth", "catalogue", "orders", "technicians", "notifications", "analytics", "settlements" } do
  require(part).serve(app, shop)
end
app:get("/health", function() return { json = { status = "ok" } } end)

print("listening on " .. app.url)
io.stdout:flush()
app:serve()
