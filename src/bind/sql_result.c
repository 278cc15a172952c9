/*
 * sql_result.c - a PGresult to Lua: rows, one row, a value, a count, a batch to be read row by row; or what an error says.
 */
#include <stdlib.h>
#include <string.h>

#include "sql.h"

/* ---- in words, for the timeline ---- */

lua_Integer sql_affected(PGresult *r) {
  const char *text = PQcmdTuples(r);
  return *text ? (lua_Integer)strtoll(text, NULL, 10) : 0;
}

void sql_outcome(it_op *op, PGresult *r, const PGresult *failure) {
  if (failure) {
    const char *code = PQresultErrorField(failure, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(failure, PG_DIAG_MESSAGE_PRIMARY);
    it_op_outcome(op, "%s%s%s", message ? message : "the connection is lost", code ? " " : "",
                  code ? code : "");
  } else if (r && PQresultStatus(r) == PGRES_TUPLES_OK) {
    it_op_outcome(op, PQntuples(r) == 1 ? "1 row" : "%d rows", PQntuples(r));
  } else if (r) {
    it_op_outcome(op, "%s", PQcmdStatus(r));
  }
}

/* ---- errors ---- */

static void set_field(lua_State *L, const char *name, const char *value) {
  if (!value) return;
  lua_pushstring(L, value);
  lua_setfield(L, -2, name);
}

void sql_push_failure(lua_State *L, const sql_conn *c, const PGresult *r) {
  static const struct {
    int field;
    const char *name;
  } fields[] = {{PG_DIAG_SQLSTATE, "code"},
                {PG_DIAG_SEVERITY_NONLOCALIZED, "severity"},
                {PG_DIAG_MESSAGE_PRIMARY, "message"},
                {PG_DIAG_MESSAGE_DETAIL, "detail"},
                {PG_DIAG_MESSAGE_HINT, "hint"},
                {PG_DIAG_STATEMENT_POSITION, "position"},
                {PG_DIAG_INTERNAL_POSITION, "internal_position"},
                {PG_DIAG_INTERNAL_QUERY, "internal_query"},
                {PG_DIAG_CONTEXT, "context"},
                {PG_DIAG_SCHEMA_NAME, "schema"},
                {PG_DIAG_TABLE_NAME, "table"},
                {PG_DIAG_COLUMN_NAME, "column"},
                {PG_DIAG_DATATYPE_NAME, "datatype"},
                {PG_DIAG_CONSTRAINT_NAME, "constraint"}};
  lua_createtable(L, 0, 8);
  for (size_t i = 0; r && i < sizeof fields / sizeof *fields; i++)
    set_field(L, fields[i].name, PQresultErrorField(r, fields[i].field));
  if (lua_getfield(L, -1, "message") == LUA_TNIL) { /* libpq's own words */
    const char *text = r ? PQresultErrorMessage(r) : "";
    if (!*text) text = c->lost ? c->lost : "the server closed the connection unexpectedly";
    lua_pushlstring(L, text, strcspn(text, "\n"));
    lua_setfield(L, -3, "message");
  }
  lua_pop(L, 1);
  if (c->state != SQL_LOST) return;
  lua_pushboolean(L, true);
  lua_setfield(L, -2, "lost");
}

/* ---- rows ---- */

void sql_add_unknown(lua_State *L, Oid oid) {
  lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, -1, i);
    bool same = lua_tointeger(L, -1) == (lua_Integer)oid;
    lua_pop(L, 1);
    if (same) return;
  }
  lua_pushinteger(L, oid);
  lua_rawseti(L, -2, n + 1);
}

/* The columns' types; false when some have to be learned first. */
static bool types_of(const sql_conn *c, const PGresult *r, sql_type *types) {
  bool known = true;
  for (int i = 0; i < PQnfields(r); i++)
    if (!sql_type_of(c, PQftype(r, i), &types[i])) known = false;
  return known;
}

static void push_value(lua_State *L, const sql_conn *c, const PGresult *r, int row, int column,
                       const sql_type *type, int null) {
  if (PQgetisnull(r, row, column)) lua_pushvalue(L, null);
  else sql_decode(L, c, type, PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column));
}

/* Pushes the columns' names, one above the other. A row by name would lose a value where two are the same. */
static void push_names(lua_State *L, const PGresult *r) {
  int n = PQnfields(r), names = lua_gettop(L) + 1;
  luaL_checkstack(L, n + 16, "too many columns");
  for (int i = 0; i < n; i++) {
    lua_pushstring(L, PQfname(r, i));
    for (int j = 0; j < i; j++)
      if (lua_rawequal(L, names + i, names + j))
        it_raise(L, "sql", "42701",
                 "columns %d and %d are both called \"%s\": name one of them (AS …)", j + 1, i + 1,
                 lua_tostring(L, names + i));
  }
}

static void push_row(lua_State *L, const sql_conn *c, const PGresult *r, int row,
                     const sql_type *types, int names, int null) {
  int n = PQnfields(r);
  lua_createtable(L, 0, n);
  for (int i = 0; i < n; i++) {
    lua_pushvalue(L, names + i);
    push_value(L, c, r, row, i, &types[i], null);
    lua_rawset(L, -3);
  }
}

