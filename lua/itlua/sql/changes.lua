--- Changes of tables as a capture, read from PostgreSQL's log by logical decoding: every row that is inserted, updated
-- or deleted by anybody, in the order of the commits.
--
-- The replication slot is a temporary one of a connection of the capture's own: the server drops it with that, also when
-- this program is killed. Nothing is changed in the database.

local capture = require "itlua.capture"
local core = require "itlua.core"
local decoding = require "itlua.sql.decoding"
local show = require "itlua.show"

local changes = {}

local PAUSE <const> = 0.02 -- seconds between two looks at the log
local AT_ONCE <const> = 10000 -- changes, and the rest of their transaction

---@class itlua.sql.ChangeOptions: itlua.capture.Options
---@field timeout? number     seconds that the slot may take to be ready; 10

---@class itlua.sql.ChangeRecord: itlua.capture.Record
---@field value table       the row as it is now (of a delete, what the log has of it: its key)
---@field operation "insert"|"update"|"delete"|"truncate"
---@field old? table        the row before; the key alone unless the table has REPLICA IDENTITY FULL
---@field table string
---@field schema string
---@field id string         place in the log
---@field xid integer       transaction

-- ---- a slot

local function needs_logical(db)
  local level = db:value "SHOW wal_level"
  if level == "logical" then return end
  core.raise("sql", "WAL_LEVEL", ("db:capture reads the server's log, and that says too little: wal_level is %s and has to "
    .. "be logical. It is a setting of the server's start; of a service: { kind = \"postgres\", settings = "
    .. "{ wal_level = \"logical\" } }"):format(level), { op = "sql.capture" })
end

local explained = {
  ["42501"] = "its user needs the attribute REPLICATION (ALTER ROLE … REPLICATION)",
  ["53400"] = "the server has no replication slot left (max_replication_slots)",
  ["58P01"] = "the server lacks the output plugin test_decoding, which is in PostgreSQL's contrib package",
}

-- Who holds the slot up: it can only begin when all transactions have ended that are under way.
local function open_transactions(db)
  local other <close> = db:clone()
  local lines = {}
  for _, session in ipairs(other:query [[
    SELECT pid, datname, state, left(query, 80) AS query FROM pg_stat_activity
    WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()]]) do
    lines[#lines + 1] = ("    process %d, %s, database %s: %s"):format(session.pid, session.state, session.datname,
      session.query)
  end
  return lines
end

local function make_slot(db, name, timeout)
  local scope = core.enter(timeout)
  local ok, err = pcall(db.query, db,
    "SELECT pg_catalog.pg_create_logical_replication_slot($1, 'test_decoding', true)", name)
  local expired = core.leave(scope)
  if ok then return end
  if expired and core.is_error(err) == "timeout" then
    local lines = open_transactions(db)
    table.insert(lines, 1, ("the replication slot was not ready within %g s: it waits for the transactions that are open")
      :format(timeout))
    core.raise("timeout", "SLOT", table.concat(lines, "\n"), { op = "sql.capture" })
  end
  local why = core.is_error(err) == "sql" and explained[err.code]
  if not why then error(err, 0) end
  core.raise("sql", err.code, ("db:capture: %s\n%s"):format(why, err.message), { op = "sql.capture", cause = err })
end

-- ---- the tables

local ABOUT <const> = [[
  SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, c.relpersistence::text AS kind
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid = to_regclass($1) OR c.oid IN (SELECT relid FROM pg_partition_tree(to_regclass($1)))]]

-- The tables of these names, and the partitions that their rows are in, as a set of "schema.table".
local function find(db, names)
  local set = {}
  for _, name in ipairs(names) do
    local rows = db:query(ABOUT, db:identifier(name))
    if #rows == 0 then
      core.raise("sql", "42P01", ("db:capture: there is no table %s"):format(show.value(name)), { op = "sql.capture" })
    end
    for _, row in ipairs(rows) do
      if row.kind ~= "p" then
        core.raise("sql", "UNLOGGED", ("db:capture: %s is %s, so its changes are not in the log"):format(name,
          row.kind == "u" and "unlogged" or "temporary"), { op = "sql.capture" })
      end
      set[row.schema .. "." .. row.name] = true
    end
  end
  return set
end

-- ---- the source

local Source = { what = "sql" }
Source.__index = Source

