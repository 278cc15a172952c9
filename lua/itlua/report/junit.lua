--- `junit`: JUnit XML for CI servers, one <testsuite> a file, valid for any bytes in names, messages and output.
-- A hook's or a file's error becomes a <testcase> of its own, so that no server overlooks it. `-Xoutput FILE` names
-- the file, `-Xoutput true` writes one document beside each spec file (busted 2.3), `strict` leaves out the
-- attributes `file` and `line` of a <testcase>, which the schema of Jenkins' xUnit plugin does not know and GitLab
-- and others read. Attempts of a test that ran again are rerunFailure and rerunError, or flakyFailure and flakyError
-- where it passed in the end, as Surefire writes them.

local anatomy = require "itlua.report.anatomy"
local plain_text = require "itlua.report.plain_text"
local results = require "itlua.report.results"
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
    suite = { name = file or "(run)", file = file, cases = {}, tests = 0, failures = 0, errors = 0, skipped = 0 }
    self.open[key] = suite
    self.order[#self.order + 1] = suite
  end
  return suite
end

-- One element a test, as the schemas want it, whatever number of problems it had: the worst names it.
local function outcome(self, result)
  if result.status == "pending" then
    return ("<skipped%s/>"):format(xml.attributes { "message", result.pending })
  end
  local first = results.first(result)
  local status = result.status
  if not first then return ('<%s type="%s" message="no details"/>'):format(status, status) end
  return ("<%s%s>%s</%s>"):format(status, xml.attributes { "type", plain_text.kind(first), "message",
    plain_text.first_line(first) },
    xml.text(plain_text.body(result, self)), status)
end

local function printed(capture)
  return "<system-out>" .. xml.text(text.captured(capture:text(), false)) .. "</system-out>"
end

-- The earlier attempts with this status.
local function attempts(self, result, status, children)
  local name = (result.flaky and "flaky" or "rerun") .. (status == "failure" and "Failure" or "Error")
  for _, attempt in ipairs(result.attempts or {}) do
    if attempt.status == status then
      local first = results.first(attempt) or { message = "no details" }
      local out = attempt.printed and not attempt.printed:empty() and printed(attempt.printed) or ""
      children[#children + 1] = ("<%s%s><stackTrace>%s</stackTrace>%s</%s>"):format(name,
        xml.attributes { "message", plain_text.first_line(first), "type", plain_text.kind(first) },
        xml.text(plain_text.body(attempt, self)), out, name)
    end
  end
end

local counted = { pending = "skipped", failure = "failures", error = "errors" }

local function add_case(self, suite, result)
  local source = result.place or suite.file
  local known = self.places[source or ""]
  if not known then
    known = { class = xml.attributes { "classname", class_name(source or "run") },
      file = not self.strict and xml.attributes { "file", source } or "" }
    self.places[source or ""] = known
  end
  local start = '\t\t<testcase name="' .. xml.attribute(result.name) .. '"' .. known.class .. ' time="' ..
    seconds(result.seconds) .. '"' .. known.file
  if not self.strict and result.line then start = start .. ' line="' .. result.line .. '"' end
  -- In the order of Surefire's schema.
  local children, status = {}, result.status
  if status == "failure" then children[1] = outcome(self, result) end
  attempts(self, result, "failure", children)
  if status == "pending" or status == "error" then children[#children + 1] = outcome(self, result) end
  attempts(self, result, "error", children)
  if result.printed and not result.printed:empty() then children[#children + 1] = printed(result.printed) end
  if result.left then
    children[#children + 1] = "<system-err>" .. xml.text("left open: " .. result.left) .. "</system-err>"
  end
  local cases = suite.cases
  if #children == 0 then
    cases[#cases + 1] = start .. "/>\n"
  else
    cases[#cases + 1] = start .. ">\n\t\t\t" .. table.concat(children, "\n\t\t\t") .. "\n\t\t</testcase>\n"
  end
  suite.tests = suite.tests + 1
  local field = counted[status]
  if field then suite[field] = suite[field] + 1 end
end

local on = {}

function on.run_start(self, ev)
  -- Repeated until something fails: what passed before is of no interest.
  if ev.runs == 0 and (ev.run or 1) > 1 then self.order, self.open, self.seconds = {}, {}, nil end
  self.run = ev
  self.repeats = (ev.runs or 1) > 1 and (" (run %d of %d)"):format(ev.run, ev.runs) or ""
end

function on.file_start(self, ev)
  self.open[ev.file] = nil -- a file may run again, under --repeat
  local suite = suite_of(self, ev.file)
  suite.name = ev.file .. (self.repeats or "")
  suite.at = ev.at
end

function on.problem(self, ev, result)
  if result then
    local file, line = anatomy.place(result.records[1])
    local name = result.name ~= "" and result.name or result.where or "run"
    add_case(self, suite_of(self, ev.file), setmetatable({ place = file, line = line, name = name }, { __index = result }))
  end
end

function on.test_end(self, ev, result)
  if result then add_case(self, suite_of(self, ev.file), result) end
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
  if suite.printed and not suite.printed:empty() then parts[#parts + 1] = "\t\t" .. printed(suite.printed) .. "\n" end
  if suite.left then
    parts[#parts + 1] = "\t\t<system-err>" .. xml.text("left open: " .. suite.left) .. "</system-err>\n"
  end
  parts[#parts + 1] = "\t</testsuite>\n"
  return table.concat(parts)
end

local function properties(self)
  local run = self.run
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

function on.file_end(self, ev, known)
  local suite = suite_of(self, ev.file)
  suite.seconds, suite.left, suite.printed = ev.seconds, ev.left, known and known.printed
  if self.split then
    self.write_file((ev.file:gsub("%.[^./]+$", "") .. ".xml"), document(self, { suite }))
    self.order, self.open[ev.file] = {}, nil
  end
end

function on.run_end(self, ev)
  self.seconds = (self.seconds or 0) + ev.seconds
end

local Reporter = {}
Reporter.__index = Reporter

function Reporter:event(ev)
  local result = self.results:event(ev)
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
    out = out, results = results.of(opts), open = {}, order = {}, places = {}, sources = anatomy.sources(opts.read,
      opts.mask),
    program = opts.program,
    write_file = opts.write_file or write_file,
  }, Reporter)
  for _, arg in ipairs(opts.args or {}) do
    if arg == "true" then self.split = true end
    if arg == "strict" then self.strict = true end
  end
  return self
end

return junit
