--- One service in the host: from its description to something that runs, and to its end.
--
-- States: "idle" -> "starting" -> "ready" | "failed";  "ready" -> "stopped" -> "starting" …

local choice = require "itlua.services.choice"
local core = require "itlua.core"
local fs = require "itlua.fs"
local kinds = require "itlua.services.kinds"
local native = require "itlua.services.native"
local plan = require "itlua.services.plan"
local verdict = require "itlua.services.verdict"

---@class itlua.services.Entry
---@field name string
---@field spec itlua.services.Spec
---@field state "idle"|"starting"|"ready"|"failed"|"stopped"
---@field title string            "PostgreSQL 15.4 in …"
---@field failure? itlua.services.Failure
---@field instance? itlua.services.Instance
---@field lines { at: number, text: string }[]
local Entry = {}
for name, method in pairs(require "itlua.services.log") do Entry[name] = method end
Entry.__index = Entry

--- An entry of the host.
---@param host table      entries by name, `folder()` for data, `tell(entry)` that a start has begun or ended
---@param name string
---@param spec itlua.services.Spec
---@return itlua.services.Entry
function Entry.new(host, name, spec)
  return setmetatable({
    host = host, name = name, spec = spec, kind = kinds.find(spec.kind), state = "idle", lines = {}, title = spec.kind,
    waiters = {}, timeout = spec.startup_timeout or kinds.find(spec.kind).startup_timeout or 30, printed = 0,
    bell = core.bell(),
  }, Entry)
end

-- ---- getting ready

-- Waits for the conditions in their order, and no longer than its process lives.
local function wait_ready(self, instance)
  local began, list = core.now(), instance.ready or {}
  local deadline, pause = began + self.timeout, 0.004
  for _, condition in ipairs(list) do condition.tries, condition.met = 0, false end
  for _, condition in ipairs(list) do
    while not condition.met do
      local process = instance.process
      local ended = process and not process:running()
      condition.tries = condition.tries + 1
      local ok, met, why = pcall(condition.try)
      if ok and met then
        condition.met = true
      else
        local err = ok and why or met
        condition.last = core.is_error(err) and err.message or err and tostring(err) or condition.last
        if ended then
          core.sleep(0.01) -- its last lines
          return verdict.not_ready(self, list, process:wait(), self:log(nil, 30), core.now() - began)
        end
        if core.now() > deadline then
          return verdict.not_ready(self, list, nil, self:log(nil, 30), core.now() - began)
        end
        core.sleep(pause)
        pause = math.min(pause * 1.2, 0.1)
      end
    end
  end
  local process = instance.process
  if process and #list == 0 then core.sleep(0.1) end -- nothing else tells of one that is done at once
  if process and not process:running() then
    return verdict.not_ready(self, list, process:wait(), self:log(nil, 30), core.now() - began)
  end
end

-- The services that it needs, all at the same time.
local function start_needs(self)
  local tasks = {}
  for i, name in ipairs(self.spec.needs) do
    local other = self.host.entries[name]
    tasks[i] = core.spawn(function() other:start() end)
  end
  for _, task in ipairs(tasks) do core.join(task) end
  for _, name in ipairs(self.spec.needs) do
    local other = self.host.entries[name]
    if other.state ~= "ready" then
      return verdict.needs(self.name, name, other.failure or { message = "service " .. name .. " was stopped" })
    end
  end
end

local function refers_to_own_port(self)
  local found = false
  plan.resolve(self.spec, function(name, field)
    found = found or name == self.name and field == "port"
    return ""
  end)
  return found
end

local function context_of(self)
  local port = self.spec.port or (refers_to_own_port(self) and native.port()) or nil
  local spec = plan.resolve(self.spec, function(name, field)
    if name == self.name then return port end
    local other = self.host.entries[name]
    local fields = other.instance.fields
    local value = fields[field]
    if other.kind.field then value = other.kind.field(fields, field) end
    if value == nil then
      core.raise("service", "REFERENCE", ("${%s.%s} stands for nothing: %s has none"):format(name, field, name))
    end
    return value
  end)
  return {
    name = self.name, spec = spec, own_port = port and math.tointeger(port), port = native.port,
    seconds = self.timeout,
    folder = function()
      local path = fs.join(self.host.folder(), self.name)
      fs.mkdir(path, { mode = 448 })
      return path
    end,
    log = function(line) self:keep(line) end,
  }
end

local function attach(self, instance)
  self.instance = instance
  if instance.lines then instance.lines = self.lines end
  if instance.process then self:listen(instance.process) end
