/*
 * sql.h - what the files of the PostgreSQL binding (libpq, non-blocking) share.
 *
 *   sql.c            the module's entry, a connection's small methods
 *   sql_connect.c    connection strings, opening a connection
 *   sql_link.c       a connection on the loop: its socket, what runs on it, stopping that, losing it
 *   sql_statement.c  the operations that run statements: simple, prepared, preparing
 *   sql_params.c     Lua values to parameters
 *   sql_result.c     a PGresult to rows, a value, a count, or the fields of an error
 *   sql_types.c      which type a column has, and its text as a Lua value
 *   sql_array.c      the text of arrays
 *   sql_pipeline.c   many statements on their way at once
 *   sql_copy.c       COPY in both directions
 *   sql_copy_row.c   Lua rows to COPY's text format
 *   sql_notify.c     notices and notifications
 *   sql_gate.c       waiting in line for one of a pool
 *
 * Who owns whom: a Lua handle and every operation keep their sql_conn; the sql_conn owns the PGconn, its watch and its
 * timer. At most one operation runs statements on a connection (conn->op); one may wait for notifications beside it.
 */
#ifndef ITLUA_SQL_H
#define ITLUA_SQL_H

#include <libpq-fe.h>

#include "itlua.h"

typedef struct sql_op sql_op;

typedef enum sql_state {
  SQL_OPENING,
  SQL_IDLE,     /* a statement may be sent */
  SQL_BUSY,     /* conn->op reads the results of what it sent */
  SQL_PIPELINE, /* statements are queued; conn->op is set while it flushes or ends */
  SQL_COPY_IN,  /* between two pieces of COPY data; conn->op is set while one is under way */
  SQL_COPY_OUT,
  SQL_DRAINING, /* its statement was stopped: the rest of the reply is read and forgotten */
  SQL_LOST      /* the server is gone; why is in conn->lost */
} sql_state;

typedef enum sql_kind {
  SQL_TEXT,
  SQL_BOOL,
  SQL_INT,
  SQL_FLOAT,
  SQL_NUMERIC,
  SQL_BYTEA,
  SQL_JSON,
  SQL_ARRAY
} sql_kind;

typedef struct sql_type {
  Oid oid;
  sql_kind kind;
  Oid element; /* of an array */
  sql_kind element_kind;
  char delimiter;   /* between an array's elements */
  const char *name; /* of an array: its element's */
} sql_type;

typedef struct sql_learned { /* a type of the user's */
  sql_type type;
  char *name;
} sql_learned;

typedef struct
    sql_item { /* a statement in the pipeline: its result, or how many rows it affected */
  PGresult *result;
  lua_Integer affected;
  bool rows, silent; /* silent: not one of the caller's (BEGIN, COMMIT) */
  bool answered;
} sql_item;

typedef struct sql_conn {
  it_res res;
  PGconn *pg;
  it_watch *watch;
  it_timer
      *timer; /* the limit while it drains, the rest while it idles, looks at what TLS holds back */
  uint64_t drain_until;
  sql_state state;
  int watched;
  bool broken;     /* the socket failed: what was read before is still to be taken */
  bool cancelling; /* a thread tells the server to stop the statement */
  bool managed;    /* somebody in Lua ends its transaction */
  bool rolled_back, used, ticking, syncing;
  bool tls;
  sql_op *op;
  it_op *settler;  /* waits for the end of draining */
  it_op *listener; /* waits for a notification */
  char *lost, *lost_code;
  PGnotify **notifications;
  size_t notified, notifications_taken, notification_slots;
  struct sql_notice *notices, **notices_end;
  int notice_count;
  sql_learned *learned;
  size_t learned_count;
  sql_item *items;
  size_t item_count, item_slots, items_ended;
  size_t unflushed; /* bytes queued since the last flush, about */
  it_buf copy;      /* rows on their way into COPY */
} sql_conn;

/* An operation that runs on a connection. Its step takes what has arrived and says whether it has ended. */
struct sql_op {
  it_op op;
  sql_conn *conn;
  bool (*step)(sql_op *o);
  PGresult *result, *failure; /* the last rows or count; the first error */
  lua_Integer affected;
  int mode;
  int statement; /* stack index of the prepared statement, which keeps what its results have in common; or 0 */
  bool copy_refused;
  it_buf data;
};

/* What a statement's result becomes in Lua. */
enum { SQL_ROWS, SQL_ONE, SQL_VALUE, SQL_COUNT, SQL_BATCH };

/* A prepared statement: plain memory in a userdata, nothing to release. */
typedef struct sql_statement {
  char name[24];
  const char *detail; /* behind the types */
  int count;
  sql_type params[];
} sql_statement;

/* sql.c */
IT_API int luaopen_itlua_sql_core(lua_State *L);
extern const it_res_class sql_conn_class, sql_pooled_class;
#define SQL_CONN "itlua.sql.connection"
#define SQL_STATEMENT "itlua.sql.statement"
#define SQL_BATCH_TYPE "itlua.sql.batch"
sql_conn *sql_check(lua_State *L, int arg); /* open and not lost, or an error object */
/* The same, and nothing may run on it: an error object says what does. False: it drains, call settle first. */
bool sql_check_idle(lua_State *L, int arg, sql_state wanted, sql_conn **conn);
void sql_push_setting(lua_State *L, const char *name); /* what Lua gave setup(): null, decode, … */

