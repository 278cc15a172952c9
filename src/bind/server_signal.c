/*
 * server_signal.c - waits until the process is asked to end (SIGTERM, SIGINT) or the server was closed.
 */
#include <signal.h>
#include <stdlib.h>
#include <uv.h>

#include "server.h"

enum { SIGNALS = 2 };
static const int numbers[SIGNALS] = {SIGTERM, SIGINT};

/* Lives until libuv has closed its handles. */
typedef struct signals {
  uv_signal_t handles[SIGNALS];
  it_state *st;
  struct signal_op *op; /* NULL once it is over */
  int open;
} signals;

struct signal_op {
  it_op op;
  server *srv;
  signals *signals;
  int number;
};

static void on_closed(uv_handle_t *handle) {
  signals *s = handle->data;
  if (--s->open) return;
  it_drop(s->st);
  free(s);
}

static void let_go(signal_op *o) {
  signals *s = o->signals;
  if (!s) return;
  o->signals = NULL;
  s->op = NULL;
  for (int i = 0; i < SIGNALS; i++) uv_close((uv_handle_t *)&s->handles[i], on_closed);
  if (o->srv->signal == o) o->srv->signal = NULL;
}

static void on_signal(uv_signal_t *handle, int number) {
  signals *s = handle->data;
  signal_op *o = s->op;
  if (!o) return;
  o->number = number;
  let_go(o);
  it_op_done(&o->op);
}

void signal_end(server *srv) {
  signal_op *o = srv->signal;
  if (!o) return;
  let_go(o);
  it_op_done(&o->op);
}

static int signal_push(lua_State *L, it_op *op) {
  int number = ((signal_op *)op)->number;
  if (!number) return 0;
  lua_pushstring(L, number == SIGINT ? "SIGINT" : "SIGTERM");
  return 1;
}

static bool signal_cancel(it_op *op) {
  let_go((signal_op *)op);
  return true;
}

static void signal_free(it_op *op) {
  it_res_unref(&((signal_op *)op)->srv->res);
  free(op);
}

static const it_op_class signal_class = {
    .name = "server.serve", .push = signal_push, .cancel = signal_cancel, .free = signal_free};

/* stopped(server) waits; returns the signal's name, or nothing when the server was closed */
static int l_stopped(lua_State *L) {
  server *srv = it_res_check(L, 1, &server_class);
  if (srv->signal) it_usage(L, "the server is being served already");
  signal_op *o = it_op_new(L, sizeof *o, &signal_class);
  it_res_ref(&srv->res);
  o->srv = srv;
  srv->signal = o;
  signals *s = o->signals = it_alloc(sizeof *s);
  s->op = o;
  s->st = o->op.st;
  it_hold(s->st);
  for (int i = 0; i < SIGNALS; i++) {
    uv_signal_init(it_loop(s->st), &s->handles[i]);
    s->handles[i].data = s;
    s->open++;
    uv_signal_start(&s->handles[i], on_signal, numbers[i]);
  }
  return it_await(L, &o->op);
}

const luaL_Reg signal_functions[] = {{"stopped", l_stopped}, {NULL, NULL}};
