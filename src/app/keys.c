/*
 * keys.c - the keys of a terminal as they are pressed, for --watch: `keys()` takes the terminal out of line mode and does
 * not echo, `next()` waits for what is typed. Ctrl-C and Ctrl-Z stay signals.
 *
 * How the terminal was is restored when the resource is closed, at exit, and when the process is stopped and goes on the
 * settings are made again.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "system.h"

typedef struct keys {
  it_res res;
  it_watch *watch;
  it_op *waiter;
  char typed[256];
  size_t size;
  bool ended;
} keys;

static struct {
  struct termios before, ours;
  struct sigaction continued;
  volatile sig_atomic_t changed;
} terminal;

static void restore(void) {
  if (!terminal.changed) return;
  terminal.changed = 0;
  tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal.before);
}

static void continued(int number) {
  (void)number;
  int why = errno;
  if (terminal.changed) tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal.ours);
  errno = why;
}

static bool take_over(void) {
  static bool registered;
  if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &terminal.before) != 0) return false;
  terminal.ours = terminal.before;
  terminal.ours.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
  terminal.ours.c_cc[VMIN] = 1;
  terminal.ours.c_cc[VTIME] = 0;
  if (tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal.ours) != 0) return false;
  terminal.changed = 1;
  if (!registered) atexit(restore);
  registered = true;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = continued;
  action.sa_flags = SA_RESTART;
  sigaction(SIGCONT, &action, &terminal.continued);
  return true;
}

/* ---- what is typed ---------------------------------------------------------------------------------------------------- */

static void readable(void *data, int events) {
  keys *k = data;
  (void)events;
  ssize_t n = read(STDIN_FILENO, k->typed, sizeof k->typed);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n > 0) k->size = (size_t)n;
  else k->ended = true;
  it_watch_set(k->watch, 0);
  it_op *op = k->waiter;
  k->waiter = NULL;
  if (op) it_op_done(op);
}

typedef struct key_op {
  it_op op;
  keys *keys;
} key_op;

static int key_push(lua_State *L, it_op *op) {
  keys *k = ((key_op *)op)->keys;
  if (k->size == 0) lua_pushnil(L);
  else lua_pushlstring(L, k->typed, k->size);
  k->size = 0;
  return 1;
}

static bool key_cancel(it_op *op) {
  keys *k = ((key_op *)op)->keys;
  if (k->waiter == op) k->waiter = NULL;
  if (k->watch) it_watch_set(k->watch, 0);
  return true;
}

static void key_free(it_op *op) {
  it_res_unref(&((key_op *)op)->keys->res);
  free(op);
}

static const it_op_class key_class = {"keys.next", key_push, key_cancel, key_free};

static const it_res_class keys_class;

/* next() -> the bytes of what was typed, nil when the terminal is gone */
static int l_next(lua_State *L) {
  keys *k = it_res_check(L, 1, &keys_class);
  key_op *o = it_op_new(L, sizeof *o, &key_class);
  o->keys = k;
  it_res_ref(&k->res);
  if (k->size > 0 || k->ended) {
    it_op_done(&o->op);
  } else {
    k->waiter = &o->op;
    it_watch_set(k->watch, IT_READ);
  }
  return it_await(L, &o->op);
}

static void close_keys(it_res *res) {
  keys *k = (keys *)res;
  it_watch_free(k->watch);
  k->watch = NULL;
  sigaction(SIGCONT, &terminal.continued, NULL);
  restore();
}

static void free_keys(it_res *res) { free(res); }

static const it_res_class keys_class = {"itlua.keys", close_keys, free_keys, true};

/* keys() -> the keys, nil when the standard input is no terminal (or another one holds it) */
static int l_keys(lua_State *L) {
  if (terminal.changed) it_usage(L, "the keys are taken already");
  keys *k = it_res_new(L, sizeof *k, &keys_class);
  if (!take_over()) return lua_pushnil(L), 1;
  k->watch = it_watch_new(k->res.st, STDIN_FILENO, readable, k);
  it_res_open(&k->res, "keys");
  if (k->watch) return 1;
  it_res_close(&k->res);
  return lua_pushnil(L), 1;
}

void it_keys_open(lua_State *L) {
  static const luaL_Reg methods[] = {{"next", l_next}, {NULL, NULL}};
  it_res_register(L, &keys_class, methods);
  lua_pushcfunction(L, l_keys);
  lua_setfield(L, -2, "keys");
}
