--- What the session's connections are up to, for after an interrupt: a statement that was cancelled may have left its mark.

local show = require "itlua.show"

local links = {}

-- A word on a connection of the user's own, nil where it is none.
local function state_of(value)
  local mt = type(value) == "table" and debug.getmetatable(value)
  if not mt then return nil end
  local ok, state = pcall(function()
    if rawget(mt, "__name") == "itlua.sql.connection" then
      local state = value:state()
      if state == "draining" then return "the server is ending the statement" end
      local status = state == "idle" and value:transaction_status() or "none"
      return status == "none" and state or ("%s, transaction %s"):format(state, status)
    end
    if rawget(mt, "capture_stream") then return value.connection:alive() and "connected" or "lost" end
  end)
  return ok and state or nil
end

--- A line of all connections, nil where there are none.
---@param talk itlua.repl.Talk
---@return string?
function links.line(talk)
  local reach = require "itlua.services.reach"
  local parts = {}
  for name, value in pairs(talk.world.made) do
    if reach.is(value) then
      local open, state = reach.peek(value)
      if open then parts[name] = state_of(open) or state end
    end
  end
  for name, value in next, talk.session.env do
    if type(name) == "string" and name ~= "_" then parts[name] = state_of(value) or parts[name] end
  end
  local words = {}
  for _, name in ipairs(show.keys(parts)) do
    local state = parts[name]
    local again = (state == "lost" or state == "closed") and talk.world.made[name] and ": connects again when it is used" or ""
    words[#words + 1] = ("%s %s%s"):format(name, state, again)
  end
  return words[1] and table.concat(words, " · ") or nil
end

return links
