/*
 * op.c - operations: the one seam between a library's callbacks and a coroutine that waits.
 *
 * An operation is owned by its anchor, a userdata on the waiting coroutine's stack. When the anchor goes (the wait was
 * interrupted, the coroutine died, the state closes), the operation is cancelled; where the library insists on calling back
 * (cancel returned false) it is dropped: it_op_done() then frees it, and the state waits for that.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

#define ANCHOR_TYPE "itlua.op"

static void release(it_op *op) {
  free(op->error_code);
  free(op->error_message);
  free(op->detail);
  free(op->outcome);
  op->cls->free(op);
}

static void abandon(it_op **anchor) {
  it_op *op = *anchor;
  if (!op) return;
  *anchor = NULL;
  if (op->task && op->task->pending == op) op->task->pending = NULL;
  op->task = NULL;
  if (op->done || op->cls->cancel(op)) {
    release(op);
  } else {
    op->dropped = true;
    it_hold(op->st);
  }
}

static int anchor_gc(lua_State *L) {
  abandon(lua_touserdata(L, 1));
  return 0;
}

void it_op_register(lua_State *L) {
  luaL_newmetatable(L, ANCHOR_TYPE);
  lua_pushcfunction(L, anchor_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}

void *it_op_new(lua_State *L, size_t size, const it_op_class *cls) {
  it_state *st = it_state_of(L);
  /* A finalizer that runs while the state closes: what it makes now would never be collected. */
  if (st->closing) it_raise(L, "cancelled", NULL, "%s: the script has ended", cls->name);
  if (st->gc_stress) lua_gc(L, LUA_GCCOLLECT);
  it_op **anchor = lua_newuserdatauv(L, sizeof *anchor, 0);
  *anchor = NULL;
  luaL_setmetatable(L, ANCHOR_TYPE);
  it_op *op = it_alloc(size);
  op->cls = cls;
  op->st = st;
  op->started = it_now();
  return *anchor = op;
}

void it_op_done(it_op *op) {
  if (op->done) {
    fprintf(stderr, "itlua: operation %s ended twice\n", op->cls->name);
    abort();
  }
  op->done = true;
  if (op->dropped) {
    it_state *st = op->st;
    release(op);
    it_drop(st);
  } else if (op->task && op->task->pending == op) {
    it_ready(op->task);
  }
}

IT_PRINTF(2, 0)
static void replace(char **field, const char *fmt, va_list args) {
  char text[256]; /* nearly always enough: formatting is the dear part of a short operation */
  va_list again;
  va_copy(again, args);
  int size = vsnprintf(text, sizeof text, fmt, args);
  free(*field);
  if (size < 0) size = 0;
  if ((size_t)size < sizeof text) {
    *field = it_memdup(text, (size_t)size);
  } else {
    *field = it_alloc((size_t)size + 1);
    vsnprintf(*field, (size_t)size + 1, fmt, again);
  }
  va_end(again);
}

void it_op_fail(it_op *op, const char *kind, const char *code, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  replace(&op->error_message, fmt, args);
  va_end(args);
  op->error_kind = kind;
  free(op->error_code);
  op->error_code = code ? it_strdup(code) : NULL;
  it_op_done(op);
}

void it_op_detail(it_op *op, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  replace(&op->detail, fmt, args);
  va_end(args);
}

void it_op_outcome(it_op *op, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  replace(&op->outcome, fmt, args);
  va_end(args);
}

/* Hands the texts over to the timeline, with the frame of the function that waits as the span's data. What never said to
 * whom it goes is housekeeping, and so is all that a silent task waits for. Returns the span's number, or 0. */
static uint64_t record(lua_State *L, it_op *op) {
  if (!op->detail || (op->task && op->task->silent)) return 0;
  uint64_t serial = it_span_record(op->st, op->cls->name, op->started, op->detail, op->outcome);
  op->detail = op->outcome = NULL;
  if (op->keeps && lua_checkstack(L, 8)) {
    lua_createtable(L, op->keeps, 1);
    for (int i = 1; i <= op->keeps; i++) {
      lua_pushvalue(L, i);
      lua_rawseti(L, -2, i);
    }
    it_span_keep(L, op->st, serial);
  }
  return serial;
}

/* The results are on top: the first of them belongs to the span's data. */
static void record_result(lua_State *L, it_op *op, uint64_t serial, int results) {
  if (op->outcome) {
    it_span_outcome(op->st, serial, op->outcome);
    op->outcome = NULL;
  }
  if (!op->keeps || !op->keeps_result || results < 1 || !it_span_data(L, op->st, serial)) return;
  lua_pushvalue(L, (op->keeps_result == IT_KEEP_BELOW ? -2 : -1) - results);
  lua_setfield(L, -2, "result");
  lua_pop(L, 1);
}

static int finish(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  it_op **anchor = lua_touserdata(L, (int)ctx);
  it_op *op = *anchor;
  it_task *t = op->task;
  if (t && t->pending == op) t->pending = NULL;
  if (op->st->gc_stress) lua_gc(L, LUA_GCCOLLECT);
  if (!op->done) {
    assert(t); /* only a task is interrupted */
    it_op_outcome(op, "%s", t->cancelled ? "cancelled" : "timeout");
    it_task_push_interruption(L, t, op);
    record(L, op);
    abandon(anchor);
    it_error_throw(L);
  }
  if (op->error_kind) {
    if (!op->outcome) it_op_outcome(op, "%s", op->error_message);
    it_error_push(L, op->error_kind, op->error_code, "%s", op->error_message);
    lua_pushstring(L, op->cls->name);
    lua_setfield(L, -2, "op");
    record(L, op);
    abandon(anchor);
    it_error_throw(L);
  }
  uint64_t serial = op->fleeting ? 0 : record(L, op); /* before: push may raise */
  int n = op->cls->push(L, op);
  if (serial) record_result(L, op, serial, n);
  *anchor = NULL;
  release(op);
  return n;
}

int it_await(lua_State *L, it_op *op) {
  it_sched *s = op->st->sched;
  it_task *t = s->current && s->current->st == op->st ? s->current : NULL;
  int anchor = lua_gettop(L);
  op->task = t;
  if (op->done || (t && it_task_interrupted(t))) return finish(L, LUA_OK, anchor);
  if (t) t->pending = op;
  /* lua_isyieldable alone is not enough: inside a user's own coroutine the yield would land in *their* resume. */
  if (t && t->co == L && lua_isyieldable(L)) return lua_yieldk(L, 0, anchor, finish);
  s->depth++;
  if (t) t->nested++;
  while (!op->done && !(t && it_task_interrupted(t))) {
    if (it_wait_nested(s) || op->done || (t && it_task_interrupted(t))) continue;
    it_op_fail(op, "deadlock", NULL, "deadlock: nothing is left that could end %s", op->cls->name);
  }
  if (t) t->nested--;
  s->depth--;
  return finish(L, LUA_OK, anchor);
}
