--- `html`: one file that needs nothing else, no network either: style, program and the run's data as JSON in one page.
-- The page's own sources are html/page.html, *.css and *.js. This writes the data: columns for the rows of all tests, a
-- detail for each that has more to say. What passing tests did is kept as far as there is room, so that a report of
-- 10,000 tests stays small; what failed is kept whole.

local anatomy = require "itlua.report.anatomy"
local detail = require "itlua.report.html.detail"
local json_text = require "itlua.report.json_text"
local results = require "itlua.report.results"
local text = require "itlua.report.text"

local html = {}

local room_for_bodies = 1000000  -- bytes of details of tests that passed, with the bodies of their requests
local room_for_passing = 2500000 -- and without
local room_for_one = 24000       -- of a single one; without the bodies where it is more
local room_for_all = 30000000    -- bytes of all details; of what fails after that the first line of its message

local scripts = { "data", "dom", "values", "list", "waterfall", "test", "gantt", "overview", "main" }
local styles = { "base", "list", "panel" }

local quote = json_text.string

local function shown(s)
  if s:find "[\0-\8\11-\31\127-\255]" then s = text.visible(s) end
  return quote(s)
end

local Page = {}
Page.__index = Page

--- The number of a string that many details share.
---@param s string
---@return integer
function Page:shared(s)
  local index = self.string_index[s]
  if not index then
    index = #self.strings
    local written = shown(text.one_line(s))
    self.strings[index + 1] = written
    self.string_bytes = self.string_bytes + #written + 1
    self.string_index[s] = index
  end
  return index
end

-- A block's path ("orders · api") as a number; results of one block share the table.
local function path_index(self, path)
  local index = self.path_index[path]
  if not index then
    local names = {}
    for i, name in ipairs(path) do names[i] = shown(name) end
    index = #self.paths
    self.paths[index + 1] = "[" .. table.concat(names, ",") .. "]"
    self.path_index[path] = index
  end
  return index
end

