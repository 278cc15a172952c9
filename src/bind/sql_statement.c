/*
 * sql_statement.c - the operations that run statements on an idle connection.
 *
 *   exec      the simple protocol: several statements, no parameters
 *   send      one statement without parameters, not prepared
 *   prepare   prepares a statement and asks for its types, in one trip
 *   run       a prepared statement with parameters
 *
 * While the connection drains they return nil, "settle": the caller waits for that and tries again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql.h"

enum { DETAIL = 120 /* bytes of a statement in timelines */ };

bool sql_plain_text(const char *s, size_t size) { return memchr(s, 0, size) == NULL; }

void sql_shorten(char *out, size_t size, const char *sql) {
  static const char dots[] = "\xE2\x80\xA6";
  size_t n = 0, most = size - sizeof dots;
  bool blank = true; /* none at the start */
  const char *p = sql;
  for (; *p && n < most; p++) {
    bool is_blank = *p == ' ' || (*p >= '\t' && *p <= '\r');
    if (!is_blank) out[n++] = *p;
    else if (!blank) out[n++] = ' ';
    blank = is_blank;
  }
  while (n && out[n - 1] == ' ') n--;
  while (*p == ' ' || (*p >= '\t' && *p <= '\r')) p++;
  if (*p) {
    while (n && ((unsigned char)out[n - 1] & 0xC0) == 0x80) n--; /* half a character */
    if (n && (unsigned char)out[n - 1] >= 0xC0) n--;
    memcpy(out + n, dots, sizeof dots - 1);
    n += sizeof dots - 1;
  }
  out[n] = 0;
}

static const char *check_sql(lua_State *L, int arg) {
  size_t size;
  const char *sql = luaL_checklstring(L, arg, &size);
  if (!sql_plain_text(sql, size))
    it_raise(L, "sql", "42601", "the statement has a NUL byte at position %d",
             (int)strlen(sql) + 1);
  return sql;
}

int sql_push_settle(lua_State *L) {
  lua_pushnil(L);
  lua_pushliteral(L, "settle");
  return 2;
}

/* ---- taking results ---- */

/* COPY where no COPY was meant. False: more of it has to arrive first. */
static bool refuse_copy(sql_op *o, ExecStatusType status) {
  PGconn *pg = o->conn->pg;
  o->copy_refused = true;
  if (status == PGRES_COPY_IN) {
    PQputCopyEnd(pg, "no data: db:copy_in has the rows");
    return true;
  }
  char *data;
  int size;
  while ((size = PQgetCopyData(pg, &data, 1)) > 0) PQfreemem(data);
  return size != 0 || o->conn->broken;
}

static bool take(sql_op *o, PGresult *r) {
  ExecStatusType status = PQresultStatus(r);
  switch (status) {
  case PGRES_TUPLES_OK:
  case PGRES_COMMAND_OK:
  case PGRES_EMPTY_QUERY:
    o->affected += sql_affected(r);
    PQclear(o->result);
    o->result = r;
    return true;
  case PGRES_COPY_IN:
  case PGRES_COPY_OUT:
  case PGRES_COPY_BOTH: PQclear(r); return refuse_copy(o, status);
  default:
    if (o->failure) PQclear(r);
    else o->failure = r;
    return true;
  }
}

bool sql_run_step(sql_op *o) {
  sql_conn *c = o->conn;
  while (sql_arrived(c)) {
    PGresult *r = PQgetResult(c->pg);
    if (!r) {
      c->state = SQL_IDLE;
      sql_outcome(&o->op, o->result, o->failure);
      return true;
    }
    if (!take(o, r)) return false;
  }
  return false;
}

/* Whether the result is worth keeping for a report. */
static bool is_small(PGresult *r) {
  enum { ROWS = 200, BYTES = 1 << 16 };
  return r && PQntuples(r) <= ROWS && PQresultMemorySize(r) <= BYTES;
}

