/*
 * sql_params.c - Lua values to parameters of a prepared statement, whose types the server has told.
 *
 * What a parameter's type says about a plain value is done here; tables, JSON and objects go through encode() of
 * lua/itlua/sql/types.lua. A value's text lives on the Lua stack until libpq has copied it.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql.h"

const char *sql_number_text(lua_State *L, int idx, size_t *size) {
  char text[40];
  if (lua_isinteger(L, idx)) {
    lua_pushvalue(L, idx);
    return lua_tolstring(L, -1, size);
  }
  double n = lua_tonumber(L, idx);
  if (isnan(n)) return *size = 3, lua_pushliteral(L, "NaN");
  if (isinf(n))
    return lua_pushstring(L, n > 0 ? "Infinity" : "-Infinity"), lua_tolstring(L, -1, size);
  for (int digits = 15; digits <= 17; digits++) { /* the shortest that is the same number again */
    snprintf(text, sizeof text, "%.*g", digits, n);
    if (strtod(text, NULL) == n) break;
  }
  lua_pushstring(L, text);
  return lua_tolstring(L, -1, size);
}

static const char *encode(lua_State *L, const sql_type *t, int idx, int number, size_t *size) {
  sql_push_setting(L, "encode");
  lua_pushvalue(L, idx);
  lua_pushstring(L, sql_kind_name(t->kind));
  lua_pushstring(L, sql_kind_name(t->element_kind));
  lua_pushlstring(L, &t->delimiter, 1);
  lua_pushfstring(L, "parameter $%d", number);
  sql_push_type_name(L, t);
  lua_call(L, 6, 1);
  return luaL_checklstring(L, -1, size);
}

static bool is_null(lua_State *L, int idx) {
  sql_push_setting(L, "null");
  bool same = lua_rawequal(L, -1, idx);
  lua_pop(L, 1);
  return same;
}

static void read_string(lua_State *L, const sql_type *t, int idx, sql_params *p, int i) {
  size_t size;
  p->values[i] = lua_tolstring(L, idx, &size);
  p->lengths[i] = (int)size;
  if (size > INT32_MAX / 2)
    it_raise(L, "sql", "54000", "parameter $%d has %zu bytes: PostgreSQL takes less than 1 GB",
             i + 1, size);
  if (t->kind == SQL_BYTEA) {
    p->formats[i] = 1;
  } else if (!sql_plain_text(p->values[i], size)) {
    it_raise(L, "sql", "22021",
             "parameter $%d has a NUL byte at position %d: text cannot hold it (bytea can)", i + 1,
             (int)strlen(p->values[i]) + 1);
  }
}

static void read_one(lua_State *L, const sql_type *t, int idx, sql_params *p, int i) {
  size_t size = 0;
  lua_Integer whole;
  int type = lua_type(L, idx);
  p->formats[i] = 0;
  if (type == LUA_TNIL) it_usage(L, "parameter $%d is nil (itlua.null is SQL's NULL)", i + 1);
  if (type != LUA_TSTRING && type != LUA_TNUMBER && is_null(L, idx)) {
    p->values[i] = NULL;
    p->lengths[i] = 0;
    return;
  }
  if (type == LUA_TSTRING && t->kind != SQL_JSON) {
    read_string(L, t, idx, p, i);
    return;
  }
  if (t->kind == SQL_JSON) {
    p->values[i] = encode(L, t, idx, i + 1, &size);
  } else if (type == LUA_TNUMBER && t->kind == SQL_INT && !lua_isinteger(L, idx) &&
             lua_numbertointeger(lua_tonumber(L, idx), &whole) &&
             (lua_Number)whole == lua_tonumber(L, idx)) {
    lua_pushinteger(L, whole);
    p->values[i] = lua_tolstring(L, -1, &size);
  } else if (type == LUA_TNUMBER && t->kind != SQL_ARRAY) {
    p->values[i] = sql_number_text(L, idx, &size);
  } else if (type == LUA_TBOOLEAN && t->kind != SQL_ARRAY) {
    p->values[i] = lua_toboolean(L, idx) ? "true" : "false";
    size = strlen(p->values[i]);
  } else {
    p->values[i] = encode(L, t, idx, i + 1, &size);
    if (!sql_plain_text(p->values[i], size))
      it_raise(L, "sql", "22021", "parameter $%d has a NUL byte, which text cannot hold", i + 1);
  }
  p->lengths[i] = (int)size;
}

void sql_params_read(lua_State *L, const sql_statement *s, int first, sql_params *p) {
  p->count = lua_gettop(L) - first + 1;
  p->bytes = 0;
  if (p->count != s->count)
    it_raise(L, "sql", "08P01", "%d parameter%s for a statement with %d: %s", p->count,
             p->count == 1 ? "" : "s", s->count, s->detail);
  luaL_checkstack(L, p->count + 12, "too many parameters");
  p->values = p->some_values;
  p->lengths = p->some_lengths;
  p->formats = p->some_formats;
  if (p->count > (int)(sizeof p->some_values / sizeof *p->some_values)) {
    size_t n = (size_t)p->count;
    p->values = lua_newuserdatauv(L, n * sizeof *p->values, 0);
    p->lengths = lua_newuserdatauv(L, 2 * n * sizeof *p->lengths, 0);
    p->formats = p->lengths + n;
  }
  for (int i = 0; i < p->count; i++) {
    read_one(L, &s->params[i], first + i, p, i);
    p->bytes += (size_t)p->lengths[i] + 32;
  }
}
