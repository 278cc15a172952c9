--- What is kept of past runs, in the folder `.itlua/` beside itlua.lua (the working folder).
--
--   history.jsonl   a line a run: {at, seconds, tests, successes, failures, errors, pendings, flaky, seed, files, partial}
--   times.json      how long files took, and their slower tests: the order of files, shards
--   last.json       what failed when it last ran: --last-failed, --failed-first
--
-- A project with an itlua.lua keeps them, others where the folder is there or an option needs them. All files are
-- bounded and replaced by renaming. Git is told to ignore the folder. A damaged file is said and begun anew; a folder
-- that cannot be written is said once, and the run goes on.

local core = require "itlua.core"
local json = require "itlua.json"
local system = require "itlua.cli.core"

local history = {}

history.folder = ".itlua"

local RUNS = 500           -- lines of history.jsonl
local FILES = 20000        -- entries of times.json
local TESTS = 5000         -- and tests in it, the slowest
local FAILED = 10000       -- entries of last.json
local WORTH_KEEPING = 0.01 -- seconds of a test whose time is kept

---@class itlua.cli.history
---@field folder string
---@field running table<string, table>    by file: the test_start of the test that runs
---@field ran table<string, table>        by file: what became of it in this run
---@field warned? boolean
local History = {}
History.__index = History

local function say(text) io.stderr:write("itlua: ", text, "\n") end

local function read(path)
  local f, why, code = io.open(path, "rb")
  if not f then return nil, code ~= 2 and (why:gsub("^.-: ", "")) or nil end
  local text
  text, why = f:read("a")
  f:close()
  return text, why
end

local serial = 0

local function replace(path, text)
  serial = serial + 1
  local temporary = ("%s.%08x-%d"):format(path, system.random_seed(), serial)
  local f, why = io.open(temporary, "wb")
  if not f then return nil, why end
  local ok
  ok, why = f:write(text)
  local closed, problem = f:close()
  if ok and closed then ok, why = os.rename(temporary, path) end
  if ok and closed then return true end
  os.remove(temporary)
  return nil, why or problem
end

--- A path as it is kept: without what only says the same in another way.
---@param path string
---@return string
function history.key(path)
  path = path:gsub("/%./", "/"):gsub("//+", "/"):gsub("^%./+", "")
  if not utf8.len(path) then path = path:gsub("[\x80-\xff]", function(c) return ("\\x%02x"):format(c:byte()) end) end
  return path
end

local function load_document(self, name)
  local path = self.folder .. "/" .. name
  local text, why = read(path)
  if not text then
    if why then say(("%s: %s"):format(path, why)) end
    return nil
  end
  local ok, value = pcall(json.decode, text)
  if ok and type(value) == "table" and value.version == 1 then return value end
  say(path .. " is damaged: what it held is forgotten")
  return nil
end

local function numbers(from)
  local list = {}
  for name, value in pairs(type(from) == "table" and from or {}) do
    if type(name) == "string" and type(value) == "number" and value >= 0 then list[name] = value end
  end
  return list
end

--- How long things took: by file {seconds, tests = {full name = seconds}}. A file that never ran to its end has none.
---@return table<string, { seconds?: number, tests: table<string, number> }>
function History:times()
  if self.known_times then return self.known_times end
  local document = load_document(self, "times.json")
  local files = {}
  for path, entry in pairs(document and type(document.files) == "table" and document.files or {}) do
    if type(path) == "string" and type(entry) == "table" then
      files[path] = { seconds = type(entry.seconds) == "number" and entry.seconds or nil, tests = numbers(entry.tests) }
    end
  end
  self.known_times = files
  return files
end

---@class itlua.cli.failed
---@field file string
---@field name string       the full name of a test, or of a block whose hook failed; "" for the whole file
---@field line integer
---@field whole boolean     everything below the name

--- What failed when it last ran, by file.
---@return table<string, itlua.cli.failed[]> failed
---@return boolean kept     whether any run was kept yet
function History:failed()
  if not self.known_failed then
    local document = load_document(self, "last.json")
    self.known_failed, self.kept = {}, document ~= nil
    for _, entry in ipairs(document and type(document.failed) == "table" and document.failed or {}) do
      if type(entry) == "table" and type(entry.file) == "string" and type(entry.name) == "string" then
        local list = self.known_failed[entry.file] or {}
        self.known_failed[entry.file] = list
        list[#list + 1] = {
          file = entry.file, name = entry.name, line = math.tointeger(entry.line) or 0,
          whole = entry.whole == true or entry.name == "",
        }
      end
    end
  end
  return self.known_failed, self.kept
