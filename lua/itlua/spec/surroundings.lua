--- What modules registered to be done around tests (../run.lua), under the deadlines of hooks.

local closing = require "itlua.closing"
local core = require "itlua.core"
local run = require "itlua.run"

local surroundings = {}

local function full_name(suite, test)
  local names, element = {}, test
  while element and element.descriptor ~= "file" and element.descriptor ~= "suite" do
    table.insert(names, 1, tostring(element.name))
    element = suite.tree.parents[element]
  end
  return table.concat(names, " ")
end

--- Before a test's before_each hooks.
---@return boolean|"broken" done     "broken": an error was made known, the test must not run
function surroundings.before(suite, test)
  run.in_test, run.since, run.began = true, core.mark(), core.now()
  if not run.watched then return false end
  local name = full_name(suite, test)
  local status = suite.attempt("before_each", function() run.begin_test(name) end, suite.tree.parents[test],
    suite.limits.hook)
  return status == "success" or "broken"
end

--- After its after_each hooks: what it left is added to it, what failed is an error.
function surroundings.after(suite, recorder)
  run.in_test, run.since, run.began = false, nil, nil
  if not run.watched then return end
  local scope = core.enter(suite.limits.cleanup, true)
  local left, errors = run.end_test()
  core.leave(scope)
  local failed = {}
  for i, err in ipairs(errors) do failed[i] = { error = err, where = "?" } end
  if left[1] or failed[1] then recorder:add_to_test(left[1] and table.concat(left, "\n") or nil, failed) end
end

--- After a file's last hook: an error is one outside the tests.
function surroundings.finish(suite)
  if not closing.ends() then return end
  for _, err in ipairs(closing.finish(suite.limits.cleanup)) do
    suite.attempt("teardown", function() error(err, 0) end, suite.tree.current)
  end
end

return surroundings
