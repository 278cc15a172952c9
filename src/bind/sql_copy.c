/*
 * sql_copy.c - COPY in both directions, a piece at a time: copy_begin, then copy_write… copy_end, or copy_read… until its end.
 *
 * Both are held to the pace of the slower side: a piece is written when it has left the process, and nothing is read from
 * the socket while Lua is at work on the last piece.
 */
#include <stdlib.h>
#include <string.h>

#include "sql.h"

enum { PIECE = 256 * 1024 };

/* ---- beginning ---- */

static bool begin_step(sql_op *o) {
  sql_conn *c = o->conn;
  while (sql_arrived(c)) {
    PGresult *r = PQgetResult(c->pg);
    ExecStatusType status = PQresultStatus(r);
    if (!r) {
      c->state = SQL_IDLE;
      sql_outcome(&o->op, NULL, o->failure);
      return true;
    }
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT) {
      PQclear(o->result);
      o->result = r;
      c->state = status == PGRES_COPY_IN ? SQL_COPY_IN : SQL_COPY_OUT;
      return true;
    }
    bool failed = status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE;
    if (failed && !o->failure) o->failure = r;
    else PQclear(r);
  }
  return false;
}

/* -> "in" | "out", columns | nil, problem */
static int begin_push(lua_State *L, it_op *op) {
  sql_op *o = (sql_op *)op;
  if (o->result) {
    lua_pushstring(L, PQresultStatus(o->result) == PGRES_COPY_IN ? "in" : "out");
    lua_pushinteger(L, PQnfields(o->result));
    return 2;
  }
  lua_pushnil(L);
  if (o->failure || o->conn->state == SQL_LOST) {
    sql_push_failure(L, o->conn, o->failure);
    return 2;
  }
  lua_createtable(L, 0, 2);
  lua_pushliteral(L, "this is no COPY … FROM STDIN or TO STDOUT");
  lua_setfield(L, -2, "message");
  lua_pushliteral(L, "0A000");
  lua_setfield(L, -2, "code");
  return 2;
}

/* copy_begin(handle, sql) -> "in" | "out", columns | nil, problem */
static int l_begin(lua_State *L) {
  static const it_op_class begin_class = {"sql.copy", begin_push, sql_op_cancel, sql_op_free};
  sql_conn *c;
  const char *sql = luaL_checkstring(L, 2);
  char detail[120];
  if (!sql_check_idle(L, 1, SQL_IDLE, &c)) return sql_push_settle(L);
  c->copy.size = 0;
  sql_op *o = sql_op_new(L, c, sizeof *o, &begin_class, begin_step);
  sql_shorten(detail, sizeof detail, sql);
  it_op_detail(&o->op, "%s", detail);
  return sql_op_start(L, o, SQL_BUSY, PQsendQuery(c->pg, sql));
}

/* ---- writing ---- */

typedef struct write_op {
  sql_op base;
  const char *data; /* on the stack, or the connection's rows */
  size_t size;
} write_op;

/* 1: all of it is in libpq's buffer; 0: later; -1: the connection is lost */
static int put(PGconn *pg, const char **data, size_t *size) {
  while (*size) {
    int piece = *size < PIECE ? (int)*size : PIECE;
    int rc = PQputCopyData(pg, *data, piece);
    if (rc != 1) return rc;
    *data += piece;
    *size -= (size_t)piece;
    if (PQflush(pg) == 1) return *size == 0;
  }
  return 1;
}

static bool write_step(sql_op *o) {
  write_op *w = (write_op *)o;
  sql_conn *c = o->conn;
  int rc = c->broken ? -1 : put(c->pg, &w->data, &w->size);
  if (rc == 0 || (rc == 1 && PQflush(c->pg) == 1)) return false;
  if (rc < 0) { /* what the server said before it went */
    o->failure = PQgetResult(c->pg);
    c->broken = true;
  }
  c->state = SQL_COPY_IN;
  return true;
}

