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

local KEPT = 10000 -- lines of a service's log

---@class itlua.services.Entry
---@field name string
---@field spec itlua.services.Spec
---@field state "idle"|"starting"|"ready"|"failed"|"stopped"
---@field title string            "PostgreSQL 15.4 in …"
---@field failure? itlua.services.Failure
---@field instance? itlua.services.Instance
---@field lines { at: number, text: string }[]
local Entry = {}
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

-- ---- its log

local function keep(self, text)
  local lines = self.lines
  self.printed = self.printed + 1
  self.bell:ring()
  lines[#lines + 1] = { at = core.clock(), text = text }
  if #lines > 2 * KEPT then
    self.lines = table.move(lines, #lines - KEPT + 1, #lines, 1, {})
    if self.instance and self.instance.lines then self.instance.lines = self.lines end
  end
end

-- Takes in what its process prints, with the time of each line.
local function listen(self, process)
  if self.heard == process then return end -- it was stopped without being ended
  self.heard = process
  core.daemon(function()
    while true do
      local ok, line = pcall(process.read_line, process)
      if ok and not line then return end
      if not ok and core.is_error(line) ~= "process" then return end
      keep(self, ok and (line:gsub("\r$", "")) or "(lines were lost)")
    end
  end)
end

--- What it has printed since a time on the wall clock, at most the last `last` lines.
---@param since? number
---@param last? integer
---@return string
function Entry:log(since, last)
  if self.instance and self.instance.read_log then
    local ok, text = pcall(self.instance.read_log, self.instance, last, since)
    return ok and text or ""
  end
  local texts = {}
  local first = math.max(1, last and #self.lines - last + 1 or 1)
  for i = first, #self.lines do
    if not since or self.lines[i].at >= since then texts[#texts + 1] = self.lines[i].text end
  end
  return table.concat(texts, "\n")
end

--- The same with the time of each line, for timelines; nothing of one whose log has no times.
---@param since number
---@param last integer
---@return { at: number, text: string }[]
function Entry:lines_since(since, last)
  local list = {}
  if self.instance and self.instance.timed_lines then
    local ok, lines = pcall(self.instance.timed_lines, self.instance, since, last)
    return ok and lines or list
  end
  for i = math.max(1, #self.lines - last + 1), #self.lines do
    if self.lines[i].at >= since then list[#list + 1] = self.lines[i] end
  end
  return list
end

--- Waits for a line behind the first `n` that it has printed, for a while, and returns those that came.
---@param n? integer          none: how many there are
---@param seconds number
---@return { n: integer, lines: string[], lost: integer }
function Entry:lines_after(n, seconds)
  if n and n >= self.printed then
    local scope = core.enter(seconds)
    pcall(self.bell.wait, self.bell)
    core.leave(scope)
  end
  local first, list = self.printed - #self.lines, {}
  n = n or self.printed
  for i = math.max(n, first) - first + 1, #self.lines do list[#list + 1] = self.lines[i].text end
  return { n = self.printed, lines = list, lost = math.max(0, first - n) }
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
  if process and #list == 0 then core.sleep(0.02) end
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
    log = function(line) keep(self, line) end,
  }
end

local function attach(self, instance)
  self.instance = instance
  if instance.lines then instance.lines = self.lines end
  if instance.process then listen(self, instance.process) end
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

--- Starts it, or waits until whoever does has. Never raises: see `state` and `failure`.
function Entry:start()
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
  if instance.process then listen(self, instance.process) end
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

--- Ends its process; TERM first, KILL after `seconds`.
function Entry:stop(seconds)
  wait_for_start(self)
  if self.state ~= "ready" then return end
  if self.instance.external then refuse(self, "stopped") end
  self:finish(seconds or self.instance.grace or 5)
  self.state = "stopped"
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
  if instance.stop and (not process or process:running()) then
    pcall(instance.stop, instance, seconds)
  elseif process and process:running() then
    process:signal "CONT"
    process:stop { grace = seconds }
  end
end

--- It is over for good.
function Entry:discard(seconds)
  if self.state == "starting" then core.cancel(self.task, "the services end") end
  if self.instance and self.instance.discard then pcall(self.instance.discard, self.instance) end
  self:finish(seconds)
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
  return {
    name = self.name, kind = self.spec.kind, state = state, title = self.title, provider = self.provider,
    seconds = self.seconds, fields = instance and self.state == "ready" and instance.fields or nil,
    pid = running and (instance.main_pid or process.pid) or nil,
    container = instance and instance.container and instance.container.id or nil,
    failure = self.failure and { code = self.failure.code, message = self.failure.message } or nil,
    exit = running == false and process:wait().code or nil,
  }
end

return Entry
