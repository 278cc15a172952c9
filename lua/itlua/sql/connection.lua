--- A connection to PostgreSQL: statements, prepared when they come again, and what each returns.
--
-- A statement with parameters is prepared at its first use, because its types say how a Lua value is to be sent; one
-- without at its second. What is prepared stays, up to a limit, until a change of the schema makes it doubtful.

local Database = require "itlua.sql.database"
local address = require "itlua.sql.address"
local core = require "itlua.core"
local failure = require "itlua.sql.failure"
local policy = require "itlua.policy"
local show = require "itlua.show"
local sql_core = require "itlua.sql.core"
local story = require "itlua.sql.story"
local types = require "itlua.sql.types"

local max_statements = 256 -- prepared, and seen once

---@class itlua.sql.Connection: itlua.sql.Database
---@field label string     the URL without password
local Connection = setmetatable({ __name = "itlua.sql.connection" }, { __index = Database })
Connection.__index = Connection

-- ---- connecting

local function setup_text(options)
  local statements = { "SET datestyle = ISO", "SET intervalstyle = iso_8601" }
  local timezone = options.timezone
  if timezone == nil then timezone = "UTC" end
  local settings = { timezone = timezone or nil }
  for name, value in pairs(options.settings or {}) do settings[name] = value end
  for _, name in ipairs(show.keys(settings)) do
    local value = tostring(settings[name]):gsub("'", "''")
    statements[#statements + 1] = ("SELECT pg_catalog.set_config('%s', '%s', false)")
      :format(tostring(name):gsub("'", "''"), value)
  end
  return table.concat(statements, "; ")
end

--- Opens a connection. For `where` see sql.connect.
---@param where string|table
---@param pooled? boolean     it belongs to a pool, which outlives the test that opened it
---@return itlua.sql.Connection
function Connection.open(where, pooled)
  local keywords, options = address.parse(where)
  local label = address.label(keywords)
  local plain = {}
  for name, value in pairs(keywords) do plain[name] = value end
  if policy.network then
    policy.network.check_all("sql", keywords.host or keywords.hostaddr or "", keywords.port or "5432", label)
  end
  address.resolve(keywords)
  local handle, refused = sql_core.connect(keywords, label, options.timeout or 10, pooled)
  if not handle then failure.connect(refused, label) end
  local self = setmetatable({
    handle = handle, label = label, address = plain, options = options,
    statements = {}, count = 0, stale = {}, seen = {}, seen_count = 0, names = 0,
  }, Connection)
  local before = core.silence(true) -- the connection's line says enough
  local ok, err = pcall(self.exec, self, setup_text(options))
  core.silence(before)
  if not ok then
    handle:close()
    error(err, 0)
  end
  self.begun = true
  story.follow(self)
  return self
end

local function place_of(self)
  local where = {}
  for name, value in pairs(self.address) do where[name] = value end
  for name, value in pairs(self.options) do where[name] = value end
  where.url, where.database, where.size, where.acquire_timeout = nil, nil, nil, nil
  return where
end

--- Another connection to the same database.
---@return itlua.sql.Connection
function Connection:clone()
  return Connection.open(place_of(self))
end

-- The handle takes over the connection of another, which is nobody's then.
function Connection:become(other)
  for key in pairs(self) do self[key] = nil end
  for key, value in pairs(other) do self[key] = value end
end

-- For handles that tests share: one that was lost or closed is connected again.
function Connection:revive()
  self.handle:look()
  local state, name = self.handle:state(), self.database_name
  if state ~= "lost" and state ~= "closed" then return end
  local fresh = Connection.open(place_of(self), true)
  fresh.database_name = name
  self.handle:close()
  self:become(fresh)
end

--- Ends the connection; what runs on it is stopped, an open transaction rolled back.
function Connection:close()
  self.handle:close()
end

Connection.__close = Connection.close

function Connection:__tostring()
  return tostring(self.handle)
end

--- "idle", "busy", "pipeline", "copy in", "copy out", "draining", "lost" or "closed".
---@return string
function Connection:state()
  return self.handle:state()
end

--- Whether statements can be sent. What rests is not watched: whether the server has ended it meanwhile is looked at now.
---@return boolean
function Connection:lives()
  self.handle:look()
  local state = self.handle:state()
  return state == "idle" or state == "draining"
end

--- About the server and the session: version (150004), process, host, port, database, user.
---@return { version: integer, process: integer, host: string, port: string, database: string, user: string }
function Connection:info()
  return self.handle:info()
end

--- What the server said since the last call: RAISE NOTICE, warnings.
---@return { severity: string, code: string, message: string, detail?: string, hint?: string, context?: string }[]
function Connection:notices()
  return self.handle:notices()
end

-- ---- prepared statements

-- Forgets what is prepared: it may no longer fit. The names are freed on the server at the next occasion.
function Connection:forget(gone)
  for _, prepared in pairs(self.statements) do
    if not gone then self.stale[#self.stale + 1] = prepared.name end
  end
  if gone then self.stale = {} end
  self.statements, self.count = {}, 0
end

local function free_stale(self)
  if #self.stale == 0 or self.handle:transaction() ~= "none" then return end
  local texts = {}
  for i, name in ipairs(self.stale) do texts[i] = "DEALLOCATE " .. name end
  self.stale = {}
  self.handle:exec(table.concat(texts, "; "))
end

function Connection:learn(oids)
  types.learn(self.handle, oids, failure.raise)
end

-- Returns the prepared statement, or nil and the problem.
function Connection:prepare(sql)
  if self.handle:state() == "draining" then self.handle:settle() end
  if self.count >= max_statements then self:forget() end
  free_stale(self)
  self.names = self.names + 1
  local name = "itlua_" .. self.names
  local statement, unknown = self.handle:prepare(name, sql)
  if not statement then return nil, unknown end
  if #unknown > 0 then
    self:learn(unknown)
    self.handle:retype(statement)
  end
  self.statements[sql] = { name = name, statement = statement }
  self.count = self.count + 1
  return statement
end

-- Whether the schema may be another afterwards.
local function note_command(self, sql)
  local text = sql:lower()
  if text:find "%f[%a]discard%f[%A]" or text:find "%f[%a]deallocate%f[%A]" then
    self:forget(true)
  elseif text:find "%f[%a]alter%f[%A]" or text:find "%f[%a]drop%f[%A]" or text:find "%f[%a]create%f[%A]" then
    if self.count > 0 then self:forget() end
    self.schema_changed = true
  end
end

-- ---- running

local function first_use(self, mode, sql, ...)
  if select("#", ...) == 0 and not self.seen[sql] or self.options.prepare == false and select("#", ...) == 0 then
    if self.seen_count >= max_statements then self.seen, self.seen_count = {}, 0 end
    self.seen[sql], self.seen_count = true, self.seen_count + 1
    local result, problem = self.handle:send(sql, mode)
    if problem == nil then note_command(self, sql) end
    return result, problem
  end
  local statement, problem = self:prepare(sql)
  if not statement then return nil, problem end
  return self.handle:run(statement, mode, ...)
end

local wanted = { [sql_core.ONE] = "row", [sql_core.VALUE] = "value" }

-- The statement was prepared, and the server knows it no more or its result has changed since.
local function is_stale(problem)
  return problem.code == "26000" or problem.code == "0A000" and problem.message:find("cached plan", 1, true) ~= nil
end

local run

local function recover(self, problem, mode, sql, ...)
  local handle = self.handle
  if problem == "settle" then
    handle:settle()
    return run(self, mode, sql, ...)
  end
  if problem.unknown then
    self:learn(problem.unknown)
    if mode == sql_core.BATCH then return problem.batch end
    local result
    result, problem = problem.batch:take(mode)
    if problem == nil then return result end
  end
  if problem.rows then failure.not_one(problem, sql, wanted[mode]) end
  if self.statements[sql] and is_stale(problem) then
    self:forget(problem.code == "26000")
    if handle:transaction() == "none" then return run(self, mode, sql, ...) end
  end
  failure.raise(problem, sql, mode == sql_core.COUNT and "sql.exec" or "sql.query")
end

-- Under a read-only profile: refuses, and tells the server.
local function guard(self, sql)
  policy.sql(sql)
  if self:transaction_status() ~= "none" then return end
  local silent = core.silence(true) -- it was not asked for
  self.handle:exec(policy.sql_before)
  core.silence(silent)
end

function run(self, mode, sql, ...)
  if policy.read_only then guard(self, sql) end
  local prepared = self.statements[sql]
  local result, problem
  if prepared then
    result, problem = self.handle:run(prepared.statement, mode, ...)
  else
    result, problem = first_use(self, mode, sql, ...)
  end
  if problem ~= nil then return recover(self, problem, mode, sql, ...) end
  return result
end

Connection.run, Connection.guard = run, guard

local function check_text(name, sql)
  if type(sql) ~= "string" then core.usage(("%s needs a statement, not %s"):format(name, show.kind(sql))) end
end

---@class itlua.sql.Rows
---@field columns string[]
---@field types string[]      "int4", "text[]", …
---@field count integer       rows returned, or affected
---@field command string      "SELECT", "INSERT", …

--- Runs one statement and returns its rows: a list of tables by column name, itlua.null for NULL; the list also has
--- `columns`, `types`, `count` and `command`.
---@param sql string
---@param ... any     parameters $1, $2, …
---@return table[]|itlua.sql.Rows
function Connection:query(sql, ...)
  check_text("query", sql)
  return run(self, sql_core.ROWS, sql, ...)
end

--- The one row of a statement; raises when there is none, or more than one.
---@param sql string
---@param ... any     parameters
---@return table row
function Connection:one(sql, ...)
  check_text("one", sql)
  return run(self, sql_core.ONE, sql, ...)
end

--- The one value of a statement; raises when there is not exactly one row with one column.
---@param sql string
---@param ... any     parameters
---@return any
function Connection:value(sql, ...)
  check_text("value", sql)
  return run(self, sql_core.VALUE, sql, ...)
end

--- Runs a statement, or several with semicolons when there are no parameters, and returns how many rows it affected.
---@param sql string
---@param ... any     parameters
---@return integer rows
function Connection:exec(sql, ...)
  check_text("exec", sql)
  if select("#", ...) > 0 then return run(self, sql_core.COUNT, sql, ...) end
  if policy.read_only and self.begun then guard(self, sql) end
  local count, problem = self.handle:exec(sql)
  if problem == "settle" then
    self.handle:settle()
    return self:exec(sql)
  end
  if problem ~= nil then failure.raise(problem, sql, "sql.exec") end
  note_command(self, sql)
  return count
end

-- ---- what transactions ask of a driver

function Connection:transaction_status()
  local handle = self.handle
  if handle:state() == "draining" then handle:settle() end
  local status = handle:transaction()
  return (status == "open" or status == "failed") and status or "none"
end

function Connection:managing(yes)
  self.handle:manage(yes)
  if yes then self.schema_changed = false end
end

function Connection:rolled_back()
  -- What was prepared may be about tables that never came to be.
  if self.schema_changed then self:forget() end
end

story.open = Connection.open

return Connection
