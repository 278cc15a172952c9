/*
 * redis_connection.c - connections to Redis: hiredis' asynchronous context on a watch, from connecting to lost.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "redis.h"

/* ---- the event loop: hiredis asks to read and write, the watch is set once it has returned ---- */

static void want(redis_connection *c, int on, int off) {
  c->wanted = (c->wanted | on) & ~off;
  if (c->watch && !c->entered) it_watch_set(c->watch, c->wanted);
}
static void add_read(void *data) { want(data, IT_READ, 0); }
static void del_read(void *data) { want(data, 0, IT_READ); }
static void add_write(void *data) { want(data, IT_WRITE, 0); }
static void del_write(void *data) { want(data, 0, IT_WRITE); }
static void cleanup(void *data) {
  redis_connection *c = data;
  it_watch_free(c->watch);
  c->watch = NULL;
}

void redis_enter(redis_connection *c) { c->entered = true; }

void redis_leave(redis_connection *c) {
  c->entered = false;
  if (c->watch) it_watch_set(c->watch, c->wanted);
}

static void on_fd(void *data, int events) {
  redis_connection *c = data;
  it_res_ref(&c->res); /* a callback below may drop the last other reference */
  redis_enter(c);
  if (c->ac && (events & IT_READ)) redisAsyncHandleRead(c->ac);
  if (c->ac && (events & IT_WRITE)) redisAsyncHandleWrite(c->ac);
  redis_leave(c);
  it_res_unref(&c->res);
}

void redis_set_lost(redis_connection *c, const char *why) {
  if (c->lost) return;
  if (c->too_many) {
    it_buf text = {0};
    it_buf_addf(&text,
                "a reply of %zu elements is more than the %zu that it may have (option max_reply)",
                c->too_many, c->most);
    c->lost = text.data;
    return;
  }
  bool says_nothing = !why || !*why || strcmp(why, "Success") == 0;
  if (says_nothing && c->tls) why = "TLS failed; is its certificate one that tls.ca vouches for?";
  else if (says_nothing) why = "the server closed the connection";
  c->lost = it_strdup(why);
}

static const char *refused_code(int error) {
  switch (error) {
  case ECONNREFUSED: return "ECONNREFUSED";
  case ENOENT: return "ENOENT";
  case ETIMEDOUT: return "ETIMEDOUT";
  case EHOSTUNREACH: return "EHOSTUNREACH";
  case EACCES: return "EACCES";
  default: return "ECONNECT";
  }
}

