--- Who and what is there from the start.

local encode = require "itlua.encode"

local users = {
  { id = "ada", role = "customer" },
  { id = "bob", role = "customer" },
  { id = "dora", role = "dispatcher" },
  { id = "tess", role = "technician", technician_id = "tess" },
  { id = "theo", role = "technician", technician_id = "theo" },
}

local technicians = {
  { id = "tess", name = "Tess", skills = { "boiler", "solar" }, available = true },
  { id = "theo", name = "Theo", skills = { "boiler" }, available = true },
}

local stock = {
  { id = "boiler", price = 89900, quantity = 1000 },
  { id = "valve", price = 1250, quantity = 1000 },
  { id = "pump", price = 45900, quantity = 1000 },
  { id = "panel", price = 24000, quantity = 1000 },
  { id = "antique", price = 500000, quantity = 1 },
}

return function(store)
  for _, user in ipairs(users) do
    user.email = user.id .. "@shop.example"
    user.password = encode.sha256(user.id .. ":" .. user.id .. "'s password")
    store:insert("users", user)
  end
  for _, technician in ipairs(technicians) do store:insert("technicians", technician) end
  for _, item in ipairs(stock) do store:insert("stock", item) end
end
