-- busted's reports, byte for byte: what itlua prints for recorded runs is what busted's own handlers printed.
local here = debug.getinfo(1, "S").source:match "^@(.*)[/\\]" or "."
local replay = dofile(here .. "/replay.lua")

local runs = {
  plain = { "plainTerminal", "utfTerminal", "TAP", "gtest" },
  verbose = { "plainTerminal", "utfTerminal", "TAP", "gtest" },
  deferred = { "plainTerminal", "utfTerminal", "TAP", "gtest" },
  shuffled = { "plainTerminal", "utfTerminal", "TAP", "gtest" },
  syntax = { "plainTerminal", "utfTerminal", "TAP" },
  coloured_gtest = { "gtest" },
  coloured_utf = { "utfTerminal" },
}

for run, kinds in pairs(runs) do
  for _, kind in ipairs(kinds) do
    it(("%s prints the %s run as busted does"):format(kind, run), function()
      local events, opts = replay.recorded(run)
      local expected = replay.read(("%s%s/%s.txt"):format(replay.fixtures, run, kind))
      assert.equal(expected, replay.print(kind, events, opts))
    end)
  end
end

describe("busted's own handlers, run on events,", function()
  -- What is installed may be older than what was recorded: gtest's places look otherwise in 2.1.
  for _, kind in ipairs { "plainTerminal", "utfTerminal", "TAP" } do
    for _, run in ipairs { "plain", "verbose", "deferred", "shuffled" } do
      it(("print the %s run as under busted: %s"):format(run, kind), function()
        local path = package.searchpath("busted.outputHandlers." .. kind, package.path)
        if not path then pending("busted is not installed") end
        finally(function() require("say"):set_namespace "en" end)
        local events, opts = replay.recorded(run)
        local expected = replay.read(("%s%s/%s.txt"):format(replay.fixtures, run, kind))
        assert.equal(expected, replay.print(path, events, opts))
      end)
    end
  end
end)

describe("without any option", function()
  it("a run's whole output is kept in order", function()
    local events = replay.run { { status = "success", output = "one\n" }, { status = "success", output = "two\n" } }
    assert.matches("^one\n%+two\n%+\n2 successes", replay.print("plainTerminal", events))
  end)

  it("an error that belongs to no file is counted and printed", function()
    local events = { {
      ev = "problem", kind = "error", where = "run", name = "", source = "", line = 0, at_line = 0,
      message = "No test files found matching Lua pattern: _spec",
    } }
    for _, ev in ipairs(replay.run {}) do events[#events + 1] = ev end
    local printed = replay.print("plainTerminal", events)
    assert.matches("0 successes / 0 failures / 1 error / 0 pending", printed)
    assert.matches("Error %-> No test files found", printed)
  end)
end)
