--- Waiting until a container is ready: all conditions of a tree at the same time, ended at once by the container's end.
--- What fails ends in a verdict (itlua.container.verdict).

local condition = require "itlua.container.condition"
local core = require "itlua.core"
local time = require "itlua.time"
local verdict = require "itlua.container.verdict"

local wait = {}

---@class itlua.container.Node    a condition while it is waited for
---@field condition itlua.container.Condition
---@field state "waiting"|"met"|"failed"
---@field tries integer
---@field last string?      why the last try was not enough
---@field children? itlua.container.Node[]
---@field task userdata?
---@field since number?     of logs: the start of this run of the container

local FIRST, LONGEST, GROWTH = 0.005, 0.05, 1.4 -- seconds between two tries
local PATIENCE = 5   -- seconds that the engine has to tell of the end, before its status is asked for
local LAST_WORDS = 2 -- seconds without a line after the end, then none is waited for

local function node_of(c, since)
  local node = { condition = c, state = "waiting", tries = 0, since = since }
  if c.children then
    node.children = {}
    for i, child in ipairs(c.children) do node.children[i] = node_of(child, since) end
  end
  return node
end

-- ---- one condition

local function reason(err)
  local text = core.is_error(err) and err.message or tostring(err)
  text = text:gsub("\n.*", "")
  -- To where is known: it is the container.
  return (text:gsub("^cannot connect to Redis at %S+: ", ""):gsub("^cannot connect to %S+: ", ""))
end

local function poll(container, node)
  local pause = node.condition.interval or FIRST
  while true do
    node.tries = node.tries + 1
    local ok, met, why = pcall(node.condition.check, container, node)
    if ok and met == true then return true end
    if ok then
      node.last = why or "not yet"
    elseif core.is_error(met) ~= "cancelled" then
      node.last = reason(met)
    end
    if ok and met == "never" then return false, why end
    core.sleep(pause) -- raises where the task is to end
    pause = math.min(pause * GROWTH, LONGEST)
  end
end

local function settle(node, met, why)
  node.state = met and "met" or "failed"
  if why then node.last = why end
  return met
end

local function leaf(container, node)
  node.task = core.spawn(function()
    return (node.condition.run or poll)(container, node)
  end)
  local ok, met, why = core.join(node.task)
  if not ok then met, why = false, core.is_error(met) ~= "cancelled" and reason(met) or nil end
  return settle(node, met, why)
end

-- ---- the tree

local function cancel(node)
  if node.task then core.cancel(node.task, "no longer waited for") end
  for _, child in ipairs(node.children or {}) do cancel(child) end
end

local function met(container, node)
  if not node.children then return leaf(container, node) end
  local any, running = node.condition.any or false, {}
  for i, child in ipairs(node.children) do running[i] = core.spawn(met, container, child) end
  local left = table.move(running, 1, #running, 1, {})
  local result = not any
  while #left > 0 do
    local handle = table.remove(left, core.first(table.unpack(left)))
    local ok, one = core.join(handle)
    if (ok and one or false) == any then
      result = any
      break
    end
  end
  for _, child in ipairs(node.children) do
    if child.state == "waiting" then cancel(child) end
  end
  for _, handle in ipairs(left) do core.join(handle) end
  return settle(node, result)
end

local function cancel_those(node, chosen)
  if node.task and node.state == "waiting" and chosen(node) then core.cancel(node.task, "the container has ended") end
  for _, child in ipairs(node.children or {}) do cancel_those(child, chosen) end
end

local function tries_of(node)
  local sum = node.tries
  for _, child in ipairs(node.children or {}) do sum = sum + tries_of(child) end
  return sum
end

-- Its status is asked for too: an engine may lose the request of somebody who waits.
local function await_end(container)
  local ended
  repeat
    local scope = core.enter(PATIENCE)
    ended = pcall(container.engine.call, container.engine, "POST", container:_path "/wait", "waiting for its end",
      { query = { condition = "not-running" }, timeout = false })
    if not core.leave(scope) then return end
    local known, state = pcall(container.inspect, container)
    ended = ended or not known or not state.State.Running
  until ended
end

-- Notices the container's end. Those that it decides are given up at once; those that read what it has printed, once nothing
-- comes any more: an engine may forget to end what it streams.
local function watch_end(container, node, seen)
  await_end(container)
  seen.ended = core.now()
  cancel_those(node, function(one) return not one.condition.survives end)
  local tries
  repeat
    tries = tries_of(node)
    core.sleep(LAST_WORDS)
  until tries_of(node) == tries
  cancel_those(node, function(one) return one.condition.reads end)
end

-- ---- until it is ready

local function started_at(container)
  local ok, moment = pcall(time.parse, container:_known().State.StartedAt)
  return ok and type(moment) == "number" and moment - 0.001 or nil
end

local function await(container, node, timeout, seen)
  local tree = core.spawn(met, container, node)
  local watch = core.daemon(watch_end, container, node, seen)
  local clock = core.daemon(core.sleep, timeout)
  local ok, first = pcall(core.first, tree, clock)
  for _, handle in ipairs { watch, clock } do core.cancel(handle, "no longer needed") end
  if not ok or first == 2 then
    cancel(node)
    if ok then core.join(tree) end
    return ok and "timeout" or "interrupted", first
  end
  local fine, result = core.join(tree)
  if not fine then error(result, 0) end
  return result and "ready" or "failed"
end

--- Waits until the condition holds. Raises kind "container" with the verdict: code EXITED, OOM, UNHEALTHY, NOT_READY;
--- where the test's own deadline comes first, kind "timeout" with the same verdict.
---@param container itlua.container.Container
---@param c itlua.container.Condition
---@param timeout number    seconds
function wait.until_ready(container, c, timeout)
  if not condition.is(c) then core.usage "this is no condition of container.wait" end
  local began = core.now()
  local node, seen = node_of(c, container.restarted and started_at(container) or nil), {}
  local span = core.span("container", ("ready %s: %s"):format(container:label(), c.name))
  local before = core.silence(true) -- the tries are no news; the line above has the outcome
  local ok, outcome, err = pcall(await, container, node, timeout, seen)
  core.silence(before)
  if not ok then
    core.span_end(span, "failed")
    error(outcome, 0)
  end
  core.span_end(span, outcome ~= "ready" and outcome or nil)
  if outcome == "ready" then return end
  verdict.raise(container, {
    node = node, outcome = outcome, interruption = outcome == "interrupted" and err or nil, timeout = timeout,
    seconds = (seen.ended or core.now()) - began,
  })
end

return wait