-- Types that mean a length of one where they stand alone.
local unbounded = { bit = "bit varying", character = "bpchar", ["bit[]"] = "bit varying[]", ["character[]"] = "bpchar[]" }

-- The server casts the texts: so they are the values that a query gives.
local function row_of(db, columns)
  if not columns or #columns == 0 then return {} end
  local casts, texts = {}, {}
  for i, column in ipairs(columns) do
    casts[i] = ("$%d::pg_catalog.text::%s AS %s"):format(i, unbounded[column.type] or column.type, column.name)
    texts[i] = column.text == nil and core.null or column.text
  end
  return db:one("SELECT " .. table.concat(casts, ", "), table.unpack(texts, 1, #columns))
end

function Source:record(change, row)
  local new = row_of(self.db, change.new)
  return {
    value = new, old = change.old and (change.old == change.new and new or row_of(self.db, change.old)) or nil,
    operation = change.operation, table = change.table, schema = change.schema, id = row.lsn, xid = row.xid,
    place = change.table .. " " .. change.operation,
  }
end

-- The log is read as far as it is on disk: where commits do not wait for that (synchronous_commit = off), one that does is
-- made here, and takes the others with it.
local function push_to_disk(db)
  if db:value "SELECT pg_catalog.pg_current_wal_insert_lsn() > pg_catalog.pg_current_wal_flush_lsn()" then
    db:exec "SELECT pg_catalog.pg_logical_emit_message(true, 'itlua', '')"
  end
end

function Source:look()
  local db, marker = self.db, self.marker
  if marker and self.sent ~= marker then
    db:query("SELECT pg_catalog.pg_logical_emit_message(true, 'itlua', $1)", marker)
    self.sent = marker
  else
    push_to_disk(db)
  end
  local records = {}
  for _, row in ipairs(db:query([[
    SELECT lsn::text AS lsn, xid::text::bigint AS xid, data
    FROM pg_catalog.pg_logical_slot_get_changes($1, NULL, $2, 'skip-empty-xacts', '1')]], self.slot, AT_ONCE)) do
    self.read = row.lsn
    local list = decoding.parse(row.data)
    for _, change in ipairs(list or {}) do
      if not self.tables or self.tables[change.schema .. "." .. change.table] then
        records[#records + 1] = self:record(change, row)
      end
    end
    local prefix, content = decoding.message(row.data)
    if prefix == "itlua" then self.seen = content end
  end
  return records
end

function Source:receive()
  while true do
    local records = self:look()
    if records[1] then return records end
    if self.marker and self.seen == self.marker then self.capture:advance() end
    core.sleep(PAUSE)
  end
end

function Source:progress()
  return { ("the log to %s; what is not committed is not in it"):format(self.read or self.began) }
end

-- A message in the log, in a transaction of its own: whatever was committed before stands before it.
function Source:fence()
  self.fences = (self.fences or 0) + 1
  local marker = ("%s-%d"):format(self.slot, self.fences)
  self.marker = marker
  self.capture:await(function() return self.seen == marker end)
  return "up to a message behind all transactions that had been committed"
end

function Source:close()
  self.db:close()
end

--- Captures the changes of tables from now on: see Connection.capture in itlua.sql.
---@param self itlua.sql.Connection
---@param ... string|itlua.sql.ChangeOptions     tables, all of the database where there is none; options come last
---@return itlua.capture
function changes.open(self, ...)
  local names = { ... }
  local options = type(names[#names]) == "table" and table.remove(names) or nil
  for _, name in ipairs(names) do
    if type(name) ~= "string" then core.usage("db:capture needs the names of tables, not " .. show.kind(name)) end
  end
  local timeout = options and options.timeout or 10
  if type(timeout) ~= "number" or timeout <= 0 then core.usage "db:capture: timeout is seconds" end
  local db = self:clone()
  local ok, result = pcall(function()
    needs_logical(db)
    local tables = names[1] and find(db, names) or nil
    local slot = ("itlua_%d_%d"):format(db:info().process, math.floor(core.clock() * 1000))
    db:exec "SET synchronous_commit = on"
    make_slot(db, slot, timeout)
    local source = { db = db, slot = slot, tables = tables, began = db:value "SELECT pg_current_wal_insert_lsn()::text" }
    source.name = names[1] and table.concat(names, ", ") or "all tables"
    return capture.new(setmetatable(source, Source), options)
  end)
  if ok then return result end
  db:close()
  error(result, 0)
end

return changes
