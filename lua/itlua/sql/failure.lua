--- What went wrong, as error objects of kind "sql" that say everything the server said: the message, its SQLSTATE,
-- detail and hint, and the place in the statement with a caret below it.

local core = require "itlua.core"
local show = require "itlua.show"

local failure = {}

local max_line = 100 -- characters of a statement's line around the place

-- ---- the place in a statement

-- The part of a line around a column, in characters, and the column in it.
local function window(line, column)
  local length = utf8.len(line)
  if not length or length <= max_line then return line, column end
  local first = math.max(1, math.min(column - max_line // 2, length - max_line + 1))
  local last = math.min(length, first + max_line - 1)
  local cut = line:sub(utf8.offset(line, first), utf8.offset(line, last + 1) - 1)
  local before, after = first > 1 and "…" or "", last < length and "…" or ""
  return before .. cut .. after, column - first + 1 + (first > 1 and 1 or 0)
end

-- The line with the character at `position` (from 1), its number, and the column, both of what is shown.
local function place(text, position)
  local at = utf8.len(text) and utf8.offset(text, position) or position
  if not at or at > #text + 1 then return nil end
  local start, number = 1, 1
  for newline in text:gmatch "()\n" do
    if newline >= at then break end
    start, number = newline + 1, number + 1
  end
  local line = text:match("[^\r\n]*", start):gsub("\t", " ")
  local before = text:sub(start, at - 1)
  local shown, column = window(line, (utf8.len(before) or #before) + 1)
  return shown, number, column
end

-- Two lines: the statement's, and the caret.
local function caret(text, position)
  local line, number, column = place(text, position)
  if not line then return nil end
  local lead = text:find "\n" and ("  line %d: "):format(number) or "  "
  return lead .. line .. "\n" .. (" "):rep(#lead + column - 1) .. "^"
end

local function one_line(text)
  local line = text:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")
  local short = show.cut(line, 200)
  return short == line and line or short .. "…"
end

local function indented(text)
  return (text:gsub("\n", "\n    "))
end

-- ---- statements

---@class itlua.sql.Error
---@field kind "sql"
---@field code string          SQLSTATE; also BUSY, and for connections ECONNREFUSED and the like
---@field message string       everything, on several lines
---@field primary string       the server's first line
---@field severity? string
---@field detail? string
---@field hint? string
---@field constraint? string
---@field schema? string
---@field table? string
---@field column? string
---@field datatype? string
---@field position? integer    of the character in the statement, from 1
---@field context? string
---@field statement? string
---@field lost? boolean        the connection is gone with it
---@field index? integer       which statement of a pipeline

local kept = { "severity", "detail", "hint", "constraint", "schema", "table", "column", "datatype", "context",
  "internal_query", "lost", "index" }

--- The error object for what the server said about a statement.
---@param problem table        from the core: code, message, detail, …
---@param statement? string
---@param op? string           what was done: "sql.query"
---@return table error
function failure.of(problem, statement, op)
  local position, internal = tonumber(problem.position), tonumber(problem.internal_position)
  local lines = { problem.code and ("%s (%s)"):format(problem.message, problem.code) or problem.message }
  if problem.index then lines[1] = ("statement %d of the pipeline: %s"):format(problem.index, lines[1]) end
  for _, name in ipairs { "detail", "hint", "context" } do
    if problem[name] then lines[#lines + 1] = ("  %s: %s"):format(name, indented(problem[name])) end
  end
  local drawn
  if internal and problem.internal_query then
    drawn = caret(problem.internal_query, internal)
  elseif position and statement then
    drawn = caret(statement, position)
  end
  lines[#lines + 1] = drawn or (statement and "  statement: " .. one_line(statement)) or nil
  if problem.lost then lines[#lines + 1] = "  the connection is lost" end
  local fields = { primary = problem.message, statement = statement, position = position, op = op or "sql.query" }
  for _, name in ipairs(kept) do fields[name] = problem[name] end
  return core.error_new("sql", problem.code or "08006", table.concat(lines, "\n"), fields)
end

--- Raises it.
function failure.raise(problem, statement, op)
  error(failure.of(problem, statement, op), 0)
end

--- Not the one row, or the one value, that was asked for.
---@param problem table     rows, columns: how many there were
---@param statement string
---@param wanted string     "row" or "value"
function failure.not_one(problem, statement, wanted)
  local text, code
  if problem.rows == 0 then
    text, code = ("expected one %s, there is no row"):format(wanted), "P0002"
  elseif problem.rows > 1 then
    text, code = ("expected one %s, there are %d rows"):format(wanted, problem.rows), "P0003"
  else
    text, code = ("expected one value, there are %d columns"):format(problem.columns), "42601"
  end
  failure.raise({ message = text, code = code }, statement)
end

-- ---- connections

local errnos = {
  { "Connection refused", "ECONNREFUSED", "is a server running there?" },
  { "No such file or directory", "ENOENT", "is a server running there?" },
  { "No route to host", "EHOSTUNREACH" },
  { "Network is unreachable", "ENETUNREACH" },
  { "Connection timed out", "ETIMEDOUT" },
  { "Connection reset by peer", "ECONNRESET" },
  { "Permission denied", "EACCES" },
  { "server closed the connection unexpectedly", "ECONNRESET" },
  { "no password supplied", "28P01" },
}

-- One attempt's words as the fields of a problem.
local function attempt(words)
  local severity, state, message = words:match "(%u+):  (%w%w%w%w%w): ([^\n]+)"
  if state then
    return { message = message, code = state, severity = severity, hint = words:match "\nHINT:  ([^\n]+)",
      detail = words:match "\nDETAIL:  ([^\n]+)" }
  end
  local line = words:match "^[^\n]*"
  for _, known in ipairs(errnos) do
    if words:find(known[1], 1, true) then return { message = line, code = known[2], hint = known[3] } end
  end
  return { message = line, code = "08001" }
end

--- Raises what libpq said about a connection that could not be made.
---@param words string
---@param label string     the URL, without password
function failure.connect(words, label)
  local attempts, found = {}, nil
  local marked = words:gsub("connection to server ([^\n]-) failed: ", "\0%1\0")
  -- One server may have several addresses: the last one where a server answered says most.
  for where, reason in marked:gmatch "%z([^%z]*)%z([^%z]*)" do
    local one = attempt(reason)
    one.where = where
    attempts[#attempts + 1] = one
    if not found or one.severity or not found.severity then found = one end
  end
  found = found or attempt(words)
  local lines = { ("cannot connect to %s: %s (%s)"):format(label, found.message, found.code) }
  if found.detail then lines[#lines + 1] = "  detail: " .. found.detail end
  if found.hint then lines[#lines + 1] = "  hint: " .. found.hint end
  if #attempts > 1 then
    for _, one in ipairs(attempts) do lines[#lines + 1] = ("  %s: %s"):format(one.where, one.message) end
  end
  core.raise("sql", found.code, table.concat(lines, "\n"), {
    primary = found.message, hint = found.hint, detail = found.detail, severity = found.severity, op = "sql.connect",
  })
end

return failure
