--- JSON Web Tokens (RFC 7519): made, read, verified, and spoiled on purpose for negative tests.
--
-- Algorithms: HS, RS, PS, ES with 256, 384 or 512, ES256K, EdDSA. Keys are a secret string (HS), PEM text (a private or
-- public key, or a certificate), a JWK, or a JWKS of which the token's "kid" chooses. "none" is never accepted.
-- Errors have kind "jwt": code "malformed", "algorithm", "key", "signature", "expired", "not_yet", "issued", "issuer",
-- "audience", "subject", "claim"; fields header and claims where the token could be read.

local core = require "itlua.core"
local encode = require "itlua.encode"
local json = require "itlua.json"

local jwt = {}

---@class itlua.jwt.Token
---@field header table
---@field claims table
---@field signature string   raw bytes
---@field signed string      what the signature is of: header and claims as they stand in the token

local DIGESTS = { HS256 = "sha256", HS384 = "sha384", HS512 = "sha512" }
local FAMILIES = { -- what a key of a kind can do; the first is what jwt.sign takes
  RSA = { "RS256", "RS384", "RS512", "PS256", "PS384", "PS512" },
  ["P-256"] = { "ES256" }, ["P-384"] = { "ES384" }, ["P-521"] = { "ES512" }, secp256k1 = { "ES256K" },
  Ed25519 = { "EdDSA" }, Ed448 = { "EdDSA" }, secret = { "HS256", "HS384", "HS512" },
}

local function fail(code, message, token)
  core.raise("jwt", code, message, { header = token and token.header, claims = token and token.claims })
end

local function crypto()
  return require "itlua.crypto.core"
end

-- ---- keys

---@alias itlua.jwt.Key string|table

local BINARY = { "n", "e", "d", "p", "q", "dp", "dq", "qi", "x", "y", "k" } -- base64url in a JWK

local function raw_parts(jwk)
  local raw = { kty = jwk.kty, crv = jwk.crv }
  for _, name in ipairs(BINARY) do
    if type(jwk[name]) == "string" then raw[name] = encode.from_base64url(jwk[name]) end
  end
  return raw
end

local parsed = setmetatable({}, { __mode = "v" }) -- PEM text -> key, for as long as it is in use

-- The key as libcrypto has it, or a secret string; and what it is.
local function load_key(key)
  if type(key) == "string" and not key:find("-----BEGIN", 1, true) then return key, "secret" end
  local handle
  if type(key) == "string" then
    handle = parsed[key] or crypto().key(key)
    parsed[key] = handle
  elseif type(key) == "table" and key.kty == "oct" then
    return raw_parts(key).k or fail("key", "a JWK of type oct has a field 'k'"), "secret"
  elseif type(key) == "table" and type(key.kty) == "string" then
    handle = crypto().key_of_parts(raw_parts(key))
  elseif type(key) == "table" and type(key.private) == "string" then
    return load_key(key.private)
  else
    core.usage(("jwt: a key is a secret, a PEM text, a JWK or a JWKS, not a %s"):format(type(key)))
  end
  local kind, detail = handle:type()
  return handle, kind == "RSA" and kind or detail
end

-- Of a JWKS the key that the token names; the only one if it names none.
local function choose_key(key, header)
  if type(key) ~= "table" or type(key.keys) ~= "table" then return key end
  for _, jwk in ipairs(key.keys) do
    if header.kid ~= nil and jwk.kid == header.kid or header.kid == nil and #key.keys == 1 then return jwk end
  end
  local kids = {}
  for i, jwk in ipairs(key.keys) do kids[i] = tostring(jwk.kid) end
  fail("key", ("the token's key is '%s'; the JWKS has %s"):format(tostring(header.kid), table.concat(kids, ", ")))
end

local function contains(list, value)
  for _, v in ipairs(list) do
    if v == value then return true end
  end
  return false
end

