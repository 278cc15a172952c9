--- What is closed by waiting: things that other programs hold for a test (containers, networks), which a sweep cannot
--- close by itself. Each has a lease (src/core/lease.c); once the sweep has ended leases, `closing.run` closes what
--- belongs to them.

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

return closing
