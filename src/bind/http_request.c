/*
 * http_request.c - the operation of a plain request: all of it is sent, all of the answer gathered, then Lua goes on.
 *
 * States: prepared -> running in the client's engine -> finished (done, or failed with an error object) | cancelled.
 */
#include <stdlib.h>
#include <string.h>

#include "http.h"

typedef struct request {
  it_op op;
  http_transfer *transfer;
  bool no_url;
} request;

static void finished(http_transfer *t, CURLcode result) {
  request *r = t->owner;
  if (result == CURLE_URL_MALFORMAT && !t->head.size) { /* the caller's own, no redirect's */
    r->no_url = true;
    it_op_done(&r->op);
    return;
  }
  if (result != CURLE_OK) {
    http_fail(&r->op, t, result);
    return;
  }
  it_op_outcome(&r->op, "%ld (%zu B)", http_status(t), t->data.size);
  it_op_done(&r->op);
}

static int request_push(lua_State *L, it_op *op) {
  request *r = (request *)op;
  if (r->no_url) it_usage(L, "\"%s\" is no URL: %s", lua_tostring(L, 3), r->transfer->errors);
  http_client *c = r->transfer->client;
  http_response_push(L, r->transfer, true);
  lua_pushboolean(L, c->cookies_changed);
  c->cookies_changed = false;
  return 2;
}

static bool request_cancel(it_op *op) {
  http_engine_remove(((request *)op)->transfer);
  return true;
}

static void request_free(it_op *op) {
  http_transfer_release(((request *)op)->transfer);
  free(op);
}

static const it_op_class request_class = {"http.request", request_push, request_cancel,
                                          request_free};

/* Makes a whole URL of the path at 3. False where Lua has to look closer: nothing to join it to, or bytes to escape. */
static bool join(lua_State *L, const http_client *c, const char *path, size_t size) {
  bool absolute = !strncmp(path, "http://", 7) || !strncmp(path, "https://", 8);
  if (!absolute && (*path != '/' || !c->prefix)) return false;
  for (size_t i = 0; i < size; i++)
    if (path[i] < '!' || path[i] > '~') return false;
  if (absolute) return true;
  lua_pushstring(L, c->prefix);
  lua_pushvalue(L, 3);
  lua_concat(L, 2);
  lua_replace(L, 3);
  return true;
}

/* core.request(client, method, path, plan) -> response fields, whether cookies came or went; nothing where `path` is no plain
 * path or URL and `whole` is not true. */
int http_request(lua_State *L) {
  http_client *c = http_client_check(L, 1);
  const char *method = luaL_checkstring(L, 2);
  size_t size;
  const char *path = luaL_checklstring(L, 3, &size);
  if (!lua_toboolean(L, 5) && !join(L, c, path, size)) return 0;
  lua_settop(L, 4);
  const char *url = lua_tostring(L, 3);
  request *r = it_op_new(L, sizeof *r, &request_class);
  http_transfer *t = r->transfer = http_transfer_take(c);
  t->owner = r;
  t->finished = finished;
  http_prepare(L, 1, t, method, url, 4);
  it_op_detail(&r->op, "%s %s", method, url);
  http_engine_start(c->engine, t);
  http_engine_kick(c->engine);
  return it_await(L, &r->op);
}
