/*
 * sql_array.c - the text of an array, {1,NULL,"two words",{…}}, as a Lua table.
 *
 * NULL becomes itlua.null. An array whose first index is not 1 says so in front, [0:2]={…}; the table then has a metatable
 * with those bounds, so that it is sent back as the same array.
 */
#include <string.h>

#include "sql.h"

typedef struct array_text {
  const sql_conn *conn;
  const sql_type *array;
  sql_type element;
  const char *p, *end;
  int null; /* stack index of the null value */
} array_text;

static _Noreturn void malformed(lua_State *L, const array_text *a, const char *text) {
  it_raise(L, "sql", "22P02", "an array's text makes no sense at byte %d: %s",
           (int)(a->p - text) + 1, text);
}

/* Pushes what stands in quotes; p is behind the first of them. */
static bool push_quoted(lua_State *L, array_text *a) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (;;) {
    const char *from = a->p;
    while (a->p < a->end && *a->p != '"' && *a->p != '\\') a->p++;
    luaL_addlstring(&b, from, (size_t)(a->p - from));
    if (a->p >= a->end) break;
    if (*a->p++ == '"') {
      luaL_pushresult(&b);
      return true;
    }
    if (a->p < a->end) luaL_addchar(&b, *a->p++);
  }
  luaL_pushresult(&b);
  return false;
}

static void push_text(lua_State *L, const array_text *a) { /* the string on top becomes the value */
  size_t size;
  if (a->element.kind == SQL_TEXT || a->element.kind == SQL_NUMERIC) return;
  const char *text = lua_tolstring(L, -1, &size);
  sql_decode(L, a->conn, &a->element, text, size);
  lua_remove(L, -2);
}

static void push_plain(lua_State *L, array_text *a) {
  const char *from = a->p;
  while (a->p < a->end && *a->p != a->array->delimiter && *a->p != '}') a->p++;
  size_t size = (size_t)(a->p - from);
  if (size == 4 && memcmp(from, "NULL", 4) == 0) {
    lua_pushvalue(L, a->null);
  } else if (a->element.kind == SQL_INT || a->element.kind == SQL_FLOAT ||
             a->element.kind == SQL_BOOL) {
    sql_decode(L, a->conn, &a->element, from, size);
  } else {
    lua_pushlstring(L, from, size);
    push_text(L, a);
  }
}

/* Pushes a table; p is behind its opening brace, and behind the closing one afterwards. */
static void push_items(lua_State *L, array_text *a, const char *text) {
  lua_Integer n = 0;
  luaL_checkstack(L, 8, "an array is nested too deep");
  lua_newtable(L);
  if (a->p < a->end && *a->p == '}') {
    a->p++;
    return;
  }
  for (;;) {
    if (a->p >= a->end) malformed(L, a, text);
    if (*a->p == '{') {
      a->p++;
      push_items(L, a, text);
    } else if (*a->p == '"') {
      a->p++;
      if (!push_quoted(L, a)) malformed(L, a, text);
      push_text(L, a);
    } else {
      push_plain(L, a);
    }
    lua_rawseti(L, -2, ++n);
    if (a->p >= a->end || (*a->p != a->array->delimiter && *a->p != '}')) malformed(L, a, text);
    if (*a->p++ == '}') return;
  }
}

void sql_decode_array(lua_State *L, const sql_conn *c, const sql_type *t, const char *text,
                      size_t size) {
  array_text a = {.conn = c, .array = t, .p = text, .end = text + size};
  const char *bounds = NULL;
  sql_type_of(c, t->element, &a.element);
  if (size && *text == '[') {
    const char *equals = memchr(text, '=', size);
    bounds = text;
    a.p = equals ? equals + 1 : a.end; /* where no brace can be */
  }
  luaL_checkstack(L, 8, "an array is nested too deep");
  sql_push_setting(L, "null");
  a.null = lua_gettop(L);
  const char *open = a.p;
  if (a.p >= a.end || *a.p != '{') malformed(L, &a, text);
  a.p++;
  push_items(L, &a, text);
  if (bounds) {
    lua_createtable(L, 0, 1);
    lua_pushlstring(L, bounds, (size_t)(open - bounds));
    lua_setfield(L, -2, "__bounds");
    lua_setmetatable(L, -2);
  }
  lua_remove(L, a.null);
}
