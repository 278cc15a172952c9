--- A row put into a table, as fixtures and factories do: the row comes back with what the database filled in.

local Database = require "itlua.sql.database"

local insertion = {}

-- A point in a column's name is part of it.
local function column_name(identifier, db, name)
  if name:find '[."]' then return '"' .. name:gsub('"', '""') .. '"' end
  return identifier(db, name)
end

--- Inserts a record; without fields it is all defaults.
---@param db itlua.sql.Database
---@param into string                  the table, perhaps with its schema
---@param record table<string, any>    by column
---@return table row
function insertion.row(db, into, record)
  local columns, places, values, identifier = {}, {}, {}, db.identifier or Database.identifier
  for column in pairs(record) do columns[#columns + 1] = column end
  table.sort(columns)
  for i, column in ipairs(columns) do
    values[i], places[i], columns[i] = record[column], "$" .. i, column_name(identifier, db, column)
  end
  into = identifier(db, into)
  local statement = #columns == 0 and ("INSERT INTO %s DEFAULT VALUES RETURNING *"):format(into)
    or ("INSERT INTO %s (%s) VALUES (%s) RETURNING *"):format(into, table.concat(columns, ", "),
      table.concat(places, ", "))
  return db:one(statement, table.unpack(values, 1, #columns))
end

return insertion
