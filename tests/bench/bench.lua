--- How fast itlua is, against raw loops over the same libraries in C and the tools people use:
--
--     make bench                        every row; BENCH_RUNS=9 for more runs of each (5), BUILD=… for another build
--     make bench ROWS="set pipeline"    these rows
--     make bench ROWS=list              the names of the rows
--
-- Each row measures ours and theirs in turn and compares the medians, so that what else the machine does falls on both.
-- What comes out is a table in Markdown; it is no test: nothing fails but the benchmark itself.
--
-- A row: key; what, against; as = "time" (ours/theirs, at most `reach`), "faster" (theirs/ours, at least), "rate" (of
-- `per` a measurement; theirs/ours, at least), "seconds", "MB" (ours alone, at most); needs: programs it cannot do
-- without; times = 3: what is short is measured as many times as often; run(compare) calls compare(ours [, theirs]),
-- functions that return seconds (or MB), and returns what that returns.
-- Or: several(runs) returns finished rows { what, against, reach, figure, met }.

local peers = require "tests.bench.peers"

local runs = tonumber(os.getenv "BENCH_RUNS") or 5

local rows = {}
for _, part in ipairs { "runner", "http", "data", "containers", "services", "broker", "kafka", "reports" } do
  table.move(require("tests.bench.rows." .. part), 1, 20, #rows + 1, rows)
end

local function median(values)
  table.sort(values)
  local middle = (#values + 1) // 2
  return #values % 2 == 1 and values[middle] or (values[middle] + values[middle + 1]) / 2
end

local function comparing(rounds)
  return function(ours, theirs)
    local mine, other = {}, {}
    for i = 1, rounds do
      if theirs then other[i] = theirs() end
      mine[i] = ours()
    end
    return median(mine), theirs and median(other)
  end
end

local function rate(n)
  return n >= 10000 and ("%.1fk/s"):format(n / 1000) or ("%.0f/s"):format(n)
end

local function time(seconds)
  return seconds < 1 and ("%.1f ms"):format(seconds * 1000) or ("%.2f s"):format(seconds)
end

-- How the figures of a row read: its reach, its figure, whether it is met.
local readings = {}

function readings.time(row, ours, theirs)
  local ratio = ours / theirs
  return ("at most %g of its time"):format(row.reach), ("%.2f (%s, %s)"):format(ratio, time(ours), time(theirs)),
    ratio <= row.reach
end

function readings.faster(row, ours, theirs)
  local ratio = theirs / ours
  return ("%g times faster"):format(row.reach), ("%.1f (%s, %s)"):format(ratio, time(ours), time(theirs)),
    ratio >= row.reach
end

function readings.rate(row, ours, theirs)
  local ratio = theirs / ours
  return ("%g of its rate"):format(row.reach),
    ("%.2f (%s, %s)"):format(ratio, rate(row.per / ours), rate(row.per / theirs)), ratio >= row.reach
end

function readings.seconds(row, ours)
  return ("at most %g s"):format(row.reach), ("%.2f s"):format(ours), ours <= row.reach
end

function readings.MB(row, ours)
  return ("at most %g MB"):format(row.reach), ("%.1f MB"):format(ours), ours <= row.reach
end

local function print_row(row, reach, figure, met)
  local verdict = met == nil and "-" or met and "yes" or "NO"
  print(("| %s | %s | %s | %s | %s |"):format(row.what, row.against, reach, figure, verdict))
end

local function missing(row)
  for _, program in ipairs(row.needs or {}) do
    if not peers.has(program) then return program end
  end
end

local function measure(row)
  local absent = missing(row)
  if absent then return print_row(row, "-", absent .. " is not installed") end
  local ok, err = pcall(function()
    if row.several then
      for _, one in ipairs(row.several(runs)) do print_row(one, one.reach, one.figure, one.met) end
    else
      print_row(row, readings[row.as](row, row.run(comparing(runs * (row.times or 1)))))
    end
  end)
  if not ok then print_row(row, "-", "could not be measured: " .. tostring(err):gsub("%s*\n%s*", " / "):gsub("|", "/")) end
end

local function machine()
  local cpu, cores = "unknown processor", 0
  for line in io.lines "/proc/cpuinfo" do
    if line:find "^processor" then cores = cores + 1 end
    cpu = line:match "^model name%s*:%s*(.*)" or cpu
  end
  return ("%s, %d cores, %s, load %s"):format(cpu, cores, peers.output { "uname", "-sr" },
    io.open("/proc/loadavg"):read "n")
end

local function chosen()
  if #arg == 0 then return rows end
  local list, unknown = {}, {}
  for _, key in ipairs(arg) do
    local before = #list
    for _, row in ipairs(rows) do
      if row.key == key then list[#list + 1] = row end
    end
    if #list == before then unknown[#unknown + 1] = key end
  end
  if #unknown > 0 then
    io.stderr:write("bench: no row is called ", table.concat(unknown, ", "), ": see ROWS=list\n")
    os.exit(2)
  end
  return list
end

io.stdout:setvbuf "line"
if arg[1] == "list" then
  for _, row in ipairs(rows) do print(("%-12s %s, against %s"):format(row.key, row.what, row.against)) end
  return
end
local list = chosen()
print(("%s\nmedians of %d runs; in brackets ours, theirs\n"):format(machine(), runs))
print "| what | against | reach | figure | met? |\n|---|---|---|---|---|"
for _, row in ipairs(list) do measure(row) end
