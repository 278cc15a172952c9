--- The store on PostgreSQL: a table of the migrations for each table, a column for each field. What store.lua says of its
--- functions holds here; see migrations/ for the schema.
--
-- A database that does not answer in time (config.lua: patience), or is gone, is a problem that the client is told: 503.

local config = require "config"
local encode = require "itlua.encode"
local null = require "itlua.null"
local sql = require "itlua.sql"
local task = require "itlua.task"
local time = require "itlua.time"
local problem = require "problem"

local Store = {}
Store.__index = Store

local SECONDS = config.patience

---@param url string
function Store.new(url)
  return setmetatable({ pool = sql.pool { url = url, size = 8, acquire_timeout = SECONDS, timeout = SECONDS } }, Store)
end

-- The connection was lost, or the server is starting or ending: another try gets another connection.
local function is_gone(err)
  local code = type(err) == "table" and tostring(err.code) or ""
  return code:find "^08" or code:find "^57P0" or code == "ECONNREFUSED"
end

-- Runs fn(db) with a connection. One whose server does not answer is given up: it would be waited for.
local function attempt(db, fn)
  local ok, result = pcall(task.timeout, SECONDS, fn, db)
  if ok then return result end
  if type(result) == "table" and result.kind == "timeout" then db:close() end
  error(result, 0)
end

function Store:run(fn)
  local deadline = time.monotonic() + SECONDS
  repeat -- each connection of the pool may be lost
    local ok, result = pcall(self.pool.with, self.pool, attempt, fn)
    if ok then return result end
    local timeout = type(result) == "table" and result.kind == "timeout"
    if not timeout and not is_gone(result) then error(result, 0) end
  until timeout or result.code == "ECONNREFUSED" or time.monotonic() > deadline
  return problem.raise(503, "unavailable", "The database does not answer.", nil, { ["retry-after"] = "1" })
end

local function iso(text)
  return (text:gsub(" ", "T"):gsub("%+00$", "Z"))
end

local function from_row(row)
  if not row then return nil end
  for name, value in pairs(row) do
    if value == null then row[name] = nil end
  end
  row.created_at, row.updated_at = iso(row.created_at), iso(row.updated_at)
  return row
end

-- "a = $1, b = $2" and the values; `first` is the number of the first.
local function columns(db, fields, separator, first)
  local parts, values = {}, {}
  for name, value in pairs(fields) do
    values[#values + 1] = value
    parts[#parts + 1] = ("%s = $%d"):format(db:identifier(name), first + #values - 1)
  end
  return table.concat(parts, separator), values
end

--- Nothing is inserted, and nil returned, where there is a row of this id.
function Store:insert(name, row)
  return self:run(function(db)
    local names, marks, values = { "id" }, { "$1" }, { row.id or encode.random_string(12) }
    for field, value in pairs(row) do
      if field ~= "id" then
        values[#values + 1], names[#names + 1] = value, db:identifier(field)
        marks[#marks + 1] = "$" .. #values
      end
    end
    return from_row(db:query(("INSERT INTO %s (%s) VALUES (%s) ON CONFLICT DO NOTHING RETURNING *"):format(
      db:identifier(name), table.concat(names, ", "), table.concat(marks, ", ")), table.unpack(values))[1])
  end)
end

function Store:get(name, id)
  return self:find(name, { id = id })[1]
end

function Store:find(name, wanted, options)
  return self:run(function(db)
    local conditions, values = columns(db, wanted or {}, " AND ", 2)
    local rows = db:query(("SELECT * FROM %s WHERE sequence > $1%s ORDER BY sequence%s"):format(db:identifier(name),
      #values > 0 and " AND " .. conditions or "", options and options.limit and " LIMIT " .. options.limit or ""),
      options and options.after or 0, table.unpack(values))
    local list = {}
    for i, row in ipairs(rows) do list[i] = from_row(row) end
    return list
  end)
end

function Store:update(name, id, changes, version)
  return self:run(function(db)
    local assignments, values = columns(db, changes, ", ", 2)
    values[#values + 1] = version
    return from_row(db:query(("UPDATE %s SET version = version + 1, updated_at = now()%s WHERE id = $1%s RETURNING *"):format(
      db:identifier(name), assignments ~= "" and ", " .. assignments or "",
      version and " AND version = $" .. #values + 1 or ""), id, table.unpack(values))[1])
  end)
end

function Store:delete(name, id)
  return self:run(function(db)
    return from_row(db:query(("DELETE FROM %s WHERE id = $1 RETURNING *"):format(db:identifier(name)), id)[1])
  end)
end

-- Always in the same order, so that two orders never wait for each other.
local function sorted(items)
  local list = table.move(items, 1, #items, 1, {})
  table.sort(list, function(a, b) return a.sku < b.sku end)
  return list
end

local nothing = {} -- what leaves the transaction

function Store:take(items)
  local short
  local ok, err = pcall(self.run, self, function(db)
    db:transaction(function()
      for _, item in ipairs(sorted(items)) do
        local taken = db:query("UPDATE stock SET quantity = quantity - $2 WHERE id = $1 AND quantity >= $2 RETURNING id",
          item.sku, item.quantity)[1]
        if not taken then
          short = item
          error(nothing)
        end
      end
    end)
  end)
  if not ok and not short then error(err, 0) end
  return short
end

function Store:give_back(items)
  self:run(function(db)
    db:transaction(function()
      for _, item in ipairs(sorted(items)) do
        db:exec("UPDATE stock SET quantity = quantity + $2 WHERE id = $1", item.sku, item.quantity)
      end
    end)
  end)
end

return Store
