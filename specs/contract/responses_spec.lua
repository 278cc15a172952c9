local json = require "itlua.json"
local match = require "luassert.match"
local time = require "itlua.time"
local shop = require("support.shop").start()

-- What clients may rely on: exactly these fields, of these types, wherever they occur.

local is_text, is_list, is_boolean, is_time = match.is_string(), match.is_table(), match.is_boolean(), time.is_iso
local function is_id(value) return type(value) == "string" and value:find "^%w+$" end
local function is_amount(value) return math.type(value) == "integer" and value >= 0 end
local function is_state(value) return ("pending assigned completed cancelled"):find(value, 1, true) end
local function or_null(is)
  return function(value) return value == json.null or is(value) end
end

local contracts = {
  order = {
    id = is_id,
    status = is_state,
    customer_id = is_id,
    items = is_list,
    total = is_amount,
    note = or_null(is_text),
    technician_id = or_null(is_id),
    paid = is_boolean,
    created_at = is_time,
    updated_at = is_time,
  },
  item = { sku = is_id, quantity = is_amount, price = is_amount },
  technician = { id = is_id, name = is_text, skills = is_list, available = is_boolean },
  notification = { id = is_id, kind = is_text, order_id = is_id, text = is_text, read = is_boolean, created_at = is_time },
  tokens = { access_token = is_text, refresh_token = is_text, token_type = is_text, expires_in = is_amount },
  stock = { sku = is_id, price = is_amount, quantity = is_amount },
}

local function keeps(name, value)
  local contract = contracts[name]
  for field, rule in pairs(contract) do
    assert.is_truthy(rule(value[field]), ("%s.%s is %s"):format(name, field, tostring(value[field])))
  end
  for field in pairs(value) do
    assert.is_truthy(contract[field], ("%s.%s is not in the contract"):format(name, field))
  end
end

describe("the contract of", function()
  local ada, dora = shop:login "ada", shop:login "dora"

  it("orders holds wherever one is answered", function()
    local r = ada:post("/orders", { json = { items = { { sku = "valve", quantity = 2 } }, note = "hello" } })
    local path = r.headers.location
    keeps("order", r:json())
    keeps("order", ada:get(path):json())
    keeps("order", ada:get("/orders"):json().items[1])
    keeps("order", dora:post(path .. "/assign", { json = { technician_id = "tess" } }):json())
    keeps("order", dora:post(path .. "/complete"):json())
    for _, item in ipairs(r:json().items) do keeps("item", item) end
  end)

  it("technicians holds", function()
    for _, technician in ipairs(dora:get("/technicians"):json().items) do keeps("technician", technician) end
  end)

  it("notifications holds", function()
    shop:order(ada)
    local first = assert.eventually(function() return dora:get("/notifications"):json().items[1] end, { timeout = 20 })
    keeps("notification", first)
  end)

  it("tokens holds", function()
    local r = shop:log_in "bob"
    keeps("tokens", r:json())
    assert.response(r).has.header("Cache-Control", "no-store")
  end)

  it("the stock holds", function()
    keeps("stock", ada:get("/stock/valve"):json())
  end)
end)
