local json = require "itlua.json"

local function failure(value, options)
  local ok, err = pcall(json.encode, value, options)
  assert.is_false(ok)
  assert.equal("json", err.kind)
  return err
end

describe("json.encode writes", function()
  it("scalars", function()
    assert.equal("true", json.encode(true))
    assert.equal("false", json.encode(false))
    assert.equal("null", json.encode(json.null))
    assert.equal("12", json.encode(12))
    assert.equal("-9223372036854775808", json.encode(math.mininteger))
    assert.equal('"x"', json.encode("x"))
    assert.equal('""', json.encode(""))
  end)

  it("floats so that they stay floats, and shortest", function()
    local floats = {
      ["0.0"] = 0.0, ["-0.0"] = -0.0, ["5.0"] = 10 / 2, ["0.1"] = 0.1, ["12.34"] = 12.34, ["1e+300"] = 1e300,
      ["0.30000000000000004"] = 0.1 + 0.2, ["5e-324"] = 5e-324, ["1.7976931348623157e+308"] = 1.7976931348623157e308,
      ["0.3333333333333333"] = 1 / 3, ["9007199254740992.0"] = 2.0 ^ 53, ["-1.5"] = -1.5, ["1e-07"] = 1e-7,
      ["9999999.99"] = 9999999.99, ["0.0001"] = 0.0001, ["99999.00001"] = 99999.00001,
    }
    for text, d in pairs(floats) do
      assert.equal(text, json.encode(d))
      assert.equal(d, json.decode(text))
    end
  end)

  it("strings with the escapes that JSON wants", function()
    assert.equal([["\"\\\b\f\n\r\t\u0000\u001f/]] .. "\x7Fé😀\"", json.encode('"\\\b\f\n\r\t\0\31/\x7Fé😀'))
    assert.equal([["\u00e9\u20ac\ud83d\ude00a"]], json.encode("é€😀a", { ascii = true }))
    for n = 0, 40 do -- every alignment of the special character
      local s = ("x"):rep(n) .. "\n" .. ("y"):rep(40 - n) .. '"' .. ("é"):rep(n)
      assert.equal(s, json.decode(json.encode(s)))
    end
  end)

  it("arrays and objects by their keys", function()
    assert.equal('[1,2,[3]]', json.encode { 1, 2, { 3 } })
    assert.equal('{"a":1,"b":{"c":[]}}', json.encode { b = { c = json.array() }, a = 1 })
    local backwards = {}
    for i = 10, 1, -1 do backwards[i] = i end
    assert.equal("[1,2,3,4,5,6,7,8,9,10]", json.encode(backwards))
    local hashed = { x = 1 }
    for i = 1, 5 do hashed[i] = i end
    hashed.x = nil
    assert.equal("[1,2,3,4,5]", json.encode(hashed))
  end)

  it("empty tables by their marks", function()
    assert.equal("{}", json.encode {})
    assert.equal("[]", json.encode({}, { empty = "array" }))
    assert.equal("[]", json.encode(json.array()))
    assert.equal("[]", json.encode(json.array {}))
    assert.equal("{}", json.encode(json.object(), { empty = "array" }))
    assert.equal('[{},[],{"a":[],"b":{}}]', json.encode(json.decode '[{},[],{"a":[],"b":{}}]'))
    assert.equal('[{},[],{"a":[],"b":{}}]', json.encode(json.decode '[{},[],{"a":[],"b":{}}]', { empty = "array" }))
    local emptied = json.decode "[1]"
    emptied[1] = nil
    assert.equal("[]", json.encode(emptied))
    assert.is_true(json.is_array(emptied))
    assert.is_false(json.is_array {})
    assert.is_false(json.is_array "x")
    assert.same({}, json.decode "[]")
  end)

  it("what other libraries mark", function()
    assert.equal("[]", json.encode(setmetatable({}, { __jsontype = "array" })))
    assert.equal('{"b":1,"a":2}', json.encode(setmetatable({ a = 2, b = 1 }, { __jsonorder = { "b", "a" } })))
  end)

  it("keys sorted, remembered, or as they come", function()
    local object = {}
    for i = 1, 100 do object[("k%03d"):format(i * 37 % 101)] = i end
    local text = json.encode(object)
    local last = ""
    for key in text:gmatch('"(k%d+)":') do
      assert.is_true(last < key)
      last = key
    end
    assert.same(object, json.decode(json.encode(object, { order = "any" })))
    assert.equal('{"":1,"a":2,"a\\u0000":3,"ab":4,"b":5,"é":6}',
      json.encode { b = 5, ab = 4, a = 2, ["é"] = 6, [""] = 1, ["a\0"] = 3 })
    local ordered = json.ordered { { "id", 7 }, { "name", "x" }, { "at", json.null } }
    ordered.zeta, ordered.alpha = 1, 2
    assert.equal('{"id":7,"name":"x","at":null,"alpha":2,"zeta":1}', json.encode(ordered))
    assert.equal('{"alpha":2,"at":null,"id":7,"name":"x","zeta":1}', json.encode(ordered, { order = "sorted" }))
    assert.error_matches(function() json.ordered { { 1, 2 } } end, "pairs of a string and a value; number 1")
  end)

  it("objects of more members than the stack takes", function()
    local object, n = {}, 60000
    for i = 1, n do object["key" .. i] = { i } end
    local decoded = json.decode(json.encode(object, { order = "kept" }))
    for i = 1, n do if decoded["key" .. i][1] ~= i then error("key" .. i) end end
    local ordered = json.decode(json.encode(object), { ordered = true })
    assert.equal(json.encode(object), json.encode(ordered))
  end)

  it("prettily", function()
    local value = { a = { 1, { b = true } }, c = json.array(), d = {}, e = "x" }
    assert.equal([[
{
  "a": [
    1,
    {
      "b": true
    }
  ],
  "c": [],
  "d": {},
  "e": "x"
}]], json.encode(value, { pretty = true }))
    assert.equal("[\n\t1\n]", json.encode({ 1 }, { pretty = "\t" }))
    assert.equal("[1]", json.encode({ 1 }, { pretty = false }))
    assert.same(value, json.decode(json.encode(value, { pretty = "    " })))
  end)

  it("a table twice where it is no cycle", function()
    local t = { 1 }
    assert.equal("[[1],[1],{\"a\":[1]}]", json.encode { t, t, { a = t } })
  end)

  it("from a finalizer in the middle of another encoding", function()
    local seen
    for _ = 1, 50 do
      setmetatable({}, { __gc = function() seen = json.encode { 1, { a = "x" } } end })
      local list = {}
      for i = 1, 200 do list[i] = { id = i, name = "n" .. i } end
      assert.equal(200, #json.decode(json.encode(list)))
    end
    collectgarbage()
    assert.equal('[1,{"a":"x"}]', seen)
  end)
end)

describe("json.encode refuses", function()
  it("what has no JSON form, with its path", function()
    local cases = {
      { { a = { b = { 1, 2, print } } }, ".a.b[3]", "type", "a function has no JSON form" },
      { { x = io.stdout }, ".x", "type", "a userdata has no JSON form" },
      { { coroutine.create(print) }, "[1]", "type", "a thread has no JSON form" },
      { { q = 0 / 0 }, ".q", "number", "not%-a%-number" },
      { { 1, 1 / 0 }, "[2]", "number", "infinity" },
      { { 1, -1 / 0 }, "[2]", "number", "infinity" },
      { { a = { 1, nil, 3 } }, ".a", "keys", "holes: it has %[3%], but not all before; json.null fills a hole" },
      { { 1, 2, [10] = 3 }, "the value", "keys", "holes: it has %[10%]" },
      { { { 1, 2, x = 3 } }, "[1]", "keys", 'an array that also has the key "x"' },
      { { 1, [1.5] = 3 }, "the value", "keys", 'an array that also has the key "1.5"' },
      { { [5] = 1 }, "the value", "keys", "an object's key is a string, not 5" },
      { { a = 1, [true] = 2 }, "the value", "keys", "an object's key is a string, not boolean" },
      { json.array { a = 1 }, "the value", "keys", 'an array that also has the key "a"' },
      { { o = json.object { 1 } }, ".o", "keys", "an object's key is a string, not 1" },
      { { s = "\xFF" }, ".s", "utf8", "a string with byte 255, which is no UTF%-8" },
      { { ["\xC3"] = 1 }, ".\xC3", "utf8", "byte 195" },
    }
    for _, case in ipairs(cases) do
      for _, order in ipairs { "kept", "sorted", "any" } do
        local err = failure(case[1], { order = order })
        assert.equal(case[2], err.path)
        assert.equal(case[3], err.code)
        assert.matches(case[4], err.message)
      end
    end
    assert.matches("nil has no JSON form; json.null has", failure(nil).message)
    assert.equal("[1]", json.encode { 1 }) -- and goes on working
  end)

  it("cycles", function()
    local t = { a = {} }
    t.a.back = { t }
    local err = failure(t)
    assert.equal("cycle", err.code)
    assert.equal(".a.back[1]", err.path)
    local wide = {}
    for i = 1, 1000 do wide[i] = wide end
    assert.equal("cycle", failure(wide).code)
  end)

  it("too deep nesting", function()
    local t = {}
    for _ = 1, 999 do t = { t } end
    json.encode(t)
    local err = failure { t }
    assert.equal("depth", err.code)
    assert.matches("^…%[1%]", err.path)
    t = {}
    for _ = 1, 100000 do t = { a = t } end
    assert.equal("depth", failure(t).code)
    assert.equal("depth", failure(t, { max_depth = 5000 }).code)
  end)

  it("texts longer than max_size, however few tables they come from", function()
    local t = { "x" }
    for _ = 1, 40 do t = { t, t } end
    local err = failure(t, { max_size = 1000000 })
    assert.equal("size", err.code)
    assert.equal("size", failure(("x"):rep(100), { max_size = 50 }).code)
    assert.equal("size", failure({ ("x"):rep(100) }, { max_size = 50 }).code)
  end)

  it("wrong options, with the caller's place", function()
    assert.error_matches(function() json.encode(1, { order = "up" }) end,
      "'order' is 'up'; it can be 'kept', 'sorted', 'any'")
    assert.error_matches(function() json.encode(1, { pretty = 2 }) end, "'pretty' is true or the indent")
    assert.error_matches(function() json.encode(1, { pretty = "ab" }) end, "an indent is spaces or tabs")
    assert.error_matches(function() json.encode() end, "value expected")
    assert.error_matches(function() json.array(1) end, "json.array needs a table, not a number")
  end)
end)

describe("json.number", function()
  it("keeps its text and compares by value", function()
    local n = json.number "18446744073709551615"
    assert.equal("18446744073709551615", tostring(n))
    assert.equal('{"price":1.10}', json.encode { price = json.number "1.10" })
    assert.is_true(json.number "1.10" == json.number "11e-1")
    assert.is_true(json.number "-0" == json.number "0.000")
    assert.is_false(json.number "18446744073709551615" == json.number "18446744073709551614")
    assert.is_true(n > math.maxinteger and n > 0 and n < 1e20 and n >= 1.8e19 and n < math.huge)
    assert.is_true(json.number "-18446744073709551615" < math.mininteger)
    assert.is_true(json.number "-20000000000000000000" < json.number "-19999999999999999999")
    assert.is_true(json.number "9223372036854775808" > json.number "9223372036854775807")
    assert.is_true(json.number "1e400" > n and json.number "-1e400" > -math.huge)
    assert.is_true(json.number "0.5" <= 0.5 and json.number "0.001" < 0.01 and json.number "100" > 99.5)
    assert.error_matches(function() return n < "x" end, "attempt to compare")
    assert.is_false(json.is_number(12))
  end)

  it("takes JSON's numbers only", function()
    for _, text in ipairs { "", "01", "1.", "0x1", "1 ", "abc", "+1", "1\0" } do
      assert.error_matches(function() json.number(text) end, "is no JSON number")
    end
  end)
end)

describe("decode of encode", function()
  local function random(depth)
    local kind = math.random(depth > 4 and 6 or 9)
    if kind == 1 then return json.null end
    if kind == 2 then return math.random(2) == 1 end
    if kind == 3 then return math.random(0) end
    if kind == 4 then return math.random(-1000, 1000) end
    if kind == 5 then return math.random() * 10.0 ^ math.random(-30, 30) end
    if kind == 6 then
      local s = {}
      for i = 1, math.random(0, 20) do
        local c = math.random(0, math.random(3) == 1 and 0x10FFFF or 200)
        s[i] = utf8.char((c >= 0xD800 and c <= 0xDFFF) and 0xFFFD or c)
      end
      return table.concat(s)
    end
    local t = {}
    if kind < 9 then
      for i = 1, math.random(0, 8) do t[i] = random(depth + 1) end
      return json.array(t)
    end
    for _ = 1, math.random(0, 8) do
      t["k" .. math.random(100) .. (math.random(4) == 1 and "\"é\n" or "")] = random(depth + 1)
    end
    return json.object(t)
  end

  local function equal(a, b)
    if type(a) ~= "table" then return a == b and math.type(a) == math.type(b) end
    if type(b) ~= "table" or json.is_array(a) ~= json.is_array(b) then return false end
    for k, v in next, a do if not equal(v, b[k]) then return false end end
    for k in next, b do if a[k] == nil then return false end end
    return true
  end

  it("is the value", function()
    for i = 1, 3000 do
      local value = random(0)
      local options = { pretty = i % 3 == 0, ascii = i % 5 == 0, order = i % 2 == 0 and "any" or nil }
      local text = json.encode(value, options)
      assert(equal(value, json.decode(text)), text)
      assert.equal(json.encode(value), json.encode(json.decode(text)))
      assert.equal(json.minify(json.encode(value)), json.minify(json.encode(value, { pretty = true })))
    end
  end)
end)
