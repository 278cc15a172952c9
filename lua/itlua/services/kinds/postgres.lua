--- Services of kind "postgres": a PostgreSQL server with an empty or migrated database.
--
--     db = { kind = "postgres", version = "15", migrations = "db/migrations", seeds = "db/seeds",
--            settings = { log_statement = "all" } }
--
-- In a spec `services.db:connect()` is a database of the file's own, `services.db.url` the one that all share.

local choice = require "itlua.services.choice"
local core = require "itlua.core"

local postgres = {
  name = "postgres",
  options = {
    version = "version", migrations = "text", seeds = "text", settings = "table", database = "string", image = "string",
    env = "table",
  },
  fields = { "url", "host", "port", "user", "password", "database", "version" },
}

local function sql() return require "itlua.sql" end

local function url_of(fields, database)
  return ("postgresql://%s:%s@%s:%d/%s"):format(fields.user, fields.password, fields.host, fields.port, database)
end

local function select_one(url)
  return {
    name = "SELECT 1 over TCP",
    try = function()
      local db <close> = sql().connect { url = url, timeout = 2 }
      return db:value "SELECT 1" == 1
    end,
  }
end

-- ---- an existing server

local function version_of(url)
  local db <close> = sql().connect { url = url, timeout = 5 }
  return (db:value "SHOW server_version"):match "^[%d.]+"
end

local environment = { name = "environment" }

function environment.find(spec)
  local url = os.getenv "DATABASE_URL"
  if not url or url == "" then return nil, "DATABASE_URL is not set" end
  if not url:find "^postgres" then return nil, "DATABASE_URL is not of PostgreSQL" end
  local ok, version = pcall(version_of, url)
  if not ok then
    local why = tostring(version.message or version):match "[^\n]*"
    core.raise("service", "UNREACHABLE", "DATABASE_URL is set, but its server does not answer: " .. why)
  end
  if not choice.version_fits(spec.version, version) then
    return nil, ("DATABASE_URL is a PostgreSQL %s, not %s"):format(version, spec.version)
  end
  return { url = url, version = version }, ("PostgreSQL %s of DATABASE_URL"):format(version)
end

