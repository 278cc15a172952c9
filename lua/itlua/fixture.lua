--- Fixtures: data from files into a database, parents before children.
--
--     local rows = fixture.load(db, "fixtures/shop")          -- a folder, a file, or a table { orders = { … } }
--     rows.customers.ada.id
--
-- A file is SQL (run as it is), CSV (its first line names the columns, its name the table; \N is NULL), JSON or YAML: rows by
-- table, as a list or by names of their own, or a list of rows for the table that the file is named after.
-- Errors have kind "fixture", with the file and, where it is known, the row.
--
-- fixture.define and fixture.use are for whatever else tests share, for a test, a file or a run: see fixture/named.lua.

local core = require "itlua.core"
local fs = require "itlua.fs"
local insertion = require "itlua.sql.insertion"
local json = require "itlua.json"
local named = require "itlua.fixture.named"
local null = require "itlua.null"
local references = require "itlua.sql.references"
local show = require "itlua.show"

local fixture = { define = named.define, use = named.use }

local function wrong(path, what, fields)
  core.raise("fixture", "FORMAT", ("%s: %s"):format(path, what), fields)
end

-- ---- files to rows

-- RFC 4180: quoted fields may hold commas, quotes (doubled) and line ends.
local function parse_csv(path, text)
  local rows, row, at, line = {}, {}, 1, 1
  text = text:gsub("^\239\187\191", ""):gsub("\r\n", "\n")
  while at <= #text do
    local field, after, quoted
    if text:sub(at, at) == '"' then
      local parts, i = {}, at + 1
      while true do
        local close = text:find('"', i, true)
        if not close then wrong(path, ("line %d: a quote is not closed"):format(line)) end
        parts[#parts + 1] = text:sub(i, close - 1)
        if text:sub(close + 1, close + 1) ~= '"' then
          after = close + 1
          break
        end
        parts[#parts + 1], i = '"', close + 2
      end
      field, quoted = table.concat(parts), true
      if not text:find("^[,\n]", after) and after <= #text then wrong(path, ("line %d: text after a quote"):format(line)) end
    else
      after = text:find("[,\n]", at) or #text + 1
      field = text:sub(at, after - 1)
    end
    local _, breaks = field:gsub("\n", "")
    line = line + breaks
    row[#row + 1] = not quoted and field == "\\N" and null or field
    local separator = text:sub(after, after)
    if separator ~= "," then
      rows[#rows + 1], row, line = row, {}, line + 1
    elseif after == #text then
      row[#row + 1] = ""
      rows[#rows + 1], row = row, {}
    end
    at = after + 1
  end
  return rows
end

local function csv_rows(path, text)
  local lines = parse_csv(path, text)
  local columns, rows = table.remove(lines, 1) or {}, {}
  for i, line in ipairs(lines) do
    if #line ~= #columns then
      wrong(path, ("line %d has %d fields, the first line names %d"):format(i + 1, #line, #columns))
    end
    rows[i] = {}
    for c, column in ipairs(columns) do rows[i][column] = line[c] end
  end
  return rows
end

local function table_name(path)
  return (fs.basename(path):gsub("^%d+_", ""):gsub("%.%w+$", ""))
end

local function is_list(value)
  return type(value) == "table" and (#value > 0 or next(value) == nil)
end

local function documents(path, value)
  if type(value) ~= "table" then wrong(path, "holds no rows") end
  return is_list(value) and { [table_name(path)] = value } or value
end

local readers = {
  csv = function(path, text) return { [table_name(path)] = csv_rows(path, text) } end,
  json = function(path, text) return documents(path, json.decode(text)) end,
  yaml = function(path, text) return documents(path, require("itlua.yaml").decode(text)) end,
}
readers.yml = readers.yaml

local function read(path, loaded)
  local kind = path:match("%.(%w+)$")
  if kind == "sql" then
    loaded.sql[#loaded.sql + 1] = path
    return
  end
  local reader = readers[kind or ""]
  if not reader then wrong(path, "is no fixture: .sql, .csv, .json and .yaml are") end
  local ok, found = pcall(reader, path, fs.read(path))
  if not ok then
    if core.is_error(found) == "fixture" then error(found, 0) end
    wrong(path, type(found) == "table" and found.message or tostring(found), { cause = found })
  end
  for name, rows in pairs(found) do
    if type(rows) ~= "table" then wrong(path, ("table '%s' holds no rows"):format(name)) end
    loaded.tables[name] = loaded.tables[name] or {}
    table.insert(loaded.tables[name], { path = path, rows = rows })
  end
end

local function collect(where)
  local loaded = { sql = {}, tables = {} }
  if type(where) == "table" then
    for name, rows in pairs(where) do
      if type(rows) ~= "table" then wrong("(table)", ("table '%s' holds no rows"):format(name)) end
      loaded.tables[name] = { { path = "(table)", rows = rows } }
    end
  elseif fs.exists(where) == "folder" then
    for _, entry in ipairs(fs.list(where)) do
      local name = type(entry) == "table" and entry.name or entry
      if name:find("%.[sScCjJyY]%w+$") then read(fs.join(where, name), loaded) end
    end
  else
    read(where, loaded)
  end
  return loaded
end

-- ---- rows to tables, parents before children

local function insert(db, name, row, path, label)
  if type(row) ~= "table" then
    wrong(path, ("%s %s is %s, not a row: rows stand in a list or by names of their own below their table's name"):format(name,
      label, show.value(row)))
  end
  local ok, result = pcall(insertion.row, db, name, row)
  if ok then return result end
  if core.is_error(result) ~= "sql" then error(result, 0) end
  core.raise("fixture", "INSERT", ("%s: %s %s: %s"):format(path, name, label, result.message),
    { file = path, table = name, row = label, cause = result, sqlstate = result.code })
end

-- A list of rows keeps its order; named rows go by name.
local function labels_of(rows)
  local labels = {}
  for label in pairs(rows) do labels[#labels + 1] = label end
  table.sort(labels, function(a, b)
    if type(a) == type(b) then return a < b end
    return type(a) == "number"
  end)
  return labels
end

--- Loads a folder, a file or a table of rows, all or nothing. SQL files run first, then the rows, parents before children.
--- Sequences that number a column are set beyond the highest number that was loaded.
---@param db itlua.sql.Database
---@param where string|table<string, table>
---@return table<string, table> rows by table, then by place or name
function fixture.load(db, where)
  if type(where) ~= "table" and type(where) ~= "string" then
    core.usage("fixture.load needs a folder, a file or a table of rows, not " .. show.kind(where))
  end
  local loaded, result = collect(where), {}
  db:transaction(function()
    for _, path in ipairs(loaded.sql) do
      local ok, err = pcall(db.exec, db, fs.read(path))
      if not ok then
        if core.is_error(err) ~= "sql" then error(err, 0) end
        core.raise("fixture", "SQL", ("%s: %s"):format(path, err.message), { file = path, cause = err, sqlstate = err.code })
      end
    end
    local names = {}
    for name in pairs(loaded.tables) do names[#names + 1] = name end
    for _, name in ipairs(references.in_order(db, names)) do
      result[name] = result[name] or {}
      for _, part in ipairs(loaded.tables[name]) do
        for _, label in ipairs(labels_of(part.rows)) do
          local row = insert(db, name, part.rows[label], part.path, type(label) == "number" and "row " .. label or label)
          if type(label) == "number" then table.insert(result[name], row) else result[name][label] = row end
        end
      end
      references.advance_sequences(db, name)
    end
  end)
  return result
end

return fixture