/* -> result | nil, fields of the error */
int sql_run_push(lua_State *L, it_op *op) {
  sql_op *o = (sql_op *)op;
  op->keeps_result = is_small(o->result) ? IT_KEEP_RESULT : IT_KEEP_NOTHING;
  if (o->copy_refused) {
    lua_pushnil(L);
    lua_createtable(L, 0, 2);
    lua_pushliteral(L, "COPY needs db:copy_in or db:copy_out");
    lua_setfield(L, -2, "message");
    lua_pushliteral(L, "0A000");
    lua_setfield(L, -2, "code");
    return 2;
  }
  if (o->failure || !o->result) {
    lua_pushnil(L);
    sql_push_failure(L, o->conn, o->failure);
    return 2;
  }
  return sql_push_result(L, o);
}

static const it_op_class query_class = {"sql.query", sql_run_push, sql_op_cancel, sql_op_free};
/* A cursor's fetches leave no trace each: the cursor does, in Lua. */
static const it_op_class fetch_class = {"sql.cursor", sql_run_push, sql_op_cancel, sql_op_free};
static const it_op_class exec_class = {"sql.exec", sql_run_push, sql_op_cancel, sql_op_free};

static sql_op *begin(lua_State *L, sql_conn *c, const it_op_class *cls, const char *sql, int mode) {
  char detail[DETAIL];
  sql_op *o = sql_op_new(L, c, sizeof *o, cls, sql_run_step);
  o->mode = mode;
  if (cls == &fetch_class) return o;
  sql_shorten(detail, sizeof detail, sql);
  it_op_detail(&o->op, "%s", detail);
  o->op.keeps = 2; /* connection, statement */
  return o;
}

/* exec(handle, sql) -> affected rows | nil, problem */
int sql_exec(lua_State *L) {
  sql_conn *c;
  const char *sql = check_sql(L, 2);
  if (!sql_check_idle(L, 1, SQL_IDLE, &c)) return sql_push_settle(L);
  sql_op *o = begin(L, c, &exec_class, sql, SQL_COUNT);
  return sql_op_start(L, o, SQL_BUSY, PQsendQuery(c->pg, sql));
}

/* send(handle, sql, mode) -> result | nil, problem */
int sql_send(lua_State *L) {
  sql_conn *c;
  const char *sql = check_sql(L, 2);
  int mode = (int)luaL_checkinteger(L, 3);
  if (!sql_check_idle(L, 1, SQL_IDLE, &c)) return sql_push_settle(L);
  sql_op *o = begin(L, c, mode == SQL_BATCH ? &fetch_class : &query_class, sql, mode);
  return sql_op_start(L, o, SQL_BUSY, PQsendQueryParams(c->pg, sql, 0, NULL, NULL, NULL, NULL, 0));
}

/* ---- prepared statements ---- */

sql_statement *sql_statement_check(lua_State *L, int arg) {
  return luaL_checkudata(L, arg, SQL_STATEMENT);
}

/* run(handle, statement, mode, …) -> result | nil, problem */
int sql_run(lua_State *L) {
  sql_conn *c;
  const sql_statement *s = sql_statement_check(L, 2);
  int mode = (int)luaL_checkinteger(L, 3);
  sql_params p;
  int values = lua_gettop(L);
  if (!sql_check_idle(L, 1, SQL_IDLE, &c)) return sql_push_settle(L);
  sql_params_read(L, s, 4, &p);
  /* Encoding may have called Lua, which may have used the connection. */
  if (!sql_check_idle(L, 1, SQL_IDLE, &c)) return sql_push_settle(L);
  sql_op *o =
      sql_op_new(L, c, sizeof *o, mode == SQL_COUNT ? &exec_class : &query_class, sql_run_step);
  o->mode = mode;
  o->statement = 2;
  it_op_detail(&o->op, "%s", s->detail);
  o->op.keeps = (unsigned char)(values < 64 ? values : 64);
  return sql_op_start(
      L, o, SQL_BUSY,
      PQsendQueryPrepared(c->pg, s->name, p.count, p.values, p.lengths, p.formats, 0));
}

