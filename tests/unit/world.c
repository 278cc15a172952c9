/* world.c - see world.h. Our Lua modules are loaded from lua/, so tests run in the project's folder. */
#include "world.h"

#include <lualib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool load(lua_State *L, const char *module) {
  static char text[1 << 20];
  char path[256], chunk[256];
  snprintf(path, sizeof path, "lua/%s", module);
  for (char *p = path; *p; p++)
    if (*p == '.') *p = '/';
  strncat(path, ".lua", sizeof path - strlen(path) - 1);
  FILE *f = fopen(path, "rb");
  if (!f) return false;
  size_t size = fread(text, 1, sizeof text, f);
  fclose(f);
  snprintf(chunk, sizeof chunk, "=itlua:%s", module + strlen("itlua."));
  if (luaL_loadbuffer(L, text, size, chunk) != LUA_OK) lua_error(L);
  return true;
}

static lua_CFunction find(lua_State *L, const char *module) {
  (void)L;
  return strcmp(module, "itlua.probe") == 0 ? luaopen_itlua_probe : NULL;
}

int world_open(void **state) {
  static const it_host host = {load, find};
  world *w = it_alloc(sizeof *w);
  probe_live_ops = probe_live_resources = probe_closes = 0;
  it_sched_open(&w->sched, &host);
  w->st = it_state_new(&w->sched, "test");
  *state = w;
  return 0;
}

void world_close_state(void **state, double budget) {
  world *w = *state;
  if (w->st) it_state_close(w->st, budget);
  w->st = NULL;
}

int world_close(void **state) {
  world *w = *state;
  world_close_state(state, 1);
  while (w->sched.states) it_state_close(w->sched.states, 1);
  int rc = it_sched_close(&w->sched);
  bool clean = rc == 0 && probe_live_ops == 0 && probe_live_resources == 0;
  if (!clean)
    print_error("left: loop %s, %d operations, %d resources\n", rc ? "busy" : "empty",
                probe_live_ops, probe_live_resources);
  free(w);
  return clean ? 0 : -1;
}

it_task *world_start(it_state *st, const char *script) {
  lua_State *L = it_state_lua(st);
  if (luaL_loadbuffer(L, script, strlen(script), "=script") != LUA_OK)
    fail_msg("%s", lua_tostring(L, -1));
  it_task *t = it_spawn(L, 0);
  t->refs++;
  return t;
}

char *world_outcome(it_task *t) {
  char *error = NULL;
  assert_true(t->dead);
  if (t->failed) {
    error = it_strdup(luaL_tolstring(t->co, -1, NULL));
    t->observed = true;
  }
  it_task_unref(t);
  return error;
}

static char *run(void **state, const char *script) {
  world *w = *state;
  it_task *t = world_start(w->st, script);
  it_run_until_ended(&w->sched, t);
  return world_outcome(t);
}

void world_run(void **state, const char *script) {
  char *error = run(state, script);
  if (!error) return;
  print_error("%s\n", error);
  free(error);
  fail();
}

void world_fails(void **state, const char *script, const char *part) {
  char *error = run(state, script);
  bool found = error && strstr(error, part);
  if (!found) print_error("no '%s' in: %s\n", part, error ? error : "(no error)");
  free(error);
  assert_true(found);
}

double world_now(void) { return (double)it_now() / 1e9; }

int in_child(void (*fn)(void)) {
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)) _exit(99);
    signal(SIGABRT, SIG_DFL); /* cmocka's own handler would make a report of it */
    signal(SIGSEGV, SIG_DFL);
    fn();
    _exit(0);
  }
  int status = -1;
  waitpid(pid, &status, 0);
  return status;
}
