--- Redis: every command as a method, pipelines, transactions, publications and streams as captures.

local core = require "itlua.redis.core"
local scheduler = require "itlua.core"
local dns = require "itlua.dns"
local address = require "itlua.redis.address"
local capture = require "itlua.redis.capture"
local commands = require "itlua.redis.commands"
local policy = require "itlua.policy"
local null = scheduler.null

local redis = { null = null, version = core.version, tls = core.tls }

---@class itlua.redis.client
---@field [string] fun(self: itlua.redis.client, ...: any): any     every command: r:get("key"), r:config_get("maxmemory")
---@field address string
---@field database integer
---@field private connection userdata
local Client = {}

local MAX_REPLY <const> = 5000000 -- elements: a gigabyte

-- Replies that are lists of names and values, and are tables to people.
local pairs_reply = { HGETALL = true, ["CONFIG GET"] = true, ["XINFO STREAM"] = true, ["MEMORY STATS"] = true }

local function to_pairs(list)
  local map = {}
  for i = 1, #list, 2 do map[list[i]] = list[i + 1] end
  return map
end

local function tls_of(options)
  if not options.tls then return nil end
  local tls = {}
  for key, value in pairs(options.tls == true and {} or options.tls) do tls[key] = value end
  tls.server_name = tls.server_name or options.host
  return tls
end

local function open(options)
  if options.path then return core.connect(options.path) end
  if policy.network then
    local host, port = options.host or "127.0.0.1", options.port or 6379
    policy.network.check("redis", host, port, ("redis %s:%d"):format(host, port))
  end
  local err
  for _, ip in ipairs(dns.resolve(options.host or "127.0.0.1")) do
    local ok, connection = pcall(core.connect, ip, options.port or 6379, tls_of(options))
    if ok then return connection end
    err = connection
  end
  error(err, 0)
end

local function login(connection, options)
  connection:limit(options.max_reply or MAX_REPLY)
  if options.password then
    connection:call(options.user and { "AUTH", options.user, options.password } or { "AUTH", options.password })
  end
  if options.database and options.database ~= 0 then connection:call { "SELECT", options.database } end
  if options.tls and not options.password then connection:call { "PING" } end -- what is wrong with TLS is said now
  return connection
end

--- Connects to Redis: by URL (`redis://user:password@host:port/database`, `unix:///path`) or by a table.
--- Raises an error of kind "redis" (code ECONNREFUSED, WRONGPASS, NOAUTH, …) or "dns".
---@param target? string|{ host?: string, port?: integer, path?: string, user?: string, password?: string,
--- database?: integer, timeout?: number, url?: string, tls?: boolean|{ ca?: string, ca_path?: string, cert?: string,
--- key?: string, server_name?: string, verify?: boolean }, max_reply?: integer } tls: with files' names, where hiredis has
--- TLS (redis.tls); max_reply: elements of a reply, 5,000,000: one with more is an error, TOO_LARGE, and ends the connection
---@return itlua.redis.client
function redis.connect(target)
  local options = type(target) == "string" and address.parse(target) or target or {}
  if type(options) ~= "table" then scheduler.usage("redis.connect needs a URL or a table, not a " .. type(options)) end
  if options.url then -- a URL, and what it cannot say
    local merged = address.parse(options.url)
    for key, value in pairs(options) do merged[key] = value end
    options, merged.url = merged, nil
  end
  for _, name in ipairs { "port", "database", "max_reply" } do
    if options[name] and not math.tointeger(options[name]) then
      scheduler.usage(("redis.connect: %s must be a whole number, not %s"):format(name, tostring(options[name])))
    end
  end
  local scope = scheduler.enter(options.timeout or 10)
  local ok, connection = pcall(function() return login(open(options), options) end)
  local expired = scheduler.leave(scope)
  if not ok then error(connection, 0) end
  if expired then scheduler.raise("timeout", nil, "Redis did not answer in time") end
  return setmetatable({
    connection = connection, options = options, database = options.database or 0, hashes = {},
    address = options.path or (options.host or "127.0.0.1") .. ":" .. (options.port or 6379),
  }, Client)
end

