--- Analytics: sums over the orders, and exports, which take a while.

local json = require "itlua.json"
local task = require "itlua.task"
local auth = require "auth"
local problem = require "problem"

local analytics = {}

local function summary(store)
  local sums = { orders = 0, revenue = 0, by_status = { pending = 0, assigned = 0, completed = 0, cancelled = 0 } }
  local sold = {}
  for _, order in ipairs(store:find("orders")) do
    sums.orders = sums.orders + 1
    sums.by_status[order.status] = sums.by_status[order.status] + 1
    if order.status == "completed" then sums.revenue = sums.revenue + order.total end
    for _, item in ipairs(order.status ~= "cancelled" and order.items or {}) do
      sold[item.sku] = (sold[item.sku] or 0) + item.quantity
    end
  end
  sums.top_items = json.array()
  for sku, quantity in pairs(sold) do table.insert(sums.top_items, { sku = sku, quantity = quantity }) end
  table.sort(sums.top_items, function(a, b)
    if a.quantity ~= b.quantity then return a.quantity > b.quantity end
    return a.sku < b.sku
  end)
  return sums
end

local function workload(store)
  local items = json.array()
  for i, technician in ipairs(store:find("technicians")) do
    items[i] = {
      id = technician.id,
      completed = #store:find("orders", { technician_id = technician.id, status = "completed" }),
      assigned = #store:find("orders", { technician_id = technician.id, status = "assigned" }),
    }
  end
  return { items = items }
end

function analytics.serve(app, shop)
  local store = shop.store
  local dispatcher = auth.only(shop, "dispatcher")

  app:get("/analytics/orders", dispatcher, function() return { json = summary(store) } end)
  app:get("/analytics/technicians", dispatcher, function() return { json = workload(store) } end)

  -- An export is asked for, and fetched when it is done.
  app:post("/analytics/exports", dispatcher, function()
    local export = store:insert("exports", { state = "running" })
    task.spawn(function()
      task.sleep(shop.config.export_seconds)
      store:update("exports", export.id, { state = "done" })
    end)
    return { status = 202, json = { state = "running" }, headers = { location = "/analytics/exports/" .. export.id } }
  end)

  local function find(req)
    return store:get("exports", req.params.id) or problem.raise(404, "no_such_export", "There is no such export.")
  end

  app:get("/analytics/exports/{id}", dispatcher, function(req) return { json = { state = find(req).state } } end)

  app:get("/analytics/exports/{id}/csv", dispatcher, function(req)
    if find(req).state ~= "done" then problem.raise(409, "not_ready", "The export is not done yet.") end
    local out = req:stream { headers = { ["content-type"] = "text/csv" } }
    out:write "id,status,total\n"
    for _, order in ipairs(store:find("orders")) do
      out:write(("%s,%s,%d\n"):format(order.id, order.status, order.total))
    end
  end)
end

return analytics
