--- Bringing tables back to how they were: those that were empty are emptied when a test filled them, those that had rows
-- get them back when they changed. Sequences start anew where they had not begun.

local references = require "itlua.sql.references"

local truncation = {}

---@class itlua.sql.Truncation
---@field private db itlua.sql.Connection
local Truncation = {}
Truncation.__index = Truncation

local tables_query = [[
  SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'itlua_seeds') AND c.relname <> 'itlua_migrations'
  ORDER BY 1]]

local function names_of(db)
  local names = {}
  for i, row in ipairs(db:query(tables_query)) do names[i] = row.name end
  return names
end

-- One statement asks all tables at once.
local function union(names, each)
  local parts = {}
  for i, name in ipairs(names) do parts[i] = each:gsub("%%i", tostring(i)):gsub("%%t", (name:gsub("%%", "%%%%"))) end
  return table.concat(parts, " UNION ALL ")
end

local function filled(db, names)
  if #names == 0 then return {} end
  return db:query(union(names, "SELECT %i AS place, EXISTS (SELECT 1 FROM %t) AS has"))
end

-- What a table of seeds holds, in a word.
local function digests(db, names)
  local found = {}
  if #names == 0 then return found end
  local all = db:query(union(names,
    "SELECT %i AS place, count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)), 0) AS digest FROM %t t"))
  for _, row in ipairs(all) do found[names[row.place]] = row.digest end
  return found
end

--- The tables as they are now.
---@param db itlua.sql.Connection
---@return itlua.sql.Truncation
function truncation.of(db)
  local self = setmetatable({ db = db, empty = {}, seeded = {} }, Truncation)
  local names = names_of(db)
  for _, row in ipairs(filled(db, names)) do
    table.insert(row.has and self.seeded or self.empty, names[row.place])
  end
  if #self.seeded > 0 then
    db:exec "CREATE SCHEMA IF NOT EXISTS itlua_seeds"
    for i, name in ipairs(self.seeded) do
      db:exec(("DROP TABLE IF EXISTS itlua_seeds.s%d; CREATE TABLE itlua_seeds.s%d AS TABLE %s"):format(i, i, name))
    end
    self.digests = digests(db, self.seeded)
  end
  return self
end

--- How many rows each table has.
---@param db itlua.sql.Connection
---@return table<string, integer>
function truncation.rows(db)
  local names, counts = names_of(db), {}
  if #names == 0 then return counts end
  for _, row in ipairs(db:query(union(names, "SELECT %i AS place, count(*) AS rows FROM %t"))) do
    counts[names[row.place]] = row.rows
  end
  return counts
end

-- A table can only be truncated with those that refer to it.
local function with_children(db, names)
  local children, list, seen = references.children(db), {}, {}
  local function add(name)
    if seen[name] then return end
    seen[name], list[#list + 1] = true, name
    for _, child in ipairs(children[name] or {}) do add(child) end
  end
  for _, name in ipairs(names) do add(name) end
  return list, seen
end

-- Without what is computed.
local function columns_of(db, name)
  return db:value([[SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
    WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '']], name)
end

-- The rows were there: no trigger has anything to do, and tables may refer to each other in a circle.
local function without_triggers(db)
  db:query [[SELECT set_config('session_replication_role', 'replica', true) FROM pg_roles
    WHERE rolname = current_user AND rolsuper]]
end

--- Brings the tables back.
function Truncation:restore()
  local db, touched = self.db, {}
  for _, row in ipairs(filled(db, self.empty)) do
    if row.has then touched[#touched + 1] = self.empty[row.place] end
  end
  for name, digest in pairs(digests(db, self.seeded)) do
    if digest ~= self.digests[name] then touched[#touched + 1] = name end
  end
  if #touched == 0 then return end
  db:transaction(function()
    without_triggers(db)
    local list, emptied = with_children(db, touched)
    db:exec(("TRUNCATE %s RESTART IDENTITY"):format(table.concat(list, ", ")))
    local copy_of = {}
    for i, name in ipairs(self.seeded) do copy_of[name] = "itlua_seeds.s" .. i end
    for _, name in ipairs(references.in_order(db, self.seeded)) do
      if emptied[name] then
        local columns = columns_of(db, name)
        db:exec(("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s"):format(name, columns, columns, copy_of[name]))
        references.advance_sequences(db, name)
      end
    end
  end)
end

return truncation
