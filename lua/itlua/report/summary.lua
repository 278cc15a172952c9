--- The end of the terminal's report: causes that failures share, counts, what failed, was slow, was left open.

local anatomy = require "itlua.report.anatomy"
local text = require "itlua.report.text"

local summary = {}

--- This many failures of one cause are printed in full.
summary.alike_limit = 3

local function rows(run, label, entries)
  local p = run.view.paint
  if run.view.columns < 50 and entries[1] then -- the label has a line of its own
    run.say((" %s\n"):format(p("dim", label)))
    for _, entry in ipairs(entries) do run.say(("   %s\n"):format(entry)) end
    return
  end
  for i, entry in ipairs(entries) do
    run.say((" %s  %s\n"):format(p("dim", text.pad(i == 1 and label or "", 8)), entry))
  end
end

-- Places and names in two columns; each entry is {place, names, in front}.
local function placed(run, list)
  local widest, entries = 0, {}
  for _, item in ipairs(list) do widest = math.max(widest, math.min(48, text.width(item[1]))) end
  for i, item in ipairs(list) do
    local front = item[3] and item[3] .. "  " or ""
    local narrow = run.view.columns < 50
    local room = math.max(16, run.view.columns - 13 - text.width(front) - math.max(widest, text.width(item[1])))
    if narrow then room = math.max(8, run.view.columns - 6) end
    local name = text.clip(text.one_line(table.concat(item[2], " · ")), room)
    entries[i] = narrow and ("%s%s\n     %s"):format(front, run.view.paint("cyan", item[1]), name)
      or front .. run.view.paint("cyan", text.pad(item[1], widest)) .. "  " .. name
  end
  return entries
end

