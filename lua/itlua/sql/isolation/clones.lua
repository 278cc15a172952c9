--- Databases that are cloned from a template: the template is made once for each state of migrations and seeds, clones are
-- made ahead while tests run, and taking one is a rename. Safe for any number of workers and runs on one server.

local core = require "itlua.core"
local encode = require "itlua.encode"
local fixture = require "itlua.fixture"
local fs = require "itlua.fs"
local migrate = require "itlua.migrate"
local owned = require "itlua.sql.isolation.owned"
local task = require "itlua.task"

local clones = {}

---@class itlua.sql.Clones
---@field private admin itlua.sql.Connection   to the server's maintenance database
---@field private template string
---@field private lasting boolean   the template serves other runs, too
local Clones = {}
Clones.__index = Clones

local count = 0

local function unique(prefix)
  count = count + 1
  return ("%s_%s%d"):format(prefix, encode.hex(encode.random(5)), count)
end

local function connect_to(db, name)
  local where = {}
  for key, value in pairs(db.address) do where[key] = value end
  for key, value in pairs(db.options) do where[key] = value end
  where.url, where.database, where.dbname = nil, nil, name
  return require("itlua.sql.connection").open(where, true) -- until the file has ended, whichever block asked for it
end

-- The same text for the same seeds: files by their contents.
local function describe_seeds(seeds)
  if type(seeds) ~= "string" then return seeds and require("itlua.json").encode(seeds) or "" end
  if fs.exists(seeds) ~= "folder" then return fs.read(seeds) end
  local parts = {}
  for _, entry in ipairs(fs.list(seeds)) do
    local name = type(entry) == "table" and entry.name or entry
    parts[#parts + 1] = name .. "\0" .. fs.read(fs.join(seeds, name))
  end
  return table.concat(parts, "\0")
end

-- The connection for what is done to the server; another one where it was lost, as when the server was restarted.
local function admin_of(self)
  local state = self.admin:lives() and "idle" or self.admin:state()
  if state == "lost" or state == "closed" then self.admin = connect_to(self.origin, "postgres") end
  return self.admin
end

local function exists(admin, name)
  return admin:value("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)", name)
end

-- Made under a name of its own and renamed when it is whole: a template that is there is complete.
local function build(self, db, options)
  local making = unique "itlua_making"
  self.admin:exec(("CREATE DATABASE %s TEMPLATE %s"):format(making, options.base or "template1"))
  owned.mark(self.admin, making)
  local own = connect_to(db, making)
  local ok, err = pcall(function()
    if options.migrations then migrate.open(own, options.migrations):up() end
    if options.seeds then fixture.load(own, options.seeds) end
  end)
  own:close()
  if not ok then
    pcall(self.admin.exec, self.admin, ("DROP DATABASE IF EXISTS %s WITH (FORCE)"):format(making))
    error(err, 0)
  end
  if self.lasting then owned.unmark(self.admin, making) end
  self.admin:exec(("ALTER DATABASE %s RENAME TO %s"):format(making, self.template))
end

local function ensure_template(self, db, options)
  if exists(self.admin, self.template) then return end
  self.admin:exec("SELECT pg_advisory_lock(hashtext($1))", self.template)
  local ok, err = pcall(function()
    if not exists(self.admin, self.template) then build(self, db, options) end
  end)
  pcall(self.admin.exec, self.admin, "SELECT pg_advisory_unlock(hashtext($1))", self.template)
  if not ok then error(err, 0) end
end

-- What it takes is no story of the test: one line of its timeline, not thirty.
local function in_one_line(what, fn, ...)
  local span = core.span("sql.clone", what)
  local before = core.silence(true)
  local results = table.pack(pcall(fn, ...))
  core.silence(before)
  core.span_end(span, not results[1] and "failed" or type(results[2]) == "table" and results[2].database_name or nil)
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

--- Where clones come from: the server that `db` is connected to, with these migrations and seeds.
---@param db itlua.sql.Connection
---@param options { migrations?: string|table, seeds?: string|table, warm?: integer }
---@return itlua.sql.Clones
function clones.source(db, options)
  return in_one_line("the template, migrated and seeded", clones.prepare, db, options)
end

---@private
function clones.prepare(db, options)
  local state, lasting = describe_seeds(options.seeds), true
  if options.migrations then
    local word
    word, lasting = migrate.open(db, options.migrations):fingerprint()
    state = word .. "\0" .. state
  end
  local hash = encode.hex(encode.sha256(state)):sub(1, 16)
  local self = setmetatable({
    origin = db, admin = connect_to(db, "postgres"), template = "itlua_template_" .. hash, ready = "itlua_ready_" .. hash,
    warm = lasting and options.warm or lasting and 2 or 0, lasting = lasting, filling = { now = false },
  }, Clones)
  owned.sweep(self.admin)
  ensure_template(self, db, options)
  return self
end

local function make(self, name)
  admin_of(self):exec(("CREATE DATABASE %s TEMPLATE %s"):format(name, self.template))
end

local function waiting(self)
  return admin_of(self):query("SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1) ORDER BY random()",
    self.ready .. "_")
end

--- The same, over a connection of its own, to be closed: for what goes on beside the tests.
---@return itlua.sql.Clones
function Clones:beside()
  return setmetatable({ admin = connect_to(self.origin, "postgres") }, { __index = self })
end

function Clones:close() self.admin:close() end

--- Makes databases ahead.
function Clones:fill()
  if self.warm <= 0 or self.filling.now then return end
  self.filling.now = true
  pcall(function()
    while #waiting(self) < self.warm do make(self, unique(self.ready)) end
  end)
  self.filling.now = false
end

-- Beside the tests: CREATE DATABASE takes as long as it takes.
local function refill(self)
  if self.warm <= 0 then return end
  core.daemon(function()
    core.silence(true)
    local beside = self:beside()
    beside:fill()
    beside:close()
  end)
end

-- Whoever renames it first has it. Marked before, so that no moment is left in which it is nobody's, and after, as others who
-- wanted it may have marked it meanwhile.
local function claim(self, ready, name)
  return pcall(function()
    owned.mark(self.admin, ready)
    self.admin:exec(("ALTER DATABASE %s RENAME TO %s"):format(ready, name))
  end) and pcall(owned.mark, self.admin, name)
end

--- A new database; its name.
---@return string
function Clones:obtain()
  local name = unique "itlua_db"
  for _, row in ipairs(waiting(self)) do
    if claim(self, row.name, name) then return name end
  end
  local ready = unique(self.ready)
  make(self, ready)
  if claim(self, ready, name) then return name end
  make(self, name) -- somebody else was faster
  owned.mark(self.admin, name)
  return name
end

--- Connects to a database once: whoever is first waits for the server to set up its caches there.
---@param name string
function Clones:visit(name)
  connect_to(self.origin, name):close()
end

--- Removes a database, whoever uses it.
---@param name string
function Clones:discard(name)
  admin_of(self):exec(("DROP DATABASE IF EXISTS %s WITH (FORCE)"):format(name))
end

local function fetch(self)
  local name = self:obtain()
  local ok, own = pcall(connect_to, self.origin, name)
  if not ok then
    pcall(task.shield, 10, self.discard, self, name)
    error(own, 0)
  end
  own.database_name = name
  return own
end

--- A database for those who see to it themselves that others are made.
---@param whose "file"|"test"
---@return itlua.sql.Connection
function Clones:fetch(whose)
  return in_one_line(("a database of the %s's own"):format(whose), fetch, self)
end

--- A database for a file; another is made in its place, beside what runs.
---@return itlua.sql.Connection
function Clones:take()
  local own = self:fetch "file"
  refill(self)
  return own
end

--- The database is gone, its handle closed.
---@param own itlua.sql.Connection
function Clones:give_back(own)
  own:close()
  in_one_line("drop " .. own.database_name, self.discard, self, own.database_name)
end

--- The database was not used: another run may have it.
---@param own itlua.sql.Connection
function Clones:put_back(own)
  own:close()
  local name = own.database_name
  local kept = self.warm > 0 and #waiting(self) <= self.warm and pcall(function()
    owned.unmark(self.admin, name)
    self.admin:exec(("ALTER DATABASE %s RENAME TO %s"):format(name, unique(self.ready)))
  end)
  if not kept then self:discard(name) end
end

--- Clones that somebody else makes and removes: the process that runs a run's services.
---@param db { address: table, options: table }     where they are
---@param obtain fun(): string
---@param discard fun(name: string)
---@return itlua.sql.Clones
function clones.elsewhere(db, obtain, discard)
  local self = setmetatable({ origin = db, warm = 0 }, Clones)
  function self.obtain() return obtain() end
  function self.discard(_, name) discard(name) end
  function self.beside() return self end
  function self.close() end
  self.put_back = self.give_back
  return self
end

return clones
