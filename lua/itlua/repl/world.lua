--- What is there without being asked for: the modules, the services of itlua.lua and the connections of the profile, each
--- as a global that comes to be when it is first named.

local core = require "itlua.core"
local current_run = require "itlua.run"
local mask = require "itlua.mask"
local show = require "itlua.show"

---@class itlua.repl.World
---@field services? itlua.services.Plan
---@field connections table<string, string>
---@field made table<string, any>
local World = {}
World.__index = World

local world = {}

--- Modules by the names of their globals.
world.modules = {
  "capture", "container", "dns", "encode", "factory", "fake", "fixture", "fs", "http", "json", "jwt", "kafka", "migrate",
  "process", "redis", "server", "services", "sql", "task", "time", "yaml",
}

local is_module = {}
for _, name in ipairs(world.modules) do is_module[name] = true end

-- The host of the services, or the one that `itlua services up` has left.
local function start_host(self, say)
  local link = require "itlua.services.link"
  local socket, fingerprint = link.kept()
  if socket and fingerprint == link.fingerprint(self.services) then return socket end
  if socket then
    say "itlua.lua, or itlua itself, has changed since `itlua services up`: this session starts services of its own"
  end
  self.running = link.start(self.services)
  return self.running.socket
end

local function lazy_services(self, say)
  return setmetatable({ plan = self.services }, {
    __index = function(t, key)
      if key ~= "socket" then return nil end
      local silent = core.silence(true) -- how it comes to be is no part of the session's timeline
      local ok, socket = pcall(start_host, self, say)
      core.silence(silent)
      if not ok then error(socket, 0) end
      rawset(t, "socket", socket)
      return socket
    end,
  })
end

local function module_of(name)
  local ok, module = pcall(require, "itlua." .. name)
  if ok then return module end
  if not tostring(module):find("has no module", 1, true) then error(module, 0) end
end

--- What a name stands for, if it is one of ours.
---@param name any
---@return any
function World:find(name)
  local made = self.made[name]
  if made ~= nil or type(name) ~= "string" then return made end
  local reach = require "itlua.services.reach"
  if self.connections[name] then made = reach.url(name, self.connections[name])
  elseif self.services and self.services[name] then made = reach.service(name, self.tell)
  elseif name == "null" then made = core.null
  elseif is_module[name] then made = module_of(name) end
  self.made[name] = made
  return made
end

--- All names that `find` knows, in order.
---@return string[]
function World:names()
  local names = { null = true }
  for _, name in ipairs(world.modules) do names[name] = true end
  for name in pairs(self.services or {}) do names[name] = true end
  for name in pairs(self.connections) do names[name] = true end
  return show.keys(names)
end

--- Makes the globals.
---@param settings table     of config.load: services, connections
---@param say fun(text: string)     a line for the user
---@param tell? fun(reach: itlua.services.Reach, what: string)
---@return itlua.repl.World
function world.new(settings, say, tell)
  local self = setmetatable({
    services = settings.services, connections = settings.connections or {}, made = {}, tell = tell,
  }, World)
  for name, url in pairs(self.connections) do
    if not require("itlua.services.reach").can(url) then
      return nil, ("the connection '%s': nothing here talks to %s"):format(name, mask.text(tostring(url)))
    end
  end
  if self.services and not current_run.services then current_run.services = lazy_services(self, say) end
  return self
end

--- An environment that finds them behind what is there.
---@param env table
---@return table env
function World:install(env)
  local before = debug.getmetatable(env)
  if before then return env end -- somebody has plans of their own with it
  return setmetatable(env, { __index = function(_, name) return self:find(name) end })
end

--- Closes the connections.
function World:disconnect()
  local reach = require "itlua.services.reach"
  for _, value in pairs(self.made) do
    if reach.is(value) then reach.close(value) end
  end
end

--- Closes what was opened, ends what was started.
function World:close()
  self:disconnect()
  if self.running then self.running:close() end
end

return world
