-- Delta debugging: what is left fails, nothing of it can be spared, and it is found in few tries.

local bisect = require "itlua.cli.bisect"

local function numbers(n)
  local list = {}
  for i = 1, n do list[i] = i end
  return list
end

-- A failure that needs all of `culprits`; counts how often it was asked.
local function needing(culprits)
  local asked = { count = 0 }
  return function(part)
    asked.count = asked.count + 1
    local there = {}
    for _, item in ipairs(part) do there[item] = true end
    for _, culprit in ipairs(culprits) do
      if not there[culprit] then return false end
    end
    return true
  end, asked
end

describe("the smallest part that still fails", function()
  it("is the culprit, wherever it stands", function()
    for n = 1, 40 do
      for culprit = 1, n do
        assert.same({ culprit }, bisect.minimize(numbers(n), (needing { culprit })))
      end
    end
  end)

  it("is all of them where it takes several", function()
    for _ = 1, 200 do
      local n, wanted, chosen = math.random(2, 60), {}, {}
      for _ = 1, math.random(2, 4) do chosen[math.random(n)] = true end
      for i = 1, n do
        if chosen[i] then wanted[#wanted + 1] = i end
      end
      assert.same(wanted, bisect.minimize(numbers(n), (needing(wanted))))
    end
  end)

  it("takes a number of tries that grows with the logarithm", function()
    local fails, asked = needing { 700 }
    bisect.minimize(numbers(1024), fails)
    assert.is_true(asked.count <= 2 * 10 + 1, "tries: " .. asked.count)
  end)

  it("keeps the order", function()
    assert.same({ 3, 9, 27 }, bisect.minimize(numbers(30), (needing { 27, 3, 9 })))
  end)

  it("is the whole where nothing can be spared, and a single one is not tried", function()
    local fails, asked = needing { 1, 2, 3, 4 }
    assert.same({ 1, 2, 3, 4 }, bisect.minimize(numbers(4), fails))
    asked.count = 0
    assert.same({ 1 }, bisect.minimize({ 1 }, fails))
    assert.equal(0, asked.count)
  end)
end)
