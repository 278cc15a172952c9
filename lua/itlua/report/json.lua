--- busted's `json`: one line at the end, {"pendings", "successes", "failures", "errors", "duration"}.
-- Where busted gives up (a pending block, a function in an error) or lets what specs print into the document, this is
-- still valid JSON; what specs print goes to standard error.

local json_text = require "itlua.report.json_text"
local tally = require "itlua.report.tally"

local json = {}

local text, encode = json_text.string, json_text.encode

-- Members of an object, in order: name, value as JSON; nil values are left out.
local function object(n, ...)
  local parts = {}
  for i = 1, n, 2 do
    local name, value = select(i, ...)
    if value ~= nil then parts[#parts + 1] = '"' .. name .. '":' .. value end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function trace_of(source, line, message, traceback)
  if not source or source == "" then return "[]" end
  return object(12, "short_src", text(source), "source", text("@" .. source), "currentline", encode(line),
    "what", '"Lua"',
    "message", message and text(message), "traceback", traceback and text(tally.traceback(traceback)))
end

local function item(record)
  local test, problem = record.test, record.event
  local own_trace = trace_of(record.source, record.line, test and test.own or nil)
  local trace = own_trace
  if problem then trace = trace_of(record.raised_source, record.raised_line, record.message, record.traceback) end
  local started, seconds = test and test.at, record.seconds
  local element = object(14, "name", test and test.own and text(test.own) or nil, "descriptor",
    text(record.where or ""),
    "attributes", "[]", "trace", own_trace, "duration", seconds and encode(seconds), "starttime",
    started and encode(started),
    "endtime", started and seconds and encode(started + seconds) or nil)
  return object(12, "name", text(record.name), "message", record.message and text(record.message) or nil, "isError",
    record.kind == "error" and "true" or nil, "randomseed", record.randomseed and encode(record.randomseed) or nil,
    "trace", trace, "element", element)
end

local function items(records)
  local list = {}
  for i, record in ipairs(records) do list[i] = item(record) end
  return "[" .. table.concat(list, ",") .. "]"
end

local Reporter = {}
Reporter.__index = Reporter

function Reporter:event(ev)
  self.tally:event(ev)
  if ev.ev == "output" then
    if self.err then self.err(ev.text) end
  elseif ev.ev == "run_end" then
    local t = self.tally
    self.out(object(10, "pendings", items(t.pendings), "successes", items(t.successes), "failures", items(t.failures),
      "errors", items(t.errors), "duration", encode(t.seconds)) .. "\n")
  end
end

---@param opts table           see report.new; opts.err: where what specs print goes
---@param out fun(text: string)
function json.new(opts, out)
  local kept = tally.new { suppress_pending = opts.suppress_pending, keep_successes = true }
  return setmetatable({ out = out, err = opts.err, tally = kept }, Reporter)
end

return json
