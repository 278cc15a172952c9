--- A pool: several connections to one database, for tasks that work at once. Opened when they are needed, kept until
-- the pool is closed.

local Connection = require "itlua.sql.connection"
local Database = require "itlua.sql.database"
local address = require "itlua.sql.address"
local core = require "itlua.core"
local show = require "itlua.show"
local sql_core = require "itlua.sql.core"
local task = require "itlua.task"

---@class itlua.sql.Pool: itlua.sql.Database
---@field size integer
local Pool = setmetatable({ __name = "itlua.sql.pool" }, { __index = Database })
Pool.__index = Pool

--- Makes a pool; nothing is connected yet.
---@param options table     as for sql.connect, and size (4), acquire_timeout (10 seconds)
---@return itlua.sql.Pool
function Pool.new(options)
  if type(options) == "string" then options = { url = options } end
  local keywords, ours = address.parse(options)
  local size = ours.size or 4
  if math.type(size) ~= "integer" or size < 1 then core.usage("sql.pool: size must be a positive whole number") end
  local label = ("pool of %d for %s"):format(size, address.label(keywords))
  return setmetatable({
    where = options, size = size, timeout = ours.acquire_timeout or 10, label = label,
    gate = sql_core.gate(size, label), idle = {}, taken = {},
  }, Pool)
end

local function holders(self)
  local lines = {}
  for _, where in pairs(self.taken) do lines[#lines + 1] = "  taken at " .. where end
  table.sort(lines)
  return #lines > 0 and "\n" .. table.concat(lines, "\n") or ""
end

local function wait(self)
  local scope = core.enter(self.timeout)
  local ok, err = pcall(self.gate.acquire, self.gate)
  local expired = core.leave(scope)
  if ok then return end
  if not expired then error(err, 0) end
  core.raise("timeout", "POOL", ("no connection of the %s was free within %.6g s%s"):format(self.label, self.timeout,
    holders(self)), { op = "sql.pool" })
end

local function usable(db)
  local state = db:state()
  return state == "idle" or state == "draining"
end

--- Takes a connection; give it back with pool:release(db).
---@return itlua.sql.Connection
function Pool:acquire()
  wait(self)
  local db = table.remove(self.idle)
  while db and not db:lives() do
    db:close()
    db = table.remove(self.idle)
  end
  if not db then
    local ok, opened = pcall(Connection.open, self.where, true)
    if not ok then
      self.gate:release()
      error(opened, 0)
    end
    db = opened
  end
  self.taken[db] = core.where()
  return db
end

--- Gives a connection back. A transaction that was left open is rolled back, and raised as an error.
---@param db itlua.sql.Connection
function Pool:release(db)
  local where = self.taken[db]
  if not where then core.usage("this connection is not one that the pool has given out") end
  self.taken[db] = nil
  local left_open
  if usable(db) then
    local ok, status = pcall(task.shield, 5, db.transaction_status, db)
    left_open = ok and status ~= "none"
    if left_open then ok = pcall(task.shield, 5, db.exec, db, "ROLLBACK") end
    if ok then self.idle[#self.idle + 1] = db else db:close() end
  else
    db:close()
  end
  self.gate:release()
  if left_open then
    core.raise("sql", "25001", ("a connection of the %s came back with an open transaction (taken at %s)"):format(
      self.label, where), { op = "sql.pool" })
  end
end

--- Runs `fn(db, ...)` with a connection and returns what it returns.
---@param fn fun(db: itlua.sql.Connection, ...): any
---@return any ...
function Pool:with(fn, ...)
  if type(fn) ~= "function" then core.usage("pool:with needs a function, not " .. show.kind(fn)) end
  local db = self:acquire()
  local results = table.pack(pcall(fn, db, ...))
  local ok, err = pcall(self.release, self, db)
  if not results[1] then error(results[2], 0) end
  if not ok then error(err, 0) end
  return table.unpack(results, 2, results.n)
end

-- What takes one call takes one connection for it.
for _, name in ipairs {
  "query", "one", "value", "exec", "transaction", "pipeline", "copy_in", "copy_out", "orphans",
} do
  Pool[name] = function(self, ...)
    return self:with(Connection[name], ...)
  end
end

--- As a connection's; the connection is the pool's again when the loop ends.
function Pool:cursor(sql, ...)
  local db = self:acquire()
  local ok, rows = pcall(db.cursor, db, sql, ...)
  if not ok then
    self:release(db)
    error(rows, 0)
  end
  local function finish(err)
    if self.taken[db] then
      rows:close(err)
      self:release(db)
    end
  end
  local closing = setmetatable({}, { __close = function(_, err) finish(err) end })
  return function()
    local row = rows()
    if row == nil then finish() end
    return row
  end, nil, nil, closing
end

--- As a connection's.
function Pool:listen(...)
  local db <close> = Connection.open(self.where)
  return db:listen(...)
end

--- Closes all of it, also what is in use.
function Pool:close()
  self.gate:close()
  for _, db in ipairs(self.idle) do db:close() end
  for db in pairs(self.taken) do db:close() end
  self.idle, self.taken = {}, {}
end

Pool.__close = Pool.close

function Pool:__tostring()
  return tostring(self.gate)
end

return Pool
