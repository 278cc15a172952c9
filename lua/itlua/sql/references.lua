--- What refers to what: tables in the order of their foreign keys, and the sequences behind their columns.

local null = require "itlua.null"
local show = require "itlua.show"

local references = {}

local query = [[
  SELECT c.conrelid::regclass::text AS child, c.confrelid::regclass::text AS parent
  FROM pg_constraint c WHERE c.contype = 'f' AND c.conrelid <> c.confrelid]]

--- For each table that is referred to, the tables that refer to it.
---@param db itlua.sql.Database
---@return table<string, string[]>
function references.children(db)
  local children = {}
  for _, row in ipairs(db:query(query)) do
    children[row.parent] = children[row.parent] or {}
    table.insert(children[row.parent], row.child)
  end
  return children
end

-- By the names that constraints have for tables, those that they were given as: orders, public.orders.
local function given_as(db, names)
  local wanted, texts = {}, {}
  for i, name in ipairs(names) do texts[i] = db:identifier(name) end
  local known = db:query([[SELECT to_regclass(given)::text AS name
    FROM unnest($1::text[]) WITH ORDINALITY u (given, n) ORDER BY n]], texts)
  for i, name in ipairs(names) do
    local key = known[i].name ~= null and known[i].name or name
    wanted[key] = wanted[key] or {}
    table.insert(wanted[key], name)
  end
  return wanted
end

--- The tables in an order in which rows may be inserted: what is referred to comes first.
---@param db itlua.sql.Database
---@param names string[]
---@return string[]
function references.in_order(db, names)
  local wanted, parents, order, state = given_as(db, names), {}, {}, {}
  for _, row in ipairs(db:query(query)) do
    parents[row.child] = parents[row.child] or {}
    table.insert(parents[row.child], row.parent)
  end
  local function visit(name)
    if state[name] then return end -- done, or a cycle: those constraints have to be deferrable
    state[name] = true
    for _, parent in ipairs(parents[name] or {}) do visit(parent) end
    for _, given in ipairs(wanted[name] or {}) do order[#order + 1] = given end
  end
  for _, name in ipairs(show.keys(wanted)) do visit(name) end
  return order
end

--- Sets the sequences behind a table's columns beyond what the columns hold.
---@param db itlua.sql.Database
---@param name string the table
function references.advance_sequences(db, name)
  local quoted = db:identifier(name)
  local columns = db:query([[
    SELECT a.attname AS column_name, pg_get_serial_sequence($1, a.attname) AS sequence FROM pg_attribute a
    WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped
      AND pg_get_serial_sequence($1, a.attname) IS NOT NULL]], quoted)
  for _, column in ipairs(columns) do
    local highest = ("(SELECT max(%s) FROM %s)"):format(db:identifier(column.column_name), quoted)
    db:exec(("SELECT setval($1::regclass, greatest(%s, 1), %s IS NOT NULL)"):format(highest, highest), column.sequence)
  end
end

return references
