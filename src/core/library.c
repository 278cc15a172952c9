/*
 * library.c - what the standard library does differently under a scheduler, so that code in a task sees what it would see in
 * a plain interpreter: a task's own coroutine says it is the main one and cannot be yielded by hand.
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

/* ---- resume and wrap: as lcorolib.c has them, noting which coroutine runs, for the watchdog ---- */

/* Resumes `co` with the `nargs` values on top of L: how many it gave, or -1 with the error on top. */
static int resume(lua_State *L, lua_State *co, int nargs) {
  it_state *st = it_state_of(L);
  int results;
  if (!lua_checkstack(co, nargs)) {
    lua_pushliteral(L, "too many arguments to resume");
    return -1;
  }
  lua_xmove(L, co, nargs);
  lua_State *outer = st->running;
  st->running = co;
  int status = lua_resume(co, L, nargs, &results);
  st->running = outer;
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_xmove(co, L, 1);
    return -1;
  }
  if (!lua_checkstack(L, results + 1)) {
    lua_pop(co, results);
    lua_pushliteral(L, "too many results to resume");
    return -1;
  }
  lua_xmove(co, L, results);
  return results;
}

static int co_resume(lua_State *L) {
  lua_State *co = lua_tothread(L, 1);
  luaL_argexpected(L, co, 1, "coroutine");
  int results = resume(L, co, lua_gettop(L) - 1);
  lua_pushboolean(L, results >= 0);
  if (results < 0) results = 1;
  lua_insert(L, -(results + 1));
  return results + 1;
}

static int close_failed(lua_State *co, lua_State *from) {
#if LUA_VERSION_RELEASE_NUM >= 50406
  return lua_closethread(co, from);
#else
  (void)from;
  return lua_resetthread(co);
#endif
}

static int wrapped(lua_State *L) {
  lua_State *co = lua_tothread(L, lua_upvalueindex(1));
  int results = resume(L, co, lua_gettop(L));
  if (results >= 0) return results;
  int status = lua_status(co);
  if (status != LUA_OK && status != LUA_YIELD) { /* it failed: closing its variables may fail too */
    status = close_failed(co, L);
    lua_xmove(co, L, 1);
  }
  if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

static int co_wrap(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State *co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  lua_pushcclosure(L, wrapped, 1);
  return 1;
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

void it_library_open(lua_State *L) {
  static const luaL_Reg coroutine[] = {{"yield", co_yield},     {"isyieldable", co_isyieldable},
                                       {"running", co_running}, {"resume", co_resume},
                                       {"wrap", co_wrap},       {NULL, NULL}};
  lua_getglobal(L, "coroutine");
  luaL_setfuncs(L, coroutine, 0);
  lua_pop(L, 1);
}
