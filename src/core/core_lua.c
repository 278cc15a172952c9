/*
 * core_lua.c - require "itlua.core": the scheduler as our Lua modules see it. Public modules build on it; specs use those.
 */
#include <stdlib.h>
#include <time.h>

#include "core.h"

static it_task *running(lua_State *L) {
  it_state *st = it_state_of(L);
  it_task *t = st->sched->current;
  if (!t || t->st != st) it_usage(L, "this needs a running task");
  return t;
}

/* ---- time ---- */

typedef struct sleep_op {
  it_op op;
  it_timer *timer;
  uint64_t until;
} sleep_op;

/* libuv counts whole milliseconds: its timers may be early by a part of one. */
static void sleep_over(void *data) {
  sleep_op *s = data;
  if (it_now() < s->until) it_timer_set(s->timer, 1);
  else it_op_done(&s->op);
}

static int sleep_push(lua_State *L, it_op *op) {
  (void)L, (void)op;
  return 0;
}

static bool sleep_cancel(it_op *op) {
  (void)op;
  return true;
}

static void sleep_free(it_op *op) {
  it_timer_free(((sleep_op *)op)->timer);
  free(op);
}

static const it_op_class sleep_class = {"sleep", sleep_push, sleep_cancel, sleep_free};

/* sleep(seconds) */
static int l_sleep(lua_State *L) {
  lua_Number seconds = luaL_checknumber(L, 1);
  if (!(seconds >= 0)) it_usage(L, "cannot sleep for %f seconds", seconds);
  sleep_op *s = it_op_new(L, sizeof *s, &sleep_class);
  s->timer = it_timer_new(s->op.st, sleep_over, s);
  it_op_detail(&s->op, "%.6g s", seconds);
  s->until = seconds < 1e9 ? it_now() + (uint64_t)(seconds * 1e9) : 0;
  it_timer_set(s->timer, seconds < 1e12 ? (int64_t)(seconds * 1000 + 0.5) : INT64_MAX / 2);
  return it_await(L, &s->op);
}

/* breathe(): where much is computed without a wait, lets the loop and the other tasks have a turn now and then */
static int l_breathe(lua_State *L) {
  if (it_now() - it_state_of(L)->sched->polled < 5000000 /* nanoseconds */) return 0;
  sleep_op *s = it_op_new(L, sizeof *s, &sleep_class);
  s->timer = it_timer_new(s->op.st, sleep_over, s);
  it_timer_set(s->timer, 0);
  return it_await(L, &s->op);
}

/* now() -> seconds on the monotonic clock */
static int l_now(lua_State *L) {
  lua_pushnumber(L, (lua_Number)it_now() / 1e9);
  return 1;
}

/* clock() -> seconds since 1970 */
static int l_clock(lua_State *L) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  lua_pushnumber(L, (lua_Number)t.tv_sec + (lua_Number)t.tv_nsec / 1e9);
  return 1;
}

/* ---- tasks ---- */

static int spawn(lua_State *L, bool quiet) {
  luaL_checkany(L, 1);
  it_task *t = it_spawn(L, lua_gettop(L) - 1);
  t->quiet = quiet;
  it_task_push(L, t);
  return 1;
}

/* spawn(fn, …) -> task */
static int l_spawn(lua_State *L) { return spawn(L, false); }

/* daemon(fn, …) -> task: a resource's own loop; never named as left over, and its error is its own affair */
static int l_daemon(lua_State *L) { return spawn(L, true); }

/* join(task) -> true, results… | false, error, traceback */
static int l_join(lua_State *L) { return it_task_join(L, it_task_check(L, 1)); }

/* first(task, …) -> index of one that has ended */
static int l_first(lua_State *L) {
  luaL_checkany(L, 1);
  return it_task_first(L, lua_gettop(L));
}

/* cancel(task [, why]) */
static int l_cancel(lua_State *L) {
  it_task_cancel(it_task_check(L, 1), luaL_optstring(L, 2, "cancelled"));
  return 0;
}

/* status(task) -> "running" | "done" | "failed" */
static int l_status(lua_State *L) {
  const it_task *t = it_task_check(L, 1);
  lua_pushstring(L, t->failed ? "failed" : t->dead ? "done" : "running");
  return 1;
}

/* ---- deadlines ---- */

/* enter(seconds | nil [, shield]) -> scope */
static int l_enter(lua_State *L) {
  lua_Number seconds = luaL_optnumber(L, 1, 0);
  lua_pushinteger(L, it_scope_enter(running(L), seconds, lua_toboolean(L, 2)));
  return 1;
}

/* leave(scope) -> expired */
static int l_leave(lua_State *L) {
  lua_pushboolean(L, it_scope_leave(running(L), (int)luaL_checkinteger(L, 1)));
  return 1;
}

