/*
 * signals.c - SIGINT, SIGTERM and SIGHUP as something to wait for: `signal()` returns the name of the next one.
 *
 * The handler only wakes the loop. With `once` the second signal does what it does to any program: for when the process runs
 * code of its own that may never come back to the loop.
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
  bool once, open;
} watch;

static const struct {
  int number;
  const char *name;
} signals[] = {{SIGINT, "SIGINT"}, {SIGTERM, "SIGTERM"}, {SIGHUP, "SIGHUP"}};

static void caught(int number) {
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

static bool pending(void) {
  for (size_t i = 0; i < 3; i++)
    if (watch.seen[i] != watch.count[i]) return true;
  return false;
}

static void woken(uv_async_t *handle) {
  (void)handle;
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

static void close_watch(it_res *res) {
  install(SIG_DFL);
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
  static const luaL_Reg functions[] = {
      {"watch_signals", l_watch_signals}, {"signal", l_signal}, {"end_by", l_end_by}, {NULL, NULL}};
  it_res_register(L, &watch_class, NULL);
  luaL_setfuncs(L, functions, 0);
}
