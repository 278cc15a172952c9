--- itlua [run] [options] [paths…]: runs specs.

local account = require "itlua.cli.account"
local config = require "itlua.cli.config"
local core = require "itlua.core"
local find = require "itlua.cli.find"
local history = require "itlua.cli.history"
local options = require "itlua.cli.options"
local pool = require "itlua.cli.pool"
local pulse = require "itlua.cli.pulse"
local running = require "itlua.cli.running"
local select = require "itlua.cli.select"
local system = require "itlua.cli.core"

local run = {}

local TEST_OUTPUT = 1 << 20 -- bytes of output kept of a test where it is not printed as it comes

---@return string
function run.help()
  return [[
Usage: itlua [run] [options] [paths...]

Runs spec files. A path is a file, a folder, or file:line for the test at that line.
Without one: specs/, else spec/.

Exit code: 0 all passed; 1 failures, errors, or no test ran; 2 wrong usage or
settings; 3 interrupted.
]] .. options.describe(options.run) .. require("itlua.report").describe "\n" ..
    require("itlua.cli.profile").describe() .. [[

Other commands: itlua help, itlua help COMMAND.
Settings are read from .busted and itlua.lua; what the command line says wins.
]]
end

local function refuse(message) return require("itlua.cli").refuse(message) end

-- Output handlers are found where the specs find their modules.
local function add_paths(settings)
  local package = core.globals().package
  for field, prefix in pairs { path = settings.lpath, cpath = settings.cpath } do
    local there = package[field]:sub(1, #prefix) == prefix -- of an earlier run of --watch
    if prefix ~= "" and not there then package[field] = prefix .. ";" .. package[field] end
  end
end

local function default_roots(roots)
  if roots and #roots > 0 then return roots end
  for _, folder in ipairs { "specs", "spec" } do
    if system.kind(folder) == "directory" then return { folder } end
  end
  return nil, "there is no specs/ and no spec/ here: name the files or folders to run"
end

-- "a,b" stands for two paths, as in busted, unless there is such a file.
local function split_roots(roots)
  local all = {}
  for _, root in ipairs(roots) do
    if system.kind(root) or not root:find(",", 1, true) then
      all[#all + 1] = root
    else
      for part in root:gmatch("[^,]+") do all[#all + 1] = part end
    end
  end
  return all
end

local function with_hint(wrong, roots)
  local only = #roots == 1 and not roots[1]:find("[/.]") and wrong:find("^" .. roots[1]:gsub("%W", "%%%0") .. ": ")
  return only and wrong .. require("itlua.cli").command_hint(roots[1]) or wrong
end

-- How many processes, how many files at a time in each, and whether each file has a state of its own.
local function shape(settings, files)
  local project = settings.project and not settings.coverage
  local jobs = settings.jobs or (project and system.cores() or 1)
  local concurrency = settings.concurrency or (project and 8 or 1)
  if settings["in-process"] then jobs = 1 end
  jobs = math.max(1, math.min(jobs, #files))
  concurrency = math.min(concurrency, math.max(1, (#files + jobs - 1) // jobs))
  return jobs, concurrency, settings.project or concurrency > 1
end

local supervisors_own = {
  "ROOT", "output", "Xoutput", "jobs", "concurrency", "mask", "secrets", "log-success", "project", "directory", "services",
  "connections", "expected", "heartbeat", "profiles", "written",
}

-- What --debug means for the rest. Returns what is wrong with it.
local function prepare_debugging(settings)
  if not (system.terminal(0) and system.terminal(1)) then
    return "--debug needs a terminal: it opens a REPL where a test fails"
  end
  settings["in-process"], settings.jobs, settings.concurrency = true, 1, 1
end

-- What the workers get to know.
local function worker_settings(settings, files, args, isolated, streams)
  local for_worker = {}
  for name, value in pairs(settings) do for_worker[name] = value end
  for _, name in ipairs(supervisors_own) do for_worker[name] = nil end
  if settings["fail-fast"] then for_worker["keep-going"] = false end
  for_worker.file_timeout = settings["file-timeout"]
  for_worker.max_failures = settings["max-failures"]
  for_worker.audit = settings.audit
  for_worker.debug = settings.debug and { secrets = settings.secrets or {} } or nil
  if settings.bisect then for_worker.retries, for_worker["keep-going"], for_worker.max_failures = nil, nil, nil end
  for_worker.hosts = settings.network == "declared" and require("itlua.policy.network").hosts(settings) or nil
  for_worker.arg = { table.unpack(args) }
  for_worker.isolated, for_worker.live = isolated, streams and not settings.project
  for_worker.output_limit = for_worker.live and 0 or TEST_OUTPUT
  for _, name in ipairs { "lines", "chosen" } do
    for _, file in ipairs(files) do
      if file[name] then
        for_worker[name] = for_worker[name] or {}
        for_worker[name][file.path] = file[name]
      end
    end
  end
  return for_worker
end

-- Files that ask to run alone or name locks.
local function read_claims(files)
  local ok, claims = pcall(require, "itlua.spec.claims")
  if not ok then return end
  for _, file in ipairs(files) do
    local f = io.open(file.path, "rb")
    local text = f and f:read(4096) or ""
    if f then f:close() end
    if text:find("itlua:", 1, true) then
      local found = claims.of(text)
      file.alone, file.locks, file.shares = found.alone, found.locks, found.shares
    end
  end
end

local function on_interrupt(name, seconds)
  io.stdout:flush()
  io.stderr:write(("\nitlua: %s: cleaning up, %g s at most; once more ends it at once\n"):format(name, seconds))
end

-- One repetition. Returns its counts and the signal that interrupted it.
local function repetition(number, job, tell)
  local settings, files, plan = job.settings, job.files, job.plan
  local counts, began, began_at = account.new(), core.now(), core.clock()
  plan.settings.run, plan.settings.runs = number, job.runs
  for i, file in ipairs(files) do
    plan.files[i] = {
      path = file.path, lines = file.lines, alone = file.alone, locks = file.locks, shares = file.shares,
    }
  end
  tell(counts, {
    ev = "run_start", version = system.version, at = core.clock(), files = #files, jobs = plan.jobs,
    concurrency = plan.concurrency, seed = settings.seed, run = number, runs = job.runs, shard = job.shard,
    shard_plan = job.shard_plan, profile = settings.profile, partial = account.partial(settings, files) or nil,
    randomized = (settings["shuffle-files"] or settings["shuffle-tests"]) and true or false,
  })
  function plan.deliver(ev) tell(counts, ev) end
  local interrupted
  if #files > 0 then
    local _ <close> = job.reports.glimpse and pulse.start(job.reports, job.services) or nil
    interrupted = pool.run(plan.files, plan)
  end
  local nothing
  if counts.tests == 0 and counts.failures + counts.errors == 0 and not interrupted and not job.idle then
    nothing = account.nothing_ran(settings, files, job.roots)
  end
  local last = { ev = "run_end", seconds = core.now() - began, interrupted = interrupted, nothing = nothing }
  if job.reports.timelines then running.tell_logs(job.services, began_at, plan.deliver) end
  for name, value in pairs(counts) do last[name] = value end
  last.services = job.services and job.services.started and job.services:started()
  tell(counts, last)
  return counts, interrupted, nothing
end

-- Until something fails each repetition has an order of its own.
local function reseed(job)
  job.settings.seed = system.random_seed()
  job.plan.settings.seed = job.settings.seed
  find.order(job.files, job.settings)
end

local function run_all(job, tell)
  local settings = job.settings
  local failed, interrupted, nothing = 0, nil, nil
  local sum, began = account.new(), core.now()
  local until_failure = settings["repeat-until-failure"]
  local most = until_failure and job.runs == 0 and math.maxinteger or job.runs
  for number = 1, most do
    local counts
    if number > 1 and until_failure and not job.seeded then reseed(job) end
    job.plan.failed = failed
    counts, interrupted, nothing = repetition(number, job, tell)
    failed = failed + counts.failures + counts.errors
    for name, value in pairs(counts) do sum[name] = (sum[name] or 0) + value end
    if interrupted or (nothing and until_failure) or (job.plan.limit and failed >= job.plan.limit) then break end
    if until_failure and (failed > 0 or (settings["fail-on-flaky"] and (counts.flaky or 0) > 0)) then break end
  end
  sum.seconds = core.now() - began
  return { counts = sum, failed = failed, interrupted = interrupted, nothing = nothing }
end

local no_reports = { event = function() end, finish = function() end, close = function() return true end }

-- "--bisect FILE:LINE": that test among all.
local function take_victim(settings)
  local roots = settings.ROOT
  if settings.bisect ~= true or not roots or #roots ~= 1 or system.kind(roots[1]) then return end
  if roots[1]:find(":%d+$") then settings.bisect, settings.ROOT = roots[1], nil end
end

-- "--only-changed main": the word behind it, where no file has that name.
local function take_ref(settings)
  local roots = settings.ROOT
  if settings["only-changed"] ~= true or not roots or not roots[1] then return end
  if not require("itlua.cli.changed").is_ref(roots[1]) then return end
  settings["only-changed"] = roots[1]
  settings.ROOT = { table.unpack(roots, 2) }
end

-- Everything that can be wrong with the settings is said before anything runs.
local function prepare(given, rest, args)
  local settings, wrong = config.load(given, rest)
  if not settings then return nil, wrong end
  settings.program = args[0]
  wrong = settings.debug and prepare_debugging(settings)
  if wrong then return nil, wrong end
  if settings.directory then
    local ok, why = system.chdir(settings.directory)
    if not ok then return nil, ("-C %s: %s"):format(settings.directory, why) end
  end
  add_paths(settings)
  wrong = select.check(settings, given)
  if wrong then return nil, wrong end
  local roots
  take_ref(settings)
  take_victim(settings)
  roots, wrong = default_roots(settings.ROOT)
  if not roots then return nil, wrong end
  roots = split_roots(roots)
  settings.seed = settings.seed or system.random_seed()
  local files
  files, wrong = find.files(roots, settings)
  if not files then return nil, with_hint(wrong, roots) end
  settings.mask = require("itlua.mask").of(settings.secrets)
  local job = { settings = settings, files = files, roots = roots, given = given, seeded = given.seed ~= nil }
  job.runs = settings["repeat-until-failure"] and not given["repeat"] and 0 or settings["repeat"]
  job.past = history.open(settings)
  wrong = select.apply(job, job.past)
  if wrong then return nil, wrong end
  local names_file = settings["exclude-names-file"]
  if names_file then
    local ok, why = system.readable(names_file)
    if not ok then return nil, ("--exclude-names-file %s: %s"):format(names_file, why) end
  end
  return job
end

local function open_log(settings)
  local path = settings["log-success"]
  if not path then return nil end
  local log, why = io.open(path, "a")
  if not log then return nil, ("--log-success %s"):format(why) end
  system.keep_private(log)
  return log
end

-- Keeps what the run came to, for the next ones.
local function keep(job, past, at, result)
  local limit = job.plan.limit
  past:keep {
    at = at, seed = job.settings.seed, counts = result.counts, files = #job.files,
    shard = job.shard, chosen = job.settings["last-failed"],
    partial = account.partial(job.settings, job.files) or result.interrupted ~= nil
      or limit ~= nil and result.failed >= limit,
  }
end

-- Options by which a run without failures is none: what they count, and the words for it.
local strict = {
  { "fail-on-flaky", "flaky", "test passed only when repeated", "tests passed only when repeated" },
  { "fail-on-pending", "pendings", "test is pending", "tests are pending" },
}

local function count_strictly(settings, counts)
  local failed = 0
  for _, rule in ipairs(strict) do
    local count = settings[rule[1]] and counts[rule[2]] or 0
    if count > 0 then
      io.stderr:write(("itlua: --%s: %d %s\n"):format(rule[1], count, rule[count == 1 and 3 or 4]))
    end
    failed = failed + count
  end
  return failed
end

local function finish(settings, reports, log, result)
  reports:finish()
  local ok, why = reports.close()
  if log then log:close() end
  local nothing, failed = result.nothing, result.failed
  if not ok then io.stderr:write("itlua: a report could not be written", why and ": " .. why or "", "\n") end
  if nothing then io.stderr:write("itlua: no test ran: ", nothing, "\n") end
  if settings.hints and (failed > 0 or nothing) then account.hint(settings, result) end
  if result.interrupted then return 3 end
  failed = failed + count_strictly(settings, result.counts)
  if failed > 0 or not ok or (nothing and not settings["no-tests-ok"]) then return 1 end
  return 0
end

local function plan_of(job, args, hold)
  local settings, files = job.settings, job.files
  local jobs, concurrency, isolated = shape(settings, files)
  if settings.bisect then jobs, concurrency, isolated = 1, 1, settings.project end
  if jobs * concurrency > 1 then
    read_claims(files)
    select.slowest_first(files, settings, not settings.list and job.past or nil)
  end
  return {
    files = {}, jobs = jobs, concurrency = concurrency, isolated = isolated, in_process = settings["in-process"],
    stdin = jobs == 1 and not settings.project and not hold, on_interrupt = hold and hold.on_interrupt or on_interrupt,
    signal = hold and hold.signal,
    limit = (settings["fail-fast"] or settings["keep-going"] == false) and 1 or settings["max-failures"],
    settings = worker_settings(settings, files, args, isolated, jobs * concurrency == 1), whole = settings.list,
    retries = not settings.bisect and (settings.retries or 0) > 0 and settings.retries or nil,
  }
end

---@class itlua.cli.run.hold       what holds on to several runs in one process: --watch
---@field restrict fun(job: table): boolean    chooses among the job's files; false: nothing is to run
---@field signal fun(): string                 waits for what ends the run early
---@field on_interrupt fun(name: string, seconds: number)
---@field keep_services table                  where services stay

--- One run.
---@param given table           the options
---@param rest string[]         the paths
---@param args string[]         the command's arguments
---@param all string[]          all arguments of the program
---@param hold? itlua.cli.run.hold
---@return integer exit_code
function run.once(given, rest, args, all, hold)
  local job, wrong = prepare(given, rest, all)
  if not job then return refuse(wrong) end
  if hold and not hold.restrict(job) then return 0 end
  local settings, files = job.settings, job.files
  local reports, log = no_reports, nil
  if not settings.list and not settings.bisect then
    history.prepare_reports(settings.output)
    settings.expected = pulse.expected(job)
    reports, wrong = require("itlua.cli.outputs").open(settings)
    if not reports then return refuse(wrong) end
    log, wrong = open_log(settings)
    if wrong then return refuse(wrong) end
  end
  local past = not settings.list and job.past or nil
  job.plan = plan_of(job, args, hold)
  job.reports = reports
  if reports.glimpse then
    local on_interrupt_of_plan = job.plan.on_interrupt
    function job.plan.glimpse(ev, worker) reports:glimpse(ev, worker) end
    function job.plan.on_interrupt(...)
      reports.hush()
      on_interrupt_of_plan(...)
    end
  end
  -- Bytes a file for what its passing tests sent and got: together no more than a page has room for.
  job.plan.settings.timelines = reports.timelines and math.max(8192, 2000000 // math.max(1, #files)) or nil
  job.plan.settings.heartbeat = reports.heartbeat
  local services <close> = hold and running.keep(hold.keep_services, settings, files)
    or not hold and running.start(settings, files) or nil
  job.services = services
  job.plan.settings.services = services and { socket = services.socket, plan = settings.services }
  local _ <close> = not hold and system.watch_signals(settings["in-process"]) or nil
  io.stdout:setvbuf(settings.debug and "line" or "full", 65536)
  if settings.bisect then return require("itlua.cli.bisect").run(job) end
  local at = core.clock()
  local result = run_all(job, account.teller(reports, settings, log, past))
  if past and not result.nothing then keep(job, past, at, result) end
  return finish(settings, reports, log, result)
end

---@param args string[]
---@param all string[]          all arguments of the program
---@param preset? table         options that the command itself sets
---@return integer exit_code
function run.run(args, all, preset)
  local given, rest = options.parse(args, options.run)
  if not given then return refuse(rest) end
  for name, value in pairs(preset or {}) do given[name] = value end
  if given.version then return require("itlua.cli.version").run() end
  if not given.watch then return run.once(given, rest, args, all) end
  local wrong = select.check(given, given)
  if wrong then return refuse(wrong) end
  return require("itlua.cli.watch").run(args, all, given)
end

return run
