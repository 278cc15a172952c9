/*
 * sql_copy_row.c - Lua rows to COPY's text format, gathered on the connection until copy_write sends them.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql.h"

enum { ENOUGH = 128 * 1024 /* bytes: send them before making more */ };

typedef struct row_writer {
  it_buf *out;                /* the connection's, so that nothing is lost when a value raises */
  const sql_statement *types; /* NULL: everything is text */
  int null, columns;          /* stack indices; columns 0: rows are lists */
  int count;
  lua_Integer row;
} row_writer;

/* Backslash, and what ends a value or a row. */
static void add_escaped(it_buf *out, const char *s, size_t size) {
  const char *end = s + size, *from = s;
  for (; s < end; s++) {
    char c = *s == '\\' ? '\\' : *s == '\n' ? 'n' : *s == '\t' ? 't' : *s == '\r' ? 'r' : 0;
    if (!c) continue;
    char pair[2] = {'\\', c};
    it_buf_add(out, from, (size_t)(s - from));
    it_buf_add(out, pair, 2);
    from = s + 1;
  }
  it_buf_add(out, from, (size_t)(end - from));
}

static void add_hex(it_buf *out, const char *s, size_t size) {
  static const char digits[] = "0123456789abcdef";
  char some[512] = {0};
  it_buf_add(out, "\\\\x", 3);
  for (size_t i = 0; i < size;) {
    size_t n = 0;
    for (; n < sizeof some && i < size; i++) {
      some[n++] = digits[(unsigned char)s[i] >> 4];
      some[n++] = digits[(unsigned char)s[i] & 15];
    }
    it_buf_add(out, some, n);
  }
}

static void add_text(lua_State *L, const row_writer *w, int column, int idx) {
  size_t size;
  const char *s = lua_tolstring(L, idx, &size);
  if (!sql_plain_text(s, size))
    it_raise(L, "sql", "22021",
             "row %d, column %d has a NUL byte, which text cannot hold (bytea can)", (int)w->row,
             column + 1);
  add_escaped(w->out, s, size);
}

/* Pushes its text by encode() of lua/itlua/sql/types.lua. */
static void push_encoded(lua_State *L, const row_writer *w, const sql_type *t, int column,
                         int idx) {
  sql_push_setting(L, "encode");
  lua_pushvalue(L, idx);
  lua_pushstring(L, sql_kind_name(t->kind));
  lua_pushstring(L, sql_kind_name(t->element_kind));
  lua_pushlstring(L, &t->delimiter, 1);
  lua_pushfstring(L, "row %I, column %d", (LUAI_UACINT)w->row, column + 1);
  sql_push_type_name(L, t);
  lua_call(L, 6, 1);
}

static void add_number(lua_State *L, const row_writer *w, const sql_type *t, int idx) {
  char text[32];
  size_t size;
  lua_Integer whole;
  bool is_whole = lua_isinteger(L, idx);
  if (is_whole) whole = lua_tointeger(L, idx);
  else if (t->kind == SQL_INT)
    is_whole = lua_numbertointeger(lua_tonumber(L, idx), &whole) &&
               (lua_Number)whole == lua_tonumber(L, idx);
  if (is_whole) {
    int n = snprintf(text, sizeof text, "%lld", (long long)whole);
    it_buf_add(w->out, text, (size_t)n);
    return;
  }
  const char *s = sql_number_text(L, idx, &size);
  it_buf_add(w->out, s, size);
  lua_pop(L, 1);
}

/* The value on top of the stack. */
static void add_value(lua_State *L, const row_writer *w, int column) {
  static const sql_type text = {25, SQL_TEXT, 0, SQL_TEXT, ',', "text"};
  const sql_type *t = w->types ? &w->types->params[column] : &text;
  int idx = lua_gettop(L), type = lua_type(L, idx);
  size_t size;
  if (type != LUA_TSTRING && type != LUA_TNUMBER && lua_rawequal(L, idx, w->null)) {
    it_buf_add(w->out, "\\N", 2);
  } else if (t->kind == SQL_JSON || type == LUA_TTABLE || type == LUA_TUSERDATA ||
             type == LUA_TFUNCTION || type == LUA_TTHREAD || type == LUA_TLIGHTUSERDATA) {
    push_encoded(L, w, t, column, idx);
    add_text(L, w, column, -1);
    lua_pop(L, 1);
  } else if (type == LUA_TNUMBER) {
    add_number(L, w, t, idx);
  } else if (type == LUA_TBOOLEAN) {
    it_buf_add(w->out, lua_toboolean(L, idx) ? "t" : "f", 1);
  } else if (t->kind == SQL_BYTEA) {
    const char *s = lua_tolstring(L, idx, &size);
    add_hex(w->out, s, size);
  } else {
    add_text(L, w, column, idx);
  }
}

static void add_row(lua_State *L, const row_writer *w, int row) {
  for (int i = 0; i < w->count; i++) {
    if (w->columns) {
      lua_rawgeti(L, w->columns, i + 1);
      lua_rawget(L, row);
    } else {
      lua_rawgeti(L, row, i + 1);
    }
    if (lua_isnil(L, -1)) {
      if (w->columns) lua_rawgeti(L, w->columns, i + 1);
      else lua_pushinteger(L, i + 1);
      it_usage(L, "row %d has no column %s (itlua.null is SQL's NULL)", (int)w->row,
               lua_tostring(L, -1));
    }
    if (i) it_buf_add(w->out, "\t", 1);
    add_value(L, w, i);
    lua_pop(L, 1);
  }
  it_buf_add(w->out, "\n", 1);
}

/* copy_rows(handle, rows, from, count, columns | nil, statement | nil) -> the next row's index: some rows, until there are
 * enough to send. `count` is how many values a row has; with `columns` their names; the statement's parameters their types. */
int sql_copy_rows(lua_State *L) {
  sql_conn *c;
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_Integer row = luaL_checkinteger(L, 3), n = (lua_Integer)lua_rawlen(L, 2);
  row_writer w = {.count = (int)luaL_checkinteger(L, 4)};
  if (!sql_check_idle(L, 1, SQL_COPY_IN, &c)) return sql_push_settle(L);
  if (!lua_isnoneornil(L, 5)) w.columns = 5;
  if (!lua_isnoneornil(L, 6)) w.types = sql_statement_check(L, 6);
  if (w.types && w.types->count != w.count)
    it_usage(L, "%d types for %d columns", w.types->count, w.count);
  w.out = &c->copy;
  lua_settop(L, 6);
  luaL_checkstack(L, 20, NULL);
  sql_push_setting(L, "null");
  w.null = 7;
  for (; row <= n && c->copy.size < ENOUGH; row++) {
    size_t whole = c->copy.size;
    w.row = row;
    if (lua_rawgeti(L, 2, row) != LUA_TTABLE) {
      c->copy.size = whole;
      it_usage(L, "row %d is a %s, not a table", (int)row, luaL_typename(L, -1));
    }
    add_row(L, &w, 8);
    lua_pop(L, 1);
  }
  lua_pushinteger(L, row);
  return 1;
}