end

-- == taking in a run ==

local function of_file(self, file)
  local key = history.key(file)
  local entry = self.ran[key]
  if not entry then
    entry = { tests = {}, failed = {}, passed = {} }
    self.ran[key] = entry
  end
  return entry, key
end

-- A name as it may be kept: without secrets, and text.
local function shown(self, name)
  if not utf8.len(name) then name = name:gsub("[\x80-\xff]", function(c) return ("\\x%02x"):format(c:byte()) end) end
  return self.mask and self.mask(name) or name
end

local function failed(self, ev)
  local entry, key = of_file(self, ev.file)
  local test = ev.id and self.running[ev.file]
  local name = test and test.name or ev.name or ""
  local whole = not test
  if shown(self, name) ~= name then name, whole = "", true end -- it could not be found again by it
  if entry.failed[name] and not whole then return end
  entry.failed[name] = { file = key, name = name, line = test and test.line or ev.at_line or 0, whole = whole }
end

local on = {}

function on.file_start(self, ev)
  local entry = of_file(self, ev.file)
  entry.started = true
end

function on.test_start(self, ev) self.running[ev.file] = ev end

function on.test_end(self, ev)
  local test = self.running[ev.file]
  if not test then return end
  local entry
  if ev.seconds >= WORTH_KEEPING then
    entry = of_file(self, ev.file)
    entry.tests[test.name] = ev.seconds
  end
  if self.had_failed and ev.status == "success" then
    entry = entry or of_file(self, ev.file)
    entry.passed[test.name] = true
  end
end

function on.problem(self, ev)
  if ev.kind ~= "pending" and ev.file then failed(self, ev) end
end

function on.file_end(self, ev)
  local entry = of_file(self, ev.file)
  self.running[ev.file] = nil
  entry.seconds, entry.complete = ev.seconds, not ev.skipped and not ev.crashed
end

--- Takes an event of the run in.
---@param ev table
function History:event(ev)
  local handler = on[ev.ev]
  if handler and not ev.retried then handler(self, ev) end
end

-- == keeping it ==

local function average(before, now)
  local value = before and (before + now) / 2 or now
  return value - value % 0.0001
end

