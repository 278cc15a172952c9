--- What a failure can tell beyond its message. Loaded with the first failure.

local outcome = require "itlua.spec.outcome"

local details = {}

-- A module of ours that may not be there, or not be loaded.
local function module_of_ours(name)
  local ok, module = pcall(require, name)
  return ok and module or nil
end

--- The operations since the mark, as a JSON array; nil where there were none.
---@param since? integer
---@param fine? boolean     of a test that passed
---@return string?
function details.timeline(since, fine)
  local timeline = module_of_ours "itlua.spec.timeline"
  if not timeline then return nil end
  local ok, text = pcall(timeline.json, since, fine)
  return ok and text or nil
end

--- How two values that should have been the same differ.
---@param raised any     a failure
---@return string?
function details.diff(raised)
  local compared = raised ~= nil and outcome.evidence_of(raised)
  if not compared or not compared.positive then return nil end
  local diff = module_of_ours "itlua.diff"
  if not diff then return nil end
  local ok, text = pcall(diff.of_failure, compared)
  return ok and text or nil
end

return details
