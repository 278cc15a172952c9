--- Orders: made by customers, moved from state to state by those who may.

local encode = require "itlua.encode"
local json = require "itlua.json"
local auth = require "auth"
local payments = require "payments"
local problem = require "problem"
local validate = require "validate"

local orders = {}

-- From which state an action leads to which.
local actions = {
  assign = { pending = "assigned" },
  complete = { assigned = "completed" },
  cancel = { pending = "cancelled", assigned = "cancelled" },
}

local item = validate.object { sku = validate.text(40), quantity = validate.integer { min = 1, max = 100 } }
local note = validate.optional(validate.text(500))
local new_order = validate.object { items = validate.list(item, { min = 1, max = 50 }), note = note }
local changed_order = validate.object { note = note }
local assignment = validate.object { technician_id = validate.text(40) }

local function shown(order)
  return {
    id = order.id, status = order.status, customer_id = order.customer_id, items = order.items, total = order.total,
    note = order.note or json.null, technician_id = order.technician_id or json.null,
    paid = order.paid or false, created_at = order.created_at, updated_at = order.updated_at,
  }
end

local function etag(order)
  return ('"%d"'):format(order.version)
end

local function answer(order, status, headers)
  headers = headers or {}
  headers.etag = etag(order)
  return { status = status or 200, json = shown(order), headers = headers }
end

-- ---- making one

local function priced(store, items)
  local total, lines = 0, {}
  for i, line in ipairs(items) do
    local known = store:get("stock", line.sku)
    if not known then
      local errors = { { field = ("items[%d].sku"):format(i - 1), problem = "is not in the catalogue" } }
      problem.raise(422, "invalid", "The request is not valid.", { errors = errors })
    end
    lines[i] = { sku = line.sku, quantity = line.quantity, price = known.price }
    total = total + known.price * line.quantity
  end
  return lines, total
end

-- The items are taken first, so that two orders that both wait for their payment cannot get the same last one.
local function create(shop, customer_id, given)
  local store = shop.store
  local items, total = priced(store, given.items)
  local short = store:take(items)
  if short then
    problem.raise(409, "out_of_stock", ("There is not enough of %s."):format(short.sku), { sku = short.sku })
  end
  local paid, why = pcall(payments.charge, shop.config, customer_id, total)
  if not paid then
    store:give_back(items)
    error(why, 0)
  end
  local text = given.note ~= json.null and given.note or nil
  return store:insert("orders", { status = "pending", customer_id = customer_id, items = items, total = total, note = text })
end

-- A request that is repeated with its Idempotency-Key is answered as the first time.
local function once(shop, req, fn)
  local key = req:header "idempotency-key"
  if not key then return fn() end
  local id, digest = req.user.id .. ":" .. key, encode.sha256(req.body)
  local known = not shop.store:insert("idempotency", { id = id, digest = digest }) and shop.store:get("idempotency", id)
  if known and known.digest ~= digest then
    problem.raise(422, "key_reused", "This Idempotency-Key belongs to another request.")
  elseif known and not known.order_id then
    problem.raise(409, "in_progress", "The first request with this Idempotency-Key is not answered yet.")
  elseif known then
    return answer(shop.store:get("orders", known.order_id), 201, { ["idempotency-replayed"] = "true" })
  end
  local ok, result, order = pcall(fn)
  if not ok then
    shop.store:delete("idempotency", id) -- it may be tried again
    error(result, 0)
  end
  shop.store:update("idempotency", id, { order_id = order.id })
  return result
end

-- ---- finding them

local function visible(user, order)
  return user.role == "dispatcher" or order.customer_id == user.id
    or user.technician_id ~= nil and order.technician_id == user.technician_id
end

local function find(store, req)
  local order = store:get("orders", req.params.id)
  -- To others it is as if there were none.
  if order and visible(req.user, order) then return order end
  return problem.raise(404, "no_such_order", "There is no such order.")
end