-- The slowest tests only, so that the file stays small.
local function bound(files)
  local all, count = {}, 0
  for path, entry in pairs(files) do
    count = count + 1
    if count > FILES then files[path] = nil end
    for name, seconds in pairs(entry.tests or {}) do all[#all + 1] = { entry.tests, name, seconds } end
  end
  if #all <= TESTS then return end
  table.sort(all, function(a, b) return a[3] > b[3] end)
  for i = TESTS + 1, #all do all[i][1][all[i][2]] = nil end
end

local function new_times(self, partial)
  local files = {}
  for path, entry in pairs(self:times()) do
    if self.ran[path] or system.kind(path) == "file" then files[path] = entry end
  end
  for path, entry in pairs(self.ran) do
    local before = files[path] or { tests = {} }
    local whole = entry.complete and not partial
    local merged = { seconds = before.seconds, tests = {} }
    if whole then merged.seconds = average(before.seconds, entry.seconds)
    else
      for name, seconds in pairs(before.tests) do merged.tests[name] = seconds end
    end
    for name, seconds in pairs(entry.tests) do
      local kept = shown(self, name)
      merged.tests[kept] = average(before.tests[kept], seconds)
    end
    files[path] = merged
  end
  bound(files)
  for _, entry in pairs(files) do
    entry.tests = next(entry.tests) and json.object(entry.tests) or nil
  end
  return { version = 1, files = json.object(files) }
end

-- What a file's earlier failures came to: what did not run keeps its word.
local function new_failed(self, facts)
  local list = {}
  local function add(entry) if #list < FAILED then list[#list + 1] = entry end end
  for path, entries in pairs((self:failed())) do
    local ran = self.ran[path]
    if not ran and system.kind(path) == "file" then
      for _, entry in ipairs(entries) do add(entry) end
    elseif ran and (facts.partial or not ran.complete) and not (facts.chosen and ran.complete) then
      for _, entry in ipairs(entries) do
        if not ran.passed[entry.name] and not ran.failed[entry.name] then add(entry) end
      end
    end
  end
  for _, ran in pairs(self.ran) do
    for _, entry in pairs(ran.failed) do add(entry) end
  end
  table.sort(list, function(a, b)
    if a.file ~= b.file then return a.file < b.file end
    if a.line ~= b.line then return a.line < b.line end
    return a.name < b.name
  end)
  return { version = 1, at = facts.at, seed = facts.seed, failed = json.array(list) }
end

local function whole_lines(text)
  local lines, broken = {}, false
  for line in text:gmatch("[^\n]+") do
    if line:find("^{.*}$") then lines[#lines + 1] = line
    else broken = true end
  end
  return lines, broken or text ~= "" and text:sub(-1) ~= "\n"
end

local function add_run(self, line)
  local path = self.folder .. "/history.jsonl"
  local lines, broken = whole_lines(read(path) or "")
  if broken then say(path .. " is damaged: the lines that are whole are kept") end
  if broken or #lines >= RUNS then
    lines[#lines + 1] = line
    return replace(path, table.concat(lines, "\n", math.max(1, #lines - RUNS + 1)) .. "\n")
  end
  local f, why = io.open(path, "ab")
  if not f then return nil, why end
  local ok
  ok, why = f:write(line, "\n")
  local closed, problem = f:close()
  return ok and closed, why or problem
end

local function make_folder(path)
  if system.kind(path) == "directory" then return true end
  local ok, why = pcall(require("itlua.fs").mkdir, path)
  if not ok then return nil, tostring(why):match("[^\n]*") end
  return true
end

local function prepare_folder(folder)
  if system.kind(folder) == "directory" then return true end
  local ok, why = make_folder(folder)
  if ok then replace(folder .. "/.gitignore", "*\n") end
  return ok, why
end

--- Makes the folder `.itlua/reports` where reports are to be written there.
---@param outputs string[]    the arguments of -o
function history.prepare_reports(outputs)
  local reports = history.folder .. "/reports"
  for _, argument in ipairs(outputs) do
    if argument:find(":" .. reports .. "/", 1, true) then
      return prepare_folder(history.folder) and make_folder(reports) -- what went wrong is said of the report
    end
  end
end

---@class itlua.cli.run_facts
---@field at number          when it began
---@field seed integer
---@field partial boolean    not every test of the files that ran was to run
---@field shard? string      "1/4": times are not kept
---@field chosen? boolean    what failed last time ran, whatever else did not
---@field counts table       of run_end: seconds, tests, successes, …
---@field files integer

--- The run has ended: keeps what it came to.
---@param facts itlua.cli.run_facts
function History:keep(facts)
  local scope = core.enter(nil, true)
  local ok, why = prepare_folder(self.folder)
  if ok then
    local line = {
      at = facts.at, seed = facts.seed, files = facts.files, partial = facts.partial or nil, shard = facts.shard,
    }
    for name, value in pairs(facts.counts) do
      if type(value) == "number" then line[name] = value end
    end
    ok, why = add_run(self, json.encode(line))
  end
  if ok and not facts.shard then -- the next shard is cut by the times that this one was cut by
    ok, why = replace(self.folder .. "/times.json", json.encode(new_times(self, facts.partial)))
  end
  if ok then ok, why = replace(self.folder .. "/last.json", json.encode(new_failed(self, facts))) end
  core.leave(scope)
  if not ok then say(("the results are not kept: %s"):format(why or self.folder)) end
end

--- The kept runs, the oldest first.
---@param folder? string    `.itlua` by default
---@return table[] runs     {at, seconds, tests, successes, failures, errors, pendings, flaky, seed, files, partial}
---@return boolean broken   some lines were none
function history.runs(folder)
  local lines, broken = whole_lines(read((folder or history.folder) .. "/history.jsonl") or "")
  local runs = {}
  for _, line in ipairs(lines) do
    local ok, value = pcall(json.decode, line)
    if ok and type(value) == "table" and type(value.at) == "number" then runs[#runs + 1] = value
    else broken = true end
  end
  return runs, broken
end

--- Options that need what is kept.
local needing = { "last-failed", "failed-first", "shard" }

--- What is kept in this folder, or nil where nothing is.
---@param settings table
---@return itlua.cli.history?
function history.open(settings)
  local wanted = settings.history
  for _, name in ipairs(needing) do
    if settings[name] then wanted = true end
  end
  if wanted == nil then wanted = settings.project or system.kind(history.folder) == "directory" end
  if not wanted then return nil end
  return setmetatable({ folder = history.folder, running = {}, ran = {}, mask = settings.mask }, History)
end

return history
