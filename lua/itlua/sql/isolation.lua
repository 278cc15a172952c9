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
local show = require "itlua.show"
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
  SELECT pid, xact_start::text AS since, left(query, 60) AS query FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%']]

-- What an audit compares: nothing can be asked in a transaction that has failed. It is no part of the test's timeline.
local function state_of(db)
  local status = db:transaction_status()
  if status == "failed" then return { status = status, rows = {}, sessions = {} } end
  local silent = core.silence(true)
  local ok, rows, found = pcall(function() return truncation.rows(db), db:query(idle) end)
  core.silence(silent)
  if not ok then error(rows, 0) end
  local sessions = {}
  for _, session in ipairs(found) do sessions[session.pid .. " " .. session.since] = session.query end
  return { status = status, rows = rows, sessions = sessions }
end

local function audit_lines(db, before)
  local now, lines = state_of(db), {}
  for _, name in ipairs(show.keys(now.rows)) do
    local more = now.rows[name] - (before.rows[name] or 0)
    if more > 0 then lines[#lines + 1] = ("%d %s in %s"):format(more, more == 1 and "row" or "rows", name) end
  end
  if now.status ~= "none" and before.status == "none" then lines[#lines + 1] = "a transaction that is open" end
  for _, key in ipairs(show.keys(now.sessions)) do
    if not before.sessions[key] then lines[#lines + 1] = "a transaction that is open: " .. now.sessions[key] end
  end
  return lines
end

-- Whether the handle has a connection; another one where its own was lost, as when the server was restarted. What cannot be
-- connected is told by the test, if it needs it.
local function connected(db)
  return pcall(db.revive, db) and db:state() ~= "lost" and db:state() ~= "closed"
end

-- Calls `restore` after each test, behind a look at what the test has left; before the next where there was no server.
local function audited(db, options, restore)
  local before, owed
  run.before_test(function()
    if not connected(db) then return end
    if owed then restore() end
    owed, before = false, options.audit and state_of(db) or nil
  end)
  run.after_test(function()
    owed = not connected(db)
    if owed then return end
    local ok, lines = true, nil
    if before then ok, lines = pcall(audit_lines, db, before) end
    before = nil
    restore()
    if not ok then error(lines, 0) end
    return lines
  end)
end

local function roll_back(db)
  if db:transaction_status() ~= "none" then db:exec "ROLLBACK" end
end

local function by_transaction(db, options)
  local handle
  run.before_test(function()
    handle = nil
    if not connected(db) then return end
    roll_back(db)
    db:exec "BEGIN"
    handle = db.handle
  end)
  run.after_test(function()
    if not connected(db) then return end
    local ended = handle == db.handle and db:transaction_status() == "none"
    roll_back(db)
    db:rolled_back()
    return options.audit and ended and { "its transaction was ended in it: what it wrote stays" } or nil
  end)
  return db
end

local function by_truncation(db, options)
  local tables = truncation.of(db)
  audited(db, options, function()
    roll_back(db)
    tables:restore()
  end)
  return db
end

-- What is said where a server has ended, or is about to.
local ended = { NOT_RUNNING = true, ECONNREFUSED = true, ENOENT = true, ["57P01"] = true, ["57P03"] = true }

-- A file may have had a server of its own: the databases of one that stays are removed by whoever comes there next.
local function drop_at_end(name, fn)
  closing.at_end(("database %s: drop"):format(name), function()
    local ok, err = pcall(fn)
    if not ok and not (core.is_error(err) and ended[err.code]) then error(err, 0) end
  end)
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
  audited(own, options, function() end)
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
