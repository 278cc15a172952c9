--- Where the service keeps its data: rows by id, in named tables. This one is in memory; sql_store.lua has the same
--- functions on a database. Rows that go in and come out are copies.

local encode = require "itlua.encode"
local time = require "itlua.time"

local Store = {}
Store.__index = Store

local function copy(row)
  if type(row) ~= "table" then return row end
  local t = setmetatable({}, getmetatable(row))
  for key, value in pairs(row) do t[key] = copy(value) end
  return t
end

function Store.new()
  return setmetatable({ tables = {}, sequence = 0 }, Store)
end

function Store:table(name)
  local t = self.tables[name]
  if not t then
    t = { by_id = {}, order = {} }
    self.tables[name] = t
  end
  return t
end

--- Adds a row. It is given an id (unless it has one), a version and the time. Where there is one of this id: nil.
function Store:insert(name, row)
  local t = self:table(name)
  if t.by_id[row.id or 0] then return nil end
  self.sequence = self.sequence + 1
  row = copy(row)
  row.id = row.id or encode.random_string(12)
  row.sequence, row.version = self.sequence, 1
  row.created_at = time.iso(time.now())
  row.updated_at = row.created_at
  t.by_id[row.id] = row
  t.order[#t.order + 1] = row
  return copy(row)
end

--- The row, or nil.
function Store:get(name, id)
  return copy(self:table(name).by_id[id])
end

local function matches(row, wanted)
  for key, value in pairs(wanted) do
    if row[key] ~= value then return false end
  end
  return true
end

--- The rows that have these fields, oldest first. `options.after` is the sequence of the last row that is already known.
function Store:find(name, wanted, options)
  local after, limit = options and options.after or 0, options and options.limit or math.huge
  local found = {}
  for _, row in ipairs(self:table(name).order) do
    if #found == limit then break end
    if row.sequence > after and matches(row, wanted or {}) then found[#found + 1] = copy(row) end
  end
  return found
end

--- Changes a row and returns it; nil when it has changed since `version` was read.
function Store:update(name, id, changes, version)
  local row = self:table(name).by_id[id]
  if not row or version and row.version ~= version then return nil end
  for key, value in pairs(changes) do row[key] = copy(value) end
  row.version = row.version + 1
  row.updated_at = time.iso(time.now())
  return copy(row)
end

--- Removes a row and returns it.
function Store:delete(name, id)
  local t = self:table(name)
  t.by_id[id] = nil
  for i, row in ipairs(t.order) do
    if row.id == id then return table.remove(t.order, i) end
  end
end

--- Takes all of the items out of the stock, or none: then the first that is short is returned.
function Store:take(items)
  local stock = self:table("stock").by_id
  for _, item in ipairs(items) do
    if not stock[item.sku] or stock[item.sku].quantity < item.quantity then return item end
  end
  for _, item in ipairs(items) do stock[item.sku].quantity = stock[item.sku].quantity - item.quantity end
end

--- Puts items back.
function Store:give_back(items)
  local stock = self:table("stock").by_id
  for _, item in ipairs(items) do stock[item.sku].quantity = stock[item.sku].quantity + item.quantity end
end

return Store
