-- Custom busted output handlers run on events.
local here = debug.getinfo(1, "S").source:match "^@(.*)[/\\]" or "."
local replay = dofile(here .. "/replay.lua")
local report = require "itlua.report"
local file = "spec/orders_spec.lua"

-- A handler made of source text; its path.
local function handler_file(source)
  local path = os.tmpname() .. ".lua"
  local out = assert(io.open(path, "wb"))
  out:write(source)
  out:close()
  return path
end

local function with_handler(source, events, opts)
  local path = handler_file(source)
  local printed = replay.print(path, events, opts)
  os.remove(path)
  return printed
end

describe("a custom output handler", function()
  it("sees what it would see under busted", function()
    local printed = replay.print(replay.fixtures .. "handler.lua", replay.run({
      { name = "stores", status = "success" },
      { name = "fails", status = "failure", message = file .. ":21: no" },
      { name = "waits", status = "pending", message = file .. ":31: later" },
      { name = "is not written", status = "pending", kind = "pending" },
    }, { events = { { ev = "problem", file = file, block = 1, kind = "error", where = "after_each", name = "orders",
      message = file .. ":3: gone", source = file, line = 3, at_line = 2 } } }), { args = { "first" } })
    assert.equal(([[
suite start suite 1 1 nil number
file start FILE file
describe start orders file 1
test start orders stores orders FILE 10 child
test end stores success number
test start orders fails orders FILE 20 child
problem it orders FILE:21: no FILE 21
test end fails failure number
test start orders waits orders FILE 30 child
problem it orders FILE:31: later FILE 31
test end waits pending number
test start orders is not written orders FILE 40 child
test end is not written pending number
problem after_each orders FILE:3: gone FILE 3
describe end orders number
file end FILE number
suite end 1 1 0.300 0.300 1
counts 1 2 1 1
exit "first"
]]):gsub("FILE", file), printed)
  end)

  it("is left in peace with pending tests if they are suppressed", function()
    local printed = replay.print(replay.fixtures .. "handler.lua",
      replay.run { { name = "waits", status = "pending", kind = "pending" } }, { suppress_pending = true })
    assert.is_nil(printed:find("test start", 1, true))
    assert.matches("counts 0 0 0 0", printed)
  end)

  it("may build on busted's handlers, also where busted is not installed", function()
    local printed = with_handler([[
      return function(options)
        local busted = require "busted"
        local handler = require "busted.outputHandlers.base"()
        require "busted.outputHandlers.plainTerminal"(options):subscribe(options)
        busted.subscribe({ "suite", "end" }, function()
          io.write(("%d passed / %d failed\n"):format(handler.successesCount, handler.failuresCount))
          return nil, true
        end)
        return handler
      end]], replay.run { { status = "success" }, { status = "failure", message = file .. ":2: no" } })
    assert.matches("^%+%-\n1 success / 1 failure / 0 errors / 0 pending : 0.3 seconds", printed)
    assert.matches("1 passed / 1 failed\n$", printed)
  end)

  it("stops the event where it does not say to go on", function()
    local printed = with_handler([[
      return function()
        local busted = require "busted"
        local handler = require "busted.outputHandlers.base"()
        busted.subscribe({ "test", "end" }, function() io.write "first " end)
        busted.subscribe({ "test", "end" }, function() io.write "second " end)
        return handler
      end]], replay.run { { status = "success" } })
    assert.equal("first ", printed)
  end)

  it("prints with print and io.write into the report, and specs' output stands between", function()
    local printed = with_handler([[
      local write = io.write
      return function()
        local busted = require "busted"
        busted.subscribe({ "test", "start" }, function(element) print("start", element.name) return nil, true end)
        busted.subscribe({ "test", "end" }, function() write("end ", 1, "\n") io.flush() return nil, true end)
        return require "busted.outputHandlers.base"()
      end]], replay.run { { name = "a", status = "success", output = "from the spec\n" } })
    assert.equal("start\ta\nfrom the spec\nend 1\n", printed)
    assert.equal("function", type(print))
  end)

  it("is found as a module of its own or below busted.outputHandlers", function()
    for _, name in ipairs { "my_handler", "busted.outputHandlers.mine" } do
      package.preload[name] = function()
        return function()
          require("busted").subscribe({ "exit" }, function() io.write("bye from ", name) return nil, true end)
          return require "busted.outputHandlers.base"()
        end
      end
      assert.equal("bye from " .. name, replay.print(name:match "[^.]+$", replay.run {}))
      package.preload[name] = nil
    end
  end)

  it("that cannot be loaded is one message", function()
    local reporter, why = report.new("no_such_handler", {}, print)
    assert.is_nil(reporter)
    assert.matches("^Cannot load output library: no_such_handler\n", why)
    local path = handler_file "return function( end"
    reporter, why = report.new(path, {}, print)
    assert.is_nil(reporter)
    assert.matches("expected near", why)
    os.remove(path)
    path = handler_file "return function() return nil end"
    reporter, why = report.new(path, {}, print)
    assert.is_nil(reporter)
    assert.matches("returned no handler", why)
    os.remove(path)
  end)
end)
