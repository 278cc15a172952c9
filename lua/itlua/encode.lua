--- Encodings, digests, identifiers and chance: base64, hexadecimal, percent encoding, SHA-2, MD5, HMAC, UUID, random.
--
-- Decoders are strict and raise errors of kind "encode" with the position of the first wrong byte. Digests and HMAC
-- come from OpenSSL's libcrypto, which is loaded when the first is asked for.

local core = require "itlua.core"
local native = require "itlua.encode.core"

local encode = {}

local function text_of(value, name)
  if type(value) ~= "string" then core.usage(("encode.%s needs a string, not a %s"):format(name, type(value))) end
  return value
end

local function decoded(name, text, bytes, at, why)
  if bytes then return bytes end
  local shown = (#text > 60 and text:sub(1, 57) .. "…" or text):gsub("%c", "?")
  core.raise("encode", name:upper(), ("'%s' is no %s: position %d: %s"):format(shown, name, at, why), { position = at })
end

-- ---- base64, hexadecimal, percent encoding

--- Base64 with padding (RFC 4648).
---@param bytes string
---@return string
function encode.base64(bytes)
  return native.base64(text_of(bytes, "base64"))
end

--- The bytes of padded base64, without blanks.
---@param text string
---@return string
function encode.from_base64(text)
  return decoded("base64", text, native.unbase64(text_of(text, "from_base64")))
end

--- Base64 with the alphabet for URLs and file names, without padding, as tokens have it.
---@param bytes string
---@return string
function encode.base64url(bytes)
  return native.base64(text_of(bytes, "base64url"), true)
end

--- The bytes of base64url without padding.
---@param text string
---@return string
function encode.from_base64url(text)
  return decoded("base64url", text, native.unbase64(text_of(text, "from_base64url"), true))
end

--- Lower-case hexadecimal digits.
---@param bytes string
---@return string
function encode.hex(bytes)
  return native.hex(text_of(bytes, "hex"))
end

--- The bytes of hexadecimal digits of either case.
---@param text string
---@return string
function encode.from_hex(text)
  return decoded("hex", text, native.unhex(text_of(text, "from_hex")))
end

--- Percent encoding of everything but letters, digits and "-._~".
---@param text string
---@param keep? string further characters that stay, as "/" in a path
---@return string
function encode.url(text, keep)
  return native.escape(text_of(text, "url"), keep)
end

--- The text of percent encoding.
---@param text string
---@param options? { plus?: boolean } plus signs are spaces, as in forms
---@return string
function encode.from_url(text, options)
  return decoded("url", text, native.unescape(text_of(text, "from_url"), options and options.plus))
end

-- ---- digests

local FORMATS = { hex = encode.hex, base64 = encode.base64, base64url = encode.base64url,
  raw = function(bytes) return bytes end }

local function crypto()
  return require "itlua.crypto.core"
end

local function formatted(bytes, format, name)
  local write = FORMATS[format or "hex"]
  if not write then
    core.usage(("encode.%s: the format is hex, base64, base64url or raw, not '%s'"):format(name, tostring(format)))
  end
  return write(bytes)
end

---@alias itlua.encode.Format "hex"|"base64"|"base64url"|"raw"

--- The digest of some bytes by any algorithm that libcrypto has: "sha256", "sha3-256", "blake2b512".
---@param algorithm string
---@param bytes string
---@param format? itlua.encode.Format "hex"
---@return string
function encode.digest(algorithm, bytes, format)
  return formatted(crypto().digest(algorithm, text_of(bytes, "digest")), format, "digest")
end

--- The HMAC of some bytes.
---@param algorithm string "sha256"
---@param key string
---@param bytes string
---@param format? itlua.encode.Format "hex"
---@return string
function encode.hmac(algorithm, key, bytes, format)
  return formatted(crypto().hmac(algorithm, text_of(key, "hmac"), text_of(bytes, "hmac")), format, "hmac")
end

---@param bytes string
---@param format? itlua.encode.Format "hex"
---@return string
function encode.md5(bytes, format)
  return formatted(crypto().digest("md5", text_of(bytes, "md5")), format, "md5")
end

---@param bytes string
---@param format? itlua.encode.Format "hex"
---@return string
function encode.sha1(bytes, format)
  return formatted(crypto().digest("sha1", text_of(bytes, "sha1")), format, "sha1")
end

---@param bytes string
---@param format? itlua.encode.Format "hex"
---@return string
function encode.sha256(bytes, format)
  return formatted(crypto().digest("sha256", text_of(bytes, "sha256")), format, "sha256")
end

---@param bytes string
---@param format? itlua.encode.Format "hex"
---@return string
function encode.sha384(bytes, format)
  return formatted(crypto().digest("sha384", text_of(bytes, "sha384")), format, "sha384")
end

---@param bytes string
---@param format? itlua.encode.Format "hex"
---@return string
function encode.sha512(bytes, format)
  return formatted(crypto().digest("sha512", text_of(bytes, "sha512")), format, "sha512")
end

-- ---- chance and identifiers

--- Random bytes from the system's generator. Not repeatable; for repeatable tests there is math.random with --seed.
---@param count integer
---@return string
function encode.random(count)
  if math.type(count) ~= "integer" then core.usage("encode.random needs a whole number of bytes") end
  return native.random(count)
end

local ALPHABETS = {
  alnum = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
  lower = "abcdefghijklmnopqrstuvwxyz0123456789",
  digits = "0123456789",
  hex = "0123456789abcdef",
}

--- A random text, every letter as likely as any other.
---@param length integer
---@param alphabet? string "alnum" (the default), "lower", "digits", "hex", or the letters themselves
---@return string
function encode.random_string(length, alphabet)
  local letters = ALPHABETS[alphabet or "alnum"] or alphabet
  if math.type(length) ~= "integer" or length < 0 then core.usage("encode.random_string needs a length") end
  if type(letters) ~= "string" or letters == "" or #letters > 256 then
    core.usage("encode.random_string: the alphabet is a string of 1 to 256 letters")
  end
  local out, usable = {}, 256 - 256 % #letters
  while #out < length do
    for _, byte in ipairs { native.random(math.min(200, 2 * length)):byte(1, -1) } do
      if byte < usable and #out < length then
        local i = byte % #letters + 1
        out[#out + 1] = letters:sub(i, i)
      end
    end
  end
  return table.concat(out)
end

--- A UUID (RFC 9562): version 4 is all chance; version 7 begins with the time, so later ones sort after earlier ones.
---@param version? 4|7
---@return string
function encode.uuid(version)
  local bytes = native.random(16)
  if version == 7 then
    bytes = (">I6"):pack(math.floor(core.clock() * 1000)) .. bytes:sub(7)
  elseif version ~= nil and version ~= 4 then
    core.usage(("encode.uuid: the version is 4 or 7, not %s"):format(tostring(version)))
  end
  local list = { bytes:byte(1, 16) }
  list[7] = list[7] & 0x0F | (version or 4) << 4
  list[9] = list[9] & 0x3F | 0x80
  local hex = native.hex(string.char(table.unpack(list)))
  return (hex:gsub("^(%x%x%x%x%x%x%x%x)(%x%x%x%x)(%x%x%x%x)(%x%x%x%x)", "%1-%2-%3-%4-"))
end

--- The version of a UUID as text in its usual form, or false when it is none.
---@param text any
---@return integer|false
function encode.is_uuid(text)
  if type(text) ~= "string" or #text ~= 36 then return false end
  local version, variant = text:match("^%x%x%x%x%x%x%x%x%-%x%x%x%x%-(%x)%x%x%x%-(%x)%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$")
  if not version or not variant:find("[89abAB]") then return false end
  return tonumber(version, 16)
end

return encode
