/*
 * task.c - tasks: coroutines that the scheduler owns, what becomes of them, and waiting for one from another.
 *
 * A task's coroutine runs `body`, which calls the function under pcall: so <close> variables may wait, and a task always
 * ends in the same way, with (true, results…) or (false, error) on its stack.
 */
#include <stdlib.h>
#include <string.h>

#include "core.h"

#define TASK_TYPE "itlua.task"

static const uint64_t BLOCKED =
    100000000u; /* a step as long as this is named when others had to wait for it */

/* ---- the coroutine ---- */

static const char ON_FAULT[] = "itlua.on_fault"; /* in the registry: who is told of errors */

static int keep_traceback(lua_State *L) {
  it_task *t = it_state_of(L)->sched->current;
  if (t && !t->traceback) {
    luaL_traceback(L, L, NULL, 1);
    t->traceback = it_strdup(lua_tostring(L, -1));
    lua_pop(L, 1);
  }
  if (lua_getfield(L, LUA_REGISTRYINDEX, ON_FAULT) == LUA_TFUNCTION) {
    lua_pushvalue(L, -2);
    lua_pcall(L, 1, 1, 0);
  }
  lua_pop(L, 1);
  return 1;
}

int it_task_on_fault(lua_State *L) {
  lua_settop(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, ON_FAULT);
  return 0;
}

static int body_ended(lua_State *L, int status, lua_KContext ctx) {
  (void)ctx;
  lua_pushboolean(L, status == LUA_OK || status == LUA_YIELD);
  lua_replace(L, 1); /* where the message handler was */
  return lua_gettop(L);
}

static int body(lua_State *L) {
  lua_pushcfunction(L, keep_traceback);
  lua_insert(L, 1);
  int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, body_ended);
  return body_ended(L, status, 0);
}

it_task *it_spawn(lua_State *L, int nargs) {
  it_state *st = it_state_of(L);
  it_task *t = it_alloc(sizeof *t);
  t->st = st;
  t->birth = it_birth(st);
  t->where = it_strdup(it_where(L));
  lua_pop(L, 1);
  t->co = lua_newthread(L);
  lua_pushcfunction(t->co, body);
  t->ref = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_xmove(L, t->co, nargs + 1);
  t->main = !st->begun;
  t->unheld = st->sched->current && st->sched->current->st == st && st->sched->current->unheld;
  t->silent = st->sched->current && st->sched->current->st == st && st->sched->current->silent;
  st->begun = true;
  t->link = &st->tasks;
  if ((t->next = st->tasks)) t->next->link = &t->next;
  st->tasks = t;
  it_ready(t);
  return t;
}

void it_task_free(it_task *t) {
  if ((*t->link = t->next)) t->next->link = t->link;
  it_scope_free(t);
  it_timer_free(t->timer);
  free(t->cancelled);
  free(t->traceback);
  free(t->where);
  free(t);
}

/* Dead, nobody holds it, and its error (if any) was seen: then it goes. */
static void free_if_done(it_task *t) {
  if (!t->dead || t->refs || (t->failed && !t->observed)) return;
  luaL_unref(t->st->L, LUA_REGISTRYINDEX, t->ref);
  it_task_free(t);
}

void it_task_unref(it_task *t) {
  t->refs--;
  free_if_done(t);
}

/* Whoever asks does not count. */
static bool any_alive_since(const it_state *st, uint64_t mark, const it_task *asks) {
  for (const it_task *t = st->tasks; t; t = t->next)
    if (!t->dead && t->birth > mark && t != asks) return true;
  return false;
}

static void end(it_task *t, bool failed) {
  it_state *st = t->st;
  t->dead = true;
  t->failed = failed;
  t->pending = NULL;
  it_scope_free(t);
  if (t->cancelled) t->observed = true; /* it was told to end: how it did is no news */
  if (t->joiner) {
    it_op *joiner = t->joiner;
    t->joiner = NULL;
    if (!joiner->done) it_op_done(joiner);
  }
  if (st->drain && !any_alive_since(st, st->drain_mark, st->drain->task)) {
    it_op *drain = st->drain;
    st->drain = NULL;
    it_op_done(drain);
  }
  if (t->ended) t->ended(t, t->data);
  free_if_done(t);
}

