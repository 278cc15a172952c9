-- What the engine does beyond busted: deadlines, what is left open, os.exit, tests by line, claims. The specs that are
-- run are in tests/fixtures/engine. What it does as busted does is compared with busted: tests/compare.

local json = require "itlua.json"
local process = require "itlua.process"

local here = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$" or "."
local FIXTURES = here .. "/../../fixtures/engine"

-- What became of the tests of a run: the events by kind, tests by name.
local function run(...)
  local result = process.run { command = { "/proc/self/exe", "-o", "jsonl", ... }, cwd = FIXTURES, timeout = 60 }
  local told = { tests = {}, order = {}, problems = {}, files = {}, ids = {}, stderr = result.stderr }
  for line in result.stdout:gmatch "[^\n]+" do
    local event = json.decode(line)
    if event.ev == "test_start" then
      told.tests[event.name], told.ids[event.id] = { problems = {}, line = event.line }, event.name
      table.insert(told.order, event.name)
    elseif event.ev == "test_end" then
      local test = told.tests[told.ids[event.id]]
      test.status, test.left, test.seconds = event.status, event.left, event.seconds
    elseif event.ev == "problem" then
      table.insert(told.problems, event)
      if event.id then table.insert(told.tests[told.ids[event.id]].problems, event) end
    elseif event.ev == "file_end" then
      table.insert(told.files, event)
    elseif event.ev == "run_end" then
      told.ended = event
    elseif event.ev == "output" then
      told.output = (told.output or "") .. event.text
    end
  end
  return told
end

local function problem_in(told, where)
  for _, problem in ipairs(told.problems) do
    if problem.where == where then return problem end
  end
end

describe("a deadline", function()
  local told
  lazy_setup(function() told = run("--timeout=0.3", "--file-timeout=0.4", "deadline_spec.lua") end)
  local function stopped(name)
    local test = told.tests["a test that " .. name]
    assert.equal("error", test.status)
    assert.equal("timeout", test.problems[1].error_kind)
    assert.is_true(test.seconds < 20)
    return test.problems[1]
  end
  it("ends a wait at the line that waits", function()
    local problem = stopped "waits too long"
    assert.matches("^deadline_spec.lua:4: stopped after 0.3 s, waiting [%d.]+ s for sleep 30 s", problem.message)
    assert.matches('"what":"sleep"', problem.timeline)
  end)
  it("ends a busy loop", function() stopped "spins" end)
  it("ends a busy loop in pcall", function() stopped "spins under pcall" end)
  it("ends a wait in a callback", function() stopped "waits in a comparison" end)
  it("is not swallowed by pcall", function()
    assert.matches("went on after its deadline", stopped "swallows its deadline".message)
  end)
  it("leaves the next test alone", function()
    assert.equal("success", told.tests["a test that is quick after all of them"].status)
  end)
  it("lets cleanup wait", function()
    stopped "cleans up after its deadline"
    assert.matches("cleaned up", told.output)
    assert.matches("after_each ran", told.output)
  end)
  it("holds for hooks and bodies", function()
    assert.equal("timeout", problem_in(told, "before_each").error_kind)
    assert.equal("timeout", problem_in(told, "strict_setup").error_kind)
    assert.equal("a body", problem_in(told, "describe").name)
    assert.is_nil(told.tests["hooks before never runs"])
    assert.is_nil(told.tests["hooks setup never runs"])
  end)
end)

