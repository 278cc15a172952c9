--- Recorded events (`-o jsonl:FILE`): read back line by line, completed where the recording ends early, merged to one run.
-- A line may be anything: what is no event, or one that no reporter could use, is left out and said with its place.

local json = require "itlua.json"

local recording = {}

local MOST_SAID = 5 -- damaged lines of a file that are named one by one

-- What a reporter relies on, by kind of event; "?" in front: if it is there.
local shapes = {
  run_start = { at = "number" },
  file_start = { file = "string", at = "?number" },
  block_start = { file = "string", id = "number", parent = "number", name = "string" },
  block_end = { file = "string", id = "number" },
  test_start = { file = "string", id = "number", name = "string", line = "number", at = "?number" },
  test_end = { file = "string", id = "number", status = "string", seconds = "number" },
  problem = { kind = "string", message = "string", source = "string", line = "number" },
  output = { text = "string" },
  file_end = { file = "string", seconds = "number" },
  blocked = { file = "string", seconds = "number" },
  run_end = { seconds = "number" },
}

-- And of what may be in any of them.
local types = {
  string = { "file", "name", "own", "kind", "where", "message", "source", "at_source", "traceback", "error_kind",
    "error_code",
    "timeline", "diff", "curl", "cause", "cause_key", "text", "left", "service", "skipped", "crashed", "interrupted",
      "nothing",
    "services", "excerpt", "status", "version", "profile" },
  number = { "at", "seconds", "began", "line", "at_line", "last", "id", "block", "parent", "attempt", "attempts",
    "worker", "files",
    "jobs", "concurrency", "seed", "run", "runs", "successes", "failures", "errors", "pendings", "tests",
    "randomseed", "excerpt_line" },
}
local type_of = {}
for kind, names in pairs(types) do
  for _, name in ipairs(names) do type_of[name] = kind end
end

local statuses = { success = true, failure = true, error = true, pending = true }
-- Numbers with a fraction, and how large they may be; all others are whole.
local limits = { at = 1e11, began = 1e11, seconds = 1e9 }

local function usable(event)
  if type(event) ~= "table" or type(event.ev) ~= "string" then return false end
  for name, value in pairs(event) do
    local wanted = type_of[name]
    if type(name) ~= "string" or type(value) == "table" or (wanted and type(value) ~= wanted) then return false end
    if wanted == "number" and not limits[name] and not math.tointeger(value) then return false end
    if limits[name] and not (value >= 0 and value <= limits[name]) then return false end
  end
  for name, wanted in pairs(shapes[event.ev] or {}) do
    if event[name] == nil and wanted:sub(1, 1) ~= "?" then return false end
  end
  if event.ev == "test_end" and not statuses[event.status] then return false end
  if event.ev == "problem" and (not statuses[event.kind] or event.kind == "success") then return false end
  return true
end

--- The events of one recording.
---@param path string
---@return table[]? events      nil where there is none in it
---@return string[] wrong       what is wrong with it, a line each
function recording.read(path)
  local file, why = io.open(path, "rb")
  if not file then return nil, { why } end
  local events, wrong, number, damaged = {}, {}, 0, 0
  local ok, problem = pcall(function()
    for line in file:lines() do
      number = number + 1
      if line:find "%S" then
        local decoded, event = pcall(json.decode, line)
        if decoded and usable(event) then
          events[#events + 1] = event
        else
          damaged = damaged + 1
          if damaged <= MOST_SAID then wrong[#wrong + 1] = ("%s:%d: this line is no event"):format(path, number) end
        end
      end
    end
  end)
  file:close()
  if damaged > MOST_SAID then
    wrong[#wrong + 1] = ("%s: and %d more lines that are no events"):format(path, damaged - MOST_SAID)
  end
  if not ok then wrong[#wrong + 1] = ("%s: %s"):format(path, (tostring(problem):gsub("^.*: ", ""))) end
  if #events == 0 then
    return nil, wrong[1] and { wrong[1] } or { path .. ": there is no event in it" }
  end
  return events, wrong
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

--- Gives a recording the beginning and the end that it lacks: what ran until then, and that it stopped.
---@param events table[]
---@return boolean whole     nothing was missing
function recording.complete(events)
  local whole = true
  if events[1].ev ~= "run_start" then
    local at
    for _, event in ipairs(events) do at = at or event.at end
    table.insert(events, 1, { ev = "run_start", version = "", at = at or 0, files = 0, seed = 0, run = 1,
      runs = 1, randomized = false })
    whole = false
  end
  if events[#events].ev == "run_end" then return whole end
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

-- How long they took together: shards run side by side, runs of different days do not.
local function covered(spans)
  table.sort(spans, function(a, b) return a[1] < b[1] end)
  local seconds, reached = 0, -math.huge
  for _, span in ipairs(spans) do
    seconds = seconds + math.max(0, span[2] - math.max(span[1], reached))
    reached = math.max(reached, span[2])
  end
  return seconds
end

local function begin(first, event)
  for _, name in ipairs { "version", "seed", "concurrency", "profile" } do first[name] = first[name] or event[name] end
  first.files, first.jobs = first.files + (event.files or 0), first.jobs + (event.jobs or 1)
  first.randomized, first.partial = first.randomized or event.randomized, first.partial or event.partial
end

local function finish(last, event)
  last.interrupted, last.nothing = last.interrupted or event.interrupted, last.nothing or event.nothing
  -- Each shard started services of its own; what they were is said once.
  if event.services and not (last.services or ""):find(event.services, 1, true) then
    last.services = (last.services and last.services .. "\n" or "") .. event.services
  end
end

--- One run out of several.
---@param recordings table[][]
---@return table[] events
---@return string? doubt     why it may not be what it looks like
function recording.merge(recordings)
  local first, last = { ev = "run_start", run = 1, runs = 1, files = 0, jobs = 0 }, { ev = "run_end" }
  local counts, spans, plans, all = new_counts(), {}, {}, { first }
  for _, events in ipairs(recordings) do
    local start
    local workers_before = first.jobs
    for _, event in ipairs(events) do
      if event.ev == "run_start" then
        -- The repetitions of one run share its workers.
        if start then event.jobs = 0 end
        start = event
        begin(first, event)
        if event.shard_plan then plans[event.shard_plan] = true end
      elseif event.ev == "run_end" then
        spans[#spans + 1] = { start.at, start.at + math.max(0, event.seconds) }
        finish(last, event)
      else
        if event.ev == "file_start" then
          event.worker, event.began = workers_before + (math.tointeger(event.worker) or 1), start.at
        end
        count(counts, event)
        all[#all + 1] = event
      end
    end
  end
  last.seconds = covered(spans)
  first.at = spans[1] and spans[1][1] or 0
  for name, value in pairs(counts) do last[name] = value end
  if counts.tests > 0 then last.nothing = nil end
  all[#all + 1] = last
  return all, next(plans, next(plans))
    and "these shards were cut from different lists of files or times: some tests may have " ..
    "run twice, others never" or nil
end

return recording
