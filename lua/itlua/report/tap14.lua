--- `tap14`: Test Anything Protocol, version 14: a test point a test as it ends, with a YAML block where there is more to
-- say, the plan last. (`TAP` is busted's, which is older and prints what specs print.)

local anatomy = require "itlua.report.anatomy"
local json_text = require "itlua.report.json_text"
local plain_text = require "itlua.report.plain_text"
local results = require "itlua.report.results"
local text = require "itlua.report.text"

local tap14 = { interleaved = true }

-- What would be a directive or an escape in a description.
local function description(s)
  return (text.one_line(s):gsub("[\\#]", "\\%0"))
end

-- JSON is YAML: strings as JSON, those of several lines as blocks.
local function add(lines, key, value, indent)
  if value == nil or value == "" then return end
  indent = indent or "  "
  if type(value) == "string" and value:find "\n" then
    lines[#lines + 1] = indent .. key .. ": |2"
    -- Other line ends than \n (U+0085, U+2028) would end a line of the block, too.
    value = text.visible(value):gsub("\xC2\x85", "\\u0085"):gsub("\xE2\x80\xA8", "\\u2028"):gsub("\xE2\x80\xA9", "\\u2029")
    for line in (value .. "\n"):gmatch "(.-)\n" do lines[#lines + 1] = indent .. "  " .. line end
  else
    lines[#lines + 1] = indent .. key .. ": " .. json_text.encode(type(value) == "string" and text.visible(value) or value)
  end
end

local function diagnostics(self, result)
  local lines = { "  ---" }
  local first = results.first(result)
  if first then
    local file, line = anatomy.place(first)
    add(lines, "message", plain_text.first_line(first))
    add(lines, "severity", result.status == "failure" and "fail" or "error")
    add(lines, "at", file and ("%s:%d"):format(file, line or result.line or 0))
    add(lines, "kind", plain_text.kind(first))
  end
  add(lines, "duration_ms", result.seconds and tonumber(("%.3f"):format(result.seconds * 1000)))
  if first then add(lines, "detail", plain_text.body(result, self)) end
  if result.flaky then add(lines, "flaky", true) end
  add(lines, "attempts", result.attempts and #result.attempts + 1)
  add(lines, "output", results.failed(result) and result.printed and text.captured(result.printed:text(), false) or nil)
  add(lines, "left_open", results.failed(result) and result.left or nil)
  lines[#lines + 1] = "  ...\n"
  return table.concat(lines, "\n")
end

local Reporter = {}
Reporter.__index = Reporter

local function point(self, result)
  self.count = self.count + 1
  local failed = results.failed(result)
  local name = description(results.title(result))
  local directive = ""
  if result.status == "pending" then
    directive = " # SKIP " .. text.one_line(result.pending or ""):gsub("#", "")
  end
  self.out(("%s %d - %s%s\n"):format(failed and "not ok" or "ok", self.count, name, (directive:gsub(" +$", ""))))
  if failed or result.flaky or result.attempts then self.out(diagnostics(self, result)) end
end

function Reporter:event(ev)
  local result = self.results:event(ev)
  local kind = ev.ev
  if kind == "run_start" then
    self.run = ev
    if not self.begun then self.out "TAP version 14\n" end
    self.begun = true
  elseif kind == "file_start" then
    if (self.run and self.run.jobs or 1) <= 1 then self.out("# " .. text.one_line(ev.file) .. "\n") end
  elseif kind == "run_end" then
    self.nothing, self.interrupted = ev.nothing, ev.interrupted
  elseif result and (kind == "test_end" or kind == "problem") then
    point(self, result)
  end
end

--- Writes the plan.
function Reporter:finish()
  if not self.begun or self.finished then return end
  self.finished = true
  if self.interrupted then self.out("Bail out! Interrupted by " .. text.one_line(self.interrupted) .. "\n") end
  if self.count > 0 then return self.out(("1..%d\n"):format(self.count)) end
  self.out(("1..0 # SKIP %s\n"):format(text.one_line(self.nothing or "no test ran")))
end

---@param opts table           see report.new
---@param out fun(text: string)
function tap14.new(opts, out)
  return setmetatable({ out = out, results = results.new(opts), count = 0, program = opts.program,
    sources = anatomy.sources(opts.read, opts.mask) }, Reporter)
end

return tap14
