--- busted's `json`: one line at the end, {"pendings", "successes", "failures", "errors", "duration"}.
-- Where busted gives up (a pending block, a function in an error) or lets what specs print into the document, this is
-- still valid JSON; what specs print goes to standard error.

local json_text = require "itlua.report.json_text"
local tally = require "itlua.report.tally"

local json = {}

local order = { "pendings", "successes", "failures", "errors", "duration", "name", "message", "isError",
  "randomseed", "trace",
  "element", "descriptor", "attributes", "short_src", "source", "currentline" }

local function trace_of(source, line, message, traceback)
  if not source or source == "" then return {} end
  return { short_src = source, source = "@" .. source, currentline = line, message = message, what = "Lua",
    traceback = traceback and tally.traceback(traceback) }
end

local function item(record)
  local test = record.test
  local element_trace = trace_of(record.source, record.line, test and test.own or nil)
  local started = test and test.at
  local problem = record.event
  return {
    name = record.name, message = record.message, randomseed = record.randomseed,
    isError = record.kind == "error" or nil,
    trace = problem and trace_of(record.raised_source, record.raised_line, record.message, record.traceback)
      or element_trace,
    element = {
      name = test and test.own or nil, descriptor = record.where, attributes = {}, trace = element_trace,
      duration = record.seconds, starttime = started,
      endtime = started and record.seconds and started + record.seconds or nil,
    },
  }
end

local function items(records)
  local list = {}
  for i, record in ipairs(records) do list[i] = item(record) end
  return list
end

local Reporter = {}
Reporter.__index = Reporter

function Reporter:event(ev)
  self.tally:event(ev)
  if ev.ev == "output" then
    if self.err then self.err(ev.text) end
  elseif ev.ev == "run_end" then
    local t = self.tally
    self.out(json_text.encode({
      pendings = items(t.pendings), successes = items(t.successes), failures = items(t.failures),
      errors = items(t.errors),
      duration = t.seconds,
    }, order) .. "\n")
  end
end

---@param opts table           see report.new; opts.err: where what specs print goes
---@param out fun(text: string)
function json.new(opts, out)
  local kept = tally.new { suppress_pending = opts.suppress_pending, keep_successes = true }
  return setmetatable({ out = out, err = opts.err, tally = kept }, Reporter)
end

return json
