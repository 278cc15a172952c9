--- Isolation on a shared Redis: a database number of the file's own, or keys under a prefix of its own; empty for every test.

local closing = require "itlua.closing"
local core = require "itlua.core"
local encode = require "itlua.encode"
local run = require "itlua.run"

local isolation = {}

local CLAIM, SECONDS = "itlua:database:", 600

local function databases(client)
  local ok, reply = pcall(client.config_get, client, "databases")
  return ok and tonumber(reply.databases) or 16
end

-- A number nobody else has: a key in database 0 says whose it is. A run that died lets go after ten minutes.
local function claim(client)
  local token, count = encode.hex(encode.random(8)), databases(client)
  for number = 1, count - 1 do
    if client:set(CLAIM .. number, token, "NX", "EX", SECONDS) then return number, token end
  end
  core.raise("redis", "NO_DATABASE", ("all %d databases of %s are in use by other files; isolate by \"prefix\" instead"):format(
    count - 1, client.address))
end

local function audit(client, names, lines)
  for i, name in ipairs(names) do
    if i > 10 then
      lines[#lines + 1] = ("and %d more keys"):format(#names - 10)
      break
    end
    lines[#lines + 1] = ("key %s (%s)"):format(name, client:type(name))
  end
  return lines
end

-- A transaction that the test has left open is given up, or all that follows would only be queued.
local function end_transaction(client)
  local there, said = pcall(client.ping, client) -- the test may have lost the connection
  if not there or said ~= "QUEUED" then return {} end
  client:discard()
  return { "a transaction that is open" }
end

-- The handle has another connection where its own is gone: the server was restarted, or somebody has closed it.
local function revive(client)
  if client.connection:alive() then return false end
  client.connection = require("itlua.redis").connect(client.options).connection
  return true
end

-- The file keeps its number, however long it takes.
local function renew(client, number, token)
  client:select(0)
  if client:get(CLAIM .. number) ~= token then
    core.raise("redis", "NO_DATABASE", ("database %d of %s was given to somebody else, as this file stood still for %d s")
      :format(number, client.address, SECONDS))
  end
  client:expire(CLAIM .. number, SECONDS)
end

local function by_database(client, options)
  client:select(0)
  local number, token = claim(client)
  local renewed = core.now()
  client:select(number)
  client:flushdb()
  run.before_test(function()
    local there, anew = pcall(revive, client)
    if not there then return end -- told by the test, if it needs it
    if anew and client:select(0) and client:get(CLAIM .. number) ~= token then -- it has forgotten who has which
      number, token = claim(client)
      renewed = core.now()
    elseif core.now() - renewed > SECONDS / 10 then
      renew(client, number, token)
      renewed = core.now()
    end
    client:select(number) -- a test may have selected another
    client:flushdb()
  end)
  run.after_test(function()
    local lines = end_transaction(client)
    return options.audit and client.connection:alive() and audit(client, client:keys_matching "*", lines) or nil
  end)
  closing.at_end(("Redis database %d of %s: give back"):format(number, client.address), function()
    if not pcall(revive, client) then return end -- with the server it is gone
    client:select(0)
    if client:get(CLAIM .. number) ~= token then return end
    client:select(number)
    client:flushdb()
    client:select(0)
    client:del(CLAIM .. number)
  end)
  return client
end

local function own_keys(client)
  return client:keys_matching(client.prefix:gsub("[%[%]*?\\]", "\\%0") .. "*")
end

local function remove(client)
  local names = own_keys(client)
  for i = 1, #names, 1000 do client:del(table.move(names, i, math.min(i + 999, #names), 1, {})) end
  return names
end

local function by_prefix(client, options)
  client.prefix = options.prefix or ("itlua:%s:"):format(encode.hex(encode.random(5)))
  run.before_test(function() pcall(revive, client) end)
  run.after_test(function()
    local lines = end_transaction(client)
    if not pcall(revive, client) then return end -- with the server it is gone
    if options.audit then audit(client, own_keys(client), lines) end
    remove(client)
    return options.audit and lines or nil
  end)
  return client
end

local ways = { database = by_database, prefix = by_prefix }

--- Isolates the tests of this file from others on the same server.
---  by = "database"   a database number of its own, flushed before each test
---  by = "prefix"     keys named by r:key("name") begin with `r.prefix`; they are removed after each test
---@param client itlua.redis.client
---@param options { by: "database"|"prefix", prefix?: string, audit?: boolean }
---@return itlua.redis.client client
function isolation.isolate(client, options)
  local way = type(options) == "table" and ways[options.by]
  if not way then core.usage 'isolate needs { by = "database" | "prefix" }' end
  return way(client, { by = options.by, prefix = options.prefix, audit = options.audit or run.audit })
end

return isolation
