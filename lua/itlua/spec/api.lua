--- What `require "busted"` has besides the words and luassert's.

local assertions = require "itlua.spec.assertions"
local core = require "itlua.core"
local outcome = require "itlua.spec.outcome"

local api = {}

--- Exports it.
---@param suite itlua.spec.suite
function api.export(suite)
  local tree = suite.tree
  local functions = {
    publish = suite.publish, subscribe = suite.subscribe, unsubscribe = suite.unsubscribe,
    bindfenv = assertions.bind, fail = outcome.fail, gettime = core.clock, monotime = core.now, sleep = core.sleep,
    parent = function(element) return tree.parents[element] end,
    children = function(element) return tree.children[element] or {} end,
    version = suite.version,
  }
  for key, value in pairs(functions) do suite.exportApi(key, value) end
end

return api
