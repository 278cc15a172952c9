-- What people see. The screens in tests/fixtures/reports/screens were looked at; UPDATE_SCREENS=1 writes them anew.
local here = debug.getinfo(1, "S").source:match "^@(.*)[/\\]" or "."
local replay = dofile(here .. "/replay.lua")
local json = require "itlua.json"
local text = require "itlua.report.text"

local screens = replay.fixtures .. "screens/"

local function read(path)
  return path == "specs/orders/lifecycle_spec.lua" and replay.read(screens .. "lifecycle.txt") or nil
end

local function events_of(name)
  local events = {}
  for line in io.lines(screens .. name .. ".jsonl") do events[#events + 1] = json.decode(line) end
  return events
end

local function compare(screen, printed)
  local path = screens .. screen .. ".txt"
  if os.getenv "UPDATE_SCREENS" then
    local file = assert(io.open(path, "wb"))
    file:write(printed)
    file:close()
  end
  assert.equal(replay.read(path), printed)
end

local function terminal(events, opts)
  opts = opts or {}
  opts.columns, opts.read = opts.columns or 100, opts.read or function() end
  return replay.print("terminal", events, opts)
end

describe("the terminal's screen", function()
  it("of a run with failures, at 80 columns", function()
    compare("orders-80", terminal(events_of "orders", { columns = 80, read = read }))
  end)

  it("of a run with failures, at 40 columns", function()
    compare("orders-40", terminal(events_of "orders", { columns = 40, read = read }))
  end)

  it("of a run with failures, at 120 columns, in colour", function()
    compare("orders-120-colour", terminal(events_of "orders", { columns = 120, color = true, read = read }))
  end)

  it("of a run with failures, verbose", function()
    compare("orders-verbose", terminal(events_of "orders", { columns = 100, verbose = true, read = read }))
  end)

  it("of the recorded run of every kind of problem", function()
    local folder = replay.fixtures .. "specs/"
    compare("mixed", terminal(replay.recorded "plain", {
      read = function(path) return replay.read(folder .. path) end,
    }))
  end)

  it("of a run in which all is well", function()
    compare("well", terminal(replay.run { { status = "success" }, { status = "success", output = "x" } }))
  end)
end)

describe("the terminal's report", function()
  it("says with -v where a test stands only where files take turns, and keeps failures apart from what passed", function()
    local events = replay.run { { status = "success" }, { status = "failure", message = "spec/orders_spec.lua:21: no" } }
    assert.matches("✓ orders · test 1  12 ms\n\n✗ orders · test 2", (terminal(events, { verbose = true })))
    events[1].jobs = 2
    assert.matches("✓ orders · test 1  12 ms  spec/orders_spec.lua:10\n\n✗ ", (terminal(events, { verbose = true })))
  end)

  it("shows no line wider than the terminal where it lays text out itself", function()
    for _, columns in ipairs { 40, 60, 80, 100, 140 } do
      for line in terminal(events_of "orders", { columns = columns, read = read }):gmatch "[^\n]+" do
        -- Messages, commands and rows of the summary are printed as they are: a terminal wraps them.
        if line:find "│" or line:find "^  +%d+ ms  " then
          assert.is_true(text.width(line) <= columns, ("%d columns: %s"):format(columns, line))
        end
      end
    end
  end)

  it("says where the spec failed when the error came from elsewhere", function()
    local printed = terminal(replay.run { {
      status = "error", message = "lib/client.lua:7: no luck", source = "lib/client.lua", at = 7,
      problem = {
        traceback = "\nstack traceback:\n\tlib/client.lua:7: in function 'call'\n\tspec/orders_spec.lua:13: in it",
      },
    } }, { read = function(path)
      return path == "spec/orders_spec.lua" and ("-- a line\n"):rep(12) .. "  client.call()\n" or nil
    end })
    assert.is_truthy(printed:find("\n  no luck\n", 1, true), printed)
    assert.is_truthy(printed:find("raised at lib/client.lua:7", 1, true), printed)
    assert.is_truthy(printed:find("▸ 13 │   client.call()", 1, true), printed)
    assert.is_truthy(printed:find("lib/client.lua:7: in function 'call'", 1, true), printed)
  end)

  it("prints luassert's two values as two lines", function()
    local printed = terminal(replay.run { {
      status = "failure",
      message = "spec/orders_spec.lua:11: Expected objects to be equal.\nPassed in:\n(number) 2\nExpected:\n(number) 1",
    } })
    assert.is_truthy(printed:find("  Expected objects to be equal.\n\n    expected   (number) 1\n", 1, true), printed)
    assert.is_truthy(printed:find("\n    got        (number) 2\n", 1, true), printed)
  end)

  it("does not say a curl command twice", function()
    local printed = terminal(replay.run { {
      status = "failure",
      message = "spec/orders_spec.lua:11: Expected status 201, got 500.\n\n  {}\n\nrequest  curl -X POST http://x",
      problem = { curl = "curl -X POST http://x" },
    } })
    local _, count = printed:gsub("curl %-X POST", "")
    assert.equal(1, count)
  end)

  it("names what a person has to type to see the test again", function()
    local events = replay.run({ { status = "failure", message = "x" } }, { file = "spec/two words_spec.lua" })
    -- With the seed also where nothing is shuffled: made-up data comes of it.
    assert.is_truthy(terminal(events):find("again      itlua 'spec/two words_spec.lua:10' --seed 81733\n", 1, true))
    assert.is_truthy(terminal(events, { program = "build/itlua" }):find(
      "again      build/itlua 'spec/two words_spec.lua:10' --seed 81733\n", 1, true))
  end)

  it("lists tests with -v, output with it", function()
    local printed = terminal(replay.run {
      { name = "one", status = "success", output = "from one\n" }, { name = "two", status = "pending",
        message = "later" },
    }, { verbose = true })
    assert.matches("✓ orders · one  12 ms\nfrom one\n", printed)
    assert.matches("◌ orders · two  12 ms\n     later\n", printed)
  end)

  it("leaves no escape of captured output or of names to the terminal", function()
    local nasty = "\27]0;title\7\27[2J\8\r\x9B1m\xC2\x9B\0"
    local printed = terminal(replay.run {
      { name = nasty, status = "failure", message = nasty, output = nasty .. "\27[31mred", left = nasty,
        problem = { diff = nasty, curl = nasty, traceback = nasty, source = nasty } },
    }, { color = false, file = nasty })
    assert.is_nil(printed:find("[\0-\9\11-\31\127]"))
    assert.is_truthy(utf8.len(printed))
    assert.is_nil(printed:find("\xC2[\x80-\x9F]"))
  end)

  it("does not mix up files whose events interleave", function()
    local a = replay.run({ { name = "a", status = "failure", message = "from a", output = "printed by a" } },
      { file = "a_spec.lua" })
    local b = replay.run({ { name = "b", status = "failure", message = "from b", output = "printed by b" } },
      { file = "b_spec.lua" })
    local mixed = { a[1] }
    for i = 2, #a - 1 do
      mixed[#mixed + 1] = a[i]
      mixed[#mixed + 1] = b[i]
    end
    mixed[#mixed + 1] = a[#a]
    local printed = terminal(mixed)
    assert.is_truthy(printed:find("from a\n\n  output\n    printed by a\n", 1, true), printed)
    assert.is_truthy(printed:find("from b\n\n  output\n    printed by b\n", 1, true))
    assert.matches("2 tests · 0 passed · 2 failed", printed)
  end)
end)

describe("the text tools", function()
  it("measure, cut and pad by columns", function()
    assert.equal(5, text.width "ab→de")
    assert.equal(4, text.width "日本")
    assert.equal(1, text.width "e\u{301}")
    assert.equal(3, text.width "\27[31mred\27[0m")
    assert.equal("日…", text.clip("日本語", 4))
    assert.equal("abc", text.clip("abc", 3))
    assert.equal("ab…", text.clip("abcd", 3))
    assert.equal("日  |", text.pad("日", 4) .. "|")
  end)

  it("make any bytes valid and visible", function()
    assert.equal("a\\xFFb", text.utf8 "a\xFFb")
    assert.equal("␀␛\n\t", text.visible "\0\27\n\t")
    assert.equal("\\xED\\xA0\\x80", text.visible "\xED\xA0\x80")
  end)

  it("say durations", function()
    local said = {}
    for _, seconds in ipairs { 0, 0.0002, 0.012, 0.31, 5.04, 31.26,
      305 } do said[#said + 1] = text.duration(seconds) end
    assert.same({ "0 ms", "0.2 ms", "12 ms", "0.31 s", "5.04 s", "31.3 s", "5 min 5 s" }, said)
  end)
end)
