--- LISTEN: a capture of the notifications of one or more channels, from now on.

local capture = require "itlua.capture"
local core = require "itlua.core"
local show = require "itlua.show"

---@class itlua.sql.Notification: itlua.capture.Record
---@field channel string
---@field payload string
---@field value any         the payload decoded where it is JSON, else the payload
---@field process integer   of the server that sent it

local Source = { what = "sql" }
Source.__index = Source

function Source:receive()
  while true do
    local n = self.db.handle:notification()
    if n.channel == self.fence_channel then
      self.fenced = n.payload
      self.capture:advance()
    else
      n.value = capture.decode(n.payload)
      return n
    end
  end
end

function Source:progress()
  return { ("%s: %d notifications; those of a transaction come when it is committed"):format(self.name,
    self.capture.count + self.capture.passed) }
end

-- Notifications come in the order of their transactions' commits, whatever their channel: behind one that is sent now,
-- on a channel of this capture's own, there is none of an earlier transaction.
function Source:fence()
  self.fences = (self.fences or 0) + 1
  local marker = tostring(self.fences)
  self.db:query("SELECT pg_catalog.pg_notify($1, $2)", self.fence_channel, marker)
  self.capture:await(function() return self.fenced == marker end)
  return "up to a notification sent after all transactions that had been committed"
end

function Source:close()
  self.db:close()
end

local listen = {}

local function listen_to(channels)
  local statements = {}
  for i, channel in ipairs(channels) do
    if type(channel) ~= "string" then core.usage("listen needs the name of a channel, not " .. show.kind(channel)) end
    statements[i] = 'LISTEN "' .. channel:gsub('"', '""') .. '"'
  end
  return table.concat(statements, "; ")
end

--- Captures what is sent to a channel from now on, on a connection of its own, so that it comes also while this one is
--- busy or in a transaction. See itlua.capture.
---@param ... string|itlua.capture.Options     channels; options come last
---@return itlua.capture
function listen.open(self, ...)
  local channels = { ... }
  local options = type(channels[#channels]) == "table" and table.remove(channels) or nil
  if #channels == 0 then core.usage "listen needs a channel" end
  local statements = listen_to(channels)
  local db = self:clone()
  local source = setmetatable({ db = db, name = table.concat(channels, ", ") }, Source)
  source.fence_channel = ("itlua_fence_%d"):format(db:info().process)
  db:exec(statements .. "; " .. listen_to { source.fence_channel })
  return capture.new(source, options)
end

return listen