static void switch_to(it_sched *s, it_state *st) {
  if (s->running == st) return;
  s->running = st;
  if (s->switched) s->switched(st);
}

void it_task_step(it_task *t) {
  it_state *st = t->st;
  it_sched *s = st->sched;
  it_task *outer = s->current;
  uint64_t busy = s->busy, idle = s->idle, from = it_now();
  int results, nargs = lua_status(t->co) == LUA_YIELD ? 0 : lua_gettop(t->co) - 1;
  lua_State *running = st->running;
  st->running = NULL;
  s->current = t;
  switch_to(s, st);
  it_task_beat(t);
  atomic_store_explicit(&s->beat->step_started, from, memory_order_relaxed);
  int status = lua_resume(t->co, NULL, nargs, &results);
  uint64_t now = it_now();
  s->current = outer;
  st->running = running;
  if (outer) switch_to(s, outer->st);
  /* What ran or waited inside (a nested wait steps others) was theirs, not this state's. */
  uint64_t own = now - from - (s->busy - busy) - (s->idle - idle);
  s->busy += own;
  st->busy += own;
  atomic_store_explicit(&s->beat->step_started, outer ? now : 0, memory_order_relaxed);
  if (outer) it_task_beat(outer);
  if (own > BLOCKED && s->blocked && s->states && s->states->next) s->blocked(st, own);
  if (status == LUA_YIELD) {
    lua_pop(t->co, results);
    /* Done or interrupted before it could yield; or a C library yielded for reasons of its own. */
    if (!t->pending || t->pending->done || it_task_interrupted(t)) it_ready(t);
    return;
  }
  bool ok = status == LUA_OK && lua_toboolean(t->co, 1);
  if (status != LUA_OK) { /* outside its pcall: no memory, or an error in an error */
    lua_pushboolean(t->co, 0);
    lua_insert(t->co, -2);
  }
  end(t, !ok);
}

void it_task_cancel(it_task *t, const char *why) {
  if (t->dead || t->cancelled) return;
  t->cancelled = it_strdup(why);
  t->cancelled_at = it_now();
  it_watchdog_start(t->st->sched); /* it may compute on instead of waiting */
  if (t == t->st->sched->current) it_task_beat(t);
  if (t->pending && it_task_interrupted(t)) it_ready(t);
}

/* ---- waiting for a task ---- */

typedef struct join_op {
  it_op op;
  it_task *task;
} join_op;

static int join_push(lua_State *L, it_op *op) {
  it_task *t = ((join_op *)op)->task;
  t->observed = true;
  int n = t->failed ? 2 : lua_gettop(t->co);
  luaL_checkstack(L, n + 1, "too many results");
  luaL_checkstack(t->co, n, "too many results");
  int first = lua_gettop(t->co) - n + 1;
  for (int i = 0; i < n; i++) lua_pushvalue(t->co, first + i); /* it may be joined again */
  lua_xmove(t->co, L, n);
  if (!t->failed) return n;
  lua_pushstring(L, t->traceback);
  return 3;
}

static bool join_cancel(it_op *op) {
  join_op *j = (join_op *)op;
  if (j->task->joiner == op) j->task->joiner = NULL;
  return true;
}

static void join_free(it_op *op) {
  it_task *t = ((join_op *)op)->task;
  free(op);
  if (t) it_task_unref(t);
}

static const it_op_class join_class = {"task.join", join_push, join_cancel, join_free};

int it_task_join(lua_State *L, it_task *t) {
  if (t == t->st->sched->current) it_usage(L, "a task cannot wait for itself");
  if (t->joiner) it_usage(L, "another task already waits for this one");
  join_op *j = it_op_new(L, sizeof *j, &join_class);
  j->task = t;
  t->refs++;
  it_op_detail(&j->op, "spawned at %s", t->where);
  if (t->dead) it_op_done(&j->op);
  else t->joiner = &j->op;
  return it_await(L, &j->op);
}

