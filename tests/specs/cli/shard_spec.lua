-- Shards: every file is in exactly one, every machine makes the same cut, and the parts take about the same time.

local shard = require "itlua.cli.shard"

local function files(n)
  local list = {}
  for i = 1, n do list[i] = { path = ("specs/f%02d_spec.lua"):format(i) } end
  return list
end

local function shuffled(list)
  local copy = { table.unpack(list) }
  for i = #copy, 2, -1 do
    local k = math.random(i)
    copy[i], copy[k] = copy[k], copy[i]
  end
  return copy
end

local function paths(part)
  local list = {}
  for i, file in ipairs(part.files) do list[i] = file.path end
  table.sort(list)
  return list
end

describe("a cut into shards", function()
  it("has every file once, however many parts", function()
    local all = files(23)
    local times = {}
    for i = 1, 23, 2 do times[all[i].path] = { seconds = i * i / 10 } end
    for parts = 1, 30 do
      local seen, count = {}, 0
      for index = 1, parts do
        for _, path in ipairs(paths(shard.cut(all, index, parts, times))) do
          assert.is_nil(seen[path])
          seen[path], count = true, count + 1
        end
      end
      assert.equal(23, count)
    end
  end)

  it("is the same whatever the order in which files were found", function()
    local all = files(17)
    local times = {}
    for i, file in ipairs(all) do times[file.path] = { seconds = (i * 7) % 5 } end
    local first = shard.cut(all, 2, 4, times)
    for _ = 1, 20 do
      local again = shard.cut(shuffled(all), 2, 4, times)
      assert.same(paths(first), paths(again))
      assert.equal(first.plan, again.plan)
    end
  end)

  it("takes about as long in every part: no two differ by more than the longest file", function()
    local all = files(40)
    local times, longest = {}, 0
    for _, file in ipairs(all) do
      local seconds = math.random() ^ 3 * 20
      times[file.path], longest = { seconds = seconds }, math.max(longest, seconds)
    end
    local least, most = math.huge, 0
    for index = 1, 5 do
      local part = shard.cut(all, index, 5, times)
      assert.is_true(part.timed)
      least, most = math.min(least, part.seconds), math.max(most, part.seconds)
    end
    assert.is_true(most - least <= longest + 1e-9)
  end)

  it("goes by number where no times are known, and says so", function()
    for index = 1, 4 do
      local part = shard.cut(files(20), index, 4, {})
      assert.equal(5, #part.files)
      assert.is_false(part.timed)
    end
  end)

  it("has another name when it was made from other times, files or parts", function()
    local plan = shard.cut(files(5), 1, 2, {}).plan
    assert.equal(plan, shard.cut(files(5), 2, 2, {}).plan)
    assert.not_equal(plan, shard.cut(files(6), 1, 2, {}).plan)
    assert.not_equal(plan, shard.cut(files(5), 1, 3, {}).plan)
    assert.not_equal(plan, shard.cut(files(5), 1, 2, { ["specs/f01_spec.lua"] = { seconds = 1 } }).plan)
  end)

  it("keeps the order of what it takes", function()
    local part = shard.cut(files(10), 1, 2, {})
    local before = ""
    for _, file in ipairs(part.files) do
      assert.is_true(file.path > before)
      before = file.path
    end
  end)
end)

describe("what takes longest", function()
  it("comes first; what is not known counts as the median; equals stay in order", function()
    local all = files(5)
    local times = { [all[2].path] = { seconds = 9 }, [all[3].path] = { seconds = 1 }, [all[5].path] = { seconds = 4 } }
    local seconds, known = shard.estimates(all, times)
    assert.is_true(known)
    assert.equal(4, seconds[all[1].path])
    shard.slowest_first(all, seconds)
    local order = {}
    for i, file in ipairs(all) do order[i] = file.path:match "%d+" end
    assert.same({ "02", "01", "04", "05", "03" }, order)
  end)
end)
