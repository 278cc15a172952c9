--- SQL databases: PostgreSQL, and whatever an add-on registers.
--
--     local db = sql.connect "postgresql://app@localhost/orders"
--     db:exec("INSERT INTO orders (customer, total) VALUES ($1, $2)", "c-1", "12.50")
--     for _, row in ipairs(db:query("SELECT id, total FROM orders WHERE customer = $1", "c-1")) do … end
--     assert.equal("pending", db:value("SELECT status FROM orders WHERE id = $1", 7))
--
-- Values: integers and floats are Lua's, exact; numeric is a string ("12.50"), never a float; text, enums, ranges,
-- UUIDs and composites are strings; bytea is a string of bytes; dates and times are ISO text ("2024-05-01
-- 12:00:00+00", in UTC unless the option timezone says otherwise; intervals "P1DT2H"); json and jsonb are tables;
-- arrays are lists; NULL is itlua.null. As a parameter each gives the same value again. A Lua string for json is a
-- JSON string: sql.raw(text) is for text that is JSON already.
--
-- Everything raises errors of kind "sql", whose code is the SQLSTATE; see itlua.sql.Error.

local Connection = require "itlua.sql.connection"
local Database = require "itlua.sql.database"
local Pool = require "itlua.sql.pool"
local compare = require "itlua.sql.compare"
local copy = require "itlua.sql.copy"
local core = require "itlua.core"
local cursor = require "itlua.sql.cursor"
local listen = require "itlua.sql.listen"
local null = require "itlua.null"
local orphans = require "itlua.sql.orphans"
local pipeline = require "itlua.sql.pipeline"
local show = require "itlua.show"
local types = require "itlua.sql.types"

local sql = {}

--- SQL's NULL.
sql.null = null

--- What a PostgreSQL connection does beyond statements; see there.
Connection.pipeline, Connection.cursor, Connection.listen = pipeline.run, cursor.open, listen.open
Connection.copy_in, Connection.copy_out = copy.copy_in, copy.copy_out
Connection.orphans = orphans.find

--- The changes of tables from now on, as a capture (itlua.capture): each row that anybody inserts, updates or deletes, when
--- it is committed. A record has value (the row), operation, old, table, schema, xid. Needs wal_level = logical, and a user
--- with REPLICATION; the replication slot goes with the capture.
---@param ... string|itlua.sql.ChangeOptions     tables, all where there is none; options come last
---@return itlua.capture
function Connection:capture(...)
  return require("itlua.sql.changes").open(self, ...)
end

--- Isolates the tests of a file from each other; see itlua.sql.isolation.
function Connection:isolate(options)
  return require("itlua.sql.isolation").isolate(self, options)
end

-- ---- which database

local postgres = {
  connect = function(where) return Connection.open(where) end,
  pool = function(where) return Pool.new(where) end,
}

--- Drivers by the scheme of their URLs. A driver is a table with `connect(where)`, which returns a database, and
--- perhaps `pool(where)`.
---@type table<string, { connect: fun(where: table): itlua.sql.Database, pool?: fun(where: table): itlua.sql.Database }>
sql.schemes = { postgres = postgres, postgresql = postgres }

--- Registers a driver for the URLs of a scheme.
---@param scheme string     "mysql"
---@param driver table      { connect = fn(where table) [, pool = fn] }
function sql.register(scheme, driver)
  if type(scheme) ~= "string" or type(driver) ~= "table" or type(driver.connect) ~= "function" then
    core.usage "sql.register needs a scheme and a driver { connect = function }"
  end
  sql.schemes[scheme:lower()] = driver
end

--- Makes a driver's connection a full database: it brings query(sql, …), exec(sql, …) and close(), and gets one,
--- value, cursor, transaction and what the assertions need.
---@param methods table     the driver's methods, by name
---@return table class      its instances: setmetatable(object, class)
function sql.driver(methods)
  for _, name in ipairs { "query", "exec", "close" } do
    if type(methods[name]) ~= "function" then core.usage(("a driver needs the method '%s'"):format(name)) end
  end
  local class = { __close = methods.close }
  for name, method in pairs(methods) do class[name] = method end
  class.__index = class
  return setmetatable(class, { __index = Database })
end

local function driver_for(where)
  local url = where
  if type(where) == "table" then url = where.url end
  local scheme = type(url) == "string" and url:match "^(%a[%w+.-]*)://"
  local driver = sql.schemes[scheme and scheme:lower() or "postgresql"]
  if driver then return driver end
  core.usage(("no database for %s:// (there is %s)"):format(scheme, table.concat(show.keys(sql.schemes), ", ")))
end

local function as_table(where)
  return type(where) == "string" and { url = where } or where
end

---@class itlua.sql.Options
---@field url? string              postgresql://user:password@host:5432/database?sslmode=require
---@field host? string             and every other keyword of libpq: port, user, password, sslmode, …
---@field database? string
---@field timeout? number          seconds for connecting, 10
---@field timezone? string|false   of the session, "UTC"; false: the server's
---@field settings? table          of the session: { search_path = "app" }
---@field prepare? boolean         false: statements without parameters are never prepared

--- Connects. What a URL leaves out comes from the environment (PGHOST, PGUSER, …), as with psql.
---@param where string|itlua.sql.Options
---@return itlua.sql.Connection
function sql.connect(where)
  return driver_for(where).connect(as_table(where))
end

--- A pool of connections, for tasks that work at once: pool:query, one, value, exec, transaction, pipeline, cursor,
--- copy_in, copy_out each take one, pool:with(fn) one for several statements.
---@param where string|itlua.sql.Options     also size (4) and acquire_timeout (10 seconds)
---@return itlua.sql.Pool
function sql.pool(where)
  local driver = driver_for(where)
  if not driver.pool then core.usage "this database has no pool" end
  return driver.pool(as_table(where))
end

sql.raw = types.raw
sql.compare = compare.compare

--- Whether a value is a database handle.
sql.is_database = Database.is

return sql
