--- What a report tells of statements: text, parameters, rows; of one that did not come back, which sessions stand in a
-- transaction and may hold what it waits for; of a row that is there already, which statements may have put it there.

local core = require "itlua.core"
local evidence = require "itlua.evidence"

local story = {}

local SHOWN = 20 -- rows

local function told(statement, result, first, kept)
  local data = { statement = statement }
  if first <= #kept then data.parameters = { table.unpack(kept, first) } end
  if type(result) ~= "table" then
    data.value = result
    return data
  end
  if result[1] == nil and next(result) ~= nil then
    data.rows = { result }
    return data
  end
  data.rows = { table.unpack(result, 1, SHOWN) }
  if #result > SHOWN then data.rows_left_out = #result - SHOWN end
  return data
end

local function statement_of(kept)
  local statement = kept[2]
  if type(statement) == "string" then return told(statement, kept.result, 3, {}) end
  return told(debug.getuservalue(statement, 2), kept.result, 4, kept)
end

evidence.describe("sql.query", statement_of)
evidence.describe("sql.exec", statement_of)

-- ---- who may hold a lock

local sessions = [[
  SELECT pid, coalesce(application_name, '') AS name, datname AS database, left(query, 200) AS query,
    extract(epoch FROM clock_timestamp() - xact_start)::float8 AS seconds
  FROM pg_stat_activity
  WHERE datname = $1 AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'
  ORDER BY xact_start LIMIT 5]]

local BUDGET = 1 -- seconds

local connections = setmetatable({}, { __mode = "k" })
local offered

local function ask(self)
  local where = {}
  for name, value in pairs(self.address) do where[name] = value end
  where.timeout = BUDGET
  local db <close> = story.open(where, true)
  local list = db:query(sessions, where.dbname or where.database or self.handle:info().database)
  local plain = {}
  for i, row in ipairs(list) do plain[i] = row end
  return plain[1] and require("itlua.json").encode(plain) or nil
end

-- Only where a statement was given up or still runs: asking costs a connection.
local function open_transactions(event)
  local refused = event.error_code == "55P03" or event.error_code == "57014" -- a lock not got, a statement's own limit
  for self in pairs(connections) do
    local ok, state = pcall(function() return self.handle:state() end)
    if ok and (refused and state ~= "closed" or state == "busy" or state == "draining" or state == "lost") then
      local scope, before = core.enter(BUDGET, true), core.silence(true)
      local fine, text = pcall(ask, self)
      core.silence(before)
      core.leave(scope)
      return fine and text or nil
    end
  end
end

-- ---- who put a row there that is in the way

local CANDIDATES = 8 -- statements

-- The table that a statement puts rows into, without its schema.
local function target_of(statement)
  local name = statement:lower():match "^%s*insert%s+into%s+([%w_.\"]+)" or statement:lower():match "^%s*copy%s+([%w_.\"]+)"
  return name and name:gsub('"', ""):match "[^.]+$"
end

-- What this file's tests before this one have put into the table, as far as the timeline reaches back; times on the wall
-- clock, by which a report finds out which test that was.
local function earlier_rows(event)
  if event.error_code ~= "23505" or not event.error_table then return nil end
  local spans, list = core.timeline(0), {}
  local began, ahead = require("itlua.run").began or math.huge, core.clock() - core.now()
  for i = #spans, 1, -1 do
    local span = spans[i]
    if span.at < began and span.what:find "^sql" and target_of(span.detail) == event.error_table:lower()
      and not span.outcome:find("duplicate", 1, true) then
      list[#list + 1] = { at = span.at + ahead, statement = span.detail }
      if #list == CANDIDATES then break end
    end
  end
  return list[1] and require("itlua.json").encode(list, { utf8 = "replace" }) or nil
end

--- The connection is one of those whose statements may be found waiting.
---@param connection itlua.sql.Connection
function story.follow(connection)
  if not offered then
    offered = true
    evidence.offer("transactions", open_transactions)
    evidence.offer("earlier_rows", earlier_rows)
  end
  connections[connection] = true
end

---@type fun(where: table, pooled?: boolean): itlua.sql.Connection     set by connection.lua
story.open = nil

return story
