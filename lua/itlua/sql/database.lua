--- What every SQL database offers on top of two methods, `query` and `exec`: the base of PostgreSQL's connections,
-- and of whatever an add-on registers for another URL scheme.

local core = require "itlua.core"
local failure = require "itlua.sql.failure"
local show = require "itlua.show"
local task = require "itlua.task"

---@class itlua.sql.Database
---@field is_sql_database true
local Database = { is_sql_database = true }
Database.__index = Database

--- Whether a value is a database handle.
---@param value any
---@return boolean
function Database.is(value)
  return type(value) == "table" and value.is_sql_database == true
end

--- The one row of a statement; raises when there is none, or more than one.
---@param sql string
---@param ... any     parameters $1, $2, …
---@return table row
function Database:one(sql, ...)
  local rows = self:query(sql, ...)
  if #rows ~= 1 then failure.not_one({ rows = #rows }, sql, "row") end
  return rows[1]
end

--- The one value of a statement; raises when there is not exactly one row with one column.
---@param sql string
---@param ... any     parameters
---@return any
function Database:value(sql, ...)
  local rows = self:query(sql, ...)
  if #rows ~= 1 then failure.not_one({ rows = #rows }, sql, "value") end
  local n, found = 0, nil
  for _, value in pairs(rows[1]) do n, found = n + 1, value end
  if n ~= 1 then failure.not_one({ rows = 1, columns = n }, sql, "value") end
  return found
end

--- An iterator over the rows. A driver that can should not hold them all.
---@param sql string
---@param ... any     parameters
---@return fun(): table?
function Database:cursor(sql, ...)
  local rows, i = self:query(sql, ...), 0
  return function()
    i = i + 1
    return rows[i]
  end
end

--- A name as part of a statement, quoted: "orders", "public"."orders". What has a quote in it is taken as it is.
---@param name string
---@return string
function Database:identifier(name) -- luacheck: no self
  if type(name) ~= "string" or name == "" then core.usage("a name must be a string, not " .. show.value(name)) end
  if name:find('"', 1, true) then return name end
  local parts = {}
  for part in name:gmatch "[^.]+" do parts[#parts + 1] = '"' .. part .. '"' end
  return table.concat(parts, ".")
end

-- ---- transactions

local levels = {
  ["read uncommitted"] = true, ["read committed"] = true, ["repeatable read"] = true, ["serializable"] = true,
}

local function begin_text(options)
  local words = { "BEGIN" }
  if options.isolation ~= nil then
    local level = tostring(options.isolation):lower():gsub("[_%-]", " ")
    if not levels[level] then
      core.usage(("transaction: there is no isolation level %s (read committed, repeatable read, serializable)")
        :format(show.value(options.isolation)))
    end
    words[#words + 1] = "ISOLATION LEVEL " .. level:upper()
  end
  if options.read_only ~= nil then words[#words + 1] = options.read_only and "READ ONLY" or "READ WRITE" end
  if options.deferrable then words[#words + 1] = "DEFERRABLE" end
  return table.concat(words, " ")
end

--- "none", "open" or "failed" (a statement failed: nothing but a rollback is left). A driver that can asks its library.
---@return string
function Database:transaction_status()
  return (self.transactions or 0) > 0 and "open" or "none"
end

--- For drivers: told when the first of our transactions begins (true) and when it has ended (false).
---@param _managing boolean
function Database:managing(_managing) end -- luacheck: no self

--- For drivers: told that a transaction was rolled back.
function Database:rolled_back() end -- luacheck: no self

-- Whatever state the connection is in, also when time is over; the error that led here counts, not this one's.
local function roll_back(self, text)
  pcall(task.shield, 5, function()
    if self:transaction_status() ~= "none" then self:exec(text) end
  end)
  self:rolled_back()
end

local function commit(self, text)
  if self:transaction_status() == "failed" then
    core.raise("sql", "25P02", "the transaction was rolled back: a statement in it had failed, and its error was caught",
      { op = "sql.transaction" })
  end
  self:exec(text)
end

local function attempt(self, fn, options, nested)
  local depth = (self.transactions or 0) + 1
  local savepoint = "itlua_" .. depth
  self:exec(nested and "SAVEPOINT " .. savepoint or begin_text(options))
  self.transactions = depth
  if depth == 1 then self:managing(true) end
  local results = table.pack(pcall(fn, self))
  if results[1] then
    local ok, err = pcall(commit, self, nested and "RELEASE SAVEPOINT " .. savepoint or "COMMIT")
    if not ok then results = { false, err } end
  end
  if not results[1] then
    roll_back(self, nested and ("ROLLBACK TO SAVEPOINT %s; RELEASE SAVEPOINT %s"):format(savepoint, savepoint)
      or "ROLLBACK")
  end
  self.transactions = depth - 1
  if depth == 1 then self:managing(false) end
  return results
end

local function may_retry(err)
  return core.is_error(err) == "sql" and (err.code == "40001" or err.code == "40P01")
end

--- Runs `fn(db)` in a transaction and returns what it returns: committed when it returns, rolled back when it raises
--- (the error goes on). Inside another transaction it is a savepoint.
---@param fn fun(db: itlua.sql.Database): any
---@param options? { isolation?: string, read_only?: boolean, deferrable?: boolean, retries?: integer } retries: run it
---    again after a serialization failure or a deadlock
---@return any ...
function Database:transaction(fn, options)
  if type(fn) ~= "function" then core.usage("transaction needs a function, not " .. show.kind(fn)) end
  options = options or {}
  local nested = self:transaction_status() ~= "none"
  if nested and next(options) ~= nil then
    core.usage "transaction: isolation, read_only, deferrable and retries are for the outermost one"
  end
  local left = options.retries or 0
  while true do
    local results = attempt(self, fn, options, nested)
    if results[1] then return table.unpack(results, 2, results.n) end
    if left <= 0 or not may_retry(results[2]) then error(results[2], 0) end
    left = left - 1
  end
end

return Database
