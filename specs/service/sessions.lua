--- What is not kept for long, in Redis: refresh tokens and answered Idempotency-Keys go there, everything else to the
--- store behind it. What is in stock is read from a cache, which forgets what changes.

local config = require "config"
local json = require "itlua.json"
local redis = require "itlua.redis"
local task = require "itlua.task"
local problem = require "problem"

local Sessions = {}

local SECONDS, DAY, CACHED = config.patience, 86400, 30
local mine = { refresh_tokens = true, idempotency = true }

---@param url string
---@param store table
function Sessions.new(url, store)
  return setmetatable({ url = url, store = store }, Sessions)
end

local function key(name, id) return "shop:" .. name .. ":" .. id end

-- A connection that was lost is made again, once.
local function call(self, ...)
  local words = table.pack(...)
  for _ = 1, 2 do
    local ok, result = pcall(task.timeout, SECONDS, function()
      local client = rawget(self, "client") or redis.connect(self.url)
      rawset(self, "client", client)
      return client:call(table.unpack(words))
    end)
    if ok then return result end
    rawset(self, "client", nil)
    if result.kind == "timeout" then break end
  end
  return problem.raise(503, "unavailable", "The sessions' store does not answer.", nil, { ["retry-after"] = "1" })
end

local methods = {}

function methods.insert(self, name, row)
  return call(self, "SET", key(name, row.id), json.encode(row), "NX", "EX", DAY) and row or nil
end

function methods.get(self, name, id)
  local text = call(self, "GET", key(name, id))
  return text and json.decode(text)
end

function methods.update(self, name, id, changes)
  local row = methods.get(self, name, id)
  if not row then return nil end
  for field, value in pairs(changes) do row[field] = value end
  call(self, "SET", key(name, id), json.encode(row), "EX", DAY)
  return row
end

function methods.delete(self, name, id)
  local text = call(self, "GETDEL", key(name, id))
  return text and json.decode(text)
end

-- The cache of what is in stock. Without Redis it is as if nothing were in it.

local function forget(self, sku) pcall(call, self, "DEL", key("stock", sku)) end

local function get_stock(self, sku)
  local ok, text = pcall(call, self, "GET", key("stock", sku))
  if ok and text then return json.decode(text) end
  local item = rawget(self, "store"):get("stock", sku)
  if ok and item then pcall(call, self, "SET", key("stock", sku), json.encode(item), "EX", CACHED) end
  return item
end

local function update_stock(self, sku, changes, ...)
  local item = rawget(self, "store"):update("stock", sku, changes, ...)
  forget(self, sku)
  return item
end

-- take and give_back change the stock of several items.
local function moving(name)
  return function(self, items)
    local results = table.pack(rawget(self, "store")[name](rawget(self, "store"), items))
    for _, item in ipairs(items) do forget(self, item.sku) end
    return table.unpack(results, 1, results.n)
  end
end

local stock = { get = get_stock, update = update_stock }
local whole = { take = moving "take", give_back = moving "give_back" }

function Sessions.__index(_, name)
  if name == "client" then return nil end
  if whole[name] then return whole[name] end
  local method = methods[name]
  return function(self, where, ...)
    if method and mine[where] then return method(self, where, ...) end
    if where == "stock" and stock[name] then return stock[name](self, ...) end
    local store = rawget(self, "store")
    return store[name](store, where, ...)
  end
end

return Sessions
