local diff = require "itlua.diff"
local null = require "itlua.null"

local function lines(...) return table.concat({ ... }, "\n") end

describe("diff", function()
  it("says nothing about what is equal", function()
    assert.is_nil(diff.of(1, 1))
    assert.is_nil(diff.of({ a = { 1, 2 } }, { a = { 1, 2 } }))
    assert.is_nil(diff.of({ a = 1 }, { a = 1.0 }))
    assert.is_nil(diff.of({ a = null }, { a = null }))
  end)

  it("names the paths that differ, types that changed, null and missing", function()
    assert.equal(lines(
      "3 of 6 values differ",
      "  items[1].quantity   expected 2      got 3",
      "  shipped_at          expected null   missing",
      '  total               expected 12.5   got "12.50"     (number, string)'
    ), diff.of(
      { items = { { sku = "a", quantity = 2 } }, total = 12.5, shipped_at = null, id = 7, open = true },
      { items = { { sku = "a", quantity = 3 } }, total = "12.50", id = 7, open = true }
    ))
  end)

  it("names what should not be there", function()
    assert.equal(lines("1 of 2 values differs", "  b   unexpected 2"), diff.of({ a = 1 }, { a = 1, b = 2 }))
  end)

  it("compares two plain values", function()
    assert.equal("expected  1\ngot       2", diff.of(1, 2))
    assert.equal('expected  1\ngot       "1"     (number, string)', diff.of(1, "1"))
    assert.equal("expected  0.3\ngot       0.30000000000000004", diff.of(0.3, 0.1 + 0.2))
    assert.equal("expected  nil\ngot       false", diff.of(nil, false))
  end)

  it("shows long strings by the part that differs", function()
    local a, b = ("a"):rep(500) .. "left" .. ("z"):rep(500), ("a"):rep(500) .. "right" .. ("z"):rep(500)
    assert.equal(lines(
      "differs from character 501 on (1004 bytes expected, got 1005)",
      'expected  "…aaaaaaaaaaaaaaaaaaaaaaaaleftzzzzzzzzzzzzzzzzzzzz…"',
      'got       "…aaaaaaaaaaaaaaaaaaaaaaaarightzzzzzzzzzzzzzzzzzzz…"'
    ), diff.of(a, b))
    assert.matches("differs from line 2, column 3 on", diff.of("one\ntwo\nthree", "one\ntwX\nthree"))
    assert.matches("differs from character 3 on", diff.of(("ä"):rep(2) .. ("x"):rep(40),
      ("ä"):rep(2) .. ("y"):rep(40)))
  end)

  it("shows what cannot be seen", function()
    assert.equal('expected  "a b"\ngot       "a\\u{A0}b"', diff.of("a b", "a\u{A0}b"))
    assert.equal('expected  "a\\t"\ngot       "a\\0"', (diff.of("a\t", "a\0"):gsub("x00", "0")))
    assert.matches('"\\xFF"', diff.of("\xFF", "\xFE"))
    assert.matches("\\u{200B}", diff.of("x", "x\u{200B}"))
  end)

  it("aligns arrays, so that one element put in is one difference", function()
    assert.equal(lines("1 of 5 values differs", "  [2]   expected 2   missing"), diff.of({ 1, 2, 3, 4, 5 },
      { 1, 3, 4, 5 }))
    assert.equal(lines("1 of 4 values differs", "  [1]   unexpected 0"), diff.of({ 1, 2, 3 }, { 0, 1, 2, 3 }))
    assert.equal(lines("1 of 3 values differs", "  list[2]   expected { id = 2 }   missing"), diff.of(
      { list = { { id = 1 }, { id = 2 }, { id = 3 } } }, { list = { { id = 1 }, { id = 3 } } }))
  end)

  it("quotes keys that need it", function()
    local text = diff.of({ ["two words"] = 1, [true] = 2, ["a-b"] = 3, [1.5] = 4 }, {})
    for _, key in ipairs { '["two words"]', "[true]", "a-b", "[1.5]" } do
      assert.is_truthy(text:find("\n  " .. key .. " ", 1, true), key)
    end
  end)

  it("survives cycles, also crossed ones", function()
    local a, b = { n = 1 }, { n = 2 }
    a.self, b.self = a, b
    assert.equal(lines("1 of 1 value differs", "  n   expected 1   got 2"), diff.of(a, b))
    a.n = 2
    a.self, b.self = b, a
    assert.is_nil(diff.of(a, b))
    local deep = {}
    local node = deep
    for _ = 1, 5000 do
      node.next = {}
      node = node.next
    end
    assert.is_string(diff.of(deep, { next = 1 }))
    assert.is_nil(diff.of(deep, deep))
  end)

  it("lets nested tables decide with __eq, as luassert does", function()
    local point = { __eq = function(p, q) return p.x == q.x end, __tostring = function(p) return "point " .. p.x end }
    local function at(x, y) return setmetatable({ x = x, y = y }, point) end
    assert.is_nil(diff.of({ p = at(1, 1) }, { p = at(1, 2) }))
    assert.matches("p   expected point 1   got point 2", diff.of({ p = at(1, 1) }, { p = at(2, 1) }))
  end)

  it("is not upset by metamethods that raise", function()
    local nasty = setmetatable({}, { __tostring = function() error "no" end, __index = function() error "no" end,
      __len = function() error "no" end, __pairs = function() error "no" end })
    assert.is_string(diff.of({ a = nasty }, { a = 1 }))
    assert.is_string(diff.of({ a = print }, { a = io.stdout }))
  end)

  it("is bounded for what is huge", function()
    local a, b = {}, {}
    for i = 1, 300000 do
      a[i], b[i] = i, i + 1
    end
    local began = os.clock()
    local text = diff.of(a, b)
    assert.matches("^at least %d+ of more than %d+ values differ\n", text)
    assert.matches("… and %d+ more$", text)
    local _, count = text:gsub("\n", "")
    assert.equal(21, count)
    assert.is_true(#diff.of(("x"):rep(5e6) .. "a", ("x"):rep(5e6) .. "b") < 300)
    assert.is_true(os.clock() - began < 5)
  end)

  it("reads a failure's evidence", function()
    assert.equal("expected  1\ngot       2", diff.of_failure { assertion = "equal", 1, 2 })
    assert.matches("two tables: assert.same compares content",
      diff.of_failure { assertion = "equals", positive = true, n = 2, { 1 }, { 1 } })
    assert.matches("assert.same compares content%)$", diff.of_failure { assertion = "equal", { 1 }, { 2 } })
    assert.is_nil(diff.of_failure(nil))
    assert.is_nil(diff.of_failure { assertion = "true", n = 1, false })
    assert.is_nil(diff.of_failure { assertion = "same", positive = false, n = 2, { 1 }, { 1 } })
  end)
end)

describe("a partial comparison", function()
  local function partial(expected, got) return diff.text(diff.partial(expected, got)) end

  it("does not mind what is not named", function()
    assert.is_nil(partial({ a = { b = 1 } }, { a = { b = 1, c = 2 }, d = 3 }))
    assert.is_nil(partial({}, { a = 1 }))
    assert.equal(lines("1 of 1 value differs", "  a.b   expected 1   got 2"), partial({ a = { b = 1 } },
      { a = { b = 2 } }))
    assert.equal(lines("1 of 1 value differs", "  a   expected 1   missing"), partial({ a = 1 }, {}))
  end)

  it("tells null from missing", function()
    assert.is_nil(partial({ a = null }, { a = null }))
    assert.is_string(partial({ a = null }, {}))
    assert.is_string(partial({ a = 1 }, { a = null }))
  end)

  it("looks for an array's elements in any order, each once", function()
    assert.is_nil(partial({ 3, 1 }, { 1, 2, 3 }))
    assert.is_nil(partial({ { id = 2 } }, { { id = 1, x = 1 }, { id = 2, x = 2 } }))
    assert.is_string(partial({ 1, 1 }, { 1, 2 }))
    assert.is_string(partial({ 1 }, {}))
    assert.is_string(partial({ 1 }, "1"))
  end)

  it("names the nearest element when none fits", function()
    assert.equal(lines("1 of 2 values differs", "  [2].quantity   expected 5   got 4"),
      partial({ { id = 2, quantity = 5 } }, { { id = 1, quantity = 9 }, { id = 2, quantity = 4 } }))
  end)
end)