/* __index of rows: .columns, .types, .command; .count is how many there are, or what was affected */
static int rows_index(lua_State *L) {
  const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  lua_settop(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL && strcmp(key, "count") == 0)
    lua_pushinteger(L, (lua_Integer)lua_rawlen(L, 1));
  return 1;
}

/* Pushes the metatable of rows, whose columns have the names from stack index `names` on. */
static void push_metatable(lua_State *L, PGresult *r, const sql_type *types, int names) {
  int n = PQnfields(r);
  const char *command = PQcmdStatus(r);
  lua_createtable(L, 0, 1);
  lua_createtable(L, 0, 4);
  lua_createtable(L, n, 0);
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    lua_pushvalue(L, names + i);
    lua_rawseti(L, -3, i + 1);
    sql_push_type_name(L, &types[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -3, "types");
  lua_setfield(L, -2, "columns");
  lua_pushlstring(L, command, strcspn(command, " 0123456789"));
  lua_setfield(L, -2, "command");
  if (n == 0) { /* with columns it is the number of rows */
    lua_pushinteger(L, sql_affected(r));
    lua_setfield(L, -2, "count");
  }
  lua_pushcclosure(L, rows_index, 1);
  lua_setfield(L, -2, "__index");
}

/* Pushes the columns' names and the metatable of rows. All results of a prepared statement share them, so it keeps them:
 * a list of the names, and the metatable behind them. */
static void push_layout(lua_State *L, PGresult *r, const sql_type *types, int statement) {
  int n = PQnfields(r), names = lua_gettop(L) + 1;
  bool keep = statement && n > 0;
  if (keep && lua_getiuservalue(L, statement, 1) == LUA_TTABLE &&
      lua_rawlen(L, -1) == (lua_Unsigned)n + 1) {
    luaL_checkstack(L, n + 16, "too many columns");
    for (int i = 1; i <= n + 1; i++) lua_rawgeti(L, names, i);
    lua_remove(L, names);
    return;
  }
  lua_settop(L, names - 1);
  push_names(L, r);
  push_metatable(L, r, types, names);
  if (!keep) return;
  lua_createtable(L, n + 1, 0);
  for (int i = 0; i <= n; i++) {
    lua_pushvalue(L, names + i);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setiuservalue(L, statement, 1);
}

/* nil, {rows = n, columns = n}: not the one row, or the one value, that was asked for */
static int push_not_one(lua_State *L, const PGresult *r) {
  lua_pushnil(L);
  lua_createtable(L, 0, 2);
  lua_pushinteger(L, PQntuples(r));
  lua_setfield(L, -2, "rows");
  lua_pushinteger(L, PQnfields(r));
  lua_setfield(L, -2, "columns");
  return 2;
}

static int push_tuples(lua_State *L, const sql_conn *c, PGresult *r, const sql_type *types,
                       int mode, int statement) {
  int rows = PQntuples(r), n = PQnfields(r);
  if (mode == SQL_VALUE && (rows != 1 || n != 1)) return push_not_one(L, r);
  if (mode == SQL_ONE && rows != 1) return push_not_one(L, r);
  luaL_checkstack(L, 16, "too many values");
  sql_push_setting(L, "null");
  int null = lua_gettop(L), names = null + 1;
  if (mode == SQL_VALUE) {
    push_value(L, c, r, 0, 0, types, null);
    return 1;
  }
  push_layout(L, r, types, statement);
  if (mode == SQL_ONE) {
    push_row(L, c, r, 0, types, names, null);
    return 1;
  }
  lua_createtable(L, rows, 0);
  for (int i = 0; i < rows; i++) {
    push_row(L, c, r, i, types, names, null);
    lua_rawseti(L, -2, i + 1);
  }
  lua_pushvalue(L, names + n);
  lua_setmetatable(L, -2);
  return 1;
}

void sql_push_rows(lua_State *L, const sql_conn *c, PGresult *r) {
  sql_type *types = lua_newuserdatauv(L, (size_t)(PQnfields(r) + 1) * sizeof *types, 0);
  types_of(c, r, types);
  push_tuples(L, c, r, types, SQL_ROWS, 0);
}

/* ---- batches: a result that Lua reads row by row, or again when its types are known ---- */

typedef struct sql_batch {
  PGresult *result;
  sql_conn *conn;
  sql_type *types;
  int row;
} sql_batch;

static int batch_gc(lua_State *L) {
  sql_batch *b = lua_touserdata(L, 1);
  PQclear(b->result);
  b->result = NULL;
  free(b->types);
  b->types = NULL;
  if (b->conn) it_res_unref(&b->conn->res);
  b->conn = NULL;
  return 0;
}

static sql_batch *push_batch(lua_State *L, sql_conn *c, PGresult **result) {
  sql_batch *b = lua_newuserdatauv(L, sizeof *b, 0);
  memset(b, 0, sizeof *b);
  luaL_setmetatable(L, SQL_BATCH_TYPE);
  b->result = *result;
  *result = NULL;
  b->conn = c;
  it_res_ref(&c->res);
  b->types = it_alloc((size_t)(PQnfields(b->result) + 1) * sizeof *b->types);
  return b;
}

static sql_batch *check_batch(lua_State *L, int arg) {
  sql_batch *b = luaL_checkudata(L, arg, SQL_BATCH_TYPE);
  if (!b->result) it_usage(L, "this batch of rows was closed");
  return b;
}

/* take(batch, mode) -> result: what could not be decoded before its types were learned */
static int batch_take(lua_State *L) {
  sql_batch *b = check_batch(L, 1);
  types_of(b->conn, b->result, b->types);
  return push_tuples(L, b->conn, b->result, b->types, (int)luaL_checkinteger(L, 2), 0);
}

/* A row, or nil behind the last. Upvalues: the batch, null, the columns' names. */
static int next_row(lua_State *L) {
  sql_batch *b = lua_touserdata(L, lua_upvalueindex(1));
  if (!b->result || b->row >= PQntuples(b->result)) return 0;
  int n = PQnfields(b->result), row = b->row++;
  lua_createtable(L, 0, n);
  for (int i = 0; i < n; i++) {
    lua_pushvalue(L, lua_upvalueindex(3 + i));
    push_value(L, b->conn, b->result, row, i, &b->types[i], lua_upvalueindex(2));
    lua_rawset(L, -3);
  }
  return 1;
}

/* The same for more columns than a function has upvalues: they are in a table. */
static int next_wide_row(lua_State *L) {
  sql_batch *b = lua_touserdata(L, lua_upvalueindex(1));
  if (!b->result || b->row >= PQntuples(b->result)) return 0;
  int n = PQnfields(b->result), row = b->row++;
  lua_createtable(L, 0, n);
  for (int i = 0; i < n; i++) {
    lua_rawgeti(L, lua_upvalueindex(3), i + 1);
    push_value(L, b->conn, b->result, row, i, &b->types[i], lua_upvalueindex(2));
    lua_rawset(L, -3);
  }
  return 1;
}

/* reader(batch) -> function that returns the next row, or nothing */
static int batch_reader(lua_State *L) {
  sql_batch *b = check_batch(L, 1);
  int n = PQnfields(b->result);
  types_of(b->conn, b->result, b->types);
  lua_settop(L, 1);
  sql_push_setting(L, "null");
  push_names(L, b->result);
  if (n <= 250) {
    lua_pushcclosure(L, next_row, n + 2);
    return 1;
  }
  lua_createtable(L, n, 0);
  lua_insert(L, 3);
  for (int i = n; i >= 1; i--) lua_rawseti(L, 3, i);
  lua_pushcclosure(L, next_wide_row, 3);
  return 1;
}

/* size(batch) -> rows, bytes */
static int batch_size(lua_State *L) {
  const sql_batch *b = check_batch(L, 1);
  lua_pushinteger(L, PQntuples(b->result));
  lua_pushinteger(L, (lua_Integer)PQresultMemorySize(b->result));
  return 2;
}

void sql_batch_register(lua_State *L) {
  static const luaL_Reg methods[] = {{"take", batch_take}, {"reader", batch_reader},
                                     {"size", batch_size}, {"close", batch_gc},
                                     {"__gc", batch_gc},   {NULL, NULL}};
  luaL_newmetatable(L, SQL_BATCH_TYPE);
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

/* nil, {unknown = {type, …}, batch = what to take when they are known} */
static int push_unknown(lua_State *L, sql_conn *c, PGresult **result) {
  const PGresult *r = *result;
  sql_type ignored;
  lua_pushnil(L);
  lua_createtable(L, 0, 2);
  lua_newtable(L);
  for (int i = 0; i < PQnfields(r); i++)
    if (!sql_type_of(c, PQftype(r, i), &ignored)) sql_add_unknown(L, PQftype(r, i));
  lua_setfield(L, -2, "unknown");
  push_batch(L, c, result);
  lua_setfield(L, -2, "batch");
  return 2;
}

int sql_push_result(lua_State *L, sql_op *o) {
  PGresult *r = o->result;
  if (o->mode == SQL_COUNT) {
    lua_pushinteger(L, o->affected);
    return 1;
  }
  if (o->mode == SQL_VALUE && (PQntuples(r) != 1 || PQnfields(r) != 1)) return push_not_one(L, r);
  size_t size = (size_t)(PQnfields(r) + 1) * sizeof(sql_type);
  sql_type few[8];
  sql_type *types = size <= sizeof few ? few : lua_newuserdatauv(L, size, 0);
  if (!types_of(o->conn, r, types)) return push_unknown(L, o->conn, &o->result);
  if (o->mode != SQL_BATCH) return push_tuples(L, o->conn, r, types, o->mode, o->statement);
  push_batch(L, o->conn, &o->result);
  return 1;
}
