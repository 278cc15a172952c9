/*
 * crypto_key.c - keys: from PEM, from and to the parts of a JWK (RFC 7517, 7518, 8037), new ones. The parts are raw bytes
 * here; base64url is Lua's affair.
 */
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "crypto.h"

static const char KEY[] = "itlua.crypto.key";

/* JWK's curves and libcrypto's names for them; `size` of a coordinate in bytes, 0 for those of RFC 8037. */
static const struct curve {
  const char *jwk, *group;
  int size;
} curves[] = {{"P-256", "prime256v1", 32}, {"P-384", "secp384r1", 48},
              {"P-521", "secp521r1", 66},  {"secp256k1", "secp256k1", 32},
              {"Ed25519", "ED25519", 0},   {"Ed448", "ED448", 0}};
enum { CURVES = sizeof curves / sizeof *curves };

static const struct curve *curve_by_jwk(const char *name) {
  for (int i = 0; i < CURVES; i++)
    if (strcmp(curves[i].jwk, name) == 0) return &curves[i];
  return NULL;
}

static const struct curve *curve_of(const EVP_PKEY *key) {
  char group[64];
  size_t size;
  for (int i = 0; i < CURVES; i++) {
    if (curves[i].size == 0 && EVP_PKEY_is_a(key, curves[i].group)) return &curves[i];
  }
  if (!EVP_PKEY_get_group_name(key, group, sizeof group, &size)) return NULL;
  for (int i = 0; i < CURVES; i++)
    if (strcmp(curves[i].group, group) == 0) return &curves[i];
  return NULL;
}

/* ---- the userdata ---- */

/* Pushes a userdata without a key yet, for the key to be owned as soon as it exists. */
static EVP_PKEY **new_key(lua_State *L) {
  EVP_PKEY **box = lua_newuserdatauv(L, sizeof(void *), 0);
  *box = NULL;
  luaL_setmetatable(L, KEY);
  return box;
}

static int key_gc(lua_State *L) {
  EVP_PKEY **box = lua_touserdata(L, 1);
  EVP_PKEY_free(*box);
  *box = NULL;
  return 0;
}

EVP_PKEY *crypto_key_check(lua_State *L, int arg) {
  EVP_PKEY *key = *(EVP_PKEY **)luaL_checkudata(L, arg, KEY);
  if (!key) it_usage(L, "the key is gone");
  return key;
}

/* key:type() -> "RSA" | "EC" | "OKP", curve or bits */
static int l_type(lua_State *L) {
  const EVP_PKEY *key = crypto_key_check(L, 1);
  const struct curve *curve = curve_of(key);
  lua_pushstring(L, EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS") ? "RSA"
                    : EVP_PKEY_is_a(key, "EC")                                 ? "EC"
                    : curve                                                    ? "OKP"
                                                                               : "other");
  if (curve) lua_pushstring(L, curve->jwk);
  else lua_pushinteger(L, EVP_PKEY_get_bits(key));
  return 2;
}

/* ---- PEM ---- */

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is libcrypto's */
static int no_passphrase(char *buf, int size, int writing, void *data) {
  (void)buf, (void)size, (void)writing, (void)data;
  return -1; /* an encrypted key is an error, not a question on the terminal */
}

static EVP_PKEY *read_pem(BIO *bio, const char *text) {
  if (strstr(text, "-----BEGIN CERTIFICATE")) {
    X509 *certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
    EVP_PKEY *key = certificate ? X509_get_pubkey(certificate) : NULL;
    X509_free(certificate);
    return key;
  }
  if (strstr(text, "PRIVATE KEY-----"))
    return PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
  return PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
}

/* key(pem) -> key: a private or public key, or a certificate's */
static int l_key(lua_State *L) {
  size_t size;
  const char *pem = luaL_checklstring(L, 1, &size);
  EVP_PKEY **box = new_key(L);
  if (size > INT32_MAX) it_usage(L, "a key of %zu bytes", size);
  BIO *bio = BIO_new_mem_buf(pem, (int)size);
  *box = bio ? read_pem(bio, pem) : NULL;
  BIO_free(bio);
  if (!*box) crypto_fail(L, "jwt", "key", "the PEM text holds no key that can be read");
  return 1;
}

static int bio_gc(lua_State *L) {
  BIO **box = lua_touserdata(L, 1);
  BIO_free(*box);
  *box = NULL;
  return 0;
}

/* key:pem(private) -> text */
static int l_pem(lua_State *L) {
  EVP_PKEY *key = crypto_key_check(L, 1);
  bool with_private = lua_toboolean(L, 2);
  BIO **box = lua_newuserdatauv(L, sizeof(void *), 0);
  *box = NULL;
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, bio_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  BIO *bio = *box = BIO_new(BIO_s_mem());
  if (!bio || !(with_private ? PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)
                             : PEM_write_bio_PUBKEY(bio, key)))
    crypto_fail(L, "jwt", "key", "the key cannot be written as PEM");
  char *data;
  long size = BIO_get_mem_data(bio, &data);
  lua_pushlstring(L, data, (size_t)size);
  BIO_free(bio);
  *box = NULL;
  return 1;
}

