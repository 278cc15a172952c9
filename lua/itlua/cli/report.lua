--- itlua report FILE…: recorded events (`-o jsonl:FILE`) to any report. Several recordings become one run: shards, or
--- the runs of several machines.

local json = require "itlua.json"
local mask = require "itlua.mask"
local options = require "itlua.cli.options"

local report = {}

local taken = {
  output = true, Xoutput = true, verbose = true, ["defer-print"] = true, ["suppress-pending"] = true, lang = true,
  help = true, history = true,
}

local list = {}
for _, o in ipairs(options.run) do
  if taken[o.long] then list[#list + 1] = o end
end

---@return string
function report.help()
  return [=[
Usage: itlua report FILE... [-o KIND[:FILE]]...

Makes reports of recorded runs: FILE is what `itlua -o jsonl:FILE` wrote. Several become
one run, as shards do.

  itlua report events.jsonl -o junit:junit.xml
  itlua report shard-*.jsonl --history

--history keeps times and results in .itlua/, as a run does: the next shards are cut by
the times. Without it nothing is kept.

Exit code: 0 the reports were written; 1 one could not be, or a recording ends early;
2 wrong usage, or a file that holds no events.
]=] .. options.describe(list)
end

-- The events of one recording, and what is wrong with it.
local function read(path)
  local file, why = io.open(path, "rb")
  if not file then return nil, why end
  local events, broken, number = {}, nil, 0
  for line in file:lines() do
    number = number + 1
    if line:find "%S" then
      local ok, event = pcall(json.decode, line)
      if ok and type(event) == "table" and type(event.ev) == "string" then
        events[#events + 1] = event
      else
        broken = broken or ("%s:%d: this line is no event"):format(path, number)
      end
    end
  end
  file:close()
  if #events == 0 then return nil, broken or path .. ": there is no event in it" end
  return events, broken
end

local fields = { success = "successes", failure = "failures", error = "errors", pending = "pendings" }

local function count(counts, event)
  if event.retried then return end
  if event.ev == "test_end" then
    if event.flaky then counts.flaky = (counts.flaky or 0) + 1 end
    counts.tests = counts.tests + 1
    if event.status == "success" or event.status == "pending" then
      counts[fields[event.status]] = counts[fields[event.status]] + 1
    end
  elseif event.ev == "problem" and event.kind ~= "pending" and fields[event.kind] then
    counts[fields[event.kind]] = counts[fields[event.kind]] + 1
  end
end

local function new_counts() return { successes = 0, failures = 0, errors = 0, pendings = 0, tests = 0 } end

-- A recording without its end: what ran until then, and that it stopped.
local function completed(events)
  if events[#events].ev == "run_end" then return true end
  local last, counts, began, latest = { ev = "run_end", interrupted = "the end of its recording" }, new_counts(), nil, 0
  for _, event in ipairs(events) do
    if event.ev == "run_start" then counts, began = new_counts(), event.at end
    count(counts, event)
    latest = math.max(latest, event.at or 0)
  end
  last.seconds = began and math.max(0, latest - began) or 0
  for name, value in pairs(counts) do last[name] = value end
  events[#events + 1] = last
  return false
end

-- One run out of several.
local function merged(recordings)
  local first, last = { ev = "run_start", run = 1, runs = 1, files = 0, jobs = 0 }, { ev = "run_end" }
  local counts = new_counts()
  local began, ended = math.huge, 0
  local all = { first }
  for _, events in ipairs(recordings) do
    local start
    for _, event in ipairs(events) do
      if event.ev == "run_start" then
        start = event
        began = math.min(began, event.at or began)
        for _, name in ipairs { "version", "seed", "concurrency" } do first[name] = first[name] or event[name] end
        first.files, first.jobs = first.files + (event.files or 0), first.jobs + (event.jobs or 0)
        first.randomized = first.randomized or event.randomized
        first.plans = first.plans or {}
        first.partial = first.partial or event.partial
        if event.shard_plan then first.plans[event.shard_plan] = true end
      elseif event.ev == "run_end" then
        ended = math.max(ended, (start and start.at or 0) + event.seconds)
        last.interrupted, last.nothing = last.interrupted or event.interrupted, last.nothing or event.nothing
      else
        count(counts, event)
        all[#all + 1] = event
      end
    end
  end
  if first.plans and next(first.plans, next(first.plans)) then
    io.stderr:write("itlua: report: these shards were cut from different lists of files or times: some tests may have run " ..
      "twice, others never\n")
  end
  first.plans = nil
  first.at = began < math.huge and began or 0
  last.seconds = math.max(0, ended - first.at)
  for name, value in pairs(counts) do last[name] = value end
  if counts.tests > 0 then last.nothing = nil end
  all[#all + 1] = last
  return all
end

-- Keeps what was recorded as if it had run here.
local function keep(events)
  local past = require("itlua.cli.history").open { history = true, mask = mask.text }
  local facts = { at = 0, partial = true, counts = {}, files = 0 }
  for _, event in ipairs(events) do
    past:event(event)
    if event.ev == "run_start" then
      facts.at, facts.seed, facts.files = event.at, event.seed, event.files
      facts.partial = event.partial or false
    elseif event.ev == "run_end" then
      facts.counts = event
      facts.partial = facts.partial or event.interrupted ~= nil
    end
  end
  past:keep(facts)
end

---@param args string[]
---@param all string[]
---@return integer exit_code
function report.run(args, all)
  local cli = require "itlua.cli"
  local given, paths = options.parse(args, list)
  if not given then return cli.refuse(paths --[[@as string]]) end
  if #paths == 0 then return cli.refuse "report: name the recorded events: itlua report FILE..." end
  local recordings, whole = {}, true
  for i, path in ipairs(paths) do
    local events, wrong = read(path)
    if not events then return cli.refuse("report: " .. wrong) end
    if not completed(events) then
      whole, wrong = false, wrong or path .. ": the recording ends early"
    end
    if wrong then io.stderr:write("itlua: report: ", wrong, "\n") end
    recordings[i] = events
  end
  given.output, given.Xoutput = given.output or {}, given.Xoutput or {}
  given.project, given.program, given.mask = true, all[0], mask.text
  local reports, wrong = require("itlua.cli.outputs").open(given)
  if not reports then return cli.refuse(wrong) end
  local events = #recordings == 1 and recordings[1] or merged(recordings)
  for _, event in ipairs(events) do reports:event(event) end
  if given.history then keep(events) end
  reports:finish()
  local ok, why, files = reports.close()
  if not ok then io.stderr:write("itlua: a report could not be written", why and ": " .. why or "", "\n") end
  return ok and files and whole and 0 or 1
end

return report
