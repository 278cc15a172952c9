--- What is said of a file whose worker died: the events that the worker could not send any more.

local core = require "itlua.core"

local verdict = {}

local function problem(job, test, where, message, more)
  local line = job.test and job.test.line or 1
  local ev = {
    ev = "problem", kind = "error", where = where, file = job.path, name = test and test.name or job.path,
    id = test and test.id, block = test and test.block, message = message, source = job.path,
    line = line, at_line = line,
  }
  for k, v in pairs(more or {}) do ev[k] = v end
  return ev
end

-- The test of which something is still to be told: not one that was told of before its file ran again.
local function open_test(job)
  if job.again and job.told:repeats() then return nil end
  return job.test
end

local function close_test(list, job, retried)
  local test = job.test
  list[#list + 1] = {
    ev = "test_end", file = job.path, id = test.id, status = "error", seconds = math.max(0, core.clock() - test.at),
    retried = retried, attempts = not retried and test.attempt or nil,
  }
end

local function file_end(list, job, crashed)
  local told = job.told
  if not job.started and not (told and told.began) then
    table.insert(list, 1, { ev = "file_start", file = job.path, at = core.clock(), worker = 0 })
  end
  list[#list + 1] = {
    ev = "file_end", file = job.path, crashed = crashed,
    seconds = told and told.began and math.max(0, core.clock() - told.began) or 0.0,
  }
end

local function what_happened(ended, stuck)
  if stuck then
    return ("stuck in C: it ran for %.1f s without coming back to itlua, %.1f s past its deadline, and was killed")
      :format(stuck.seconds, stuck.late), "stuck in C"
  end
  return ("the worker process ended with %s"):format(ended.reason), ended.reason
end

-- What the test came to that ran when its worker died, and what was printed last.
local function of_test(list, job, ended, stuck, retried)
  local test = open_test(job)
  if ended.output and ended.output ~= "" then
    list[1] = { ev = "output", file = job.path, id = test and test.id, text = ended.output }
  end
  if not test then return end
  list[#list + 1] = problem(job, test, "it", ("%s:%d: %s"):format(job.path, test.line, what_happened(ended, stuck)), {
    error_kind = stuck and "timeout" or "crash", retried = retried,
  })
  close_test(list, job, retried)
end

--- Why a worker died, in a few words.
---@param ended {reason: string}
---@param stuck? table
---@return string
function verdict.fate(ended, stuck) return (select(2, what_happened(ended, stuck))) end

--- The events that end an attempt at a test whose worker died, where there will be another one.
---@param job itlua.cli.job
---@param ended {reason: string, output?: string}
---@param stuck? {seconds: number, late: number}
---@return table[] events
function verdict.attempt(job, ended, stuck)
  local list = {}
  of_test(list, job, ended, stuck, true)
  return list
end

--- The events that end a file whose worker died while it ran.
---@param job itlua.cli.job
---@param ended {reason: string, output?: string}
---@param stuck? {seconds: number, late: number}
---@return table[] events
function verdict.of(job, ended, stuck)
  local list = {}
  local text, crashed = what_happened(ended, stuck)
  of_test(list, job, ended, stuck)
  if open_test(job) then
    text = ("what came after '%s' did not run (%s)"):format(job.test.name, crashed)
  elseif job.test then
    text = ("%s while '%s' ran once more; what comes after it did not run"):format(text, job.test.name)
  else
    text = text .. "; tests that had not run yet did not run"
  end
  list[#list + 1] = problem(job, nil, "worker", ("%s: %s"):format(job.path, text))
  file_end(list, job, crashed)
  return list
end

--- The events that end a file that was to run again when the run ended.
---@param job itlua.cli.job
---@return table[] events
function verdict.dropped(job)
  local list = { problem(job, nil, "worker", ("%s: its worker ended (%s), and the run was over before it could run again")
    :format(job.path, job.fate)) }
  file_end(list, job, job.fate)
  return list
end

--- The events that end a file that an interrupt ended, as far as its worker did not send them.
---@param job itlua.cli.job
---@param signal string
---@return table[] events
function verdict.interrupted(job, signal)
  local list, test = {}, open_test(job)
  if test then
    list[1] = problem(job, test, "it", ("%s:%d: interrupted by %s"):format(job.path, test.line, signal), {
      error_kind = "cancelled",
    })
    close_test(list, job)
  end
  file_end(list, job)
  return list
end

--- The event for a worker that failed after its last file.
---@param ended {reason: string}
---@return table event
function verdict.late(ended)
  return {
    ev = "problem", kind = "error", where = "worker", name = "", source = "itlua", line = 0, at_line = 0,
    message = ("after its last file the worker process ended with %s"):format(ended.reason),
  }
end

--- The event for files that no worker could be started for.
---@param why string
---@param files integer
---@return table event
function verdict.no_worker(why, files)
  return {
    ev = "problem", kind = "error", where = "worker", name = "worker", source = "itlua", line = 0, at_line = 0,
    message = ("%s; %d file%s did not run. Is there a limit on processes, files or memory (ulimit -a)?"):format(why, files,
      files == 1 and "" or "s"),
  }
end

return verdict