local function file_entry(self, path)
  local file = self.open[path or ""]
  if not file then
    file = { index = #self.files, path = path or "" }
    self.files[file.index + 1] = file
    self.open[path or ""] = file
  end
  return file
end

local letters = { success = "s", failure = "f", error = "e", pending = "p" }

local function since_start(self, at)
  local began = self.began or at
  return ("%.0f"):format(math.max(0, (at or began or 0) - (began or 0)) * 1000)
end

local function row_detail(self, result)
  local failed = results.failed(result) or result.flaky
  if self.spent > self.room or (not failed and self.spent_passing > room_for_passing) then
    self.cut = self.cut + 1
    return failed and detail.short(result) or nil
  end
  local strings_before = self.string_bytes
  local bodies = failed or self.spent_passing < room_for_bodies
  local said = detail.of(self, result, bodies)
  if not said then return nil end
  if not failed then
    if bodies and #said > room_for_one then said = detail.of(self, result, false) end
    self.spent_passing = self.spent_passing + #said + self.string_bytes - strings_before
  end
  self.spent = self.spent + #said + self.string_bytes - strings_before
  return said
end

local function add_row(self, result)
  local n = self.count + 1
  self.count = n
  local file = file_entry(self, result.file)
  local columns = self.columns
  columns.file[n] = file.index
  columns.path[n] = path_index(self, result.blocks)
  columns.name[n] = shown(result.own)
  columns.line[n] = result.line or 0
  columns.status[n] = not result.is_test and "o" or result.flaky and "k" or letters[result.status] or "e"
  columns.ms[n] = result.seconds and ("%.4g"):format(result.seconds * 1000) or "0"
  columns.at[n] = result.at and since_start(self, result.at + (file.shift or 0)) or "-1"
  if result.place and result.place ~= result.file then
    self.places[#self.places + 1] = ('"%d":%s'):format(n - 1, shown(result.place))
  end
  local said = row_detail(self, result)
  if said then self.details[#self.details + 1] = ('"%d":%s'):format(n - 1, said) end
end

-- ---- events

local on = {}

local function forget(self)
  self.strings, self.string_index, self.string_bytes, self.paths, self.path_index = {}, {}, 0, {}, {}
  self.files, self.open, self.logs, self.places, self.details = {}, {}, {}, {}, {}
  self.count, self.spent, self.spent_passing, self.cut, self.began, self.seconds = 0, 0, 0, 0, nil, 0
  self.columns = { file = {}, path = {}, name = {}, line = {}, status = {}, ms = {}, at = {} }
end

function on.run_start(self, ev)
  -- Repeated until something fails: what passed before is of no interest, and there may be thousands of times.
  if ev.runs == 0 and (ev.run or 1) > 1 then forget(self) end
  self.run = ev
  self.began = self.began or ev.at
  self.open = {}
  if (ev.runs or 1) > 1 then self.label = (" (run %d of %d)"):format(ev.run, ev.runs) end
end

function on.file_start(self, ev)
  self.open[ev.file] = nil
  local file = file_entry(self, ev.file)
  file.worker, file.at, file.label = ev.worker, ev.at, self.label
  -- Recordings of several machines are drawn from their own beginnings.
  file.shift = ev.began and (self.began or 0) - ev.began or 0
  if ev.at then file.at = ev.at + file.shift end
end

function on.blocked(self, ev)
  local file = file_entry(self, ev.file)
  file.blocked = math.max(file.blocked or 0, ev.seconds)
end

function on.block_end(self, ev)
  if not ev.left then return end
  local file = file_entry(self, ev.file)
  file.left = (file.left and file.left .. "\n" or "") .. ev.left
end

function on.output(self, ev)
  if not ev.service then return end
  local log = self.logs[ev.service] or require("itlua.report.capture").new()
  self.logs[ev.service] = log
  log:add(ev.text)
end

function on.file_end(self, ev, known)
  local file = file_entry(self, ev.file)
  file.seconds, file.skipped, file.crashed = ev.seconds, ev.skipped, ev.crashed
  if ev.left then file.left = (file.left and file.left .. "\n" or "") .. ev.left end
  if known and known.printed and not known.printed:empty() then file.printed = text.captured(known.printed:text(), true) end
end

function on.run_end(self, ev)
  self.ended = ev
  self.seconds = self.seconds + (ev.seconds or 0)
end

local Reporter = {}
Reporter.__index = Reporter

function Reporter:event(ev)
  local result = self.page.results:event(ev)
  local kind = ev.ev
  if result and (kind == "test_end" or kind == "problem") then add_row(self.page, result) end
  local handler = on[kind]
  if handler then handler(self.page, ev, result) end
end

-- ---- the data

local function object(list)
  local parts = {}
  for i = 1, #list, 2 do
    if list[i + 1] then parts[#parts + 1] = '"' .. list[i] .. '":' .. list[i + 1] end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function files_json(page)
  local parts = {}
  for i, file in ipairs(page.files) do
    parts[i] = object {
      "path", shown(file.path .. (file.label or "")), "worker", tostring(math.tointeger(file.worker) or 0),
      "at", file.at and since_start(page, file.at) or "-1", "ms", ("%.4g"):format((file.seconds or 0) * 1000),
      "left", file.left and shown(file.left) or false, "skipped", file.skipped and shown(file.skipped) or false,
      "crashed", file.crashed and shown(file.crashed) or false, "out", file.printed and quote(file.printed) or false,
      "blocked", file.blocked and ("%.4g"):format(file.blocked * 1000) or false,
    }
  end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function history_json(history)
  local parts = {}
  for _, run in ipairs(history or {}) do
    if type(run) == "table" and tonumber(run.at) and not run.partial then
      local function number(key) return json_text.encode(tonumber(run[key]) or 0) end
      parts[#parts + 1] = object {
        "at", number "at", "seconds", number "seconds", "passed", number "successes", "failed", number "failures",
        "errors", number "errors", "pending", number "pendings", "flaky", number "flaky",
      }
    end
  end
  return "[" .. table.concat(parts, ",", math.max(1, #parts - 59)) .. "]"
end

local function run_json(page)
  local run, ended = page.run or {}, page.ended or {}
  local encode = json_text.encode
  return object {
    "version", run.version and shown(tostring(run.version)), "at", encode(page.began or 0),
    "seconds", encode(page.seconds or 0), "seed", run.seed and encode(run.seed), "jobs", encode(run.jobs or 1),
    "concurrency", encode(run.concurrency or 1), "randomized", run.randomized and "true" or "false",
    "interrupted", ended.interrupted and shown(tostring(ended.interrupted)) or false,
    "nothing", ended.nothing and shown(tostring(ended.nothing)) or false,
    "services", ended.services and shown(tostring(ended.services)) or false, "profile", run.profile and shown(run.profile),
    "cut", tostring(page.cut), "unfinished", not page.ended and "true" or "false",
  }
end

local function data(page)
  local columns = page.columns
  return object {
    "run", run_json(page), "files", files_json(page), "paths", "[" .. table.concat(page.paths, ",") .. "]",
    "file", "[" .. table.concat(columns.file, ",") .. "]", "path", "[" .. table.concat(columns.path, ",") .. "]",
    "name", "[" .. table.concat(columns.name, ",") .. "]", "line", "[" .. table.concat(columns.line, ",") .. "]",
    "status", '"' .. table.concat(columns.status) .. '"', "ms", "[" .. table.concat(columns.ms, ",") .. "]",
    "at", "[" .. table.concat(columns.at, ",") .. "]", "places", "{" .. table.concat(page.places, ",") .. "}",
    "details", "{" .. table.concat(page.details, ",") .. "}", "strings", "[" .. table.concat(page.strings, ",") .. "]",
    "logs", detail.logs(page.logs), "history", history_json(page.history),
  }
end

-- Nothing in it can end the script element or begin a comment.
local function inert(json)
  json = json:gsub("<", "\\u003c")
  if json:find("\xE2\x80", 1, true) then
    json = json:gsub("\xE2\x80\xA8", "\\u2028"):gsub("\xE2\x80\xA9", "\\u2029")
  end
  return json
end

local function source(names, ending)
  local parts = {}
  for i, name in ipairs(names) do parts[i] = require("itlua.report.html." .. name .. "." .. ending) end
  return table.concat(parts, "\n")
end

--- Writes the page.
function Reporter:finish()
  if self.finished then return end
  self.finished = true
  local page = self.page
  local fill = { style = source(styles, "css"), data = inert(data(page)), script = source(scripts, "js") }
  self.out((require "itlua.report.html.page.html":gsub("{{(%l+)}}", fill)))
end

---@param opts table           see report.new; opts.history: earlier runs, the oldest first; opts.room: bytes of all details
---@param out fun(text: string)
function html.new(opts, out)
  local page = setmetatable({
    results = results.of(opts), program = opts.program, history = opts.history,
    sources = anatomy.sources(opts.read, opts.mask), room = opts.room or room_for_all,
  }, Page)
  forget(page)
  return setmetatable({ page = page, out = out }, Reporter)
end

--- Whether it wants the timelines of tests that pass, too.
html.wants_timelines = true

return html
