/*
 * core.h - the scheduler's own header, for src/core and src/app. Bindings use include/itlua.h.
 *
 * One process has one it_sched: an event loop and a queue of ready tasks. An it_state is one spec file's or script's world:
 * a lua_State with its tasks, resources and timeline. An it_task is one coroutine with at most one pending operation, its
 * deadline scopes and its fate. Lua runs in it_task_step() and nowhere else.
 */
#ifndef ITLUA_CORE_H
#define ITLUA_CORE_H

#include <stdatomic.h>
#include <uv.h>

#include "itlua.h"

/* What a supervisor reads from outside to see that a step is stuck. Times are it_now(); 0 is none. */
typedef struct it_beat {
  _Atomic uint64_t step_started; /* when Lua was entered last; 0 while the loop waits */
  _Atomic uint64_t deadline;     /* of the running task */
} it_beat;

/* What the core asks of the program around it: where Lua modules and bindings come from. Both may raise. */
typedef struct it_host {
  bool (*load)(lua_State *L, const char *module); /* pushes the compiled chunk, or returns false */
  lua_CFunction (*open)(lua_State *L,
                        const char *module); /* a binding's luaopen_, NULL when unknown */
} it_host;

typedef struct it_sched {
  uv_loop_t loop;
  const it_host *host;
  it_beat *beat; /* never NULL; the app may point it into shared memory */
  it_beat own_beat;
  void (*blocked)(it_state *st,
                  uint64_t nanoseconds); /* a step held the thread while others existed, or NULL */
  void (*switched)(it_state *st);        /* another state's Lua is about to run, or NULL */
  it_state *running;                     /* whose Lua ran last */
  it_task *ready, **ready_tail;
  it_task *current;
  it_state *states;
  uint64_t polled;     /* when the loop last looked for events */
  bool ticking;        /* in a timer's callback */
  uint64_t busy, idle; /* nanoseconds spent in Lua, and waiting inside nested waits */
  unsigned depth, steps;
  bool polling; /* libuv is running, not Lua */
} it_sched;

/* A span of time that a task may take, and whether what is outside is felt inside. */
typedef struct it_scope {
  struct it_scope *outer;
  int id;
  uint64_t start, limit,
      stolen;    /* limit 0: none; stolen: from the state by others, when it began */
  uint64_t held; /* the state's, when it began */
  bool shield, expired;
} it_scope;

struct it_task {
  it_state *st;
  lua_State *co;
  int ref; /* keeps co in the registry */
  it_op *pending;
  it_op *joiner;
  it_scope *scopes;
  it_timer *timer;
  uint64_t armed;  /* when the timer fires, 0 when it is not set */
  char *cancelled; /* why, when it was */
  uint64_t cancelled_at;
  uint64_t stopped_at; /* of a busy loop: when it was first given an error, 0 when it was not */
  char *traceback;     /* of the error that ended it */
  char *where;         /* who spawned it */
  uint64_t birth;
  it_task *next_ready;
  it_task *next, **link; /* the state's tasks */
  void (*ended)(it_task *t, void *data);
  void *data;
  int nested; /* its nested waits on the C stack */
  int refs;   /* Lua handles, joins, the app */
  bool queued, dead, failed, observed, main, quiet;
  bool silent; /* what it waits for is in no timeline */
  bool unheld; /* its deadlines go on while the others' are held */
};

/* One line of the timeline. */
typedef struct it_span {
  uint64_t serial, at, duration;
  uint64_t task; /* birth of the task that began it, while it is open */
  const char *what;
  char *detail, *outcome;
  bool open;
  bool data; /* a Lua value goes with it */
} it_span;

enum { IT_SPANS = 1024, IT_SPANS_WITH_DATA = 256, IT_NESTED_MAX = 8 };

typedef struct it_pool it_pool;
struct it_state {
  lua_State *L;
  lua_State *running; /* the user's coroutine that runs, NULL in a task's own */
  lua_State *hooked;  /* whose own hook gave way to ours */
  lua_Hook users_hook;
  int users_mask, users_count;
  it_pool *pool;
  it_sched *sched;
  char *name;
  it_state *next, **link;
  it_task *tasks;
  it_res *resources;
  it_op *drain; /* waits until every task born after drain_mark has ended */
  uint64_t drain_mark;
  uint64_t serial, busy;
  uint64_t held,
      held_since; /* how long deadlines were held, and since when they are; 0: they are not */
  int holds, scope_ids;
  it_span *spans; /* a ring of IT_SPANS */
  unsigned span_count;
  bool begun, closing, gc_stress;
  bool warns, warning; /* warn("@on"); in the middle of one */
};

/* loop.c */
void it_sched_open(it_sched *s, const it_host *host);
/* One turn: steps a ready task, or waits for the loop. False when nothing can ever happen again. */
bool it_turn(it_sched *s);
/* Turns until the task has ended; when nothing can happen any more it is cancelled as a deadlock. */
void it_run_until_ended(it_sched *s, it_task *t);
/* 0, or libuv's error when a handle was left open (it prints which). Every state must be closed. */
int it_sched_close(it_sched *s);
void it_ready(it_task *t);
bool it_wait_nested(it_sched *s); /* one turn from inside a wait; false as it_turn */