-- The signature's algorithm has to be one that this kind of key has: no RSA public key becomes a secret for HS256.
local function check_family(alg, kind)
  if not contains(FAMILIES[kind] or {}, alg) then
    fail("algorithm", ("the algorithm %s cannot be used with a key of kind %s"):format(tostring(alg), tostring(kind)))
  end
end

local function signature_of(alg, key, signed)
  local handle, kind = load_key(key)
  check_family(alg, kind)
  if DIGESTS[alg] then return crypto().hmac(DIGESTS[alg], handle, signed) end
  return crypto().sign(alg, handle, signed)
end

---@class itlua.jwt.Keypair
---@field ["private"] string  PEM (PKCS #8)
---@field ["public"] string   PEM (SubjectPublicKeyInfo)
---@field alg string

--- A new key pair for tests.
---@param alg? string what it is for: "ES256" (the default), "RS256", "PS512", "EdDSA", …; or a curve, "Ed448"
---@param options? { bits?: integer } of an RSA key, 2048
---@return itlua.jwt.Keypair
function jwt.keypair(alg, options)
  alg = alg or "ES256"
  local kind = FAMILIES[alg] and alg
  for name, algorithms in pairs(FAMILIES) do
    if not kind and contains(algorithms, alg) then kind = name == "Ed448" and "Ed25519" or name end
  end
  if not kind or kind == "secret" then
    core.usage(("jwt.keypair: '%s' is no algorithm of key pairs"):format(tostring(alg)))
  end
  local handle = crypto().generate(kind, options and options.bits)
  return { private = handle:pem(true), public = handle:pem(false), alg = FAMILIES[alg] and FAMILIES[alg][1] or alg }
end

--- The JWK of a key, for a JWKS endpoint in a mock.
---@param key itlua.jwt.Key PEM text, a pair of jwt.keypair, or a secret
---@param options? { kid?: string, alg?: string, use?: string, private?: boolean } private: with the private parts
---@return table jwk
function jwt.jwk(key, options)
  options = options or {}
  local handle, kind = load_key(key)
  local jwk = { kid = options.kid, alg = options.alg, use = options.use }
  if kind == "secret" then
    jwk.kty, jwk.k = "oct", encode.base64url(handle)
    return jwk
  end
  local public = { kty = true, crv = true, n = true, e = true, x = true, y = true }
  for name, value in pairs(handle:parts()) do
    if public[name] or options.private then
      jwk[name] = (name == "kty" or name == "crv") and value or encode.base64url(value)
    end
  end
  return jwk
end

--- The PEM text of a JWK, of its private key if it has one.
---@param jwk table
---@return string pem
function jwt.pem(jwk)
  local handle, kind = load_key(jwk)
  if kind == "secret" then core.usage("jwt.pem: a secret has no PEM form") end
  return handle:pem(jwk.d ~= nil)
end

-- ---- making

-- A copy with changes; json.null takes a field out.
local function changed(t, changes)
  local copy = {}
  for name, value in pairs(t) do copy[name] = value end
  for name, value in pairs(changes or {}) do
    if value == json.null then value = nil end
    copy[name] = value
  end
  return copy
end

---@class itlua.jwt.SignOptions
---@field alg? string        the first of the key's kind: HS256, RS256, ES256, EdDSA
---@field header? table      further header fields, as kid; json.null takes out what is there without (typ)
---@field expires_in? number seconds from now, negative for an expired token: sets exp, and iat unless it is there

local function assemble(header, claims)
  if type(claims) ~= "string" then claims = json.encode(claims) end
  return encode.base64url(json.encode(header)) .. "." .. encode.base64url(claims)
end

--- A signed token.
---@param claims table|string the claims, or their JSON text
---@param key itlua.jwt.Key
---@param options? itlua.jwt.SignOptions
---@return string token
function jwt.sign(claims, key, options)
  options = options or {}
  if type(claims) ~= "table" and type(claims) ~= "string" then
    core.usage(("jwt.sign: the claims are a %s, not a table or a JSON text"):format(type(claims)))
  end
  local alg = options.alg or type(key) == "table" and key.private and key.alg
  if not alg then
    local _, kind = load_key(key)
    alg = (FAMILIES[kind] or {})[1] or fail("key", "no algorithm is known for the key")
  end
  if alg == "none" then fail("algorithm", "a token of algorithm none is not signed; jwt.tamper makes one") end
  local header = changed({ alg = alg, typ = "JWT" }, options.header)
  if options.expires_in then
    if type(claims) == "string" then core.usage("jwt.sign: expires_in needs the claims as a table") end
    local copy, now = {}, math.floor(core.clock())
    for name, value in pairs(claims) do copy[name] = value end
    if copy.iat == nil then copy.iat = now + math.min(0, math.floor(options.expires_in)) end
    copy.exp = now + math.floor(options.expires_in)
    claims = copy
  end
  local signed = assemble(header, claims)
  return signed .. "." .. encode.base64url(signature_of(alg, key, signed))
end

-- ---- reading

local function segment(text, what)
  local ok, bytes = pcall(encode.from_base64url, text)
  if not ok then fail("malformed", ("the token's %s is no base64url: %s"):format(what, bytes.message)) end
  return bytes
end

local function object(text, what)
  local ok, value = pcall(json.decode, segment(text, what), { duplicates = "error", name = "the token's " .. what })
  if not ok then fail("malformed", value.message) end
  if type(value) ~= "table" or json.is_array(value) then
    fail("malformed", ("the token's %s is no object"):format(what))
  end
  return value
end

local function split(token)
  if type(token) ~= "string" then core.usage(("jwt: the token is a %s, not a string"):format(type(token))) end
  local header, claims, signature = token:match("^([^.]*)%.([^.]*)%.([^.]*)$")
  if not header then
    local _, dots = token:gsub("%.", "")
    fail("malformed", ("a token has three parts with dots between; this has %d"):format(dots + 1))
  end
  return header, claims, signature
end

--- What is in a token, without any verification.
---@param token string
---@return itlua.jwt.Token
function jwt.decode(token)
  local header, claims, signature = split(token)
  return {
    header = object(header, "header"), claims = object(claims, "claims"), signature = segment(signature, "signature"),
    signed = header .. "." .. claims,
  }
end

---@class itlua.jwt.VerifyOptions
---@field algorithms? string[]      those that are accepted; all that the key's kind has
---@field issuer? string|string[]   one of these
---@field audience? string|string[] the token is for one of these
---@field subject? string
---@field type? string              the header's typ
---@field required? string[]        claims that have to be there
---@field leeway? number            seconds that clocks may differ; 0
---@field now? number               the moment to check for; now

local function one_of(expected, given)
  local list = type(expected) == "table" and expected or { expected }
  for _, value in ipairs(type(given) == "table" and given or { given }) do
    if contains(list, value) then return true end
  end
  return false
end

local function shown(value)
  if type(value) == "table" then value = json.encode(value) end
  return type(value) == "string" and ("'%s'"):format(value) or tostring(value)
end

local function moment(token, name)
  local value = token.claims[name]
  if value ~= nil and type(value) ~= "number" then
    fail("malformed", ("the claim %s is %s, not a number"):format(name, shown(value)), token)
  end
  return value
end

local function check_moments(token, options)
  local now, leeway = options.now or core.clock(), options.leeway or 0
  local expires, not_before, issued = moment(token, "exp"), moment(token, "nbf"), moment(token, "iat")
  if expires and now >= expires + leeway then
    fail("expired", ("the token expired %.0f s ago"):format(now - expires), token)
  end
  if not_before and now < not_before - leeway then
    fail("not_yet", ("the token is valid only in %.0f s"):format(not_before - now), token)
  end
  if issued and now < issued - leeway then
    fail("issued", ("the token was issued %.0f s in the future"):format(issued - now), token)
  end
end

local function check_claims(token, options)
  local claims = token.claims
  for _, name in ipairs(options.required or {}) do
    if claims[name] == nil then fail("claim", ("the claim %s is missing"):format(name), token) end
  end
  for option, name in pairs { issuer = "iss", subject = "sub", audience = "aud" } do
    if options[option] ~= nil and not one_of(options[option], claims[name]) then
      fail(option, ("the %s is %s, not %s"):format(option, shown(claims[name]), shown(options[option])), token)
    end
  end
  if options.type ~= nil and token.header.typ ~= options.type then
    fail("claim", ("the token's type is %s, not %s"):format(shown(token.header.typ), shown(options.type)), token)
  end
end

--- Verifies signature and claims; exp, nbf and iat always, the others on demand.
---@param token string
---@param key itlua.jwt.Key
---@param options? itlua.jwt.VerifyOptions
---@return table claims
---@return table header
function jwt.verify(token, key, options)
  options = options or {}
  local t = jwt.decode(token)
  local alg = t.header.alg
  if type(alg) ~= "string" or alg:lower() == "none" then
    fail("algorithm", ("a token of algorithm %s is not accepted"):format(shown(alg)), t)
  end
  if options.algorithms and not contains(options.algorithms, alg) then
    fail("algorithm", ("the algorithm %s is none of %s"):format(alg, table.concat(options.algorithms, ", ")), t)
  end
  if t.header.crit ~= nil then fail("malformed", "the token's header has critical extensions (crit)", t) end
  local handle, kind = load_key(choose_key(key, t.header))
  check_family(alg, kind)
  local right
  if DIGESTS[alg] then right = crypto().equal(crypto().hmac(DIGESTS[alg], handle, t.signed), t.signature)
  else right = crypto().verify(alg, handle, t.signed, t.signature) end
  if not right then fail("signature", ("the token's signature (%s) is wrong"):format(alg), t) end
  check_moments(t, options)
  check_claims(t, options)
  return t.claims, t.header
end

-- ---- spoiling

---@class itlua.jwt.TamperOptions
---@field claims? table      claims to change, the signature stays; json.null takes one out
---@field header? table      header fields to change, likewise
---@field alg? string        "none": says so and has no signature; "HS256" with `key`: signed with that text as the
--- secret, which a verifier accepts that takes its public key for a secret
---@field key? string        the PEM text of the public key, for alg = "HS256"
---@field signature? string|false   other raw bytes; false: none

--- A token that no verifier may accept. Without options one bit of its signature is wrong.
---@param token string
---@param options? itlua.jwt.TamperOptions
---@return string token
function jwt.tamper(token, options)
  local t = jwt.decode(token)
  if not options or next(options) == nil then
    if t.signature == "" then core.usage("jwt.tamper: the token has no signature to spoil") end
    local middle = #t.signature // 2 + 1
    local byte = string.char(t.signature:byte(middle) ~ 1)
    local signature = t.signature:sub(1, middle - 1) .. byte .. t.signature:sub(middle + 1)
    return t.signed .. "." .. encode.base64url(signature)
  end
  local header = changed(t.header, options.header)
  header.alg = options.alg or header.alg
  local signed, signature = t.signed, t.signature
  if options.claims or options.header or options.alg then
    signed = assemble(header, changed(t.claims, options.claims))
  end
  if options.alg == "none" then signature = "" end
  if DIGESTS[options.alg] then
    if type(options.key) ~= "string" then core.usage("jwt.tamper: alg = 'HS…' needs a key, a string") end
    signature = crypto().hmac(DIGESTS[options.alg], options.key, signed)
  end
  if options.signature ~= nil then signature = options.signature or "" end
  return signed .. "." .. encode.base64url(signature)
end

return jwt
