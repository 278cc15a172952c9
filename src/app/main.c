/*
 * main.c - the program: a worker, when a supervisor started it as one; else the command line, which is Lua (lua/itlua/cli).
 *
 * The command line runs as the main task of a state of its own; the integer that its main returns is the exit code.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "embed.h"
#include "ipc.h"
#include "system.h"

#ifndef ITLUA_VERSION /* a tool that looks at this file alone */
#define ITLUA_VERSION "unknown"
#endif

const char *const it_version = ITLUA_VERSION;

static const double CLEANUP = 5; /* seconds for what a script left running */

static volatile sig_atomic_t stays;
void it_stay_without_reader(void) { stays = 1; }

/* A worker that died while something was sent to it is the supervisor's business; whoever read the output and went away
 * (`itlua | head`) ends the program as usual. A handler, unlike SIG_IGN, does not outlive an exec. */
static void broken_pipe(int number) {
  if (stays) return; /* there are other reports to write */
  struct pollfd out = {STDOUT_FILENO, POLLOUT, 0};
  if (poll(&out, 1, 0) < 1 || !(out.revents & POLLERR)) return;
  signal(number, SIG_DFL);
  raise(number);
}

static void ended(it_task *t, void *data) {
  int *code = data;
  if (!t->failed) *code = (int)lua_tointeger(t->co, 2);
}

static int describe(lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  return 1;
}

/* The command line's own Lua failed: a bug of ours. */
static void print_failure(it_state *st, it_task *t) {
  lua_State *L = it_state_lua(st);
  lua_pushcfunction(L, describe);
  lua_pushvalue(t->co, -1);
  lua_xmove(t->co, L, 1);
  lua_pcall(L, 1, 1, 0);
  fflush(stdout);
  fprintf(stderr, "itlua: %s\n%s\n", lua_tostring(L, -1), t->traceback ? t->traceback : "");
  t->observed = true;
}

static int import_main(lua_State *L) {
  it_import(L, "itlua.cli");
  lua_getfield(L, -1, "main");
  return 1;
}

static int run(it_sched *sched, it_state *st, int argc, char **argv) {
  lua_State *L = it_state_lua(st);
  int code = 2;
  lua_pushcfunction(L, import_main);
  if (lua_pcall(L, 0, 1, 0) != LUA_OK) {
    fprintf(stderr, "itlua: %s\n", lua_tostring(L, -1));
    return 2;
  }
  lua_createtable(L, argc, 1);
  for (int i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i);
  }
  it_task *t = it_spawn(L, 1);
  t->refs++;
  t->ended = ended;
  t->data = &code;
  while (!t->dead) {
    bool alive = it_turn(sched);
    it_local_tend();
    if (alive || t->dead) continue;
    it_task_cancel(t, "deadlock: nothing is left that could end this wait");
    if (!sched->ready) break;
  }
  if (t->failed) print_failure(st, t);
  return code;
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], IT_WORKER_ARGUMENT) == 0) return it_worker_main();
  signal(SIGPIPE, broken_pipe);
  it_sched sched;
  it_sched_open(&sched, &it_program);
  it_state *st = it_state_new(&sched, "itlua");
  int code = run(&sched, st, argc, argv);
  it_state_close(st, CLEANUP);
  if (it_sched_close(&sched) != 0 && code == 0) code = 4;
  return code;
}
