local here = debug.getinfo(1, "S").source:match "^@(.*)[/\\]" or "."
local replay = dofile(here .. "/replay.lua")
local mask = require "itlua.mask"
local paint = require "itlua.report.paint"
local report = require "itlua.report"

describe("report", function()
  it("takes kinds and files apart", function()
    local function parse(argument) return { report.parse(argument) } end
    assert.same({ "junit", "a/b.xml" }, parse "junit:a/b.xml")
    assert.same({ "junit" }, parse "junit")
    assert.same({ "x.lua" }, parse "x.lua")
    assert.same({ "./my/x.lua", "out.txt" }, parse "./my/x.lua:out.txt")
    assert.same({ "my.module" }, parse "my.module")
    assert.same({ "other:thing" }, parse "other:thing")
  end)

  it("knows its kinds and has each of them", function()
    for _, name in ipairs(report.names()) do
      assert.is_true(report.known(name))
      assert.is_truthy(report.new(name, { speak = function() end }, function() end))
    end
    assert.is_false(report.known "jnit")
  end)

  it("chooses as busted does unless there is a project", function()
    assert.equal("terminal", report.default { project = true, tty = true })
    assert.equal("utfTerminal", report.default { project = false, tty = true })
    assert.equal("plainTerminal", report.default { project = false, tty = false })
  end)

  it("refuses options that a coloured report does not have", function()
    local reporter, why = report.new("utfTerminal", { args = { "--colour" } }, print)
    assert.is_nil(reporter)
    assert.matches("unknown option %-%-colour", why)
  end)

  it("is coloured when asked, else as the environment says", function()
    local function wanted(opts, env)
      opts.env = function(name) return env and env[name] end
      return paint.wanted(opts)
    end
    assert.is_true(wanted { tty = true })
    assert.is_false(wanted {})
    assert.is_false(wanted({ tty = true }, { NO_COLOR = "1" }))
    assert.is_true(wanted({ tty = true }, { NO_COLOR = "" }))
    assert.is_true(wanted({}, { CLICOLOR_FORCE = "1" }))
    assert.is_false(wanted({ tty = true }, { TERM = "dumb" }))
    assert.is_true(wanted({ args = { "--color" } }, { NO_COLOR = "1" }))
    assert.is_false(wanted { tty = true, args = { "--plain" } })
    assert.is_true(wanted({ color = true }, { NO_COLOR = "1" }))
  end)

  it("goes on with the others when a report breaks", function()
    local warned, printed = {}, {}
    local good = report.new("plainTerminal", {}, function(text) printed[#printed + 1] = text end)
    local bad = { kind = "bad", event = function(_, ev) if ev.ev == "test_end" then error "disk full" end end }
    local group = report.group({ bad, good }, { warn = function(text) warned[#warned + 1] = text end })
    for _, ev in ipairs(replay.run { { status = "success" }, { status = "success" } }) do group:event(ev) end
    group:finish()
    assert.is_true(group.broken())
    assert.equal(1, #warned)
    assert.matches("the bad report stopped: .*disk full", warned[1])
    assert.matches("2 successes", table.concat(printed))
  end)

  it("lets no secret through, whatever the report", function()
    local secret, url = "s3cr3t-t0ken/+", "postgres://bob:hunter2@db/x"
    local tests = {
      { name = "uses " .. secret, status = "failure", message = "got " .. secret .. " from " .. url,
        output = secret .. "\n" .. url,
        left = secret, problem = {
          traceback = "\nstack traceback:\n\t" .. secret, diff = "expected " .. secret,
          timeline = '[{"what":"http","at":1,' ..
            '"seconds":1,"detail":"GET ' .. secret .. '","outcome":"200"}]',
          curl = "curl -u bob:hunter2 -H 'Authorization: Bearer abc.def.ghi' -H 'Cookie: sid=abc.def.ghi' http://x/?t="
            .. secret,
        } },
    }
    for _, kind in ipairs { "terminal", "plainTerminal", "utfTerminal", "TAP", "gtest", "json", "junit", "jsonl",
      replay.fixtures .. "handler.lua" } do
      for _, verbose in ipairs { false, true } do
        local printed = {}
        local function out(text) printed[#printed + 1] = text end
        local reporter = assert(report.new(kind, { verbose = verbose, err = out, columns = 400 }, out))
        local group = report.group({ reporter }, { mask = mask.new { values = { secret } } })
        for _, ev in ipairs(replay.run(tests)) do group:event(ev) end
        group:finish()
        local all = table.concat(printed)
        assert.is_true(#all > 0)
        for _, word in ipairs { "s3cr3t", "hunter2", "abc.def.ghi" } do
          assert.is_nil(all:find(word, 1, true), kind .. " shows " .. word)
        end
      end
    end
  end)

  it("is fast: 10,000 tests", function()
    local tests = {}
    for i = 1, 10000 do tests[i] = { name = "does the thing number " .. i, status = "success", line = i } end
    local events = replay.run(tests)
    local masked = mask.new { values = { "some secret value" } }
    local patience = os.getenv "ITLUA_GC" and 10 or 1
    for kind, limit in pairs { plainTerminal = 0.4, junit = 1.5, terminal = 1.5 } do
      local group = report.group({ report.new(kind, {}, function() end) }, { mask = masked })
      local began = os.clock()
      for _, ev in ipairs(events) do group:event(ev) end
      group:finish()
      -- Several times what it takes here: this is for noticing a square, not for measuring.
      assert.is_true(os.clock() - began < limit * patience, ("%s took %.3f s"):format(kind, os.clock() - began))
    end
  end)
end)
