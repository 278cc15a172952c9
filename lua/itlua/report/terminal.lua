--- `terminal`: itlua's own report for people. Every failure in full when its test has ended, a line a finished file, a
-- summary. Files that run at the same time take turns; so each failure says where it stands.
-- On a terminal a few lines at its end, drawn again and again, say what the run is at (live.lua); in a log a test that is
-- silent for long is mentioned, and a file that takes long.

local anatomy = require "itlua.report.anatomy"
local capture = require "itlua.report.capture"
local failure_view = require "itlua.report.failure_view"
local live = require "itlua.report.live"
local log = require "itlua.report.log"
local paint = require "itlua.report.paint"
local screen = require "itlua.report.screen"
local summary = require "itlua.report.summary"
local tally = require "itlua.report.tally"
local text = require "itlua.report.text"

local terminal = { interleaved = true }

local function say(self, line)
  if self.screen then self.screen:print(line) else self.out(line) end
end

-- The names of the blocks around a test and its own, outermost first.
local function names_of(self, record)
  local problem, test = record.event, record.test
  local file = test and test.file or problem and problem.file
  local state = file and self.files[file]
  local names = {}
  local block = state and state.blocks[test and test.block or problem and problem.block or 0]
  while block do
    table.insert(names, 1, block.name)
    block = state.blocks[block.parent]
  end
  if test then
    names[#names + 1] = test.own or test.name
    if record.where ~= "it" and record.where ~= "pending" and record.where then names[#names + 1] = record.where end
  elseif record.where == "file" or record.where == "worker" then
    local path = file or record.name
    names = { (path:match "[^/]+$" or path) .. " (outside any test)" }
  elseif #names == 0 then
    names[1] = record.name ~= "" and record.name or record.where or "run"
  elseif record.where and record.where ~= "describe" then
    names[#names + 1] = problem and problem.own or record.where
  end
  return names
end

local function file_state(self, file)
  local state = self.files[file or ""]
  if not state then
    state = { blocks = {}, printed = {}, problems = {}, tests = 0, pending = 0, failed = 0, errors = 0 }
    self.files[file or ""] = state
  end
  return state
end

local function print_failure(self, record, printed)
  local names = names_of(self, record)
  local view = self.view
  self.failed[#self.failed + 1] = { record = record, names = names }
  if self.after and self.after ~= "failure" then say(self, "\n") end
  self.after = "failure"
  local cause = anatomy.story(record)
  if cause and not self.verbose then
    local group = self.causes[cause] or { count = 0, files = {}, message = (anatomy.cause(record)
      or anatomy.message(record))[1] }
    self.causes[cause] = group
    group.count = group.count + 1
    local file = record.event and record.event.file or ""
    if not group.files[file] then
      group.files[file] = true
      group.file_count = (group.file_count or 0) + 1
    end
    if group.count > summary.alike_limit then return say(self, failure_view.short(view, record, names)) end
  end
  say(self, failure_view.full(view, record, names, printed))
end

-- ---- events

local function reset(self)
  self.failed, self.causes, self.slow, self.left, self.blocked, self.flaky = {}, {}, {}, {}, {}, {}
  self.counts = { tests = 0, passed = 0, failed = 0, pending = 0, errors = 0 }
end

local on = {}

function on.run_start(self, ev)
  self.run, self.view.run, self.over = ev, ev, false
  if self.live then self.live:begin(ev) end
  if (ev.run or 1) > 1 then
    reset(self)
    say(self, "\n")
  end
  local p = self.view.paint
  local facts = { text.count(ev.files or 0, "file") }
  self.side_by_side = (ev.jobs or 1) > 1 or (ev.concurrency or 1) > 1
  if self.side_by_side then
    facts[#facts + 1] = ("%s × %d"):format(text.count(ev.jobs or 1, "worker"), ev.concurrency or 1)
  end
  if ev.randomized then facts[#facts + 1] = "shuffled with seed " .. ev.seed end
  if (ev.runs or 1) > 1 then facts[#facts + 1] = ("run %d of %d"):format(ev.run, ev.runs)
  elseif ev.runs == 0 then facts[#facts + 1] = ("run %d"):format(ev.run) end
  local version = p("bright", "itlua") .. " " .. (ev.version or "")
  say(self, version .. p("dim", " · " .. table.concat(facts, " · ")) .. "\n\n")
end

function on.file_start(self, ev)
  self.files[ev.file] = nil
  file_state(self, ev.file)
end

function on.block_start(self, ev)
  file_state(self, ev.file).blocks[ev.id] = ev
end

function on.block_end(self, ev)
  if ev.left then self.left[#self.left + 1] = { left = ev.left, file = ev.file } end
end

function on.left(self, ev)
  self.left[#self.left + 1] = { left = ev.left }
end

function on.output(self, ev)
  local state = file_state(self, ev.file)
  local key = ev.id or "file"
  local into = state.printed[key]
  if not into then
    into = capture.new()
    state.printed[key] = into
  end
  into:add(ev.text)
end

function on.problem(self, ev, record)
  local state = file_state(self, ev.file)
  if ev.retried and ev.kind ~= "pending" then state.retried = ev end -- why it runs again, should it pass then
  if not record then return end
  if record.is_test then
    -- A test is printed once it ended: with its duration and all that it said.
    local list = state.problems[ev.id] or {}
    state.problems[ev.id] = list
    list[#list + 1] = record
  else
    state.errors = state.errors + 1
    self.counts.errors = self.counts.errors + 1
    print_failure(self, record, state.printed.file)
    state.printed.file = nil -- it was said; the next hook's failure has its own
  end
end

local signs = {
  success = { "green", "✓" }, pending = { "yellow", "◌" }, failure = { "red", "✗" }, error = { "red", "✗" },
}

local counted_as = { success = "passed", pending = "pending", failure = "failed", error = "failed" }

-- The few slowest tests of the run.
local function remember_slow(self, record, file)
  local slow = self.slow
  local n = #slow
  if n >= 10 and record.seconds <= slow[n].record.seconds then return end
  local at = n + 1
  while at > 1 and slow[at - 1].record.seconds < record.seconds do at = at - 1 end
  table.insert(slow, at, { record = record, names = names_of(self, record), file = file })
  slow[11] = nil
end

function on.test_end(self, ev, record)
  local state, counts = file_state(self, ev.file), self.counts
  if ev.retried then state.printed[ev.id] = nil end -- what its last attempt prints is shown
  if not record then return end
  local outcome = counted_as[ev.status]
  state.tests, counts.tests, counts[outcome] = state.tests + 1, counts.tests + 1, counts[outcome] + 1
  record.seconds, record.left = ev.seconds, ev.left
  if ev.status == "pending" then state.pending = state.pending + 1 end
  if ev.left then self.left[#self.left + 1] = { left = ev.left, record = record } end
  if ev.flaky then
    state.flaky = (state.flaky or 0) + 1
    self.flaky[#self.flaky + 1] = {
      record = record, names = names_of(self, record), attempts = ev.attempts, first = state.retried,
    }
  end
  if ev.seconds >= 0.001 then remember_slow(self, record, ev.file) end
  local printed = state.printed[ev.id]
  if ev.status == "failure" or ev.status == "error" then
    state.failed = state.failed + 1
    local problems = state.problems[ev.id] or { record }
    for i, problem in ipairs(problems) do
      problem.seconds = ev.seconds
      problem.left = i == #problems and ev.left or nil
      print_failure(self, problem, i == 1 and printed or nil)
    end
  elseif self.list_tests then
    local p, sign = self.view.paint, signs[ev.status]
    -- Between those of other files it says where it stands.
    local at = self.side_by_side and ("  %s:%d"):format(text.visible(ev.file), record.line) or ""
    if text.width(at) > self.view.columns // 2 then at = "" end
    local room = self.view.columns - 14 - text.width(at)
    local name = text.clip(text.one_line(table.concat(names_of(self, record), " · ")), room)
    say(self, (" %s %s  %s\n"):format(p(sign[1], sign[2]), name, p("dim", text.duration(ev.seconds) .. at)))
    if record.kind == "pending" and record.message then
      say(self, p("dim", "     " .. text.clip(text.one_line(record.message), self.view.columns - 6)) .. "\n")
    end
    if printed and self.verbose then
      local shown = text.captured(printed:text(), self.view.color)
      say(self, shown .. (shown:find "\27" and "\27[0m" or "") .. (shown:find "\n$" and "" or "\n"))
    end
    self.after = "test"
  end
  if printed and not self.verbose and ev.status == "success" then self.hidden_output = true end
  state.printed[ev.id], state.problems[ev.id] = nil, nil
end

function on.file_end(self, ev)
  local state, p = file_state(self, ev.file), self.view.paint
  if ev.left then self.left[#self.left + 1] = { left = ev.left, file = ev.file } end
  local facts = { text.count(state.tests, "test") }
  if state.failed > 0 then facts[#facts + 1] = p("red", state.failed .. " failed") end
  if state.errors > 0 then facts[#facts + 1] = p("red", text.count(state.errors, "error")) end
  if state.pending > 0 then facts[#facts + 1] = p("yellow", state.pending .. " pending") end
  if state.flaky then facts[#facts + 1] = p("yellow", state.flaky .. " flaky") end
  local sign = p("green", "✓")
  if state.failed + state.errors > 0 or ev.crashed then
    sign = p("red", "✗")
  elseif state.tests == state.pending then
    sign = state.tests == 0 and p("dim", "–") or p("yellow", "◌")
  end
  if ev.crashed then facts[#facts + 1] = p("red", "its worker ended: " .. ev.crashed) end
  if ev.skipped then facts[#facts + 1] = p("yellow", "skipped: " .. ev.skipped) end
  local name, columns = text.visible(ev.file), self.view.columns
  local duration = p("dim", text.pad(text.duration(ev.seconds), 8, true))
  if columns < 50 then -- counts are at the end, too
    name = text.clip(name, math.max(6, columns - 13))
    say(self, ("%s %s  %s\n"):format(sign, text.pad(name, columns - 13), duration))
  else
    name = text.pad(name, math.max(24, math.min(56, columns - 34)))
    say(self, ("%s %s  %s  %s\n"):format(sign, name, duration, table.concat(facts, ", ")))
  end
  if state.failed + state.errors > 0 then say(self, "\n") end
  self.after = state.failed + state.errors > 0 and "failure" or "file"
  self.files[ev.file] = nil
end

function on.blocked(self, ev)
  self.blocked[#self.blocked + 1] = ev
end

function on.run_end(self, ev)
  self:hush()
  self.over = true
  summary.print(self, ev)
end

local Reporter = {}
Reporter.__index = Reporter

-- Nothing that a spec, a server or a file's name holds may steer the terminal.
local function harmless(ev)
  local copy
  for key, value in pairs(ev) do
    if type(value) == "string" and key ~= "text" and value:find "[\0-\9\11-\31\127-\255]" then
      local clean = text.visible(value)
      if key == "file" or key == "source" then clean = clean:gsub("[\n\t]", " ") end
      if clean ~= value then
        if not copy then
          copy = {}
          for k, v in pairs(ev) do copy[k] = v end
        end
        copy[key] = clean
      end
    end
  end
  return copy or ev
end

function Reporter:event(ev)
  ev = harmless(ev)
  local result = self.tally:event(ev)
  if self.live then self.live:event(ev) end
  local handler = on[ev.ev]
  if handler then handler(self, ev, result) end
end

-- ---- while it runs

local NARROW, WIDE = 20, 140 -- columns used at least and at most

local function usable(columns) return math.max(NARROW, math.min(columns, WIDE)) end

--- Something happens in a worker.
function Reporter:glimpse(ev, worker)
  if self.live then self.live:glimpse(harmless(ev), worker) end
  if self.heartbeat then self.heartbeat:glimpse(ev) end
end

--- Time has passed: what is shown is drawn again.
---@param now number     seconds on the wall clock
function Reporter:tick(now)
  if self.over or not self.run then return end
  if self.screen then
    self.now = now
    self.screen:draw()
  elseif self.heartbeat then
    self.heartbeat:tick(now)
  end
end

--- Somebody else is about to write to the terminal.
function Reporter:hush()
  if self.screen then self.screen:clear() end
end

local function watch(self, opts)
  if opts.live and opts.size then
    local expected = opts.expected
    self.live = live.new {
      paint = self.view.paint, expected = expected and expected.of, files = expected and expected.files,
    }
    self.screen = screen.new(self.out, opts.size, function(columns, rows)
      self.view.columns = usable(columns)
      return self.live:lines(self.now, columns, rows)
    end)
  else
    self.heartbeat = log.heartbeat(function(line) say(self, line) end, opts.heartbeat, self.list_tests)
  end
end

---@param opts table           see report.new
---@param out fun(text: string)
function terminal.new(opts, out)
  local columns = opts.columns or 100
  local host = opts.getenv and log.host(opts.getenv)
  local self = setmetatable({
    out = out, tally = tally.new(opts), verbose = opts.verbose, written = opts.written,
    files = {}, list_tests = opts.verbose or opts.list_tests,
    view = failure_view.new {
      paint = paint.new(opts.color), color = opts.color or false, columns = usable(columns),
      fold = host and function(title, body, at) return log.folded(host, title, body, at) end or nil,
      verbose = opts.verbose or false, sources = anatomy.sources(opts.read, opts.mask), program = opts.program,
    },
  }, Reporter)
  function self.say(line) say(self, line) end
  reset(self)
  watch(self, opts)
  return self
end

return terminal
