/*
 * server_queue.c - from libmicrohttpd to Lua: complete requests, and word of clients that left, are handed to worker tasks.
 *
 * A worker takes requests one after the other, without a wait between them, as long as there are any: a handler that does
 * not wait costs no task switch. Whenever a worker takes one and others are left, one idle worker is woken; it runs only
 * once the first waits or has run out of work.
 */
#include <stdlib.h>
#include <time.h>

#include "server.h"

/* Idle workers above this number end. Inline turns above that one give the loop its turn. */
enum { IDLE_MAX = 8, INLINE_TURNS = 8 };

static void unlink_idle(next_op *o) {
  if ((*o->link = o->next)) o->next->link = o->link;
  o->link = NULL;
  o->srv->idle_count--;
}

static void wake_one(server *srv) {
  next_op *o = srv->idle;
  if (!o || srv->waking) return;
  srv->waking = o->woken = true;
  unlink_idle(o);
  it_op_done(&o->op);
}

void queue_close(server *srv) {
  while (srv->gone) {
    request *req = srv->gone;
    srv->gone = req->next_queued;
    request_unref(req);
  }
  while (srv->idle) {
    next_op *o = srv->idle;
    unlink_idle(o);
    it_op_done(&o->op);
  }
  queue_drained(srv);
}

void queue_add(request *req) {
  server *srv = req->srv;
  struct timespec wall;
  clock_gettime(CLOCK_REALTIME, &wall);
  req->at = (double)wall.tv_sec + (double)wall.tv_nsec / 1e9;
  req->started = it_now();
  req->state = QUEUED;
  req->next_queued = NULL;
  *srv->queue_tail = req;
  srv->queue_tail = &req->next_queued;
  wake_one(srv);
}

void queue_remove(request *req) {
  server *srv = req->srv;
  request **p = &srv->queue;
  while (*p && *p != req) p = &(*p)->next_queued;
  if (!*p) return;
  if (!(*p = req->next_queued)) srv->queue_tail = p;
}

void queue_gone(request *req) {
  server *srv = req->srv;
  if (req->told || srv->closing) return;
  req->told = true;
  req->refs++;
  req->next_queued = srv->gone;
  srv->gone = req;
  wake_one(srv);
}

void queue_drained(server *srv) {
  drain_op *o = srv->drain;
  if (!o || (srv->active && srv->daemon)) return;
  srv->drain = NULL;
  it_op_done(&o->op);
}

/* ---- the inbox --------------------------------------------------------------------------------------------------- */

#define INBOX_TYPE "itlua.server.inbox"

static int inbox_gc(lua_State *L) {
  server **box = lua_touserdata(L, 1);
  if (*box) {
    journal_clear(*box); /* its requests hold the server */
    it_res_unref(&(*box)->res);
  }
  *box = NULL;
  return 0;
}

void queue_register(lua_State *L) {
  luaL_newmetatable(L, INBOX_TYPE);
  lua_pushcfunction(L, inbox_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}

void queue_push_inbox(lua_State *L, server *srv) {
  server **box = lua_newuserdatauv(L, sizeof(server *), 0);
  *box = NULL;
  luaL_setmetatable(L, INBOX_TYPE);
  *box = srv;
  it_res_ref(&srv->res);
}

server *queue_check_inbox(lua_State *L, int arg) {
  return *(server **)luaL_checkudata(L, arg, INBOX_TYPE);
}

/* ---- next -------------------------------------------------------------------------------------------------------- */

/* Pushes what next() returns, see there. */
static int take(lua_State *L, server *srv, lua_Integer worker) {
  request *req = srv->gone;
  if (req) {
    srv->gone = req->next_queued;
    lua_Integer who = req->worker;
    request_unref(req);
    lua_pushnil(L);
    lua_pushinteger(L, who);
    if (srv->queue || srv->gone) wake_one(srv);
    return 2;
  }
  if (!(req = srv->queue)) {
    lua_pushboolean(L, false);
    return 1;
  }
  luaL_checkstack(L, 6, "a request");
  request_push(L, req);
  if (!(srv->queue = req->next_queued)) srv->queue_tail = &srv->queue;
  req->state = TAKEN;
  req->worker = worker;
  journal_add(srv, req);
  request_describe(L, req);
  if (srv->queue) wake_one(srv);
  lua_pushboolean(L, !srv->idle && !srv->waking);
  return 5;
}

static int next_push(lua_State *L, it_op *op) {
  next_op *o = (next_op *)op;
  if (o->woken) o->woken = o->srv->waking = false;
  if (o->srv->closing) return 0;
  return take(L, o->srv, o->worker);
}

static bool next_cancel(it_op *op) {
  unlink_idle((next_op *)op);
  return true;
}

static void next_free(it_op *op) {
  next_op *o = (next_op *)op;
  server *srv = o->srv;
  if (o->woken) { /* its task was cancelled after it was woken */
    srv->waking = false;
    if (srv->queue || srv->gone) wake_one(srv);
    if (srv->timer) it_timer_set(srv->timer, 0);
  }
  it_res_unref(&srv->res);
  free(o);
}

static const it_op_class next_class = {
    .name = "server.next", .push = next_push, .cancel = next_cancel, .free = next_free};

/*
 * next(inbox, worker) waits for work. Returns
 *   request, method, path, query or nil, alone    `alone`: no other worker is left to take the next one
 *   nil, worker                                   the client of what that worker does has left
 *   false                                         nothing after all
 *   nothing                                       this worker may end
 */
static int l_next(lua_State *L) {
  server *srv = queue_check_inbox(L, 1);
  lua_Integer worker = luaL_checkinteger(L, 2);
  if (srv->closing || !srv->daemon) return 0;
  if (!srv->queue && !srv->gone && srv->answered && srv->turns < INLINE_TURNS) {
    srv->turns++;
    srv->answered = false;
    server_turn(srv);
  }
  if (srv->queue || srv->gone) return take(L, srv, worker);
  srv->turns = 0;
  if (srv->idle_count >= IDLE_MAX) return 0;
  next_op *o = it_op_new(L, sizeof *o, &next_class);
  o->srv = srv;
  o->worker = worker;
  it_res_ref(&srv->res);
  if ((o->next = srv->idle)) o->next->link = &o->next;
  o->link = &srv->idle;
  srv->idle = o;
  srv->idle_count++;
  return it_await(L, &o->op);
}

/* ---- drained ----------------------------------------------------------------------------------------------------- */

static int drain_push(lua_State *L, it_op *op) {
  (void)L, (void)op;
  return 0;
}

static bool drain_cancel(it_op *op) {
  ((drain_op *)op)->srv->drain = NULL;
  return true;
}

static void drain_free(it_op *op) {
  it_res_unref(&((drain_op *)op)->srv->res);
  free(op);
}

static const it_op_class drain_class = {
    .name = "server.drained", .push = drain_push, .cancel = drain_cancel, .free = drain_free};

/* drained(server) accepts no further connection and waits until no request is left */
static int l_drained(lua_State *L) {
  server *srv = it_res_check(L, 1, &server_class);
  if (srv->drain) it_usage(L, "the server is being shut down already");
  server_quiesce(srv);
  if (!srv->active) return 0;
  drain_op *o = it_op_new(L, sizeof *o, &drain_class);
  o->srv = srv;
  srv->drain = o;
  it_res_ref(&srv->res);
  return it_await(L, &o->op);
}

const luaL_Reg queue_functions[] = {{"next", l_next}, {"drained", l_drained}, {NULL, NULL}};
