local encode = require "itlua.encode"
local json = require "itlua.json"
local jwt = require "itlua.jwt"

local function failure(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

local function refused(code, ...)
  local err = failure(jwt.verify, ...)
  assert.equal("jwt", err.kind)
  assert.equal(code, err.code)
  return err
end

local pairs_of = {}
local function keypair(alg)
  pairs_of[alg] = pairs_of[alg] or jwt.keypair(alg)
  return pairs_of[alg]
end

-- ---- the examples of RFC 7515 (appendix A), RFC 8037

local CLAIMS = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
local BEFORE = { now = 1300819000 }

local hs256 = {
  token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." .. CLAIMS .. ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
  jwk = { kty = "oct", k = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow" },
}

local rs256 = {
  token = "eyJhbGciOiJSUzI1NiJ9." .. CLAIMS .. ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7" ..
    "AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARN" ..
    "PvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUi" ..
    "pUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
  jwk = {
    kty = "RSA", e = "AQAB",
    n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2" ..
      "lZ" ..
      "S-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2" ..
      "R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcD" ..
      "TW9gb54h4FRWyuXpoQ",
    d = "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW" ..
      "_G" ..
      "O-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQl" ..
      "BjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0" ..
      "QU91p1DhOVRuOopznQ",
  },
}

local es256 = {
  token = "eyJhbGciOiJFUzI1NiJ9." .. CLAIMS ..
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
  jwk = {
    kty = "EC", crv = "P-256", x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
  },
}

local ed25519 = {
  token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc." ..
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
  jwk = {
    kty = "OKP", crv = "Ed25519", d = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
  },
}

describe("the RFCs' examples", function()
  it("are read and verified", function()
    for _, example in ipairs { hs256, rs256, es256 } do
      local claims, header = jwt.verify(example.token, example.jwk, BEFORE)
      assert.equal("joe", claims.iss)
      assert.equal(1300819380, claims.exp)
      assert.is_true(claims["http://example.com/is_root"])
      assert.is_string(header.alg)
      refused("signature", jwt.tamper(example.token), example.jwk, BEFORE)
      refused("expired", example.token, example.jwk)
    end
  end)

  it("are made, where the signature is not of chance", function()
    local bare = { typ = json.null }
    assert.equal(rs256.token, jwt.sign(encode.from_base64url(CLAIMS), rs256.jwk, { header = bare }))
    assert.equal(ed25519.token, jwt.sign("Example of Ed25519 signing", ed25519.jwk, { header = bare }))
    assert.equal(hs256.token:match("[^.]*$"), encode.hmac("sha256", encode.from_base64url(hs256.jwk.k),
      hs256.token:match("^(.*)%."), "base64url"))
  end)

  it("hold for Ed25519's keys", function()
    local pem = jwt.pem(ed25519.jwk)
    assert.matches("BEGIN PRIVATE KEY", pem)
    local public = jwt.jwk(pem)
    assert.equal(ed25519.jwk.x, public.x)
    assert.is_nil(public.d)
    assert.equal(ed25519.jwk.d, jwt.jwk(pem, { private = true }).d)
  end)
end)

-- ---- every algorithm

describe("a token", function()
  local all = { "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "ES256K", "EdDSA" }
  all[#all + 1] = "Ed448"
  for _, alg in ipairs(all) do
    it("is signed and verified by " .. alg, function()
      local kind = alg:match("^[RP]S") and "RS256" or alg
      local key = keypair(kind)
      local named = alg ~= "Ed448" and alg or nil
      local token = jwt.sign({ sub = "c-1", n = 9007199254740993 }, key.private, { alg = named })
      local claims, header = jwt.verify(token, key.public)
      assert.equal(9007199254740993, claims.n)
      assert.equal(alg == "Ed448" and "EdDSA" or alg, header.alg)
      assert.equal("JWT", header.typ)
      assert.same(claims, jwt.verify(token, key.private))
      assert.same(claims, jwt.verify(token, key))
      assert.same(claims, jwt.verify(token, jwt.jwk(key.public)))
      refused("signature", jwt.tamper(token), key.public)
      refused("signature", jwt.tamper(token, { claims = { sub = "admin" } }), key.public)
      refused("signature", jwt.tamper(token, { signature = false }), key.public)
      refused("signature", jwt.tamper(token, { signature = ("\0"):rep(64) }), key.public)
      refused("signature", jwt.sign({}, jwt.keypair(kind == "RS256" and "ES256" or kind)):gsub("^[^.]*",
        token:match("^[^.]*")), key.public)
    end)
  end

  for alg, size in pairs { HS256 = 32, HS384 = 48, HS512 = 64 } do
    it("is signed and verified by " .. alg, function()
      local token = jwt.sign({ sub = "x" }, "secret", { alg = alg })
      assert.equal(size, #jwt.decode(token).signature)
      assert.equal("x", jwt.verify(token, "secret").sub)
      refused("signature", token, "Secret")
      refused("signature", jwt.tamper(token), "secret")
    end)
  end

  it("agrees with the openssl program", function()
    local fs, process = require "itlua.fs", require "itlua.process"
    if process.run("openssl version").code ~= 0 then return pending("openssl is not installed") end
    local dir <close> = fs.tempdir()
    local key = keypair("RS256")
    local public = dir:write("public.pem", key.public)
    local private = dir:write("private.pem", key.private)
    for alg, options in pairs {
      RS384 = "-sha384", PS256 = "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest",
    } do
      local t = jwt.decode(jwt.sign({ a = 1 }, key.private, { alg = alg }))
      local signature, signed = dir:write("signature", t.signature), dir:write("signed", t.signed)
      local verify = ("openssl dgst %s -verify %s -signature %s %s"):format(options, public, signature, signed)
      process.run { command = verify, check = true }
      local sign = ("openssl dgst %s -sign %s %s"):format(options, private, signed)
      local made = process.run { command = sign, check = true }
      assert.equal(1, jwt.verify(t.signed .. "." .. encode.base64url(made.stdout), key.public).a)
    end
  end)

  it("is verified by a certificate", function()
    local fs, process = require "itlua.fs", require "itlua.process"
    if process.run("openssl version").code ~= 0 then return pending("openssl is not installed") end
    local dir <close> = fs.tempdir()
    local key = keypair("ES256")
    local path = dir:write("key.pem", key.private)
    local certificate = process.run { check = true, cwd = dir.path,
      command = { "openssl", "req", "-x509", "-key", path, "-subj", "/CN=test", "-days", "1" } }.stdout
    assert.matches("BEGIN CERTIFICATE", certificate)
    assert.equal(1, jwt.verify(jwt.sign({ a = 1 }, key), certificate).a)
  end)
end)

describe("jwt.verify", function()
  local now = os.time()

  local function token(claims, options) return jwt.sign(claims, "secret", options) end

  it("checks the moments, with leeway", function()
    jwt.verify(token({}, { expires_in = 60 }), "secret")
    local err = refused("expired", token({}, { expires_in = -60 }), "secret")
    assert.matches("the token expired %d+ s ago", err.message)
    assert.is_number(err.claims.exp)
    refused("expired", token { exp = now - 10 }, "secret", { leeway = 5 })
    jwt.verify(token { exp = now - 10 }, "secret", { leeway = 30 })
    jwt.verify(token { exp = 100 }, "secret", { now = 99 })
    refused("expired", token { exp = 100 }, "secret", { now = 100 })
    refused("not_yet", token { nbf = now + 100 }, "secret")
    jwt.verify(token { nbf = now + 100 }, "secret", { leeway = 200 })
    refused("issued", token { iat = now + 100 }, "secret")
    jwt.verify(token { iat = now + 100 }, "secret", { leeway = 200 })
    for _, name in ipairs { "exp", "nbf", "iat" } do
      local wrong = refused("malformed", token { [name] = "tomorrow" }, "secret")
      assert.matches("the claim " .. name .. " is 'tomorrow', not a number", wrong.message)
    end
  end)

  it("checks issuer, audience, subject, type and what is required", function()
    local t = token { iss = "https://auth", aud = { "api", "web" }, sub = "c-1" }
    jwt.verify(t, "secret", { issuer = "https://auth", audience = "web", subject = "c-1", type = "JWT" })
    jwt.verify(t, "secret", { issuer = { "x", "https://auth" }, audience = { "x", "api" }, required = { "iss" } })
    jwt.verify(token { aud = "api" }, "secret", { audience = "api" })
    assert.matches("the issuer is 'https://auth', not 'x'", refused("issuer", t, "secret", { issuer = "x" }).message)
    assert.matches("the audience is '%[\"api\",\"web\"%]', not 'x'",
      refused("audience", t, "secret", { audience = "x" }).message)
    refused("audience", token {}, "secret", { audience = "x" })
    refused("subject", t, "secret", { subject = "c-2" })
    refused("claim", t, "secret", { type = "at+jwt" })
    assert.matches("the claim jti is missing", refused("claim", t, "secret", { required = { "iss", "jti" } }).message)
  end)

  it("takes the key of a JWKS that the token names", function()
    local a, b = keypair("ES256"), jwt.keypair("ES256")
    local jwks = { keys = { jwt.jwk(a.public, { kid = "a" }), jwt.jwk(b.public, { kid = "b", use = "sig" }) } }
    assert.equal(1, jwt.verify(jwt.sign({ n = 1 }, b, { header = { kid = "b" } }), jwks).n)
    refused("signature", jwt.sign({}, b, { header = { kid = "a" } }), jwks)
    assert.matches("the token's key is 'c'; the JWKS has a, b",
      refused("key", jwt.sign({}, b, { header = { kid = "c" } }), jwks).message)
    refused("key", jwt.sign({}, b), jwks)
    jwt.verify(jwt.sign({}, b), { keys = { jwks.keys[2] } })
  end)

  it("does not fall for the known attacks", function()
    local key = keypair("RS256")
    local t = jwt.sign({ role = "user" }, key)
    assert.matches("a token of algorithm 'none' is not accepted",
      refused("algorithm", jwt.tamper(t, { alg = "none", claims = { role = "admin" } }), key.public).message)
    refused("algorithm", jwt.tamper(t, { header = { alg = "NoNe" } }), key.public)
    refused("algorithm", jwt.tamper(t, { header = { alg = 7 } }), key.public)
    local confused = jwt.tamper(t, { alg = "HS256", key = key.public })
    assert.matches("HS256 cannot be used with a key of kind RSA", refused("algorithm", confused, key.public).message)
    refused("algorithm", jwt.sign({}, keypair("ES256")), key.public)
    refused("algorithm", jwt.sign({}, keypair("ES384")), keypair("ES256").public)
    refused("algorithm", t, key.public, { algorithms = { "RS512", "PS256" } })
    refused("malformed", jwt.tamper(t, { header = { crit = { "exp" } } }), key.public)
  end)

  it("refuses what is no token", function()
    local good = jwt.sign({ a = 1 }, "secret")
    local h, c, s = good:match("^(.-)%.(.-)%.(.-)$")
    local b = encode.base64url
    local cases = {
      "", "x", "a.b", "a.b.c.d", "..", ".", h .. "." .. c .. ".", h .. "." .. c, h .. "." .. c .. "." .. s .. "=",
      "!" .. good, b("{") .. "." .. c .. "." .. s, b("[]") .. "." .. c .. "." .. s, b("null") .. "." .. c .. "." .. s,
      h .. "." .. b("7") .. "." .. s, h .. "." .. b('{"a":1,"a":2}') .. "." .. s, h .. "." .. b("\xFF") .. "." .. s,
      good .. "\n", " " .. good, b('{"typ":"JWT"}') .. "." .. c .. "." .. s,
    }
    for i, text in ipairs(cases) do
      local err = failure(jwt.verify, text, "secret")
      assert.equal("jwt", err.kind, i)
      assert.is_true(err.code == "malformed" or err.code == "signature" or err.code == "algorithm", err.code)
    end
    assert.matches("three parts with dots between; this has 2", failure(jwt.decode, "a.b").message)
    assert.matches("the token is a nil", failure(jwt.decode))
  end)

  it("never accepts a token with a letter changed", function()
    local key = keypair("ES256")
    local tokens = { { "secret", jwt.sign({ a = "b" }, "secret") }, { key.public, jwt.sign({ a = "b" }, key) } }
    for _, pair in ipairs(tokens) do
      local good = pair[2]
      for i = 1, #good do
        local other = good:sub(i, i) == "A" and "B" or "A"
        local err = failure(jwt.verify, good:sub(1, i - 1) .. other .. good:sub(i + 1), pair[1])
        assert.equal("jwt", err.kind)
      end
    end
  end)
end)

describe("jwt", function()
  it("reads without verifying", function()
    local t = jwt.decode(jwt.sign({ sub = "x", list = {} }, "secret", { header = { kid = "k" } }))
    assert.same({ alg = "HS256", typ = "JWT", kid = "k" }, t.header)
    assert.equal("x", t.claims.sub)
    assert.equal(32, #t.signature)
  end)

  it("makes keys that others read", function()
    local key = jwt.keypair("RS256", { bits = 1024 })
    assert.matches("^%-%-%-%-%-BEGIN PRIVATE KEY", key.private)
    assert.matches("^%-%-%-%-%-BEGIN PUBLIC KEY", key.public)
    assert.equal(key.private, jwt.pem(jwt.jwk(key.private, { private = true })))
    assert.equal(key.public, jwt.pem(jwt.jwk(key.private)))
    local jwk = jwt.jwk(key, { kid = "1", alg = "RS256", use = "sig" })
    assert.equal("AQAB", jwk.e)
    assert.equal("RSA", jwk.kty)
    assert.equal("sig", jwk.use)
    assert.is_nil(jwk.d)
    assert.same({ kty = "oct", k = "c2VjcmV0" }, jwt.jwk("secret"))
  end)

  it("says what is wrong with a key", function()
    local key = keypair("ES256")
    local token = jwt.sign({}, key)
    local cases = {
      { "-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----\n", "holds no key that can be read" },
      { key.public:sub(1, 60), "holds no key that can be read" },
      { { kty = "XX" }, "a JWK of type 'XX' is not known" },
      { { kty = "EC", crv = "P-1" }, "a JWK of curve 'P%-1' is not known" },
      { { kty = "EC", crv = "P-256", x = "AA", y = "AA" }, "make no key" },
      { { kty = "RSA" }, "make no key" },
      { { kty = "OKP", crv = "Ed25519", x = "AA" }, "make no key" },
      { { kty = "oct" }, "has a field 'k'" },
    }
    for _, case in ipairs(cases) do assert.matches(case[2], refused("key", token, case[1]).message) end
    assert.matches("a key is a secret, a PEM text", failure(jwt.verify, token, 12))
    assert.matches("cannot sign", failure(jwt.sign, {}, key.public).message)
    assert.matches("cannot be used with a key of kind P%-256",
      failure(jwt.sign, {}, key.private, { alg = "RS256" }).message)
    assert.matches("is not signed", failure(jwt.sign, {}, "x", { alg = "none" }).message)
    assert.matches("'HS256' is no algorithm of key pairs", failure(jwt.keypair, "HS256"))
    assert.matches("an RSA key has 512 to 16384 bits", failure(jwt.keypair, "RS256", { bits = 100 }))
  end)
end)