static void on_connect(const redisAsyncContext *ac, int status) {
  redis_connection *c = ac->data;
  redis_op *o = c->connecting;
  if (status != REDIS_OK) c->ac = NULL; /* hiredis frees it after this */
  c->connecting = NULL;
  if (!o) return;
  if (status == REDIS_OK) {
    it_op_outcome(&o->op, "connected");
    it_op_done(&o->op);
    return;
  }
  int error = errno;
  socklen_t size = sizeof error;
  if (ac->c.fd >= 0 && getsockopt(ac->c.fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0)
    error = errno;
  redis_set_lost(c, ac->errstr);
  bool refused = strstr(c->lost, "refused");
  const char *hint = refused ? ": nothing listens there" : "",
             *code = refused ? "ECONNREFUSED" : refused_code(error);
  it_op_outcome(&o->op, "%s", code);
  it_op_fail(&o->op, "redis", code, "cannot connect to Redis at %s: %s%s", c->address, c->lost,
             hint);
}

const char *redis_lost_code(const redis_connection *c) {
  return c->too_many ? "TOO_LARGE" : "CLOSED";
}

void redis_fail_lost(redis_op *o) {
  it_op_fail(&o->op, "redis", redis_lost_code(o->c), "the connection to Redis at %s was lost: %s",
             o->c->address, o->c->lost);
}

static void on_disconnect(const redisAsyncContext *ac, int status) {
  redis_connection *c = ac->data;
  (void)status;
  c->ac = NULL;
  redis_set_lost(c, ac->errstr);
  if (c->receiving) {
    redis_op *o = c->receiving;
    c->receiving = NULL;
    redis_fail_lost(o);
  }
}

static int nothing_push(lua_State *L, it_op *op) {
  (void)L;
  (void)op;
  return 0;
}

static bool connect_cancel(it_op *op) {
  redis_connection *c = ((redis_op *)op)->c;
  c->connecting = NULL;
  it_res_close(&c->res);
  return true;
}

static const it_op_class connect_class = {"redis.connect", nothing_push, connect_cancel,
                                          redis_op_free};

static void connection_close(it_res *res) {
  redis_connection *c = (redis_connection *)res;
  redisAsyncContext *ac = c->ac;
  redis_op *connecting = c->connecting;
  redis_set_lost(c, "it was closed");
  c->ac = NULL;
  c->connecting = NULL;
  if (connecting) redis_fail_lost(connecting);
  if (ac) redisAsyncFree(ac);
}

static void connection_free(it_res *res) {
  redis_connection *c = (redis_connection *)res;
  redis_free_messages(c);
  free(c->lost);
  free(c->address);
  redis_tls_free(c);
  it_buf_free(&c->command);
  free(c);
}

const it_res_class redis_connection_class = {"itlua.redis.connection", connection_close,
                                             connection_free, true};

static int connected(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  (void)ctx;
  lua_settop(L, 4); /* host or path, port, tls, connection */
  if (lua_istable(L, 3)) redis_tls_start(L, it_res_check(L, 4, &redis_connection_class), 3);
  return 1;
}

static int l_await_connect(lua_State *L) {
  redis_connection *c = it_res_check(L, 1, &redis_connection_class);
  redis_op *o = redis_op_new(L, c, &connect_class);
  it_op_detail(&o->op, "%s", c->address);
  c->connecting = o;
  return it_await(L, &o->op);
}

/* connect(ip, port [, tls]) or connect(path): a connection, once it is established. Names are resolved before (itlua.dns). */
int redis_l_connect(lua_State *L) {
  const char *host = luaL_checkstring(L, 1);
  bool unix_socket = lua_isnoneornil(L, 2);
  int port = unix_socket ? 0 : (int)luaL_checkinteger(L, 2);
  lua_settop(L, 3);
  redis_connection *c = it_res_new(L, sizeof *c, &redis_connection_class);
  c->tail = &c->head;
  it_buf address = {0};
  if (unix_socket) it_buf_addf(&address, "%s", host);
  else it_buf_addf(&address, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host, port);
  c->address = address.data;
  redisAsyncContext *ac = unix_socket ? redisAsyncConnectUnix(host) : redisAsyncConnect(host, port);
  if (!ac)
    it_raise(L, "redis", "ENOMEM", "cannot connect to Redis at %s: out of memory", c->address);
  if (ac->err) {
    char why[160];
    snprintf(why, sizeof why, "%s", ac->errstr);
    const char *code = refused_code(errno);
    redisAsyncFree(ac);
    it_raise(L, "redis", code, "cannot connect to Redis at %s: %s", c->address, why);
  }
  c->ac = ac;
  ac->data = c;
  ac->ev.data = c;
  ac->ev.addRead = add_read;
  ac->ev.delRead = del_read;
  ac->ev.addWrite = add_write;
  ac->ev.delWrite = del_write;
  ac->ev.cleanup = cleanup;
  c->watch = it_watch_new(c->res.st, ac->c.fd, on_fd, c);
  it_res_open(&c->res, "redis %s", c->address);
  redisAsyncSetConnectCallback(ac, on_connect);
  redisAsyncSetDisconnectCallback(ac, on_disconnect);
  lua_pushcfunction(L, l_await_connect);
  lua_pushvalue(L, 4);
  lua_callk(L, 1, 0, 0, connected);
  return connected(L, LUA_OK, 0);
}
