/*
 * sql_link.c - a connection on the loop: its socket, what runs on it, stopping that, losing it.
 *
 * One function moves everything: sql_turn() sends what is unsent, takes what has arrived and gives it to the operation that
 * runs, or to drain(). An operation that is stopped (its deadline, a failure beside it) leaves a reply half read: the
 * connection then drains. The server is told to cancel, the rest of the reply is forgotten, a transaction that nobody ends
 * is rolled back, and the connection is as good as before. It stays busy until the request to cancel is known to have
 * arrived as well: one that is late would hit the next statement.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sql.h"

enum {
  REST_AFTER = 200,   /* milliseconds without a statement, then the socket is no longer watched */
  TLS_TICK = 50,      /* milliseconds between two looks at what TLS holds back */
  DRAIN_LIMIT = 5000, /* milliseconds for the server to answer a request to cancel */
  CANCEL_SECONDS = 4  /* for the request itself: PQcancel waits for ever for a frozen server */
};

const char *sql_state_name(sql_state state) {
  static const char *const names[] = {"opening", "idle",     "busy",     "pipeline",
                                      "copy in", "copy out", "draining", "lost"};
  return names[state];
}

bool sql_arrived(const sql_conn *c) { return c->broken || !PQisBusy(c->pg); }

static void watch(sql_conn *c, int events) {
  if (c->watched == events || !c->watch) return;
  it_watch_set(c->watch, events);
  c->watched = events;
}

/* ---- the end of a connection ---- */

void sql_fail_lost(it_op *op, const sql_conn *c) {
  it_op_fail(op, "sql", c->lost_code, "%s is lost: %s", c->res.label, c->lost);
}

static void end_waits(sql_conn *c) {
  it_op *settler = c->settler;
  c->settler = NULL;
  if (settler) it_op_done(settler);
  sql_notify_end(c);
}

static char *first_line(const char *text) {
  char *line = it_strdup(text && *text ? text : "the server closed the connection");
  line[strcspn(line, "\n")] = 0;
  return line;
}

/* What the operation that runs keeps: it says so itself, having taken what arrived before. */
static void lose(sql_conn *c, const char *code, const char *why) {
  if (c->state == SQL_LOST) return;
  const char *fatal_code = NULL, *fatal = sql_last_fatal(c, &fatal_code);
  c->state = SQL_LOST;
  c->lost = first_line(fatal ? fatal : why);
  c->lost_code = it_strdup(fatal ? fatal_code : code);
  it_watch_free(c->watch);
  c->watch = NULL;
  it_timer_set(c->timer, -1);
  end_waits(c);
}

/* ---- telling the server to stop ---- */

typedef struct cancel_job {
  PGcancel *request;
  sql_conn *conn;
  pthread_mutex_t lock;
  pthread_cond_t ended;
  bool over;       /* the request got through, or failed */
  atomic_int refs; /* the pool's thread and the one that may be stuck */
} cancel_job;

static void job_unref(cancel_job *j) {
  if (atomic_fetch_sub(&j->refs, 1) != 1) return;
  PQfreeCancel(j->request);
  pthread_cond_destroy(&j->ended);
  pthread_mutex_destroy(&j->lock);
  free(j);
}

static void *cancel_thread(void *data) {
  cancel_job *j = data;
  char error[256];
  PQcancel(j->request, error, sizeof error);
  pthread_mutex_lock(&j->lock);
  j->over = true;
  pthread_cond_signal(&j->ended);
  pthread_mutex_unlock(&j->lock);
  job_unref(j);
  return NULL;
}

/* On a pool thread, which must come back: so the request has a thread of its own, and a limit. */
static void cancel_work(void *data) {
  cancel_job *j = data;
  pthread_t thread;
  struct timespec until;
  atomic_fetch_add(&j->refs, 1);
  if (pthread_create(&thread, NULL, cancel_thread, j) != 0) {
    job_unref(j);
    return;
  }
  pthread_detach(thread);
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += CANCEL_SECONDS;
  pthread_mutex_lock(&j->lock);
  while (!j->over && pthread_cond_timedwait(&j->ended, &j->lock, &until) == 0) continue;
  pthread_mutex_unlock(&j->lock);
}

static void cancel_after(void *data) {
  cancel_job *j = data;
  sql_conn *c = j->conn;
  c->cancelling = false;
  job_unref(j);
  if (c->pg && c->state == SQL_DRAINING) sql_turn(c);
  it_res_unref(&c->res);
}

