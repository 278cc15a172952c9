--- What a raised value makes of a test. luassert's failures and pending calls are told from every other error by their
-- metatables, so a value that went through pcall and was raised again still counts as what it is.

local outcome = {}

local getmetatable = debug.getmetatable
local throw = error

local failure = {
  __index = {},
  __type = "failure",
  __tostring = function(raised) return tostring(raised.message) end,
}
local silent_failure = { __index = {}, __type = "failure" } -- its message has no text of its own
local pending = {
  __index = {},
  __type = "pending",
  __tostring = function(raised)
    local message = raised.message
    if message == nil then return "pending" end
    return tostring(message)
  end,
}

-- What an assertion compared when it failed, by the failure it raised: for readable differences.
local evidence = setmetatable({}, { __mode = "k" })
local noted

--- "failure", "pending" or "error".
---@param raised any
---@return "failure"|"pending"|"error"
function outcome.of(raised)
  local mt = getmetatable(raised)
  if mt == failure or mt == silent_failure then return "failure" end
  if mt == pending then return "pending" end
  return "error"
end

--- Whether tostring gives the value's own words.
function outcome.speaks(value)
  if type(value) == "string" then return true end
  local mt = getmetatable(value)
  return mt ~= nil and mt.__tostring ~= nil
end

function outcome.callable(value)
  if type(value) == "function" then return true end
  local mt = getmetatable(value)
  return mt ~= nil and mt.__call ~= nil
end

--- What the failure raised next is about.
---@param compared table    {assertion=, positive=, n=, values…}
function outcome.note(compared)
  noted = compared
end

function outcome.evidence_of(raised)
  return evidence[raised]
end

--- `busted.fail`, and `error` inside luassert: raises a failure.
---@param message? any
---@param level? any       whom to blame, as for `error`; 1 is the caller. Not a positive number: no position is added
function outcome.fail(message, level)
  local as_is = (type(level) ~= "number" or level <= 0) and level
  level = level or 1
  local _, placed = pcall(throw, message, as_is or level + 2)
  local raised = setmetatable({ message = placed }, outcome.speaks(message) and failure or silent_failure)
  if noted then evidence[raised], noted = noted, nil end
  throw(raised, as_is or level + 1)
end

--- `pending` inside a test: ends it.
---@param message? any
function outcome.pending(message)
  throw(setmetatable({ message = message }, pending))
end

return outcome
