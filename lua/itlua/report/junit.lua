--- `junit`: JUnit XML for CI servers, one <testsuite> a file, valid for any bytes in names, messages and output.
-- A hook's or a file's error becomes a <testcase> of its own, so that no server overlooks it. `-Xoutput FILE` names
-- the file, `-Xoutput true` writes one document beside each spec file (busted 2.3), `strict` leaves out the
-- attributes `file` and `line` of a <testcase>, which the schema of Jenkins' xUnit plugin does not know and GitLab
-- and others read.

local anatomy = require "itlua.report.anatomy"
local capture = require "itlua.report.capture"
local tally = require "itlua.report.tally"
local text = require "itlua.report.text"
local xml = require "itlua.report.xml"

local junit = {}

local function seconds(n) return ("%.3f"):format(n or 0) end

-- "./specs/orders/api_spec.lua" -> "specs.orders.api_spec": what servers group by.
local function class_name(file)
  local name = file:gsub("^%./", ""):gsub("^[./]+", ""):gsub("%.%w+$", ""):gsub("[/\\]+", ".")
  return name ~= "" and name or file
end

local function suite_of(self, file)
  local key = file or ""
  local suite = self.open[key]
  if not suite then
    suite = { name = file or "(run)", file = file, cases = {}, tests = 0, failures = 0, errors = 0,
      skipped = 0, printed = {} }
    suite.output = capture.new()
    self.open[key] = suite
    self.order[#self.order + 1] = suite
  end
  return suite
end

-- Everything known about the problems of one test, as text.
local function body(self, records)
  local parts = {}
  for _, record in ipairs(records) do
    local message, diff = anatomy.message(record, true)
    local lines = { record.message and text.visible(record.message) or table.concat(message, "\n") }
    if record.randomseed then table.insert(lines, 1, "Random seed: " .. record.randomseed) end
    if diff then
      lines[#lines + 1] = ""
      for _, line in ipairs(diff) do lines[#lines + 1] = line end
    end
    if record.traceback then lines[#lines + 1] = text.visible(tally.traceback(record.traceback):gsub("\n$", "")) end
    local spans = anatomy.timeline(record)
    if #spans > 0 then
      lines[#lines + 1] = "\ntimeline:"
      for _, span in ipairs(spans) do
        lines[#lines + 1] = ("  %8.1f ms  %-8s %s%s  (%s)"):format(span.at * 1000, span.what, span.detail,
          span.outcome ~= "" and " → " .. span.outcome or "", text.duration(span.seconds))
      end
    end
    local curl = record.event and record.event.curl
    if curl and not (record.message or ""):find(curl, 1, true) then
      lines[#lines + 1] = "\nrequest: " .. text.visible(curl)
    end
    local again = anatomy.again(record, self.tally.run, self.program)
    if again then lines[#lines + 1] = "\nagain: " .. again end
    parts[#parts + 1] = table.concat(lines, "\n")
  end
  return table.concat(parts, "\n\n")
end

local function kind_of(record)
  local problem = record.event or {}
  if record.kind == "failure" then return "assertion" end
  if problem.error_kind then
    return problem.error_code and problem.error_kind .. ":" .. problem.error_code or problem.error_kind
  end
  return "error"
end

-- One element a test, as the schemas want it, whatever number of problems it had: the worst names it.
local function outcome(self, status, records, pending)
  if status == "pending" then
    local message = pending and pending.message
    return ("<skipped%s/>"):format(xml.attributes { "message", message })
  end
  local first = records[1]
  for _, record in ipairs(records) do
    if record.kind == status then
      first = record
      break
    end
  end
  if not first then return ('<%s type="%s" message="no details"/>'):format(status, status) end
  local message = text.clip(text.one_line((first.message or "Nil error"):match "^[^\n]*"), 400)
  return ("<%s%s>%s</%s>"):format(status, xml.attributes { "type", kind_of(first), "message", message },
    xml.text(body(self, records)), status)
end

local function add_case(self, suite, case)
  local attributes = { "name", case.name, "classname", class_name(case.source or suite.file or "run"),
    "time", seconds(case.seconds) }
  if not self.strict then
    attributes[7], attributes[8], attributes[9], attributes[10] = "file", case.source or suite.file, "line", case.line
    attributes.n = 10
  end
  local children = {}
  if case.status ~= "success" then children[1] = outcome(self, case.status, case.records or {}, case.pending) end
  if case.printed and not case.printed:empty() then
    children[#children + 1] = "<system-out>" .. xml.text(text.captured(case.printed:text(), false)) .. "</system-out>"
  end
  if case.left then
    children[#children + 1] = "<system-err>" .. xml.text("left open: " .. case.left) .. "</system-err>"
  end
  local start = "\t\t<testcase" .. xml.attributes(attributes)
  local cases = suite.cases
  if #children == 0 then
    cases[#cases + 1] = start .. "/>\n"
  else
    cases[#cases + 1] = start .. ">\n\t\t\t" .. table.concat(children, "\n\t\t\t") .. "\n\t\t</testcase>\n"
  end
  suite.tests = suite.tests + 1
  if case.status == "pending" then suite.skipped = suite.skipped + 1 end
  if case.status == "failure" then suite.failures = suite.failures + 1 end
  if case.status == "error" then suite.errors = suite.errors + 1 end
end

local on = {}

function on.run_start(self, ev)
  self.repeats = (ev.runs or 1) > 1 and (" (run %d of %d)"):format(ev.run, ev.runs) or ""
end

function on.file_start(self, ev)
  self.open[ev.file] = nil -- a file may run again, under --repeat
  local suite = suite_of(self, ev.file)
  suite.name = ev.file .. (self.repeats or "")
  suite.at = ev.at
end

function on.output(self, ev)
  local suite = suite_of(self, ev.file)
  local into = suite.output
  if ev.id then
    into = suite.printed[ev.id] or capture.new()
    suite.printed[ev.id] = into
  end
  into:add(ev.text)
end

function on.problem(self, ev, record)
  if not record then return end
  local suite = suite_of(self, ev.file)
  if record.is_test then
    suite.problems = suite.problems or {}
    local list = suite.problems[ev.id] or {}
    suite.problems[ev.id] = list
    list[#list + 1] = record
  else
    local name = record.name ~= "" and record.name or record.where or "run"
    local file, line = anatomy.place(record)
    add_case(self, suite, { name = name, status = "error", records = { record }, source = file, line = line })
  end
end

function on.test_end(self, ev, record)
  if not record then return end
  local suite = suite_of(self, ev.file)
  add_case(self, suite, {
    name = record.name, status = ev.status, seconds = ev.seconds, source = record.test.source or ev.file,
    line = record.line,
    records = suite.problems and suite.problems[ev.id], pending = record, printed = suite.printed[ev.id],
    left = ev.left,
  })
  suite.printed[ev.id] = nil
end

local function suite_xml(suite)
  local at = suite.at and os.date("!%Y-%m-%dT%H:%M:%S", math.floor(suite.at)) or nil
  local parts = { "\t<testsuite" .. xml.attributes {
    "name", suite.name, "tests", suite.tests, "failures", suite.failures, "errors", suite.errors, "skipped",
    suite.skipped,
    "time", seconds(suite.seconds), "timestamp", at, "file", suite.file, n = 16,
  } .. ">\n" }
  if suite.properties then parts[#parts + 1] = suite.properties end
  for _, case in ipairs(suite.cases) do parts[#parts + 1] = case end
  if not suite.output:empty() then
    local printed = xml.text(text.captured(suite.output:text(), false))
    parts[#parts + 1] = "\t\t<system-out>" .. printed .. "</system-out>\n"
  end
  if suite.left then
    parts[#parts + 1] = "\t\t<system-err>" .. xml.text("left open: " .. suite.left) .. "</system-err>\n"
  end
  parts[#parts + 1] = "\t</testsuite>\n"
  return table.concat(parts)
end

local function properties(self)
  local run = self.tally.run
  if not run then return nil end
  local lines = { "\t\t<properties>\n" }
  for _, pair in ipairs { { "itlua.version", run.version }, { "itlua.seed", run.seed }, { "itlua.jobs", run.jobs } } do
    if pair[2] ~= nil then
      lines[#lines + 1] = "\t\t\t<property" .. xml.attributes { "name", pair[1], "value", pair[2] } .. "/>\n"
    end
  end
  lines[#lines + 1] = "\t\t</properties>\n"
  return table.concat(lines)
end

local function document(self, suites)
  local tests, failures, errors, time = 0, 0, 0, 0
  local parts = {}
  for _, suite in ipairs(suites) do
    tests, failures, errors = tests + suite.tests, failures + suite.failures, errors + suite.errors
    time = time + (suite.seconds or 0)
    suite.properties = suite.properties or properties(self)
    parts[#parts + 1] = suite_xml(suite)
  end
  return '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites' .. xml.attributes {
    "name", "itlua", "tests", tests, "failures", failures, "errors", errors, "time", seconds(self.seconds or time),
  } .. ">\n" .. table.concat(parts) .. "</testsuites>\n"
end

function on.file_end(self, ev)
  local suite = suite_of(self, ev.file)
  suite.seconds, suite.left, suite.problems, suite.printed = ev.seconds, ev.left, nil, {}
  if self.split then
    self.write_file((ev.file:gsub("%.[^./]+$", "") .. ".xml"), document(self, { suite }))
    self.order, self.open[ev.file] = {}, nil
  end
end

function on.run_end(self, ev)
  self.seconds = (self.seconds or 0) + ev.seconds
  local run = self.tally.run
  if ev.interrupted or not run or (run.runs ~= 0 and (run.run or 1) >= (run.runs or 1)) then self:finish() end
end

local Reporter = {}
Reporter.__index = Reporter

function Reporter:event(ev)
  local result = self.tally:event(ev)
  local handler = on[ev.ev]
  if handler then handler(self, ev, result) end
end

--- Writes the document, if it was not written yet.
function Reporter:finish()
  if self.finished or self.split then return end
  self.finished = true
  self.out(document(self, self.order))
end

--- The file that busted's `-Xoutput FILE` names, if any.
---@param args string[]
---@return string?
function junit.file(args)
  for _, arg in ipairs(args) do
    if arg ~= "true" and arg ~= "strict" and arg:sub(1, 2) ~= "--" then return arg end
  end
end

local function write_file(path, content)
  local file = assert(io.open(path, "wb"))
  assert(file:write(content))
  file:close()
end

---@param opts table           see report.new; opts.write_file(path, content) writes what `-Xoutput true` asks for
---@param out fun(text: string)
function junit.new(opts, out)
  local self = setmetatable({
    out = out, tally = tally.new(opts), open = {}, order = {}, program = opts.program,
    write_file = opts.write_file or write_file,
  }, Reporter)
  for _, arg in ipairs(opts.args or {}) do
    if arg == "true" then self.split = true end
    if arg == "strict" then self.strict = true end
  end
  return self
end

return junit
