local null = require "itlua.null"
local yaml = require "itlua.yaml"

describe("yaml", function()
  it("follows the core schema for plain scalars", function()
    assert.same({ 1, -2, 0x1F, 15, 2.5, 1e3, true, false, null, null, "yes", "on", "1.2.3", "12345678901234567890123" },
      yaml.decode "[1, -2, 0x1F, 0o17, 2.5, 1e3, true, FALSE, null, ~, yes, on, 1.2.3, 12345678901234567890123]")
    assert.equal(math.huge, yaml.decode ".inf")
    assert.equal(-math.huge, yaml.decode "-.inf")
    assert.equal("integer", math.type(yaml.decode "9007199254740993"))
  end)

  it("takes what is quoted as text", function()
    assert.same({ "1", "true", "null", "" }, yaml.decode [=[["1", 'true', "null", ""]]=])
  end)

  it("reads mappings, block text, anchors and merges", function()
    assert.same({
      base = { x = 1, y = 2 }, other = { x = 1, y = 3 }, text = "one\ntwo\n", folded = "one two\n",
    }, yaml.decode [[
base: &base {x: 1, y: 2}
other: {<<: *base, y: 3}
text: |
  one
  two
folded: >
  one
  two
]])
    assert.same({ a = 1, b = 2, c = 3 }, yaml.decode "a: &a {a: 1}\nb: &b {b: 2}\nc: {<<: [*a, *b], c: 3}".c)
  end)

  it("reads several documents, and none", function()
    assert.same({ 1, { 2 } }, yaml.decode_all "--- 1\n---\n- 2\n")
    assert.equal(null, yaml.decode "")
  end)

  it("says where the text is wrong", function()
    local err = assert.raises({ kind = "yaml", line = 2 }, yaml.decode, "a: 1\nb: ]")
    assert.matches("line 2, column %d+", err.message)
    assert.raises({ kind = "yaml", line = 2, message = "the key 'a' is there twice" }, yaml.decode, "a: 1\na: 2")
    assert.raises({ kind = "yaml", message = "nested" }, yaml.decode, ("["):rep(100000))
    assert.raises({ kind = "yaml" }, yaml.decode, "a: *nothing")
    assert.raises({ kind = "yaml" }, yaml.decode, "\0\1\2")
  end)
end)
