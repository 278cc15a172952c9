--- Isolation: every test of the file finds the database as the first one did.
--
--     db:isolate { by = "transaction" }   each test in a transaction that is rolled back; for tests that use this handle alone
--     db:isolate { by = "truncate" }      what a test filled is emptied after it; for services with connections of their own
--     local own = db:isolate { by = "database", migrations = "db/migrations", seeds = "db/seeds" }
--                                         a database of the file's own, cloned from a migrated template; safe in parallel
--
-- With `audit = true` (or `--audit`) each test that leaves rows or an open transaction behind is named with them.

local clones = require "itlua.sql.isolation.clones"
local closing = require "itlua.closing"
local core = require "itlua.core"
local renewal = require "itlua.sql.isolation.renewal"
local run = require "itlua.run"
local truncation = require "itlua.sql.isolation.truncation"

local isolation = {}

---@class itlua.sql.IsolateOptions
---@field by "database"|"transaction"|"truncate"
---@field migrations? string|table    database: what migrate.open takes
---@field seeds? string|table         database: what fixture.load takes
---@field each? "file"|"test"         database: one for each file (default) or for each test
---@field warm? integer               database: clones that are kept ready; 2
---@field audit? boolean

-- Sessions of the same database that stand idle in a transaction, this one aside.
local idle = [[
  SELECT coalesce(application_name, '') AS name, left(query, 60) AS query FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%']]

local function audit_lines(db, tables)
  local lines = {}
  for _, found in ipairs(tables:filled(db)) do
    lines[#lines + 1] = ("%d %s in %s"):format(found.rows, found.rows == 1 and "row" or "rows", found.table)
  end
  for _, session in ipairs(db:query(idle)) do
    lines[#lines + 1] = ("a transaction that is open: %s"):format(session.query)
  end
  return lines
end

local function by_transaction(db)
  run.before_test(function()
    if db:transaction_status() ~= "none" then db:exec "ROLLBACK" end
    db:exec "BEGIN"
  end)
  run.after_test(function()
    if db:transaction_status() ~= "none" then db:exec "ROLLBACK" end
    db:rolled_back()
  end)
  return db
end

local function by_truncation(db, options)
  local tables = truncation.of(db)
  run.after_test(function()
    if db:transaction_status() ~= "none" then db:exec "ROLLBACK" end
    local lines = options.audit and audit_lines(db, tables) or nil
    tables:restore()
    return lines
  end)
  return db
end

local function drop_at_end(name, fn)
  closing.at_end(("database %s: drop"):format(name), fn)
end

local function by_database(db, options)
  local source = options.source or clones.source(db, options)
  local own = source:take()
  if options.each == "test" then
    local renewing = renewal.of(source, own)
    run.before_test(function() renewing:before_test() end)
    drop_at_end(own.database_name, function() renewing:finish() end)
    return own
  end
  drop_at_end(own.database_name, function() source:give_back(own) end)
  if options.audit then
    run.after_test(function() return audit_lines(own, truncation.of_empty(own)) end)
  end
  return own
end

local ways = { transaction = by_transaction, truncate = by_truncation, database = by_database }

--- Isolates the tests of this file from each other; call it at the file's top level or in a describe.
---@param db itlua.sql.Connection
---@param options itlua.sql.IsolateOptions
---@return itlua.sql.Connection db      the handle to use: the same, but for "database"
function isolation.isolate(db, options)
  local way = type(options) == "table" and ways[options.by]
  if not way then
    core.usage(('isolate needs { by = "database" | "transaction" | "truncate" }, not by = %s'):format(
      tostring(type(options) == "table" and options.by or options)))
  end
  local all = { audit = run.audit }
  for key, value in pairs(options) do all[key] = value end
  return way(db, all)
end

return isolation
