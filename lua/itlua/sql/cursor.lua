--- Rows one after the other, however many: a cursor on the server, fetched in batches that stay small.

local core = require "itlua.core"
local failure = require "itlua.sql.failure"
local show = require "itlua.show"
local sql_core = require "itlua.sql.core"
local task = require "itlua.task"

local first_rows, max_rows, batch_bytes = 100, 5000, 1 << 20

---@class itlua.sql.Cursor
local Cursor = { __name = "itlua.sql.cursor" }
Cursor.__index = Cursor

local function fetch(self)
  local text = ("FETCH FORWARD %d FROM %s"):format(self.rows, self.name)
  local batch, problem = self.db.handle:send(text, sql_core.BATCH)
  if problem == "settle" then
    self.db.handle:settle()
    return fetch(self)
  end
  if problem and problem.unknown then
    self.db:learn(problem.unknown)
    batch = problem.batch
  elseif problem then
    failure.raise(problem, self.sql, "sql.cursor")
  end
  local got, bytes = batch:size()
  self.last, self.fetched = got < self.rows, self.fetched + got
  self.reader = batch:reader()
  if self.batch then self.batch:close() end
  self.batch = batch
  -- As many rows next time as make a batch of a reasonable size.
  local a_row = got > 0 and bytes // got + 1 or bytes
  self.rows = math.max(1, math.min(max_rows, self.rows * 4, batch_bytes // a_row))
end

--- The next row, or nil behind the last.
---@return table?
function Cursor:__call()
  local reader = self.reader
  local row = reader and reader()
  if row then return row end
  if self.closed then return nil end
  if not self.last then
    fetch(self)
    row = self.reader()
    if row then return row end
  end
  self:close()
end

local function finish(self, failed)
  local db = self.db
  db.cursors = db.cursors - 1
  if db:transaction_status() == "none" then return end
  if not self.own then
    if db:transaction_status() == "open" then db:exec("CLOSE " .. self.name) end
  elseif failed or db:transaction_status() == "failed" then
    db:exec "ROLLBACK"
  else
    db:exec "COMMIT"
  end
end

--- Ends it before its last row. At the end of a loop it ends itself.
function Cursor:close(err)
  if self.closed then return end
  self.closed = true
  core.span_end(self.span, self.fetched == 1 and "1 row" or self.fetched .. " rows")
  if self.batch then self.batch:close() end
  self.reader = nil
  local db = self.db
  local state = db.handle:state()
  if self.own and (db.transactions or 0) == 0 then db.handle:manage(false) end
  if state == "closed" or state == "lost" then return end
  if err == nil then return finish(self, false) end
  pcall(task.shield, 5, finish, self, true)
end

Cursor.__close = Cursor.close

local cursor = {}

local function declare(self, sql, ...)
  local depth = (self.cursors or 0) + 1
  local name = "itlua_cursor_" .. depth
  self:run(sql_core.COUNT, ("DECLARE %s NO SCROLL CURSOR FOR %s"):format(name, sql), ...)
  self.cursors = depth
  return name
end

--- An iterator over the rows of a query in constant memory: `for row in db:cursor("SELECT …") do … end`. It needs a
--- transaction: outside of one it makes its own, which ends with the loop (rolled back when the loop raises), so other
--- statements in the loop are part of it. Leaving the loop early is fine.
---@param sql string
---@param ... any     parameters
---@return itlua.sql.Cursor cursor, nil, nil, itlua.sql.Cursor closing
function cursor.open(self, sql, ...)
  if type(sql) ~= "string" then core.usage("cursor needs a statement, not " .. show.kind(sql)) end
  local own = self:transaction_status() == "none"
  if own then
    self:exec "BEGIN"
    self.handle:manage(true)
  end
  local ok, name = pcall(declare, self, sql, ...)
  if not ok then
    if own then
      pcall(task.shield, 5, self.exec, self, "ROLLBACK")
      if (self.transactions or 0) == 0 then self.handle:manage(false) end
    end
    error(name, 0)
  end
  local c = setmetatable({
    db = self, sql = sql, name = name, own = own, rows = first_rows, fetched = 0,
    span = core.span("sql.cursor", show.cut(sql:gsub("%s+", " "), 100)),
  }, Cursor)
  return c, nil, nil, c
end

return cursor
