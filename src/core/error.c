/*
 * error.c - error objects {kind, code, message, where, …} for what failed, plain strings for what was used wrongly.
 */
#include <lualib.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

#define ERROR_TYPE "itlua.error"

static bool is_ours(const lua_Debug *ar) {
  return *ar->what == 'C' || strncmp(ar->source, "=itlua:", 7) == 0 ||
         strncmp(ar->source, "=[C]", 4) == 0;
}

const char *it_where(lua_State *L) {
  lua_Debug ar;
  for (int level = 0; lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "Sl", &ar);
    if (!is_ours(&ar) && ar.currentline > 0)
      return lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
  }
  return lua_pushliteral(L, "?");
}

IT_PRINTF(4, 0)
static void push_fields(lua_State *L, const char *kind, const char *code, const char *fmt,
                        va_list args) {
  va_list again;
  va_copy(again, args);
  int size = vsnprintf(NULL, 0, fmt, args);
  lua_createtable(L, 0, 5);
  luaL_Buffer b;
  char *message = luaL_buffinitsize(L, &b, (size_t)size + 1);
  vsnprintf(message, (size_t)size + 1, fmt, again);
  va_end(again);
  luaL_pushresultsize(&b, (size_t)size);
  lua_setfield(L, -2, "message");
  lua_pushstring(L, kind);
  lua_setfield(L, -2, "kind");
  if (code) {
    lua_pushstring(L, code);
    lua_setfield(L, -2, "code");
  }
  if (*it_where(L) != '?') {
    lua_setfield(L, -2, "where");
  } else {
    lua_pop(L, 1);
  }
  luaL_setmetatable(L, ERROR_TYPE);
}

void it_error_push(lua_State *L, const char *kind, const char *code, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  push_fields(L, kind, code, fmt, args);
  va_end(args);
}

_Noreturn void it_error_throw(lua_State *L) {
  lua_error(L);
  abort();
}

_Noreturn void it_raise(lua_State *L, const char *kind, const char *code, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  push_fields(L, kind, code, fmt, args);
  va_end(args);
  it_error_throw(L);
}

_Noreturn void it_usage(lua_State *L, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  if (*it_where(L) == '?') {
    lua_pop(L, 1);
    lua_pushliteral(L, "");
  } else {
    lua_pushliteral(L, ": ");
    lua_concat(L, 2);
  }
  char message[512];
  vsnprintf(message, sizeof message, fmt, args);
  lua_pushstring(L, message);
  va_end(args);
  lua_concat(L, 2);
  it_error_throw(L);
}

const char *it_error_kind(lua_State *L, int idx) {
  if (!lua_istable(L, idx) || !lua_getmetatable(L, idx)) return NULL;
  luaL_getmetatable(L, ERROR_TYPE);
  bool same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  if (!same) return NULL;
  lua_getfield(L, idx, "kind");
  const char *kind = lua_tostring(L, -1);
  lua_pop(L, 1);
  return kind;
}

static int error_tostring(lua_State *L) {
  lua_settop(L, 1);
  if (lua_getfield(L, 1, "where") == LUA_TSTRING) {
    lua_pushliteral(L, ": ");
  } else {
    lua_pop(L, 1);
    lua_pushliteral(L, "");
    lua_pushliteral(L, "");
  }
  lua_getfield(L, 1, "message");
  luaL_tolstring(L, -1, NULL);
  lua_remove(L, -2);
  lua_concat(L, 3);
  return 1;
}

void it_error_register(lua_State *L) {
  luaL_newmetatable(L, ERROR_TYPE);
  lua_pushcfunction(L, error_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pop(L, 1);
}

/* ---- options tables ---- */

static bool option(lua_State *L, int idx, const char *field, int type) {
  if (lua_isnoneornil(L, idx)) return false;
  luaL_checktype(L, idx, LUA_TTABLE);
  int got = lua_getfield(L, idx, field);
  if (got == LUA_TNIL) {
    lua_pop(L, 1);
    return false;
  }
  if (got != type)
    it_usage(L, "option '%s' must be a %s, not a %s", field, lua_typename(L, type),
             lua_typename(L, got));
  return true;
}

const char *it_opt_string(lua_State *L, int idx, const char *field, const char *otherwise) {
  if (!option(L, idx, field, LUA_TSTRING)) return otherwise;
  const char *s = lua_tostring(L, -1);
  lua_pop(L, 1);
  return s;
}

lua_Integer it_opt_integer(lua_State *L, int idx, const char *field, lua_Integer otherwise) {
  if (!option(L, idx, field, LUA_TNUMBER)) return otherwise;
  int exact;
  lua_Integer i = lua_tointegerx(L, -1, &exact);
  if (!exact) it_usage(L, "option '%s' must be a whole number, not %f", field, lua_tonumber(L, -1));
  lua_pop(L, 1);
  return i;
}

lua_Number it_opt_number(lua_State *L, int idx, const char *field, lua_Number otherwise) {
  if (!option(L, idx, field, LUA_TNUMBER)) return otherwise;
  lua_Number n = lua_tonumber(L, -1);
  lua_pop(L, 1);
  return n;
}

bool it_opt_boolean(lua_State *L, int idx, const char *field, bool otherwise) {
  if (!option(L, idx, field, LUA_TBOOLEAN)) return otherwise;
  bool b = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return b;
}
