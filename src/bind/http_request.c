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

/* The frame of a function that sends: the Lua client, method, URL, plan or nil, the client's box, its cookies then. */
enum { CLIENT = 1, METHOD, URL, PLAN, BOX, JAR };
enum { KEPT_BODY = 1 << 16 }; /* a larger one is not kept for reports */

/* Of a large answer its beginning. */
static void push_beginning(lua_State *L, const http_transfer *t) {
  lua_createtable(L, 0, 4);
  lua_getfield(L, -2, "status");
  lua_setfield(L, -2, "status");
  lua_getfield(L, -2, "_raw");
  lua_setfield(L, -2, "_raw");
  lua_pushlstring(L, t->data.data, KEPT_BODY);
  lua_setfield(L, -2, "body");
  lua_pushinteger(L, (lua_Integer)t->data.size);
  lua_setfield(L, -2, "size");
  lua_insert(L, -2);
}

static int request_push(lua_State *L, it_op *op) {
  request *r = (request *)op;
  if (r->no_url)
    it_usage(L, "\"%s\" is no URL: %s", lua_tostring(L, URL),
             *r->transfer->errors ? r->transfer->errors : curl_easy_strerror(CURLE_URL_MALFORMAT));
  http_client *c = r->transfer->client;
  http_response_push(L, r->transfer, true);
  op->keeps_result = IT_KEEP_RESULT;
  if (r->transfer->data.size > KEPT_BODY && !c->quiet) {
    op->keeps_result = IT_KEEP_BELOW;
    push_beginning(L, r->transfer);
  }
  lua_pushvalue(L, CLIENT);
  lua_setfield(L, -2, "_client");
  lua_pushvalue(L, JAR);
  lua_setfield(L, -2, "_jar");
  if (!lua_isnil(L, PLAN)) {
    lua_pushvalue(L, PLAN);
    lua_setfield(L, -2, "_plan");
  }
  if (c->cookies_changed) { /* Lua looks into the jar before the next request */
    c->cookies_changed = false;
    lua_pushnil(L);
    lua_setfield(L, CLIENT, "_jar");
  }
  return 1;
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

static const char last_key;

/* Pushes the table of the last request's frame, which Lua makes a curl command of. */
void http_last_push(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &last_key) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_createtable(L, JAR, 0);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &last_key);
}

static void remember(lua_State *L) {
  http_last_push(L);
  for (int i = CLIENT; i <= JAR; i++) {
    lua_pushvalue(L, i);
    lua_rawseti(L, -2, i);
  }
  lua_pop(L, 1);
}

static int send_request(lua_State *L, http_client *c) {
  if (!c->quiet) remember(L);
  const char *method = lua_tostring(L, METHOD), *url = lua_tostring(L, URL);
  request *r = it_op_new(L, sizeof *r, &request_class);
  http_transfer *t = r->transfer = http_transfer_take(c);
  t->owner = r;
  t->finished = finished;
  http_prepare(L, BOX, t, method, url, PLAN);
  if (!c->quiet) it_op_detail(&r->op, "%s %s", method, url);
  r->op.keeps = JAR;
  http_engine_start(c->engine, t);
  http_engine_kick(c->engine);
  return it_await(L, &r->op);
}

/* core.request(client, method, url, plan) -> response */
int http_request(lua_State *L) {
  luaL_checktype(L, CLIENT, LUA_TTABLE);
  luaL_checkstring(L, METHOD);
  luaL_checkstring(L, URL);
  lua_settop(L, PLAN);
  lua_getfield(L, CLIENT, "_core");
  lua_getfield(L, CLIENT, "_jar");
  return send_request(L, http_client_check(L, BOX));
}

/* Makes a URL of the path on top. False where Lua has to look closer: nothing to join it to, or bytes to escape. */
static bool join(lua_State *L, const http_client *c) {
  size_t size;
  const char *path = lua_tolstring(L, -1, &size);
  bool absolute = !strncmp(path, "http://", 7) || !strncmp(path, "https://", 8);
  if (!absolute && (*path != '/' || !c->prefix)) return false;
  for (size_t i = 0; i < size; i++)
    if (path[i] < '!' || path[i] > '~') return false;
  if (absolute) return true;
  lua_pushstring(L, c->prefix);
  lua_insert(L, -2);
  lua_concat(L, 2);
  return true;
}

/* The frame of a request that has no options, from (client, path); false, with these two left, for any other. */
static bool plain(lua_State *L, http_client **client) {
  if (!lua_isnoneornil(L, 3) || lua_type(L, 2) != LUA_TSTRING || !lua_istable(L, 1)) return false;
  lua_settop(L, 2);
  lua_getfield(L, 1, "_core");
  lua_getfield(L, 1, "_jar");
  http_client **box = luaL_testudata(L, 3, HTTP_CLIENT_TYPE);
  http_client *c = box ? *box : NULL;
  lua_pushvalue(L, 2);
  if (c && c->simple && !lua_isnil(L, 4) && join(L, c)) { /* client, path, box, jar, URL */
    lua_insert(L, 3);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_replace(L, 2);
    lua_pushnil(L);
    lua_insert(L, 4);
    *client = c;
    return true;
  }
  lua_settop(L, 2);
  return false;
}

static int returned(lua_State *L, int status, lua_KContext base) {
  (void)status;
  return lua_gettop(L) - (int)base;
}

/* client:get(path, options) and its kin. Upvalues: the method, and the Lua function that sends what is not plain. */
static int verb(lua_State *L) {
  http_client *c;
  if (plain(L, &c)) return send_request(L, c);
  lua_settop(L, 3);
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_pushvalue(L, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 3);
  lua_callk(L, 4, LUA_MULTRET, 3, returned);
  return returned(L, LUA_OK, 3);
}

/* core.verb(method, send) -> function(client, path, options) */
int http_verb(lua_State *L) {
  luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  lua_pushcclosure(L, verb, 2);
  return 1;
}