describe("what is left open", function()
  local told
  lazy_setup(function() told = run "left_spec.lua" end)
  it("by a test is named with it", function()
    assert.matches("spawned at left_spec.lua:3", told.tests["a test leaves a task"].left)
    assert.equal("success", told.tests["a test leaves a task"].status)
    assert.is_nil(told.tests["a test leaves nothing"].left)
  end)
  it("and failed is the test's error", function()
    local test = told.tests["a test leaves a task that failed"]
    assert.equal("error", test.status)
    assert.equal("task", test.problems[1].where)
    assert.matches("^left_spec.lua:6: nobody looks", test.problems[1].message)
    test = told.tests["a test fails, and leaves a task that failed"]
    assert.equal("failure", test.status)
    assert.equal(2, #test.problems)
  end)
  it("and joined is no news", function()
    assert.same({ problems = {}, status = "success" }, (function()
      local test = told.tests["a test joins a task that failed"]
      return { problems = test.problems, status = test.status, left = test.left }
    end)())
  end)
  it("and ended by a hook is not left", function() assert.is_nil(told.tests["hooks close what they opened"].left) end)
  it("by a block stays for its tests", function()
    assert.is_nil(told.tests["a block keeps what is its own"].left)
    assert.matches("spawned at left_spec.lua:%d+", told.files[1].left)
  end)
end)

describe("os.exit", function()
  local told
  lazy_setup(function() told = run "exit_spec.lua" end)
  it("is an error of the test", function()
    local problem = told.tests["os.exit ends the test"].problems[1]
    assert.equal("exit", problem.error_kind)
    assert.equal("3", problem.error_code)
    assert.matches("^exit_spec.lua:2: os.exit%(3%) was called", problem.message)
  end)
  it("does not end the run", function()
    assert.equal("success", told.tests["goes on"].status)
    assert.equal("success", told.tests["os.exit may be caught"].status)
    assert.equal("success", told.tests["os.exit may be stubbed"].status)
  end)
end)

describe("a line", function()
  local function chosen(...)
    local paths = {}
    for i, line in ipairs { ... } do paths[i] = "lines_spec.lua:" .. line end
    return run(table.unpack(paths)).order
  end
  it("of a test chooses that test", function()
    assert.same({ "one first" }, chosen(4))
    assert.same({ "one first" }, chosen(6))
  end)
  it("with two tests chooses both", function()
    assert.same({ "one inner second", "one inner third" }, chosen(9))
  end)
  it("of a block chooses what is in it", function()
    assert.same({ "one inner second", "one inner third", "one inner fourth" }, chosen(8))
    assert.same({ "one first", "one inner second", "one inner third", "one inner fourth" }, chosen(1))
    assert.same({ "sugar fifth" }, chosen(16))
  end)
  it("of a loop chooses every round", function() assert.same({ "looped 1", "looped 2" }, chosen(14)) end)
  it("and another choose both", function() assert.same({ "one first", "sugar fifth" }, chosen(4, 17)) end)
  it("of nothing chooses nothing, and that is told", function()
    local told = run "lines_spec.lua:13"
    assert.same({}, told.order)
    assert.is_string(told.ended.nothing)
  end)
end)

describe("a shared example", function()
  it("says where it is", function()
    local problem = run("shared_spec.lua").tests["second shared other example"].problems[1]
    assert.equal("shared_examples.lua", problem.at_source)
    assert.equal(4, problem.at_line)
  end)
end)

describe("a spec that breaks its world", function()
  it("does not break the runner", function()
    local told = run "broken_world_spec.lua"
    assert.equal(4, told.ended.successes)
    assert.equal(0, told.ended.errors)
  end)
end)

describe("a run", function()
  it("stops after so many problems", function()
    local told = run("--max-failures=2", "exit_spec.lua")
    assert.equal(2, told.ended.errors)
    assert.equal(2, #told.order)
  end)
  it("names a broken helper", function()
    local told = run("--helper=shared_examples.lua", "lines_spec.lua")
    local problem = problem_in(told, "helper")
    assert.matches("attempt to call", problem.message)
    assert.same({}, told.order)
    assert.is_string(told.files[1].skipped)
  end)
  it("says which files no loader takes", function()
    local told = run("--loaders=moonscript", "lines_spec.lua")
    assert.matches("no loader for '.lua' files", told.files[1].skipped)
  end)
end)

describe("claims", function()
  local claims = require "itlua.spec.claims"
  it("are read from the first comments", function()
    assert.same({ alone = false, locks = {}, shares = {}, unknown = {} }, claims.of "")
    assert.same({ alone = true, locks = {}, shares = {}, unknown = {} }, claims.of "-- itlua: alone\n")
    assert.same({ alone = false, locks = { "db1", "mail" }, shares = {}, unknown = {} },
      claims.of "#!/usr/bin/env itlua\n\n-- A spec.\n--  itlua: lock=db1, lock=mail\r\nlocal x = 1\n")
    assert.same({ alone = true, locks = { "a" }, shares = { "b" }, unknown = { "fast" } },
      claims.of "-- itlua: alone lock=a share=b fast")
  end)
  it("end where code begins", function()
    assert.same({ alone = false, locks = {}, shares = {}, unknown = {} }, claims.of "local x\n-- itlua: alone\n")
  end)
end)

describe("the last request of a test", function()
  it("stands with its failures as a curl command", function()
    local told = run "request_spec.lua"
    assert.matches("^curl .*http://127.0.0.1:%d+/a", told.tests["asks and fails"].problems[1].curl)
    assert.is_nil(told.tests["asks nothing and fails"].problems[1].curl)
  end)
end)

it("a pending that its block returns is said to be where the block is", function()
  local test = run("tail_call_spec.lua").tests["a block within cannot be tried here"]
  assert.equal("pending", test.status)
  assert.equal(2, test.line)
end)
