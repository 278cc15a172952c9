--- busted's `gtest`: Google Test's look, a line when a test starts and one when it ended.

local paint = require "itlua.report.paint"
local tally = require "itlua.report.tally"

local gtest = {}

local function plural(n, one, many) return n == 1 and one or many end

local function place(self, source, line)
  if not source then return "" end
  return self.paint("cyan", source) .. ":" .. self.paint("cyan", line) .. ": "
end

local function title(self, start)
  return place(self, tally.short_src(start.source or start.file), start.line) .. self.paint("bright", start.name)
end

local function description(self, record)
  local text = paint.highlight(record.message or "Nil error", self.color) .. "\n"
  if record.randomseed then text = "Random seed: " .. record.randomseed .. "\n" .. text end
  if self.verbose and record.traceback then text = text .. tally.traceback(record.traceback) .. "\n" end
  return text
end

local function pending_description(_, record)
  return record.message and record.message .. "\n" or ""
end

local ended = {
  success = { "green", "[       OK ]" }, pending = { "yellow", "[ SKIPPED  ]" },
  failure = { "red", "[  FAILED  ]" }, error = { "magenta", "[  ERROR   ]" },
}

local function reset(self)
  self.files, self.tests, self.file_tests = 0, 0, {}
  self.counts = { success = 0, pending = 0, failure = 0, error = 0 }
end

local on = {}

function on.run_start(self, ev)
  local p = self.paint
  if (ev.run or 1) > 1 then reset(self) end
  if (ev.runs or 1) > 1 then
    self.out(("\nRepeating all tests (run %d of %d) . . .\n\n"):format(ev.run, ev.runs))
  end
  if ev.randomized then
    self.out(p("yellow", ("Note: Randomizing test order with a seed of %d.\n"):format(ev.seed)))
  end
  self.out(p("green", "[==========]") .. " Running tests from scanned files.\n")
  self.out(p("green", "[----------]") .. " Global test environment setup.\n")
end

function on.output(self, ev) self.out(ev.text) end

function on.file_start(self, ev)
  self.file_tests[ev.file] = 0
  self.out(self.paint("green", "[----------]") .. " Running tests from " .. ev.file .. "\n")
end

function on.file_end(self, ev)
  local n = self.file_tests[ev.file] or 0
  self.files = self.files + 1
  self.out(("%s %d %s from %s (%.2f ms total)\n\n"):format(self.paint("green", "[----------]"), n,
    plural(n, "test", "tests"), ev.file, ev.seconds * 1000))
end

function on.test_start(self, ev, counts)
  if counts then self.out(self.paint("green", "[ RUN      ]") .. " " .. title(self, ev) .. "\n") end
end

function on.test_end(self, ev, record)
  if not record then return end
  self.file_tests[ev.file] = (self.file_tests[ev.file] or 0) + 1
  self.tests = self.tests + 1
  self.counts[ev.status] = self.counts[ev.status] + 1
  local look = ended[ev.status]
  self.out(("%s %s (%.2f ms)\n"):format(self.paint(look[1], look[2]), title(self, record.test), ev.seconds * 1000))
end

function on.problem(self, _, record)
  if not record then return end
  if not self.defer_print then self.out(description(self, record)) end
  if not record.is_test then self.counts.error = self.counts.error + 1 end
end

local function list(self, parts, count, records, look, noun, describe)
  if count == 0 then return end
  local mark = self.paint(look[1], look[2])
  parts[#parts + 1] = ("%s %d %s, listed below:\n"):format(mark, count, plural(count, noun, noun .. "s"))
  for _, record in ipairs(records) do
    local name = self.paint("bright", record.name)
    parts[#parts + 1] = mark .. " " .. place(self, record.source, record.line) .. name .. "\n"
    if self.defer_print then parts[#parts + 1] = describe(self, record) end
  end
end

function on.run_end(self, ev)
  local p, t, counts = self.paint, self.tally, self.counts
  local parts = {
    p("green", "[----------]") .. " Global test environment teardown.\n",
    ("%s %d %s from %d test %s ran. (%.2f ms total)\n"):format(p("green", "[==========]"), self.tests,
      plural(self.tests, "test", "tests"), self.files, plural(self.files, "file", "files"), ev.seconds * 1000),
    ("%s %d %s.\n"):format(p("green", "[  PASSED  ]"), counts.success, plural(counts.success, "test", "tests")),
  }
  list(self, parts, counts.pending, t.pendings, ended.pending, "test", pending_description)
  list(self, parts, counts.failure, t.failures, ended.failure, "test", description)
  list(self, parts, counts.error, t.errors, ended.error, "error", description)
  if counts.pending + counts.failure + counts.error > 0 then parts[#parts + 1] = "\n" end
  local function footer(n, text, one, many)
    if n > 0 then parts[#parts + 1] = (" %d %s%s\n"):format(n, text, plural(n, one, many)) end
  end
  footer(counts.pending, "SKIPPED ", "TEST", "TESTS")
  footer(counts.failure, "FAILED ", "TEST", "TESTS")
  footer(counts.error, "", "ERROR", "ERRORS")
  self.out(table.concat(parts))
end

local Reporter = {}
Reporter.__index = Reporter

function Reporter:event(ev)
  local result = self.tally:event(ev)
  local handler = on[ev.ev]
  if handler then handler(self, ev, result) end
end

---@param opts table           see report.new; opts.color: use colours
---@param out fun(text: string)
function gtest.new(opts, out)
  local self = setmetatable({
    out = out, paint = paint.new(opts.color), color = opts.color, verbose = opts.verbose,
    defer_print = opts.defer_print,
    tally = tally.new(opts),
  }, Reporter)
  reset(self)
  return self
end

return gtest
