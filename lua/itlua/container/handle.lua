--- A container that runs: what one does with it.

local closing = require "itlua.closing"
local core = require "itlua.core"
local policy = require "itlua.policy"
local story = require "itlua.container.story"

---@class itlua.container.Container
---@field id string
---@field name string
---@field image string
---@field host string      where its published ports are: "127.0.0.1"
---@field engine itlua.container.Engine
local Container = {}
Container.__index = Container
Container.__name = "itlua.container"

--- A handle of a container that is there.
---@param engine itlua.container.Engine
---@param fields table    id, name, image, and perhaps condition, lease, attached
function Container.new(engine, fields)
  fields.engine = engine
  fields.host = fields.host or engine:published_host()
  return setmetatable(fields, Container)
end

--- "redis:7-alpine (itlua-1f3a)": for messages.
function Container:label()
  return ("%s (%s)"):format(self.image, self.name)
end

function Container:__tostring()
  return ("container %s%s"):format(self:label(), self.removed and " (removed)" or "")
end

-- Of the API, with this container's id.
function Container:_path(rest)
  if self.removed then
    core.usage(("%s was removed%s"):format(self:label(), self.removed == "ended" and
      " by the engine when it ended: that is what option 'guard' = true means" or ""))
  end
  return "/containers/" .. (self.id or self.name) .. (rest or "")
end

-- A request about this container. What it does is a line of the timeline where `what` says so.
function Container:_call(method, rest, what, options)
  local span = core.span("container", ("%s %s"):format(what, self:label()))
  local ok, r = pcall(self.engine.call, self.engine, method, self:_path(rest), ("%s: %s"):format(self:label(), what),
    options)
  core.span_end(span, not ok and tostring(core.is_error(r) and r.code or "failed") or nil)
  if not ok then error(r, 0) end
  return r
end

-- ---- what it is

--- All that the engine knows of it (GET /containers/…/json), now.
---@return table
function Container:inspect()
  self._info = self.engine:ask("GET", self:_path("/json"), self:label() .. ": inspect")
  return self._info
end

-- The same, as it was when last asked.
function Container:_known()
  return self._info or self:inspect()
end

--- "running", "exited", "paused", "created", …
---@return string
function Container:status()
  return self:inspect().State.Status
end

---@return boolean
function Container:running()
  local state = self:inspect().State
  return state.Running == true and not state.Paused
end

--- "healthy", "unhealthy", "starting", or "none" where it has no health check.
---@return string
function Container:health()
  self:_check_health()
  local health = self:inspect().State.Health
  return type(health) == "table" and health.Status ~= "" and health.Status or "none"
end

-- Podman leaves its health checks to timers of systemd: where there is none they run when somebody asks for it.
function Container:_check_health()
  if not self.engine.podman then return end
  self.engine:call("GET", "/libpod" .. self:_path "/healthcheck", self:label() .. ": health check",
    { may = { [404] = true, [409] = true, [500] = true } })
end

local function port_key(port)
  local text = tostring(port)
  return text:find "/" and text or text .. "/tcp"
end

local function first_published(self)
  local keys = {}
  for key in pairs(self:_known().NetworkSettings.Ports or {}) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tonumber(a:match "%d+") < tonumber(b:match "%d+") end)
  if #keys == 1 then return keys[1] end
  core.usage(("%s has %d published ports%s: which one?"):format(self:label(), #keys, #keys > 0 and " (" ..
    table.concat(keys, ", ") .. ")" or ""))
end

