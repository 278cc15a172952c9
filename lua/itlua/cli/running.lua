--- The services of a run.

local core = require "itlua.core"

local running = {}

--- The process that runs the services of itlua.lua, or the one that `itlua services up` has left.
---@param settings table
---@param files itlua.cli.file[]
---@return itlua.services.Running?    to be closed after the run
function running.start(settings, files)
  if not settings.services or settings.list or #files == 0 then return nil end
  local link = require "itlua.services.link"
  local socket, fingerprint = link.kept()
  if not socket then return link.start(settings.services, settings.guard) end
  if fingerprint == link.fingerprint(settings.services) then
    return setmetatable({ socket = socket }, { __close = function() end }) -- they stay
  end
  io.stderr:write("itlua: itlua.lua, or itlua itself, has changed since `itlua services up`: this run starts services ",
    "of its own\n")
  return link.start(settings.services, settings.guard)
end

--- The same for several runs in one process: they stay for the next one, unless what itlua.lua says of them has changed.
---@param keeper { services?: itlua.services.Running }    where they are kept
---@param settings table
---@param files itlua.cli.file[]
---@return itlua.services.Running?    that closing leaves as it is
function running.keep(keeper, settings, files)
  if not settings.services or settings.list or #files == 0 then return nil end
  local fingerprint = require("itlua.services.link").fingerprint(settings.services)
  local there = keeper.services
  if there and (keeper.services_are ~= fingerprint or (there.process and not there.process:running())) then
    there:close()
    keeper.services = nil
  end
  if not keeper.services then
    local started = running.start(settings, files)
    if not started or not started.close then return started end -- those of `itlua services up`
    keeper.services, keeper.services_are = started, fingerprint
  end
  local kept = keeper.services
  return setmetatable({
    socket = kept.socket, started = function() return kept:started() end, news = function() return kept:news() end,
  }, { __close = function() end })
end

local MOST_LINES, MOST_BYTES, PATIENCE = 1000, 64 << 10, 3

local function log_of(host, name, since)
  local path = ("/services/%s/logs?since=%.3f&last=%d"):format(name:gsub("[^%w._~-]", function(c)
    return ("%%%02X"):format(c:byte())
  end), since, MOST_LINES)
  local ok, log = pcall(host.ask, host, "GET", path)
  if not ok or type(log) ~= "string" or log == "" then return nil end
  if #log > MOST_BYTES then log = ("[%d bytes left out]\n"):format(#log - MOST_BYTES) .. log:sub(-MOST_BYTES) end
  return log
end

--- Tells the reports that show it what the run's services printed while it ran, an event each.
---@param services? itlua.services.Running
---@param since number     seconds on the wall clock
---@param tell fun(ev: table)
function running.tell_logs(services, since, tell)
  local started = services and services.started and services:started()
  if not started then return end
  local host = require("itlua.services.link").to(services.socket)
  local scope = core.enter(PATIENCE, true)
  for line in started:gmatch "[^\n]+" do
    local name = line:match "^%S+"
    local log = name and log_of(host, name, since)
    if log then tell { ev = "output", service = name, text = log .. "\n" } end
  end
  core.leave(scope)
end

return running
