--- LISTEN: a capture of the notifications of one or more channels, from now on.

local core = require "itlua.core"
local diff = require "itlua.diff"
local json = require "itlua.json"
local show = require "itlua.show"

---@class itlua.sql.Notification
---@field channel string
---@field payload string
---@field value any         the payload decoded where it is JSON, else the payload
---@field process integer   of the server that sent it
---@field at number         when it came, in seconds of task time

---@class itlua.sql.Capture
---@field received itlua.sql.Notification[]     everything so far
local Capture = { __name = "itlua.sql.capture" }
Capture.__index = Capture

local function decoded(payload)
  if not payload:find "^%s*[%[{\"%d%-tfn]" then return payload end
  local ok, value = pcall(json.decode, payload)
  if ok then return value end
  return payload
end

local function add(self, n)
  n.value, n.at = decoded(n.payload), core.now()
  self.received[#self.received + 1] = n
  return n
end

-- What has arrived and was not read yet.
local function gather(self)
  local handle = self.db.handle
  for _ = 1, handle:notified() do add(self, handle:notification()) end
end

local function fits(n, match)
  if match == nil then return true end
  if type(match) == "function" then return match(n) and true or false end
  if type(match) == "table" then return #diff.partial(match, n.value).entries == 0 end
  return n.payload == match or n.value == match
end

local function report(self, match, seconds)
  local wanted = match == nil and "" or " that matches " .. (type(match) == "function" and "" or show.value(match, 200))
  local lines = { ("no notification%s on %s within %.3g s"):format(wanted, self.channels, seconds) }
  local n = #self.received
  if n == 0 then
    lines[#lines + 1] = "  there was none at all"
  else
    lines[#lines + 1] = ("  there %s:"):format(n == 1 and "was one" or "were " .. n)
    for i = math.max(1, n - 9), n do
      local one = self.received[i]
      lines[#lines + 1] = ("    %s: %s"):format(one.channel, show.value(one.payload, 200))
    end
  end
  return table.concat(lines, "\n")
end

--- Waits for a notification that was not taken by an earlier wait_for, and returns it.
---@param match? table|string|number|fun(n: itlua.sql.Notification): boolean     what its JSON has to contain, its
---    payload, or a function; any if nil
---@param options? { timeout?: number } seconds, 5
---@return itlua.sql.Notification
function Capture:wait_for(match, options)
  local timeout = options and options.timeout or 5
  local started, at = core.now(), 1
  while true do
    gather(self)
    for i = at, #self.received do
      local n = self.received[i]
      if not self.taken[n] and fits(n, match) then
        self.taken[n] = true
        return n
      end
    end
    at = #self.received + 1
    local left = timeout - (core.now() - started)
    local n
    if left > 0 then
      local scope = core.enter(left)
      local ok, result = pcall(self.db.handle.notification, self.db.handle)
      local expired = core.leave(scope)
      if not ok and not expired then error(result, 0) end
      n = ok and result
    end
    if not n then
      core.raise("timeout", "NOTIFICATION", report(self, match, timeout), { op = "sql.notification" })
    end
    add(self, n)
  end
end

--- Everything received so far.
---@return itlua.sql.Notification[]
function Capture:all()
  gather(self)
  return self.received
end

--- Forgets what was received so far.
function Capture:clear()
  gather(self)
  self.received, self.taken = {}, {}
end

--- Ends it.
function Capture:close()
  self.db:close()
end

Capture.__close = Capture.close

function Capture:__tostring()
  return ("capture of %s, %s"):format(self.channels, tostring(self.db))
end

local listen = {}

--- Captures what is sent to a channel from now on, on a connection of its own, so that it comes also while this one is
--- busy or in a transaction.
---@param ... string     channels
---@return itlua.sql.Capture
function listen.open(self, ...)
  local channels = { ... }
  if #channels == 0 then core.usage "listen needs a channel" end
  local statements = {}
  for i, channel in ipairs(channels) do
    if type(channel) ~= "string" then core.usage("listen needs the name of a channel, not " .. show.kind(channel)) end
    statements[i] = 'LISTEN "' .. channel:gsub('"', '""') .. '"'
  end
  local db = self:clone()
  db:exec(table.concat(statements, "; "))
  return setmetatable({ db = db, channels = table.concat(channels, ", "), received = {}, taken = {} }, Capture)
end

return listen
