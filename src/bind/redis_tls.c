/*
 * redis_tls.c - TLS for connections to Redis, where the installed hiredis has it (1.x with hiredis_ssl).
 *
 * The handshake begins with the first bytes, so what is wrong with it is said by the first command.
 */
#include <stdlib.h>
#include <string.h>

#include "redis.h"

#if defined(__has_include)
#if __has_include(<hiredis/hiredis_ssl.h>)
#include <hiredis/hiredis_ssl.h>
#define HAS_TLS 1
#endif
#endif

#ifdef HAS_TLS

const bool redis_tls_available = true;

/* hiredis has begun to see it as TLS: nothing may be read from it any more. */
_Noreturn static void give_up(lua_State *L, redis_connection *c, const char *why) {
  it_error_push(L, "redis", "TLS", "TLS to Redis at %s: %s", c->address, why);
  it_res_close(&c->res);
  it_error_throw(L);
}

void redis_tls_start(lua_State *L, redis_connection *c, int options) {
  static bool initialized;
  if (!initialized) redisInitOpenSSL();
  initialized = true;
  redisSSLContextError problem = REDIS_SSL_CTX_NONE;
  redisSSLOptions wanted = {
      .cacert_filename = it_opt_string(L, options, "ca", NULL),
      .capath = it_opt_string(L, options, "ca_path", NULL),
      .cert_filename = it_opt_string(L, options, "cert", NULL),
      .private_key_filename = it_opt_string(L, options, "key", NULL),
      .server_name = it_opt_string(L, options, "server_name", NULL),
      .verify_mode = it_opt_boolean(L, options, "verify", true) ? REDIS_SSL_VERIFY_PEER
                                                                : REDIS_SSL_VERIFY_NONE,
  };
  if (!wanted.cacert_filename && !wanted.capath) wanted.capath = "/etc/ssl/certs";
  c->tls = redisCreateSSLContextWithOptions(&wanted, &problem);
  if (!c->tls) give_up(L, c, redisSSLContextGetError(problem));
  if (redisInitiateSSLWithContext(&c->ac->c, c->tls) != REDIS_OK) give_up(L, c, c->ac->c.errstr);
}

void redis_tls_free(redis_connection *c) {
  if (c->tls) redisFreeSSLContext(c->tls);
}

#else

const bool redis_tls_available = false;

void redis_tls_start(lua_State *L, redis_connection *c, int options) {
  (void)options;
  it_error_push(L, "redis", "TLS",
                "TLS to Redis at %s needs a hiredis with TLS; this one is %d.%d.%d", c->address,
                HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
  it_res_close(&c->res);
  it_error_throw(L);
}

void redis_tls_free(redis_connection *c) { (void)c; }

#endif
