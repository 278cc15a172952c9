/*
 * encode.c - itlua.encode.core: base64, hexadecimal, percent encoding and random bytes, without any library but libuv.
 * lua/itlua/encode.lua is what specs see; digests are libcrypto's (crypto.c).
 *
 * Decoders are strict: they return nil, the position of the first wrong byte and what is wrong with it.
 */
#include <string.h>
#include <uv.h>

#include "itlua.h"

static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char BASE64URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int refuse(lua_State *L, size_t at, const char *why) {
  lua_pushnil(L);
  lua_pushinteger(L, (lua_Integer)at + 1);
  lua_pushstring(L, why);
  return 3;
}

/* ---- base64 ---- */

/* base64(bytes [, url]) -> text; the url alphabet goes without padding */
static int l_base64(lua_State *L) {
  size_t size;
  const unsigned char *s = (const unsigned char *)luaL_checklstring(L, 1, &size);
  bool url = lua_toboolean(L, 2);
  const char *letters = url ? BASE64URL : BASE64;
  luaL_Buffer b;
  char *out = luaL_buffinitsize(L, &b, (size + 2) / 3 * 4), *p = out;
  for (; size >= 3; s += 3, size -= 3) {
    uint32_t v = (uint32_t)s[0] << 16 | (uint32_t)s[1] << 8 | s[2];
    for (int shift = 18; shift >= 0; shift -= 6) *p++ = letters[v >> shift & 63];
  }
  if (size > 0) {
    uint32_t v = (uint32_t)s[0] << 16 | (size > 1 ? (uint32_t)s[1] << 8 : 0);
    *p++ = letters[v >> 18];
    *p++ = letters[v >> 12 & 63];
    if (size > 1) *p++ = letters[v >> 6 & 63];
    for (size_t i = size; i < 3 && !url; i++) *p++ = '=';
  }
  luaL_pushresultsize(&b, (size_t)(p - out));
  return 1;
}

static int value_of(const char *letters, char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == letters[62] ? 62 : c == letters[63] ? 63 : -1;
}

/* unbase64(text [, url]) -> bytes */
static int l_unbase64(lua_State *L) {
  size_t size, i = 0;
  const char *s = luaL_checklstring(L, 1, &size);
  bool url = lua_toboolean(L, 2);
  const char *letters = url ? BASE64URL : BASE64;
  size_t letters_end = size;
  if (!url) {
    if (size % 4 != 0) return refuse(L, size, "its length is no multiple of 4");
    while (letters_end > 0 && size - letters_end < 2 && s[letters_end - 1] == '=') letters_end--;
  }
  luaL_Buffer b;
  char *out = luaL_buffinitsize(L, &b, size / 4 * 3 + 3), *p = out;
  uint32_t v = 0;
  for (; i < letters_end; i++) {
    int six = value_of(letters, s[i]);
    if (six < 0)
      return refuse(L, i, s[i] == '=' ? "padding has no place there" : "it is not of the alphabet");
    v = v << 6 | (uint32_t)six;
    if (i % 4 != 3) continue;
    *p++ = (char)(v >> 16);
    *p++ = (char)(v >> 8);
    *p++ = (char)v;
    v = 0;
  }
  if (i % 4 == 1) return refuse(L, i, "one more is missing at least");
  if (i % 4 == 2) *p++ = (char)(v >> 4);
  if (i % 4 == 3) {
    *p++ = (char)(v >> 10);
    *p++ = (char)(v >> 2);
  }
  if ((i % 4 == 2 && v & 15) || (i % 4 == 3 && v & 3))
    return refuse(L, i - 1, "it has bits that belong to no byte");
  luaL_pushresultsize(&b, (size_t)(p - out));
  return 1;
}

/* ---- hexadecimal ---- */

