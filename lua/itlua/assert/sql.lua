--- Assertions about SQL databases:
--
--     assert.row(db, "SELECT * FROM orders WHERE id = $1", 7).has { status = "pending" }   -- nothing else matters
--     assert.row(db, "SELECT id, status FROM orders WHERE id = $1", 7).equals { id = 7, status = "pending" }
--     assert.no.row(db, "SELECT 1 FROM orders WHERE status = 'lost'")
--     assert.rows(db, "SELECT id FROM orders ORDER BY id").equals { { id = 7 }, { id = 8 } }
--     assert.rows(db, "SELECT …").has { id = 8 }                  -- one of them
--     assert.rows(db, "SELECT …").count(2)
--     assert.table(db, "orders").has { status = "pending", total = 12.5 }
--     assert.table(db, "orders").has.no.row { status = "lost" }
--     assert.table(db, "orders").is_empty()          -- is_not.empty, count(3), equals { rows in any order }
--     assert.no.orphans(db)
--
-- Values are compared by their column's type: 12.5 is numeric 12.50, "2024-05-01T12:00:00Z" the same timestamptz as
-- "2024-05-01 14:00:00+02", a UUID's case does not matter. Matchers may stand for values. Knows a database by its
-- methods only: query, identifier, orphans.

local blame = require "itlua.assert.blame"
local diff = require "itlua.diff"
local equal = require "itlua.sql.equality"
local null = require "itlua.null"
local show = require "itlua.show"

local sql = {}

local TEXT = "assertion.itlua.text"
local max_rows, max_listed = 1000, 5

local function indented(text)
  return "  " .. text:gsub("\n", "\n  ")
end

local function is_database(value)
  return type(value) == "table" and value.is_sql_database == true
end

local function check_database(name, value)
  if not is_database(value) then blame.usage(("assert.%s needs a database, not %s"):format(name, show.value(value))) end
end

-- ---- what is looked at: rows, how they are called, what their columns' types are

local function type_map(rows)
  local types = {}
  for i, name in ipairs(rows.columns or {}) do types[name] = (rows.types or {})[i] end
  return types
end

local function subject_of_query(name, args)
  check_database(name, args[1])
  if type(args[2]) ~= "string" then
    blame.usage(("assert.%s needs a statement, not %s"):format(name, show.value(args[2])))
  end
  local rows = args[1]:query(table.unpack(args, 2, args.n))
  return { rows = rows, types = type_map(rows), name = "of " .. show.value(args[2]:gsub("%s+", " "), 120), kind = name }
end

local function subject_of_table(args)
  local db, name = args[1], args[2]
  if type(name) ~= "string" then blame.usage("assert.table needs the name of a table, not " .. show.value(name)) end
  return { db = db, table = name, name = "in " .. name, kind = "table" }
end

local function load(subject)
  if subject.rows then return subject.rows end
  subject.rows = subject.db:query("SELECT * FROM " .. subject.db:identifier(subject.table))
  subject.types = type_map(subject.rows)
  return subject.rows
end

local function count_of(subject)
  if subject.rows then return #subject.rows end
  return subject.db:value("SELECT count(*) FROM " .. subject.db:identifier(subject.table))
end

-- ---- rows that fit

-- The row as it is to be shown beside `expected`: a value that is equal by its type is written as expected.
local function aligned(row, expected, types, matcher)
  local copy, wanted = {}, {}
  for name, value in pairs(row) do copy[name] = value end
  for name, value in pairs(expected) do
    wanted[name] = value
    local got = row[name]
    local is_matcher, accepts, words = matcher(value)
    if is_matcher then
      wanted[name] = accepts(got) and got or words
      if accepts(got) then copy[name] = wanted[name] end
    elseif got ~= nil and equal.values(types[name], value, got) then
      copy[name] = value
    end
  end
  return copy, wanted
end

-- What differs, as text, or nil. Columns that are not named count where the row has to be equal.
local function difference(subject, expected, row, matcher, whole)
  local copy, wanted = aligned(row, expected, subject.types, matcher)
  if not whole then
    for name in pairs(copy) do
      if wanted[name] == nil then copy[name] = nil end
    end
  end
  local result = diff.compare(wanted, copy)
  return diff.text(result), #result.entries
end

-- The place of a row that fits, or nil, the nearest row's difference.
local function find(subject, expected, matcher, whole, used)
  local nearest, least
  for i, row in ipairs(subject.rows) do
    if not (used and used[i]) then
      local text, n = difference(subject, expected, row, matcher, whole)
      if not text then return i end
      if not least or n < least then nearest, least = text, n end
    end
  end
  return nil, nearest
end

