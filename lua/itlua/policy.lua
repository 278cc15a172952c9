--- What may not be done: under a read-only profile `itlua repl` refuses whatever changes something. Modules that talk to the
--- world ask here before anything is sent, `if policy.read_only then policy.http(…) end`, and before they connect,
--- `if policy.network then policy.network.check(…) end`.

local core = require "itlua.core"

local policy = {
  read_only = nil, ---@type string?   the profile that says so
  network = nil, ---@type table?      itlua.policy.network, where only declared hosts may be talked to
}

--- Raises: it would change something.
---@param kind string     of error: "http", "sql", "redis", "kafka"
---@param what string     "POST https://api.example/orders"
function policy.refuse(kind, what)
  what = require("itlua.mask").text(what)
  core.raise(kind, "READ_ONLY", ("%s was refused: the profile '%s' is read-only (itlua repl --write allows changes)"):format(
    what, policy.read_only))
end

-- ---- HTTP

local looks = { GET = true, HEAD = true, OPTIONS = true, TRACE = true }
local exempt = setmetatable({}, { __mode = "k" })

--- A client of ours that speaks to ourselves.
---@param client itlua.http.Client
function policy.exempt(client) exempt[client] = true end

---@param client itlua.http.Client
---@param method string
---@param address string
function policy.http(client, method, address)
  if not looks[method] and not exempt[client] then policy.refuse("http", method .. " " .. address) end
end

-- ---- SQL: the server is told with every statement that transactions are read-only; what is left is to see to it that the
-- statement itself does not say otherwise.

--- What has to be sent before a statement outside a transaction.
policy.sql_before = "SET default_transaction_read_only = on"

local function without_comments(text)
  return (text:gsub("/%*.-%*/", " "):gsub("%-%-[^\n]*", " "))
end

-- What PostgreSQL takes for reading although something changes, and what could do anything in a transaction of its own.
local working = {
  ["do"] = true, call = true, vacuum = true, analyze = true, cluster = true, reindex = true, checkpoint = true, notify = true,
  load = true,
}

local function works(plain)
  return working[plain:match "^[%s(]*(%a+)"] or plain:find "^%s*alter%s+system%f[%W]"
    or plain:find "^%s*copy%f[%W]" and plain:find "%f[%w]program%f[%W]"
end

---@param text string
function policy.sql(text)
  local plain = without_comments(text):lower()
  local shown = text:gsub("%s+", " ")
  if #shown > 80 then shown = shown:sub(1, 77) .. "..." end
  if works(plain) or plain:find "read%s+write" or plain:find "transaction_read_only" and not plain:find "^%s*show%s" then
    policy.refuse("sql", shown)
  end
  -- Several at once could end the transaction in between.
  if plain:gsub("'[^']*'", ""):find ";%s*%S" then policy.refuse("sql", "more than one statement at a time: " .. shown) end
end

-- ---- Redis: what is not marked as readonly by COMMAND INFO, and is not known to change nothing

local harmless = {}
for name in ([[PING ECHO SELECT AUTH HELLO INFO TIME MULTI EXEC DISCARD WATCH UNWATCH SUBSCRIBE PSUBSCRIBE UNSUBSCRIBE
  PUNSUBSCRIBE SSUBSCRIBE SUNSUBSCRIBE COMMAND RESET QUIT ROLE LASTSAVE READONLY WAIT PUBSUB LOLWUT]]):gmatch "%S+" do
  harmless[name] = true
end

local harmless_pairs = {
  CONFIG = "GET", CLIENT = "LIST INFO ID GETNAME SETNAME SETINFO TRACKINGINFO", MEMORY = "USAGE STATS DOCTOR",
  OBJECT = "ENCODING FREQ IDLETIME REFCOUNT HELP", XINFO = "STREAM GROUPS CONSUMERS", SLOWLOG = "GET LEN",
  LATENCY = "LATEST HISTORY DOCTOR GRAPH HISTOGRAM", ACL = "WHOAMI LIST USERS GETUSER CAT",
  CLUSTER = "INFO NODES SLOTS SHARDS KEYSLOT MYID COUNTKEYSINSLOT", SCRIPT = "EXISTS", FUNCTION = "LIST DUMP STATS",
  MODULE = "LIST",
}

local flags_of = setmetatable({}, { __mode = "k" })

-- The server's own word on a command: "readonly", "write", …
local function flags(connection, name)
  local known = flags_of[connection]
  if not known then
    known = {}
    flags_of[connection] = known
  end
  if known[name] == nil then
    local ok, reply = pcall(connection.call, connection, { "COMMAND", "INFO", name })
    local list = ok and type(reply) == "table" and type(reply[1]) == "table" and reply[1][3] or nil
    known[name] = false
    if type(list) == "table" then
      known[name] = {}
      for _, flag in ipairs(list) do known[name][tostring(flag)] = true end
    end
  end
  return known[name]
end

---@param connection userdata
---@param command any[]
function policy.redis(connection, command)
  local name = tostring(command[1]):upper()
  local second = harmless_pairs[name]
  if second then
    if (" " .. second .. " "):find(" " .. tostring(command[2] or ""):upper() .. " ", 1, true) then return end
  elseif harmless[name] then
    return
  else
    local found = flags(connection, name)
    if found and found.readonly and not found.write then return end
  end
  policy.refuse("redis", name .. (command[2] ~= nil and " " .. tostring(command[2]) or ""))
end

return policy
