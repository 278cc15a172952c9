local encode = require "itlua.encode"

local function failure(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

local every = {}
for i = 0, 255 do every[i + 1] = string.char(i) end
every = table.concat(every)

describe("base64", function()
  it("has RFC 4648's examples", function()
    local cases = {
      [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==", fooba = "Zm9vYmE=", foobar = "Zm9vYmFy",
    }
    for bytes, text in pairs(cases) do
      assert.equal(text, encode.base64(bytes))
      assert.equal(bytes, encode.from_base64(text))
      assert.equal((text:gsub("=", "")), encode.base64url(bytes))
      assert.equal(bytes, encode.from_base64url((text:gsub("=", ""))))
    end
    assert.equal("+/+/", encode.base64("\xFB\xFF\xBF"))
    assert.equal("-_-_", encode.base64url("\xFB\xFF\xBF"))
  end)

  it("gives back what it got", function()
    for n = 0, 300 do
      local bytes = every:rep(2):sub(1, n)
      assert.equal(bytes, encode.from_base64(encode.base64(bytes)))
      assert.equal(bytes, encode.from_base64url(encode.base64url(bytes)))
      assert.equal(bytes, encode.from_hex(encode.hex(bytes)))
      assert.equal(bytes, encode.from_url(encode.url(bytes)))
    end
    local big = every:rep(10000)
    assert.is_true(encode.from_base64(encode.base64(big)) == big)
  end)

  it("refuses what is not exactly right, with the position", function()
    local cases = {
      { encode.from_base64, "Zg", 3, "multiple of 4" },
      { encode.from_base64, "Zg=", 4, "multiple of 4" },
      { encode.from_base64, "Zg=a", 3, "padding has no place" },
      { encode.from_base64, "====", 1, "padding has no place" },
      { encode.from_base64, "Z===", 2, "padding has no place" },
      { encode.from_base64, "Zm9v\nZm9v\n\n\n", 5, "not of the alphabet" },
      { encode.from_base64, "Zm-_", 3, "not of the alphabet" },
      { encode.from_base64, "Zh==", 2, "bits that belong to no byte" },
      { encode.from_base64, "Zm9=", 3, "bits that belong to no byte" },
      { encode.from_base64, "Zm9\0", 4, "not of the alphabet" },
      { encode.from_base64url, "Zg==", 3, "padding has no place" },
      { encode.from_base64url, "Zm9v+", 5, "not of the alphabet" },
      { encode.from_base64url, "Z", 2, "one more is missing" },
      { encode.from_base64url, "Zh", 2, "bits that belong to no byte" },
    }
    for _, case in ipairs(cases) do
      local err = failure(case[1], case[2])
      assert.equal("encode", err.kind)
      assert.matches("^BASE64", err.code)
      assert.equal(case[3], err.position, case[2])
      assert.matches(case[4], err.message)
      assert.matches("encode_spec.lua:%d+$", err.where)
    end
  end)
end)

describe("hexadecimal", function()
  it("goes both ways", function()
    assert.equal("00ff10", encode.hex("\0\xFF\x10"))
    assert.equal("\xAB\xCD", encode.from_hex("aBCd"))
    assert.equal(3, failure(encode.from_hex, "abxd").position)
    assert.matches("a digit is missing", failure(encode.from_hex, "abc").message)
    assert.matches("encode.hex needs a string, not a number", failure(encode.hex, 12))
  end)
end)

describe("percent encoding", function()
  it("keeps what RFC 3986 does not reserve", function()
    assert.equal("AZaz09-._~", encode.url("AZaz09-._~"))
    assert.equal("a%20b%2Fc%3F%26%3D%25%2B%C3%BC%00", encode.url("a b/c?&=%+ü\0"))
    assert.equal("a%20b/c", encode.url("a b/c", "/"))
  end)

  it("is undone", function()
    assert.equal("a b/ü", encode.from_url("a%20b%2f%C3%bc"))
    assert.equal("a+b", encode.from_url("a+b"))
    assert.equal("a b", encode.from_url("a+b", { plus = true }))
    for _, text in ipairs { "%", "%2", "a%zz", "%%41" } do
      assert.matches("two hexadecimal digits", failure(encode.from_url, text).message)
    end
  end)
end)

describe("digests", function()
  it("have the published values", function()
    assert.equal("d41d8cd98f00b204e9800998ecf8427e", encode.md5(""))
    assert.equal("a9993e364706816aba3e25717850c26c9cd0d89d", encode.sha1("abc"))
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", encode.sha256("abc"))
    assert.equal("cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163" ..
      "1a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7", encode.sha384("abc"))
    assert.equal("ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" ..
      "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f", encode.sha512("abc"))
    assert.equal("3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532", encode.digest("sha3-256", "abc"))
  end)

  it("come in several formats", function()
    assert.equal("ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=", encode.sha256("abc", "base64"))
    assert.equal("ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0", encode.sha256("abc", "base64url"))
    assert.equal(32, #encode.sha256("abc", "raw"))
    assert.matches("the format is hex, base64", failure(encode.sha256, "abc", "b64"))
    assert.matches("libcrypto has no digest 'sha257'", failure(encode.digest, "sha257", ""))
  end)

  it("have keys (RFC 4231)", function()
    assert.equal("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
      encode.hmac("sha256", ("\x0b"):rep(20), "Hi There"))
    assert.equal("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
      encode.hmac("sha256", ("\xaa"):rep(131), "Test Using Larger Than Block-Size Key - Hash Key First"))
    assert.equal(64, #encode.hmac("sha256", "", ""))
  end)
end)

describe("chance", function()
  it("gives bytes and letters", function()
    assert.equal(0, #encode.random(0))
    assert.equal(1000, #encode.random(1000))
    assert.is_true(encode.random(16) ~= encode.random(16))
    assert.matches("^%w+$", encode.random_string(500))
    assert.equal(500, #encode.random_string(500, "digits"))
    assert.matches("^[0-9]+$", encode.random_string(50, "digits"))
    assert.matches("^[xyz]+$", encode.random_string(50, "xyz"))
    assert.equal("", encode.random_string(0))
    local seen = {}
    for letter in encode.random_string(20000, "digits"):gmatch(".") do seen[letter] = (seen[letter] or 0) + 1 end
    for digit = 0, 9 do assert.is_true(seen[tostring(digit)] > 1700 and seen[tostring(digit)] < 2300) end
    assert.matches("random bytes can be had, not %-1", failure(encode.random, -1))
    assert.matches("1 to 256 letters", failure(encode.random_string, 3, ""))
  end)

  it("gives UUIDs", function()
    local seen = {}
    for _ = 1, 1000 do
      local id = encode.uuid()
      assert.equal(4, encode.is_uuid(id))
      assert.is_nil(seen[id])
      seen[id] = true
    end
    local first = encode.uuid(7)
    require("itlua.core").sleep(0.003)
    local second = encode.uuid(7)
    assert.equal(7, encode.is_uuid(first))
    assert.is_true(first < second)
    assert.is_true(math.abs(tonumber(first:sub(1, 8) .. first:sub(10, 13), 16) / 1000 - os.time()) < 3)
    for _, text in ipairs { "", "x", first .. "0", first:gsub("-", "_"), "00000000-0000-0000-0000-000000000000" } do
      assert.is_false(encode.is_uuid(text))
    end
    assert.is_false(encode.is_uuid(nil))
    assert.matches("the version is 4 or 7", failure(encode.uuid, 1))
  end)
end)
