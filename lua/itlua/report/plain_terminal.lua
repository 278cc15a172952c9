--- busted's `plainTerminal`: a sign a test, then the summary, then pendings, failures and errors in full.
-- `utfTerminal` is the same with other signs and colours, see utf_terminal.lua.

local language = require "itlua.language"
local paint = require "itlua.report.paint"
local tally = require "itlua.report.tally"

local plain_terminal = { interleaved = true }

local plain_style = {
  success = "+", failure = "-", error = "*", pending = ".", arrow = " -> ", paint = paint.new(false), color = false,
}

local function describe(self, record, colour, label)
  local style, lines = self.style, {}
  local p = style.paint
  local message = record.message
  if message and record.kind ~= "pending" then
    message = paint.highlight(message, style.color)
    if record.randomseed then message = "Random seed: " .. record.randomseed .. "\n" .. message end
  end
  local title = p(colour, label) .. style.arrow
  if record.source then
    lines[1] = title .. p("cyan", record.source) .. " @ " .. p("cyan", record.line)
    lines[2] = p("bright", record.name)
    if message and message ~= "" then lines[3] = message end
  else
    lines[1] = title .. p("cyan", message or "Nil error")
    lines[2] = p("bright", record.name)
  end
  if self.verbose and record.traceback and record.kind ~= "pending" then
    lines[#lines + 1] = tally.traceback(record.traceback)
  end
  lines[#lines + 1] = ""
  return table.concat(lines, "\n")
end

-- Where an error outside the tests has a sign of its own; a hook's error has none.
local signed = { file = true, describe = true, worker = true }

local on = {}

function on.run_start(self, ev)
  if ev.runs == 0 then
    self.out(("\nRepeating all tests until one fails (run %d) . . .\n\n"):format(ev.run))
  elseif (ev.runs or 1) > 1 then
    self.out(("\nRepeating all tests (run %d of %d) . . .\n\n"):format(ev.run, ev.runs))
  end
end

function on.output(self, ev) self.out(ev.text) end

function on.test_end(self, ev, result)
  if result and not self.defer_print then self.out(self.style[ev.status]) end
end

function on.problem(self, _, record)
  if record and not record.is_test and signed[record.where] then self.out(self.style.error) end
end

function on.run_end(self)
  local t, texts = self.tally, self.texts
  local parts = { "\n", t:status(texts, self.style.color and self.style.paint or nil), "\n" }
  local function add(records, colour, label)
    for _, record in ipairs(records) do
      parts[#parts + 1] = "\n"
      parts[#parts + 1] = describe(self, record, colour, label)
    end
  end
  add(t.pendings, "yellow", texts.pending)
  add(t.failures, "red", texts.failure)
  add(t.errors, "magenta", texts.error)
  for _, record in ipairs(t.flaky) do
    local before = record.before
    parts[#parts + 1] = "\n"
    parts[#parts + 1] = describe(self, {
      source = record.source, line = record.line, name = record.name,
      message = ("passed at attempt %d%s"):format(record.ended.attempts, before and "; before:\n" .. before.message or ""),
    }, "yellow", "Flaky")
  end
  self.out(table.concat(parts))
end

local Reporter = {}
Reporter.__index = Reporter

function Reporter:event(ev)
  local result = self.tally:event(ev)
  local handler = on[ev.ev]
  if handler then handler(self, ev, result) end
end

---@param opts table           see report.new
---@param out fun(text: string)
---@param style? table
function plain_terminal.new(opts, out, style)
  return setmetatable({
    out = out, style = style or plain_style, tally = tally.new(opts), texts = language.texts(opts.lang),
    verbose = opts.verbose, defer_print = opts.defer_print,
  }, Reporter)
end

return plain_terminal
