-- A file that runs again: what was told of it is not told again, whatever it does this time.
local told = require "itlua.cli.told"

local function file_start() return { ev = "file_start", file = "f", at = 100 } end
local function block(id, name)
  return { ev = "block_start", file = "f", id = id, parent = 0, name = name, line = id }
end
local function block_end(id) return { ev = "block_end", file = "f", id = id, seconds = 0 } end
local function test(id, own, more)
  local ev = { ev = "test_start", file = "f", id = id, block = 0, own = own, name = own, line = 7, at = 101 }
  for key, value in pairs(more or {}) do ev[key] = value end
  return ev
end
local function ends(id, status, more)
  local ev = { ev = "test_end", file = "f", id = id, status = status or "success", seconds = 1 }
  for key, value in pairs(more or {}) do ev[key] = value end
  return ev
end
local function output(text, id) return { ev = "output", file = "f", text = text, id = id } end
local function problem(more)
  local ev = { ev = "problem", file = "f", kind = "error", where = "setup", block = 0, at_line = 3, message = "no" }
  for key, value in pairs(more or {}) do ev[key] = value end
  return ev
end

-- One that was told these.
local function after(events)
  local it = told.new()
  for _, ev in ipairs(events) do it:add(ev) end
  return it
end

-- What is told of another try, in short: kinds with ids and what there is of attempts and names.
local function tells(it, events, retries)
  it:again(retries)
  local said = {}
  for _, ev in ipairs(events) do
    it:pass(ev, function(news)
      it:add(news)
      local words = { news.ev }
      for _, name in ipairs { "id", "block", "parent", "own", "text", "status", "attempt", "attempts", "flaky", "retried" } do
        if news[name] ~= nil then words[#words + 1] = ("%s=%s"):format(name, tostring(news[name])) end
      end
      said[#said + 1] = table.concat(words, " ")
    end)
  end
  return said
end

describe("what was told of a file that runs again", function()
  it("is left out; the rest is told with the ids that it would have had", function()
    local it = after { file_start(), block(1, "a"), test(2, "x", { block = 1 }), ends(2) }
    assert.same({
      "test_start id=3 block=1 own=y", "output id=3 text=news", "test_end id=3 status=failure", "block_end id=1",
    }, tells(it, {
      file_start(), block(1, "a"), test(2, "x", { block = 1 }), output("old", 2), problem { id = 2 }, ends(2, "failure"),
      test(3, "y", { block = 1 }), output("news", 3), ends(3, "failure"), block_end(1),
    }))
  end)

  it("is found in another order, among others of its name", function()
    local it = after { file_start(), test(1, "same"), ends(1), test(2, "same"), ends(2), test(3, "x"), ends(3) }
    assert.same({ "test_start id=4 block=0 own=same", "test_end id=4 status=failure" }, tells(it, {
      file_start(), test(1, "x"), ends(1), test(2, "same"), ends(2), test(3, "same"), ends(3), test(4, "same"),
      ends(4, "failure"),
    }))
  end)

  it("does not hide what was not there before", function()
    local it = after { file_start(), test(1, "at 10:00"), ends(1) }
    assert.same({ "test_start id=2 block=0 own=at 10:01", "test_end id=2 status=success" },
      tells(it, { file_start(), test(1, "at 10:01"), ends(1) }))
  end)

  it("knows problems outside tests, and output by what comes after it", function()
    local it = after { file_start(), output "loading", block(1, "a"), problem { block = 1 }, block_end(1) }
    assert.same({ "output text=between", "block_start id=2 parent=0", "problem block=2" }, tells(it, {
      file_start(), output "loading", block(1, "a"), output "setting up", problem { block = 1 }, block_end(1),
      output "between", block(2, "b"), problem { block = 2 },
    }))
  end)

  it("stays known when the file runs once more", function()
    local it = after { file_start(), test(1, "a"), ends(1) }
    tells(it, { file_start(), test(1, "a"), ends(1), test(2, "b"), ends(2) })
    assert.same({ "test_start id=3 block=0 own=c" },
      tells(it, { file_start(), test(1, "a"), ends(1), test(2, "b"), ends(2), test(3, "c") }))
  end)

  it("includes tests whose attempts begin with the second, a hook having failed before the first", function()
    local it = after {
      file_start(), problem { retried = true }, test(1, "a", { attempt = 2 }), ends(1, "success", { attempts = 2 }),
    }
    assert.same({}, tells(it, {
      file_start(), problem { retried = true }, test(1, "a", { attempt = 2 }), ends(1, "success", { attempts = 2 }),
    }, 1))
  end)
end)

describe("attempts at a test that took its worker along", function()
  local function crashed(attempt)
    local start = test(1, "a", { attempt = attempt })
    local it = after { file_start(), start, ends(1, "error", { retried = true }) }
    it:spend(start)
    return it
  end

  it("are counted with those that come after", function()
    assert.same({ "test_start id=1 block=0 own=a attempt=2", "test_end id=1 status=success attempts=2 flaky=true" },
      tells(crashed(), { file_start(), test(1, "a"), ends(1) }, 2))
    assert.same({
      "test_start id=1 block=0 own=a attempt=2", "problem id=1 block=0 retried=true",
      "test_end id=1 status=failure retried=true",
      "test_start id=1 block=0 own=a attempt=3", "test_end id=1 status=success attempts=3 flaky=true",
    }, tells(crashed(), {
      file_start(), test(1, "a"), problem { id = 1, retried = true }, ends(1, "failure", { retried = true }),
      test(1, "a", { attempt = 2 }), ends(1, "success", { attempts = 2, flaky = true }),
    }, 2))
  end)

  it("may be made once more as often as tests are repeated, also where a test that was told of is in the way", function()
    local it = crashed()
    it:again(2)
    assert.is_true(it:may_repeat(test(1, "a", { attempt = 2 }), 2))
    assert.is_false(it:may_repeat(test(1, "a", { attempt = 3 }), 2))
    it = after { file_start(), test(1, "a"), ends(1) }
    it:again(1)
    it:pass(file_start(), error)
    it:pass(test(1, "a"), error)
    assert.is_true(it:repeats())
    assert.is_true(it:may_repeat(test(1, "a"), 1))
    assert.is_false(it:may_repeat(test(1, "a"), 1))
  end)

  it("are no more than there may be", function()
    assert.same({
      "test_start id=1 block=0 own=a attempt=3", "problem id=1 block=0", "test_end id=1 status=failure attempts=3",
    }, tells(crashed(2), {
      file_start(), test(1, "a"), problem { id = 1, retried = true }, ends(1, "failure", { retried = true }),
      test(1, "a", { attempt = 2 }), problem { id = 1, retried = true }, ends(1, "failure", { retried = true }),
      test(1, "a", { attempt = 3 }), ends(1, "success", { attempts = 3, flaky = true }),
    }, 2))
  end)
end)
