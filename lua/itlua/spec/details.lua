--- What a failure can tell beyond its message. Loaded with the first failure.

local core = require "itlua.core"
local outcome = require "itlua.spec.outcome"

local details = {}

-- A module of ours that may not be there, or not be loaded.
local function module_of_ours(name)
  local ok, module = pcall(require, name)
  return ok and module or nil
end

--- The operations since the mark, as a JSON array; nil where there were none.
---@param since? integer
---@param fine? integer     of a test that passed: how many bytes there are for what it sent and got
---@return string?
function details.timeline(since, fine)
  local timeline = module_of_ours "itlua.spec.timeline"
  if not timeline then return nil end
  local ok, text = pcall(timeline.json, since, fine)
  return ok and text or nil
end

--- What the tasks of a test were waiting for when its time was over, the test's own wait first, as a JSON array.
---@param raised table      the deadline's error
---@param since? integer
---@return string?
function details.waits(raised, since)
  local list = core.waits(since)
  if raised.waited then
    local what, detail, seconds = raised.waited_for, raised.waited_detail, raised.waited
    if detail == "" then -- an operation of ours inside of a larger one, which has just been given up
      local spans = core.timeline(since)
      local last = spans[#spans]
      if last and last.at + last.seconds > core.now() - 0.5 then
        what, detail, seconds = last.what, last.detail, last.seconds
      end
    end
    table.insert(list, 1, { where = raised.where, what = what, detail = detail, seconds = seconds })
  end
  local json = list[1] and module_of_ours "itlua.json"
  local ok, text = pcall(function() return json and json.encode(list, { utf8 = "replace" }) or nil end)
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