-- A database of the run's own there: what the server holds is not ours to change.
function environment.start(context, offer)
  local fields = { version = offer.version }
  local admin = sql().connect(offer.url)
  for name, from in pairs { host = "host", port = "port", user = "user", password = "password" } do
    fields[name] = admin.address[from] or ""
  end
  fields.port = math.tointeger(tonumber(fields.port)) or 5432
  local own = ("itlua_run_%s_%d"):format(context.name:lower(), math.random(1 << 30, 1 << 40))
  fields.admin = offer.url
  require("itlua.sql.isolation.owned").sweep(admin)
  admin:close()
  return {
    fields = fields, database = own, external = "DATABASE_URL",
    discard = function(self)
      local db <close> = sql().connect(offer.url)
      local names = self.databases and self.databases:left() or {}
      names[#names + 1] = own
      for _, name in ipairs(names) do db:exec(("DROP DATABASE IF EXISTS %s WITH (FORCE)"):format(name)) end
    end,
  }
end

-- ---- a server in a container

-- As the installed one is set up (cluster.lua): nobody will miss what a crash of the machine loses.
local function container_command(spec)
  local words = { "postgres" }
  local all = { fsync = "off", full_page_writes = "off", jit = "off", autovacuum = "off", max_connections = "200" }
  for name, value in pairs(spec.settings or {}) do
    all[name] = value == true and "on" or value == false and "off" or tostring(value)
  end
  for _, name in ipairs(require("itlua.show").keys(all)) do
    words[#words + 1] = "-c"
    words[#words + 1] = name .. "=" .. all[name]
  end
  return words
end

local function start_container(context, offer)
  local instance = require("itlua.services.docker").run(offer, context, {
    port = 5432, cache = true, command = container_command(context.spec),
    env = { POSTGRES_PASSWORD = "itlua", POSTGRES_USER = "postgres", POSTGRES_DB = "postgres" },
  })
  instance.fields = { host = instance.host, port = instance.port, user = "postgres", password = "itlua",
    version = offer.version }
  instance.fields.admin = url_of(instance.fields, "postgres")
  instance.ready = { select_one(instance.fields.admin) }
  return instance
end

-- ---- a server of this machine's programs

local native = { name = "native" }

function native.find(spec)
  local cluster = require "itlua.services.cluster"
  local there = cluster.installed()
  if #there == 0 then return nil, "no postgres with initdb in PATH or /usr/lib/postgresql/*/bin" end
  local versions = {}
  for i, one in ipairs(there) do
    if choice.version_fits(spec.version, one.version) then
      return one, ("PostgreSQL %s in %s"):format(one.version, one.bin)
    end
    versions[i] = one.version
  end
  return nil, ("version %s was asked for, installed is %s"):format(spec.version, table.concat(versions, ", "))
end

function native.start(context, offer)
  local instance = require("itlua.services.cluster").start(context, offer)
  instance.fields.admin = url_of(instance.fields, "postgres")
  instance.ready = { select_one(instance.fields.admin) }
  return instance
end

local docker, fetched = require("itlua.services.docker").providers("postgres", "16-alpine", start_container)
postgres.providers = { environment, docker, native, fetched }

-- ---- its data

--- Makes the shared database, migrated and seeded, from the template that connect() clones as well.
function postgres.prepare(context, instance)
  local fields, spec = instance.fields, context.spec
  local plain = not spec.migrations and not spec.seeds and not spec.database and not instance.database
  fields.database = plain and "postgres" or instance.database or spec.database or "app"
  fields.url = url_of(fields, fields.database)
  local where = fields.admin
  fields.admin = nil
  instance.databases = require("itlua.services.databases").new(where, { migrations = spec.migrations, seeds = spec.seeds,
    external = instance.external })
  instance.databases:fill() -- the first file's database is made while it is loaded
  if plain then return end
  local admin <close> = sql().connect(where)
  local base = "template1"
  if spec.migrations or spec.seeds then base = instance.databases:source().template end
  local there = admin:value("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", fields.database)
  if not there then admin:exec(("CREATE DATABASE %s TEMPLATE %s"):format(admin:identifier(fields.database), base)) end
  if instance.external then require("itlua.sql.isolation.owned").mark(admin, fields.database) end
end

-- ---- in a spec

postgres.requests = {
  take = function(instance) return { database = instance.databases:take() } end,
  give_back = function(instance, body) instance.databases:give_back(body.database) end,
}

postgres.methods = {}

---@class itlua.services.PostgresOptions: itlua.sql.IsolateOptions
---@field by? "database"|"transaction"|"truncate"|false   a database of the file's own (the default); or the shared one, the
---    tests isolated in that way or, with false, not at all

-- Clones need to know where the server is, and no connection to the shared database.
local function by_database(service, options, same)
  sql()
  local address, settings = require("itlua.sql.address").parse(service.url)
  local place = { address = address, options = settings }
  if same then
    options.source = require("itlua.sql.isolation.clones").elsewhere(place, function()
      return service:request("take").database
    end, function(name) service:request("give_back", { database = name }) end)
  end
  return require("itlua.sql.isolation").isolate(place, options)
end

--- A connection for this file.
---@param service itlua.services.Service
---@param options? itlua.services.PostgresOptions
---@return itlua.sql.Connection
function postgres.methods.connect(service, options)
  local all = { by = "database", migrations = service.spec.migrations, seeds = service.spec.seeds }
  for name, value in pairs(options or {}) do all[name] = value end
  local same = not (options and (options.migrations or options.seeds))
  if all.by == "database" then return by_database(service, all, same) end
  all.migrations, all.seeds = nil, nil
  sql()
  local db = require("itlua.sql.connection").open(service.url, true) -- the file's, whichever block asked for it
  return all.by and db:isolate(all) or db
end

return postgres
