--- Captures: waiting for what comes, and for the point from which on nothing more can come that matters.

local core = require "itlua.core"
local match = require "itlua.match"
local matching = require "itlua.capture.matching"
local show = require "itlua.show"
local story = require "itlua.capture.story"
local trace = require "itlua.capture.trace"

local wait = {}

local DEFAULT_WINDOW <const> = 1 -- seconds, where there can be no fence

--- Raises what a check of the records has found.
function wait.check_records(self)
  local refused = self.refused
  if not refused then return end
  self.refused = nil
  local problem = refused.problem
  core.raise("contract", "CHECK", ("the check of %s refused record %d: %s\n    %s"):format(self.name, refused.record.n,
    type(problem) == "table" and problem.message or tostring(problem), trace.line(self, refused.record, 400)),
    { record = refused.record, cause = problem })
end

--- A record that is not what it should be: the capture's next method raises the problem. For sources.
---@param record itlua.capture.Record
---@param problem string
function wait.refuse(self, record, problem)
  self.count = self.count + 1
  record.n = self.count
  if self.refused == nil then self.refused = { record = record, problem = problem } end
  self.bell:ring()
end

--- Raises why it cannot go on, where that is so.
function wait.check_source(self)
  wait.check_records(self)
  local err = self.failure
  if err ~= nil then
    local kind = core.is_error(err)
    if not kind then error(err, 0) end
    core.raise(kind, err.code, err.message, { op = err.op, cause = err })
  end
  if self.closed then core.raise("cancelled", "CLOSED", ("the capture of %s was closed meanwhile"):format(self.name)) end
end

--- Looks now and after every arrival, until `look()` is true. Returns nil when the time is over, or nothing more can come.
function wait.await(self, seconds, look)
  if seconds <= 0 then
    core.sleep(0) -- what is there already may still be on its way through the loop
    local found = look()
    if not found then wait.check_source(self) end
    return found
  end
  local looking = false
  local scope = core.enter(seconds)
  local ok, found = pcall(self.await, self, function()
    looking = true
    local result = look()
    looking = false
    return result
  end)
  local expired = core.leave(scope)
  if ok then return found end
  if not expired or core.is_error(found) ~= "timeout" then
    story.interrupted(self, found)
    error(found, 0)
  end
  if looking and found.waited_for then return nil end -- a match that waits itself: for longer than there is time
  return look()
end

-- The same, for proof that nothing came: nothing would be known of a record whose match was interrupted, so only the wait
-- for the next one is.
local function watch(self, seconds, look)
  local over = core.now() + seconds
  while not look() do
    local seen, left = self.count, over - core.now()
    if left <= 0 or self.complete then return end
    wait.await(self, left, function() return self.count > seen end)
  end
end

--- An iterator over what was not looked at yet, over all that is and will be held; from the first that no wait_for
--- has returned where only those matter. A record was looked at when the next is asked for: one whose match was
--- interrupted comes again.
function wait.unseen(self, untaken)
  local list, at = self.records, 0
  if untaken then
    local head = self.head
    while list[head] and self.taken[list[head]] do head = head + 1 end
    self.head, at = head, head - 1
  end
  return function(_, looked_at)
    if list ~= self.records then
      list, at = self.records, 0 -- it was cleared
    elseif looked_at then
      at = at + 1
    end
    return list[at + 1]
  end
end

local methods = {
  wait_for = { timeout = true },
  wait_for_count = { timeout = true, match = true },
  expect_none = { fence = true, within = true, timeout = true },
  expect_once = { fence = true, within = true, timeout = true },
  expect_order = { by = true, groups = true, timeout = true },
}

--- A usage error where they are no options of this method.
---@param options table?
---@param name string
---@param known? table<string, boolean>     those of the method of that name
function wait.check_options(options, name, known)
  known = known or methods[name]
  if options == nil then return end
  if type(options) ~= "table" then core.usage(("%s: options are a table, not %s"):format(name, show.value(options))) end
  for option in pairs(options) do
    if not known[option] then core.usage(("%s has no option %s"):format(name, show.value(option))) end
  end
end

--- An option that is seconds.
function wait.seconds(options, field, otherwise, name)
  local value = options and options[field]
  if value == nil then return otherwise end
  if type(value) ~= "number" or value ~= value or value < 0 then
    core.usage(("%s: %s is seconds, not %s"):format(name, field, show.value(value)))
  end
  return value
end

--- Runs `fn` with a line in the timeline.
function wait.spanned(self, name, what, fn)
  local span = core.span(name, ("%s: %s"):format(self.name, what))
  local result = table.pack(pcall(fn))
  local outcome = result[1] and tostring(result[3] or "it came")
    or core.is_error(result[2]) == "timeout" and "timeout" or "failed"
  core.span_end(span, outcome)
  if not result[1] then error(result[2], 0) end
  return result[2], result[3]
end

--- Waits for a record that is sent after the action; it is none of those that matter.
function wait.marker(self, marker, timeout)
  local next_record = wait.unseen(self)
  local found = wait.await(self, timeout, function()
    for record in next_record do
      if matching.fits(marker, record) then return record end
    end
  end)
  if not found then story.none_came(self, marker, timeout) end
  self.marker[found] = true
  return ("up to the marker, record %d"):format(found.n)
end

--- Waits until everything has come that could matter; says how that is known. `hit()` ends it early.
function wait.settle(self, name, options, hit)
  local fence, within = options and options.fence, options and options.within
  local source = self.source
  if fence ~= nil and within ~= nil then core.usage(name .. " takes a fence or a window (within), not both") end
  if match.is_callable(fence) then
    local point = fence()
    fence = point == nil and true or point
  end
  if self.complete then return ("%s has ended, all of it was read"):format(self.name) end
  if fence == nil and within == nil and source.fence then fence = true end
  if fence == nil or fence == false then
    within = wait.seconds(options, "within", DEFAULT_WINDOW, name)
    if within <= 0 then core.usage(name .. ": a window of no time could not fail") end
    watch(self, within, hit)
    if self.complete then return ("%s has ended, all of it was read"):format(self.name) end
    return ("within %.6g s; that is a window of time, no fence: what comes later is not seen"):format(within)
  end
  local timeout = wait.seconds(options, "timeout", 10, name)
  if type(fence) == "table" and fence.marker ~= nil then return wait.marker(self, fence.marker, timeout) end
  if not source.fence then
    core.usage(("%s: %s has no fence: give { within = seconds }, or a marker that is sent after the action, "
      .. "{ fence = { marker = match } }"):format(name, self.name))
  end
  local scope = core.enter(timeout > 0 and timeout or 0.001)
  local ok, where = pcall(source.fence, source, fence)
  local expired = core.leave(scope)
  if not ok then
    wait.check_source(self)
    if not expired or core.is_error(where) ~= "timeout" then error(where, 0) end
    story.no_fence(self, name, timeout)
  end
  return where or "up to a fence"
end

return wait