end

-- A port can be taken between its choice and its use.
local function lost_port(failure)
  if failure.code == "PORT_TAKEN" then return true end
  return failure.code == "EXITED" and failure.message:find "ddress already in use" and true or false
end

local function bring_up(self)
  local failure = start_needs(self)
  if failure then return failure end
  local context = context_of(self)
  local chosen, passed = choice.of(self.kind, context.spec)
  if not chosen then return verdict.no_provider(self.name, self.spec, passed) end
  self.title, self.provider, self.context = chosen.text, chosen.provider.name, context
  for attempt = 1, 5 do
    if attempt > 1 then context = context_of(self) end
    local ok, instance = pcall(chosen.provider.start, context, chosen.offer)
    failure = not ok and verdict.failed(self, "START", "it cannot be started", instance, self:log(nil, 30)) or nil
    if ok then
      attach(self, instance)
      failure = wait_ready(self, instance)
    end
    if not failure or not lost_port(failure) or self.spec.port then break end
    if ok then self:finish(0) end
    self.lines = {}
  end
  if failure then return failure end
  if self.kind.prepare then
    local ok, err = pcall(self.kind.prepare, context, self.instance)
    if not ok then return verdict.failed(self, "PREPARE", "it runs, but its data cannot be made", err, "") end
  end
end

