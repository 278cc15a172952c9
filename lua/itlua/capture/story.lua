--- Captures: what a failure tells. What did arrive, how the nearest of it differs, how far the source was read, and
-- whether that proves anything.

local core = require "itlua.core"
local diff = require "itlua.diff"
local match = require "itlua.match"
local matching = require "itlua.capture.matching"
local show = require "itlua.show"
local trace = require "itlua.capture.trace"

local story = {}

local SHOWN <const> = 10 -- records
local COMPARED <const> = 1000 -- of the last records, for the nearest

local function after(self, record)
  local seconds = record.at - self.began
  if seconds < 0 then seconds = 0 end
  return seconds < 10 and ("+%d ms"):format(math.floor(seconds * 1000 + 0.5)) or ("+%.1f s"):format(seconds)
end

local function listed(self, records, mark)
  local lines, width = {}, 0
  local from = math.max(1, #records - SHOWN + 1)
  for i = from, #records do width = math.max(width, #after(self, records[i])) end
  if from > 1 then lines[1] = ("    … %d earlier"):format(from - 1) end
  for i = from, #records do
    local time = after(self, records[i])
    lines[#lines + 1] = ("    %s%s  %s%s"):format((" "):rep(width - #time), time, trace.short_line(records[i], 160),
      mark and mark(records[i]) or "")
  end
  return lines
end

local function indented(text, by)
  return by .. text:gsub("\n", "\n" .. by)
end

-- ---- parts of a message

local function arrived(self, lines)
  local n = #self.records
  if n == 0 then
    lines[#lines + 1] = self.count > 0 and "  nothing has come since it was cleared" or "  nothing came at all"
  else
    lines[#lines + 1] = ("  %d came:"):format(n)
    table.move(listed(self, self.records, function(record)
      return self.taken[record] and "   (returned by an earlier wait)" or ""
    end), 1, SHOWN + 1, #lines + 1, lines)
  end
  if self.passed > 0 then lines[#lines + 1] = ("  the filter left out %d more"):format(self.passed) end
end

local function nearest(self, wanted, lines)
  if match.is_callable(wanted) then return end
  local best, least, least_score
  for i = #self.records, math.max(1, #self.records - COMPARED + 1), -1 do
    local record = self.records[i]
    local expected, got = matching.sides(wanted, record)
    if expected == nil then return end
    if not self.taken[record] then
      local result = match.compare(expected, got)
      local score = #result.entries
      if score == 1 and result.entries[1].path == "" then score = math.huge end -- not even a table
      if not least or score < least_score then best, least, least_score = record, result, score end
    end
  end
  if not best then return end
  local where = trace.place(best)
  lines[#lines + 1] = ("  the nearest is record %d (%s):"):format(best.n, where ~= "" and where or after(self, best))
  lines[#lines + 1] = indented(diff.text(least, { max = 10 }) or "it matches by now", "    ")
  return best
end

local function progress(self, lines)
  local source = self.source
  local ok, list = pcall(function() return source.progress and source:progress() or {} end)
  if not ok then list = { "(unknown: " .. tostring(list) .. ")" } end
  if type(list) == "string" then list = { list } end
  if self.complete then lines[#lines + 1] = "  it has ended: nothing more can come" end
  if #list == 0 then return end
  lines[#lines + 1] = "  read so far:"
  for i = 1, math.min(#list, 20) do lines[#lines + 1] = "    " .. list[i] end
  if #list > 20 then lines[#lines + 1] = ("    … and %d more"):format(#list - 20) end
end

local function raise(self, kind, code, lines, fields)
  fields = fields or {}
  fields.capture, fields.op = self, fields.op or "capture"
  core.raise(kind, code, table.concat(lines, "\n"), fields)
end

-- ---- the failures

local function in_time(self, timeout)
  return self.complete and "before it ended" or ("within %.6g s"):format(timeout)
end

--- The time of the test itself was over first: its error tells the same.
function story.interrupted(self, err)
  if type(err) ~= "table" or core.is_error(err) ~= "timeout" or not err.scope or err.capture then return end
  local lines = { (tostring(err.message):gsub(" for wait$", " for " .. self.name:gsub("%%", "%%%%"))) }
  arrived(self, lines)
  progress(self, lines)
  err.message, err.capture = table.concat(lines, "\n"), self
end

function story.none_came(self, wanted, timeout)
  local what = wanted == nil and "nothing" or "nothing that matches " .. matching.words(wanted)
  local lines = { ("%s came on %s %s"):format(what, self.name, in_time(self, timeout)) }
  arrived(self, lines)
  local best = wanted ~= nil and nearest(self, wanted, lines) or nil
  progress(self, lines)
  raise(self, "timeout", "NO_EVENT", lines, { nearest = best })
end

function story.too_few(self, wanted, timeout, n, count)
  local that = wanted == nil and "" or " that match " .. matching.words(wanted)
  local lines = { ("%d of %d records%s came on %s %s"):format(n, count, that, self.name, in_time(self, timeout)) }
  arrived(self, lines)
  progress(self, lines)
  raise(self, "timeout", n > 0 and "TOO_FEW" or "NO_EVENT", lines, { count = n })
end

function story.some_came(self, wanted, found)
  local that = wanted == nil and "something" or "something that matches " .. matching.words(wanted)
  local lines = { ("%s came on %s, and nothing was to:"):format(that, self.name), listed(self, { found })[1] }
  raise(self, "contract", "UNEXPECTED_EVENT", lines, { record = found, op = "capture.expect_none" })
end

function story.duplicates(self, wanted, list)
  local lines = { ("%s came %d times on %s, and was to come once:"):format(matching.words(wanted), #list, self.name) }
  table.move(listed(self, list), 1, SHOWN + 1, 2, lines)
  raise(self, "contract", "DUPLICATE_EVENT", lines, { records = list, op = "capture.expect_once" })
end

function story.no_fence(self, name, timeout)
  local lines = { ("%s: the fence of %s was not reached within %.6g s, so nothing is proved"):format(name, self.name,
    timeout) }
  arrived(self, lines)
  progress(self, lines)
  raise(self, "timeout", "NO_FENCE", lines, { op = "capture." .. name })
end

function story.out_of_order(self, order, timeout)
  local lines, list = {}, order.list
  local function of(group) return order.by and (" of %s"):format(show.value(group.key)) or "" end
  local broken = order.broken
  if broken then
    lines[1] = ("%s came out of order%s: number %d of %d came while number %d had not"):format(self.name,
      of(broken.group), broken.early, #list, broken.group.due)
  else
    lines[1] = ("not all of %d came in order on %s %s"):format(#list, self.name, in_time(self, timeout))
  end
  local groups = broken and { [broken.group.key] = broken.group } or order.groups
  if next(groups) == nil then groups = { [true] = { key = "anything", due = 1, found = {} } } end
  for _, key in ipairs(show.keys(groups)) do
    local group = groups[key]
    if group.due <= #list then
      if order.by then lines[#lines + 1] = "  " .. show.value(group.key) end
      local width = 0
      for _, wanted in ipairs(list) do width = math.max(width, #matching.words(wanted)) end
      for i, wanted in ipairs(list) do
        local found, words = group.found[i], matching.words(wanted)
        local line = found and trace.short_line(found, 100) or broken and "had not come" or "has not come"
        if broken and i == broken.early then line = "came too early: " .. trace.short_line(broken.record, 100) end
        lines[#lines + 1] = ("    %d. %s%s   %s"):format(i, words, (" "):rep(math.min(width, 60) - #words), line)
      end
    end
  end
  arrived(self, lines)
  progress(self, lines)
  if broken then raise(self, "contract", "EVENT_ORDER", lines, { record = broken.record, op = "capture.expect_order" }) end
  raise(self, "timeout", "NO_EVENT", lines, { op = "capture.expect_order" })
end

return story