-- A table may be large: the database looks for what fits, and only where nothing does rows are fetched to be shown.
local function fetch_fitting(subject, expected, matcher)
  local db, from = subject.db, "FROM " .. subject.db:identifier(subject.table)
  local none = db:query(("SELECT * %s LIMIT 0"):format(from))
  local types = type_map(none)
  local conditions, values = {}, {}
  for _, name in ipairs(show.keys(expected)) do
    local value = expected[name]
    if types[name] == nil then
      blame.usage(("table %s has no column %s (it has %s)"):format(subject.table, show.value(name),
        table.concat(none.columns, ", ")))
    end
    if value == null then
      conditions[#conditions + 1] = db:identifier(name) .. " IS NULL"
    elseif not matcher(value) then
      local cast = types[name] == "json" and "::jsonb" or ""
      values[#values + 1] = value
      conditions[#conditions + 1] = ("%s%s = $%d%s"):format(db:identifier(name), cast, #values, cast)
    end
  end
  local where = #conditions > 0 and " WHERE " .. table.concat(conditions, " AND ") or ""
  local rows = db:query(("SELECT * %s%s LIMIT %d"):format(from, where, max_rows), table.unpack(values))
  if #rows == 0 then rows = db:query(("SELECT * %s LIMIT %d"):format(from, max_rows)) end
  return { rows = rows, types = types, name = subject.name, kind = "table" }
end

local function listed(rows)
  local lines = {}
  for i = 1, math.min(#rows, max_listed) do lines[i] = "  " .. show.value(rows[i], 200) end
  if #rows > max_listed then lines[#lines + 1] = ("  … %d more"):format(#rows - max_listed) end
  return #lines > 0 and "\n\n" .. table.concat(lines, "\n") or ""
end

local function rows_text(n)
  return n == 1 and "1 row" or n .. " rows"
end

-- ---- the assertions: each returns ok, what to say if it is not, what to say if it is (negated)

local function check_row(name, expected)
  if type(expected) ~= "table" then
    blame.usage(("%s needs a table of columns, not %s"):format(name, show.value(expected)))
  end
end

local function has(subject, args, matcher)
  local expected = args[1]
  check_row("has", expected)
  if subject.kind == "row" and #subject.rows == 1 then
    local text = difference(subject, expected, subject.rows[1], matcher, false)
    return text == nil, ("The row %s differs.\n\n%s"):format(subject.name, indented(text or "")),
      ("Expected a row %s without %s."):format(subject.name, show.value(expected, 200))
  end
  local there = subject.table and fetch_fitting(subject, expected, matcher) or subject
  local at, nearest = find(there, expected, matcher, false)
  local also = nearest and "\n\nThe nearest of " .. rows_text(#there.rows) .. ":\n\n" .. indented(nearest) or
    "\n\nThere are no rows at all."
  return at ~= nil, ("Expected a row %s with %s.%s"):format(subject.name, show.value(expected, 300), also),
    ("Expected no row %s with %s.%s"):format(subject.name, show.value(expected, 300),
      at and "\n\n  " .. show.value(there.rows[at], 300) or "")
end

-- Rows of a table have no order: each expected one is looked for.
local function equal_in_any_order(subject, expected, matcher)
  local rows, used, problems = load(subject), {}, {}
  for _, row in ipairs(expected) do
    check_row("equals", row)
    local at, nearest = find(subject, row, matcher, true, used)
    if at then
      used[at] = true
    else
      problems[#problems + 1] = ("missing %s%s"):format(show.value(row, 200),
        nearest and "; the nearest differs:\n" .. indented(nearest) or "")
    end
  end
  for i, row in ipairs(rows) do
    if not used[i] then problems[#problems + 1] = "not expected " .. show.value(row, 200) end
  end
  if #problems == 0 then return true end
  if #problems > max_listed then problems = { table.unpack(problems, 1, max_listed) } end
  return false, ("Expected other rows %s (%d expected, %d there).\n\n%s"):format(subject.name, #expected, #rows,
    indented(table.concat(problems, "\n")))
end

local function equals(subject, args, matcher)
  local expected = args[1]
  check_row("equals", expected)
  local negated = ("Expected something else %s."):format(subject.name)
  if subject.kind == "row" then
    local text = difference(subject, expected, subject.rows[1], matcher, true)
    return text == nil, ("The row %s differs.\n\n%s"):format(subject.name, indented(text or "")), negated
  end
  if subject.kind == "table" then
    local ok, text = equal_in_any_order(subject, expected, matcher)
    return ok, text, negated
  end
  local got, wanted = {}, {}
  for i = 1, math.max(#expected, #subject.rows) do
    local row = subject.rows[i]
    if row and expected[i] then
      check_row("equals", expected[i])
      got[i], wanted[i] = aligned(row, expected[i], subject.types, matcher)
    else
      got[i], wanted[i] = row, expected[i]
    end
  end
  local text = diff.of(wanted, got)
  return text == nil, ("The rows %s differ (%d expected, got %d).\n\n%s"):format(subject.name, #expected,
    #subject.rows, indented(text or "")), negated
end

local function is_empty(subject)
  local n = count_of(subject)
  local shown = n > 0 and listed(load(subject)) or ""
  return n == 0, ("Expected no rows %s, there %s.%s"):format(subject.name, n == 1 and "is 1" or "are " .. n, shown),
    ("Expected rows %s, there are none."):format(subject.name)
end

local function count(subject, args)
  local wanted = args[1]
  if math.type(wanted) ~= "integer" then blame.usage("count needs a whole number, not " .. show.value(wanted)) end
  local n = count_of(subject)
  return n == wanted, ("Expected %s %s, there %s.%s"):format(rows_text(wanted), subject.name,
    n == 1 and "is 1" or "are " .. n, n > 0 and n <= max_rows and listed(load(subject)) or ""),
    ("Expected another number of rows %s than %d."):format(subject.name, wanted)
end

-- ---- what row(…), rows(…) and table(…) return: an object with the assertions, and luassert's words between

local assertions = {
  has = has, row = has, matches = has, equals = equals, equal = equals, same = equals, empty = is_empty, count = count,
}
local fillers = { is = true, are = true, was = true, has = true, have = true, does = true, with = true }
local negations = { ["not"] = true, no = true }

local Subject = {}

local function new_subject(luassert, matcher, about, negated, name)
  local fields = { luassert = luassert, matcher = matcher, about = about, negated = negated, name = name }
  return setmetatable(fields, Subject)
end

function Subject.__index(self, key)
  local negated, name = rawget(self, "negated"), rawget(self, "name")
  for word in tostring(key):lower():gmatch "[^_]+" do
    if negations[word] then
      negated = not negated
    elseif assertions[word] and not (fillers[word] and name) then
      name = word
    elseif not fillers[word] then
      blame.usage(("there is no '%s' for %s (there is has, equals, count, is_empty, is_not.empty)"):format(word,
        rawget(self, "about").kind))
    end
  end
  return new_subject(rawget(self, "luassert"), rawget(self, "matcher"), rawget(self, "about"), negated, name)
end

function Subject.__call(self, ...)
  local luassert, about = rawget(self, "luassert"), rawget(self, "about")
  local assertion = assertions[rawget(self, "name") or "has"]
  local ok, expected, unexpected = assertion(about, { n = select("#", ...), ... }, rawget(self, "matcher"))
  local negated = rawget(self, "negated")
  if ok == negated then luassert(false, negated and unexpected or expected, luassert:level(2)) end
  return new_subject(luassert, rawget(self, "matcher"), about, false, nil)
end

-- ---- registered with luassert

local function say_instead(args, text)
  for i = args.n, 1, -1 do args[i] = nil end
  args[1], args.n, args.nofmt = text, 1, { true }
end

local function there_are(n)
  return n == 0 and "there is none" or n == 1 and "there is one" or "there are " .. n
end

local function row(subject_for)
  return function(state, args)
    local about = subject_of_query("row", args)
    local n = #about.rows
    local fine = state.mod and n == 1 or not state.mod and n == 0
    if not fine then
      say_instead(args, ("Expected %s row %s, %s.%s"):format(state.mod and "one" or "no", about.name, there_are(n),
        listed(about.rows)))
    end
    return fine == state.mod, { subject_for(about), n = 1 }
  end
end

local function rows(subject_for)
  return function(state, args)
    local about = subject_of_query("rows", args)
    if state.mod then return true, { subject_for(about), n = 1 } end
    local n = #about.rows
    if n > 0 then
      say_instead(args, ("Expected no rows %s, %s.%s"):format(about.name, there_are(n), listed(about.rows)))
    end
    return n > 0
  end
end

local function orphans(state, args)
  check_database("orphans", args[1])
  local found = args[1]:orphans(args[2])
  if state.mod ~= (#found > 0) then
    say_instead(args, state.mod and "Expected broken references, there are none."
      or "Expected no broken references.\n\n" .. indented(tostring(found)))
  end
  return #found > 0
end

-- assert.table(value) stays luassert's check of a type; with a database it is ours. In place: who holds on to
-- luassert's entry sees both.
local function extend_table(namespaces, subject_for)
  local entry = namespaces.assertion.table
  local original = entry.callback
  entry.callback = function(state, args, level)
    if not is_database(args[1]) or args.n < 2 then return original(state, args, (level or 1) + 1) end
    return true, { subject_for(subject_of_table(args)), n = 1 }
  end
end

--- Registers the assertions.
---@param luassert table
---@param matcher fun(value: any): boolean, function?, string?
---@param namespaces table     luassert.namespaces
function sql.install(luassert, matcher, namespaces)
  local function subject_for(about)
    return new_subject(luassert, matcher, about, false, nil)
  end
  luassert:register("assertion", "row", row(subject_for), TEXT, TEXT)
  luassert:register("assertion", "rows", rows(subject_for), TEXT, TEXT)
  luassert:register("assertion", "orphans", orphans, TEXT, TEXT)
  extend_table(namespaces, subject_for)
end

return sql