static void send_cancel(sql_conn *c) {
  PGcancel *request = PQgetCancel(c->pg);
  if (!request) return;
  cancel_job *j = it_alloc(sizeof *j);
  j->request = request;
  j->conn = c;
  pthread_mutex_init(&j->lock, NULL);
  pthread_cond_init(&j->ended, NULL);
  atomic_init(&j->refs, 1);
  c->cancelling = true;
  it_res_ref(&c->res);
  it_work(c->res.st, cancel_work, cancel_after, j);
}

/* ---- draining ---- */

/* Takes one result of what was stopped. False: more has to arrive first. */
static bool forget(sql_conn *c, PGresult *r) {
  ExecStatusType status = PQresultStatus(r);
  PQclear(r);
  if (status == PGRES_PIPELINE_SYNC) {
    c->syncing = false;
    PQexitPipelineMode(c->pg);
  } else if (status == PGRES_COPY_IN) {
    PQputCopyEnd(c->pg, "stopped");
    PQflush(c->pg);
  } else if (status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
    char *data;
    int size;
    while ((size = PQgetCopyData(c->pg, &data, 1)) > 0) PQfreemem(data);
    return size != 0 || c->broken;
  }
  return true;
}

/* Nobody will end the transaction that the stopped statement was in: its locks would outlive the test. */
static bool roll_back(sql_conn *c) {
  PGTransactionStatusType status = PQtransactionStatus(c->pg);
  if (c->managed || c->rolled_back || status == PQTRANS_IDLE || status == PQTRANS_UNKNOWN)
    return false;
  c->rolled_back = true;
  return PQsendQuery(c->pg, "ROLLBACK") == 1;
}

static void drain(sql_conn *c) {
  if (PQpipelineStatus(c->pg) != PQ_PIPELINE_OFF && !c->syncing)
    c->syncing = PQpipelineSync(c->pg) == 1;
  while (sql_arrived(c)) {
    PGresult *r = PQgetResult(c->pg);
    if (r) {
      if (!forget(c, r)) return;
      continue;
    }
    if (c->broken) return;
    if (c->syncing) continue; /* the end of one statement in a pipeline */
    if (c->cancelling) return;
    if (roll_back(c)) continue;
    c->state = SQL_IDLE;
    sql_pipeline_free(c);
    it_timer_set(c->timer, -1);
    c->ticking = false;
    end_waits(c);
    return;
  }
}

void sql_abort(sql_conn *c, bool cancel) {
  if (c->state == SQL_LOST || c->state == SQL_IDLE || c->state == SQL_DRAINING) return;
  c->op = NULL;
  c->state = SQL_DRAINING;
  c->rolled_back = false;
  if (cancel) send_cancel(c);
  c->drain_until = it_now() + (uint64_t)DRAIN_LIMIT * 1000000u;
  c->ticking = true;
  it_timer_set(c->timer, c->tls ? TLS_TICK : DRAIN_LIMIT);
  sql_turn(c);
}

static int settle_push(lua_State *L, it_op *op) {
  (void)L;
  (void)op;
  return 0;
}

static bool settle_cancel(it_op *op) {
  sql_op *o = (sql_op *)op;
  if (o->conn->settler == op) o->conn->settler = NULL;
  return true;
}

/* settle(handle): until what was stopped is out of the way */
int sql_settle(lua_State *L) {
  static const it_op_class settle_class = {"sql.settle", settle_push, settle_cancel, sql_op_free};
  sql_conn *c = sql_check(L, 1);
  sql_op *o = sql_op_new(L, c, sizeof *o, &settle_class, NULL);
  if (c->state != SQL_DRAINING) it_op_done(&o->op);
  else if (c->settler)
    it_op_fail(&o->op, "sql", "BUSY", "%s: another task waits for it already", c->res.label);
  else c->settler = &o->op;
  return it_await(L, &o->op);
}

/* ---- the turn ---- */

static void tick_after(sql_conn *c, int milliseconds) {
  if (c->ticking || !c->watched) return;
  c->ticking = true;
  c->used = false;
  it_timer_set(c->timer, milliseconds);
}

void sql_turn(sql_conn *c) {
  const char *fatal;
  int unsent = c->broken ? 0 : PQflush(c->pg);
  if (unsent < 0) c->broken = true;
  sql_notify_take(c);
  sql_op *o = c->op;
  if (c->state == SQL_DRAINING) {
    drain(c);
  } else if (o && o->step(o)) {
    c->op = NULL;
    it_op_done(&o->op);
  }
  if (!c->op && (c->broken || (c->state == SQL_IDLE && sql_last_fatal(c, &fatal))))
    lose(c, "08006", PQerrorMessage(c->pg));
  if (c->state == SQL_LOST) return;
  /* Sending may have gone on in a step. */
  if (c->op || c->state == SQL_DRAINING) unsent = PQflush(c->pg);
  watch(c, IT_READ | (unsent == 1 ? IT_WRITE : 0));
  if (c->tls && (c->op || c->listener)) tick_after(c, TLS_TICK);
  else if (c->state == SQL_IDLE && !c->listener) tick_after(c, REST_AFTER);
}