/* hold(on): deadlines stand still, but those of this task and what it spawns */
static int l_hold(lua_State *L) {
  it_scopes_hold(running(L), lua_toboolean(L, 1));
  return 0;
}

/* held() -> for how many seconds this task's deadlines ever stood still */
static int l_held(lua_State *L) {
  lua_pushnumber(L, (lua_Number)it_scopes_held(running(L)) / 1e9);
  return 1;
}

/* ---- what was left over ---- */

/* mark() -> number */
static int l_mark(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)it_state_of(L)->serial);
  return 1;
}

static void push_leftover(lua_State *L, const char *kind, const char *label, const char *where) {
  lua_createtable(L, 0, 4);
  lua_pushstring(L, kind);
  lua_setfield(L, -2, "kind");
  lua_pushstring(L, label);
  lua_setfield(L, -2, "label");
  lua_pushstring(L, where);
  lua_setfield(L, -2, "where");
}

/* Appends to the list on top; what is quiet is ended without a word. */
static bool end_tasks_since(lua_State *L, it_state *st, uint64_t mark) {
  bool alive = false;
  for (it_task *t = st->tasks; t; t = t->next) {
    if (t->birth <= mark || t == st->sched->current) continue;
    if (t->dead) {
      if (!t->failed || t->observed) continue;
      t->observed = true;
      if (t->quiet) continue;
      push_leftover(L, "error", "task", t->where);
      lua_pushvalue(t->co, -1);
      lua_xmove(t->co, L, 1);
      lua_setfield(L, -2, "error");
      lua_pushstring(L, t->traceback);
      lua_setfield(L, -2, "traceback");
    } else {
      alive = true;
      bool known = t->quiet || t->cancelled; /* told to end already: it just has not yet */
      if (!known) push_leftover(L, "task", t->pending ? t->pending->cls->name : "task", t->where);
      it_task_cancel(t, "its test has ended");
      if (known) continue;
    }
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  }
  return alive;
}

static int drained(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  (void)ctx;
  lua_settop(L, 2);
  return 1;
}

static int l_drain(lua_State *L) { return it_task_drain(L, (uint64_t)luaL_checkinteger(L, 1)); }

/* sweep(mark) -> list of {kind = "task" | "resource" | "error", label, where [, error, traceback]} */
static int l_sweep(lua_State *L) {
  it_state *st = it_state_of(L);
  uint64_t mark = (uint64_t)luaL_checkinteger(L, 1);
  lua_settop(L, 1);
  lua_newtable(L);
  if (st->serial == mark) return 1;
  bool alive = end_tasks_since(L, st, mark);
  for (it_res *res = st->resources, *next; res; res = next) {
    next = res->next;
    if (res->serial <= mark || res->cls->quiet == true) continue;
    if (res->cls->quiet != IT_SWEPT) {
      push_leftover(L, "resource", res->label, res->where);
      lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    }
    it_res_close(res);
    next = st->resources; /* closing one may have closed others */
  }
  if (!alive) return 1;
  lua_pushcfunction(L, l_drain);
  lua_pushvalue(L, 1);
  lua_callk(L, 1, 0, 0, drained);
  return drained(L, LUA_OK, 0);
}

/* ---- timeline ---- */

/* silence(on) -> whether it was on: what the running task and those it spawns wait for is in no timeline. For waits that try
 * again and again: the ring is small. */
static int l_silence(lua_State *L) {
  it_task *t = running(L);
  lua_pushboolean(L, t->silent);
  t->silent = lua_toboolean(L, 1);
  return 1;
}

/* span(what [, detail [, data]]) -> number. The data is kept as it is, and may be filled later. */
static int l_span(lua_State *L) {
  const char *what = luaL_checkstring(L, 1), *detail = luaL_optstring(L, 2, NULL);
  it_state *st = it_state_of(L);
  const it_task *t = st->sched->current;
  uint64_t serial = t && t->silent ? 0 : it_span_begin(st, what, detail);
  if (serial && !lua_isnoneornil(L, 3)) {
    lua_settop(L, 3);
    it_span_keep(L, st, serial);
  }
  lua_pushinteger(L, (lua_Integer)serial);
  return 1;
}

/* span_end(number [, outcome [, data]]) */
static int l_span_end(lua_State *L) {
  it_state *st = it_state_of(L);
  uint64_t serial = (uint64_t)luaL_checkinteger(L, 1);
  it_span_end(st, serial, luaL_optstring(L, 2, NULL));
  if (serial && !lua_isnoneornil(L, 3)) {
    lua_settop(L, 3);
    it_span_keep(L, st, serial);
  }
  return 0;
}

