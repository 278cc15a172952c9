--- Names that only a server or the disk knows: tables and columns, Redis keys and channels, topics, files.

local core = require "itlua.core"
local reach = require "itlua.services.reach"

local far = {}

local KEYS = 500 -- of Redis that are looked at
local FRESH = 20 -- seconds that the tables and columns of a database are remembered

-- ---- methods that a metatable does not list

local known = {
  ["itlua.http.response"] = {
    methods = { "json", "check", "cookie", "as_curl", "chunks", "lines" },
    fields = {
      "status", "reason", "ok", "headers", "body", "url", "method", "version", "content_type", "timings", "history",
    },
  },
  ["itlua.service"] = {
    methods = { "start", "stop", "restart", "signal", "pause", "resume", "logs", "status", "available" },
    fields = { "url", "host", "port" },
  },
}

--- Adds what things of that type have.
---@param names table<string, boolean>
---@param kind string
---@param methods_only? boolean
function far.add_known(names, kind, methods_only)
  local of = known[kind]
  if not of then return end
  for _, name in ipairs(of.methods) do names[name] = true end
  for _, name in ipairs(methods_only and {} or of.fields) do names[name] = true end
end

-- The methods of what a connection will be, before there is one.
local stand_ins = {
  postgres = function() return require "itlua.sql.connection" end,
  redis = function()
    local names = {}
    for name in ("append decr del exists expire flushdb get getset hdel hget hgetall hkeys hset incr keys lindex llen lpop " ..
      "lpush lrange mget mset persist ping publish rpush sadd scard set setex sismember smembers srem ttl type xadd xlen " ..
      "xrange zadd zcard zrange zscore call pipeline multi watch script capture capture_stream keys_matching"):gmatch "%S+" do
      names[name] = true
    end
    return names
  end,
  http = function()
    local names = {}
    for name in ("get head post put patch delete options request events graphql burst as_curl cookies cookie with")
      :gmatch "%S+" do
      names[name] = true
    end
    return names
  end,
}
stand_ins.postgresql, stand_ins.rediss, stand_ins.https, stand_ins.process = stand_ins.postgres, stand_ins.redis,
  stand_ins.http, stand_ins.http

function far.stand_in(value)
  local service, target = rawget(value, "service"), rawget(value, "target")
  local kind = service and rawget(service, "kind") or target and target:match "^(%a[%w+.-]*)://"
  local make = stand_ins[kind or ""]
  return make and make() or nil
end

-- ---- files

