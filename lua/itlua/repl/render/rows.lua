--- Rows of a database as an aligned table under names and types; one below the other where the terminal is too narrow.

local null = require "itlua.null"
local show = require "itlua.show"
local text = require "itlua.report.text"

local rows_view = {}

local GAP, LEAST, WIDEST = 2, 4, 60 -- columns between two; a column's least and greatest width

---@param value any
---@return boolean
function rows_view.fits(value)
  local mt = type(value) == "table" and debug.getmetatable(value)
  if not mt or rawget(mt, "__index") == nil or rawget(mt, "__name") == "itlua.reach" then return false end
  local ok, columns, kinds, count = pcall(function() return value.columns, value.types, value.count end)
  return ok and type(columns) == "table" and type(kinds) == "table" and type(count) == "number"
end

local function cell(value)
  if value == null or value == nil then return "null" end
  if type(value) == "string" then return text.one_line(text.utf8(#value > 2000 and show.cut(value, 2000) or value)) end
  if type(value) == "number" then return show.number(value) end
  return show.value(value, 120)
end

local function is_numeric(kind)
  return kind:find "^int%d" or kind:find "^float" or kind == "numeric" or kind == "money" or kind == "oid"
end

-- Names of columns may come twice; a row has only one of them.
local function columns_of(rows)
  local columns = {}
  for i, name in ipairs(rows.columns) do
    columns[i] = { name = name, title = text.one_line(name), kind = rows.types[i] or "",
      right = is_numeric(rows.types[i] or "") }
  end
  return columns
end

-- Shrinks the widest until all fit; false where that cannot be.
local function fit(columns, room)
  local total = -GAP
  for _, c in ipairs(columns) do
    c.width = math.min(c.width, math.max(WIDEST, room // #columns))
    total = total + c.width + GAP
  end
  while total > room do
    local widest = columns[1]
    for _, c in ipairs(columns) do if c.width > widest.width then widest = c end end
    if widest.width <= LEAST then return false end
    local less = math.min(total - room, math.max(1, widest.width // 8), widest.width - LEAST)
    widest.width, total = widest.width - less, total - less
  end
  for _, c in ipairs(columns) do
    if c.width < math.min(text.width(c.title), 8) then return false end
  end
  return true
end

local function painted(view, c, value, shown)
  if value == null or value == nil then return view.paint("dim", shown) end
  if c.right then return view.paint("yellow", shown) end
  return shown
end

local function as_table(view, out, rows, columns, cells, shown)
  local p, names, kinds = view.paint, {}, {}
  for i, c in ipairs(columns) do
    local width = (i < #columns or c.right) and c.width or 0
    names[i] = p("bright", text.pad(text.clip(c.title, c.width), width, c.right))
    kinds[i] = p("dim", text.pad(text.clip(c.kind, c.width), width, c.right))
  end
  local gap = (" "):rep(GAP)
  out[#out + 1] = table.concat(names, gap)
  out[#out + 1] = table.concat(kinds, gap)
  for r = 1, shown do
    local parts = {}
    for i, c in ipairs(columns) do
      local words = text.clip(cells[r][i], c.width)
      if i < #columns or c.right then words = text.pad(words, c.width, c.right) end
      parts[i] = painted(view, c, rows[r][c.name], words)
    end
    out[#out + 1] = table.concat(parts, gap)
  end
end

local function as_records(view, out, rows, columns, cells, shown)
  local width = 0
  for _, c in ipairs(columns) do width = math.max(width, math.min(20, text.width(c.title))) end
  width = math.min(width, math.max(LEAST, view.columns // 2))
  for r = 1, shown do
    out[#out + 1] = view.paint("dim", ("row %d"):format(r))
    for i, c in ipairs(columns) do
      local room = math.max(LEAST, view.columns - width - 4)
      out[#out + 1] = ("  %s  %s"):format(view.paint("cyan", text.pad(text.clip(c.title, width), width)),
        painted(view, c, rows[r][c.name], text.clip(cells[r][i], room)))
    end
  end
end

local function summary(rows, shown, seconds)
  local parts = {}
  if #rows > 0 or rows.command == "SELECT" or #rows.columns > 0 then parts[1] = text.count(#rows, "row")
  else parts[1] = (rows.command or "") .. (rows.count > 0 and " · " .. text.count(rows.count, "row") or "") end
  if shown < #rows then parts[#parts + 1] = ("the first %d are shown"):format(shown) end
  if seconds then parts[#parts + 1] = text.duration(seconds) end
  return table.concat(parts, " · ")
end

--- Adds its lines.
---@param view itlua.repl.View
---@param out string[]
---@param rows table[]|itlua.sql.Rows
---@param seconds? number
function rows_view.add(view, out, rows, seconds)
  local columns, cells = columns_of(rows), {}
  local shown = math.min(#rows, view.max_rows)
  for _, c in ipairs(columns) do c.width = math.max(LEAST, text.width(c.title), math.min(12, text.width(c.kind))) end
  for r = 1, shown do
    cells[r] = {}
    for i, c in ipairs(columns) do
      cells[r][i] = cell(rows[r][c.name])
      c.width = math.max(c.width, math.min(WIDEST * 4, text.width(cells[r][i])))
    end
  end
  if #columns > 0 then
    if fit(columns, view.columns) then as_table(view, out, rows, columns, cells, shown)
    else as_records(view, out, rows, columns, cells, shown) end
  end
  out[#out + 1] = view.paint("dim", summary(rows, shown, seconds))
end

return rows_view
