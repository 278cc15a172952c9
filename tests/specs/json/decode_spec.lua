local json = require "itlua.json"

-- The corner cases that parsers disagree on, after Nicolas Seriot's "Parsing JSON is a minefield".

local function failure(text, options)
  local ok, err = pcall(json.decode, text, options)
  assert.is_false(ok, "was accepted: " .. text:sub(1, 60))
  return err
end

describe("json.decode accepts", function()
  local valid = {
    ["array with blanks"] = { " [1 ,\t2\r\n, 3 ] ", { 1, 2, 3 } },
    ["empty array"] = { "[]", {} },
    ["empty object"] = { "{}", {} },
    ["nested empties"] = { "[[],{},[[]]]", { {}, {}, { {} } } },
    ["a string alone"] = { '"x"', "x" },
    ["a number alone"] = { "42", 42 },
    ["true alone"] = { "true", true },
    ["false alone"] = { "false", false },
    ["null alone"] = { "null", json.null },
    ["nulls in an array"] = { "[null,1,null]", { json.null, 1, json.null } },
    ["an empty key"] = { '{"":0}', { [""] = 0 } },
    ["a key with a NUL"] = { '{"a\\u0000b":1}', { ["a\0b"] = 1 } },
    ["every short escape"] = { [["\"\\\/\b\f\n\r\t"]], '"\\/\b\f\n\r\t' },
    ["\\u escapes"] = { [["\u0041\u00e9\u20AC"]], "Aé€" },
    ["a surrogate pair"] = { [["\ud83d\uDE00"]], "😀" },
    ["a NUL in a string"] = { [["a\u0000b"]], "a\0b" },
    ["an escaped backslash before u"] = { [["\\u0041"]], "\\u0041" },
    ["UTF-8 of every length"] = { '"aé€😀"', "aé€😀" },
    ["U+10FFFF"] = { '"\xF4\x8F\xBF\xBF"', "\u{10FFFF}" },
    ["U+FFFF, a noncharacter"] = { [["\uFFFF"]], "\u{FFFF}" },
    ["DEL, which needs no escape"] = { '"\x7F"', "\x7F" },
    ["U+2028"] = { '"\u{2028}"', "\u{2028}" },
    ["many blanks"] = { (" "):rep(1000) .. "1" .. ("\n"):rep(1000), 1 },
    ["0e1"] = { "0e1", 0.0 },
    ["0.1"] = { "0.1", 0.1 },
    ["-0.5"] = { "-0.5", -0.5 },
    ["1E22"] = { "1E22", 1e22 },
    ["1e-2"] = { "1e-2", 0.01 },
    ["1e+2"] = { "1e+2", 100.0 },
    ["many digits"] = { "0.1000000000000000055511151231257827021181583404541015625", 0.1 },
    ["the halfway case"] = { "9007199254740993.0", 9007199254740992.0 },
    ["a denormal"] = { "4.9406564584124654e-324", 4.9406564584124654e-324 },
    ["an underflow"] = { "1e-400", 0.0 },
    ["a long fraction of zeros"] = { "1." .. ("0"):rep(500), 1.0 },
    ["a long exponent"] = { "1e-" .. ("0"):rep(50) .. "2", 0.01 },
  }
  for name, case in pairs(valid) do
    it(name, function()
      local value = json.decode(case[1])
      assert.same(case[2], value)
      assert.equal(math.type(case[2]), math.type(value))
    end)
  end

  it("1,000 levels", function()
    local v = json.decode(("["):rep(1000) .. ("]"):rep(1000))
    local depth = 0
    while v do depth, v = depth + 1, v[1] end
    assert.equal(1000, depth)
  end)

  it("5,000 levels where they are asked for, of objects too", function()
    local text = ('{"a":'):rep(4999) .. "[]" .. ("}"):rep(4999)
    assert.equal(text, json.encode(json.decode(text, { max_depth = 5000 }), { max_depth = 5000 }))
  end)

  it("arrays and objects of any length", function()
    for _, n in ipairs { 1, 2, 63, 64, 65, 127, 128, 129, 1000, 100000 } do
      local list, members = {}, {}
      for i = 1, n do list[i], members[i] = i, ('"k%d":%d'):format(i, i) end
      local decoded = json.decode("[" .. table.concat(list, ",") .. "]")
      assert.equal(n, #decoded)
      for i = 1, n do if decoded[i] ~= i then error("element " .. i .. " of " .. n) end end
      decoded = json.decode("{" .. table.concat(members, ",") .. "}")
      for i = 1, n do if decoded["k" .. i] ~= i then error("member " .. i .. " of " .. n) end end
    end
  end)
end)

describe("json.decode refuses", function()
  local invalid = {
    -- structure
    "", " ", "[", "]", "{", "}", "[1", "[1,", "[,1]", "[1,]", "[1,,2]", "[1 2]", "[1:2]", "1 2", "[] []", "[]]", "{}}",
    "{1:2}", "{a:1}", '{"a"}', '{"a":}', '{"a":1,}', '{"a":1 "b":2}', '{"a" 1}', '{"a"::1}', '{,}', '{"a":1,,"b":2}',
    '{null:1}', "[\f1]", "[\v1]", "\u{A0}1", "\u{FEFF}{}", "// c\n1", "1 // c", "/* c */ 1", "# c\n1",
    -- words
    "nul", "nulll", "tru", "True", "TRUE", "NaN", "Infinity", "-Infinity", "undefined", "nil", "None", "[truefalse]",
    -- numbers
    "01", "-01", "00", "+1", "1.", ".5", "-.5", "-", "--1", "1e", "1e+", "1E-", "1.e1", "0x10", "1_000", "1,5", "1e1.5",
    "-NaN", "1f", "٣", "0.", "0e", "[-]", "[1.2.3]", "2.e+3", "1ee2", "- 1",
    -- strings
    '"', '"abc', "'a'", '"\\"', '"\\x41"', '"\\a"', '"\\u"', '"\\u12"', '"\\u123"', '"\\u12G4"', '"\\U0041"', '"\\',
    '"a\nb"', '"a\tb"', '"a\0b"', '"\x1F"', '"\\\0"', '"\\\n"',
    '"\\ud800"', '"\\udc00"', '"\\ud800\\n"', '"\\ud800\\ud800"',
    '"\\ud83d', '"\\ud83d\\u', '"\\udc00\\ud800"', '{"a\\ud800":1}', '"a" "b"',
    -- UTF-8
    '"\xFF"', '"\xC3"', '"\xC3("', '"\xC0\xAF"',
    '"\xE0\x80\xAF"', '"\xF0\x80\x80\xAF"', '"\xED\xA0\x80"', '"\xF4\x90\x80\x80"',
    '"\xF8\x88\x80\x80\x80"', '"\x80"', '"\xE2\x82"', '"\xF0\x9F\x98"', '\xE9', '["a", \xFF]', '{"\xC3":1}',
    -- other encodings
    "\xFE\xFF\0[\0]", "\xFF\xFE[\0]\0", "\0[\0]", "[\0]\0", "\0", "1\0", "<html></html>",
  }
  for i, text in ipairs(invalid) do
    it(("%d: %q"):format(i, text), function()
      local err = failure(text)
      assert.equal("json", err.kind)
      assert.matches("^invalid JSON: line %d+, column %d+ %(byte %d+%): %g", err.message)
      assert.is_true(err.byte >= 1 and err.byte <= #text + 1)
    end)
  end

  it("every beginning of a text, and every text with a byte left out or changed that is none", function()
    local text = '{"a": [1, -2.5e+3, "x\\u00e9\\n", true, null], "b": {"c": {}}}'
    for i = 0, #text - 1 do failure(text:sub(1, i)) end
    for i = 1, #text do
      pcall(json.decode, text:sub(1, i - 1) .. text:sub(i + 1))
      for _, c in ipairs { "\0", '"', "\\", "[", "}", "\xFF", "9" } do
        pcall(json.decode, text:sub(1, i - 1) .. c .. text:sub(i + 1))
      end
    end
  end)

  it("100,000 nested brackets", function()
    for _, open in ipairs { "[", '{"a":' } do
      local err = failure(open:rep(100000))
      assert.equal("depth", err.code)
      assert.matches("more than 1000 levels of nesting", err.message)
    end
    assert.equal("depth", failure("[[[]]]", { max_depth = 2 }).code)
    assert.same({ { {} } }, json.decode("[[[]]]", { max_depth = 3 }))
  end)

  it("a text longer than max_size", function()
    local err = failure("[1,2,3]", { max_size = 6, name = "the body" })
    assert.equal("size", err.code)
    assert.equal("the body: 7 bytes of JSON are more than max_size, 6", err.message)
    assert.same({ 1, 2, 3 }, json.decode("[1,2,3]", { max_size = 7 }))
  end)

  it("what is not a string, with the caller's place", function()
    for _, v in ipairs { 12, true, {}, print } do
      local ok, err = pcall(json.decode, v)
      assert.is_false(ok)
      assert.is_string(err)
      assert.matches("json.decode: the text is a %a+, not a string$", err)
    end
    assert.matches("the text is a no value", select(2, pcall(json.decode)))
  end)
end)

describe("an error of json.decode", function()
  it("has line, column, byte and an excerpt with a caret", function()
    local err = failure('{\n  "näme": "x",\n  "größe" 1\n}')
    assert.equal("syntax", err.code)
    assert.equal(3, err.line)
    assert.equal(11, err.column)
    assert.equal(31, err.byte)
    assert.equal('  "größe" 1\n              ^', err.excerpt)
    assert.equal(
      "invalid JSON: line 3, column 11 (byte 31): expected ':' after a key, found '1'\n    " .. err.excerpt,
      err.message)
  end)

  it("shortens a long line on both sides", function()
    local err = failure("[" .. ('"é",'):rep(500) .. "x" .. (',"é"'):rep(500) .. "]")
    local line, caret = err.excerpt:match("^(.-)\n    (.*)$")
    assert.matches("^…", line)
    assert.is_true(utf8.len(line) <= 90)
    assert.equal("x", line:sub(utf8.offset(line, #caret), utf8.offset(line, #caret)))
  end)

  it("shows control and wrong bytes harmlessly", function()
    local err = failure('["\xFF\xFE\27[31m", "a\tb"]')
    assert.equal("utf8", err.code)
    assert.matches('^%["%?%? %[31m"', err.excerpt)
  end)

  it("says what was meant", function()
    local hints = {
      ["[1,]"] = "a comma before '%]'",
      ['{"a":1,}'] = "a comma before '}'",
      ["{'a':1}"] = "expected a key in double quotes, found '''",
      ["['a']"] = 'JSON quotes with "',
      ["[None]"] = "JSON writes null",
      ["[True]"] = "JSON writes true",
      ["[NaN]"] = "not%-a%-number has no JSON form",
      ["[-Infinity]"] = "infinity has no JSON form",
      ["// x"] = "JSON has no comments",
      ["<html>"] = "this looks like HTML or XML",
      ["\u{FEFF}{}"] = "a byte order mark",
      ["[\0]\0"] = "expected a value, found byte 0",
      ["\0[\0]"] = "looks like UTF%-16",
      ['"a\nb"'] = "a line break in a string: JSON writes \\n",
      ['"a\tb"'] = "the control character 9 in a string: JSON escapes it",
      ['"\\x"'] = "JSON has no escape \\'x'",
      ["01"] = "'01' is no JSON number: it starts with a zero",
      ["{} x"] = "the value has ended, but the text goes on with 'x'",
      [""] = "the text is empty",
      ["\n"] = "the text is blank",
      ["[1"] = "found the end of the text",
      ['"x'] = "the string does not end",
    }
    for text, hint in pairs(hints) do assert.matches(hint, failure(text).message) end
  end)

  it("begins with the name given", function()
    assert.matches("^body of GET /x: line 1, column 2", failure("[x", { name = "body of GET /x" }).message)
  end)
end)

describe("numbers", function()
  it("keep 64-bit integers exact", function()
    local texts = { "9007199254740993", "9223372036854775807", "-9223372036854775808", "0", "1000000000000000000" }
    for _, text in ipairs(texts) do
      local n = json.decode(text)
      assert.equal("integer", math.type(n))
      assert.equal(text, tostring(n))
      assert.equal(text, json.encode(n))
    end
    assert.is_true(json.decode("9007199254740993") ~= json.decode("9007199254740992"))
  end)

  it("beyond 64 bits keep their digits", function()
    local texts = { "9223372036854775808", "-9223372036854775809", "18446744073709551615", "1e400", "-1.5E+999" }
    texts[#texts + 1] = ("9"):rep(1000)
    for _, text in ipairs(texts) do
      local n = json.decode(text)
      assert.is_true(json.is_number(n))
      assert.equal(text, tostring(n))
      assert.equal(text, json.encode(n))
      assert.equal(json.number(text), n)
    end
    assert.equal(2.0 ^ 64, json.decode("18446744073709551616"):tonumber())
  end)

  it("beyond 64 bits are floats or errors on demand", function()
    assert.equal(2.0 ^ 63, json.decode("9223372036854775808", { big = "float" }))
    assert.equal(math.huge, json.decode("1e400", { big = "float" }))
    local err = failure("[1, 9223372036854775808]", { big = "error" })
    assert.equal("range", err.code)
    assert.equal(5, err.column)
  end)

  it("are integers only where they are written as such", function()
    assert.equal("integer", math.type(json.decode("1")))
    assert.equal("float", math.type(json.decode("1.0")))
    assert.equal("float", math.type(json.decode("1e0")))
    assert.equal("-0.0", tostring(json.decode("-0")))
  end)

  it("are read correctly rounded, whatever the locale", function()
    local function check()
      for _ = 1, 2000 do
        local d = string.unpack("<d", string.pack("<I4I4", math.random(0, 0xFFFFFFFF), math.random(0, 0xFFFFFFFF)))
        if d == d and d - d == 0 then
          assert.equal(d, json.decode((("%.17g"):format(d):gsub(",", "."))))
          assert.equal(d, json.decode(json.encode(d)))
        end
      end
      assert.equal("[0.5,1e-10]", json.encode { 0.5, 1e-10 })
      assert.same({ 0.30000000000000004, 1e-300 }, json.decode "[0.30000000000000004,1e-300]")
    end
    check()
    for _, name in ipairs { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8" } do
      if os.setlocale(name, "numeric") then
        local ok, err = pcall(check)
        os.setlocale("C", "numeric")
        assert(ok, err)
      end
    end
  end)
end)

describe("options of json.decode", function()
  it("say which of two equal keys counts", function()
    local text = '{"a":1,"b":2,"a":[3]}'
    assert.same({ a = { 3 }, b = 2 }, json.decode(text))
    assert.same({ a = { 3 }, b = 2 }, json.decode(text, { duplicates = "last" }))
    assert.same({ a = 1, b = 2 }, json.decode(text, { duplicates = "first" }))
    local err = failure(text, { duplicates = "error" })
    assert.equal("duplicate", err.code)
    assert.equal(14, err.column)
    assert.matches('the key "a" again', err.message)
    local many = {}
    for i = 1, 500 do many[i] = ('"k%d":%d'):format(i % 100, i) end
    local decoded = json.decode("{" .. table.concat(many, ",") .. "}")
    assert.equal(500, decoded.k0)
    assert.equal(401, decoded.k1)
  end)

  it("replace or keep what is no UTF-8", function()
    local text = '["a\xFF\xC3z","\\ud800x","\\n\xED\xA0\x80"]'
    local replaced = { "a\u{FFFD}\u{FFFD}z", "\u{FFFD}x", "\n\u{FFFD}\u{FFFD}\u{FFFD}" }
    assert.same(replaced, json.decode(text, { utf8 = "replace" }))
    assert.same({ "a\xFF\xC3z", "\xED\xA0\x80x", "\n\xED\xA0\x80" }, json.decode(text, { utf8 = "keep" }))
    assert.equal("utf8", failure(text, { utf8 = "strict" }).code)
    local every = {}
    for i = 0, 255 do every[i + 1] = string.char(i) end
    every = table.concat(every)
    assert.equal(every, json.decode(json.encode(every, { utf8 = "keep" }), { utf8 = "keep" }))
  end)

  it("remember the order of keys", function()
    local text = '{"z":1,"a":{"y":[],"b":{}},"m":null}'
    assert.equal(text, json.encode(json.decode(text, { ordered = true })))
    local value = json.decode(text, { ordered = true })
    assert.equal('{"a":{"b":{},"y":[]},"m":null,"z":1}', json.encode(value, { order = "sorted" }))
    value.a, value.k, value.c = nil, 2, 3
    assert.equal('{"z":1,"m":null,"c":3,"k":2}', json.encode(value))
    assert.same({ z = 1, a = { y = {}, b = {} }, m = json.null }, json.decode(text, { ordered = true }))
  end)

  it("are checked", function()
    assert.error_matches(function() json.decode("1", { utf8 = "lax" }) end,
      "'utf8' is 'lax'; it can be 'strict', 'replace', 'keep'")
    assert.error_matches(function() json.decode("1", { max_depth = 5001 }) end, "max_depth is 1 to 5000")
    assert.error_matches(function() json.decode("1", { max_depth = "3" }) end, "max_depth")
    assert.error_matches(function() json.decode("1", { max_size = -1 }) end, "max_size is negative")
  end)
end)

describe("null", function()
  it("is one value, says what it is and is no nil", function()
    assert.equal("null", tostring(json.null))
    assert.equal(json.null, json.decode("null"))
    assert.equal(json.null, json.decode("[null]")[1])
    assert.equal(json.null, require "itlua.null")
    assert.is_truthy(json.null)
    assert.error_matches(function() return json.null.x end, "attempt to index a null value")
    assert.error_matches(function() return json.null + 1 end, "arithmetic on a null value")
  end)
end)

describe("json.lines", function()
  it("gives each line's value with its number", function()
    local seen = {}
    for value, line in json.lines('{"a":1}\n\n[2]\r\n  \nnull\n') do seen[#seen + 1] = { value, line } end
    assert.same({ { { a = 1 }, 1 }, { { 2 }, 3 }, { json.null, 5 } }, seen)
  end)

  it("names the wrong line", function()
    local ok, err = pcall(function() for _ in json.lines("1\n2\n[x\n", { name = "app.log" }) do end end) -- luacheck: ignore
    assert.is_false(ok)
    assert.matches("^app.log %(line 3 of the text%): line 1, column 2", err.message)
  end)
end)

describe("json.minify", function()
  it("takes out blanks and nothing else", function()
    assert.equal('{"a b":[1.50,1E2,"x \\u0041"]}', json.minify(' { "a b" : [ 1.50 ,\n1E2,\t"x \\u0041" ] } '))
    assert.error_matches(function() json.minify("[1,]") end, "a comma before")
  end)
end)

describe("json.portable", function()
  it("passes what every reader reads alike", function()
    assert.is_true(json.portable '{"id": 9007199254740992, "price": 1.1, "tags": ["a", null, true, {}], "é": "😀\\n"}')
  end)

  it("refuses what a reader with doubles and C strings gets wrong", function()
    local cases = {
      ['{"a": [1, {"id": 9007199254740993}]}'] = ".a[2].id: 9007199254740993 is read as 9007199254740992 where",
      ['[18446744073709551615]'] = "[1]: 18446744073709551615 is beyond",
      ['{"s": "a\\u0000b"}'] = ".s: of a string of 3 bytes, others",
      ['{"a\\u0000b": 1}'] = "is cut at its NUL",
      ['{"a": 1, "a": 2}'] = "the key \"a\" again",
    }
    for text, message in pairs(cases) do
      local ok, err = pcall(json.portable, text)
      assert.is_false(ok, text)
      assert.equal("json", err.kind)
      assert.is_truthy(err.message:find(message, 1, true), err.message)
    end
  end)
end)
