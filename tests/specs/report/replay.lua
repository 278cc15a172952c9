-- What the specs of reports share: recorded runs, made-up runs, and feeding them to a reporter.
local json = require "itlua.json"
local report = require "itlua.report"

local replay = {}

local here = debug.getinfo(1, "S").source:match "^@(.*)tests/specs/report/" or ""
replay.fixtures = here .. "tests/fixtures/reports/"

function replay.read(path)
  local file = assert(io.open(path, "rb"))
  local content = file:read "a"
  file:close()
  return content
end

--- A recorded run: its events and the options it was recorded with.
function replay.recorded(name)
  local events, folder = {}, replay.fixtures .. name .. "/"
  for line in io.lines(folder .. "events.jsonl") do events[#events + 1] = json.decode(line) end
  local opts = { args = {}, env = function() end }
  for option in io.lines(folder .. "options") do
    if option == "-v" then opts.verbose = true end
    if option == "--defer-print" then opts["defer-print"] = true end
    if option == "--suppress-pending" then opts["suppress-pending"] = true end
    opts.lang = opts.lang or option:match "^%-%-lang=(.*)"
    opts.args[#opts.args + 1] = option:match "^%-Xoutput=(.*)"
  end
  return events, opts
end

--- What a reporter prints for events.
function replay.print(kind, events, opts)
  local parts = {}
  opts = opts or {}
  opts.env = opts.env or function() end
  local reporter = assert(report.new(kind, opts, function(text) parts[#parts + 1] = text end))
  for _, ev in ipairs(events) do reporter:event(ev) end
  reporter:finish()
  return table.concat(parts)
end

--- A run of one file from short notes: {name =, status =, message =, output =, …}, one a test.
function replay.run(tests, more)
  local file = more and more.file or "spec/orders_spec.lua"
  local events = {
    { ev = "run_start", version = "0.1.0", at = 1795186449, files = 1, jobs = 1, concurrency = 1, seed = 81733, run = 1,
      runs = 1, randomized = false },
    { ev = "file_start", file = file, at = 1795186449, worker = 1 },
    { ev = "block_start", file = file, id = 1, parent = 0, name = "orders", kind = "describe", line = 1 },
  }
  local function add(ev) events[#events + 1] = ev end
  local counts = { success = 0, failure = 0, error = 0, pending = 0 }
  for i, test in ipairs(tests) do
    local id, line, own = i + 1, test.line or i * 10, test.name or "test " .. i
    add { ev = "test_start", file = file, id = id, block = 1, name = "orders " .. own, own = own, line = line,
      last = line + 5,
      kind = test.kind or "it", at = 1795186449 + i, source = test.source_file }
    if test.output then add { ev = "output", file = file, id = id, text = test.output } end
    if test.message then
      local problem = { ev = "problem", file = file, id = id, kind = test.status, where = "it", name = "orders " .. own,
        message = test.message, source = test.source or file, line = test.at or line + 1, at_line = line }
      for key, value in pairs(test.problem or {}) do problem[key] = value end
      add(problem)
    end
    counts[test.status] = counts[test.status] + 1
    add { ev = "test_end", file = file, id = id, status = test.status, seconds = test.seconds or 0.012,
      left = test.left }
  end
  for _, ev in ipairs(more and more.events or {}) do add(ev) end
  add { ev = "block_end", file = file, id = 1, seconds = 0.1 }
  add { ev = "file_end", file = file, seconds = more and more.seconds or 0.25, crashed = more and more.crashed }
  add { ev = "run_end", seconds = more and more.seconds or 0.3, successes = counts.success, failures = counts.failure,
    errors = counts.error, pendings = counts.pending, tests = #tests, interrupted = more and more.interrupted }
  return events
end

return replay