static bool prepare_step(sql_op *o) {
  sql_conn *c = o->conn;
  while (sql_arrived(c)) {
    PGresult *r = PQgetResult(c->pg);
    if (!r) {
      if (!c->broken) continue; /* between the two answers */
      c->state = SQL_IDLE;
      return true;
    }
    switch (PQresultStatus(r)) {
    case PGRES_PIPELINE_SYNC:
      PQclear(r);
      c->syncing = false;
      PQexitPipelineMode(c->pg);
      c->state = SQL_IDLE;
      sql_outcome(&o->op, o->result, o->failure);
      o->op.fleeting = !o->failure; /* the statement's own line follows */
      return true;
    case PGRES_COMMAND_OK:
      PQclear(o->result);
      o->result = r; /* the last: what it describes */
      break;
    default:
      if (o->failure) PQclear(r);
      else o->failure = r;
    }
  }
  return false;
}

typedef struct prepare_op {
  sql_op base;
  const char *name, *sql; /* on the stack */
} prepare_op;

/* -> statement, {unknown type, …} | nil, fields of the error */
static int prepare_push(lua_State *L, it_op *op) {
  prepare_op *o = (prepare_op *)op;
  const PGresult *r = o->base.result;
  if (o->base.failure || !r) {
    lua_pushnil(L);
    sql_push_failure(L, o->base.conn, o->base.failure);
    return 2;
  }
  int n = PQnparams(r);
  char detail[DETAIL];
  sql_shorten(detail, sizeof detail, o->sql);
  size_t types = (size_t)n * sizeof(sql_type), size = strlen(detail) + 1;
  sql_statement *s = lua_newuserdatauv(L, sizeof *s + types + size, 2);
  luaL_setmetatable(L, SQL_STATEMENT);
  snprintf(s->name, sizeof s->name, "%s", o->name);
  s->count = n;
  s->detail = memcpy((char *)s + sizeof *s + types, detail, size);
  lua_pushstring(L, o->sql);
  lua_setiuservalue(L, -2, 2);
  lua_newtable(L);
  for (int i = 0; i < n; i++)
    if (!sql_type_of(o->base.conn, PQparamtype(r, i), &s->params[i]))
      sql_add_unknown(L, PQparamtype(r, i));
  sql_type ignored;
  for (int i = 0; i < PQnfields(r); i++)
    if (!sql_type_of(o->base.conn, PQftype(r, i), &ignored)) sql_add_unknown(L, PQftype(r, i));
  return 2;
}

/* retype(handle, statement): types that were unknown have been learned */
int sql_retype(lua_State *L) {
  const sql_conn *c = sql_check(L, 1);
  sql_statement *s = sql_statement_check(L, 2);
  for (int i = 0; i < s->count; i++) sql_type_of(c, s->params[i].oid, &s->params[i]);
  return 0;
}

/* prepare(handle, name, sql) -> statement, {unknown type, …} | nil, problem */
int sql_prepare(lua_State *L) {
  static const it_op_class prepare_class = {"sql.prepare", prepare_push, sql_op_cancel,
                                            sql_op_free};
  sql_conn *c;
  const char *name = luaL_checkstring(L, 2), *sql = check_sql(L, 3);
  char detail[DETAIL];
  if (!sql_check_idle(L, 1, SQL_IDLE, &c)) return sql_push_settle(L);
  prepare_op *o = sql_op_new(L, c, sizeof *o, &prepare_class, prepare_step);
  o->name = name;
  o->sql = sql;
  sql_shorten(detail, sizeof detail, sql);
  it_op_detail(&o->base.op, "%s", detail);
  bool sent = PQenterPipelineMode(c->pg) && PQsendPrepare(c->pg, name, sql, 0, NULL) &&
              PQsendDescribePrepared(c->pg, name) && PQpipelineSync(c->pg);
  c->syncing = sent;
  if (!sent) PQexitPipelineMode(c->pg);
  return sql_op_start(L, &o->base, SQL_BUSY, sent);
}