/* forget_data(): that of spans so far. A test begins, and nobody will ask for what the last one sent and got. */
static int l_forget_data(lua_State *L) {
  it_span_forget_data(L, it_state_of(L));
  return 0;
}

/* timeline([mark]) -> array of {at, seconds, what, detail, outcome, data}, those begun after the mark */
static int l_timeline(lua_State *L) {
  return it_span_push(L, it_state_of(L), (uint64_t)luaL_optinteger(L, 1, 0));
}

/* waits([mark [, main]]) -> array of {what, detail, seconds, spawned, where}: what each task born after the mark waits for,
 * and the main one if that is wanted */
static int l_waits(lua_State *L) {
  return it_span_push_waits(L, it_state_of(L), (uint64_t)luaL_optinteger(L, 1, 0),
                            lua_toboolean(L, 2));
}

/* ---- errors ---- */

/* error_new(kind, code | nil, message [, fields]) -> error object */
static int l_error_new(lua_State *L) {
  const char *kind = luaL_checkstring(L, 1), *code = luaL_optstring(L, 2, NULL),
             *message = luaL_checkstring(L, 3);
  it_error_push(L, kind, code, "%s", message);
  if (!lua_istable(L, 4)) return 1;
  lua_pushnil(L);
  while (lua_next(L, 4)) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_settable(L, -4);
  }
  return 1;
}

/* raise(kind, code | nil, message [, fields]) */
static int l_raise(lua_State *L) {
  l_error_new(L);
  it_error_throw(L);
}

/* is_error(value) -> kind | nil */
static int l_is_error(lua_State *L) {
  luaL_checkany(L, 1);
  lua_pushstring(L, it_error_kind(L, 1));
  return 1;
}

/* where() -> "file:line" of the innermost function that is not ours */
static int l_where(lua_State *L) {
  it_where(L);
  return 1;
}

/* frame(level) -> function, line: one of the running coroutine's; level 1 is the caller. Nothing above the stack. As
 * debug.getinfo, without a table for each answer: the spec engine asks at every declaration. */
static int l_frame(lua_State *L) {
  lua_Debug ar;
  if (!lua_getstack(L, (int)luaL_checkinteger(L, 1), &ar)) return 0;
  lua_getinfo(L, "fl", &ar);
  lua_pushinteger(L, ar.currentline);
  return 2;
}

/* last_line(function) -> the last line of its source, -1 for a C function */
static int l_last_line(lua_State *L) {
  lua_Debug ar;
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_getinfo(L, ">S", &ar);
  lua_pushinteger(L, ar.lastlinedefined);
  return 1;
}

/* usage(message): a plain error with the caller's position */
static int l_usage(lua_State *L) { it_usage(L, "%s", luaL_checkstring(L, 1)); }

/* globals() -> the user's _G */
static int l_globals(lua_State *L) {
  lua_pushglobaltable(L);
  return 1;
}

/* environment() -> the environment of our own modules */
static int l_environment(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, "itlua.environment");
  return 1;
}

int it_luaopen_core(lua_State *L) {
  static const luaL_Reg functions[] = {{"sleep", l_sleep},
                                       {"breathe", l_breathe},
                                       {"now", l_now},
                                       {"clock", l_clock},
                                       {"spawn", l_spawn},
                                       {"daemon", l_daemon},
                                       {"join", l_join},
                                       {"first", l_first},
                                       {"cancel", l_cancel},
                                       {"status", l_status},
                                       {"enter", l_enter},
                                       {"leave", l_leave},
                                       {"hold", l_hold},
                                       {"held", l_held},
                                       {"on_fault", it_task_on_fault},
                                       {"unjoined", it_task_unjoined},
                                       {"mark", l_mark},
                                       {"sweep", l_sweep},
                                       {"lease", it_lease_new},
                                       {"bell", it_bell_new},
                                       {"silence", l_silence},
                                       {"span", l_span},
                                       {"span_end", l_span_end},
                                       {"timeline", l_timeline},
                                       {"forget_data", l_forget_data},
                                       {"waits", l_waits},
                                       {"error_new", l_error_new},
                                       {"raise", l_raise},
                                       {"is_error", l_is_error},
                                       {"where", l_where},
                                       {"frame", l_frame},
                                       {"last_line", l_last_line},
                                       {"usage", l_usage},
                                       {"globals", l_globals},
                                       {"environment", l_environment},
                                       {NULL, NULL}};
  luaL_newlib(L, functions);
  it_push_null(L);
  lua_setfield(L, -2, "null");
  lua_getglobal(L, "require");
  lua_setfield(L, -2, "user_require");
  lua_getglobal(L, "debug");
  lua_getfield(L, -1, "traceback");
  lua_setfield(L, -3, "traceback");
  lua_pop(L, 1);
  return 1;
}