/* sql_connect.c: parse, defaults, connect */
int sql_parse(lua_State *L);
int sql_defaults(lua_State *L);
int sql_connect(lua_State *L);

/* sql_link.c */
void sql_link_open(sql_conn *c); /* it has just connected */
void sql_link_close(sql_conn *c);
void *sql_op_new(lua_State *L, sql_conn *c, size_t size, const it_op_class *cls,
                 bool (*step)(sql_op *o));
/* Something was sent for `o`, or `sent` is false and it fails. It is the connection's operation until its step ends. */
int sql_op_start(lua_State *L, sql_op *o, sql_state during, bool sent);
bool sql_op_cancel(it_op *op);
void sql_op_free(it_op *op);
void sql_turn(sql_conn *c);          /* flush, take what arrived */
bool sql_arrived(const sql_conn *c); /* PQgetResult will not wait */
void sql_fail_lost(it_op *op, const sql_conn *c);
void sql_abort(sql_conn *c, bool cancel); /* forget what runs; tell the server to stop it */
int sql_settle(lua_State *L);
void sql_look(sql_conn *c); /* whether it has ended meanwhile */
const char *sql_state_name(sql_state state);

/* sql_statement.c */
int sql_exec(lua_State *L);
int sql_send(lua_State *L);
int sql_prepare(lua_State *L);
int sql_run(lua_State *L);
int sql_retype(lua_State *L);
/* Takes results up to the last one and leaves the connection idle; pushes what became of it. */
bool sql_run_step(sql_op *o);
int sql_run_push(lua_State *L, it_op *op);
int sql_push_settle(lua_State *L); /* nil, "settle" */
/* The statement's text on one line, shortened: into `out` of `size`. */
void sql_shorten(char *out, size_t size, const char *sql);
sql_statement *sql_statement_check(lua_State *L, int arg);
bool sql_plain_text(const char *s, size_t size); /* it has no NUL */

/* sql_params.c */
typedef struct sql_params {
  int count;
  size_t bytes;
  const char **values;
  int *lengths, *formats;
  const char *some_values[16];
  int some_lengths[16], some_formats[16];
} sql_params;
/* The arguments from `first` on as parameters of `s`. Values live on the stack. Raises. */
void sql_params_read(lua_State *L, const sql_statement *s, int first, sql_params *p);
const char *sql_number_text(lua_State *L, int idx, size_t *size); /* pushes */

/* sql_result.c */
void sql_push_rows(lua_State *L, const sql_conn *c, PGresult *r); /* types not known are text */
int sql_push_result(lua_State *L, sql_op *o);
void sql_push_failure(lua_State *L, const sql_conn *c, const PGresult *r); /* fields of an error */
void sql_outcome(it_op *op, PGresult *r, const PGresult *failure);
lua_Integer sql_affected(PGresult *r);
void sql_batch_register(lua_State *L);
void sql_add_unknown(lua_State *L, Oid oid); /* to the list on top, once */

/* sql_types.c */
/* False: a type that has to be learned first (then it is taken as text). */
bool sql_type_of(const sql_conn *c, Oid oid, sql_type *type);
void sql_push_type_name(lua_State *L, const sql_type *t);
int sql_knows(lua_State *L);
int sql_learn(lua_State *L);
void sql_forget_types(sql_conn *c);
const char *sql_kind_name(sql_kind kind); /* as encode() of lua/itlua/sql/types.lua knows it */
/* Pushes the Lua value of a value's text, which has a NUL behind it. */
void sql_decode(lua_State *L, const sql_conn *c, const sql_type *t, const char *text, size_t size);
int sql_decode_text(lua_State *L); /* decode(handle, oid, text), for tests */

/* sql_array.c */
void sql_decode_array(lua_State *L, const sql_conn *c, const sql_type *t, const char *text,
                      size_t size);

/* sql_pipeline.c */
extern const luaL_Reg sql_pipeline_methods[];
void sql_pipeline_free(sql_conn *c);

/* sql_copy.c */
extern const luaL_Reg sql_copy_methods[];

/* sql_copy_row.c */
int sql_copy_rows(lua_State *L);

/* sql_notify.c */
extern const luaL_Reg sql_notify_methods[];
void sql_notify_open(sql_conn *c);
void sql_notify_take(sql_conn *c); /* what has arrived */
void sql_notify_free(sql_conn *c);
void sql_notify_end(sql_conn *c); /* lost or closed: nobody waits on */
const char *sql_last_fatal(const sql_conn *c, const char **code);

/* sql_gate.c: a number of permits, handed out in the order of asking */
int sql_gate(lua_State *L); /* gate(permits, label) -> gate: acquire(), release() */
void sql_gate_register(lua_State *L);

#endif
