/*
 * library.c - what the standard library does differently under a scheduler, so that code in a task sees what it would see in
 * a plain interpreter: a task's own coroutine says it is the main one and cannot be yielded by hand, and the hook that
 * guards deadlines is out of sight and comes back when a user's hook is removed.
 */
#include <lualib.h>
#include <stdio.h>
#include <string.h>

#include "core.h"

static bool in_tasks_own_coroutine(lua_State *L) {
  const it_task *t = it_state_of(L)->sched->current;
  return t && t->co == L;
}

static int co_yield(lua_State *L) {
  if (in_tasks_own_coroutine(L)) return luaL_error(L, "attempt to yield from outside a coroutine");
  return lua_yield(L, lua_gettop(L));
}

static int co_isyieldable(lua_State *L) {
  lua_State *co = lua_isthread(L, 1) ? lua_tothread(L, 1) : L;
  lua_pushboolean(L, !in_tasks_own_coroutine(co) && lua_isyieldable(co));
  return 1;
}

static int co_running(lua_State *L) {
  bool plain_main = lua_pushthread(L);
  lua_pushboolean(L, plain_main || in_tasks_own_coroutine(L));
  return 2;
}

static lua_State *thread_argument(lua_State *L) {
  return lua_isthread(L, 1) ? lua_tothread(L, 1) : L;
}

static int debug_sethook(lua_State *L) {
  lua_State *co = thread_argument(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 0);
  if (!lua_gethook(co)) it_hook_install(co);
  return 0;
}

static int debug_gethook(lua_State *L) {
  if (it_hook_is_ours(thread_argument(L))) {
    luaL_pushfail(L);
    return 1;
  }
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

void it_library_warn(void *state, const char *text, int more) {
  it_state *st = state;
  bool control = !st->warning && !more && *text == '@';
  if (control && strcmp(text, "@on") == 0) st->warns = true;
  if (control && strcmp(text, "@off") == 0) st->warns = false;
  if (control) return;
  if (st->warns)
    fprintf(stderr, "%s%s%s", st->warning ? "" : "Lua warning: ", text, more ? "" : "\n");
  st->warning = more;
}

static void wrap(lua_State *L, const char *name, lua_CFunction with) {
  lua_getfield(L, -1, name);
  lua_pushcclosure(L, with, 1);
  lua_setfield(L, -2, name);
}

void it_library_open(lua_State *L) {
  static const luaL_Reg coroutine[] = {
      {"yield", co_yield}, {"isyieldable", co_isyieldable}, {"running", co_running}, {NULL, NULL}};
  lua_getglobal(L, "coroutine");
  luaL_setfuncs(L, coroutine, 0);
  lua_pop(L, 1);
  lua_getglobal(L, "debug");
  wrap(L, "sethook", debug_sethook);
  wrap(L, "gethook", debug_gethook);
  lua_pop(L, 1);
}
