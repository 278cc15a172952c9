--- Causes in databases, caches and streams of events.

local cause = require "itlua.report.cause"
local text = require "itlua.report.text"

local function database(facts, message)
  for span in facts:back "^sql" do
    local url = span.detail:match "(postgres%a*://%S+)"
    if url then return url end
  end
  return message and message:match "(postgres%a*://%S+)"
end

local function table_of(facts)
  return facts.problem.error_table or facts.message:match 'relation "([^"]+)"' or facts.message:match "table \"?([%w_.]+)"
end

-- The earlier statement that has put the row there: the one that names its key, else the last. Sure where it names it.
local function culprit(facts)
  local values = (facts.message:match "Key %(.-%)=%((.-)%) already exists" or facts.problem.error_detail or "")
    :gsub("^Key %(.-%)=%(", ""):gsub("%) already exists.*$", "")
  for _, statement in ipairs(facts.earlier) do
    local named = values ~= ""
    for value in values:gmatch "[^,]+" do
      named = named and tostring(statement.statement):find(value:match "^%s*(.-)%s*$", 1, true) ~= nil
    end
    if named then return statement, true end
  end
  return facts.earlier[1], #facts.earlier == 1
end

-- Who has put rows into a table: the test itself, or, where there is an audit, an earlier one.
local function who_left(facts, name)
  local earlier = 0
  for _, span in ipairs(facts.spans) do
    local statement = type(span.data) == "table" and span.data.statement or span.detail
    local into = span.what:find "^sql" and statement:lower():match "^%s*insert%s+into%s+\"?([%w_.]+)"
    if into and (into == name or into:match "[^.]+$" == name) and not span.outcome:find "duplicate" then
      earlier = earlier + 1
    end
  end
  if earlier > 0 then
    return ("this test itself put %s into %s before: see the timeline"):format(earlier == 1 and "a row" or earlier
      .. " times rows", name)
  end
  for where, left in pairs(facts.left) do
    if where == name or where:match "[^.]+$" == name then
      return ("left by \"%s\" (%s): %s (audit)"):format(left.name, left.place, left.line)
    end
  end
  local statement, sure = culprit(facts)
  if statement then
    local who = statement.name and ("by \"%s\" (%s)"):format(statement.name, statement.place) or "by a setup or another hook"
    return ("%s %s: %s"):format(sure and "put there" or "the last rows were put there", who,
      text.clip(text.one_line(tostring(statement.statement)), 100))
  end
  return ("an earlier test left it: `itlua --audit` names the tests that leave rows in %s"):format(name)
end

local function duplicate_row(facts)
  if facts.code ~= "23505" and not facts:says "duplicate key value" then return nil end
  local name = table_of(facts) or "the table"
  local row = facts.message:match "Key (%(.-%)=%(.-%)) already exists" or facts.problem.error_detail
  return { ("table %s has that row already%s"):format(name, row and ": " .. row or ""), who_left(facts, name) },
    "23505 " .. tostring(facts.problem.error_constraint or name)
end

local function violated(facts)
  local what = ({
    ["23503"] = "the row refers to one that is not there, or one that others refer to was to go: who makes it, "
      .. "and was that rolled back?",
    ["23502"] = "a column that must have a value got none",
    ["23514"] = "the values break a rule (CHECK) of the table",
  })[facts.code or ""]
  if not what then return nil end
  return { what, facts.problem.error_detail }, facts.code .. " " .. tostring(facts.problem.error_constraint
    or table_of(facts))
end

local function no_relation(facts)
  if facts.code ~= "42P01" and facts.code ~= "42703" then return nil end
  local name = facts.message:match '"([^"]+)" does not exist' or facts.message:match "column (%S+) does not exist" or "it"
  local db = database(facts, facts.message)
  local lines = { ("%s is not in the database%s: its migrations did not run here, or are older than the spec"):format(name,
    db and " (" .. db:gsub("^.*/", "/"):gsub("%?.*", "") .. ")" or "") }
  for _, service in ipairs(facts.services) do
    if service.kind == "postgres" then
      lines[2] = ("look at services.%s.migrations in itlua.lua; services.%s:connect() gives a database that is migrated")
        :format(service.name, service.name)
      break
    end
  end
  return lines, facts.code .. " " .. name
end

local function migration(facts)
  if facts.kind ~= "migration" and not facts:says "nothing of this migration was kept" then return nil end
  local file, line = facts.message:match "([^%s:]+%.sql):(%d+)"
  if not file then return nil end
  return { ("a migration fails, so every test that needs this database fails: %s:%s"):format(file, line) },
    "migration " .. file
end

local function aborted(facts)
  if facts.code ~= "25P02" then return nil end
  for span in facts:back "^sql" do
    if span.outcome ~= "" and not span.outcome:find "25P02" and span.outcome:find "%f[%w]%d[%dA-Z][%dA-Z][%dA-Z][%dA-Z]$" then
      return { ("an earlier statement of the transaction failed, and since then all are refused: %s → %s"):format(
        text.clip(span.detail, 80), span.outcome) }, "25P02"
    end
  end
  return { "an earlier statement of the transaction failed, and since then all are refused: look for the first "
    .. "one that did" }, "25P02"
end

