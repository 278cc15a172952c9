--- The supervisor: hands files to worker processes one by one, takes in what they tell, replaces those that die.
--
-- Where several files run at the same time a test's events are kept until it has ended (its last attempt, where it is
-- repeated) and are then delivered together; what stands outside tests is delivered as it comes. So files take turns in what
-- is delivered, tests do not, and no more is held than one test of each file that runs. When a worker dies, its other files
-- run again: a test that had not ended leaves no trace of its first try, and what was told is not told again (told.lua).
-- Where only one file can run at a time everything is delivered as it comes.

local core = require "itlua.core"
local system = require "itlua.cli.core"
local told = require "itlua.cli.told"
local verdict = require "itlua.cli.verdict"

---@class itlua.cli.job
---@field path string
---@field alone? boolean       nothing else may run meanwhile
---@field locks? string[]      nor anything that holds or shares one of these
---@field shares? string[]     nor anything that holds one of these
---@field started? boolean
---@field doubts integer       how often its worker died and nobody knew whose fault it was
---@field events table[]       what is kept until a test has ended
---@field test? table          the test_start of the test that runs
---@field told? itlua.cli.told   what was delivered, where the file may run again
---@field again? boolean       it runs again: only what is new is delivered
---@field fate? string         why it waits to run again

---@class itlua.cli.pool.plan
---@field jobs integer
---@field concurrency integer
---@field isolated boolean     each file in a state of its own
---@field in_process boolean
---@field stdin boolean        the worker keeps the standard input
---@field settings table       for the workers
---@field limit? integer       stop after so many failures and errors
---@field retries? integer     a test that took its worker along runs so often again
---@field whole? boolean       a file's events are kept until it has ended
---@field deliver fun(ev: table)
---@field glimpse? fun(ev: table, worker: integer)   told of everything as it comes
---@field on_interrupt fun(signal: string, seconds: number)
---@field signal? fun(): string       waits for what ends the run early; by default for a signal
---@field failed? integer      failures and errors of earlier repetitions

local pool = {}

local TICK = 0.1        -- seconds between two looks at the workers' beats
local GRACE = 2         -- seconds that a step may go on past its deadline
local CLEANUP = 5       -- seconds between an interrupt and the end of patience
local MOST_DOUBTS = 2   -- deaths of a file's workers for no known reason, after which it is given up

-- == handing out ==

local function lock_is_free(self, job)
  for _, name in ipairs(job.locks or {}) do
    if self.locked[name] or self.shared[name] then return false end
  end
  for _, name in ipairs(job.shares or {}) do
    if self.locked[name] then return false end
  end
  return true
end

-- The next file that may start now, in order.
local function choose(self)
  if self.alone then return nil end
  for i, job in ipairs(self.queue) do
    if job.alone then
      if self.running == 0 then return i end
      if not self.parallel then return nil end
    elseif lock_is_free(self, job) then
      return i
    end
  end
end

local function mark(self, job, held)
  self.running = self.running + (held and 1 or -1)
  if job.alone then self.alone = held end
  for _, name in ipairs(job.locks or {}) do self.locked[name] = held or nil end
  for _, name in ipairs(job.shares or {}) do
    local count = (self.shared[name] or 0) + (held and 1 or -1)
    self.shared[name] = count > 0 and count or nil
  end
end

local function assign(self, worker, index)
  local job = table.remove(self.queue, index)
  job.started, job.test, job.events = false, nil, {}
  job.again = job.told and job.told.began ~= nil
  if job.again then job.told:again(self.plan.retries) end
  worker.jobs[job.path] = job
  worker.count = worker.count + 1
  mark(self, job, true)
  worker.process:send("R", job.path)
end

local attend

local function start_worker(self)
  self.number = self.number + 1
  local process = self.plan.in_process and system.local_worker()
    or system.worker(tostring(self.number), self.plan.stdin)
  local worker = { process = process, number = self.number, jobs = {}, count = 0 }
  self.plan.settings.worker = self.number
  process:send("O", self.plan.settings)
  self.workers[worker] = true
  self.alive = self.alive + 1
  worker.task = core.spawn(attend, self, worker)
  return worker
end

-- A worker that shares one state between its files is told of the next one before it has ended the last: no pause.
local function room(self, worker)
  if worker.finishing or worker.ended then return 0 end
  local ahead = not self.plan.isolated and not self.alone and #self.queue > 2 * self.plan.jobs and 1 or 0
  return self.plan.concurrency + ahead - worker.count
end

