/*
 * signals.c - SIGINT, SIGTERM and SIGHUP as something to wait for: `signal()` returns the name of the next one.
 *
 * The handler only wakes the loop. With `once` the second signal does what it does to any program: for when the process runs
 * code of its own that may never come back to the loop. Without it, one that comes a second or more after another that nobody
 * has taken does: what computes here then (a report's handler) would keep the process for ever.
 * `on_interrupt(task)` takes SIGINT away from all that: it cancels this task, also one that computes and does not wait.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "system.h"

static struct {
  it_res *res; /* the one watch of the process */
  uv_async_t wake;
  it_op *waiter;
  volatile sig_atomic_t count[3];
  sig_atomic_t seen[3];
  uint64_t untaken_since;         /* when the first came that nobody has taken */
  it_task *breaks;                /* SIGINT cancels it */
  volatile sig_atomic_t breaking; /* SIGINTs that it has not been told of */
  bool once, open;
} watch;

enum { PATIENCE = 3 }; /* as many SIGINTs that nothing came of end the program */
static const uint64_t NOTICE =
    1000000000u; /* nanoseconds to take a signal before the next one ends the program */

static const struct {
  int number;
  const char *name;
} signals[] = {{SIGINT, "SIGINT"}, {SIGTERM, "SIGTERM"}, {SIGHUP, "SIGHUP"}};

/* ---- SIGINT for one task ---- */

static void break_off(void) {
  it_task *t = watch.breaks;
  if (!t || !watch.breaking) return;
  watch.breaking = 0;
  it_task *current = t->st->sched->current;
  it_task_cancel(t, "interrupted");
  /* Something else may be what computes: a task that it has spawned. */
  if (current && current != t && !current->main && !current->pending)
    it_task_cancel(current, "interrupted");
}

/* Now nothing of Lua's is half done; the watchdog stops the task that was cancelled. */
static void break_hook(lua_State *L, lua_Debug *ar) {
  (void)ar;
  lua_sethook(L, NULL, 0, 0);
  break_off();
}

/* In the handler. False: nobody wants the signal. */
static bool caught_break(void) {
  if (!watch.breaks || ++watch.breaking > PATIENCE) return false;
  const it_sched *s = watch.breaks->st->sched;
  const it_task *t = s->polling ? NULL : s->current;
  if (t)
    lua_sethook(t->st->running ? t->st->running : t->co, break_hook,
                LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
  uv_async_send(&watch.wake);
  return true;
}

static bool pending(void) {
  for (size_t i = 0; i < 3; i++)
    if (watch.seen[i] != watch.count[i]) return true;
  return false;
}

/* In the handler: what the signal does to any program, once this handler has returned. */
static void end_by_default(int number) {
  for (size_t i = 0; i < 3; i++) signal(signals[i].number, SIG_DFL);
  raise(number);
}

static void caught(int number) {
  if (number == SIGINT && watch.open && watch.breaks) {
    if (!caught_break()) end_by_default(number);
    return;
  }
  uint64_t now = it_now();
  if (!pending()) watch.untaken_since = now;
  else if (now - watch.untaken_since >= NOTICE) {
    end_by_default(number);
    return;
  }
  for (size_t i = 0; i < 3; i++)
    if (signals[i].number == number) watch.count[i]++;
  if (watch.once)
    for (size_t i = 0; i < 3; i++) signal(signals[i].number, SIG_DFL);
  if (watch.open) uv_async_send(&watch.wake);
}

static void install(void (*handler)(int)) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  for (size_t i = 0; i < 3; i++) sigaction(signals[i].number, &action, NULL);
}

static const char *next_signal(void) {
  for (size_t i = 0; i < 3; i++)
    if (watch.seen[i] != watch.count[i]) {
      watch.seen[i]++;
      return signals[i].name;
    }
  return NULL;
}

static void woken(uv_async_t *handle) {
  (void)handle;
  break_off();
  it_op *op = watch.waiter;
  if (!op || !pending()) return;
  watch.waiter = NULL;
  it_op_done(op);
}

static int signal_push(lua_State *L, it_op *op) {
  (void)op;
  lua_pushstring(L, next_signal());
  return 1;
}

static bool signal_cancel(it_op *op) {
  if (watch.waiter == op) watch.waiter = NULL;
  return true;
}

static void signal_free(it_op *op) { free(op); }

static const it_op_class signal_class = {"signal", signal_push, signal_cancel, signal_free};

/* ---- the watch is a resource of the state that asked first --------------------------------------------------------- */

static void wake_closed(uv_handle_t *handle) {
  it_res *res = handle->data;
  it_drop(res->st);
  it_res_unref(res);
}

static void let_go_of_task(void) {
  it_task *t = watch.breaks;
  watch.breaks = NULL;
  watch.breaking = 0;
  if (t) it_task_unref(t);
}

/* on_interrupt(task | nil) */
static int l_on_interrupt(lua_State *L) {
  it_task *t = lua_isnoneornil(L, 1) ? NULL : it_task_check(L, 1);
  let_go_of_task();
  if (t) t->refs++;
  watch.breaks = t;
  return 0;
}

static void close_watch(it_res *res) {
  install(SIG_DFL);
  let_go_of_task();
  watch.open = false;
  watch.wake.data = res;
  uv_close((uv_handle_t *)&watch.wake, wake_closed);
  watch.res = NULL;
}

static void free_watch(it_res *res) { free(res); }

static const it_res_class watch_class = {"itlua.signals", close_watch, free_watch, true};

/* watch_signals(once) -> the watch; keep it */
static int l_watch_signals(lua_State *L) {
  if (watch.res) it_usage(L, "signals are watched already");
  it_res *res = it_res_new(L, sizeof *res, &watch_class);
  watch.once = lua_toboolean(L, 1);
  uv_async_init(it_loop(res->st), &watch.wake, woken);
  uv_unref((uv_handle_t *)&watch.wake);
  it_hold(res->st);
  it_res_ref(res); /* the handle's */
  watch.res = res;
  watch.open = true;
  it_res_open(res, "signals");
  install(caught);
  return 1;
}

/* signal() -> "SIGINT" | "SIGTERM" | "SIGHUP" */
static int l_signal(lua_State *L) {
  it_op *op = it_op_new(L, sizeof *op, &signal_class);
  watch.waiter = op;
  woken(NULL);
  return it_await(L, op);
}

/* end_by(name): ends this process as the signal would have */
static int l_end_by(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  fflush(NULL);
  for (size_t i = 0; i < 3; i++)
    if (strcmp(signals[i].name, name) == 0) {
      signal(signals[i].number, SIG_DFL);
      kill(getpid(), signals[i].number);
    }
  return 0;
}

void it_signals_open(lua_State *L) {
  static const luaL_Reg functions[] = {{"watch_signals", l_watch_signals},
                                       {"signal", l_signal},
                                       {"on_interrupt", l_on_interrupt},
                                       {"end_by", l_end_by},
                                       {NULL, NULL}};
  it_res_register(L, &watch_class, NULL);
  luaL_setfuncs(L, functions, 0);
}
