/*
 * crypto.c - itlua.crypto.core: digests, HMAC, keys and signatures by OpenSSL 3's libcrypto. A module of its own, loaded
 * when first required. lua/itlua/encode.lua and lua/itlua/jwt.lua are what specs see.
 *
 *   digest, hmac           below
 *   key, generate, …       crypto_key.c
 *   sign, verify           crypto_sign.c
 */
#include "crypto.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <string.h>

_Noreturn void crypto_fail(lua_State *L, const char *kind, const char *code, const char *what) {
  char why[256] = "";
  unsigned long error = ERR_peek_last_error();
  if (error) ERR_error_string_n(error, why, sizeof why);
  ERR_clear_error();
  const char *reason = strrchr(why, ':');
  it_raise(L, kind, code, "%s%s%s", what, error ? ": " : "", reason ? reason + 1 : why);
}

static const EVP_MD *check_digest(lua_State *L, int arg) {
  const char *name = luaL_checkstring(L, arg);
  const EVP_MD *md = EVP_get_digestbyname(name);
  if (!md) it_usage(L, "libcrypto has no digest '%s'", name);
  return md;
}

/* digest(name, bytes) -> bytes */
static int l_digest(lua_State *L) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned n = 0;
  size_t size;
  const EVP_MD *md = check_digest(L, 1);
  const char *bytes = luaL_checklstring(L, 2, &size);
  if (!EVP_Digest(bytes, size, out, &n, md, NULL))
    crypto_fail(L, "encode", "DIGEST", "the digest failed");
  lua_pushlstring(L, (const char *)out, n);
  return 1;
}

/* hmac(name, key, bytes) -> bytes */
static int l_hmac(lua_State *L) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned n = 0;
  size_t key_size, size;
  const EVP_MD *md = check_digest(L, 1);
  const char *key = luaL_checklstring(L, 2, &key_size);
  const char *bytes = luaL_checklstring(L, 3, &size);
  if (key_size > INT32_MAX) it_usage(L, "a key of %zu bytes", key_size);
  if (!HMAC(md, key, (int)key_size, (const unsigned char *)bytes, size, out, &n))
    crypto_fail(L, "encode", "HMAC", "the HMAC failed");
  lua_pushlstring(L, (const char *)out, n);
  return 1;
}

/* equal(a, b) -> whether, in a time that does not tell where they differ */
static int l_equal(lua_State *L) {
  size_t na, nb;
  const char *a = luaL_checklstring(L, 1, &na), *b = luaL_checklstring(L, 2, &nb);
  lua_pushboolean(L, na == nb && CRYPTO_memcmp(a, b, na) == 0);
  return 1;
}

/* libcrypto() -> "3.0.22" */
static int l_libcrypto(lua_State *L) {
  lua_pushstring(L, OpenSSL_version(OPENSSL_VERSION_STRING));
  return 1;
}

IT_API int luaopen_itlua_crypto_core(lua_State *L);
int luaopen_itlua_crypto_core(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"digest", l_digest},  {"hmac", l_hmac},          {"equal", l_equal},
      {"sign", crypto_sign}, {"verify", crypto_verify}, {"libcrypto", l_libcrypto},
      {NULL, NULL}};
  luaL_newlib(L, functions);
  crypto_key_open(L);
  return 1;
}
