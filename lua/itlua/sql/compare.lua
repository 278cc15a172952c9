--- The same data in two systems: which rows are missing, extra or different.

local Database = require "itlua.sql.database"
local core = require "itlua.core"
local diff = require "itlua.diff"
local show = require "itlua.show"

local compare = {}

---@class itlua.sql.Comparison
---@field equal boolean
---@field same integer         rows that are equal
---@field missing table[]      rows of the first that the second lacks
---@field extra table[]        rows of the second that the first lacks
---@field different { key: any[], first: table, second: table, columns: string[] }[]
---@field by string[]          the key's columns
local Comparison = { __name = "itlua.sql.comparison" }
Comparison.__index = Comparison

-- ---- where rows come from

local function rows_of_database(source)
  local db, text = source[1], source[2]
  if type(text) ~= "string" then
    core.usage("sql.compare: { db, statement } needs a statement, not " .. show.kind(text))
  end
  if not text:find "%s" then text = "SELECT * FROM " .. db:identifier(text) end
  return db:cursor(text, table.unpack(source, 3, source.n or #source))
end

local function rows_of(source, which)
  if type(source) == "function" then return source end
  if type(source) == "table" then
    if Database.is(source[1]) then return rows_of_database(source) end
    if Database.is(source) then
      core.usage(("sql.compare: the %s is a connection; { db, \"orders\" } are rows of it"):format(which))
    end
    local mt = getmetatable(source)
    if mt and mt.__call then return source end
    local i = 0
    return function()
      i = i + 1
      return source[i]
    end
  end
  core.usage(("sql.compare: the %s must be rows, an iterator or { db, statement, … }, not %s"):format(which,
    show.kind(source)))
end

-- ---- keys

local function names_of(key)
  if key == nil then return nil end
  if type(key) == "string" then return { key } end
  if type(key) == "table" and type(key[1]) == "string" then return key end
  core.usage("sql.compare: key must be a column or a list of columns, not " .. show.value(key))
end

local function shape(row, options)
  if options.normalize then row = options.normalize(row) end
  if not options.columns and not options.ignore then return row end
  local kept = {}
  if options.columns then
    for _, name in ipairs(options.columns) do kept[name] = row[name] end
    for _, name in ipairs(options.names or {}) do kept[name] = row[name] end
  else
    for name, value in pairs(row) do kept[name] = value end
    for _, name in ipairs(options.ignore) do kept[name] = nil end
  end
  return kept
end

-- A string that is the same for the same key; 1 and 1.0 are the same, 1 and "1" are not.
local function key_text(row, names, which)
  local parts = {}
  for i, name in ipairs(names) do
    local value = row[name]
    if value == nil then
      core.usage(("sql.compare: a row of the %s has no column '%s' of the key"):format(which, name))
    end
    if math.type(value) == "float" then value = math.tointeger(value) or value end
    local text = show.value(value, 1 << 20)
    parts[i] = #text .. ":" .. text
  end
  return table.concat(parts, ",")
end

local function whole_row(row)
  local names = show.keys(row)
  return key_text(row, names, "") .. table.concat(names, "\0")
end

-- ---- comparing

local function keyed(source, which, options, visit)
  local seen = {}
  for row in rows_of(source, which) do
    row = shape(row, options)
    if options.names then
      local key = key_text(row, options.names, which)
      if seen[key] then
        core.raise("sql", "21000",
          ("sql.compare: the %s has two rows with the key %s"):format(which, (key:gsub("%d+:", ""))))
      end
      seen[key] = true
      visit(key, row)
    else
      -- Equal rows are numbered, so that three of them here and two there differ by one.
      local text = whole_row(row)
      seen[text] = (seen[text] or 0) + 1
      visit(text .. "\0" .. seen[text], row)
    end
  end
end

local function differing_columns(a, b)
  local columns = {}
  for _, name in ipairs(show.keys(a, b)) do
    if #diff.compare(a[name], b[name]).entries > 0 then columns[#columns + 1] = name end
  end
  return columns
end

local function key_of(row, names)
  local key = {}
  for i, name in ipairs(names or {}) do key[i] = row[name] end
  return key
end

--- Compares the rows of two systems. Each is a list of rows, an iterator, or { db, "SELECT …" or table name,
--- parameters… }.
---@param first any
---@param second any
---@param options? { key?: string|string[], columns?: string[], ignore?: string[], normalize?: fun(row: table): table }
---    key: what makes a row the same row (without one, rows are only there or not); columns: only these count; ignore:
---    these do not; normalize: applied to every row first
---@return itlua.sql.Comparison
function compare.compare(first, second, options)
  options = options or {}
  local plan = { names = names_of(options.key), columns = options.columns, ignore = options.ignore,
    normalize = options.normalize }
  local left, order = {}, {}
  local result = setmetatable({ same = 0, missing = {}, extra = {}, different = {}, by = plan.names or {} }, Comparison)
  keyed(first, "first", plan, function(key, row)
    left[key] = row
    order[#order + 1] = key
  end)
  keyed(second, "second", plan, function(key, row)
    local other = left[key]
    left[key] = nil
    if not other then
      result.extra[#result.extra + 1] = row
      return
    end
    local columns = differing_columns(other, row)
    if #columns == 0 then
      result.same = result.same + 1
    else
      result.different[#result.different + 1] =
        { key = key_of(row, plan.names), first = other, second = row, columns = columns }
    end
  end)
  for _, key in ipairs(order) do
    if left[key] then result.missing[#result.missing + 1] = left[key] end
  end
  result.equal = #result.missing == 0 and #result.extra == 0 and #result.different == 0
  return result
end

local shown = 10

local function list(lines, title, items, line)
  if #items == 0 then return end
  lines[#lines + 1] = ("%d %s"):format(#items, title)
  for i = 1, math.min(shown, #items) do line(items[i]) end
  if #items > shown then lines[#lines + 1] = ("  … %d more"):format(#items - shown) end
end

function Comparison:__tostring()
  if self.equal then return ("the same %d rows"):format(self.same) end
  local lines = {}
  local function row_line(row) lines[#lines + 1] = "  " .. show.value(row, 200) end
  list(lines, "missing in the second", self.missing, row_line)
  list(lines, "extra in the second", self.extra, row_line)
  list(lines, "different", self.different, function(one)
    local parts = {}
    for i, name in ipairs(self.by) do parts[i] = name .. " " .. show.value(one.key[i]) end
    lines[#lines + 1] = "  " .. table.concat(parts, ", ")
    for _, name in ipairs(one.columns) do
      lines[#lines + 1] = ("    %-20s first %s   second %s"):format(name, show.value(one.first[name]),
        show.value(one.second[name]))
    end
  end)
  lines[#lines + 1] = ("%d the same"):format(self.same)
  return table.concat(lines, "\n")
end

return compare