--- The port of this machine that a port of the container is published on. It changes when the container is started
--- again.
---@param port? integer|string   6379, "53/udp"; may be left out where there is one
---@return integer
function Container:port(port)
  local key = port and port_key(port) or first_published(self)
  local info = self:_known()
  if info.HostConfig.NetworkMode == "host" then return math.tointeger(tonumber(key:match "%d+")) end
  local function find()
    local bindings = (info.NetworkSettings.Ports or {})[key]
    return type(bindings) == "table" and bindings[1] and tonumber(bindings[1].HostPort)
  end
  local found = find()
  if not found then -- the engine may just be publishing it
    info = self:inspect()
    found = find()
  end
  if found then
    if policy.network then policy.network.add(self.host, found) end
    return found
  end
  local published = {}
  for name, bindings in pairs(info.NetworkSettings.Ports or {}) do
    if type(bindings) == "table" and bindings[1] then published[#published + 1] = name end
  end
  table.sort(published)
  local why = not info.State.Running and "it does not run" or #published > 0 and "published are " ..
    table.concat(published, ", ") or "none is published (option 'ports' of container.run)"
  return core.raise("container", "PORT", ("%s does not publish port %s: %s"):format(self:label(), key, why))
end

--- "127.0.0.1:32768".
---@param port? integer|string
---@return string
function Container:address(port)
  return ("%s:%d"):format(self.host, self:port(port))
end

--- "http://127.0.0.1:32768".
---@param port? integer|string
---@param scheme? string      "http"
---@return string
function Container:url(port, scheme)
  return ("%s://%s"):format(scheme or "http", self:address(port))
end

--- Its own address in a network: for other containers, and on Linux for this machine.
---@param network? string|table   the first one
---@return string?
function Container:ip(network)
  local name = type(network) == "table" and network.name or network
  for key, settings in pairs(self:_known().NetworkSettings.Networks or {}) do
    if (not name or key == name) and type(settings.IPAddress) == "string" and settings.IPAddress ~= "" then
      return settings.IPAddress
    end
  end
end

-- ---- its life

local function changed(self)
  self._info = nil
end

-- One that the engine removes as soon as it ends.
local function ended(self)
  if not self.passing then return end
  pcall(self.engine.call, self.engine, "POST", self:_path "/wait", "wait for its removal",
    { query = { condition = "removed" }, timeout = 10 })
  self.removed = "ended"
  if self.lease then closing.done(self.lease) end
end

-- Once more ready, as at its first start.
local function ready_again(self, options)
  if options and options.wait == false then return end
  if self.condition then self:wait_for(self.condition, { timeout = self.startup_timeout }) end
end

--- Starts it again after stop or kill, and waits until it is ready as at first.
---@param options? { wait?: boolean }
function Container:start(options)
  self:_call("POST", "/start", "start")
  changed(self)
  self.restarted = true
  ready_again(self, options)
end

--- Asks it to end, and kills it after the timeout.
---@param options? { timeout?: number }   seconds, 10
function Container:stop(options)
  local timeout = options and options.timeout
  self:_call("POST", "/stop", "stop", { query = { t = timeout and math.ceil(timeout) }, timeout = false })
  changed(self)
  ended(self)
end

--- stop and start; ready again when it returns.
---@param options? { timeout?: number, wait?: boolean }
function Container:restart(options)
  local timeout = options and options.timeout
  self:_call("POST", "/restart", "restart", { query = { t = timeout and math.ceil(timeout) }, timeout = false })
  changed(self)
  self.restarted = true
  ready_again(self, options)
end

--- Sends its first process a signal.
---@param signal? string   "KILL"
function Container:kill(signal)
  self:_call("POST", "/kill", "kill", { query = { signal = signal or "KILL" } })
  if signal == nil or signal:upper():gsub("^SIG", "") == "KILL" then
    self:wait_exit { timeout = 30 }
    ended(self)
  end
  changed(self)
end

--- Freezes all its processes: connections stay, nothing answers.
function Container:pause()
  self:_call("POST", "/pause", "pause")
  changed(self)
end

--- Lets them go on.
function Container:unpause()
  self:_call("POST", "/unpause", "unpause")
  changed(self)
end

--- Waits until it has ended.
---@param options? { timeout?: number }   seconds; as long as it takes
---@return { code: integer, oom: boolean, error: string }
function Container:wait_exit(options)
  local timeout = options and options.timeout
  local ok, r = pcall(self._call, self, "POST", "/wait", "wait for its end", { timeout = timeout or false })
  if not ok then
    if core.is_error(r) == "timeout" and r.code then
      core.raise("timeout", "CONTAINER", ("%s has not ended within %.6g s"):format(self:label(), timeout))
    end
    error(r, 0)
  end
  local exit = r:json()
  changed(self)
  local there, info = pcall(self.inspect, self) -- one that removes itself is gone
  return {
    code = exit.StatusCode, oom = there and info.State.OOMKilled or false,
    error = there and info.State.Error or "",
  }
end

--- Waits for a condition of container.wait; see itlua.container.wait.
---@param condition table
---@param options? { timeout?: number }   seconds, 60
function Container:wait_for(condition, options)
  require "itlua.container.wait".until_ready(self, condition, options and options.timeout or 60)
end

local function gone(self)
  for _ = 1, 500 do
    local r = self.engine:call("GET", "/containers/" .. (self.id or self.name) .. "/json", self:label() .. ": remove",
      { may = { [404] = true } })
    if r.status == 404 then return end
    core.sleep(0.02)
  end
end

-- Removes it, whatever the handle says of it.
function Container:_delete()
  local span = core.span("container", "remove " .. self:label())
  local ok, r = pcall(self.engine.call, self.engine, "DELETE", "/containers/" .. (self.id or self.name),
    self:label() .. ": remove", { query = { force = "true", v = "true" }, may = { [404] = true, [409] = true } })
  if ok and r.status == 409 then gone(self) end -- somebody else removes it
  core.span_end(span)
  if not ok then error(r, 0) end
  self.removed = true
end

--- Ends and removes it with its anonymous volumes. That it is gone already is fine.
function Container:remove()
  if self.removed then return end
  story.leave(self)
  local scope = core.enter(30, true) -- also when the test's time is over
  local ok, err = pcall(self._delete, self)
  core.leave(scope)
  if self.lease then closing.done(self.lease) end
  if not ok then error(err, 0) end
end

--- remove; a container that is not this test's own (reuse, compose, attach) goes on.
function Container:close()
  if not self.attached then self:remove() end
end

Container.__close = Container.close

for _, part in ipairs { "commands", "files", "attachments" } do
  for name, method in pairs(require("itlua.container." .. part)) do Container[name] = method end
end

return Container