static void read_socket(sql_conn *c) {
  if (!PQconsumeInput(c->pg)) c->broken = true;
  sql_turn(c);
}

static void on_socket(void *data, int events) {
  sql_conn *c = data;
  if (c->state == SQL_COPY_OUT && !c->op) { /* nobody takes it yet: let the server wait */
    watch(c, 0);
    return;
  }
  if (events & IT_READ) read_socket(c);
  else sql_turn(c);
}

/* What has arrived on an idle connection that nobody watched: its end, for one. What the server said before it closed is
 * read first, the end behind it. */
void sql_look(sql_conn *c) {
  for (int i = 0; i < 2 && c->state == SQL_IDLE && !c->op; i++) read_socket(c);
}

/* libpq may leave decrypted bytes in the TLS library, where no poll sees them: it is made to look now and then. */
static void look_behind_tls(sql_conn *c) {
  read_socket(c);
  if (c->state != SQL_LOST) tick_after(c, TLS_TICK);
}

static void on_timer(void *data) {
  sql_conn *c = data;
  c->ticking = false;
  if (c->state == SQL_DRAINING && it_now() >= c->drain_until) {
    lose(c, "57014", "the server did not stop a statement within 5 s of being asked to");
  } else if (c->state == SQL_DRAINING || (c->tls && (c->op || c->listener))) {
    look_behind_tls(c);
  } else if (c->used || c->op) {
    tick_after(c, REST_AFTER);
  } else if (c->state == SQL_IDLE && !c->listener) {
    watch(c, 0);
  }
}

/* ---- opening and closing ---- */

void sql_link_open(sql_conn *c) {
  c->timer = it_timer_new(c->res.st, on_timer, c);
  PQsetnonblocking(c->pg, 1);
  PQsetErrorVerbosity(c->pg, PQERRORS_DEFAULT);
  c->watch = it_watch_new(c->res.st, PQsocket(c->pg), on_socket, c);
  c->tls = PQsslInUse(c->pg);
  c->state = SQL_IDLE;
  if (!c->watch) lose(c, "08006", "its socket cannot be watched");
}

void sql_link_close(sql_conn *c) {
  bool running = c->state == SQL_BUSY || c->state == SQL_PIPELINE || c->state == SQL_COPY_IN ||
                 c->state == SQL_COPY_OUT;
  if (running && c->pg) send_cancel(c);
  sql_op *o = c->op;
  c->op = NULL;
  if (o) it_op_fail(&o->op, "sql", "08003", "%s was closed while this ran", c->res.label);
  it_watch_free(c->watch); /* before libpq closes the descriptor */
  it_timer_free(c->timer);
  c->watch = NULL;
  c->timer = NULL;
  PQfinish(c->pg);
  c->pg = NULL;
  end_waits(c);
}

/* ---- operations on a connection ---- */

void *sql_op_new(lua_State *L, sql_conn *c, size_t size, const it_op_class *cls,
                 bool (*step)(sql_op *o)) {
  sql_op *o = it_op_new(L, size, cls);
  o->conn = c;
  o->step = step;
  it_res_ref(&c->res);
  return o;
}

int sql_op_start(lua_State *L, sql_op *o, sql_state during, bool sent) {
  sql_conn *c = o->conn;
  if (!sent) {
    char *line = first_line(PQerrorMessage(c->pg));
    bool bad = PQstatus(c->pg) == CONNECTION_BAD;
    it_op_fail(&o->op, "sql", bad ? "08006" : "08000", "%s", line);
    if (bad) lose(c, "08006", line);
    free(line);
    return it_await(L, &o->op);
  }
  c->op = o;
  c->state = during;
  c->used = true;
  /* A statement that has left the process: its answer cannot be here yet. */
  if (during == SQL_BUSY && !c->tls && PQflush(c->pg) == 0) watch(c, IT_READ);
  else sql_turn(c);
  return it_await(L, &o->op);
}

bool sql_op_cancel(it_op *op) {
  sql_op *o = (sql_op *)op;
  if (o->conn->op == o) sql_abort(o->conn, true);
  return true;
}

void sql_op_free(it_op *op) {
  sql_op *o = (sql_op *)op;
  PQclear(o->result);
  PQclear(o->failure);
  it_buf_free(&o->data);
  it_res_unref(&o->conn->res);
  free(o);
}