local function locked(facts)
  if facts.code == "40P01" then
    return { "two transactions wait for rows of each other: let both touch tables and rows in the same order",
      facts.problem.error_detail and facts.problem.error_detail:gsub("\n", " ") }, "40P01"
  end
  if facts.code == "55P03" or facts.code == "57014" then
    return { "the statement waited for a lock that another session holds: a transaction that is open in this "
      .. "test, or in the server?",
      facts:holder() or "SELECT pid, state, query FROM pg_stat_activity WHERE pid = ANY(pg_blocking_pids(PID)) "
        .. "tells which" }, facts.code
  end
end

local function pool_empty(facts)
  if facts.code == "POOL" then
    local _, holders = facts.message:gsub("taken at", "")
    local where = facts.message:match "taken at (%S+)"
    local lines = { ("all connections of the pool are taken%s, and none was given back in time"):format(
      holders > 0 and (" (%d)"):format(holders) or "") }
    if where then lines[2] = ("look at %s: does it give back what it takes, also when it fails? `pool:with(fn)` "
      .. "always does"):format(where) end
    return lines, "pool " .. (where or "")
  end
  if facts.code == "53300" or facts:says "too many clients" or facts:says "too many connections" then
    return { "the server has no connection left: pools that are too large, or connections that nobody closes" }, "53300"
  end
end

local function logins(facts)
  if facts.code == "28P01" or facts.code == "28000" then
    return { "the database does not accept the user or the password: does the URL come from services.NAME.url?" }, "login"
  end
  if facts.code == "3D000" then return { "the server has no database of that name: who creates it?" }, "3D000" end
end

local over = { ended = true, stopped = true, failed = true }

-- The service that a connection was to, where it is no more: by the address that the message names, else the only one.
local function other_side(facts)
  for host, port in facts.message:gmatch "([%w.%-]+):(%d+)" do
    local service = facts:service_at(host, math.tointeger(tonumber(port)))
    if service then return over[service.state] and service or nil end
  end
  local found
  for _, service in ipairs(facts.services) do
    if over[service.state] then
      if found then return nil end
      found = service
    end
  end
  return found
end

local function gone(facts)
  local lost = facts.code == "57P01" or facts.code == "08006" or facts.code == "CLOSED" or facts.code == "EMPTY_REPLY"
    or facts.code == "ECONNRESET"
  if not lost then return nil end
  local service = other_side(facts)
  if service then
    local words = facts:last_words(service.name)
    return { ("the other side has ended: service %s: %s"):format(service.name, cause.state_of(service)),
      words and "its last words: " .. words or nil }, "gone " .. service.name
  end
  return { "the other side closed the connection while it was used: it crashed, was restarted, or ended the session" },
    "gone " .. tostring(facts.code)
end

local redis = {
  WRONGTYPE = "the key holds another kind of value: another test, or another part of the program, uses the same name",
  NOAUTH = "Redis wants a password: redis://:PASSWORD@host, or services.NAME.url",
  WRONGPASS = "Redis does not accept the password",
  OOM = "Redis is at its limit of memory (maxmemory) and may not drop anything",
  READONLY = "this Redis is a replica: writes belong to the primary",
  LOADING = "Redis has just been started and still reads its data",
  NOSCRIPT = "Redis does not know the script: it was restarted, or flushed",
  MOVED = "this is a cluster, and the key lives on another node",
  EXECABORT = "a command of the transaction was refused when it was queued: the first error says which",
}

local function redis_says(facts)
  local words = facts.kind == "redis" and redis[facts.code or ""]
  if not words then return nil end
  local command = facts.code == "WRONGTYPE" and facts:back "^redis$"() or nil
  return { words, command and "the command: " .. text.clip(command.detail, 100) or nil }, "redis " .. facts.code
end

-- The answer before a wait, where that was a refusal: then nothing was to come.
local function refusal_before(facts)
  local asked = facts.asked
  local status = asked and asked.data.response and tonumber(asked.data.response.status)
  return status and status >= 400 and ("%s %s was answered with %d, so nothing was "
    .. "announced"):format(asked.data.request.method,
    asked.data.request.url:match "^%a+://[^/]+([^?]*)" or "", status)
end

local function no_event(facts)
  if facts.code ~= "NO_EVENT" then return nil end
  local name = facts.message:match " on (%S+) within" or "it"
  local key = "event " .. name
  local refusal = refusal_before(facts)
  if refusal then return { refusal }, key end
  local came = facts.message:match "\n%s+(%d+) came:"
  if came then
    local path = facts.message:match "nearest[^\n]*\n[^\n]*\n%s+(%S+)%s+expected"
      or facts.message:match "nearest[^\n]*\n%s+(%S+)%s+expected"
    if path then
      return { ("it came, with another %s: see the nearest above"):format(path),
        "one of the two is wrong: what the test expects, or what was sent" },
        key
    end
    return { ("%s came on %s instead; none of them is what was waited for"):format(came == "1" and "1 event" or came
      .. " events", name) }, key
  end
  return { ("nothing at all was sent to %s: was the action before it done, and does the program send to that "
    .. "name?"):format(name),
    facts.asked and ("the last request was %s → %s"):format(facts.asked.detail, facts.asked.outcome) or nil }, key
end

return {
  duplicate_row, migration, no_relation, violated, aborted, locked, pool_empty, logins, redis_says, no_event, gone,
}
