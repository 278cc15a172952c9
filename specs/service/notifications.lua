--- Notifications: what users are told of the orders that concern them, and whether they have read it.

local json = require "itlua.json"
local task = require "itlua.task"
local auth = require "auth"
local problem = require "problem"

local notifications = {}

local texts = {
  ["order.created"] = "A new order: %s",
  ["order.assigned"] = "The order %s has a technician",
  ["order.completed"] = "The order %s is done",
  ["order.cancelled"] = "The order %s was cancelled",
  ["order.paid"] = "The order %s is paid",
}

local function shown(notification)
  return {
    id = notification.id, kind = notification.kind, order_id = notification.order_id, text = notification.text,
    read = notification.read, created_at = notification.created_at,
  }
end

-- New orders concern the dispatchers; everything later whose order it is and who works on it.
local function concerned(store, name, order)
  local users = {}
  if name == "order.created" then
    for _, user in ipairs(store:find("users", { role = "dispatcher" })) do users[#users + 1] = user.id end
    return users
  end
  users[1] = order.customer_id
  for _, user in ipairs(order.technician_id and store:find("users", { technician_id = order.technician_id }) or {}) do
    users[#users + 1] = user.id
  end
  return users
end

function notifications.serve(app, shop)
  local store = shop.store
  local anybody = auth.only(shop)

  shop.events:subscribe("order%..*", function(name, order)
    for _, user_id in ipairs(concerned(store, name, order)) do
      store:insert("notifications", {
        user_id = user_id, kind = name, order_id = order.id, text = texts[name]:format(order.id), read = false,
      })
    end
  end)

  app:get("/notifications", anybody, function(req)
    local unread = store:find("notifications", { user_id = req.user.id, read = false })
    local items = json.array()
    for i, notification in ipairs(req.query.unread == "true" and unread
      or store:find("notifications", { user_id = req.user.id })) do
      items[i] = shown(notification)
    end
    return { json = { items = items, unread = #unread } }
  end)

  app:post("/notifications/{id}/read", anybody, function(req)
    local notification = store:get("notifications", req.params.id)
    if not notification or notification.user_id ~= req.user.id then
      problem.raise(404, "no_such_notification", "There is no such notification.")
    end
    store:update("notifications", notification.id, { read = true })
    return 204
  end)

  -- New ones as they come, as server-sent events, until the client leaves.
  app:get("/notifications/stream", anybody, function(req)
    local events, last = req:events(), 0
    for _, notification in ipairs(store:find("notifications", { user_id = req.user.id })) do last = notification.sequence end
    events:comment "listening"
    while true do
      for _, notification in ipairs(store:find("notifications", { user_id = req.user.id }, { after = last })) do
        events:send { event = notification.kind, id = notification.id, json = shown(notification) }
        last = notification.sequence
      end
      task.sleep(0.01)
    end
  end)
end

return notifications