/* ---- new keys, on a pool thread: RSA takes its time ---- */

typedef struct generate_op {
  it_op op;
  const char *type; /* "RSA", "EC", "ED25519", "ED448" */
  const char *group;
  size_t bits;
  EVP_PKEY *key;
} generate_op;

static void generate_work(void *data) {
  generate_op *g = data;
  if (strcmp(g->type, "RSA") == 0) g->key = EVP_PKEY_Q_keygen(NULL, NULL, g->type, g->bits);
  else if (strcmp(g->type, "EC") == 0) g->key = EVP_PKEY_Q_keygen(NULL, NULL, g->type, g->group);
  else g->key = EVP_PKEY_Q_keygen(NULL, NULL, g->type);
  OPENSSL_thread_stop(); /* its errors and random state: a pool thread never ends */
}

static void generate_after(void *data) { it_op_done(data); }

static int generate_push(lua_State *L, it_op *op) {
  generate_op *g = (generate_op *)op;
  if (!g->key) it_raise(L, "jwt", "key", "libcrypto could not make a key");
  EVP_PKEY **box = new_key(L);
  *box = g->key;
  g->key = NULL;
  return 1;
}

static bool generate_cancel(it_op *op) {
  (void)op;
  return false;
}

static void generate_free(it_op *op) {
  EVP_PKEY_free(((generate_op *)op)->key);
  free(op);
}

static const it_op_class generate_class = {"crypto.generate", generate_push, generate_cancel,
                                           generate_free};

/* generate("RSA", bits) | generate(curve) -> key */
static int l_generate(lua_State *L) {
  const char *type = luaL_checkstring(L, 1);
  lua_Integer bits = luaL_optinteger(L, 2, 2048);
  const struct curve *curve = curve_by_jwk(type);
  if (!curve && strcmp(type, "RSA") != 0) it_usage(L, "no key can be made of type '%s'", type);
  if (bits < 512 || bits > 16384)
    it_usage(L, "an RSA key has 512 to 16384 bits, not %lld", (long long)bits);
  generate_op *g = it_op_new(L, sizeof *g, &generate_class);
  g->type = !curve ? "RSA" : curve->size ? "EC" : curve->group;
  g->group = curve ? curve->group : NULL;
  g->bits = (size_t)bits;
  it_work(g->op.st, generate_work, generate_after, g);
  return it_await(L, &g->op);
}

/* ---- the parts of a JWK ---- */

enum { PARTS = 8 };
static const char *const part_names[2][PARTS] = {{"n", "e", "d", "p", "q", "dp", "dq", "qi"},
                                                 {"x", "y", "d"}};
static const char *const rsa_params[PARTS] = {
    OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,           OSSL_PKEY_PARAM_RSA_D,
    OSSL_PKEY_PARAM_RSA_FACTOR1,   OSSL_PKEY_PARAM_RSA_FACTOR2,     OSSL_PKEY_PARAM_RSA_EXPONENT1,
    OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};

/* Sets field `name` of the table on top to the number's bytes, at least `size` of them. */
static void put_number(lua_State *L, const EVP_PKEY *key, const char *param, const char *name,
                       int size) {
  BIGNUM *n = NULL;
  unsigned char bytes[2048 + 8];
  if (!EVP_PKEY_get_bn_param(key, param, &n)) {
    ERR_clear_error();
    return;
  }
  int have = BN_num_bytes(n), all = have < size ? size : have;
  bool fits = all <= (int)sizeof bytes && BN_bn2binpad(n, bytes, all) == all;
  BN_clear_free(n);
  if (!fits) return;
  lua_pushlstring(L, (const char *)bytes, (size_t)all);
  lua_setfield(L, -2, name);
}

static void put_octets(lua_State *L, const EVP_PKEY *key, const char *param, const char *name) {
  unsigned char bytes[128];
  size_t size = 0;
  if (EVP_PKEY_get_octet_string_param(key, param, bytes, sizeof bytes, &size)) {
    lua_pushlstring(L, (const char *)bytes, size);
    lua_setfield(L, -2, name);
  }
  ERR_clear_error();
}

/* key:parts() -> {kty, crv, n, e, x, y, d, p, q, dp, dq, qi}, those that there are */
static int l_parts(lua_State *L) {
  const EVP_PKEY *key = crypto_key_check(L, 1);
  const struct curve *curve = curve_of(key);
  l_type(L);
  lua_pop(L, 1);
  lua_newtable(L);
  lua_insert(L, -2);
  lua_setfield(L, -2, "kty");
  if (curve) {
    lua_pushstring(L, curve->jwk);
    lua_setfield(L, -2, "crv");
  }
  if (!curve) {
    for (int i = 0; i < PARTS; i++) put_number(L, key, rsa_params[i], part_names[0][i], 1);
  } else if (curve->size) {
    put_number(L, key, OSSL_PKEY_PARAM_EC_PUB_X, "x", curve->size);
    put_number(L, key, OSSL_PKEY_PARAM_EC_PUB_Y, "y", curve->size);
    put_number(L, key, OSSL_PKEY_PARAM_PRIV_KEY, "d", curve->size);
  } else {
    put_octets(L, key, OSSL_PKEY_PARAM_PUB_KEY, "x");
    put_octets(L, key, OSSL_PKEY_PARAM_PRIV_KEY, "d");
  }
  return 1;
}

