/* crypto.h - what the files of the crypto binding share. */
#ifndef ITLUA_CRYPTO_H
#define ITLUA_CRYPTO_H

#include <openssl/evp.h>

#include "itlua.h"

/* Raises {kind, code} with what libcrypto has to say last, and forgets it. */
_Noreturn void crypto_fail(lua_State *L, const char *kind, const char *code, const char *what);

/* A key is a userdata that owns an EVP_PKEY. */
void crypto_key_open(
    lua_State *L); /* key, key_of_jwk, generate into the module on top of the stack */
EVP_PKEY *crypto_key_check(lua_State *L, int arg);

/* crypto_sign.c: signatures as JWS has them (RFC 7518). */
int crypto_sign(lua_State *L);
int crypto_verify(lua_State *L);

#endif
