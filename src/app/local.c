/*
 * local.c - `--in-process`: what supervisor.c offers, with the worker in this very process, so that a debugger sees it all.
 *
 * Nothing is shielded from anything here: a crash ends the run, what is printed is printed, a busy C call blocks everything.
 */
#include <stdio.h>
#include <stdlib.h>

#include "frame.h"
#include "system.h"

typedef struct local {
  it_res res;
  it_worker *worker;
  it_frames frames;
  it_op *waiter;
} local;

static local *only; /* there is at most one: main.c's loop looks after it */

static void wake(local *l) {
  it_op *op = l->waiter;
  l->waiter = NULL;
  if (op) it_op_done(op);
}

static void emit(void *data, const char *line, size_t size) {
  local *l = data;
  it_frames_add(&l->frames, line, size);
  wake(l);
}

void it_local_tend(void) {
  if (!only) return;
  it_worker_tend(only->worker);
  if (it_worker_finished(only->worker)) wake(only);
}

static const it_res_class local_class;

static bool push_event(lua_State *L, local *l) {
  size_t size;
  const char *line = it_frames_next(&l->frames, &size);
  return line && !it_frame_decode(L, line, size);
}

static int push_end(lua_State *L) {
  lua_pushnil(L);
  lua_newtable(L);
  lua_pushinteger(L, 0);
  lua_setfield(L, -2, "code");
  lua_pushinteger(L, 0);
  lua_setfield(L, -2, "signal");
  lua_pushliteral(L, "exit code 0");
  lua_setfield(L, -2, "reason");
  return 2;
}

typedef struct next_op {
  it_op op;
  local *local;
} next_op;

static int next_push(lua_State *L, it_op *op) {
  local *l = ((next_op *)op)->local;
  if (push_event(L, l)) return 1;
  if (it_worker_finished(l->worker)) return push_end(L);
  lua_pushboolean(L, 0);
  return 1;
}

static bool next_cancel(it_op *op) {
  local *l = ((next_op *)op)->local;
  if (l->waiter == op) l->waiter = NULL;
  return true;
}

static void next_free(it_op *op) { free(op); }

static const it_op_class next_class = {"worker.next", next_push, next_cancel, next_free};

static int l_next(lua_State *L) {
  local *l = it_res_check(L, 1, &local_class);
  if (push_event(L, l)) return 1;
  fflush(stdout);
  next_op *op = it_op_new(L, sizeof *op, &next_class);
  op->local = l;
  l->waiter = &op->op;
  if (it_worker_finished(l->worker)) wake(l);
  return it_await(L, &op->op);
}

static int l_send(lua_State *L) {
  local *l = it_res_check(L, 1, &local_class);
  it_buf text = {0};
  it_buf_add(&text, luaL_checkstring(L, 2), 1);
  if (!lua_isnoneornil(L, 3)) {
    it_frame_encode(L, 3, &text);
    text.size--; /* without the '\n' */
  }
  it_worker_command(l->worker, text.data, text.size);
  it_buf_free(&text);
  return 0;
}

static int l_nothing(lua_State *L) {
  (void)L;
  return 0;
}

static void close_local(it_res *res) {
  local *l = (local *)res;
  only = NULL;
  it_worker_free(l->worker);
}

static void free_local(it_res *res) {
  it_frames_free(&((local *)res)->frames);
  free(res);
}

static const it_res_class local_class = {"itlua.local_worker", close_local, free_local, true};

/* local_worker() -> worker */
static int l_local_worker(lua_State *L) {
  if (only) it_usage(L, "there is one already");
  local *l = it_res_new(L, sizeof *l, &local_class);
  l->worker = it_worker_new(l->res.st->sched, emit, l);
  only = l;
  it_res_open(&l->res, "worker in this process");
  return 1;
}

void it_local_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"next", l_next}, {"send", l_send}, {"kill", l_nothing}, {"beat", l_nothing}, {NULL, NULL}};
  it_res_register(L, &local_class, methods);
  lua_pushcfunction(L, l_local_worker);
  lua_setfield(L, -2, "local_worker");
}
