-- What stands at the bottom of a terminal while a run goes on: its lines, and that drawing them again leaves nothing behind.
local live = require "itlua.report.live"
local log = require "itlua.report.log"
local replay = dofile((debug.getinfo(1, "S").source:match "^@(.*)[/\\]" or ".") .. "/replay.lua")
local report = require "itlua.report"
local screen = require "itlua.report.screen"
local text = require "itlua.report.text"

-- A terminal: rows of characters, of which only what reports write is understood. It wraps as terminals do.
local function terminal(columns)
  local self = { rows = { {} }, row = 1, column = 1, columns = columns, writes = 0 }
  local function put(char, width)
    if self.column + width - 1 > self.columns then
      self.row, self.column = self.row + 1, 1
      self.rows[self.row] = self.rows[self.row] or {}
    end
    self.rows[self.row][self.column] = char
    for i = 1, width - 1 do self.rows[self.row][self.column + i] = "" end
    self.column = self.column + width
  end
  local function escape(codes, letter)
    local n = tonumber(codes:match "^%d+") or 1
    if letter == "A" then
      assert(self.row > n, "moved above the top")
      self.row = self.row - n
    elseif letter == "J" then
      for c = self.column, self.columns do self.rows[self.row][c] = nil end
      for r = self.row + 1, #self.rows do self.rows[r] = nil end
    elseif letter ~= "m" and letter ~= "h" and letter ~= "l" then
      error("unknown escape " .. letter)
    end
  end
  function self.write(s)
    self.writes = self.writes + 1
    local at = 1
    while at <= #s do
      local codes, letter, after = s:match("^\27%[([%d;?]*)(%a)()", at)
      if codes then
        escape(codes, letter)
        at = after
      else
        local char = s:match("^[\0-\127\194-\244][\128-\191]*", at)
        if char == "\r" then self.column = 1
        elseif char == "\n" then
          self.row, self.column = self.row + 1, 1
          self.rows[self.row] = self.rows[self.row] or {}
        else put(char, text.width(char)) end
        at = at + #char
      end
    end
  end
  -- Its text; a narrower one has wrapped its lines.
  function self.text()
    local lines = {}
    for i, row in ipairs(self.rows) do
      local line = {}
      for c = 1, self.columns do line[c] = row[c] or " " end
      lines[i] = table.concat(line):gsub(" +$", "")
    end
    return table.concat(lines, "\n")
  end
  function self.narrow(to)
    local old, last = self.text(), self.rows[self.row]
    self.columns, self.rows, self.row, self.column = to, { {} }, 1, 1
    self.write(old)
    assert(last)
  end
  return self
end

local function paint(_, s) return s end

local function start(file, line, name, at, worker)
  return { ev = "file_start", file = file, at = at }, { ev = "test_start", file = file, id = 1, name = name, own = name,
    line = line,
    at = at }, worker
end

local function running(opts)
  local l = live.new(opts or { paint = paint })
  l:begin { at = 100, files = 10, jobs = 2 }
  for worker = 1, 2 do
    local file, test = start("specs/orders/w" .. worker .. "_spec.lua", 7, "assigns a technician", 101)
    l:glimpse(file, worker)
    l:glimpse(test, worker)
  end
  return l
end