/* The parts of the table at 1, which holds them: after this no Lua until everything of libcrypto's is freed. */
typedef struct parts {
  const unsigned char *bytes[PARTS]; /* NULL: not there */
  size_t size[PARTS];
  OSSL_PARAM_BLD *list;
  BIGNUM *numbers[PARTS];
} parts;

static void get_parts(lua_State *L, parts *p, bool rsa) {
  for (int i = 0; i < PARTS; i++) {
    const char *name = part_names[!rsa][i];
    if (!name) break;
    if (lua_getfield(L, 1, name) == LUA_TSTRING)
      p->bytes[i] = (const unsigned char *)lua_tolstring(L, -1, &p->size[i]);
    lua_pop(L, 1);
  }
}

static bool add_number(parts *p, int i, const char *param) {
  if (!p->bytes[i] || p->size[i] > 4096) return false;
  p->numbers[i] = BN_bin2bn(p->bytes[i], (int)p->size[i], NULL);
  return p->numbers[i] && OSSL_PARAM_BLD_push_BN(p->list, param, p->numbers[i]);
}

/* n and e; with d it is private, with p and the rest it is fast too. */
static bool add_rsa(parts *p) {
  int n = !p->bytes[2] ? 2 : !p->bytes[3] ? 3 : PARTS;
  for (int i = 0; i < n; i++)
    if (!add_number(p, i, rsa_params[i])) return false;
  return true;
}

static bool add_ec(parts *p, const struct curve *curve, unsigned char *point) {
  size_t n = (size_t)curve->size;
  if (!p->bytes[0] || !p->bytes[1] || p->size[0] != n || p->size[1] != n) return false;
  point[0] = POINT_CONVERSION_UNCOMPRESSED;
  memcpy(point + 1, p->bytes[0], n);
  memcpy(point + 1 + n, p->bytes[1], n);
  return OSSL_PARAM_BLD_push_utf8_string(p->list, OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0) &&
         OSSL_PARAM_BLD_push_octet_string(p->list, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * n) &&
         (!p->bytes[2] || add_number(p, 2, OSSL_PKEY_PARAM_PRIV_KEY));
}

static EVP_PKEY *build(parts *p, const char *type) {
  EVP_PKEY *key = NULL;
  int selection = p->bytes[2] ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY;
  OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(p->list);
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
  if (params && context && EVP_PKEY_fromdata_init(context) > 0)
    EVP_PKEY_fromdata(context, &key, selection, params);
  EVP_PKEY_CTX_free(context);
  OSSL_PARAM_free(params);
  return key;
}

static EVP_PKEY *key_of(parts *p, const char *type, const struct curve *curve) {
  unsigned char point[1 + 2 * 66];
  EVP_PKEY *key = NULL;
  if (curve && !curve->size) {
    if (p->bytes[2])
      return EVP_PKEY_new_raw_private_key_ex(NULL, curve->group, NULL, p->bytes[2], p->size[2]);
    if (!p->bytes[0]) return NULL;
    return EVP_PKEY_new_raw_public_key_ex(NULL, curve->group, NULL, p->bytes[0], p->size[0]);
  }
  p->list = OSSL_PARAM_BLD_new();
  if (p->list && (curve ? add_ec(p, curve, point) : add_rsa(p))) key = build(p, type);
  for (int i = 0; i < PARTS; i++) BN_clear_free(p->numbers[i]);
  OSSL_PARAM_BLD_free(p->list);
  return key;
}

/* key_of_parts{kty, …} -> key */
static int l_key_of_parts(lua_State *L) {
  parts p = {0};
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  const char *kty = it_opt_string(L, 1, "kty", ""), *crv = it_opt_string(L, 1, "crv", "");
  bool okp = strcmp(kty, "OKP") == 0, ec = strcmp(kty, "EC") == 0, rsa = strcmp(kty, "RSA") == 0;
  const struct curve *curve = rsa ? NULL : curve_by_jwk(crv);
  if (!okp && !ec && !rsa) it_raise(L, "jwt", "key", "a JWK of type '%s' is not known", kty);
  if (!rsa && (!curve || ec != (curve->size > 0)))
    it_raise(L, "jwt", "key", "a JWK of curve '%s' is not known", crv);
  EVP_PKEY **box = new_key(L);
  get_parts(L, &p, rsa);
  *box = key_of(&p, kty, curve);
  if (!*box) crypto_fail(L, "jwt", "key", "the parts of the JWK make no key");
  return 1;
}

void crypto_key_open(lua_State *L) {
  static const luaL_Reg methods[] = {{"type", l_type},
                                     {"pem", l_pem},

                                     {"parts", l_parts},
                                     {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"key", l_key}, {"key_of_parts", l_key_of_parts}, {"generate", l_generate}, {NULL, NULL}};
  luaL_newmetatable(L, KEY);
  lua_pushcfunction(L, key_gc);
  lua_setfield(L, -2, "__gc");
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}
