/*
 * sql.c - itlua.sql.core: PostgreSQL by libpq's non-blocking interface. lua/itlua/sql.lua is what specs see.
 *
 * Everything here is mechanism: one connection, one statement at a time. Which statements are prepared, what an error says,
 * transactions, cursors and pools are Lua's business. A statement that the server refuses is no error here: the function
 * returns nil and a table of what the server said.
 */
#include "sql.h"

#include <stdlib.h>
#include <string.h>

static const char *const SETTINGS = "itlua.sql.settings";

/* ---- the resource ---- */

static void conn_close(it_res *res) { sql_link_close((sql_conn *)res); }

static void conn_free(it_res *res) {
  sql_conn *c = (sql_conn *)res;
  sql_notify_free(c);
  sql_forget_types(c);
  sql_pipeline_free(c);
  it_buf_free(&c->copy);
  free(c->lost);
  free(c->lost_code);
  free(c);
}

const it_res_class sql_conn_class = {SQL_CONN, conn_close, conn_free, false};
/* One that a pool opened when a test first needed it outlives the test. */
const it_res_class sql_pooled_class = {SQL_CONN, conn_close, conn_free, true};

static _Noreturn void raise_gone(lua_State *L, const sql_conn *c) {
  if (c && c->res.open) it_raise(L, "sql", c->lost_code, "%s is lost: %s", c->res.label, c->lost);
  it_raise(L, "sql", "08003", "%s is closed", c && c->res.label ? c->res.label : "the connection");
}

sql_conn *sql_check(lua_State *L, int arg) {
  sql_conn *c = *(sql_conn **)luaL_checkudata(L, arg, SQL_CONN);
  bool usable = c && c->res.open && c->state != SQL_LOST;
  if (!usable) raise_gone(L, c);
  return c;
}

static _Noreturn void raise_busy(lua_State *L, const sql_conn *c) {
  const char *text = c->op ? c->op->op.detail : NULL;
  if (c->state == SQL_PIPELINE && !c->op)
    it_raise(L, "sql", "BUSY",
             "%s is in a pipeline: queue statements on it, or use another connection",
             c->res.label);
  if ((c->state == SQL_COPY_IN || c->state == SQL_COPY_OUT) && !c->op)
    it_raise(L, "sql", "BUSY", "%s is in the middle of COPY: use another connection", c->res.label);
  if (c->op)
    it_raise(L, "sql", "BUSY", "%s is busy with %s%s%s (a task at a time; sql.pool has more)",
             c->res.label, c->op->op.cls->name, text ? ": " : "", text ? text : "");
  it_raise(L, "sql", "BUSY", "%s is %s", c->res.label, sql_state_name(c->state));
}

bool sql_check_idle(lua_State *L, int arg, sql_state wanted, sql_conn **conn) {
  sql_conn *c = *conn = sql_check(L, arg);
  if (c->state == SQL_IDLE && !c->op &&
      !c->watched) { /* it rested: why it ended is to be told, not that a send failed */
    sql_look(c);
    if (c->state == SQL_LOST) raise_gone(L, c);
  }
  if (c->state == SQL_DRAINING) return false;
  if (c->state != wanted || c->op) raise_busy(L, c);
  return true;
}

/* ---- small methods ---- */

/* state(handle) -> "idle" | "busy" | "pipeline" | "copy in" | "copy out" | "draining" | "lost" | "closed" */
static int l_state(lua_State *L) {
  const sql_conn *c = *(sql_conn **)luaL_checkudata(L, 1, SQL_CONN);
  lua_pushstring(L, !c || !c->res.open ? "closed" : sql_state_name(c->state));
  return 1;
}

/* look(handle): its state is what it was a moment ago, not when it was last watched */
static int l_look(lua_State *L) {
  sql_conn *c = *(sql_conn **)luaL_checkudata(L, 1, SQL_CONN);
  if (c && c->res.open) sql_look(c);
  return 0;
}

/* transaction(handle) -> "none" | "active" | "open" | "failed" | "unknown" */
static int l_transaction(lua_State *L) {
  static const char *const names[] = {"none", "active", "open", "failed", "unknown"};
  const sql_conn *c = *(sql_conn **)luaL_checkudata(L, 1, SQL_CONN);
  lua_pushstring(L, names[c && c->pg ? PQtransactionStatus(c->pg) : PQTRANS_UNKNOWN]);
  return 1;
}

