/*
 * worker_lua.c - what a state that runs files gets from its worker: take() a file, emit(event), stopped().
 */
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "worker_slot.h"

static bool is(const char *a, const char *b) { return a && strcmp(a, b) == 0; }

static lua_Integer integer_field(lua_State *L, const char *name) {
  lua_getfield(L, 1, name);
  lua_Integer v = lua_tointeger(L, -1);
  lua_pop(L, 1);
  return v;
}

/* Keeps track of which file and test run: what is printed is theirs. */
static void follow(lua_State *L, it_slot *s, const char *ev) {
  if (is(ev, "test_start")) {
    it_output_mark(&s->account, s->running, integer_field(L, "id"));
  } else if (is(ev, "test_end")) {
    it_output_mark(&s->account, s->running, 0);
  } else if (is(ev, "problem") && integer_field(L, "id") == 0) {
    it_output_mark(&s->account, s->running,
                   0); /* what a hook printed comes before what went wrong in it */
  } else if (is(ev, "file_start")) {
    lua_getfield(L, 1, "file");
    const char *path = lua_tostring(L, -1);
    it_output_mark(&s->account, path, 0);
    free(s->running);
    s->running = path ? it_strdup(path) : NULL;
    free(s->taken);
    s->taken = NULL;
    lua_pop(L, 1);
  } else if (is(ev, "file_end")) {
    it_output_mark(&s->account, NULL, 0);
    free(s->running);
    s->running = NULL;
  }
}

/* emit(event) */
static int l_emit(lua_State *L) {
  it_slot *s = lua_touserdata(L, lua_upvalueindex(1));
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_getfield(L, 1, "ev");
  const char *ev = lua_tostring(L, -1);
  follow(L, s, ev);
  it_buf *line = &s->worker->line;
  line->size = 0;
  it_frame_encode(L, 1, line);
  s->worker->emit(s->worker->data, line->data, line->size);
  if (is(ev, "file_end")) it_channel_flush();
  return 0;
}

static bool file_for(const it_slot *s) { return s->worker->isolated ? s->own : s->worker->files; }
static bool no_file_will_come(const it_slot *s) {
  return s->worker->isolated || s->worker->no_more || s->worker->stopping;
}

typedef struct take_op {
  it_op op;
  it_slot *slot;
} take_op;

static int take_push(lua_State *L, it_op *op) {
  it_slot *s = ((take_op *)op)->slot;
  it_file **from = s->worker->isolated ? &s->own : &s->worker->files, *f = *from;
  if (!f || s->worker->stopping) return lua_pushnil(L), 1;
  *from = f->next;
  lua_pushstring(L, f->path);
  free(s->taken);
  s->taken = it_strdup(f->path);
  it_file_free(f);
  return 1;
}

static bool take_cancel(it_op *op) {
  (void)op;
  return true;
}

static void take_free(it_op *op) {
  it_slot *s = ((take_op *)op)->slot;
  if (s->taker == op) s->taker = NULL;
  free(op);
}

static const it_op_class take_class = {"worker.take", take_push, take_cancel, take_free};

void it_slot_wake(it_slot *s) {
  it_op *op = s->taker;
  if (!op || !(file_for(s) || no_file_will_come(s))) return;
  s->taker = NULL;
  it_op_done(op);
}

/* ---- stopped() -> true, once nothing more is to start */

static int stop_push(lua_State *L, it_op *op) {
  (void)op;
  lua_pushboolean(L, 1);
  return 1;
}

static void stop_free(it_op *op) {
  it_slot *s = ((take_op *)op)->slot;
  if (s->stopper == op) s->stopper = NULL;
  free(op);
}

static const it_op_class stop_class = {"worker.stopped", stop_push, take_cancel, stop_free};

static int l_stopped(lua_State *L) {
  it_slot *s = lua_touserdata(L, lua_upvalueindex(1));
  take_op *op = it_op_new(L, sizeof *op, &stop_class);
  op->slot = s;
  if (s->worker->quitting) it_op_done(&op->op);
  else s->stopper = &op->op;
  return it_await(L, &op->op);
}

/* take() -> the path of the next file, or nil when there are no more */
static int l_take(lua_State *L) {
  it_slot *s = lua_touserdata(L, lua_upvalueindex(1));
  take_op *op = it_op_new(L, sizeof *op, &take_class);
  op->slot = s;
  s->taker = &op->op;
  it_slot_wake(s);
  return it_await(L, &op->op);
}

void it_slot_stop(it_slot *s) {
  it_op *op = s->stopper;
  s->stopper = NULL;
  if (op) it_op_done(op);
}

void it_slot_push_functions(lua_State *L, it_slot *s) {
  static const lua_CFunction functions[] = {l_take, l_emit, l_stopped};
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    lua_pushlightuserdata(L, s);
    lua_pushcclosure(L, functions[i], 1);
  }
}