local function page(store, req)
  local limit = req.query.limit == nil and 20 or math.tointeger(tonumber(req.query.limit))
  if not limit or limit < 1 or limit > 100 then problem.raise(400, "bad_limit", "limit must be 1 to 100.") end
  local ok, after = pcall(encode.from_hex, req.query.cursor or "")
  if not ok then problem.raise(400, "bad_cursor", "This cursor is not one of ours.") end
  local wanted = { status = req.query.status }
  if req.user.role == "customer" then wanted.customer_id = req.user.id end
  if req.user.technician_id then wanted.technician_id = req.user.technician_id end
  local found = store:find("orders", wanted, { after = tonumber(after), limit = limit + 1 })
  local more = #found > limit and table.remove(found) ~= nil
  local items = json.array()
  for i, order in ipairs(found) do items[i] = shown(order) end
  return { items = items, next = more and encode.hex(tostring(found[limit].sequence)) or json.null }
end

-- ---- changing them

local function check_version(req, order)
  local expected = req:header "if-match"
  if not expected then problem.raise(428, "no_if_match", "Say in If-Match which version you change.") end
  if expected ~= etag(order) then problem.raise(412, "changed", "The order has changed since you read it.") end
end

local function move(shop, order, action, changes)
  local status = actions[action][order.status]
  if not status then
    problem.raise(409, "wrong_state", ("A %s order cannot be %s."):format(order.status, action == "assign" and "assigned"
      or action == "complete" and "completed" or "cancelled"), { state = order.status })
  end
  changes.status = status
  local moved = shop.store:update("orders", order.id, changes, order.version)
    or problem.raise(409, "changed", "The order was changed by somebody else just now.")
  shop.events:publish("order." .. status, moved)
  return moved
end

local function free(store, technician_id)
  if technician_id then store:update("technicians", technician_id, { available = true }) end
end

function orders.serve(app, shop)
  local store = shop.store
  local anybody = auth.only(shop)

  app:post("/orders", auth.only(shop, "customer"), function(req)
    local given = validate.body(req, new_order)
    return once(shop, req, function()
      local order = create(shop, req.user.id, given)
      shop.events:publish("order.created", order)
      return answer(order, 201, { location = "/orders/" .. order.id }), order
    end)
  end)

  app:get("/orders", anybody, function(req) return { json = page(store, req) } end)

  app:get("/orders/{id}", anybody, function(req)
    local order = find(store, req)
    if req:header "if-none-match" == etag(order) then return { status = 304, headers = { etag = etag(order) } } end
    return answer(order)
  end)

  app:patch("/orders/{id}", auth.only(shop, "customer"), function(req)
    local order = find(store, req)
    check_version(req, order)
    if order.status ~= "pending" then problem.raise(409, "wrong_state", "Only a pending order can be changed.") end
    return answer(store:update("orders", order.id, validate.body(req, changed_order)))
  end)

  app:delete("/orders/{id}", auth.only(shop, "dispatcher"), function(req)
    local order = find(store, req)
    if order.status ~= "cancelled" then problem.raise(409, "wrong_state", "Only a cancelled order can be deleted.") end
    store:delete("orders", order.id)
    return 204
  end)

  app:post("/orders/{id}/assign", auth.only(shop, "dispatcher"), function(req)
    local order, given = find(store, req), validate.body(req, assignment)
    local technician = store:get("technicians", given.technician_id)
    if not technician then problem.raise(422, "no_such_technician", "There is no such technician.") end
    -- Who is asked for twice at the same time gets one order only.
    local taken = order.status == "pending" and technician.available
      and store:update("technicians", technician.id, { available = false }, technician.version)
    if order.status == "pending" and not taken then
      problem.raise(409, "not_available", technician.name .. " is not available.")
    end
    local ok, moved = pcall(move, shop, order, "assign", { technician_id = technician.id })
    if not ok then
      if taken then free(store, technician.id) end
      error(moved, 0)
    end
    return answer(moved)
  end)

  app:post("/orders/{id}/complete", auth.only(shop, "dispatcher", "technician"), function(req)
    local order = move(shop, find(store, req), "complete", {})
    free(store, order.technician_id)
    return answer(order)
  end)

  app:post("/orders/{id}/cancel", auth.only(shop, "customer", "dispatcher"), function(req)
    local order = move(shop, find(store, req), "cancel", {})
    store:give_back(order.items)
    free(store, order.technician_id)
    return answer(order)
  end)
end

return orders
