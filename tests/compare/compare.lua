--- Runs spec files under busted and under itlua and compares what happened, test by test: names, order, status,
-- messages.
--     build/itlua exec tests/compare/compare.lua [-v] [FILE…]       FILE: a spec; without: all of tests/fixtures/busted
--     build/itlua exec tests/compare/compare.lua -C FOLDER [ARG…]   the suite of another project; ARG…: for
--                                                                   both command lines
-- BUSTED is the command of the busted to compare with, "lua5.4 /usr/bin/busted" without it. ITLUA is the itlua to
-- compare, without it the one that runs this. A spec may say in comments on its first lines what the comparison needs to know:
--     -- options: --seed=3 --tags=x     for both command lines
--     -- files: a_spec.lua b_spec.lua   what to run instead of the file itself
--     -- needs: 2.3.0                   an older busted does this differently: what such a busted did is in
--                                       tests/compare/recorded/ (BUSTED=… compare.lua --record makes it)
--     -- compare: status                only names and statuses, not messages
-- Last line: `N passed, N failed, N skipped`.

local json = require "itlua.json"

local FOLDER = "tests/fixtures/busted"
local other = arg[1] == "-C" and table.remove(arg, 1) and table.remove(arg, 1)
if other then FOLDER = other end
local here = io.popen("pwd"):read("l")
local BUSTED = os.getenv("BUSTED") or "lua5.4 /usr/bin/busted"
local ITLUA = os.getenv("ITLUA") or io.popen("readlink /proc/$PPID/exe"):read("l")
local verbose = arg[1] == "-v" and table.remove(arg, 1)
local recording = arg[1] == "--record" and table.remove(arg, 1)

local function output_of(command)
  local pipe = assert(io.popen(command .. " 2>&1", "r"))
  local text = pipe:read("a")
  pipe:close()
  return text
end

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read("a") or ""
  if file then file:close() end
  return text
end

local function header(text, name)
  return text:sub(1, 600):match("\n%-%- " .. name .. ": ([^\n]+)") or text:match("^%-%- " .. name .. ": ([^\n]+)")
end

local function number_of(version)
  local major, minor, patch = (version or ""):match("(%d+)%.(%d+)%.(%d+)")
  return major and major * 10000 + minor * 100 + patch
end

-- Addresses, the paths that require tried, and the runners' own frames below the spec's differ by nature.
local function normal(text)
  return (tostring(text):gsub("0x%x+", "0x"):gsub("\n\tno file '[^']*'", ""):gsub("\n\t[^\n]*/mediator.lua:.*", "\n")
    :gsub("\n\titlua:.*", "\n"):gsub("[%w/.]*(luassert/[%a/]+%.lua:%d+: )", "%1"):gsub("\\", "\\\\"):gsub("\n", "\\n"))
end

-- == what happened, as lines ==

