/*
 * sql_pipeline.c - many statements on their way at once: begin, queue…, flush now and then, end.
 *
 * The server answers in order, so results are matched to items by counting. What only affects rows keeps a number; what
 * returns rows keeps its PGresult until end() hands everything over. When one fails the server skips the rest up to the end.
 */
#include <stdlib.h>

#include "sql.h"

enum { FLUSH_AT = 128 * 1024 /* bytes queued, then the caller should flush */ };

void sql_pipeline_free(sql_conn *c) {
  for (size_t i = 0; i < c->item_count; i++) PQclear(c->items[i].result);
  free(c->items);
  c->items = NULL;
  c->item_count = c->item_slots = c->items_ended = c->unflushed = 0;
}

/* pipeline_begin(handle) -> true | nil, "settle" */
static int l_begin(lua_State *L) {
  sql_conn *c;
  if (!sql_check_idle(L, 1, SQL_IDLE, &c)) return sql_push_settle(L);
  sql_pipeline_free(c);
  if (!PQenterPipelineMode(c->pg))
    it_raise(L, "sql", "08000", "%s: %s", c->res.label, PQerrorMessage(c->pg));
  c->state = SQL_PIPELINE;
  lua_pushboolean(L, true);
  return 1;
}

static int queued(lua_State *L, sql_conn *c, bool sent, sql_item item, size_t bytes) {
  if (!sent) it_raise(L, "sql", "08006", "%s: %s", c->res.label, PQerrorMessage(c->pg));
  if (c->item_count == c->item_slots) {
    c->item_slots = c->item_slots ? 2 * c->item_slots : 64;
    c->items = it_realloc(c->items, c->item_slots * sizeof *c->items);
  }
  c->items[c->item_count++] = item;
  c->unflushed += bytes;
  c->used = true;
  lua_pushboolean(L, c->unflushed >= FLUSH_AT);
  return 1;
}

/* queue(handle, statement, rows, …) -> whether to flush now */
static int l_queue(lua_State *L) {
  sql_conn *c;
  const sql_statement *s = sql_statement_check(L, 2);
  bool rows = lua_toboolean(L, 3);
  sql_params p;
  if (!sql_check_idle(L, 1, SQL_PIPELINE, &c)) return sql_push_settle(L);
  sql_params_read(L, s, 4, &p);
  if (!sql_check_idle(L, 1, SQL_PIPELINE, &c)) return sql_push_settle(L);
  bool sent = PQsendQueryPrepared(c->pg, s->name, p.count, p.values, p.lengths, p.formats, 0);
  return queued(L, c, sent, (sql_item){.rows = rows}, p.bytes + 64);
}

/* queue_text(handle, sql): a statement without parameters whose result is nobody's business */
static int l_queue_text(lua_State *L) {
  sql_conn *c;
  const char *sql = luaL_checkstring(L, 2);
  if (!sql_check_idle(L, 1, SQL_PIPELINE, &c)) return sql_push_settle(L);
  bool sent = PQsendQueryParams(c->pg, sql, 0, NULL, NULL, NULL, NULL, 0);
  return queued(L, c, sent, (sql_item){.silent = true}, 64);
}

static void answer(sql_item *item, PGresult *r) {
  ExecStatusType status = PQresultStatus(r);
  bool failed =
      status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY;
  item->answered = true;
  PQclear(item->result);
  item->result = r;
  if (failed || (item->rows && !item->silent)) return;
  item->affected = sql_affected(r);
  PQclear(r);
  item->result = NULL;
}

static void read_answers(sql_conn *c) {
  while (c->items_ended < c->item_count && sql_arrived(c)) {
    sql_item *item = &c->items[c->items_ended];
    PGresult *r = PQgetResult(c->pg);
    if (r) answer(item, r);
    else if (item->answered) c->items_ended++;
    else return;
  }
}

