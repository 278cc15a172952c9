/*
 * modules.c - our own modules in a state: loaded once, by a require of their own, in an environment of their own.
 *
 * The environment is a copy of the standard libraries, made before any user code ran. So a spec that mocks os.time, empties
 * _G or restores package.loaded cannot break the runner. The user's require finds our modules too, the same instances.
 */
#include <lualib.h>
#include <string.h>

#include "core.h"

static const char *const NULL_VALUE = "itlua.null";
static const char *const ENVIRONMENT = "itlua.environment", *const MODULES = "itlua.modules";

/* Pushes the module's loader, or false. */
static bool push_loader(lua_State *L, const char *name) {
  const it_host *host = it_state_of(L)->sched->host;
  if (strcmp(name, "itlua.core") == 0) {
    lua_pushcfunction(L, it_luaopen_core);
    return true;
  }
  if (host->load(L, name)) {
    lua_getfield(L, LUA_REGISTRYINDEX, ENVIRONMENT);
    lua_setupvalue(L, -2, 1);
    return true;
  }
  lua_CFunction open = host->open(L, name);
  if (open) lua_pushcfunction(L, open);
  return open != NULL;
}

void it_import(lua_State *L, const char *name) {
  luaL_checkstack(L, 8, NULL);
  lua_getfield(L, LUA_REGISTRYINDEX, MODULES);
  if (lua_getfield(L, -1, name) != LUA_TNIL) {
    lua_remove(L, -2);
    return;
  }
  lua_pop(L, 1);
  if (!push_loader(L, name)) luaL_error(L, "itlua has no module '%s'", name);
  lua_pushstring(L, name);
  lua_call(L, 1, 1);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_pushboolean(L, 1);
  }
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, name);
  lua_remove(L, -2);
}

static int private_require(lua_State *L) {
  it_import(L, luaL_checkstring(L, 1));
  return 1;
}

static int loaded_module(lua_State *L) {
  it_import(L, luaL_checkstring(L, 1));
  return 1;
}

/* A package.searcher: `require "itlua.http"` from user code. */
static int searcher(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  if (strcmp(name, "itlua") != 0 && strncmp(name, "itlua.", 6) != 0) return 0;
  lua_getfield(L, LUA_REGISTRYINDEX, MODULES);
  bool known = lua_getfield(L, -1, name) != LUA_TNIL;
  if (!known && !push_loader(L, name)) {
    lua_pushfstring(L, "no built-in module '%s'", name);
    return 1;
  }
  lua_pushcfunction(L, loaded_module);
  lua_pushliteral(L, ":itlua:");
  return 2;
}

static void copy_table(lua_State *L, int from) {
  from = lua_absindex(L, from);
  lua_newtable(L);
  lua_pushnil(L);
  while (lua_next(L, from)) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -4);
  }
}

static void push_environment(lua_State *L) {
  lua_pushglobaltable(L);
  copy_table(L, -1);
  lua_remove(L, -2);
  static const char *const libraries[] = {"string", "table",     "math", "io",     "os",
                                          "debug",  "coroutine", "utf8", "package"};
  for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
    lua_getfield(L, -1, libraries[i]);
    copy_table(L, -1);
    lua_setfield(L, -3, libraries[i]);
    lua_pop(L, 1);
  }
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "_G");
  lua_pushcfunction(L, private_require);
  lua_setfield(L, -2, "require");
}

static void add_searcher(lua_State *L) {
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "searchers");
  for (lua_Integer i = luaL_len(L, -1); i >= 2; i--) { /* second: after package.preload */
    lua_rawgeti(L, -1, i);
    lua_rawseti(L, -2, i + 1);
  }
  lua_pushcfunction(L, searcher);
  lua_rawseti(L, -2, 2);
  lua_pop(L, 2);
}

static int null_tostring(lua_State *L) {
  lua_pushliteral(L, "null");
  return 1;
}

static void open_null(lua_State *L) {
  lua_newuserdatauv(L, 0, 0);
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, null_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pushliteral(L, "null");
  lua_setfield(L, -2, "__name");
  lua_setmetatable(L, -2);
  lua_setfield(L, LUA_REGISTRYINDEX, NULL_VALUE);
}

void it_push_null(lua_State *L) { lua_getfield(L, LUA_REGISTRYINDEX, NULL_VALUE); }

bool it_is_null(lua_State *L, int idx) {
  if (lua_type(L, idx) != LUA_TUSERDATA) return false;
  idx = lua_absindex(L, idx);
  it_push_null(L);
  bool same = lua_rawequal(L, idx, -1);
  lua_pop(L, 1);
  return same;
}

void it_modules_open(lua_State *L) {
  open_null(L);
  lua_newtable(L);
  lua_setfield(L, LUA_REGISTRYINDEX, MODULES);
  add_searcher(L);
  push_environment(L);
  lua_setfield(L, LUA_REGISTRYINDEX, ENVIRONMENT);
}
