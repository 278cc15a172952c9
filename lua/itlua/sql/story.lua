--- What a report tells of statements: text, parameters, rows; and, of a statement that did not come back, which sessions stand
-- in a transaction and may hold what it waits for.

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

--- The connection is one of those whose statements may be found waiting.
---@param connection itlua.sql.Connection
function story.follow(connection)
  if not offered then
    offered = true
    evidence.offer("transactions", open_transactions)
  end
  connections[connection] = true
end

---@type fun(where: table, pooled?: boolean): itlua.sql.Connection     set by connection.lua
story.open = nil

return story
