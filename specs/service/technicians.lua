--- Technicians: who they are, what they can do, whether they are free.

local json = require "itlua.json"
local auth = require "auth"
local problem = require "problem"
local validate = require "validate"

local technicians = {}

local new_technician = validate.object {
  name = validate.text(80),
  skills = validate.list(validate.text(40), { min = 1, max = 20 }),
}
local availability = validate.object { available = validate.boolean }

local function shown(technician)
  return {
    id = technician.id, name = technician.name, skills = json.array(technician.skills), available = technician.available,
  }
end

local function has(list, wanted)
  for _, value in ipairs(list) do
    if value == wanted then return true end
  end
  return false
end

function technicians.serve(app, shop)
  local store = shop.store
  local staff = auth.only(shop, "dispatcher", "technician")

  local function find(req)
    return store:get("technicians", req.params.id) or problem.raise(404, "no_such_technician", "There is no such technician.")
  end

  app:get("/technicians", staff, function(req)
    local items = json.array()
    for _, technician in ipairs(store:find("technicians")) do
      local available, skill = req.query.available, req.query.skill
      if (not available or tostring(technician.available) == available) and (not skill or has(technician.skills, skill)) then
        items[#items + 1] = shown(technician)
      end
    end
    return { json = { items = items } }
  end)

  app:post("/technicians", auth.only(shop, "dispatcher"), function(req)
    local given = validate.body(req, new_technician)
    local technician = store:insert("technicians", { name = given.name, skills = given.skills, available = true })
    return { status = 201, json = shown(technician), headers = { location = "/technicians/" .. technician.id } }
  end)

  app:get("/technicians/{id}", staff, function(req) return { json = shown(find(req)) } end)

  -- Technicians say for themselves when they are off; the one who has an order is not free before it is done.
  app:patch("/technicians/{id}", staff, function(req)
    local technician, given = find(req), validate.body(req, availability)
    if req.user.role == "technician" and req.user.technician_id ~= technician.id then
      problem.raise(403, "forbidden", "This is somebody else.")
    end
    local busy = #store:find("orders", { technician_id = technician.id, status = "assigned" }) > 0
    if busy and given.available then problem.raise(409, "busy", technician.name .. " has an order to complete.") end
    return { json = shown(store:update("technicians", technician.id, given)) }
  end)
end

return technicians
