--- Tasks: doing several things at once in straight-line code, and waiting with a limit.
-- A task is a coroutine of the scheduler; every wait in it lets the others run. What a test spawned and left running is
-- cancelled when it ends, and named.

local core = require "itlua.core"
local current_run = require "itlua.run"

local task = {}

---@class itlua.task
---@field handle userdata
local Task = {}
Task.__index = Task
Task.__name = "itlua.task"

local function rethrow(err)
  error(err, 0)
end

local function finish(ok, ...)
  if ok then return ... end
  rethrow((...))
end

--- Waits for the task and returns its results; raises its error.
---@param timeout? number seconds
---@return any ...
function Task:join(timeout)
  if timeout then
    return task.timeout(timeout, Task.join, self)
  end
  return finish(core.join(self.handle))
end

--- Asks the task to end: its wait raises an error of kind "cancelled", and so does every later one.
---@param why? string
function Task:cancel(why)
  core.cancel(self.handle, why)
end

--- "running", "done" or "failed".
---@return string
function Task:status()
  return core.status(self.handle)
end

function Task:__tostring()
  return tostring(self.handle)
end

--- Waits.
---@param seconds number
function task.sleep(seconds)
  core.sleep(seconds)
end

--- Runs `fn(...)` beside the running task. An error in it that nobody joins fails the test that spawned it.
---@param fn function
---@return itlua.task
function task.spawn(fn, ...)
  if type(fn) ~= "function" then core.usage("task.spawn needs a function, not " .. type(fn)) end
  return setmetatable({ handle = core.spawn(fn, ...) }, Task)
end

local function functions(name, ...)
  local list = ...
  if type(list) ~= "table" then list = { ... } end
  for i, fn in ipairs(list) do
    if type(fn) ~= "function" then
      core.usage(("%s: argument %d must be a function, not %s"):format(name, i, type(fn)))
    end
  end
  return list
end

-- Runs them at once; `on_end(i, ok, ...)` is told of each as it ends and says whether that was enough. The rest is cancelled.
local function together(fns, on_end)
  local running, index = {}, {}
  for i, fn in ipairs(fns) do
    running[i], index[i] = core.spawn(fn), i
  end
  local ok, err = pcall(function()
    while #running > 0 do
      local first = core.first(table.unpack(running))
      local handle, i = table.remove(running, first), table.remove(index, first)
      if on_end(i, core.join(handle)) then break end
    end
  end)
  for _, handle in ipairs(running) do core.cancel(handle, "no longer needed") end
  if not ok then rethrow(err) end
end

