--- What can be ordered, and how much of it is there.

local auth = require "auth"
local problem = require "problem"
local validate = require "validate"

local catalogue = {}

local restock = validate.object { quantity = validate.integer { min = 0, max = 1000000 } }

local function shown(item)
  return { sku = item.id, price = item.price, quantity = item.quantity }
end

function catalogue.serve(app, shop)
  local store = shop.store

  app:get("/stock/{sku}", auth.only(shop), function(req)
    local item = store:get("stock", req.params.sku) or problem.raise(404, "no_such_item", "There is no such item.")
    return { json = shown(item) }
  end)

  app:put("/stock/{sku}", auth.only(shop, "dispatcher"), function(req)
    local changes = validate.body(req, restock)
    local item = store:update("stock", req.params.sku, changes) or problem.raise(404, "no_such_item", "There is no such item.")
    return { json = shown(item) }
  end)
end

return catalogue
