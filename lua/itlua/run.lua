--- The run that this state is part of: its seed, the file that runs, and what modules want done around its tests.
-- The spec engine fills it and calls; modules that isolate or audit something (a database, a cache) register here. What
-- they do at the file's end is closing.lua's.

local run = {
  seed = 0,       ---@type integer   `--seed`, or this run's own
  file = "",      ---@type string    the spec file or script
  in_test = false, ---@type boolean  a test runs, its before_each and after_each hooks included
  test = nil,     ---@type string?   its full name, where somebody registered
  since = nil,    ---@type integer?  core.mark() when it began
  began = nil,    ---@type number?   core.now() then
  audit = false,  ---@type boolean   `--audit`: name what a test leaves behind
  services = nil, ---@type { socket: string, plan: table }?   where the run's services are, see itlua.services
  partial = false, ---@type boolean  only some of the tests were asked for
  guard = nil,    ---@type boolean|"end"|nil   what itlua.lua says of guards, see itlua.container.guard
  on_fault = nil, ---@type (fun(raised: any): any)?   a debugger's, told of what is raised while its stack is still there
  watched = false, ---@type boolean  somebody registered for the tests of this file
}

local before, after = {}, {}

--- Calls `fn(name)` before each later test of this file, ahead of its before_each hooks.
---@param fn fun(name: string)
function run.before_test(fn)
  before[#before + 1], run.watched = fn, true
end

--- Calls `fn(name)` after each later test of this file, behind its after_each hooks, the last registered first. It returns
--- what the test left behind, a line each, or nothing.
---@param fn fun(name: string): string[]?
function run.after_test(fn)
  after[#after + 1], run.watched = fn, true
end

-- ---- what the engine calls

--- A file begins; what the one before registered is gone.
---@param file string
function run.begin(file)
  before, after = {}, {}
  run.file, run.test, run.in_test, run.watched = file, nil, false, false
  run.since, run.began = nil, nil
end

--- A test begins. Raises what a registered function raised.
---@param name string
function run.begin_test(name)
  run.test = name
  for _, fn in ipairs(before) do fn(name) end
end

local function backwards(list, each)
  local errors = {}
  for i = #list, 1, -1 do
    local results = table.pack(pcall(list[i], run.test))
    if not results[1] then errors[#errors + 1] = results[2] end
    if each and results[1] then each(results[2]) end
  end
  return errors
end

--- A test has ended: everything registered runs, whatever fails.
---@return string[] left       what it left behind
---@return any[] errors
function run.end_test()
  local left = {}
  local errors = backwards(after, function(lines)
    for _, line in ipairs(lines or {}) do left[#left + 1] = line end
  end)
  run.test = nil
  return left, errors
end

return run
