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

  it("reads and assigns what the failing line could, and goes on", function()
    local s <close> = run()
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
    s:enter("print 'on' task.sleep(1000)"):at("on"):press "C-c":see "waiting for sleep 1000 s":at "debug>"
    s:enter(":continue"):see "ended with code 1"
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
