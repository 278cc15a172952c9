--- Migrations: folders of numbered SQL, applied in order, each in a transaction, once.
--
--     local migrations = migrate.open(db, "db/migrations")
--     migrations:up()
--     assert.migrations(db, "db/migrations").reversible()
--
-- Errors have kind "migration": FAILED (with file, line and statement; nothing of it is left), CHANGED (an applied file was
-- edited), MISSING (an applied one is gone), NO_WAY_DOWN, UNKNOWN_VERSION, FOLDER, COMMAND, APPLIED (nothing left to try).

local address = require "itlua.sql.address"
local core = require "itlua.core"
local encode = require "itlua.encode"
local folder = require "itlua.migrate.folder"
local fs = require "itlua.fs"
local identity = require "itlua.identity"
local process = require "itlua.process"
local schema = require "itlua.migrate.schema"
local show = require "itlua.show"
local task = require "itlua.task"

local migrate = {}

---@class itlua.migrate.Migrations
---@field private db itlua.sql.Database
---@field private list itlua.migrate.Migration[]
local Migrations = {}
Migrations.__index = Migrations

local TABLE = "itlua_migrations"
local LOCK = 7235419230 -- any number: one run at a time on a database

--- The migrations of a folder for a database. With `command` instead of `folder`, a project's own tool is run by up(): it finds
--- the database in DATABASE_URL and in PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE. `files` names files or folders that
--- it reads: while they are the same, db:isolate { by = "database" } takes what it has made for what it would make.
---@param db itlua.sql.Database
---@param where string|{ folder?: string, table?: string, command?: string[]|string, env?: table, cwd?: string,
--- files?: string|string[] }
---@return itlua.migrate.Migrations
function migrate.open(db, where)
  local options = type(where) == "string" and { folder = where } or where
  if type(options) ~= "table" or not (options.folder or options.command) then
    core.usage "migrate.open needs a folder, or { command = … } for a tool of the project's own"
  end
  return setmetatable({
    db = db, options = options, table_name = options.table or TABLE,
    list = options.folder and folder.read(options.folder) or {},
  }, Migrations)
end

function Migrations:table_of_applied()
  return self.db:identifier(self.table_name)
end

local function prepare(self)
  self.db:exec(("CREATE TABLE IF NOT EXISTS %s (version text PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, "
    .. "applied_at timestamptz NOT NULL DEFAULT now())"):format(self:table_of_applied()))
end

local function applied(self)
  local by_version = {}
  local there = self.db:value("SELECT to_regclass($1) IS NOT NULL", self:table_of_applied())
  if not there then return by_version end
  for _, row in ipairs(self.db:query(("SELECT version, name, checksum, applied_at FROM %s"):format(self:table_of_applied()))) do
    by_version[row.version] = row
  end
  return by_version
end

-- One at a time, however many start at once. Asked for again and again: who waits for it in a statement is waited for by
-- CREATE INDEX CONCURRENTLY.
local function locked(self, fn)
  while not self.db:value("SELECT pg_try_advisory_lock($1)", LOCK) do task.sleep(0.05) end
  local results = table.pack(pcall(fn))
  pcall(task.shield, 5, self.db.exec, self.db, "SELECT pg_advisory_unlock($1)", LOCK)
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

local function line_of(statement, err)
  local line = statement.line
  if err.position then
    local _, before = statement.text:sub(1, utf8.offset(statement.text, err.position) or 1):gsub("\n", "")
    line = line + before
  end
  return line
end

local function failed(made, statement, err)
  if core.is_error(err) ~= "sql" then error(err, 0) end
  local line = line_of(statement, err)
  core.raise("migration", "FAILED", ("%s:%d: %s\n  nothing of this migration was kept%s"):format(made.path, line, err.message,
    made.transaction and "" or ", but for what ran before: it asks to run without a transaction"),
    { file = made.path, line = line, statement = statement.text, cause = err, sqlstate = err.code })
end

local function run_script(db, made, record)
  local function all()
    for _, statement in ipairs(made.statements) do
      local ok, err = pcall(db.exec, db, statement.text)
      if not ok then failed(made, statement, err) end
    end
    record()
  end
  if made.transaction then db:transaction(all) else all() end
end

local function apply(self, migration)
  run_script(self.db, migration.up, function()
    self.db:exec(("INSERT INTO %s (version, name, checksum) VALUES ($1, $2, $3)"):format(self:table_of_applied()),
      migration.version, migration.name, migration.checksum)
  end)
end

local function revert(self, migration)
  if not migration.down then
    core.raise("migration", "NO_WAY_DOWN", ("%s has no way down: there is no %s_%s.down.sql"):format(migration.up.path,
      migration.version, migration.name))
  end
  run_script(self.db, migration.down, function()
    self.db:exec(("DELETE FROM %s WHERE version = $1"):format(self:table_of_applied()), migration.version)
  end)
end

local function position_of(self, version)
  for i, migration in ipairs(self.list) do
    if migration.version == version or tonumber(migration.version) == tonumber(version) then return i end
  end
  core.raise("migration", "UNKNOWN_VERSION", ("there is no version %s in %s"):format(version, self.options.folder))
end