---@param prefix string
---@return table<string, boolean>
function far.files(prefix)
  local system = require "itlua.cli.core"
  local folder, names = prefix:match "^(.*/)" or "", {}
  local path = folder == "" and "." or folder:gsub("^~/", (os.getenv "HOME" or "~") .. "/")
  for _, name in ipairs(system.scan(path) or {}) do
    if name:sub(1, 1) ~= "." or prefix:sub(#folder + 1, #folder + 1) == "." then names[folder .. name] = true end
  end
  return names
end

-- ---- databases

local words = {
  "SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "NULL", "ORDER BY", "GROUP BY", "HAVING", "LIMIT", "OFFSET", "JOIN", "LEFT",
  "INNER", "ON", "AS", "IN", "LIKE", "BETWEEN", "INSERT INTO", "VALUES", "UPDATE", "SET", "DELETE FROM", "RETURNING", "COUNT",
  "DISTINCT", "UNION", "WITH", "CASE", "WHEN", "THEN", "ELSE", "END", "CREATE TABLE", "BEGIN", "COMMIT", "ROLLBACK",
}

local catalogs = setmetatable({}, { __mode = "k" })

local CATALOG = [[
  SELECT table_schema AS schema, table_name AS name, column_name AS "column" FROM information_schema.columns
  WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2, ordinal_position LIMIT 20000
]]

local function catalog_of(db)
  local catalog = catalogs[db]
  if catalog and core.now() - catalog.at < FRESH then return catalog end
  -- In a transaction that has failed nothing can be asked.
  if db.transaction_status and db:transaction_status() == "failed" then return catalog or { tables = {} } end
  catalog = { tables = {}, at = core.now() }
  local silent = core.silence(true)
  local ok, rows = pcall(db.query, db, CATALOG)
  core.silence(silent)
  for _, row in ipairs(ok and rows or {}) do
    local name = row.schema == "public" and row.name or row.schema .. "." .. row.name
    local columns = catalog.tables[name] or {}
    columns[#columns + 1] = row.column
    catalog.tables[name] = columns
  end
  catalogs[db] = catalog
  return catalog
end

local function of_statement(db, statement, behind)
  local names, tables = {}, catalog_of(db).tables
  local prefix = statement:match "([%w_.]*)$"
  local qualifier, rest = prefix:match "^(.*)%.([%w_]*)$"
  if qualifier and tables[qualifier] then -- orders.to
    for _, column in ipairs(tables[qualifier]) do names[column] = true end
    return names, rest
  end
  local whole = statement .. behind -- SELECT o.id FROM orders o
  local pattern = qualifier and "([%w_.]+)%s+[aA]?[sS]?%s*" .. qualifier:gsub("%p", "%%%0") .. "%f[^%w_]"
  for aliased in whole:gmatch(pattern or "^$") do
    for _, column in ipairs(tables[aliased] or {}) do names[column] = true end
    if tables[aliased] then return names, rest end
  end
  local before = statement:sub(1, #statement - #prefix):upper()
  for name in pairs(tables) do names[name] = true end
  if before:find "FROM%s+$" or before:find "JOIN%s+$" or before:find "INTO%s+$" or before:find "UPDATE%s+$" then
    return names, prefix
  end
  local mentioned = false
  for name, columns in pairs(tables) do -- columns of the tables that are named; of all where none is
    if whole:find("%f[%w_]" .. name:gsub("%p", "%%%0") .. "%f[^%w_]") then
      mentioned = true
      for _, column in ipairs(columns) do names[column] = true end
    end
  end
  if not mentioned then
    for _, columns in pairs(tables) do
      for _, column in ipairs(columns) do names[column] = true end
    end
  end
  if prefix:find "%l" then
    for _, word in ipairs(words) do names[word:lower()] = true end
  else
    for _, word in ipairs(words) do names[word] = true end
  end
  return names, prefix
end

-- ---- Redis

local function keys_of(client, prefix)
  local names, cursor, seen = {}, "0", 0
  local silent = core.silence(true)
  local pattern = prefix:gsub("[%[%]*?\\]", "\\%0") .. "*"
  local ok = pcall(function()
    repeat
      local reply = client:call("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
      cursor = reply[1]
      for _, key in ipairs(reply[2]) do
        if utf8.len(key) then names[key], seen = true, seen + 1 end
      end
    until cursor == "0" or seen >= KEYS
  end)
  core.silence(silent)
  return ok and names or {}
end

local function channels_of(client)
  local names = {}
  local ok, list = pcall(client.call, client, "PUBSUB", "CHANNELS")
  for _, name in ipairs(ok and list or {}) do names[name] = true end
  return names
end

-- ---- Kafka

local function topics_of(bus)
  local names = {}
  local ok, list = pcall(function() return bus:topics() end)
  for key, value in pairs(ok and type(list) == "table" and list or {}) do
    local name = type(value) == "table" and (value.name or value.topic) or type(key) == "string" and key or value
    if type(name) == "string" then names[name] = true end
  end
  return names
end

local topic_methods = { capture = true, publish = true, publish_all = true, codec = true, check = true, delete_topic = true,
  topic = true, describe_topic = true, has_topic = true, add_partitions = true, group_lag = true }

--- What can stand in a string that is given to a method of the value.
---@param target any
---@param method? string
---@param content string     of the string up to the cursor
---@param behind string      and behind it
---@return table<string, boolean>? names    nil: nothing is known
---@return string? prefix
---@return boolean? ends     it is all of the string
function far.of_string(target, method, content, behind)
  if target == nil or not method then return nil end
  local open = target
  if reach.is(target) then open = reach.connection(target) end
  if type(open) ~= "table" then return nil end
  if open.is_sql_database == true then
    if method == "copy_in" or method == "copy_out" or method == "identifier" then
      return catalog_of(open).tables, content, true
    end
    return of_statement(open, content, behind)
  end
  local mt = debug.getmetatable(open)
  if rawget(open, "connection") and mt and rawget(mt, "capture_stream") then
    if method == "capture" or method == "publish" or method == "subscribe" then return channels_of(open), content, true end
    return keys_of(open, content), content, true
  end
  if topic_methods[method] and type(open.topics) == "function" then return topics_of(open), content, true end
end

return far