static bool flush_step(sql_op *o) {
  sql_conn *c = o->conn;
  read_answers(c);
  if (!c->broken && PQflush(c->pg) != 0) return false;
  c->unflushed = 0;
  c->state = SQL_PIPELINE;
  return true;
}

static int flush_push(lua_State *L, it_op *op) {
  (void)L;
  (void)op;
  return 0;
}

/* flush(handle): until what is queued has been sent */
static int l_flush(lua_State *L) {
  static const it_op_class flush_class = {"sql.pipeline", flush_push, sql_op_cancel, sql_op_free};
  sql_conn *c;
  if (!sql_check_idle(L, 1, SQL_PIPELINE, &c)) return sql_push_settle(L);
  sql_op *o = sql_op_new(L, c, sizeof *o, &flush_class, flush_step);
  return sql_op_start(L, o, SQL_PIPELINE, true);
}

static bool end_step(sql_op *o) {
  sql_conn *c = o->conn;
  read_answers(c);
  while (c->items_ended == c->item_count && sql_arrived(c)) {
    PGresult *r = PQgetResult(c->pg);
    if (!r && !c->broken) return false;
    bool synced = r && PQresultStatus(r) == PGRES_PIPELINE_SYNC;
    if (r && !synced && !o->failure) o->failure = r;
    else PQclear(r);
    if (!synced && !c->broken) continue;
    c->syncing = false;
    PQexitPipelineMode(c->pg);
    c->state = SQL_IDLE;
    return true;
  }
  if (!c->broken) return false;
  c->state = SQL_IDLE; /* it is lost: some never got an answer */
  return true;
}

static int push_item_failure(lua_State *L, const sql_conn *c, const PGresult *r,
                             lua_Integer index) {
  lua_pushnil(L);
  sql_push_failure(L, c, r);
  lua_pushinteger(L, index);
  lua_setfield(L, -2, "index");
  return 2;
}

/* -> {result, …} | nil, fields of the error, with the index of the statement */
static int end_push(lua_State *L, it_op *op) {
  sql_op *o = (sql_op *)op;
  sql_conn *c = o->conn;
  lua_Integer n = 0;
  lua_newtable(L);
  for (size_t i = 0; i < c->item_count; i++) {
    sql_item *item = &c->items[i];
    if (!item->silent) n++;
    ExecStatusType status = item->result ? PQresultStatus(item->result) : PGRES_COMMAND_OK;
    if (!item->answered ||
        (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY))
      return push_item_failure(L, c, item->result, n);
    if (item->silent) continue;
    if (item->rows) {
      int top = lua_gettop(L);
      sql_push_rows(L, c, item->result);
      lua_replace(L, top + 1);
      lua_settop(L, top + 1);
    } else {
      lua_pushinteger(L, item->affected);
    }
    lua_rawseti(L, -2, n);
  }
  sql_pipeline_free(c);
  if (o->failure) return push_item_failure(L, c, o->failure, n);
  return 1;
}

/* pipeline_end(handle) -> {result, …} | nil, problem */
static int l_end(lua_State *L) {
  static const it_op_class end_class = {"sql.pipeline", end_push, sql_op_cancel, sql_op_free};
  sql_conn *c;
  if (!sql_check_idle(L, 1, SQL_PIPELINE, &c)) return sql_push_settle(L);
  sql_op *o = sql_op_new(L, c, sizeof *o, &end_class, end_step);
  it_op_detail(&o->op, c->item_count == 1 ? "1 statement" : "%d statements", (int)c->item_count);
  bool sent = PQpipelineSync(c->pg);
  c->syncing = sent;
  return sql_op_start(L, o, SQL_PIPELINE, sent);
}

const luaL_Reg sql_pipeline_methods[] = {{"pipeline_begin", l_begin},  {"queue", l_queue},
                                         {"queue_text", l_queue_text}, {"flush", l_flush},
                                         {"pipeline_end", l_end},      {NULL, NULL}};
