/*
 * crypto_sign.c - signatures by key pairs as JWS has them (RFC 7518, 8037, 8812): RS, PS, ES and EdDSA. An ECDSA signature
 * is two numbers side by side there, DER in libcrypto.
 */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "crypto.h"

enum { MOST = 66 }; /* bytes of one number, of P-521 */

typedef struct algorithm {
  const char *name, *digest, *type,
      *group; /* type: libcrypto's of the key; NULL: either of EdDSA */
  bool pss;
  int half; /* bytes of one number of an ECDSA signature */
} algorithm;

static const algorithm algorithms[] = {{"RS256", "SHA256", "RSA", NULL, false, 0},
                                       {"RS384", "SHA384", "RSA", NULL, false, 0},
                                       {"RS512", "SHA512", "RSA", NULL, false, 0},
                                       {"PS256", "SHA256", "RSA", NULL, true, 0},
                                       {"PS384", "SHA384", "RSA", NULL, true, 0},
                                       {"PS512", "SHA512", "RSA", NULL, true, 0},
                                       {"ES256", "SHA256", "EC", "prime256v1", false, 32},
                                       {"ES384", "SHA384", "EC", "secp384r1", false, 48},
                                       {"ES512", "SHA512", "EC", "secp521r1", false, 66},
                                       {"ES256K", "SHA256", "EC", "secp256k1", false, 32},
                                       {"EdDSA", NULL, NULL, NULL, false, 0}};

static const algorithm *check_algorithm(lua_State *L, int arg) {
  const char *name = luaL_checkstring(L, arg);
  for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++)
    if (strcmp(algorithms[i].name, name) == 0) return &algorithms[i];
  it_raise(L, "jwt", "algorithm", "the algorithm '%s' is not known", name);
}

/* Raises where the key is not of the algorithm's kind: ES256 with a P-384 key, RS256 with an EC key. */
static void check_key(lua_State *L, const algorithm *a, const EVP_PKEY *key) {
  char group[64] = "";
  size_t size;
  bool fits;
  if (a->type) fits = EVP_PKEY_is_a(key, a->type) || (a->pss && EVP_PKEY_is_a(key, "RSA-PSS"));
  else fits = EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448");
  if (fits && a->group)
    fits = EVP_PKEY_get_group_name(key, group, sizeof group, &size) && !strcmp(group, a->group);
  ERR_clear_error();
  if (!fits)
    it_raise(L, "jwt", "key", "the algorithm %s cannot use a key of type %s%s%s", a->name,
             EVP_PKEY_get0_type_name(key), *group ? " " : "", group);
}

static bool set_padding(const algorithm *a, EVP_PKEY_CTX *context) {
  if (!a->pss) return true;
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) > 0 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) > 0;
}

/* DER to the two numbers, each of a->half bytes. */
static bool raw_of_der(const algorithm *a, const unsigned char *der, size_t size,
                       unsigned char *raw) {
  ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)size);
  bool ok = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, a->half) == a->half &&
            BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + a->half, a->half) == a->half;
  ECDSA_SIG_free(sig);
  return ok;
}

/* The other way; 0 or the size of what has to be freed with OPENSSL_free. */
static int der_of_raw(const algorithm *a, const unsigned char *raw, unsigned char **der) {
  ECDSA_SIG *sig = ECDSA_SIG_new();
  BIGNUM *r = BN_bin2bn(raw, a->half, NULL), *s = BN_bin2bn(raw + a->half, a->half, NULL);
  int size = 0;
  if (sig && r && s && ECDSA_SIG_set0(sig, r, s)) { /* they are the signature's now */
    size = i2d_ECDSA_SIG(sig, der);
  } else {
    BN_free(r);
    BN_free(s);
  }
  ECDSA_SIG_free(sig);
  return size > 0 ? size : 0;
}

/* sign(algorithm, key, bytes) -> signature */
int crypto_sign(lua_State *L) {
  const algorithm *a = check_algorithm(L, 1);
  EVP_PKEY *key = crypto_key_check(L, 2);
  size_t size, n = 0;
  const unsigned char *bytes = (const unsigned char *)luaL_checklstring(L, 3, &size);
  check_key(L, a, key);
  size_t room = (size_t)EVP_PKEY_get_size(key), both = 2 * (size_t)MOST;
  unsigned char *out = lua_newuserdatauv(L, room + both, 0), *raw = out + room;
  n = room;
  EVP_PKEY_CTX *padding = NULL;
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  bool ok = context &&
            EVP_DigestSignInit_ex(context, &padding, a->digest, NULL, NULL, key, NULL) > 0 &&
            set_padding(a, padding) && EVP_DigestSign(context, out, &n, bytes, size) > 0;
  EVP_MD_CTX_free(context);
  if (ok && a->half) {
    ok = raw_of_der(a, out, n, raw);
    out = raw;
    n = (size_t)a->half * 2;
  }
  if (!ok) crypto_fail(L, "jwt", "key", "the key cannot sign (is it a public one?)");
  lua_pushlstring(L, (const char *)out, n);
  return 1;
}

/* verify(algorithm, key, bytes, signature) -> whether it is right */
int crypto_verify(lua_State *L) {
  const algorithm *a = check_algorithm(L, 1);
  EVP_PKEY *key = crypto_key_check(L, 2);
  size_t size, n;
  const unsigned char *bytes = (const unsigned char *)luaL_checklstring(L, 3, &size);
  const unsigned char *signature = (const unsigned char *)luaL_checklstring(L, 4, &n);
  check_key(L, a, key);
  unsigned char *der = NULL;
  bool ok = !a->half || n == (size_t)a->half * 2;
  if (ok && a->half) {
    n = (size_t)der_of_raw(a, signature, &der);
    signature = der;
    ok = n > 0;
  }
  EVP_PKEY_CTX *padding = NULL;
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  ok = ok && context &&
       EVP_DigestVerifyInit_ex(context, &padding, a->digest, NULL, NULL, key, NULL) > 0 &&
       set_padding(a, padding) && EVP_DigestVerify(context, signature, n, bytes, size) == 1;
  EVP_MD_CTX_free(context);
  OPENSSL_free(der);
  ERR_clear_error(); /* a wrong signature leaves its reasons there */
  lua_pushboolean(L, ok);
  return 1;
}