describe("the lines of a run that goes on", function()
  it("have counts, times, and a line a worker with its test and age", function()
    local l = running()
    l:glimpse({ ev = "waiting", file = "specs/orders/w1_spec.lua", id = 1, what = "sql SELECT pg_sleep(60)" }, 1)
    local lines = l:lines(103.5, 100, 24)
    assert.matches("^ [█░]+  0/10 files  ✓ 0  00:03", lines[2])
    assert.equal(" 1 │ orders/w1_spec.lua:7  assigns a technician  2.50 s  sql SELECT pg_sleep(60)", lines[3])
    assert.equal(" 2 │ orders/w2_spec.lua:7  assigns a technician  2.50 s", lines[4])
  end)

  it("count what is delivered, not what happens: a file may run again", function()
    local l = running()
    local passed = { ev = "test_end", file = "specs/orders/w1_spec.lua", id = 1, status = "success", seconds = 1 }
    l:glimpse(passed, 1)
    l:event(passed)
    l:event { ev = "problem", kind = "failure", file = "specs/orders/w2_spec.lua", id = 1, message = "a:1: no stock" }
    l:event { ev = "test_end", file = "specs/orders/w2_spec.lua", id = 1, status = "failure", seconds = 1 }
    l:event { ev = "problem", kind = "error", file = "specs/orders/w2_spec.lua", message = "a:1: no teardown" }
    l:glimpse(passed, 1)
    local all = table.concat(l:lines(104, 100, 24), "\n")
    assert.matches("✓ 1  ✗ 2", all)
  end)

  it("leave out a file that waits to run again", function()
    local l = running()
    l:glimpse({ ev = "file_again", file = "specs/orders/w1_spec.lua" }, 1)
    assert.is_nil(table.concat(l:lines(104, 100, 24), "\n"):find("w1_spec", 1, true))
  end)

  it("estimate by the times of earlier runs", function()
    local files, times = {}, { ["specs/orders/w1_spec.lua"] = 30, ["specs/orders/w2_spec.lua"] = 10 }
    for path in pairs(times) do files[#files + 1] = { path = path } end
    local l = live.new { paint = paint, files = files, expected = function(path) return times[path] end }
    l:begin { at = 100, files = 2, jobs = 1 }
    l:glimpse({ ev = "file_start", file = "specs/orders/w2_spec.lua", at = 100 }, 1)
    l:event { ev = "file_end", file = "specs/orders/w2_spec.lua" }
    assert.matches("about 30 s left", l:lines(110, 100, 24)[2])
  end)

  it("say which services start", function()
    local l = running()
    l:glimpse { ev = "service", name = "db", state = "starting", at = 102 }
    assert.equal(" starting db (1.50 s)", l:lines(103.5, 80, 24)[3])
    l:glimpse { ev = "service", name = "db", state = "ready", at = 103 }
    assert.is_nil(l:lines(103.5, 80, 24)[3]:find "starting")
  end)

  it("fit any width and height, with wide characters", function()
    local l = running()
    l:glimpse({ ev = "test_start", file = "specs/orders/w1_spec.lua", id = 2, name = "注文は技術者に割り当てられる", line = 9,
      at = 101,
      own = "注文は技術者に割り当てられる" }, 1)
    for columns = 4, 130 do
      for _, line in ipairs(l:lines(103.5, columns, 24)) do
        assert.is_nil(line:find("……", 1, true), line)
        assert.is_true(text.width(line) < columns, ("%d columns: %s"):format(columns, line))
      end
    end
    for rows = 1, 12 do assert.is_true(#l:lines(103.5, 80, rows) <= math.max(rows, 4)) end
  end)
end)

describe("a region that is drawn again and again", function()
  local function region(term, compose)
    return screen.new(term.write, function() return term.columns, 24 end, compose)
  end

  it("leaves only what is printed above it", function()
    local term, count = terminal(40), 0
    local s = region(term, function()
      count = count + 1
      return { "status " .. count, "second line" }
    end)
    s:print "one\n"
    s:draw()
    s:print "two\n"
    s:draw()
    s:print "three\nfour\n"
    assert.equal("one\ntwo\nthree\nfour\nstatus 4\nsecond line", term.text())
    s:clear()
    s:print "the end\n"
    assert.equal("one\ntwo\nthree\nfour\nthe end\n", term.text())
  end)

  it("writes once for each change, and not at all where there is none", function()
    local term = terminal(40)
    local s = region(term, function() return { "the same" } end)
    s:draw()
    s:draw()
    s:draw()
    assert.equal(1, term.writes)
    s:print "a line\n"
    assert.equal(2, term.writes)
  end)

  it("is erased whole after the terminal has become narrower", function()
    local term = terminal(60)
    local s = region(term, function(columns) return { ("x"):rep(columns - 1), ("y"):rep(columns - 1) } end)
    s:print "before\n"
    s:draw()
    term.narrow(25)
    s:draw()
    assert.equal("before\n" .. ("x"):rep(24) .. "\n" .. ("y"):rep(24), term.text())
    s:print "after\n"
    assert.equal("before\nafter\n" .. ("x"):rep(24) .. "\n" .. ("y"):rep(24), term.text())
  end)

  it("is gone when the run is over", function()
    local term = terminal(80)
    local reporter = report.new("terminal", { live = true, tty = true, columns = 80, env = function() end,
      size = function() return 80, 24 end, read = function() end }, term.write)
    for i, ev in ipairs(replay.run { { status = "success" }, { status = "failure", message = "spec/a.lua:20: no" } }) do
      reporter.inner:glimpse(ev, 1)
      reporter.inner:tick(1795186449 + i)
      reporter:event(ev)
      reporter.inner:tick(1795186449 + i + 0.5)
    end
    reporter:finish()
    local shown = term.text()
    assert.is_nil(shown:find("█", 1, true))
    assert.matches("✗ orders · test 2", shown)
    assert.matches("2 tests · 1 passed · 1 failed", shown)
  end)
end)

describe("the log of a CI server", function()
  it("folds in GitHub's way", function()
    assert.equal("::group::what\na\n ::error::b\n::endgroup::\n", log.folded("github", "what", "a\n::error::b\n", 7))
    assert.equal("github", log.host(function(name) return name == "GITHUB_ACTIONS" and "true" or nil end))
  end)

  it("folds in GitLab's way", function()
    local folded = log.folded("gitlab", "what", "a\n", 7.9)
    assert.matches("^\27%[0Ksection_start:7:itlua_%d+%[collapsed=true%]\r\27%[0Kwhat\na\n", folded)
    assert.matches("\27%[0Ksection_end:7:itlua_%d+\r\27%[0K\n$", folded)
    assert.equal("gitlab", log.host(function(name) return name == "GITLAB_CI" and "true" or nil end))
  end)

  it("has what happened in a group, what came and the cause outside of it", function()
    local printed = replay.print("terminal", replay.run { { status = "failure", message = "spec/a.lua:10: no stock",
      output = "hello\n" } },
      { read = function() end, getenv = function(name) return name == "GITHUB_ACTIONS" and "true" or nil end })
    assert.matches("no stock\n.*::group::what happened, and what was printed: test "
      .. "1\n.*hello\n.*::endgroup::\n.*again ", printed)
  end)

  it("mentions a test that is silent for long, and what it waits for", function()
    local said = {}
    local heartbeat = log.heartbeat(function(line) said[#said + 1] = line end, 30)
    heartbeat:glimpse { ev = "test_start", file = "specs/a_spec.lua", id = 1, name = "waits", line = 7, at = 100 }
    heartbeat:tick(120)
    assert.equal(0, #said)
    heartbeat:glimpse { ev = "waiting", file = "specs/a_spec.lua", id = 1, what = "sql SELECT pg_sleep(60)" }
    heartbeat:tick(130.2)
    heartbeat:tick(140)
    assert.same({ "… specs/a_spec.lua:7 waits, for 30.2 s: waits for sql SELECT pg_sleep(60)\n" }, said)
    heartbeat:tick(161)
    assert.equal(2, #said)
    heartbeat:glimpse { ev = "test_end", file = "specs/a_spec.lua", id = 1 }
    heartbeat:tick(500)
    assert.equal(2, #said)
  end)

  it("speaks of a file that takes long, unless it has spoken of its test", function()
    local said = {}
    local function heartbeat(each) return log.heartbeat(function(line) said[#said + 1] = line end, 30, each) end
    local file = "specs/a_spec.lua"
    local function run(beat)
      beat:glimpse { ev = "file_start", file = file, at = 100 }
      for i = 1, 3 do
        beat:glimpse { ev = "test_start", file = file, id = i, name = "waits", line = 7, at = 100 + i * 9 }
        beat:glimpse { ev = "test_end", file = file, id = i, status = i == 1 and "failure" or "success" }
      end
      beat:tick(128)
      beat:tick(131)
      beat:glimpse { ev = "test_start", file = file, id = 4, name = "waits", line = 7, at = 132 }
      beat:tick(163)
      beat:glimpse { ev = "file_end", file = file }
      beat:tick(500)
    end
    run(heartbeat())
    assert.same({ "… specs/a_spec.lua, for 31.0 s: 3 tests so far, 1 failed\n", "… specs/a_spec.lua:7 waits, for 31.0 s\n" },
      said)
    said = {}
    run(heartbeat(true))
    assert.same({ "… specs/a_spec.lua:7 waits, for 31.0 s\n" }, said)
  end)
end)
