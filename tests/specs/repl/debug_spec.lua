-- --debug: the REPL in the scope of what failed.

local fs = require "itlua.fs"
local process = require "itlua.process"
local screen = require "tests.specs.repl.screen"

local program = process.self()

local SPEC = [[
local outer = { 1 }
local function deeper(value)
  local inside = value * 2
  error("no luck with " .. inside)
end
describe("orders", function()
  before_each(function() outer[1] = 1 end)
  it("are counted", function()
    local count, name = 3, "ada"
    outer[1] = count
    assert.equal(4, count)
  end)
  it("raise", function()
    local late = "x"
    deeper(21)
  end)
  it("time out", function()
    local patience = 0.05
    require("itlua.task").timeout(patience, require("itlua.task").sleep, 100)
  end)
  it("pass", function() end)
end)
]]

local TASKS = [[
local task = require "itlua.task"
local function deep(n)
  local inside = n * 2
  error("no luck with " .. inside)
end
describe("tasks", function()
  it("run at once", function()
    task.all(function() deep(5) end, function() task.sleep(500) end)
  end)
  it("are raced", function()
    task.race(function() local racer = "r"; assert.equal(1, racer) end)
  end)
  it("are joined by nobody", function()
    task.spawn(function() local list = { 1, 2 }; assert.equal(3, #list) end)
    task.sleep(0.01)
  end)
  it("are caught", function()
    assert.is_false(pcall(task.all, function() error "x" end))
    assert.has_error(function() task.spawn(function() error "y" end):join() end)
  end)
  it("have a limit", function()
    task.timeout(300, function() local limited = 7; error "no" end)
  end)
  it("fail beside others", function()
    task.spawn(function() local beside = 8; error "aside" end)
    task.sleep(0.01)
    error "the test itself"
  end)
end)
]]

local HELD = [[
local task = require "itlua.task"
it("stands still", function()
  local waits = task.spawn(function()
    return task.timeout(2, function()
      task.eventually(function() return _G.go end, { timeout = 2 })
      return "in time"
    end)
  end)
  local late = task.spawn(task.timeout, 2, task.sleep, 1000)
  task.sleep(0)
  error("stop")
end)
]]

describe("itlua --debug", function()
  local folder

  setup(function()
    folder = fs.tempdir { prefix = "itlua-debug-" }
    folder:write("spec/some_spec.lua", SPEC)
  end)
  teardown(function() folder:close() end)

  local function run(options)
    return screen.open(("cd '%s' && '%s' --debug %s"):format(folder.path, program, options or ""), { rows = 60 })
  end

  it("opens it where a task of the test failed, for what failed the test alone", function()
    folder:write("tasks/tasks_spec.lua", TASKS)
    local s <close> = run "tasks"
    s:see "✗ run at once":see "tasks_spec.lua:4, in a task of it":see "no luck with 10":at "debug>"
    s:enter("inside, n"):see '\n10\n5\n':at "debug>"
    s:enter("n = 6"):at("debug>"):enter("n"):see "\n6\n":at "debug>"
    s:enter(":continue"):see "✗ are raced":at("debug>"):enter("racer"):see '\n"r"\n':at "debug>"
    s:enter(":continue"):see "✗ are joined by nobody":at("debug>"):enter("#list"):see "\n2\n":at "debug>"
    s:enter(":continue"):see "✗ have a limit":at("debug>"):enter("limited"):see "\n7\n":at "debug>"
    s:enter(":continue"):see "✗ fail beside others":at "debug>"
    s:enter(":continue"):see "✗ fail beside others":see "aside":at("debug>"):enter("beside"):see "\n8\n":at "debug>"
    s:enter(":continue"):see "ended with code 1"
  end)

  it("holds the deadlines of what the test does meanwhile, but not of what is typed", function()
    folder:write("held/held_spec.lua", HELD)
    local s <close> = run "held"
    s:at "debug>"
    s:enter("task.timeout(0.2, task.sleep, 100)"):see "stopped after 0.2 s":at "debug>"
    s:enter("task.sleep(2.5)"):see("\n[^\n]*[2-9]%.%d+ s · %d+ operations", true):at "debug>"
    s:enter("waits:status()"):see '\n"running"\n':at "debug>"
    s:enter("_G.go = true"):at("debug>"):enter("waits:join()"):see '\n"in time"\n':at "debug>"
    s:enter("late:status()"):see '\n"running"\n':at "debug>"
    s:enter(":continue"):see "ended with code 1"
  end)

  it("reads and assigns what the failing line could, and goes on", function()
    local s <close> = run "-o terminal"
    s:see "✗ are counted":see "Expected objects":see "▸   11":at "debug>"
    s:enter("count, name, outer[1]"):see '\n3\n"ada"\n3\n':at "debug>"
    s:enter("count = count + 4"):at("debug>"):enter("count"):see "\n7\n":at "debug>"
    s:enter("outer = 'another'"):at("debug>"):enter(":locals"):see('count  7'):see('outer  "another"  (upvalue)'):at "debug>"
    s:enter("outer = { 1 }"):at "debug>"
    s:type("cou"):press("Tab"):at "debug> count"
    s:press "C-c":at "debug>"
    s:enter(":continue"):see "no luck with 42":see "inside  42":at "debug>"
    s:enter("value, inside, late"):see "\n21\n42\nnil\n":at "debug>"
    s:enter(":continue"):see "patience  0.05":at "debug>"
    s:enter("http = require 'itlua.http' http.get 'http://127.0.0.1:1/typed'"):see "ECONNREFUSED":at "debug>"
    s:enter("print 'on' task.sleep(1000)"):at("on"):press "C-c":see "waiting for sleep 1000 s":at "debug>"
    s:enter(":continue"):see "ended with code 1"
    -- What was typed is no part of what the test did.
    for _, line in ipairs { "typed →", "request    curl", "sleep    1000" } do
      assert.is_nil(s:text():find(line, 1, true), line)
    end
    assert.is_truthy(s:text():find("again      ", 1, true))
  end)

  it("ends the run with :quit and with Ctrl-D", function()
    for _, way in ipairs { ":quit", "C-d" } do
      local s <close> = run()
      s:at "debug>"
      if way == "C-d" then s:press "C-d" else s:enter(way) end
      s:see "ended with code 1"
      assert.is_nil(s:text():find("no luck", 1, true))
    end
  end)

  it("needs a terminal", function()
    local result = process.run { program, "--debug", "spec", cwd = folder.path }
    assert.equal(2, result.code)
    assert.equal("itlua: --debug needs a terminal: it opens a REPL where a test fails\n", result.stderr)
  end)
end)