local function failed_rows(run)
  local list = {}
  for i, item in ipairs(run.failed) do
    if i > 20 and not run.verbose then break end
    local file, line = anatomy.place(item.record)
    local test = item.record.test
    local at = test and not test.source and test.line or line
    list[i] = { (file or "") .. (at and ":" .. at or ""), item.names }
  end
  local entries = placed(run, list)
  if #run.failed > #list then
    entries[#entries + 1] = run.view.paint("dim", ("and %d more"):format(#run.failed - #list))
  end
  return entries
end

-- Tests that passed, but not at first.
local function flaky_rows(run)
  local list = {}
  for i, item in ipairs(run.flaky) do
    if i > 20 and not run.verbose then break end
    local test = item.record.test
    list[i] = { (test.source or test.file) .. ":" .. test.line, item.names, ("attempt %d"):format(item.attempts) }
  end
  local entries = {}
  for i, entry in ipairs(placed(run, list)) do
    entries[#entries + 1] = entry
    local before = run.flaky[i].first
    local said, diff = nil, nil
    if before then said, diff = anatomy.message({ event = before, message = before.message }) end
    local line = said and text.one_line(table.concat(said, " ") .. " " .. table.concat(diff or {}, " "))
    if line and line ~= "" then
      entries[#entries + 1] = run.view.paint("dim", "           before: " .. text.clip(line, run.view.columns - 32))
    end
  end
  if #run.flaky > #list then
    entries[#entries + 1] = run.view.paint("dim", ("and %d more"):format(#run.flaky - #list))
  end
  return entries
end

local function slow_rows(run, ev)
  if ev.seconds < 1 and not run.verbose then return {} end
  local list = {}
  for i, item in ipairs(run.slow) do
    if i > (run.verbose and 10 or 3) or (item.record.seconds < 0.1 and not run.verbose) then break end
    local duration = text.pad(text.duration(item.record.seconds), 8, true)
    list[i] = { item.file .. ":" .. item.record.line, item.names, duration }
  end
  return placed(run, list)
end

local function left_rows(run)
  local entries = {}
  for i, item in ipairs(run.left) do
    if i > 10 and not run.verbose then
      entries[#entries + 1] = ("and %d more"):format(#run.left - 10)
      break
    end
    local by = item.record and ("by \"%s\" (%s:%d)"):format(text.one_line(item.record.test.own or item.record.name),
      item.record.test.file, item.record.line) or item.file and "by " .. item.file or "outside any file"
    local lines = text.lines(text.visible(item.left))
    if #lines == 1 and text.width(lines[1]) + text.width(by) + 14 <= run.view.columns then
      entries[#entries + 1] = lines[1] .. "   " .. by
    else
      entries[#entries + 1] = by
      for _, line in ipairs(lines) do entries[#entries + 1] = "  " .. line end
    end
  end
  return entries
end

local function blocked_rows(run)
  local seconds, order = {}, {}
  for _, ev in ipairs(run.blocked) do
    if not seconds[ev.file] then order[#order + 1] = ev.file end
    seconds[ev.file] = math.max(seconds[ev.file] or 0, ev.seconds)
  end
  table.sort(order, function(a, b) return seconds[a] > seconds[b] end)
  local entries = {}
  for i = 1, math.min(3, #order) do
    local duration = text.duration(seconds[order[i]])
    entries[i] = ("%s held its worker for %s; other files had to wait"):format(order[i], duration)
  end
  return entries
end

local function shared_causes(run)
  local groups = {}
  for _, group in pairs(run.causes) do
    if group.count > summary.alike_limit then groups[#groups + 1] = group end
  end
  table.sort(groups, function(a, b)
    if a.count ~= b.count then return a.count > b.count end
    return a.message < b.message
  end)
  return groups
end

local function service_rows(ev)
  local entries, names, widest = {}, {}, 0
  for line in (ev.services or ""):gmatch "[^\n]+" do
    local name, what = text.visible(line):match "^(%S+)%s%s+(.*)$"
    names[#names + 1] = { name or text.visible(line), what or "" }
    widest = math.max(widest, name and math.min(24, text.width(name)) or 0)
  end
  for i, entry in ipairs(names) do
    entries[i] = entry[2] == "" and entry[1] or text.pad(entry[1], widest) .. "  " .. entry[2]
  end
  return entries
end

--- Prints the summary.
---@param run table     the terminal's state: view, counts, failed, causes, slow, left, blocked, say(text)
---@param ev table      the run_end event
function summary.print(run, ev)
  local p, counts = run.view.paint, run.counts
  if run.after == "file" then run.say("\n") end
  for _, group in ipairs(shared_causes(run)) do
    run.say(("%s %s in %s share one cause: %s\n\n"):format(p("red", "✗"), text.count(group.count, "failure"),
      text.count(group.file_count, "file"), group.message))
  end
  if ev.interrupted then run.say(p("yellow", " Interrupted by " .. ev.interrupted .. ".") .. "\n") end
  local facts = { p(counts.passed > 0 and "green" or "dim", counts.passed .. " passed") }
  if counts.failed > 0 then facts[#facts + 1] = p("red", counts.failed .. " failed") end
  if counts.errors > 0 then facts[#facts + 1] = p("red", text.count(counts.errors, "error") .. " outside tests") end
  if counts.pending > 0 then facts[#facts + 1] = p("yellow", counts.pending .. " pending") end
  if #run.flaky > 0 then facts[#facts + 1] = p("yellow", #run.flaky .. " flaky") end
  facts[#facts + 1] = p("dim", text.duration(ev.seconds))
  run.say(" " .. p("bright", text.count(counts.tests, "test")) .. " · " .. table.concat(facts, " · ") .. "\n")
  if #run.failed > 1 then rows(run, "failed", failed_rows(run)) end
  rows(run, "flaky", flaky_rows(run))
  rows(run, "slowest", slow_rows(run, ev))
  rows(run, "services", service_rows(ev))
  rows(run, "left", left_rows(run))
  rows(run, "blocked", blocked_rows(run))
  local seed = run.run and run.run.seed
  if seed and (#run.failed > 0 or #run.flaky > 0) then rows(run, "seed", { tostring(seed) }) end
  if run.written and run.written[1] then rows(run, "reports", { table.concat(run.written, " · ") }) end
  if run.hidden_output then rows(run, "output", { p("dim", "of passing tests is shown with -v") }) end
end

return summary