static int l_hex(lua_State *L) {
  static const char digits[] = "0123456789abcdef";
  size_t size;
  const unsigned char *s = (const unsigned char *)luaL_checklstring(L, 1, &size);
  luaL_Buffer b;
  char *out = luaL_buffinitsize(L, &b, size * 2);
  for (size_t i = 0; i < size; i++) {
    out[2 * i] = digits[s[i] >> 4];
    out[2 * i + 1] = digits[s[i] & 15];
  }
  luaL_pushresultsize(&b, size * 2);
  return 1;
}

static int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int l_unhex(lua_State *L) {
  size_t size;
  const char *s = luaL_checklstring(L, 1, &size);
  luaL_Buffer b;
  char *out = luaL_buffinitsize(L, &b, size / 2 + 1);
  for (size_t i = 0; i < size; i++)
    if (nibble(s[i]) < 0) return refuse(L, i, "it is no hexadecimal digit");
  if (size % 2 != 0) return refuse(L, size, "a digit is missing");
  for (size_t i = 0; i < size / 2; i++)
    out[i] = (char)(nibble(s[2 * i]) << 4 | nibble(s[2 * i + 1]));
  luaL_pushresultsize(&b, size / 2);
  return 1;
}

/* ---- percent encoding (RFC 3986) ---- */

static bool unreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

/* escape(bytes [, keep]) -> text; `keep`: what else stays as it is */
static int l_escape(lua_State *L) {
  static const char digits[] = "0123456789ABCDEF";
  size_t size;
  const char *s = luaL_checklstring(L, 1, &size), *keep = luaL_optstring(L, 2, "");
  luaL_Buffer b;
  char *out = luaL_buffinitsize(L, &b, size * 3), *p = out;
  for (size_t i = 0; i < size; i++) {
    unsigned char c = (unsigned char)s[i];
    if (unreserved(s[i]) || (c != 0 && strchr(keep, c))) {
      *p++ = s[i];
      continue;
    }
    *p++ = '%';
    *p++ = digits[c >> 4];
    *p++ = digits[c & 15];
  }
  luaL_pushresultsize(&b, (size_t)(p - out));
  return 1;
}

/* unescape(text [, plus is a space]) -> bytes */
static int l_unescape(lua_State *L) {
  size_t size;
  const char *s = luaL_checklstring(L, 1, &size);
  bool plus = lua_toboolean(L, 2);
  luaL_Buffer b;
  char *out = luaL_buffinitsize(L, &b, size), *p = out;
  for (size_t i = 0; i < size; i++) {
    if (s[i] != '%') {
      *p++ = plus && s[i] == '+' ? ' ' : s[i];
      continue;
    }
    if (size - i < 3 || nibble(s[i + 1]) < 0 || nibble(s[i + 2]) < 0)
      return refuse(L, i, "after % come two hexadecimal digits");
    *p++ = (char)(nibble(s[i + 1]) << 4 | nibble(s[i + 2]));
    i += 2;
  }
  luaL_pushresultsize(&b, (size_t)(p - out));
  return 1;
}

/* ---- chance ---- */

/* random(count) -> bytes from the system's generator */
static int l_random(lua_State *L) {
  lua_Integer n = luaL_checkinteger(L, 1);
  if (n < 0 || n > 1 << 28)
    it_usage(L, "encode: between 0 and 256 MiB random bytes can be had, not %lld", (long long)n);
  luaL_Buffer b;
  char *out = luaL_buffinitsize(L, &b, (size_t)n);
  int rc = n > 0 ? uv_random(NULL, NULL, out, (size_t)n, 0, NULL) : 0;
  if (rc != 0)
    it_raise(L, "encode", uv_err_name(rc), "the system gives no random bytes: %s", uv_strerror(rc));
  luaL_pushresultsize(&b, (size_t)n);
  return 1;
}

int luaopen_itlua_encode_core(lua_State *L);
int luaopen_itlua_encode_core(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"base64", l_base64}, {"unbase64", l_unbase64}, {"hex", l_hex},       {"unhex", l_unhex},
      {"escape", l_escape}, {"unescape", l_unescape}, {"random", l_random}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