-- A task has one who joins it: each who waits for the end of a start has a sleeper of his own.
local function wait_for_start(self)
  while self.state == "starting" do
    local sleeper = core.spawn(core.sleep, math.huge)
    self.waiters[#self.waiters + 1] = sleeper
    core.join(sleeper)
  end
end

local function started(self, failure)
  self.seconds = core.now() - self.began
  self.failure, self.state = failure, failure and "failed" or "ready"
  self.host.tell(self)
  local waiters = self.waiters
  self.waiters = {}
  for _, sleeper in ipairs(waiters) do core.cancel(sleeper) end
  if failure and self.instance then self:finish(0.2) end
end

-- One that was to stay: it crashed, or a test has killed it.
local function has_ended(self)
  local process = self.instance and self.instance.process
  return self.state == "ready" and not self.spec.exit and process and not process:running()
end

--- Starts it, or waits until whoever does has. Never raises: see `state` and `failure`.
function Entry:start()
  if has_ended(self) then self.state = "stopped" end
  if self.state == "idle" or self.state == "stopped" then
    local way = self.state == "stopped" and self.instance and self.instance.launch and self.relaunch or bring_up
    self.state, self.failure, self.began = "starting", nil, core.now()
    self.host.tell(self)
    self.task = core.daemon(function()
      local ok, failure = pcall(way, self)
      if not ok then failure = verdict.failed(self, "START", "it cannot be started", failure, self:log(nil, 30)) end
      started(self, failure)
    end)
  end
  wait_for_start(self)
end

--- Starts its process again, with its data where it keeps any.
function Entry:relaunch()
  local instance = self.instance
  instance:launch()
  if instance.process then self:listen(instance.process) end
  if instance.lines then
    self.lines = {}
    instance.lines = self.lines
  end
  return wait_ready(self, instance)
end

-- ---- what is asked of it

--- Whether it, and what it needs, can be had here. Starts nothing, but fetches an image that nothing else would do for.
---@return { available: boolean, text: string }
function Entry:choice()
  local chosen, passed = choice.of(self.kind, self.spec)
  if not chosen then
    return { available = false, text = ("%s cannot be had here: %s"):format(self.name, table.concat(passed, "; ")) }
  end
  local image = chosen.offer.fetch
  local fetched, why = pcall(function() if image then require("itlua.container").pull(image) end end)
  if not fetched then
    return { available = false, text = ("%s cannot be had here: %s"):format(self.name, tostring(why)) }
  end
  for _, name in ipairs(self.spec.needs) do
    local other = self.host.entries[name]:choice()
    if not other.available then return other end
  end
  return { available = true, text = chosen.text }
end

local function refuse(self, what)
  core.raise("service", "NOT_OURS", ("%s cannot be %s: it is an existing server (%s)"):format(self.name, what,
    self.instance.external))
end

--- Why its process has not ended as its description expects (option `exit` of kind "process"), or nil.
---@return string?
function Entry:wrong_exit()
  local expected, process = self.spec.exit, self.instance and self.instance.process
  if not expected or not process or process:running() then return nil end
  local result = process:wait()
  if not result.signal and result.code == expected then return nil end
  return ("service %s (%s) was to end with exit code %d, and %s\n\n%s"):format(self.name, self.title, expected,
    result.signal and "was ended by signal " .. result.signal or "ended with " .. result.code,
    verdict.last_words(self:log(nil, 30)))
end

--- Ends its process; TERM first, KILL after `seconds`. Raises where it does not end as expected.
function Entry:stop(seconds)
  wait_for_start(self)
  if self.state ~= "ready" then return end
  if self.instance.external then refuse(self, "stopped") end
  self:finish(seconds or self.instance.grace or 5)
  self.state = "stopped"
  local wrong = self:wrong_exit()
  if wrong then core.raise("service", "EXIT", wrong) end
end

--- Waits until its process has ended by itself.
---@param seconds number
function Entry:wait_exit(seconds)
  wait_for_start(self)
  local process = self.instance and self.instance.process
  if not process then core.raise("service", "NO_PROCESS", self.name .. " has no process of its own to wait for") end
  local ok, err = pcall(process.wait, process, { timeout = seconds })
  if not ok then
    if core.is_error(err) ~= "timeout" then error(err, 0) end
    core.raise("service", "EXIT", ("service %s has not ended within %.6g s"):format(self.name, seconds))
  end
  local deadline = core.now() + 1 -- its last words: children of it may still hold its output
  while self.heard_all ~= process and core.now() < deadline do core.sleep(0.005) end
  local wrong = self:wrong_exit()
  if wrong then core.raise("service", "EXIT", wrong) end
end

--- Ends it and starts it again; never raises for what becomes of it, see `failure`.
function Entry:restart(seconds)
  wait_for_start(self)
  local instance = self.instance
  if self.state ~= "ready" or instance.external or not instance.restart then
    self:stop(seconds)
    return self:start()
  end
  self.state, self.began = "starting", core.now()
  local ok, failure = pcall(function()
    instance:restart(seconds or 5)
    return wait_ready(self, instance)
  end)
  if not ok then failure = verdict.failed(self, "START", "it cannot be restarted", failure, self:log(nil, 30)) end
  started(self, failure)
end

--- Ends what runs, whatever state it is in.
function Entry:finish(seconds)
  local instance = self.instance
  if not instance then return end
  local process = instance.process
  self.ending = true
  if instance.stop and (not process or process:running()) then
    pcall(instance.stop, instance, seconds)
  elseif process and process:running() then
    process:signal "CONT"
    process:stop { grace = seconds }
  end
end

--- It is over for good.
function Entry:discard(seconds)
  local was_ready = self.state == "ready"
  if self.state == "starting" then core.cancel(self.task, "the services end") end
  if self.instance and self.instance.discard then pcall(self.instance.discard, self.instance) end
  self:finish(seconds)
  local wrong = was_ready and self:wrong_exit()
  if wrong then self.host.complain(self, wrong) end
end

--- A signal for its process and what that started.
function Entry:signal(name)
  if self.state ~= "ready" then
    core.raise("service", "NOT_RUNNING", ("%s does not run: it is %s"):format(self.name, self.state))
  end
  if self.instance.external then refuse(self, "given a signal") end
  if self.instance.signal then return self.instance:signal(name) end
  self.instance.process:signal(name)
end

--- What a spec asks by a method of the kind.
---@param request fun(instance: itlua.services.Instance, body: table): table?
---@param body table
function Entry:request(request, body)
  if self.state ~= "ready" then
    core.raise("service", "NOT_RUNNING", ("%s does not run: it is %s"):format(self.name, self.state))
  end
  return request(self.instance, body)
end

--- What is known of it, for JSON.
---@return table
function Entry:status()
  local instance = self.instance
  local process = instance and instance.process
  local running
  if process then running = process:running() end
  local state = self.state
  if state == "ready" and running == false then state = "ended" end
  local fields = instance and instance.fields or { port = self.spec.port }
  return {
    name = self.name, kind = self.spec.kind, state = state, title = self.title, provider = self.provider,
    seconds = self.seconds, fields = instance and self.state == "ready" and instance.fields or nil,
    where = { host = fields.host, port = fields.port, url = fields.url }, -- also of one that has ended
    pid = running and (instance.main_pid or process.pid) or nil,
    container = instance and instance.container and instance.container.id or nil,
    failure = self.failure and { code = self.failure.code, message = self.failure.message } or nil,
    exit = running == false and process:wait().code or nil,
    signal = running == false and process:wait().signal or nil,
  }
end

return Entry
