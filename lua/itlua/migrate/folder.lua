--- A folder of migrations, in the three usual ways to name them:
---   001_create_orders.up.sql, 001_create_orders.down.sql      (golang-migrate's too)
---   20240501120000_create_orders.sql with `-- migrate:up` and `-- migrate:down` sections      (dbmate's)

local core = require "itlua.core"
local encode = require "itlua.encode"
local fs = require "itlua.fs"
local statements = require "itlua.migrate.statements"

local folder = {}

---@class itlua.migrate.Script
---@field path string
---@field statements { text: string, line: integer }[]
---@field transaction boolean    false: run outside of one, as CREATE INDEX CONCURRENTLY needs

---@class itlua.migrate.Migration
---@field version string
---@field name string
---@field up itlua.migrate.Script
---@field down? itlua.migrate.Script
---@field checksum string        SHA-256 of what goes up

local function wrong(path, what)
  core.raise("migration", "FOLDER", ("%s: %s"):format(path, what))
end

local function script(path, text, options)
  local list = statements.split(text)
  return { path = path, statements = list, text = text,
    transaction = not (options or text:match("^[^\n]*") or ""):find("transaction:false", 1, true) }
end

-- dbmate's sections, with their lines as they are in the file.
local function sections(path, text)
  local up_at, up_end, up_options = text:find("%-%-%s*migrate:up([^\n]*)\n?")
  if not up_at then return nil end
  local down_at, down_end, down_options = text:find("%-%-%s*migrate:down([^\n]*)\n?")
  if down_at and down_at < up_at then wrong(path, "its migrate:down section stands before migrate:up") end
  local function padded(from, to)
    return (text:sub(1, from):gsub("[^\n]", "")) .. text:sub(from + 1, to)
  end
  local up = script(path, padded(up_end, down_at and down_at - 1 or #text), up_options)
  local down = down_at and script(path, padded(down_end, #text), down_options) or nil
  return up, down
end

local function add(found, version, name, direction, made)
  local migration = found[version]
  if not migration then
    migration = { version = version, name = name }
    found[version] = migration
  end
  if migration[direction] then
    wrong(made.path, ("version %s is there twice: %s has it too"):format(version, migration[direction].path))
  end
  migration[direction] = made
end

local function read(path, file, found)
  local version, name, direction = file:match("^(%d+)_?(.-)%.(%a+)%.sql$")
  if version and (direction == "up" or direction == "down") then
    add(found, version, name, direction, script(path, fs.read(path)))
    return
  end
  version, name = file:match("^(%d+)_?(.-)%.sql$")
  if not version then wrong(path, "the name has no version; 001_create_orders.up.sql has one") end
  local text = fs.read(path)
  local up, down = sections(path, text)
  add(found, version, name, "up", up or script(path, text))
  if down then add(found, version, name, "down", down) end
end

local function by_version(a, b)
  local m, n = a.version:gsub("^0+", ""), b.version:gsub("^0+", "")
  if #m ~= #n then return #m < #n end
  return m < n
end

--- The folder's migrations in the order of their versions.
--- Raises an error of kind "migration" for a file that is none, and for a version that is there twice.
---@param path string
---@return itlua.migrate.Migration[]
function folder.read(path)
  local found, list = {}, {}
  for _, file in ipairs(fs.list(path)) do
    local name = type(file) == "table" and file.name or file
    if name:find("%.sql$") then read(fs.join(path, name), name, found) end
  end
  for _, migration in pairs(found) do
    if not migration.up then wrong(migration.down.path, "there is a way down, but none up") end
    migration.checksum = encode.hex(encode.sha256(migration.up.text))
    list[#list + 1] = migration
  end
  table.sort(list, by_version)
  for i = 2, #list do
    if not by_version(list[i - 1], list[i]) then
      wrong(list[i].up.path, ("version %s is there twice: %s has it too"):format(list[i].version, list[i - 1].up.path))
    end
  end
  return list
end

return folder
