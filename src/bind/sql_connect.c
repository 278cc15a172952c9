/*
 * sql_connect.c - connection strings, and opening a connection.
 *
 * libpq looks host names up in the calling thread, so lua/itlua/sql/address.lua resolves them first and passes hostaddr.
 * While it opens a connection libpq may change sockets at every step, so the watch is made anew for each.
 */
#include <stdlib.h>
#include <string.h>

#include "sql.h"

/* ---- connection strings ---- */

static void push_options(lua_State *L, PQconninfoOption *options) {
  lua_newtable(L);
  for (PQconninfoOption *o = options; o && o->keyword; o++) {
    if (!o->val) continue;
    lua_pushstring(L, o->val);
    lua_setfield(L, -2, o->keyword);
  }
  PQconninfoFree(options);
}

/* parse(text) -> {keyword = value} | nil, what is wrong */
int sql_parse(lua_State *L) {
  char *error = NULL;
  PQconninfoOption *options = PQconninfoParse(luaL_checkstring(L, 1), &error);
  if (options) {
    push_options(L, options);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, error ? error : "out of memory");
  PQfreemem(error);
  return 2;
}

/* defaults() -> {keyword = value} from the environment and the service file, {keyword = true} of all there are */
int sql_defaults(lua_State *L) {
  PQconninfoOption *options = PQconndefaults();
  lua_newtable(L);
  for (PQconninfoOption *o = options; o && o->keyword; o++) {
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, o->keyword);
  }
  push_options(L, options);
  lua_insert(L, -2);
  return 2;
}

/* ---- opening ---- */

typedef struct connect_op {
  it_op op;
  sql_conn *conn;
  it_timer *limit;
  char *failed; /* libpq's words */
  double seconds;
} connect_op;

static void stop_watching(sql_conn *c) {
  it_watch_free(c->watch);
  c->watch = NULL;
}

static void connected(connect_op *o, const char *failed) {
  stop_watching(o->conn);
  if (o->limit) it_timer_set(o->limit, -1);
  if (failed) {
    const char *why = strstr(failed, "failed: "); /* before it libpq says where */
    why = why ? why : failed;
    o->failed = it_strdup(failed);
    it_op_outcome(&o->op, "%.*s", (int)strcspn(why, "\n"), why);
  } else {
    it_op_outcome(&o->op, "connected");
  }
  it_op_done(&o->op);
}

static void on_socket(void *data, int events);

static void connect_step(connect_op *o) {
  sql_conn *c = o->conn;
  stop_watching(c);
  PostgresPollingStatusType next = PQconnectPoll(c->pg);
  if (next == PGRES_POLLING_OK || next == PGRES_POLLING_FAILED) {
    connected(o, next == PGRES_POLLING_OK ? NULL : PQerrorMessage(c->pg));
    return;
  }
  c->watch = it_watch_new(o->op.st, PQsocket(c->pg), on_socket, o);
  if (c->watch) it_watch_set(c->watch, next == PGRES_POLLING_WRITING ? IT_WRITE : IT_READ);
  else connected(o, "its socket cannot be watched");
}

static void on_socket(void *data, int events) {
  (void)events;
  connect_step(data);
}

static void out_of_time(void *data) {
  connect_op *o = data;
  stop_watching(o->conn);
  it_op_fail(&o->op, "timeout", "CONNECT", "no connection to %s within %.6g s", o->op.detail,
             o->seconds);
}

/* -> handle | nil, libpq's words */
static int connect_push(lua_State *L, it_op *op) {
  connect_op *o = (connect_op *)op;
  if (o->failed) {
    lua_pushnil(L);
    lua_pushstring(L, o->failed);
    return 2;
  }
  it_res_open(&o->conn->res, "%s", lua_tostring(L, 2));
  sql_link_open(o->conn);
  lua_pushvalue(L, 5);
  return 1;
}

static bool connect_cancel(it_op *op) {
  stop_watching(((connect_op *)op)->conn);
  return true;
}

static void connect_free(it_op *op) {
  connect_op *o = (connect_op *)op;
  sql_conn *c = o->conn;
  if (!c->res.open) { /* it never came to be, whatever the reason */
    stop_watching(c);
    PQfinish(c->pg);
    c->pg = NULL;
  }
  it_timer_free(o->limit);
  free(o->failed);
  it_res_unref(&c->res);
  free(o);
}

/* The table at `idx` as two arrays that end with NULL, in a userdata that is pushed. */
static const char **push_keywords(lua_State *L, int idx) {
  size_t n = 0;
  lua_pushnil(L);
  while (lua_next(L, idx)) {
    luaL_checkstring(L, -1);
    lua_pop(L, 1);
    n++;
  }
  const char **list = lua_newuserdatauv(L, 2 * (n + 1) * sizeof *list, 0);
  size_t i = 0;
  lua_pushnil(L);
  while (lua_next(L, idx)) {
    list[i] = lua_tostring(L, -2); /* the table keeps both */
    list[n + 1 + i++] = lua_tostring(L, -1);
    lua_pop(L, 1);
  }
  list[n] = list[n + 1 + n] = NULL;
  return list;
}

/* connect({keyword = value}, label, seconds, pooled) -> handle | nil, libpq's words */
int sql_connect(lua_State *L) {
  static const it_op_class connect_class = {"sql.connect", connect_push, connect_cancel,
                                            connect_free};
  luaL_checktype(L, 1, LUA_TTABLE);
  const char *label = luaL_checkstring(L, 2);
  double seconds = luaL_checknumber(L, 3);
  bool pooled = lua_toboolean(L, 4);
  lua_settop(L, 4);
  sql_conn *c = it_res_new(L, sizeof *c, pooled ? &sql_pooled_class : &sql_conn_class);
  const char **keywords = push_keywords(L, 1);
  size_t n = 0;
  while (keywords[n]) n++;
  connect_op *o = it_op_new(L, sizeof *o, &connect_class);
  o->conn = c;
  o->seconds = seconds;
  it_res_ref(&c->res);
  it_op_detail(&o->op, "%s", label);
  c->pg = PQconnectStartParams(keywords, keywords + n + 1, 0);
  if (!c->pg) {
    it_op_fail(&o->op, "sql", "53200", "out of memory");
  } else if (PQstatus(c->pg) == CONNECTION_BAD) {
    connected(o, PQerrorMessage(c->pg));
  } else {
    PQsetErrorVerbosity(c->pg,
                        PQERRORS_VERBOSE); /* the only way to learn the SQLSTATE of a refusal */
    sql_notify_open(c);
    o->limit = it_timer_new(o->op.st, out_of_time, o);
    it_timer_set(o->limit, (int64_t)(seconds * 1000));
    c->watch = it_watch_new(o->op.st, PQsocket(c->pg), on_socket, o);
    if (c->watch) it_watch_set(c->watch, IT_WRITE);
    else connected(o, "its socket cannot be watched");
  }
  return it_await(L, &o->op);
}
