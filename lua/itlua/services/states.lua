--- The services of itlua.lua as they are now, for failures: which of them would listen where nobody does.

local core = require "itlua.core"
local evidence = require "itlua.evidence"
local json = require "itlua.json"
local mask = require "itlua.mask"

local states = {}

local BUDGET <const> = 1 -- seconds

local function all(link)
  local list = {}
  for i, service in ipairs(link:ask("GET", "/services").services) do
    local where = service.where or {}
    list[i] = {
      name = service.name, kind = service.kind, state = service.state, exit = service.exit, signal = service.signal,
      host = where.host, port = where.port, url = type(where.url) == "string" and mask.text(where.url) or nil,
    }
  end
  return json.encode(list)
end

--- Offers them to every failure of this state.
---@param socket string     of the host
function states.offer(socket)
  local link
  evidence.offer("services", function()
    link = link or require("itlua.services.link").to(socket)
    local scope = core.enter(BUDGET, true) -- also when the test's time is over
    local ok, text = pcall(all, link)
    core.leave(scope)
    return ok and text or nil
  end)
end

return states
