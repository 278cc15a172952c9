--- Services of kind "fixture": something that all tests of a run share, made once by a Lua file and undone when the run ends.
--
--     catalogue = { kind = "fixture", file = "specs/support/catalogue.lua", with = { db = "${db.url}" } }
--
--     -- specs/support/catalogue.lua
--     return function(f, with)
--       local db <close> = require("itlua.sql").connect(with.db)
--       f:teardown(function() … end)          -- when the run ends, however it ends; the last given first
--       return { sku = db:value "INSERT INTO … RETURNING sku" }
--     end
--
-- It is made when a spec of any worker first asks, `fixture.use "catalogue"` or `services.catalogue.value`, in a process
-- of its own; the others wait for it. What it returns is plain data (what JSON can say), and each file gets a copy.
-- What it puts into a database is in the shared one, services.db.url; the databases that services.db:connect() gives to
-- files are made of migrations and seeds.

local core = require "itlua.core"
local json = require "itlua.json"
local nearest = require "itlua.cli.nearest"
local task = require "itlua.task"

local kind = {
  name = "fixture",
  options = { file = "string", with = "table" },
  fields = { "value" },
  ends_first = true,
}

local TEARDOWN <const> = 3 -- seconds, at the end

function kind.check(spec)
  if not spec.file then return "option 'file' is missing" end
  if not spec.file:find "%.lua$" then return ("'%s' is no Lua file"):format(spec.file) end
end

-- ---- references: "value", "value.customers.ada"

function kind.knows(_, field)
  if field == "value" or field:find "^value%.." then return true end
  return false, "of a fixture one refers to value, or value.NAME" .. nearest.hint(field, kind.fields)
end

function kind.field(fields, field)
  local value = fields.value
  for name in field:sub(#"value" + 1):gmatch "[^.]+" do
    if type(value) ~= "table" then return nil end
    local found = value[name]
    if found == nil then found = value[math.tointeger(tonumber(name))] end
    value = found
  end
  if type(value) == "table" then core.raise("service", "REFERENCE", ("${….%s} is a table"):format(field)) end
  return value
end

-- ---- making it

local Making = {}
Making.__index = Making

--- Calls `fn()` when the run ends, the last given first; also when the rest of the making fails.
---@param fn function
function Making:teardown(fn)
  if type(fn) ~= "function" then core.usage "teardown needs a function" end
  table.insert(self.teardowns, fn)
end

local function take_down(made)
  local problems = {}
  for i = #made.teardowns, 1, -1 do
    local ok, err = pcall(made.teardowns[i])
    if not ok then problems[#problems + 1] = core.is_error(err) and err.message or tostring(err) end
  end
  made.teardowns = {}
  return problems
end

local function load_make(path)
  local chunk, why = loadfile(path, "t", core.globals())
  if not chunk then core.raise("service", "FIXTURE", tostring(why)) end
  local make = chunk()
  if type(make) == "function" then return make end
  core.raise("service", "FIXTURE", ("%s returns no function(f, with), but a %s"):format(path, type(make)))
end

local function check_plain(path, value)
  local ok, why = pcall(json.encode, value)
  if ok then return end
  core.raise("service", "FIXTURE", ("%s: what it returns goes to other processes and has to be plain data: %s"):format(path,
    core.is_error(why) and why.message or tostring(why)))
end

local function make_it(context, path, made)
  local value = task.timeout(context.seconds, load_make(path), made, context.spec.with or {})
  if value == nil then value = true end
  check_plain(path, value)
  return value
end

local file = { name = "file" }

function file.find(spec)
  if require("itlua.fs").exists(spec.file) ~= "file" then return nil, ("there is no file %s"):format(spec.file) end
  return spec.file, "made by " .. spec.file
end

function file.start(context, path)
  local instance = { fields = {} }

  function instance:launch()
    local made = setmetatable({ teardowns = {} }, Making)
    local ok, value = pcall(make_it, context, path, made)
    if not ok then
      pcall(task.shield, TEARDOWN, take_down, made)
      error(value, 0)
    end
    self.made, self.fields.value = made, value
  end

  function instance:stop()
    local ok, problems = pcall(task.shield, TEARDOWN, take_down, self.made)
    for _, problem in ipairs(ok and problems or { tostring(problems) }) do
      context.log("teardown: " .. problem)
      -- For whoever started the host, see link.lua.
      io.stdout:write(("failed %s  its teardown: %s\n"):format(context.name, (problem:gsub("\n", " "))))
      io.stdout:flush()
    end
  end

  instance:launch()
  return instance
end

kind.providers = { file }

return kind