local function spread(list, value)
  if #value > 0 then return table.move(value, 1, #value, #list + 1, list) end
  for name, item in pairs(value) do
    list[#list + 1] = name
    list[#list + 1] = item
  end
end

local function spread_all(...)
  local given, list = table.pack(...), {}
  for i = 1, given.n do
    local value = given[i]
    local kind = type(value)
    if kind == "table" then
      spread(list, value)
    elseif kind == "boolean" then
      list[#list + 1] = value and "1" or "0"
    elseif value == nil then
      scheduler.usage(("argument %d of %s is nil"):format(i - 1, tostring(given[1])))
    else
      list[#list + 1] = value
    end
  end
  return list
end

-- The command as a list of strings and numbers: tables are spread. Nearly always it is one already.
local function flatten(...)
  local list = { ... }
  for i = 1, select("#", ...) do
    local kind = type(list[i])
    if kind ~= "string" and kind ~= "number" then return spread_all(...) end
  end
  return list
end

local function shaped(command, reply)
  if type(reply) ~= "table" then return reply end
  local name = tostring(command[1]):upper()
  if (pairs_reply[name] or pairs_reply[name .. " " .. tostring(command[2]):upper()]) then
    return to_pairs(reply)
  end
  return reply
end

-- MOVED and ASK: the key lives elsewhere, and the error says where.
local function explain(err)
  if type(err) == "table" and (err.code == "MOVED" or err.code == "ASK") then
    local slot, node = err.message:match("^%u+ (%d+) (%S+)")
    err.message = ("%s: the key belongs to slot %s on %s; connect to that node of the cluster"):format(err.message, slot, node)
    err.node = node
  end
  error(err, 0)
end

local function finish(command, ok, reply)
  if not ok then explain(reply) end
  return shaped(command, reply)
end

local function own_connection(self)
  local own = redis.connect(self.options)
  if self.database ~= own.database then own:select(self.database) end
  return own
end

--- Sends one command and returns its reply: integers, strings, arrays, nil (itlua.null inside an array). Tables among the
--- arguments are spread (lists in order, others as name and value).
--- Raises an error of kind "redis"; its code is the server's word (WRONGTYPE, NOSCRIPT, OOM, LOADING, MOVED, …).
---@param ... any
---@return any reply
function Client:call(...)
  local command = flatten(...)
  local name = tostring(command[1]):upper()
  commands.check(name, command[2])
  if policy.read_only then policy.redis(self.connection, command) end
  if commands.waits(name, command) then
    local own <close> = own_connection(self)
    return finish(command, pcall(own.connection.call, own.connection, command, true))
  end
  local reply = finish(command, pcall(self.connection.call, self.connection, command))
  if name == "SELECT" then self.database = tonumber(command[2]) end
  return reply
end

-- ---- several commands at once

local blocked = setmetatable({}, { __mode = "k" }) -- queues with a command that may wait for something to happen

-- What `fn` queues, in the protocol's words; how many commands, and whether one of them may wait.
local function queued(self, fn)
  if type(fn) ~= "function" then scheduler.usage("it needs a function(p) that queues commands, p:set(key, value)") end
  local queue <close> = core.queue()
  fn(queue)
  local text = core.text(queue)
  if policy.read_only then
    for _, command in ipairs(core.words(text)) do policy.redis(self.connection, command) end
  end
  return text, #queue, blocked[queue]
end

local function replies_of(text, replies)
  for i, command in ipairs(core.words(text)) do replies[i] = shaped(command, replies[i]) end
  return replies
end

--- Sends the commands that `fn(p)` queues (`p:set("a", 1)`) in one go and returns their replies. An error reply of one is an
--- error object in its place; the others have run.
---@param fn fun(p: table)
---@return any[] replies
function Client:pipeline(fn)
  local text, _, waiting = queued(self, fn)
  local own <close> = waiting and own_connection(self) or nil
  local replies, lists = (own or self).connection:pipeline(text)
  return lists and replies_of(text, replies) or replies
end

local function alone(name)
  local queue <close> = core.queue()
  queue[name](queue)
  return core.text(queue)
end

--- Runs the commands that `fn(t)` queues as one transaction (MULTI … EXEC) and returns their replies, or nil when a watched
--- key was changed by somebody else.
---@param fn fun(t: table)
---@return any[]|nil replies
function Client:multi(fn)
  local text, count = queued(self, fn)
  if count == 0 then return {} end
  local replies = self.connection:pipeline(alone "multi" .. text .. alone "exec")
  for i = 2, count + 1 do -- what was refused while queueing says more than EXECABORT
    if scheduler.is_error(replies[i]) then error(replies[i], 0) end
  end
  local result = replies[count + 2]
  if scheduler.is_error(result) then error(result, 0) end
  if result == null then return nil end
  return replies_of(text, result)
end

--- Watches the keys, calls `fn(client)`, which reads and then returns what `multi` returned; runs it again while somebody else
--- changes them, up to `tries` times (10).
---@param keys string|string[]
---@param fn fun(r: itlua.redis.client): any[]|nil
---@param tries? integer
---@return any[] replies
function Client:watch(keys, fn, tries)
  if type(fn) ~= "function" then scheduler.usage "watch needs the keys and a function(r) that returns what r:multi returned" end
  for _ = 1, tries or 10 do
    self:call("WATCH", keys)
    local ok, result = pcall(fn, self)
    if not ok then
      pcall(self.call, self, "UNWATCH")
      error(result, 0)
    end
    if result ~= nil then return result end
  end
  scheduler.raise("redis", "WATCH", ("the watched keys were changed by others in each of %d tries"):format(tries or 10))
end

--- Runs a Lua script on the server: by its hash, sent once.
---@param script string
---@param keys? string[]
---@param arguments? any[]
---@return any
function Client:script(script, keys, arguments)
  local hash = self.hashes[script]
  if not hash then
    hash = self:call("SCRIPT", "LOAD", script)
    self.hashes[script] = hash
  end
  local ok, result = pcall(self.call, self, "EVALSHA", hash, #(keys or {}), keys or {}, arguments or {})
  if not ok and type(result) == "table" and result.code == "NOSCRIPT" then
    self.hashes[script] = nil
    return self:call("EVAL", script, #(keys or {}), keys or {}, arguments or {})
  end
  if not ok then error(result, 0) end
  return result
end

-- ---- captures

--- Everything published on the channels from now on; see itlua.capture.
---@param ... string|itlua.capture.Options     channels; one with `*`, `?` or `[` is a pattern. Options come last
---@return itlua.capture
function Client:capture(...)
  local channels, options = capture.arguments(...)
  return capture.channels(redis.connect(self.options), channels, options)
end

--- Every entry added to the stream from now on; see itlua.capture.
---@param stream string
---@param options? itlua.capture.Options
---@return itlua.capture
function Client:capture_stream(stream, options)
  return capture.stream(own_connection(self), own_connection(self), stream, options)
end

-- ---- the rest

--- All keys that match, by SCAN.
---@param pattern? string
---@return string[]
function Client:keys_matching(pattern)
  local keys, cursor = {}, "0"
  repeat
    local reply = self:call("SCAN", cursor, "MATCH", pattern or "*", "COUNT", 1000)
    cursor = reply[1]
    for _, key in ipairs(reply[2]) do keys[#keys + 1] = key end
  until cursor == "0"
  table.sort(keys)
  return keys
end

--- The key's name under the prefix of isolate { by = "prefix" }.
---@param name string
---@return string
function Client:key(name)
  return (rawget(self, "prefix") or "") .. name
end

--- Isolates the tests of this file; see itlua.redis.isolation.
function Client:isolate(options)
  return require("itlua.redis.isolation").isolate(self, options)
end

function Client:close()
  self.connection:close()
end

Client.__close = Client.close

function Client:__tostring()
  return ("redis %s/%d%s"):format(self.address, self.database, self.connection:alive() and "" or " (closed)")
end

-- r:get("key"), r:config_get("maxmemory"): any command is a method; the first word of a name with `_` is the command.
function Client.__index(_, name)
  local method = Client[name]
  if method or type(name) ~= "string" then return method end
  local first, second = commands.words(name)
  method = second and function(self, ...) return self:call(first, second, ...) end
    or function(self, ...) return self:call(first, ...) end
  Client[name] = method
  return method
end

local function adder(name)
  commands.check(commands.words(name))
  local add, upper = core.adder(spread_all, commands.words(name)), name:upper()
  if not commands.may_wait(upper) then return add end
  return function(queue, ...)
    add(queue, ...)
    if commands.waits(upper, flatten(...)) then blocked[queue] = true end
    return queue
  end
end

-- p:call("set", key, value) is p:set(key, value)
local function queue_call(queue, name, ...)
  if type(name) ~= "string" or name == "" then scheduler.usage "a Redis command needs a name" end
  return queue[name](queue, ...)
end

core.Queue.__index = setmetatable({ call = queue_call }, { __index = function(methods, name)
  if type(name) ~= "string" then return nil end
  methods[name] = adder(name)
  return methods[name]
end })

-- ---- what a report tells of a command

local function in_short(reply)
  if reply == nil or reply == null then return "nil" end
  if type(reply) == "string" then return #reply <= 40 and reply or ("%d B"):format(#reply) end
  if type(reply) ~= "table" then return tostring(reply) end
  return #reply == 1 and "1 element" or #reply .. " elements"
end

require("itlua.evidence").describe("redis", function(kept, span)
  local queue = type(kept[2]) == "string" and core.words(kept[2]) or nil
  if span.outcome == "" and (kept.result ~= nil or not queue) then span.outcome = in_short(kept.result) end
  if not queue then return { command = kept[2], reply = kept.result } end
  return { commands = queue, replies = kept.result }
end)

return redis