/* manage(handle, yes): whether somebody ends the open transaction, also when a statement of it is stopped */
static int l_manage(lua_State *L) {
  sql_conn *c = *(sql_conn **)luaL_checkudata(L, 1, SQL_CONN);
  if (c) c->managed = lua_toboolean(L, 2);
  return 0;
}

/* abort(handle, cancel): forgets what runs on it; settle() waits until it is idle */
static int l_abort(lua_State *L) {
  sql_conn *c = *(sql_conn **)luaL_checkudata(L, 1, SQL_CONN);
  if (c && c->res.open && !c->op) sql_abort(c, lua_toboolean(L, 2));
  return 0;
}

/* info(handle) -> {version, process, host, port, database, user} */
static int l_info(lua_State *L) {
  const sql_conn *c = sql_check(L, 1);
  lua_createtable(L, 0, 6);
  lua_pushinteger(L, PQserverVersion(c->pg));
  lua_setfield(L, -2, "version");
  lua_pushinteger(L, PQbackendPID(c->pg));
  lua_setfield(L, -2, "process");
  lua_pushstring(L, PQhost(c->pg));
  lua_setfield(L, -2, "host");
  lua_pushstring(L, PQport(c->pg));
  lua_setfield(L, -2, "port");
  lua_pushstring(L, PQdb(c->pg));
  lua_setfield(L, -2, "database");
  lua_pushstring(L, PQuser(c->pg));
  lua_setfield(L, -2, "user");
  return 1;
}

/* parameter(handle, name) -> what the server reported of it, or nil */
static int l_parameter(lua_State *L) {
  const sql_conn *c = sql_check(L, 1);
  lua_pushstring(L, PQparameterStatus(c->pg, luaL_checkstring(L, 2)));
  return 1;
}

/* ---- settings from Lua ---- */

void sql_push_setting(lua_State *L, const char *name) {
  lua_getfield(L, LUA_REGISTRYINDEX, SETTINGS);
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
}

/* setup{null = value, decode_json = fn(text), encode = fn(value, type, element type, delimiter, which), bounds = metatable} */
static int l_setup(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, SETTINGS);
  return 0;
}

static void register_connection(lua_State *L) {
  static const luaL_Reg methods[] = {{"state", l_state},
                                     {"transaction", l_transaction},
                                     {"manage", l_manage},
                                     {"abort", l_abort},
                                     {"settle", sql_settle},
                                     {"look", l_look},
                                     {"info", l_info},
                                     {"parameter", l_parameter},
                                     {"exec", sql_exec},
                                     {"send", sql_send},
                                     {"prepare", sql_prepare},
                                     {"run", sql_run},
                                     {"retype", sql_retype},
                                     {"knows", sql_knows},
                                     {"learn", sql_learn},
                                     {"decode", sql_decode_text},
                                     {"copy_rows", sql_copy_rows},
                                     {NULL, NULL}};
  it_res_register(L, &sql_conn_class, methods);
  luaL_getmetatable(L, SQL_CONN);
  luaL_setfuncs(L, sql_pipeline_methods, 0);
  luaL_setfuncs(L, sql_copy_methods, 0);
  luaL_setfuncs(L, sql_notify_methods, 0);
  lua_pop(L, 1);
}

int luaopen_itlua_sql_core(lua_State *L) {
  static const luaL_Reg functions[] = {{"setup", l_setup},         {"parse", sql_parse},
                                       {"defaults", sql_defaults}, {"connect", sql_connect},
                                       {"gate", sql_gate},         {NULL, NULL}};
  static const struct {
    const char *name;
    int value;
  } modes[] = {{"ROWS", SQL_ROWS},
               {"ONE", SQL_ONE},
               {"VALUE", SQL_VALUE},
               {"COUNT", SQL_COUNT},
               {"BATCH", SQL_BATCH}};
  register_connection(L);
  sql_batch_register(L);
  sql_gate_register(L);
  luaL_newmetatable(L, SQL_STATEMENT);
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    lua_pushinteger(L, modes[i].value);
    lua_setfield(L, -2, modes[i].name);
  }
  lua_pushfstring(L, "%d.%d", PQlibVersion() / 10000, PQlibVersion() % 10000);
  lua_setfield(L, -2, "version");
  return 1;
}