-- With fewer than there should be the run goes on.
local function try_to_start(self)
  local ok, worker = pcall(start_worker, self)
  if ok then return worker end
  if not core.is_error(worker) then error(worker, 0) end
  self.unable = worker.message
end

-- What waits does not run any more. Of what was to run again something has been told: it gets its end.
local function drop(self)
  for _, job in ipairs(self.queue) do
    local last = job.told and job.told.began and verdict.dropped(job) or {}
    for _, ev in ipairs(last) do self.plan.deliver(ev) end
  end
  self.queue = {}
end

-- Nobody is there to run what is left.
local function give_up(self)
  local left = #self.queue
  self.plan.deliver(verdict.no_worker(self.unable, left))
  drop(self)
end

local function hand_out(self)
  if self.stopping then drop(self) end
  while #self.queue > 0 do
    local index = choose(self)
    if not index then break end
    local best
    for worker in pairs(self.workers) do
      local free = room(self, worker)
      if free > 0 and (not best or worker.count < best.count) then best = worker end
    end
    if (not best or best.count > 0) and self.alive < self.plan.jobs and not self.unable then
      best = try_to_start(self) or best
    end
    if not best and self.unable and self.alive == 0 then return give_up(self) end
    if not best or room(self, best) <= 0 then break end
    assign(self, best, index)
  end
  if #self.queue > 0 then return end
  for worker in pairs(self.workers) do
    if worker.count == 0 and not worker.finishing then
      worker.finishing = true
      worker.process:send("E")
    end
  end
end

-- == taking in ==

local function deliver(self, ev)
  if ev.ev == "problem" and ev.kind ~= "pending" and not ev.retried then
    self.failed = self.failed + 1
    if self.plan.limit and self.failed >= self.plan.limit and not self.stopping then
      self.stopping = "limit"
      for worker in pairs(self.workers) do worker.process:send("Q") end
    end
  end
  self.plan.deliver(ev)
end

local function let_go(self, worker, job)
  worker.jobs[job.path] = nil
  worker.count = worker.count - 1
  mark(self, job, false)
end

local function tell(self, job, ev)
  deliver(self, ev)
  if job.told then job.told:add(ev) end
end

local function commit(self, job)
  local events = job.events
  for i = 1, #events do
    local ev = events[i]
    events[i] = nil
    tell(self, job, ev)
  end
end

