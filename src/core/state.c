/*
 * state.c - a state's life: one spec file's or script's lua_State on the process's loop, from its libraries to its last hold.
 */
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

it_state *it_state_of(lua_State *L) { return *(it_state **)lua_getextraspace(L); }

lua_State *it_state_lua(it_state *st) { return st->L; }

static int panicked(lua_State *L) {
  const char *text = lua_tostring(L, -1);
  fprintf(stderr, "itlua: an error where nothing could catch it: %s\n", text ? text : "(no text)");
  return 0; /* Lua aborts */
}

it_state *it_state_new(it_sched *s, const char *name) {
  it_state *st = it_alloc(sizeof *st);
  const char *gc = getenv("ITLUA_GC");
  st->sched = s;
  st->name = it_strdup(name);
  st->gc_stress = gc && strcmp(gc, "stress") == 0;
  st->link = &s->states;
  if ((st->next = s->states)) st->next->link = &st->next;
  s->states = st;
  lua_State *L = st->L = it_pool_state(&st->pool);
  if (!L) abort();
  lua_atpanic(L, panicked);
  lua_setwarnf(L, it_library_warn, st);
  *(it_state **)lua_getextraspace(L) = st;
  lua_gc(L, LUA_GCSTOP); /* what is made now stays */
  luaL_openlibs(L);
  it_op_register(L);
  it_error_register(L);
  it_task_register(L);
  it_lease_register(L);
  it_bell_register(L);
  it_library_open(L);
  it_modules_open(L);
  lua_gc(L, LUA_GCRESTART);
  if (st->gc_stress)
    lua_gc(L, LUA_GCINC, 100, 100, 8); /* always in the middle of a cycle, in small steps */
  return st;
}

static bool tasks_alive(const it_state *st) {
  for (const it_task *t = st->tasks; t; t = t->next)
    if (!t->dead) return true;
  return false;
}

static void out_of_time(void *data) { *(bool *)data = true; }

/* Every task is told to end and gets the budget to do so. */
static void end_tasks(it_state *st, double budget) {
  for (it_task *t = st->tasks; t; t = t->next) it_task_cancel(t, "the script has ended");
  if (!tasks_alive(st)) return;
  bool late = false;
  it_timer *timer = it_timer_new(st, out_of_time, &late);
  it_timer_set(timer, (int64_t)(budget * 1000));
  while (!late && tasks_alive(st))
    if (!it_turn(st->sched)) break;
  it_timer_free(timer);
}

static void forget_ready(it_state *st) {
  it_sched *s = st->sched;
  it_task **link = &s->ready;
  while (*link)
    if ((*link)->st == st) *link = (*link)->next_ready;
    else link = &(*link)->next_ready;
  s->ready_tail = link;
}

void it_state_close(it_state *st, double budget) {
  it_sched *s = st->sched;
  end_tasks(st, budget);
  while (st->resources) it_res_close(st->resources);
  forget_ready(st);
  st->closing = true;
  lua_close(st->L); /* anchors cancel what is still in flight */
  forget_ready(st);
  while (st->tasks) it_task_free(st->tasks);
  while (st->holds > 0) uv_run(&s->loop, UV_RUN_ONCE);
  if ((*st->link = st->next)) st->next->link = st->link;
  if (s->running == st) s->running = NULL;
  it_span_free(st);
  it_pool_free(st->pool);
  free(st->name);
  free(st);
}
