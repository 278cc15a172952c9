-- Files that run at the same time: who gets their events as they come, and who a file's together.
local by_file = require "itlua.report.by_file"
local report = require "itlua.report"

local function start(jobs, concurrency)
  return { ev = "run_start", jobs = jobs, concurrency = concurrency, files = 2, at = 1 }
end
local function ev(kind, file) return { ev = kind, file = file } end

-- The order in which events come out, as "a.test_end".
local function order(events)
  local said = {}
  local sorter = by_file.new(function(e) said[#said + 1] = (e.file and e.file .. "." or "") .. e.ev end)
  for _, e in ipairs(events) do sorter:event(e) end
  return said, sorter
end

describe("files that run at the same time", function()
  it("come one after the other, in the order in which they end", function()
    assert.same({
      "run_start", "left", "b.file_start", "b.test_end", "b.file_end", "a.file_start", "a.test_end", "a.file_end", "run_end",
    }, (order {
      start(1, 2), ev("file_start", "a"), ev("file_start", "b"), ev("test_end", "a"), ev "left", ev("test_end", "b"),
      ev("file_end", "b"), ev("file_end", "a"), ev "run_end",
    }))
  end)

  it("wait for nothing where there is one at a time", function()
    assert.same({ "run_start", "a.file_start", "a.test_end" },
      (order { start(1, 1), ev("file_start", "a"), ev("test_end", "a") }))
  end)

  it("do not get lost where their end is missing", function()
    assert.same({ "run_start", "a.file_start", "b.file_start", "run_end" },
      (order { start(2, 1), ev("file_start", "a"), ev("file_start", "b"), ev "run_end" }))
    assert.same({ "run_start", "a.file_start", "run_start" },
      (order { start(2, 1), ev("file_start", "a"), start(2, 1) }))
    local said, sorter = order { start(2, 1), ev("file_start", "a") }
    sorter:release()
    assert.same({ "run_start", "a.file_start" }, said)
  end)

  it("come at once to reports that take turns well, together to the others", function()
    local printed = {}
    local function made(kind)
      printed[kind] = {}
      return report.new(kind, { env = function() end }, function(text) table.insert(printed[kind], text) end)
    end
    local group = report.group { made "TAP", made "gtest" }
    local function run(file, kind, more)
      local e = { ev = kind, file = file, at = 1, seconds = 0, id = 1, line = 1, name = file .. "'s test", own = "test",
        block = 0, kind = "it", status = "success" }
      for key, value in pairs(more or {}) do e[key] = value end
      group:event(e)
    end
    group:event(start(2, 1))
    for _, kind in ipairs { "file_start", "test_start", "test_end" } do
      for _, file in ipairs { "a", "b" } do run(file, kind) end
    end
    assert.equal("ok 1 - a's test\nok 2 - b's test\n", table.concat(printed.TAP))
    assert.is_nil(table.concat(printed.gtest):find("a's test", 1, true))
    run("b", "file_end")
    assert.matches("RUN.*b's test", table.concat(printed.gtest))
    assert.is_nil(table.concat(printed.gtest):find("a's test", 1, true))
    group:finish()
    assert.matches("b's test.*a's test", table.concat(printed.gtest))
  end)
end)