--- Runs the functions at once and returns the first result of each, in order. When one fails the others are cancelled and
--- its error is raised.
---@param ... function|function[]
---@return table results
function task.all(...)
  local fns = functions("task.all", ...)
  local results, failed, err = { n = #fns }, false, nil
  together(fns, function(i, ok, value)
    if ok then
      results[i] = value
    else
      failed, err = true, value
    end
    return not ok
  end)
  if failed then rethrow(err) end
  return results
end

--- Runs the functions at once and returns the results of the first that ends (its error is raised); the others are cancelled.
---@param ... function|function[]
---@return any ...
function task.race(...)
  local fns = functions("task.race", ...)
  if #fns == 0 then core.usage("task.race needs at least one function") end
  local first
  together(fns, function(_, ...)
    first = table.pack(...)
    return true
  end)
  return finish(table.unpack(first, 1, first.n))
end

local function positive(name, seconds)
  if type(seconds) ~= "number" or seconds <= 0 or seconds ~= seconds then
    core.usage(name .. " needs a positive number of seconds")
  end
end

-- pcall; a debugger is told of what is raised while its stack is still there.
local function guarded(fn, ...)
  if current_run.on_fault then return xpcall(fn, current_run.on_fault, ...) end
  return pcall(fn, ...)
end

local function with_scope(seconds, shield, fn, ...)
  local scope = core.enter(seconds, shield)
  local result = table.pack(guarded(fn, ...))
  local expired = core.leave(scope)
  if not result[1] then rethrow(result[2]) end
  if expired then
    core.raise("timeout", nil, ("stopped after %.6g s: it went on although its time was over"):format(seconds))
  end
  return table.unpack(result, 2, result.n)
end

--- Runs `fn(...)` with a deadline. When it passes, whatever is waited for is cancelled and an error of kind "timeout" raised;
--- a pcall inside cannot hide it.
---@param seconds number
---@param fn function
---@return any ... what fn returns
function task.timeout(seconds, fn, ...)
  positive("task.timeout", seconds)
  return with_scope(seconds, false, fn, ...)
end

--- Runs `fn(...)` with time of its own for cleanup: deadlines and cancellation outside are not felt inside.
---@param seconds number
---@param fn function
---@return any ...
function task.shield(seconds, fn, ...)
  positive("task.shield", seconds)
  return with_scope(seconds, true, fn, ...)
end

--- What has happened in the test so far, in order and on one clock: requests, statements, commands, captured events,
--- lines of services. assert.happened is about it.
---@return itlua.timeline.Entry[]
function task.timeline()
  return (require "itlua.timeline".entries())
end

-- ---- eventually

local function show(value)
  if type(value) == "string" then return ("%q"):format(#value > 60 and value:sub(1, 57) .. "..." or value) end
  return tostring(value)
end

-- What was raised, on a line where luassert's print of two values can be.
local function said(raised)
  local text = tostring(raised)
  local head, got, expected = text:match "^(.-)%.?\nPassed in:\n([^\n]*)\nExpected:\n([^\n]*)%s*$"
  if head and #got + #expected < 300 and not got:find "{$" then
    text = ("%s: expected %s, got %s"):format(head, expected, got)
  end
  return (text:gsub("\n", "\n                 "))
end

-- Runs of equal outcomes: "tries 1-4  "pending"".
local function describe(attempts, total, seconds)
  local lines = { ("Still failing after %.3g s and %d %s."):format(seconds, total, total == 1 and "try" or "tries") }
  for _, run in ipairs(attempts) do
    local range = run.first == run.last and ("try %d"):format(run.first) or ("tries %d-%d"):format(run.first, run.last)
    lines[#lines + 1] = ("    %-12s %s"):format(range, run.text)
  end
  if #attempts == 1 and total > 1 then
    lines[#lines + 1] = "    it never changed"
  elseif #attempts > 1 then
    lines[#lines + 1] = ("    last changed %.3g s before the end"):format(seconds - attempts[#attempts].at)
  end
  return table.concat(lines, "\n")
end

-- Sleeps; the pauses between tries are in no timeline.
local function pause(seconds)
  local before = core.silence(true)
  local ok, err = pcall(core.sleep, seconds)
  core.silence(before)
  if not ok then rethrow(err) end
end

--- Calls `fn` again and again until it returns something true (or nothing at all) without raising, and returns that.
--- Gives up after the timeout with an error of kind "timeout" that lists the attempts: values seen, the last failure, whether
--- it ever changed.
---@param fn fun(): any
---@param options? { timeout?: number, interval?: number } seconds; 2 and 0.05
---@return any ...
function task.eventually(fn, options)
  options = options or {}
  local timeout, interval = options.timeout or 2, options.interval or 0.05
  local started, attempts, total = core.now() - core.held(), {}, 0
  local span = core.span("eventually", core.where())
  while true do
    total = total + 1
    local result = table.pack(pcall(fn))
    local elapsed = core.now() - core.held() - started -- a debugger's prompt costs no time
    if result[1] and (result.n == 1 or result[2]) then
      core.span_end(span, ("%d %s"):format(total, total == 1 and "try" or "tries"))
      return table.unpack(result, 2, result.n)
    end
    local text = result[1] and show(result[2]) or said(result[2])
    local run = attempts[#attempts]
    if run and run.text == text then
      run.last = total
    elseif #attempts < 20 then
      attempts[#attempts + 1] = { first = total, last = total, text = text, at = elapsed }
    else
      attempts[20] = { first = attempts[20].first, last = total, text = text, at = elapsed }
    end
    if elapsed > timeout - 0.0005 then
      core.span_end(span, ("gave up after %d tries"):format(total))
      core.raise("timeout", "EVENTUALLY", describe(attempts, total, elapsed),
        { attempts = attempts, tries = total, cause = not result[1] and result[2] or nil })
    end
    pause(math.min(interval, timeout - elapsed)) -- the last try is when the time is over
  end
end

return task
