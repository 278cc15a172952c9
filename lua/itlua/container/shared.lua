--- Networks and volumes of a test's own: made, handed to containers, removed with the test.

local closing = require "itlua.closing"
local core = require "itlua.core"
local encode = require "itlua.encode"
local owner = require "itlua.container.owner"
local plan = require "itlua.container.plan"

local shared = {}

local function class(what)
  local c = { __name = "itlua.container." .. what }
  c.__index = c
  function c:__tostring()
    return ("%s %s%s"):format(what, self.name, self.removed and " (removed)" or "")
  end

  --- All that the engine knows of it.
  function c:inspect()
    return self.engine:ask("GET", ("/%ss/%s"):format(what, self.name), tostring(self))
  end

  return c
end

local function labels_of(engine, options)
  local labels = owner.labels(engine)
  for name, value in pairs(options.labels or {}) do labels[name] = tostring(value) end
  return labels
end

local function made_up(what)
  return ("itlua-%s-%s"):format(what, encode.hex(encode.random(5)))
end

-- Removes it; the engine refuses while a container that is just being removed is still attached.
local function delete(self, what)
  local span = core.span("container", "remove " .. tostring(self))
  local may, tries = { [404] = true, [403] = true, [409] = true }, 0
  local r
  repeat
    tries = tries + 1
    if tries > 1 then core.sleep(0.05) end
    r = self.engine:call("DELETE", ("/%ss/%s"):format(what, self.name), "remove " .. tostring(self), { may = may })
  until r.status < 400 or r.status == 404 or tries >= 40
  core.span_end(span)
  if r.status == 403 or r.status == 409 then
    local ok, body = pcall(r.json, r)
    core.raise("container", "IN_USE", ("%s cannot be removed: %s"):format(tostring(self), ok and body.message or r.body))
  end
  self.removed = true
end

local function remove(self, what)
  if self.removed or self.attached then return end
  local scope = core.enter(10, true)
  local ok, err = pcall(delete, self, what)
  core.leave(scope)
  closing.done(self.lease)
  if not ok then error(err, 0) end
end

local function create(self, what, path, body)
  owner.protect(self.engine)
  self.lease = closing.add(tostring(self), 2, function() delete(self, what) end)
  local span = core.span("container", "create " .. tostring(self))
  local ok, result = pcall(self.engine.ask, self.engine, "POST", path, "create " .. tostring(self), { json = body })
  core.span_end(span)
  if ok then
    self.id = result.Id
    return self
  end
  if core.is_error(result) == "container" then closing.done(self.lease) end
  error(result, 0)
end

-- ---- networks

---@class itlua.container.Network
---@field name string
---@field id string
local Network = class "network"

--- Removes it. The containers in it have to be gone, or cut off.
function Network:remove()
  remove(self, "network")
end

Network.close, Network.__close = Network.remove, Network.remove

--- Connects a container, under names of its own.
---@param container itlua.container.Container
---@param options? { aliases?: string[] }
function Network:connect(container, options)
  container:connect(self, options)
end

--- Cuts a container off; its processes go on.
---@param container itlua.container.Container
function Network:disconnect(container)
  container:disconnect(self)
end

local NETWORK = { name = "string", driver = "string", internal = "boolean", labels = "table", options = "table" }

--- A network of the test's own, in which containers find each other by their aliases.
---@param engine itlua.container.Engine
---@param options? { name?: string, driver?: string, internal?: boolean, labels?: table, options?: table }   internal:
---without a way out
---@return itlua.container.Network
function shared.network(engine, options)
  options = options or {}
  plan.check(options, NETWORK, "container.network")
  local self = setmetatable({ engine = engine, name = options.name or made_up "network" }, Network)
  return create(self, "network", "/networks/create", {
    Name = self.name, CheckDuplicate = true, Driver = options.driver or "bridge", Internal = options.internal or false,
    Labels = labels_of(engine, options), Options = options.options,
  })
end

-- ---- volumes

---@class itlua.container.Volume
---@field name string
local Volume = class "volume"

--- Removes it and what is in it. The containers that mount it have to be gone.
function Volume:remove()
  remove(self, "volume")
end

Volume.close, Volume.__close = Volume.remove, Volume.remove

local VOLUME = { name = "string", driver = "string", labels = "table", options = "table" }

--- A volume of the test's own: for option `mounts` of several containers, or of one after the other.
---@param engine itlua.container.Engine
---@param options? { name?: string, driver?: string, labels?: table, options?: table }
---@return itlua.container.Volume
function shared.volume(engine, options)
  options = options or {}
  plan.check(options, VOLUME, "container.volume")
  local self = setmetatable({ engine = engine, name = options.name or made_up "volume" }, Volume)
  return create(self, "volume", "/volumes/create", {
    Name = self.name, Driver = options.driver, DriverOpts = options.options, Labels = labels_of(engine, options),
  })
end

return shared
