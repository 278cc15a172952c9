--- What is closed by waiting: things that other programs hold for a test, which a sweep cannot close by itself.
--
-- Two kinds. What goes with the test, block or file that it was opened in (containers, networks) has a lease
-- (src/core/lease.c); once the sweep has ended leases, `closing.run` closes what belongs to them. What goes with the file
-- wherever it was opened, and needs what is still open for that (a cloned database, over its connection), is given to
-- `closing.at_end`; `closing.finish` does it before the sweep.

local core = require "itlua.core"

local closing = {}

---@class itlua.closing.Entry
---@field stage integer
---@field close fun()

-- By lease. Holding the lease here also keeps the collector from ending it.
local entries = {}

--- Something that has to be closed. Call `done` once it was.
---@param label string     "container redis:7-alpine", for the report when it was left open
---@param stage integer    1 is closed before 2; those of a stage at the same time
---@param close fun()      may wait, may raise
---@param quiet? boolean   leaving it open is no fault
---@return userdata lease
function closing.add(label, stage, close, quiet)
  local lease = core.lease(label, quiet)
  entries[lease] = { stage = stage, close = close }
  return lease
end

--- It was closed, or is not to be.
function closing.done(lease)
  entries[lease] = nil
  lease:close()
end

--- Whether anything is open that closing.run would have to close.
---@return boolean
function closing.needed()
  return next(entries) ~= nil
end

local function close_stage(fns, failures)
  local running = {}
  for i, fn in ipairs(fns) do running[i] = core.spawn(fn) end
  for _, handle in ipairs(running) do
    local ok, err = core.join(handle)
    if not ok then failures[#failures + 1] = tostring(err) end
  end
end

--- Closes what the sweep has left to us. To be called after core.sweep, in a scope with time of its own.
---@return string[] failures   a line for each thing that could not be closed
function closing.run()
  local stages, failures = {}, {}
  for lease, entry in pairs(entries) do
    if lease:ended() then
      stages[entry.stage] = stages[entry.stage] or {}
      table.insert(stages[entry.stage], entry.close)
      entries[lease] = nil
    end
  end
  for stage = 1, 2 do
    if stages[stage] then close_stage(stages[stage], failures) end
  end
  return failures
end

-- ---- at the end of a file or script

local endings = {} ---@type { label: string, fn: fun() }[]

--- Calls `fn()` when the file or script has ended, the last registered first, before anything is swept.
---@param label string     "database itlua_db_1f: drop", for the report when it fails
---@param fn fun()         may wait, may raise
function closing.at_end(label, fn)
  endings[#endings + 1] = { label = label, fn = fn }
end

--- Whether there is anything for closing.finish.
---@return boolean
function closing.ends()
  return endings[1] ~= nil
end

-- The same error, with what was being done in front.
local function labelled(label, err)
  local kind = core.is_error(err)
  if kind then return core.error_new(kind, err.code, ("%s: %s"):format(label, err.message)) end
  return type(err) == "string" and ("%s: %s"):format(label, err) or err
end

--- Does what was registered. None may take so long that nothing is left for the others: each gets half of what is left.
---@param seconds number    for all of it
---@return any[] errors     of those that failed or were stopped
function closing.finish(seconds)
  local list, errors = endings, {}
  endings = {}
  local deadline = core.now() + seconds
  for i = #list, 1, -1 do
    local share = math.max((deadline - core.now()) / (i > 1 and 2 or 1), 0.2)
    local scope = core.enter(share, true)
    local ok, err = pcall(list[i].fn)
    local expired = core.leave(scope)
    if not ok then
      errors[#errors + 1] = labelled(list[i].label, err)
    elseif expired then
      errors[#errors + 1] = core.error_new("timeout", nil, ("%s: not done within %.3g s"):format(list[i].label, share))
    end
  end
  return errors
end

return closing