local function under_busted(command_line)
  local record = os.tmpname()
  local handler = here .. "/tests/compare/record.lua"
  local command = ("cd %s && %s -o %s -Xoutput %s %s"):format(FOLDER, BUSTED, handler, record, command_line)
  local said = output_of(command)
  local lines = {}
  for line in read(record):gmatch("[^\n]+") do
    lines[#lines + 1] = normal((line:gsub("\\(.)", { n = "\n", ["\\"] = "\\" })))
  end
  os.remove(record)
  return lines, said
end

local hooks = {
  before_each = true, after_each = true,
  strict_setup = true, strict_teardown = true, lazy_setup = true, lazy_teardown = true,
}

-- The name as busted's handlers print it.
local function name_of(event)
  if hooks[event.where] then return (event.name == "" and "" or event.name .. " ") .. event.own end
  if event.where == "file" then return "suite " .. event.own end
  return event.name ~= "" and event.name or event.own or ""
end

local function under_itlua(command_line)
  local said = output_of(("cd %s && %s -o jsonl %s"):format(FOLDER, ITLUA, command_line))
  local lines, names = {}, {}
  local function add(...) lines[#lines + 1] = normal(table.concat({ ... }, "\t")) end
  for line in said:gmatch("[^\n]+") do
    local ok, event = pcall(json.decode, line)
    event = ok and type(event) == "table" and event or {}
    if event.ev == "test_start" then
      names[event.id] = event.name
      add("start", event.line, event.name)
    elseif event.ev == "test_end" then
      add("end", event.status, names[event.id])
    elseif event.ev == "problem" then
      local place = event.line == 0 and "-" or event.source .. ":" .. event.line
      add(event.kind, event.at_line, name_of(event), event.message, place, event.traceback or "")
    end
  end
  return lines, said
end

local function only_status(lines)
  local kept = {}
  for _, line in ipairs(lines) do
    local kind, rest = line:match("^(%a+)\t(.*)")
    if kind == "end" then
      kept[#kept + 1] = line
    elseif kind ~= "start" and kind ~= "file" then
      kept[#kept + 1] = kind .. "\t" .. (rest:match("^%d+\t([^\t]*)") or rest):gsub("^suite ", "")
    end
  end
  return kept
end

local function without(lines, kind)
  local kept = {}
  for _, line in ipairs(lines) do
    if not line:find("^" .. kind .. "\t") then kept[#kept + 1] = line end
  end
  return kept
end

-- == the comparison ==

local counts = { passed = 0, failed = 0, skipped = 0 }

local function differing(a, b)
  for i = 1, math.max(#a, #b) do
    if a[i] ~= b[i] then return i end
  end
end

local function recorded_file(path)
  return "tests/compare/recorded/" .. path:match("([^/]*)%.lua$")
end

local function recorded(path)
  local lines = {}
  for line in read(recorded_file(path)):gmatch("[^\n]+") do lines[#lines + 1] = line end
  return lines, "nothing is recorded in " .. recorded_file(path)
end

local function record(path, lines)
  local file = assert(io.open(recorded_file(path), "w"))
  file:write(table.concat(lines, "\n"), "\n")
  file:close()
end

local function compare(path, version)
  local text = read(path)
  local needs = number_of(header(text, "needs"))
  local files = header(text, "files") or path:match("[^/]*$")
  local command_line = (header(text, "options") or "") .. " " .. files
  local too_old = needs and needs > version
  local theirs, they_said = (too_old and recorded or under_busted)(too_old and path or command_line)
  if recording then
    if needs and not too_old then record(path, theirs) end
    return
  end
  local ours, we_said = under_itlua(command_line)
  theirs = without(theirs, "file")
  if header(text, "compare") == "status" then theirs, ours = only_status(theirs), only_status(ours) end
  local at = differing(theirs, ours)
  if verbose then print(("%-60s %d lines%s"):format(path, #theirs, at and ", different" or "")) end
  if not at then
    counts.passed = counts.passed + 1
    return
  end
  counts.failed = counts.failed + 1
  print(("%s: line %d of what happened differs"):format(path, at))
  print("  busted: " .. (theirs[at] or "(no more) " .. they_said:sub(-300)))
  print("  itlua:  " .. (ours[at] or "(no more) " .. we_said:sub(-300)))
end

local function all_of(folder)
  local files = {}
  for path in output_of("ls " .. folder .. "/*_spec.lua"):gmatch("[^\n]+") do files[#files + 1] = path end
  return files
end

-- == another project's suite ==

local function counted(lines)
  local by, words = {}, {}
  for _, line in ipairs(lines) do
    local word = line:match("^end\t(%a+)") or line:match("^error") and "errors in all"
    if word then by[word] = (by[word] or 0) + 1 end
  end
  for word, n in pairs(by) do words[#words + 1] = n .. " " .. word end
  table.sort(words)
  return table.concat(words, ", ")
end

if other then
  local words = {}
  for i, word in ipairs(arg) do words[i] = "'" .. word:gsub("'", "'\\''") .. "'" end
  local command_line = table.concat(words, " ")
  local theirs, they_said = under_busted(command_line)
  local ours, we_said = under_itlua(command_line)
  theirs = without(theirs, "file")
  print("busted: " .. (counted(theirs) ~= "" and counted(theirs) or they_said:sub(-500)))
  print("itlua:  " .. (counted(ours) ~= "" and counted(ours) or we_said:sub(-500)))
  if not verbose then theirs, ours = only_status(theirs), only_status(ours) end
  local at, shown = 0, 0
  for i = 1, math.max(#theirs, #ours) do
    if theirs[i] ~= ours[i] and shown < 10 then
      shown, at = shown + 1, i
      print(("%d\n  busted: %s\n  itlua:  %s"):format(i, theirs[i] or "-", ours[i] or "-"))
    end
  end
  os.exit(at == 0)
end

local version = number_of(output_of(BUSTED .. " --version"))
local files = #arg > 0 and arg or all_of(FOLDER)
if version then
  for _, path in ipairs(files) do compare(path, version) end
else
  print("skipped: no busted to compare with: " .. BUSTED)
  counts.skipped = #files
end
print(("%d passed, %d failed, %d skipped"):format(counts.passed, counts.failed, counts.skipped))
if counts.failed > 0 then os.exit(1) end