local function run_command(self)
  local env = self.db.address and address.environment(self.db.address) or {}
  for name, value in pairs(self.options.env or {}) do env[name] = value end
  local result = process.run { command = self.options.command, env = env, cwd = self.options.cwd, merge = true,
    timeout = 300 }
  if result.code ~= 0 then
    core.raise("migration", "COMMAND", ("the migrations' command ended with code %d\n%s"):format(result.code, result.stdout))
  end
end

--- Applies what is not yet applied, up to and with a version (all). Returns the versions applied.
---@param to? string|integer
---@return string[] versions
function Migrations:up(to)
  if self.options.command then
    run_command(self)
    return {}
  end
  return locked(self, function()
    prepare(self)
    self:verify()
    local done, last, versions = applied(self), to and position_of(self, to) or #self.list, {}
    for i = 1, last do
      if not done[self.list[i].version] then
        apply(self, self.list[i])
        versions[#versions + 1] = self.list[i].version
      end
    end
    return versions
  end)
end

--- Takes back the last `count` that are applied (1), newest first. Returns their versions.
---@param count? integer
---@return string[] versions
function Migrations:down(count)
  return locked(self, function()
    local done, versions = applied(self), {}
    for i = #self.list, 1, -1 do
      if #versions >= (count or 1) then break end
      if done[self.list[i].version] then
        revert(self, self.list[i])
        versions[#versions + 1] = self.list[i].version
      end
    end
    return versions
  end)
end

--- Goes up or down until exactly the versions up to this one are applied; 0 is before the first.
---@param version string|integer
function Migrations:to(version)
  local last = tonumber(version) == 0 and 0 or position_of(self, version)
  local done, above = applied(self), 0
  for i = last + 1, #self.list do
    if done[self.list[i].version] then above = above + 1 end
  end
  if above > 0 then self:down(above) end
  if last > 0 then self:up(version) end
end

--- Each migration of the folder, and whether it is applied.
---@return { version: string, name: string, applied: boolean, applied_at?: string, changed: boolean }[]
function Migrations:status()
  local done, list = applied(self), {}
  for i, migration in ipairs(self.list) do
    local row = done[migration.version]
    list[i] = { version = migration.version, name = migration.name, applied = row ~= nil,
      applied_at = row and row.applied_at, changed = row ~= nil and row.checksum ~= migration.checksum }
  end
  return list
end

--- Raises when an applied migration was changed since, or is gone.
function Migrations:verify()
  local known = {}
  for _, migration in ipairs(self.list) do known[migration.version] = migration end
  for version, row in pairs(applied(self)) do
    local migration = known[version]
    if not migration then
      core.raise("migration", "MISSING", ("version %s (%s) is applied, but is not in %s"):format(version, row.name,
        self.options.folder))
    elseif migration.checksum ~= row.checksum then
      core.raise("migration", "CHANGED", ("%s was changed after it had been applied; write a new migration instead"):format(
        migration.up.path))
    end
  end
end

-- What a tool does cannot be known: what it was told, and the files that it is said to read.
local function fingerprint_of_command(options)
  local command = type(options.command) == "table" and options.command or { options.command }
  local parts = { table.concat(command, "\0"), options.cwd or "" }
  for _, name in ipairs(show.keys(options.env or {})) do parts[#parts + 1] = name .. "=" .. options.env[name] end
  if not options.files then return table.concat(parts, "\0") .. "\0" .. identity.current().text, false end
  for _, path in ipairs(type(options.files) == "table" and options.files or { options.files }) do
    local list = fs.exists(path) == "folder" and fs.list(path) or { "" }
    for _, name in ipairs(list) do
      local file = name == "" and path or fs.join(path, name)
      if fs.exists(file) == "file" then parts[#parts + 1] = name .. "\0" .. encode.sha256(fs.read(file)) end
    end
  end
  return table.concat(parts, "\0"), true
end

--- A word for the migrations as they are: the same folder gives the same, any change another.
---@return string
---@return boolean lasting     another process has the same word for them
function Migrations:fingerprint()
  if self.options.command then return fingerprint_of_command(self.options) end
  local parts = {}
  for i, migration in ipairs(self.list) do parts[i] = migration.version .. migration.checksum end
  return table.concat(parts, " "), true
end

--- Applies each not yet applied migration, takes it back, applies it again, and compares the schema: nil when every way down
--- leads back to where it began, else the first that does not. Raises where there is none that could be tried.
---@return nil|{ migration: itlua.migrate.Migration, after: "down"|"up", differences: string[] }
function Migrations:find_irreversible()
  return locked(self, function()
    prepare(self)
    local done, tried = applied(self), 0
    for _, migration in ipairs(self.list) do
      if not done[migration.version] then
        tried = tried + 1
        local before = schema.describe(self.db, self.table_name)
        apply(self, migration)
        local above = schema.describe(self.db, self.table_name)
        revert(self, migration)
        local differences = schema.diff(before, schema.describe(self.db, self.table_name))
        if #differences > 0 then return { migration = migration, after = "down", differences = differences } end
        apply(self, migration)
        differences = schema.diff(above, schema.describe(self.db, self.table_name))
        if #differences > 0 then return { migration = migration, after = "up", differences = differences } end
      end
    end
    if tried == 0 then
      core.raise("migration", "APPLIED", #self.list == 0 and "there are no migrations that could be tried"
        or "all migrations are applied already: whether they are reversible is tried on a database without them")
    end
    return nil
  end)
end

return migrate
