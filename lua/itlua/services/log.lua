--- What a service prints, kept by the host: methods of an entry (entry.lua).

local core = require "itlua.core"

local KEPT = 10000 -- lines of a service's log

---@class itlua.services.Entry   more of it is in entry.lua
local Log = {}

--- A line more.
---@param text string
function Log:keep(text)
  local lines = self.lines
  self.printed = self.printed + 1
  self.bell:ring()
  lines[#lines + 1] = { at = core.clock(), text = text }
  if #lines > 2 * KEPT then
    self.lines = table.move(lines, #lines - KEPT + 1, #lines, 1, {})
    if self.instance and self.instance.lines then self.instance.lines = self.lines end
  end
end

-- That it has ended by itself is news for whoever reads what it printed.
local function note_end(self, process)
  core.sleep(0.02) -- its end is known a moment after that of its output
  self.heard_all = process
  if self.state ~= "ready" or self.ending or process:running() then return end
  local result = process:wait()
  self:keep(result.signal and ("(it was ended by signal %d)"):format(result.signal) or
    ("(it has ended with exit code %d)"):format(result.code))
end

--- Takes in what its process prints, with the time of each line.
---@param process itlua.Process
function Log:listen(process)
  self.ending = false
  if self.heard == process then return end -- it was stopped without being ended
  self.heard = process
  core.daemon(function()
    while true do
      local ok, line = pcall(process.read_line, process)
      if ok and not line then return note_end(self, process) end
      if not ok and core.is_error(line) ~= "process" then return end
      self:keep(ok and (line:gsub("\r$", "")) or "(lines were lost)")
    end
  end)
end

--- What it has printed since a time on the wall clock, at most the last `last` lines.
---@param since? number
---@param last? integer
---@return string
function Log:log(since, last)
  if self.instance and self.instance.read_log then
    local ok, text = pcall(self.instance.read_log, self.instance, last, since)
    return ok and text or ""
  end
  local texts = {}
  local first = math.max(1, last and #self.lines - last + 1 or 1)
  for i = first, #self.lines do
    if not since or self.lines[i].at >= since then texts[#texts + 1] = self.lines[i].text end
  end
  return table.concat(texts, "\n")
end

--- The same with the time of each line, for timelines; nothing of one whose log has no times.
---@param since number
---@param last integer
---@return { at: number, text: string }[]
function Log:lines_since(since, last)
  local list = {}
  if self.instance and self.instance.timed_lines then
    local ok, lines = pcall(self.instance.timed_lines, self.instance, since, last)
    return ok and lines or list
  end
  for i = math.max(1, #self.lines - last + 1), #self.lines do
    if self.lines[i].at >= since then list[#list + 1] = self.lines[i] end
  end
  return list
end

--- Waits for a line behind the first `n` that it has printed, for a while, and returns those that came.
---@param n? integer          none: how many there are
---@param seconds number
---@return { n: integer, lines: string[], lost: integer }
function Log:lines_after(n, seconds)
  if n and n >= self.printed then
    local scope = core.enter(seconds)
    pcall(self.bell.wait, self.bell)
    core.leave(scope)
  end
  local first, list = self.printed - #self.lines, {}
  n = n or self.printed
  for i = math.max(n, first) - first + 1, #self.lines do list[#list + 1] = self.lines[i].text end
  return { n = self.printed, lines = list, lost = math.max(0, first - n) }
end

return Log
