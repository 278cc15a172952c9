--- The services of a run.

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
  io.stderr:write("itlua: itlua.lua has changed since `itlua services up`: this run starts services of its own\n")
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

return running
