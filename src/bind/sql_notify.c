/*
 * sql_notify.c - what the server says unasked: notices (RAISE NOTICE, warnings) and notifications (NOTIFY).
 *
 * Both are kept until Lua takes them. Of notices only the last NOTICES stay.
 */
#include <stdlib.h>
#include <string.h>

#include "sql.h"

enum { NOTICES = 1000 };

typedef struct sql_notice {
  struct sql_notice *next;
  char *severity, *code, *message, *detail, *hint, *context;
} sql_notice;

/* ---- notices ---- */

static char *field_of(const PGresult *r, int field) {
  const char *value = PQresultErrorField(r, field);
  return value ? it_strdup(value) : NULL;
}

static void notice_free(sql_notice *n) {
  free(n->severity);
  free(n->code);
  free(n->message);
  free(n->detail);
  free(n->hint);
  free(n->context);
  free(n);
}

static void drop_first(sql_conn *c) {
  sql_notice *n = c->notices;
  c->notices = n->next;
  if (!c->notices) c->notices_end = &c->notices;
  c->notice_count--;
  notice_free(n);
}

static void on_notice(void *data, const PGresult *r) {
  sql_conn *c = data;
  sql_notice *n = it_alloc(sizeof *n);
  n->severity = field_of(r, PG_DIAG_SEVERITY_NONLOCALIZED);
  n->code = field_of(r, PG_DIAG_SQLSTATE);
  n->message = field_of(r, PG_DIAG_MESSAGE_PRIMARY);
  n->detail = field_of(r, PG_DIAG_MESSAGE_DETAIL);
  n->hint = field_of(r, PG_DIAG_MESSAGE_HINT);
  n->context = field_of(r, PG_DIAG_CONTEXT);
  *c->notices_end = n;
  c->notices_end = &n->next;
  if (++c->notice_count > NOTICES) drop_first(c);
}

void sql_notify_open(sql_conn *c) {
  c->notices_end = &c->notices;
  PQsetNoticeReceiver(c->pg, on_notice, c);
}

const char *sql_last_fatal(const sql_conn *c, const char **code) {
  const char *message = NULL;
  for (const sql_notice *n = c->notices; n; n = n->next) {
    if (!n->severity || !n->message) continue;
    if (strcmp(n->severity, "FATAL") != 0 && strcmp(n->severity, "PANIC") != 0) continue;
    message = n->message;
    *code = n->code ? n->code : "08006";
  }
  return message;
}

static void set_field(lua_State *L, const char *name, const char *value) {
  if (!value) return;
  lua_pushstring(L, value);
  lua_setfield(L, -2, name);
}

/* notices(handle) -> {{severity, code, message, detail, hint, context}, …}: those since the last call */
static int l_notices(lua_State *L) {
  sql_conn *c = *(sql_conn **)luaL_checkudata(L, 1, SQL_CONN);
  lua_newtable(L);
  for (lua_Integer i = 1; c && c->notices; i++) {
    const sql_notice *n = c->notices;
    lua_createtable(L, 0, 6);
    set_field(L, "severity", n->severity);
    set_field(L, "code", n->code);
    set_field(L, "message", n->message);
    set_field(L, "detail", n->detail);
    set_field(L, "hint", n->hint);
    set_field(L, "context", n->context);
    lua_rawseti(L, -2, i);
    drop_first(c);
  }
  return 1;
}

/* ---- notifications ---- */

static size_t waiting(const sql_conn *c) { return c->notified - c->notifications_taken; }

void sql_notify_take(sql_conn *c) {
  PGnotify *n;
  while ((n = PQnotifies(c->pg))) {
    if (c->notified == c->notification_slots) {
      c->notification_slots = c->notification_slots ? 2 * c->notification_slots : 16;
      c->notifications = it_realloc(c->notifications, c->notification_slots * sizeof(PGnotify *));
    }
    c->notifications[c->notified++] = n;
  }
  it_op *listener = c->listener;
  if (!listener || !waiting(c)) return;
  c->listener = NULL;
  it_op_done(listener);
}

void sql_notify_end(sql_conn *c) {
  it_op *listener = c->listener;
  c->listener = NULL;
  if (!listener) return;
  if (c->state == SQL_LOST) sql_fail_lost(listener, c);
  else it_op_fail(listener, "sql", "08003", "%s was closed", c->res.label);
}

void sql_notify_free(sql_conn *c) {
  while (c->notices) drop_first(c);
  for (size_t i = c->notifications_taken; i < c->notified; i++) PQfreemem(c->notifications[i]);
  free(c->notifications);
}

/* -> {channel, payload, process} */
static int notification_push(lua_State *L, it_op *op) {
  sql_conn *c = ((sql_op *)op)->conn;
  PGnotify *n = c->notifications[c->notifications_taken];
  lua_createtable(L, 0, 3);
  set_field(L, "channel", n->relname);
  set_field(L, "payload", n->extra);
  lua_pushinteger(L, n->be_pid);
  lua_setfield(L, -2, "process");
  PQfreemem(n);
  if (++c->notifications_taken == c->notified) c->notifications_taken = c->notified = 0;
  return 1;
}

static bool notification_cancel(it_op *op) {
  sql_op *o = (sql_op *)op;
  if (o->conn->listener == op) o->conn->listener = NULL;
  return true;
}

/* notification(handle) -> {channel, payload, process}: waits for the next */
static int l_notification(lua_State *L) {
  static const it_op_class notification_class = {"sql.notification", notification_push,
                                                 notification_cancel, sql_op_free};
  sql_conn *c = sql_check(L, 1);
  if (c->listener) it_raise(L, "sql", "BUSY", "%s: another task waits already", c->res.label);
  sql_op *o = sql_op_new(L, c, sizeof *o, &notification_class, NULL);
  if (waiting(c)) {
    it_op_done(&o->op);
  } else {
    c->listener = &o->op;
    sql_turn(c); /* watches the socket again */
  }
  return it_await(L, &o->op);
}

/* notified(handle) -> how many notifications have come and were not taken; looks at the socket */
static int l_notified(lua_State *L) {
  sql_conn *c = sql_check(L, 1);
  if (c->state == SQL_IDLE) {
    if (!PQconsumeInput(c->pg)) c->broken = true;
    sql_turn(c);
  }
  lua_pushinteger(L, (lua_Integer)waiting(c));
  return 1;
}

const luaL_Reg sql_notify_methods[] = {{"notices", l_notices},
                                       {"notification", l_notification},
                                       {"notified", l_notified},
                                       {NULL, NULL}};