-- Delivers, unless something may still come that belongs to it: a test goes on, or runs again, or somebody prints.
local function take_in(self, job, ev)
  if not self.parallel and not job.again then return tell(self, job, ev) end
  if job.test or ev.retried or ev.ev == "output" or self.plan.whole then
    job.events[#job.events + 1] = ev
  else
    commit(self, job)
    tell(self, job, ev)
  end
end

local function receive(self, worker, ev)
  local kind, job = ev.ev, ev.file and worker.jobs[ev.file]
  if self.plan.glimpse then self.plan.glimpse(ev, worker.number) end
  if kind == "waiting" then return end
  if not job then return deliver(self, ev) end
  if kind == "file_start" then
    ev.worker = worker.number
    job.started = true
  elseif kind == "test_start" then
    job.test = ev
  elseif kind == "test_end" then
    job.test = nil
  end
  if job.again then job.told:pass(ev, job.take_in) else take_in(self, job, ev) end
  if kind == "file_end" then
    commit(self, job)
    let_go(self, worker, job)
    hand_out(self)
  end
end

-- == workers that died ==

-- The file whose code ran when the worker died, if that is known.
local function culprit(worker, ended)
  local started = {}
  for _, job in pairs(worker.jobs) do
    if job.started then started[#started + 1] = job end
  end
  if #started == 1 then return started[1] end
  local named = worker.jobs[ended.file or ""]
  return (ended.in_step or worker.stuck) and named and named.started and named or nil
end

local function conclude(self, worker, job, ended)
  commit(self, job)
  for _, ev in ipairs(verdict.of(job, ended, worker.stuck)) do deliver(self, ev) end
  let_go(self, worker, job)
end

local function queue_again(self, worker, job, ended)
  job.fate = verdict.fate(ended, worker.stuck)
  let_go(self, worker, job)
  table.insert(self.queue, 1, job)
  if self.plan.glimpse then self.plan.glimpse({ ev = "file_again", file = job.path }, worker.number) end
end

-- A test that took its worker along is an attempt that failed; the next one has the run to itself and takes nobody along.
local function repeat_test(self, worker, job, ended)
  local test, retries = job.test, self.plan.retries
  if not test or self.stopping or not retries or not job.told:may_repeat(test, retries) then return false end
  if not job.told:repeats() then
    commit(self, job)
    for _, ev in ipairs(verdict.attempt(job, ended, worker.stuck)) do tell(self, job, ev) end
    job.told:spend(test)
  end
  job.alone = true
  queue_again(self, worker, job, ended)
  return true
end

-- What else was under way in it runs again, elsewhere. Where the culprit is not known each gets the run to itself.
local function run_again(self, worker, guilty, ended)
  local again = {}
  for _, job in pairs(worker.jobs) do again[#again + 1] = job end
  table.sort(again, function(a, b) return a.index > b.index end)
  for _, job in ipairs(again) do
    if not guilty then job.doubts, job.alone = job.doubts + 1, true end
    if job.doubts >= MOST_DOUBTS then conclude(self, worker, job, ended)
    else queue_again(self, worker, job, ended) end
  end
end

local function interrupted_files(self, worker)
  for _, job in pairs(worker.jobs) do
    if job.started or job.again then
      commit(self, job)
      for _, ev in ipairs(verdict.interrupted(job, self.stopping)) do deliver(self, ev) end
    end
    let_go(self, worker, job)
  end
end

local function worker_ended(self, worker, ended)
  worker.ended = true
  self.workers[worker] = nil
  self.alive = self.alive - 1
  if worker.count == 0 and ended.output and ended.output ~= "" then
    deliver(self, { ev = "output", text = ended.output })
  end
  if self.interrupted then
    interrupted_files(self, worker)
  elseif worker.count > 0 then
    local guilty = culprit(worker, ended)
    if guilty and not repeat_test(self, worker, guilty, ended) then conclude(self, worker, guilty, ended) end
    run_again(self, worker, guilty, ended)
  elseif ended.code ~= 0 or ended.signal ~= 0 then
    deliver(self, verdict.late(ended))
  end
  worker.process:close()
  hand_out(self)
end

function attend(self, worker)
  while true do
    local ev, ended = worker.process:next()
    if ev then receive(self, worker, ev)
    elseif ev == nil then return worker_ended(self, worker, ended) end
  end
end

-- == what may not go on ==

-- A step counts as stuck when it was seen too late again and again: time in which this process itself was stopped, or
-- the machine slept, is not held against it.
local function look_at(worker)
  local step, seconds, late, file = worker.process:beat()
  if not late or step ~= worker.step then
    worker.step, worker.late = step, 0
    return
  end
  worker.late = worker.late + TICK
  if worker.late < GRACE or worker.stuck then return end
  worker.stuck = { seconds = seconds, late = late, file = file }
  worker.process:kill()
end

local function watch(self)
  while true do
    core.sleep(TICK)
    for worker in pairs(self.workers) do look_at(worker) end
  end
end

local function kill_all(self)
  for worker in pairs(self.workers) do worker.process:kill() end
end

local function heed_signals(self)
  local signal = self.plan.signal or system.signal
  local name = signal()
  self.interrupted, self.stopping = name, name
  self.plan.on_interrupt(name, CLEANUP)
  hand_out(self)
  for worker in pairs(self.workers) do worker.process:send("S") end
  local patience = core.daemon(function()
    core.sleep(CLEANUP)
    kill_all(self)
  end)
  signal()
  core.cancel(patience)
  kill_all(self)
end

--- Runs the files. Returns when all that could run has ended.
---@param files itlua.cli.job[]
---@param plan itlua.cli.pool.plan
---@return string? interrupted     the signal that ended it early
function pool.run(files, plan)
  local self = {
    plan = plan, queue = {}, workers = {}, alive = 0, number = 0, running = 0, locked = {}, shared = {},
    failed = plan.failed or 0, parallel = plan.jobs * plan.concurrency > 1,
  }
  for i, job in ipairs(files) do
    job.index, job.doubts, job.events = i, 0, {}
    if plan.concurrency > 1 or plan.retries then job.told = told.new() end -- else only one can be under way
    function job.take_in(ev) take_in(self, job, ev) end
    self.queue[i] = job
  end
  if self.parallel then -- those that want the run to themselves come last, or the others would wait for each
    table.sort(self.queue, function(a, b)
      if (a.alone or false) ~= (b.alone or false) then return not a.alone end
      return a.index < b.index
    end)
  end
  local watcher, listener = core.daemon(watch, self), core.daemon(heed_signals, self)
  hand_out(self)
  while true do
    local worker = next(self.workers)
    if not worker then break end
    local ok, err, traceback = core.join(worker.task)
    if not ok then error(tostring(err) .. "\n" .. tostring(traceback), 0) end
  end
  core.cancel(watcher)
  core.cancel(listener)
  return self.interrupted
end

return pool
