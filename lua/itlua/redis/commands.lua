--- What is known of Redis' commands: which are of two words, which wait, which would take a connection for themselves.

local core = require "itlua.core"

local commands = {}

-- They hold their connection until something happens, so each runs on one of its own.
local blocking = {
  BLPOP = true, BRPOP = true, BLMOVE = true, BLMPOP = true, BRPOPLPUSH = true, BZPOPMIN = true, BZPOPMAX = true,
  BZMPOP = true, WAIT = true, WAITAOF = true,
}

local may_block = { XREAD = true, XREADGROUP = true } -- with BLOCK

--- Whether a command of this name may hold their connection until something happens.
---@param name string       in capitals
---@return boolean
function commands.may_wait(name)
  return (blocking[name] or may_block[name]) ~= nil
end

--- Whether this one may.
---@param name string       in capitals
---@param command any[]     all of it
---@return boolean
function commands.waits(name, command)
  if blocking[name] then return true end
  if not may_block[name] then return false end
  for _, word in ipairs(command) do
    if type(word) == "string" and word:upper() == "BLOCK" then return true end
  end
  return false
end

-- They change what a connection answers from then on: whoever waits for a reply would wait for good.
local refused = {
  SUBSCRIBE = "r:capture(channel) listens, on a connection of its own", MONITOR = "itlua.redis has no capture of it",
}
refused.PSUBSCRIBE, refused.SSUBSCRIBE = refused.SUBSCRIBE, refused.SUBSCRIBE
refused.UNSUBSCRIBE, refused.PUNSUBSCRIBE, refused.SUNSUBSCRIBE = refused.SUBSCRIBE, refused.SUBSCRIBE, refused.SUBSCRIBE
refused.SYNC, refused.PSYNC = refused.MONITOR, refused.MONITOR
refused["CLIENT REPLY"] = "itlua.redis waits for the reply of every command"

--- A usage error for a command that this client does not send.
---@param name string       in capitals
---@param second? any       the word behind it
function commands.check(name, second)
  if name == "CLIENT" and second then name = name .. " " .. tostring(second):upper() end
  if refused[name] then core.usage(("%s takes its connection for itself: %s"):format(name, refused[name])) end
end

local two_words = { CONFIG = true, CLIENT = true, CLUSTER = true, DEBUG = true, OBJECT = true, MEMORY = true, SCRIPT = true,
  XINFO = true, XGROUP = true, ACL = true, LATENCY = true, MODULE = true, PUBSUB = true, SLOWLOG = true, COMMAND = true,
  FUNCTION = true }

--- The words of the command that a method stands for: config_get is CONFIG GET.
---@param name string
---@return string first, string? second
function commands.words(name)
  local upper = name:upper()
  local first, second = upper:match("^(%u+)_([%u_]+)$")
  if first and two_words[first] then return first, (second:gsub("_", "-")) end -- CLIENT NO-EVICT
  return upper
end

return commands
