/*
 * dns.c - itlua.dns.core: names to addresses by libuv's pool, so that no client library resolves one on the loop.
 */
#include <netdb.h>
#include <stdlib.h>
#include <uv.h>

#include "itlua.h"

typedef struct resolve_op {
  it_op op;
  uv_getaddrinfo_t request;
  struct addrinfo *found;
  char *host;
} resolve_op;

static const char *advice(int status) {
  switch (status) {
  case UV_EAI_NONAME: return "no such host; is the name spelled right?";
  case UV_EAI_AGAIN: return "the name server does not answer";
  default: return uv_strerror(status);
  }
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found) {
  resolve_op *r = request->data;
  r->found = found;
  if (status == 0) it_op_done(&r->op);
  else
    it_op_fail(&r->op, "dns", status == UV_EAI_NONAME ? "ENOTFOUND" : uv_err_name(status),
               "cannot resolve %s: %s", r->host, advice(status));
}

static int resolve_push(lua_State *L, it_op *op) {
  char ip[64];
  lua_Integer n = 0;
  lua_newtable(L);
  for (struct addrinfo *a = ((resolve_op *)op)->found; a; a = a->ai_next) {
    if (uv_ip_name(a->ai_addr, ip, sizeof ip) != 0) continue;
    lua_pushstring(L, ip);
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

/* A lookup that a pool thread has begun cannot be stopped: on_resolved ends it. */
static bool resolve_cancel(it_op *op) {
  uv_cancel((uv_req_t *)&((resolve_op *)op)->request);
  return false;
}

static void resolve_free(it_op *op) {
  resolve_op *r = (resolve_op *)op;
  uv_freeaddrinfo(r->found);
  free(r->host);
  free(r);
}

static const it_op_class resolve_class = {"dns", resolve_push, resolve_cancel, resolve_free};

/* resolve(host) -> array of addresses, never empty */
static int l_resolve(lua_State *L) {
  const char *host = luaL_checkstring(L, 1);
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
  resolve_op *r = it_op_new(L, sizeof *r, &resolve_class);
  r->request.data = r;
  r->host = it_strdup(host);
  it_op_detail(&r->op, "%s", host);
  it_pool_open(r->op.st);
  int status = uv_getaddrinfo(it_loop(r->op.st), &r->request, on_resolved, host, NULL, &hints);
  if (status != 0)
    it_op_fail(&r->op, "dns", uv_err_name(status), "cannot resolve %s: %s", host,
               uv_strerror(status));
  return it_await(L, &r->op);
}

int luaopen_itlua_dns_core(lua_State *L);

int luaopen_itlua_dns_core(lua_State *L) {
  static const luaL_Reg functions[] = {{"resolve", l_resolve}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
