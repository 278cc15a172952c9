--- What a test, a block or a file left behind: closed, cancelled, and named.

local closing = require "itlua.closing"
local core = require "itlua.core"

local leftover = {}

local function describe(item)
  local task = item.kind == "task"
  local text = item.label or item.kind
  if task and text ~= "task" then text = "task in " .. text end
  local where = item.where and item.where ~= "?" and item.where
  if not where then return text end
  return ("%s, %s at %s"):format(text, task and "spawned" or "opened", where)
end

--- Closes and cancels what began after the mark.
---@param mark integer       of core.mark
---@param seconds number     how long cancelled tasks may take to end
---@return string? left      a line for each thing
---@return table[] failed    spawned tasks that failed and that nobody joined: {error, where, traceback}
function leftover.sweep(mark, seconds)
  if core.mark() == mark then return nil, {} end
  local scope = core.enter(seconds, true)
  local ok, items = pcall(core.sweep, mark)
  local closed, lines = pcall(closing.run)
  core.leave(scope)
  if not ok then return "what did not end in time: " .. tostring(items), {} end
  if not closed then lines = { "what could not be closed in time: " .. tostring(lines) } end
  local failed = {}
  for _, item in ipairs(items) do
    if item.kind == "error" then
      failed[#failed + 1] = item
    else
      lines[#lines + 1] = describe(item)
    end
  end
  return lines[1] and table.concat(lines, "\n") or nil, failed
end

return leftover