static int drain_push(lua_State *L, it_op *op) {
  (void)L;
  (void)op;
  return 0;
}

static bool drain_cancel(it_op *op) {
  if (op->st->drain == op) op->st->drain = NULL;
  return true;
}

static void drain_free(it_op *op) { free(op); }

static const it_op_class drain_class = {"task.drain", drain_push, drain_cancel, drain_free};

int it_task_drain(lua_State *L, uint64_t mark) {
  it_state *st = it_state_of(L);
  it_op *op = it_op_new(L, sizeof *op, &drain_class);
  st->drain_mark = mark;
  if (!any_alive_since(st, mark, st->sched->current)) it_op_done(op);
  else st->drain = op;
  return it_await(L, op);
}

/* The errors of tasks born after the mark that nobody has joined, in no order. */
int it_task_unjoined(lua_State *L) {
  const it_state *st = it_state_of(L);
  uint64_t mark = (uint64_t)luaL_checkinteger(L, 1);
  lua_newtable(L);
  for (const it_task *t = st->tasks; t; t = t->next) {
    if (!t->failed || t->observed || t->quiet || t->birth <= mark) continue;
    lua_pushvalue(t->co, -1);
    lua_xmove(t->co, L, 1);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  }
  return 1;
}

/* ---- waiting for whichever ends first ---- */

typedef struct first_op {
  it_op op;
  int count;
  it_task *tasks[];
} first_op;

static int first_push(lua_State *L, it_op *op) {
  const first_op *f = (first_op *)op;
  int i = 0;
  while (!f->tasks[i]->dead) i++;
  lua_pushinteger(L, i + 1);
  return 1;
}

static bool first_cancel(it_op *op) {
  (void)op;
  return true;
}

static void first_free(it_op *op) {
  first_op *f = (first_op *)op;
  for (int i = 0; i < f->count; i++) {
    if (f->tasks[i]->joiner == op) f->tasks[i]->joiner = NULL;
    it_task_unref(f->tasks[i]);
  }
  free(f);
}

static const it_op_class first_class = {"task.first", first_push, first_cancel, first_free};

int it_task_first(lua_State *L, int count) {
  for (int i = 1; i <= count; i++)
    if (it_task_check(L, i)->joiner) it_usage(L, "another task already waits for this one");
  first_op *f = it_op_new(L, sizeof *f + (size_t)count * sizeof *f->tasks, &first_class);
  bool ended = false;
  for (; f->count < count; f->count++) {
    it_task *t = f->tasks[f->count] = it_task_check(L, f->count + 1);
    t->refs++;
    if (!t->dead) t->joiner = &f->op;
    ended = ended || t->dead;
  }
  it_op_detail(&f->op, "%d tasks", count);
  if (ended) it_op_done(&f->op);
  return it_await(L, &f->op);
}

/* ---- the Lua handle ---- */

void it_task_push(lua_State *L, it_task *t) {
  it_task **box = lua_newuserdatauv(L, sizeof(it_task *), 0);
  *box = t;
  t->refs++;
  luaL_setmetatable(L, TASK_TYPE);
}

it_task *it_task_check(lua_State *L, int arg) {
  return *(it_task **)luaL_checkudata(L, arg, TASK_TYPE);
}

static int handle_gc(lua_State *L) {
  it_task **box = lua_touserdata(L, 1);
  if (*box && !it_state_of(L)->closing) it_task_unref(*box);
  *box = NULL;
  return 0;
}

static int handle_tostring(lua_State *L) {
  const it_task *t = it_task_check(L, 1);
  lua_pushfstring(L, "task spawned at %s (%s)", t->where,
                  t->failed ? "failed"
                  : t->dead ? "done"
                            : "running");
  return 1;
}

void it_task_register(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"__gc", handle_gc}, {"__tostring", handle_tostring}, {NULL, NULL}};
  luaL_newmetatable(L, TASK_TYPE);
  luaL_setfuncs(L, methods, 0);
  lua_pop(L, 1);
}
