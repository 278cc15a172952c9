--- Broken references: rows that refer to rows which are not there. A database that enforces its foreign keys has none;
-- data that was loaded with triggers off, constraints that are NOT VALID, and references without a constraint do.

local core = require "itlua.core"
local show = require "itlua.show"

local orphans = {}

local samples = 5

local constraints = [[
SELECT c.conname AS constraint, c.confmatchtype AS match,
       cn.nspname || '.' || child.relname AS child, pn.nspname || '.' || parent.relname AS parent,
       (SELECT array_agg(a.attname ORDER BY k.n) FROM unnest(c.conkey) WITH ORDINALITY k(num, n)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.num) AS columns,
       (SELECT array_agg(a.attname ORDER BY k.n) FROM unnest(c.confkey) WITH ORDINALITY k(num, n)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.num) AS referenced
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_class child ON child.oid = c.conrelid
JOIN pg_catalog.pg_namespace cn ON cn.oid = child.relnamespace
JOIN pg_catalog.pg_class parent ON parent.oid = c.confrelid
JOIN pg_catalog.pg_namespace pn ON pn.oid = parent.relnamespace
WHERE c.contype = 'f' AND c.conparentid = 0
ORDER BY child, c.conname]]

---@class itlua.sql.Orphans
---@field constraint? string     nil for a reference that was given
---@field table string           schema.table
---@field columns string[]
---@field references string      schema.table
---@field referenced string[]
---@field count integer
---@field rows table[]           the first few

local List = { __name = "itlua.sql.orphans" }

function List:__tostring()
  if #self == 0 then return "no broken references" end
  local lines = {}
  for _, one in ipairs(self) do
    lines[#lines + 1] = ("%s (%s) refers to %s (%s): %d %s without it%s"):format(one.table,
      table.concat(one.columns, ", "), one.references, table.concat(one.referenced, ", "), one.count,
      one.count == 1 and "row" or "rows", one.constraint and "   " .. one.constraint or "")
    for _, row in ipairs(one.rows) do lines[#lines + 1] = "  " .. show.value(row, 200) end
  end
  return table.concat(lines, "\n")
end

local function column(alias, name)
  return ('%s."%s"'):format(alias, (name:gsub('"', '""')))
end

local function look(db, reference)
  local equal, given = {}, {}
  for i, name in ipairs(reference.columns) do
    equal[i] = column("parent", reference.referenced[i]) .. " = " .. column("child", name)
    given[i] = column("child", name) .. " IS NOT NULL"
  end
  -- MATCH FULL: a key that is NULL in part refers to nothing either.
  local present = "(" .. table.concat(given, reference.match == "f" and " OR " or " AND ") .. ")"
  local from = ("FROM %s AS child WHERE %s AND NOT EXISTS (SELECT FROM %s AS parent WHERE %s)"):format(
    db:identifier(reference.child), present, db:identifier(reference.parent), table.concat(equal, " AND "))
  local count = db:value("SELECT count(*) " .. from)
  if count == 0 then return nil end
  return {
    constraint = reference.constraint, table = reference.child, columns = reference.columns,
    references = reference.parent, referenced = reference.referenced, count = count,
    rows = db:query(("SELECT child.* %s LIMIT %d"):format(from, samples)),
  }
end

-- "orders.customer_id" = "customers.id"
local function given_reference(from, to)
  local child, name = from:match "^(.+)%.([^.]+)$"
  local parent, key
  if type(to) == "string" then parent, key = to:match "^(.+)%.([^.]+)$" end
  if not child or not parent then
    core.usage('orphans: a reference is ["orders.customer_id"] = "customers.id", not ' .. show.value(from) .. " = "
      .. show.value(to))
  end
  return { child = child, parent = parent, columns = { name }, referenced = { key }, match = "s" }
end

--- Every broken reference of the database, by its foreign keys and by the references given.
---@param options? { references?: table<string, string> } ["orders.customer_id"] = "customers.id": references that the
---    schema does not declare
---@return itlua.sql.Orphans[]
function orphans.find(self, options)
  local found = setmetatable({}, List)
  local references = {}
  for _, row in ipairs(self:query(constraints)) do references[#references + 1] = row end
  local more = options and options.references or {}
  for _, from in ipairs(show.keys(more)) do references[#references + 1] = given_reference(from, more[from]) end
  for _, reference in ipairs(references) do found[#found + 1] = look(self, reference) end
  return found
end

return orphans