/* pool.c: a state's Lua memory */
lua_State *it_pool_state(
    it_pool **pool); /* a lua_State, or NULL; *pool stays as it is where malloc is used */
void it_pool_free(it_pool *pool); /* after lua_close; NULL is fine */

/* state.c */
it_state *it_state_new(it_sched *s, const char *name);
lua_State *it_state_lua(it_state *st);
/* Cancels what still runs, gives it `budget` seconds to clean up, closes resources, frees everything. */
void it_state_close(it_state *st, double budget);

/* modules.c: pushes our module `name`, loaded once a state in the private environment; raises when there is none */
void it_import(lua_State *L, const char *name);
void it_modules_open(lua_State *L);

/* library.c: what the standard library does differently under a scheduler */
void it_library_warn(void *state, const char *text, int more); /* lua_WarnFunction, as lauxlib's */
void it_library_open(lua_State *L);

/* core_lua.c: require "itlua.core" */
int it_luaopen_core(lua_State *L);

/* task.c */
/* A task that calls the function below its `nargs` arguments on top of L (both popped). A state's first is its main task. */
it_task *it_spawn(lua_State *L, int nargs);
void it_task_step(it_task *t);
void it_task_cancel(it_task *t, const char *why);
void it_task_unref(it_task *t);
void it_task_free(it_task *t); /* whatever its fate: the state closes */
void it_task_register(lua_State *L);
it_task *it_task_check(lua_State *L, int arg);
void it_task_push(lua_State *L, it_task *t); /* a Lua handle of it */
int it_task_join(
    lua_State *L,
    it_task *t); /* return it_task_join(…): true, results… or false, error, traceback */
int it_task_first(lua_State *L,
                  int count); /* return it_task_first(…): which of the handles at 1…count ended */
/* Lua functions: on_fault(fn | nil), unjoined(mark) */
int it_task_on_fault(lua_State *L);
int it_task_unjoined(lua_State *L);
int it_task_drain(
    lua_State *L,
    uint64_t mark); /* return it_task_drain(…): when no task born after `mark` is alive */

/* deadline.c */
int it_scope_enter(it_task *t, double seconds, bool shield);
bool it_scope_leave(it_task *t, int id); /* with every scope inside it; whether it had expired */
void it_scope_free(it_task *t);
bool it_task_interrupted(const it_task *t);
/* Pushes the error that says why the task may not go on: its expired scope or its cancellation, and what it waited for. */
void it_task_push_interruption(lua_State *L, const it_task *t, const it_op *op);
/* Stops the clock of every deadline of the state but those of `t` and what it spawns, or lets them go on. */
void it_scopes_hold(it_task *t, bool on);
uint64_t it_scopes_held(
    const it_task *t);               /* for how many nanoseconds the task's stood still, ever */
void it_task_beat(const it_task *t); /* publishes its deadline */
void it_hook_interrupt(
    it_task *t); /* what it computes is stopped soon; safe in a signal's handler */

/* watchdog.c: calls it_hook_interrupt when a step has run past its deadline */
void it_watchdog_start(it_sched *s);
void it_watchdog_stop(it_sched *s);

/* watch.c */
void it_timer_unref(it_timer *t); /* it fires, but keeps no loop alive */

/* op.c */
void it_op_register(lua_State *L);

/* span.c */
/* Takes the texts. Returns its serial number. */
uint64_t it_span_record(it_state *st, const char *what, uint64_t at, char *detail, char *outcome);
void it_span_keep(lua_State *L, it_state *st,
                  uint64_t serial); /* its data: the value on top, popped */
bool it_span_data(lua_State *L, const it_state *st,
                  uint64_t serial); /* pushes it where it is there */
void it_span_outcome(it_state *st, uint64_t serial, char *outcome); /* takes the text */
void it_span_forget_data(lua_State *L, it_state *st);
uint64_t it_span_begin(it_state *st, const char *what, const char *detail);
void it_span_end(it_state *st, uint64_t serial, const char *outcome);
int it_span_push(lua_State *L, it_state *st, uint64_t since);
/* What each task born after `since` waits for, and the main one. */
int it_span_push_waits(lua_State *L, it_state *st, uint64_t since, bool with_main);
void it_span_free(it_state *st);

/* error.c */
void it_error_register(lua_State *L);
const char *it_error_kind(lua_State *L, int idx); /* NULL when it is no error object */

/* lease.c: lease(label [, swept]) -> userdata with close() and ended() */
void it_lease_register(lua_State *L);
int it_lease_new(lua_State *L);

/* bell.c: bell() -> userdata with wait() and ring() */
void it_bell_register(lua_State *L);
int it_bell_new(lua_State *L);

/* res.c */
uint64_t it_birth(it_state *st); /* the serial that what the running task makes belongs to */

#endif
