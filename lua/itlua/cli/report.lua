--- itlua report FILE…: recorded events (`-o jsonl:FILE`) to any report. Several recordings become one run: shards, or
--- the runs of several machines.

local mask = require "itlua.mask"
local options = require "itlua.cli.options"
local recording = require "itlua.cli.recording"

local report = {}

local taken = {
  output = true, Xoutput = true, verbose = true, ["defer-print"] = true, ["suppress-pending"] = true, lang = true,
  help = true, history = true,
}

local list = {}
for _, o in ipairs(options.run) do
  if taken[o.long] then list[#list + 1] = o end
end
report.options = list

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

A line that is no event is said with its place, and the rest is used.

Exit code: 0 the reports were written; 1 one could not be, or a recording is damaged or
ends early; 2 wrong usage, or a file that holds no events.
]=] .. options.describe(list) .. require("itlua.report").describe()
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
    local events, wrong = recording.read(path)
    if not events then return cli.refuse("report: " .. wrong[1]) end
    if not recording.complete(events) and #wrong == 0 then wrong[1] = path .. ": the recording ends early" end
    for _, line in ipairs(wrong) do
      io.stderr:write("itlua: report: ", line, "\n")
      whole = false
    end
    recordings[i] = events
  end
  given.output, given.Xoutput = given.output or {}, given.Xoutput or {}
  given.project, given.program, given.mask = true, all[0], mask.of(require("itlua.cli.config").secrets())
  local reports, wrong = require("itlua.cli.outputs").open(given)
  if not reports then return cli.refuse(wrong) end
  local events, doubt = recordings[1], nil
  if #recordings > 1 then events, doubt = recording.merge(recordings) end
  if doubt then io.stderr:write("itlua: report: ", doubt, "\n") end
  for _, event in ipairs(events) do reports:event(event) end
  if given.history then keep(events) end
  reports:finish()
  local ok, why, files = reports.close()
  if not ok then io.stderr:write("itlua: a report could not be written", why and ": " .. why or "", "\n") end
  return ok and files and whole and 0 or 1
end

return report
