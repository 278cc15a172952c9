--- COPY: rows in and out at the speed of the server.

local core = require "itlua.core"
local failure = require "itlua.sql.failure"
local policy = require "itlua.policy"
local show = require "itlua.show"
local task = require "itlua.task"

local copy = {}

local rows_at_once = 500 -- taken from a function before they are written

local function begin(self, statement, direction)
  if policy.read_only then self:guard(statement) end
  local way, columns = self.handle:copy_begin(statement)
  if columns == "settle" then
    self.handle:settle()
    return begin(self, statement, direction)
  end
  if not way then failure.raise(columns, statement, "sql.copy") end
  if way == direction then return columns end
  self.handle:abort(true)
  self.handle:settle()
  core.usage(("copy_%s cannot run COPY … %s"):format(direction, way == "in" and "FROM STDIN" or "TO STDOUT"))
end

local function is_statement(text, ...)
  local word = text:match "^[%s(]*(%a+)%f[%A]"
  word = word and word:lower()
  for _, one in ipairs { ... } do
    if word == one and text:find "%s" then return true end
  end
  return false
end

local function with(options)
  if not options.format then return "" end
  return (" WITH (FORMAT %s, HEADER %s)"):format(options.format, options.header or false)
end

-- ---- in

-- "orders" or "orders (id, name)": the table's name, and the columns where they are named.
local function split_target(text)
  local name, list = text:match "^%s*(.-)%s*%((.*)%)%s*$"
  if not name then return text:match "^%s*(.-)%s*$" end
  local columns = {}
  for column in list:gmatch "[^,]+" do
    columns[#columns + 1] = column:match '^%s*"?(.-)"?%s*$'
  end
  return name, columns
end

local writable = [[
SELECT attname AS name FROM pg_catalog.pg_attribute
WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum]]

local function columns_of(self, name, row)
  if type(row) == "table" and row[1] == nil then return show.keys(row) end
  local columns = {}
  for i, one in ipairs(self:query(writable, self:identifier(name))) do columns[i] = one.name end
  return columns
end

-- The COPY statement for a table, and a prepared INSERT whose parameters have the columns' types.
local function plan(self, name, columns)
  local quoted, marks = {}, {}
  for i, column in ipairs(columns) do
    quoted[i], marks[i] = '"' .. column:gsub('"', '""') .. '"', "$" .. i
  end
  local into = ("%s (%s)"):format(self:identifier(name), table.concat(quoted, ", "))
  local insert = ("INSERT INTO %s VALUES (%s)"):format(into, table.concat(marks, ", "))
  local prepared = self.statements[insert]
  local statement = prepared and prepared.statement
  if not statement then
    local problem
    statement, problem = self:prepare(insert)
    if not statement then failure.raise(problem, insert, "sql.copy") end
  end
  return ("COPY %s FROM STDIN"):format(into), statement
end

local function write(self, data, statement)
  local ok, problem = self.handle:copy_write(data)
  if not ok then failure.raise(problem, statement, "sql.copy") end
end

local function write_rows(self, rows, plan_of)
  local handle, i, n = self.handle, 1, #rows
  while i <= n do
    i = handle:copy_rows(rows, i, plan_of.count, plan_of.columns, plan_of.types)
    -- What is left in the buffer goes with the next rows, or at the end.
    if i <= n then write(self, nil, plan_of.statement) end
  end
end

-- A function gives strings (COPY's own text) or rows, and nil at the end.
local function write_from(self, source, first, plan_of)
  local item = first
  local rows, n = {}, 0
  while item ~= nil do
    if type(item) == "string" then
      write(self, item, plan_of.statement)
    elseif type(item) == "table" then
      n = n + 1
      rows[n] = item
      if n == rows_at_once then
        write_rows(self, rows, plan_of)
        write(self, nil, plan_of.statement)
        rows, n = {}, 0
      end
    else
      core.usage("copy_in: the function must give strings or rows, not " .. show.kind(item))
    end
    item = source()
  end
  write_rows(self, rows, plan_of)
end

local function by_name(row)
  return type(row) == "table" and row[1] == nil and next(row) ~= nil
end

local function prepare_in(self, target, first, options)
  if is_statement(target, "copy") then
    return { statement = target, columns = by_name(first) and options.columns or nil }
  end
  local name, columns = split_target(target)
  columns = options.columns or columns
  if type(first) == "string" then
    local list = columns and " (" .. table.concat(columns, ", ") .. ")" or ""
    return { statement = ("COPY %s%s FROM STDIN%s"):format(self:identifier(name), list, with(options)) }
  end
  columns = columns or columns_of(self, name, first)
  local statement, types = plan(self, name, columns)
  return { statement = statement, types = types, count = #columns, columns = by_name(first) and columns or nil }
end

--- Copies rows into a table and returns how many there were.
---@param target string     a table, "orders" or "orders (id, name)", or a statement COPY … FROM STDIN
---@param source string|table|fun(): string|table|nil     COPY's own text; a list of rows, by column name or as lists;
---    or a function that gives one or the other piece by piece, and nil at the end
---@param options? { columns?: string[], format?: "text"|"csv", header?: boolean }
---@return integer rows
function copy.copy_in(self, target, source, options)
  options = options or {}
  if type(target) ~= "string" then
    core.usage("copy_in needs a table or a COPY statement, not " .. show.kind(target))
  end
  local first, next_item = source, nil
  if type(source) == "table" then
    first = source[1]
    if first == nil then return 0 end
  elseif type(source) == "function" then
    next_item = source
    first = source()
    if first == nil then return 0 end
  elseif type(source) ~= "string" then
    core.usage("copy_in needs text, a list of rows or a function, not " .. show.kind(source))
  end
  local plan_of = prepare_in(self, target, first, options)
  local columns = begin(self, plan_of.statement, "in")
  plan_of.count = plan_of.count or columns
  local ok, err = pcall(function()
    if next_item then
      write_from(self, next_item, first, plan_of)
    elseif type(source) == "string" then
      write(self, source, plan_of.statement)
    else
      write_rows(self, source, plan_of)
    end
    write(self, nil, plan_of.statement)
  end)
  local handle = self.handle
  if not ok then
    pcall(task.shield, 5, function()
      if handle:state() == "copy in" then handle:copy_end "stopped" end
      handle:settle()
    end)
    error(err, 0)
  end
  local count, problem = handle:copy_end()
  if problem ~= nil then failure.raise(problem, plan_of.statement, "sql.copy") end
  return count
end

-- ---- out

local function out_statement(self, source, options)
  if is_statement(source, "copy") then return source end
  local from = is_statement(source, "select", "with", "values", "table") and "(" .. source .. ")"
    or self:identifier(source)
  return ("COPY %s TO STDOUT%s"):format(from, with(options))
end

--- Copies rows out, as COPY's text: to a function, piece by piece (whole lines), or returned as one string.
---@param source string     a table, a query, or a statement COPY … TO STDOUT
---@param sink? fun(piece: string)
---@param options? { format?: "text"|"csv", header?: boolean }
---@return string|integer ...     the text and the number of rows; the number alone where there is a sink
function copy.copy_out(self, source, sink, options)
  if type(source) ~= "string" then core.usage("copy_out needs a table or a query, not " .. show.kind(source)) end
  if type(sink) == "table" and options == nil then sink, options = nil, sink end
  local handle, statement = self.handle, out_statement(self, source, options or {})
  begin(self, statement, "out")
  local pieces = {}
  local ok, count = pcall(function()
    while true do
      local piece, rows = handle:copy_read()
      if piece == nil then failure.raise(rows, statement, "sql.copy") end
      if #piece > 0 then
        if sink then sink(piece) else pieces[#pieces + 1] = piece end
      end
      if rows then return rows end
    end
  end)
  if not ok then
    pcall(task.shield, 5, function()
      if handle:state() == "copy out" then handle:abort(true) end
      handle:settle()
    end)
    error(count, 0)
  end
  if sink then return count end
  return table.concat(pieces), count
end

return copy
