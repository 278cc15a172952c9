--- `ctrf`: the Common Test Report Format (https://ctrf.io), one JSON document at the end.

local anatomy = require "itlua.report.anatomy"
local json_text = require "itlua.report.json_text"
local plain_text = require "itlua.report.plain_text"
local results = require "itlua.report.results"
local text = require "itlua.report.text"

local ctrf = {}

local quote = json_text.string

local function shown(s)
  if s:find "[\0-\8\11-\31\127-\255]" then s = text.visible(s) end
  return quote(s)
end

local statuses = { success = "passed", failure = "failed", error = "failed", pending = "pending" }

local function milliseconds(seconds) return ("%.0f"):format((seconds or 0) * 1000) end

local function list(values)
  local parts = {}
  for i, value in ipairs(values) do parts[i] = shown(value) end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function object(pairs_)
  local parts = {}
  for i = 1, #pairs_, 2 do
    if pairs_[i + 1] then parts[#parts + 1] = '"' .. pairs_[i] .. '":' .. pairs_[i + 1] end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function printed(result)
  return result.printed and not result.printed:empty() and list(text.lines(text.captured(result.printed:text(), false)))
end

local function attempts_of(self, result)
  local parts = {}
  for i, attempt in ipairs(result.attempts) do
    local first = results.first(attempt)
    parts[i] = object {
      "attempt", tostring(i), "status", '"failed"', "duration", milliseconds(attempt.seconds),
      "message", first and shown(plain_text.first_line(first)),
      "trace", first and quote(plain_text.body(attempt, self)), "stdout", printed(attempt),
      "start", attempt.at and milliseconds(attempt.at),
    }
  end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function snippet(self, record)
  local lines = anatomy.source(record, self.sources)
  if not lines then return false end
  local parts = {}
  for i, line in ipairs(lines) do parts[i] = (line.here and "▸ " or "  ") .. line.number .. " │ " .. line.code end
  return quote(table.concat(parts, "\n"))
end

-- What tests of one block have in common.
local function place_of(self, result)
  local known = self.places[result.blocks]
  if not known then
    local file = result.place or result.file
    known = (',"suite":%s,"type":"integration"%s%s'):format(list { result.file or "(run)", table.unpack(result.blocks) },
      file and ',"filePath":' .. shown(file) or "", result.worker
        and (',"threadId":"worker %d"'):format(result.worker) or "")
    if result.place == result.file then self.places[result.blocks] = known end
  end
  return known
end

-- Nearly all tests pass and have nothing more to say.
local function plain(self, result)
  local at = result.at
  return ('{"name":%s,"status":"passed","duration":%.0f,"rawStatus":"success"%s%s%s}'):format(shown(result.own),
    (result.seconds or 0) * 1000, at and (',"start":%.0f,"stop":%.0f'):format(at * 1000,
      (at + result.seconds) * 1000) or "",
    result.line and result.line > 0 and ',"line":' .. result.line or "", place_of(self, result))
end

local function test(self, result)
  if result.status == "success" and result.own ~= "" and not (result.attempts or result.printed or result.left) and
    not result.name:find("#", 1, true) then
    return plain(self, result)
  end
  local first = results.first(result)
  local failed = results.failed(result)
  local tags = results.tags(result.name)
  local suite = { result.file or "(run)", table.unpack(result.blocks) }
  local event = first and first.event or {}
  return object {
    "name", shown(result.own ~= "" and result.own or result.name ~= "" and result.name or "(no name)"),
    "status", '"' .. statuses[result.status] .. '"', "duration", milliseconds(result.seconds),
    "start", result.at and milliseconds(result.at), "stop", result.at and milliseconds(result.at + (result.seconds or 0)),
    "suite", list(suite), "message", failed and first and shown(plain_text.first_line(first)) or
      result.pending and result.pending ~= "" and shown(result.pending),
    "trace", failed and first and quote(plain_text.body(result, self)),
    "snippet", failed and first and snippet(self, first), "line", result.line and result.line > 0 and tostring(result.line),
    "rawStatus", '"' .. result.status .. '"', "tags", #tags > 0 and list(tags), "type", '"integration"',
    "filePath", (result.place or result.file) and shown(result.place or result.file),
    "retries", result.attempts and tostring(#result.attempts), "retryAttempts", result.attempts and attempts_of(self,
      result),
    "flaky", result.flaky and "true", "stdout", printed(result), "threadId", result.worker
      and ('"worker %d"'):format(result.worker),
    "extra", (event.cause or event.curl or result.left) and object {
      "cause", event.cause and shown(event.cause), "request", event.curl and shown(event.curl),
      "leftOpen", result.left and shown(result.left),
    },
  }
end

local function forget(self)
  self.tests, self.counts, self.flaky, self.suites = {}, { passed = 0, failed = 0, pending = 0 }, 0, 0
  self.seconds, self.began = 0, nil
end

local Reporter = {}
Reporter.__index = Reporter

function Reporter:event(ev)
  local result = self.results:event(ev)
  local kind = ev.ev
  if kind == "run_start" then
    -- Repeated until something fails: what passed before is of no interest.
    if ev.runs == 0 and (ev.run or 1) > 1 then forget(self) end
    self.run = ev
    self.began = self.began or ev.at
  elseif kind == "file_start" then
    self.suites = self.suites + 1
  elseif kind == "run_end" then
    self.seconds = self.seconds + (ev.seconds or 0)
    self.services = ev.services
  elseif result and (kind == "test_end" or kind == "problem") then
    self.tests[#self.tests + 1] = test(self, result)
    local status = statuses[result.status]
    self.counts[status] = self.counts[status] + 1
    if result.flaky then self.flaky = self.flaky + 1 end
  end
end

--- Writes the document.
function Reporter:finish()
  if self.finished then return end
  self.finished = true
  local run, counts, began = self.run or {}, self.counts, self.began or 0
  local summary = object {
    "tests", tostring(#self.tests), "passed", tostring(counts.passed), "failed", tostring(counts.failed), "skipped", "0",
    "pending", tostring(counts.pending), "other", "0", "flaky", tostring(self.flaky), "suites", tostring(self.suites),
    "start", milliseconds(began), "stop", milliseconds(began + self.seconds), "duration", milliseconds(self.seconds),
    "extra", object { "seed", run.seed and tostring(run.seed), "workers", run.jobs and tostring(run.jobs),
      "services", self.services and shown(self.services) },
  }
  self.out(object {
    "reportFormat", '"CTRF"', "specVersion", '"0.0.0"', "generatedBy", '"itlua"',
    "timestamp", '"' .. os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(began + self.seconds)) .. '"',
    "results", object {
      "tool", object { "name", '"itlua"', "version", run.version and shown(tostring(run.version)) },
      "summary", summary, "tests", "[" .. table.concat(self.tests, ",\n") .. "]",
    },
  } .. "\n")
end

---@param opts table           see report.new
---@param out fun(text: string)
function ctrf.new(opts, out)
  local self = setmetatable({
    out = out, results = results.of(opts), program = opts.program, sources = anatomy.sources(opts.read, opts.mask),
    places = setmetatable({}, { __mode = "k" }),
  }, Reporter)
  forget(self)
  return self
end

return ctrf
