--- Tests that fail and run again, and what makes a test that passes fail after all: parts of the recorder.

local attempts = {}

-- What counts only once it is known that the test does not run again.
local function count_all(self, problems)
  for _, event in ipairs(problems or {}) do self:count(event.kind) end
end

local function has_failed(problems)
  for _, event in ipairs(problems or {}) do
    if event.kind ~= "pending" then return true end
  end
  return false
end

-- A go that counts for nothing: its problems and its end say so.
local function give_up_attempt(self, held)
  local ending, after = self.ending, self.after
  self.ending, self.after = nil, nil
  for _, list in ipairs { held, after or {} } do
    for _, event in ipairs(list) do
      event.retried = true
      self.emit(event)
    end
  end
  if not ending then return end
  ending.retried = true
  if ending.status == "success" or ending.status == "pending" then ending.status = "error" end
  self.emit(ending)
end

--- Gives the recorder what it needs for them.
---@param Recorder table
function attempts.install(Recorder)
  --- A go at a test has ended, its cleanup included: tells what came of it.
  ---@param more boolean    there may be another one
  ---@return boolean again
  function Recorder:end_attempt(more)
    local held, attempt, ending = self.held, self.attempt, self.ending
    local failed = has_failed(held) or has_failed(self.after)
    self.held, self.attempt = nil, nil
    if failed and more and not self.suite.skipAll then
      give_up_attempt(self, held)
      return true
    end
    count_all(self, held)
    count_all(self, self.after)
    for _, event in ipairs(held) do self.emit(event) end
    if ending and attempt > 1 then
      ending.attempts = attempt
      ending.flaky = not failed and ending.status == "success" or nil
    end
    self:release()
    return false
  end

  --- Under --fail-on-left: what was left behind is an error.
  ---@param left string
  ---@param name string
  ---@param block integer
  ---@param line integer      0 for a file
  ---@param id? integer       the test's
  function Recorder:left_behind(left, name, block, line, id)
    local place = line > 0 and ("%s:%d: "):format(self.file, line) or ""
    local event = {
      ev = "problem", file = self.file, id = id, block = block, kind = "error", name = self.file and name or "",
      own = name,
      where = id and "it" or not self.file and "suite" or block == 0 and "file" or "describe",
      source = self.file or "itlua", line = line, at_line = line,
      message = place .. "left behind: " .. left,
    }
    self:count("error")
    if self.held then self.held[#self.held + 1] = event
    else self.emit(event) end
  end
end

return attempts
