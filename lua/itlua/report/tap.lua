--- busted's `TAP`: Test Anything Protocol, the plan last.

local tally = require "itlua.report.tally"

local tap = { interleaved = true }

local function comment(text) return "# " .. text:gsub("\n", "\n# ") end

local function not_ok(self, record)
  local lines = { ("not ok %d - %s"):format(self.counter, record.name) }
  if record.source then lines[#lines + 1] = "# " .. record.source .. " @ " .. record.line end
  if record.randomseed then lines[#lines + 1] = "# Random seed: " .. record.randomseed end
  lines[#lines + 1] = comment("Failure message: " .. (record.message or "Nil error"))
  if self.verbose and record.traceback then
    lines[#lines + 1] = comment((tally.traceback(record.traceback):gsub("^\n", "")))
  end
  lines[#lines + 1] = ""
  self.out(table.concat(lines, "\n"))
end

local on = {}

function on.run_start(self, ev)
  if (ev.run or 1) > 1 then self.counter = 0 end
end

function on.output(self, ev) self.out(ev.text) end

function on.test_start(self, ev, counts)
  if counts and self.verbose then
    self.out(("# %s @ %d: %s\n"):format(tally.short_src(ev.source or ev.file), ev.line, ev.name))
  end
end

function on.test_end(self, ev, record)
  if not record then return end
  self.counter = self.counter + 1
  if ev.status == "success" then
    self.out(("ok %d - %s\n"):format(self.counter, record.name))
  elseif ev.status == "pending" then
    self.out(("ok %d - # SKIP %s\n"):format(self.counter, record.message or record.name))
  else
    -- The last of the kind, as the status says what it comes to: an error in `finally` outweighs the body's failure.
    local list = ev.status == "failure" and self.tally.failures or self.tally.errors
    not_ok(self, list[#list] or record)
  end
end

function on.problem(self, _, record)
  if record and not record.is_test then
    self.counter = self.counter + 1
    not_ok(self, record)
  end
end

function on.run_end(self)
  self.out("1.." .. self.counter .. "\n")
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
function tap.new(opts, out)
  return setmetatable({ out = out, tally = tally.new(opts), verbose = opts.verbose, counter = 0 }, Reporter)
end

return tap
