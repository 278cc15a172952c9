--- What a run came to: counts, the log of what succeeded, why no test ran.

local account = {}

local filters = { "tags", "exclude-tags", "filter", "filter-out", "name", "exclude-names-file" }

--- Whether settings leave out some of the tests of a file.
---@param settings table
---@param files itlua.cli.file[]
---@return boolean
function account.partial(settings, files)
  for _, name in ipairs(filters) do
    local value = settings[name]
    if value and #value > 0 then return true end
  end
  for _, file in ipairs(files) do
    if file.lines or file.chosen then return true end
  end
  return false
end

--- Why no test ran.
---@param settings table
---@param files itlua.cli.file[]
---@param roots string[]
---@return string
function account.nothing_ran(settings, files, roots)
  if #files == 0 then
    return ("no file below %s has a name that matches %s"):format(table.concat(roots, ", "),
      table.concat(settings.pattern, " or "))
  end
  local used = {}
  for _, name in ipairs(filters) do
    local value = settings[name]
    if value and #value > 0 then
      used[#used + 1] = ("--%s=%s"):format(name, type(value) == "table" and table.concat(value, ",") or value)
    end
  end
  for _, file in ipairs(files) do
    if file.lines then used[#used + 1] = ("%s:%d"):format(file.path, file.lines[1]) end
    if file.chosen and used[#used] ~= "--last-failed" then used[#used + 1] = "--last-failed" end
  end
  local where = #files == 1 and files[1].path or ("%d files"):format(#files)
  if #used > 0 then return ("%s left none of the tests in %s"):format(table.concat(used, ", "), where) end
  return ("there is no test in %s"):format(where)
end

--- Which commands may help after a run that failed.
---@param settings table
---@param result { failed: integer, nothing?: string }
function account.hint(settings, result)
  local program = (settings.program or "itlua"):match("[^/]*$")
  local lines = {}
  if result.nothing then
    lines[1] = program .. " init            writes a first spec, where there is none"
  else
    lines[1] = program .. " --last-failed   runs what failed, and nothing else"
    lines[2] = program .. " --bisect        finds the test that spoils one that passes alone"
  end
  for i, line in ipairs(lines) do io.stderr:write(i == 1 and "hint: " or "      ", line, "\n") end
end

---@return table counts
function account.new() return { successes = 0, failures = 0, errors = 0, pendings = 0, tests = 0 } end

local plural = { failure = "failures", error = "errors" }

local function count(counts, ev)
  local kind = ev.ev
  if kind == "test_end" then
    counts.tests = counts.tests + 1
    if ev.status == "success" then counts.successes = counts.successes + 1 end
    if ev.status == "pending" then counts.pendings = counts.pendings + 1 end
    if ev.flaky then counts.flaky = (counts.flaky or 0) + 1 end
  elseif kind == "problem" then
    local field = plural[ev.kind]
    if field then counts[field] = counts[field] + 1 end
  elseif kind == "listed" then
    counts.tests = counts.tests + 1
  end
end

-- The full names of tests that succeed, a line each.
local function logger(log, hide)
  local names = {}
  return function(ev)
    local kind = ev.ev
    if kind == "file_start" then
      names[ev.file] = {}
    elseif kind == "test_start" then
      names[ev.file][ev.id] = ev.name
    elseif kind == "test_end" and ev.status == "success" then
      log:write(hide(names[ev.file][ev.id]), "\n")
    end
  end
end

--- A function that takes every event of a run: counts, logs, reports, keeps.
---@param reports table
---@param settings table
---@param log? file*
---@param past? itlua.cli.history
---@return fun(counts: table, ev: table)
function account.teller(reports, settings, log, past)
  local hide = settings.mask
  local log_event = log and logger(log, hide)
  return function(counts, ev)
    if not ev.retried then count(counts, ev) end -- what is retried counts when it has come to an end
    if log_event and not ev.retried then log_event(ev) end
    if past then past:event(ev) end
    if settings.list then
      if ev.ev == "listed" then io.stdout:write(("%s:%d: %s\n"):format(ev.source or ev.file, ev.line, hide(ev.name))) end
      if ev.ev == "problem" then io.stderr:write(hide(ev.message), "\n") end
    end
    reports:event(ev)
  end
end

return account
