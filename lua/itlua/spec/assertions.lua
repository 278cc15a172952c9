--- luassert in a suite: its words, and its failures told from errors.

local environment = require "itlua.spec.environment"
local luassert = require "luassert"
local outcome = require "itlua.spec.outcome"

local assertions = {}

--- `busted.bindfenv`: one name means something else in a function's environment.
---@param callable any     a function or what can be called
---@param name string
---@param value any
function assertions.bind(callable, name, value)
  local mt = debug.getmetatable(callable)
  local fn = mt and mt.__call or callable
  environment.set(fn, setmetatable({ [name] = value }, { __index = environment.get(fn) }))
end

local installed = false

--- Exports luassert's words and makes its errors failures.
---@param suite itlua.spec.suite
function assertions.install(suite)
  if not installed then
    local chain = require "itlua.spec.chain"
    chain.install()
    assertions.bind(luassert, "error", outcome.fail)
    for _, raiser in ipairs(chain.raisers) do assertions.bind(raiser, "error", outcome.fail) end
    installed = true
  end
  suite.export("assert", luassert)
  for _, word in ipairs { "spy", "mock", "stub", "match" } do suite.export(word, require("luassert." .. word)) end
end

return assertions