/* -> true | nil, problem */
static int write_push(lua_State *L, it_op *op) {
  sql_op *o = (sql_op *)op;
  if (!o->failure && o->conn->state != SQL_LOST) {
    lua_pushboolean(L, true);
    return 1;
  }
  lua_pushnil(L);
  sql_push_failure(L, o->conn, o->failure);
  return 2;
}

/* copy_write(handle [, data]) -> true | nil, problem. Without data: the rows that copy_rows has gathered. */
static int l_write(lua_State *L) {
  static const it_op_class write_class = {"sql.copy", write_push, sql_op_cancel, sql_op_free};
  sql_conn *c;
  size_t size = 0;
  const char *data = luaL_optlstring(L, 2, NULL, &size);
  if (!sql_check_idle(L, 1, SQL_COPY_IN, &c)) return sql_push_settle(L);
  write_op *w = sql_op_new(L, c, sizeof *w, &write_class, write_step);
  w->data = data ? data : c->copy.data;
  w->size = data ? size : c->copy.size;
  if (!data) c->copy.size = 0; /* its memory stays, and nobody adds to it before this has ended */
  return sql_op_start(L, &w->base, SQL_COPY_IN, true);
}

/* copy_end(handle [, error]) -> rows | nil, problem. With an error the server takes none of it. */
static int l_end(lua_State *L) {
  static const it_op_class end_class = {"sql.copy", sql_run_push, sql_op_cancel, sql_op_free};
  sql_conn *c;
  const char *error = luaL_optstring(L, 2, NULL);
  if (!sql_check_idle(L, 1, SQL_COPY_IN, &c)) return sql_push_settle(L);
  sql_op *o = sql_op_new(L, c, sizeof *o, &end_class, sql_run_step);
  o->mode = SQL_COUNT;
  it_op_detail(&o->op, error ? "giving up: %s" : "end of data%s", error ? error : "");
  return sql_op_start(L, o, SQL_BUSY, PQputCopyEnd(c->pg, error) == 1);
}

/* ---- reading ---- */

typedef struct read_op {
  sql_op base;
  bool ended;
} read_op;

static bool read_step(sql_op *o) {
  read_op *r = (read_op *)o;
  sql_conn *c = o->conn;
  int size = 0;
  char *data;
  while (!r->ended && o->data.size < PIECE && (size = PQgetCopyData(c->pg, &data, 1)) > 0) {
    it_buf_add(&o->data, data, (size_t)size);
    PQfreemem(data);
  }
  if (!r->ended && size >= 0 && !c->broken) {
    if (size == 0 && o->data.size == 0) return false;
    c->state = SQL_COPY_OUT;
    return true;
  }
  r->ended = true;
  return sql_run_step(o);
}

/* -> data [, rows: it was the last] | nil, problem */
static int read_push(lua_State *L, it_op *op) {
  read_op *r = (read_op *)op;
  sql_op *o = &r->base;
  if (o->failure || (r->ended && !o->result)) {
    lua_pushnil(L);
    sql_push_failure(L, o->conn, o->failure);
    return 2;
  }
  lua_pushlstring(L, o->data.data ? o->data.data : "", o->data.size);
  if (!r->ended) return 1;
  lua_pushinteger(L, o->affected);
  return 2;
}

/* copy_read(handle) -> data [, rows: it was the last] | nil, problem */
static int l_read(lua_State *L) {
  static const it_op_class read_class = {"sql.copy", read_push, sql_op_cancel, sql_op_free};
  sql_conn *c;
  if (!sql_check_idle(L, 1, SQL_COPY_OUT, &c)) return sql_push_settle(L);
  read_op *r = sql_op_new(L, c, sizeof *r, &read_class, read_step);
  return sql_op_start(L, &r->base, SQL_COPY_OUT, true);
}

const luaL_Reg sql_copy_methods[] = {{"copy_begin", l_begin},
                                     {"copy_write", l_write},
                                     {"copy_end", l_end},
                                     {"copy_read", l_read},
                                     {NULL, NULL}};
