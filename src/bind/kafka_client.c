/*
 * kafka_client.c - a client's life: the handle, its queues and their pipe, its end. States: kafka.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kafka.h"

/* ---- events ---- */

static void take_all(kafka_client *c, rd_kafka_queue_t *queue, bool records) {
  for (rd_kafka_event_t *event; c->res.open && (!records || c->inbox.count < KAFKA_WAITING);) {
    if (!(event = rd_kafka_queue_poll(queue, 0))) return;
    kafka_event(c, event, records);
  }
}

void kafka_drain(kafka_client *c) {
  take_all(c, c->main, false);
  if (c->records) take_all(c, c->records, true);
  if (c->reading && c->inbox.count) {
    kafka_op *o = c->reading;
    c->reading = NULL;
    it_op_done(&o->op);
  }
}

static void on_pipe(void *data, int events) {
  kafka_client *c = data;
  char bytes[256];
  (void)events;
  while (read(c->fds[0], bytes, sizeof bytes) == (ssize_t)sizeof bytes) continue;
  it_res_ref(&c->res);
  kafka_drain(c);
  it_res_unref(&c->res);
}

/* ---- operations that an event ends ---- */

kafka_op *kafka_op_new(lua_State *L, kafka_client *c, const it_op_class *cls) {
  kafka_op *o = it_op_new(L, sizeof *o, cls);
  o->c = c;
  it_res_ref(&c->res);
  return o;
}

void kafka_op_list(kafka_op *o) {
  o->link = &o->c->first;
  if ((o->next = o->c->first)) o->next->link = &o->next;
  o->c->first = o;
}

static void unlist(kafka_op *o) {
  if (!o->link) return;
  if ((*o->link = o->next)) o->next->link = o->link;
  o->link = NULL;
}

void kafka_op_free(it_op *op) {
  kafka_op *o = (kafka_op *)op;
  unlist(o);
  if (o->event) rd_kafka_event_destroy(o->event);
  free(o->acks);
  it_res_unref(&o->c->res);
  free(o);
}

/* ---- the end ---- */

typedef struct goodbye {
  kafka_client *c;
  rd_kafka_t *rk;
} goodbye;

/* A member leaves its group, so that the others need not wait for its session to end. */
static void leave_group(rd_kafka_t *rk) {
  rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
  rd_kafka_error_t *error = rd_kafka_consumer_close_queue(rk, queue);
  for (int i = 0; !error && i < 50 && !rd_kafka_consumer_closed(rk); i++) {
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 100);
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE) {
      if (strcmp(rd_kafka_rebalance_protocol(rk), "COOPERATIVE") == 0)
        rd_kafka_error_destroy(
            rd_kafka_incremental_unassign(rk, rd_kafka_event_topic_partition_list(event)));
      else rd_kafka_assign(rk, NULL);
    }
    if (event) rd_kafka_event_destroy(event);
  }
  if (error) rd_kafka_error_destroy(error);
  rd_kafka_queue_destroy(queue);
}

/* librdkafka 2.0 never ends a handle that has read from a topic that was deleted. So a thread of its own has to try, and
   where it does not succeed the handle and that thread stay until the process ends. */
typedef struct ending {
  rd_kafka_t *rk;
  sem_t ended;
  atomic_int users; /* the thread, and who waits for it */
} ending;

static void ending_unref(ending *e) {
  if (atomic_fetch_sub(&e->users, 1) > 1) return;
  sem_destroy(&e->ended);
  free(e);
}

static void *end(void *data) {
  ending *e = data;
  rd_kafka_destroy_flags(e->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  sem_post(&e->ended);
  ending_unref(e);
  return NULL;
}

static void end_or_abandon(rd_kafka_t *rk, bool doubtful) {
  ending *e = it_alloc(sizeof *e);
  struct timespec until;
  pthread_t thread;
  e->rk = rk;
  sem_init(&e->ended, 0, 0);
  atomic_init(&e->users, 2);
  if (pthread_create(&thread, NULL, end, e) != 0) {
    atomic_store(&e->users, 3); /* the handle stays, and so does this */
    return;
  }
  pthread_detach(thread);
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += doubtful ? 1 : 10;
  while (sem_timedwait(&e->ended, &until) != 0 && errno == EINTR) continue;
  ending_unref(e);
}

static void say_goodbye(void *data) {
  goodbye *g = data;
  kafka_client *c = g->c;
  if (rd_kafka_type(g->rk) == RD_KAFKA_PRODUCER)
    rd_kafka_purge(g->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  else if (c->grouped) leave_group(g->rk);
  rd_kafka_queue_destroy(c->main);
  if (c->records) rd_kafka_queue_destroy(c->records);
  end_or_abandon(g->rk, c->doubtful);
}

static void gone(void *data) {
  goodbye *g = data;
  kafka_client *c = g->c;
  close(c->fds[0]);
  close(c->fds[1]);
  for (kafka_op *o; (o = c->first);) {
    unlist(o);
    if (o->op.done) continue;
    it_op_fail(&o->op, "kafka", "CLOSED", "the connection to Kafka at %s was closed", c->brokers);
  }
  it_res_unref(&c->res);
  free(g);
}

static void destroy(kafka_client *c) {
  goodbye *g = it_alloc(sizeof *g);
  g->c = c;
  g->rk = c->rk;
  c->rk = NULL;
  it_res_ref(&c->res);
  it_work(c->res.st, say_goodbye, gone, g);
}

void kafka_call_ended(kafka_client *c) {
  if (--c->calls == 0 && c->closing && c->rk) destroy(c);
}

static void client_close(it_res *res) {
  kafka_client *c = (kafka_client *)res;
  c->closing = true;
  atomic_store(&c->stop, true);
  rd_kafka_queue_io_event_enable(c->main, -1, NULL, 0);
  if (c->records) rd_kafka_queue_io_event_enable(c->records, -1, NULL, 0);
  it_watch_free(c->watch);
  c->watch = NULL;
  kafka_inbox_free(&c->inbox); /* while the handle lives, and so are answers that nobody took yet */
  for (kafka_op *o = c->first; o; o = o->next) {
    if (o->event) rd_kafka_event_destroy(o->event);
    o->event = NULL;
  }
  kafka_op *o = c->reading;
  c->reading = NULL;
  if (o)
    it_op_fail(&o->op, "kafka", "CLOSED", "the connection to Kafka at %s was closed", c->brokers);
  if (!c->calls) destroy(c);
}

static void client_free(it_res *res) {
  kafka_client *c = (kafka_client *)res;
  for (unsigned i = 0; i < KAFKA_LOGS; i++) free(c->logs[i].text);
  free(c->brokers);
  free(c->trouble);
  free(c->trouble_code);
  free(c);
}

const it_res_class kafka_client_class = {"itlua.kafka.client", client_close, client_free, true};
/* A member of a group goes with the test that made it: it would hold partitions of the next one's. */
const it_res_class kafka_member_class = {"itlua.kafka.member", client_close, client_free, IT_SWEPT};

kafka_client *kafka_check(lua_State *L) {
  bool member = luaL_testudata(L, 1, kafka_member_class.name);
  return it_res_check(L, 1, member ? &kafka_member_class : &kafka_client_class);
}

/* ---- the beginning ---- */

static rd_kafka_t *start(lua_State *L, kafka_client *c, int config, bool consumer) {
  char why[512];
  rd_kafka_conf_t *conf = kafka_config(L, config);
  rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_FETCH | RD_KAFKA_EVENT_LOG |
                                     RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_REBALANCE |
                                     RD_KAFKA_EVENT_OFFSET_COMMIT);
  rd_kafka_t *rk =
      rd_kafka_new(consumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf, why, sizeof why);
  if (rk) return rk;
  rd_kafka_conf_destroy(conf);
  it_raise(L, "kafka", "CONFIG", "Kafka at %s: %s", c->brokers, why);
}

/* A queue's events make the pipe readable. */
static rd_kafka_queue_t *heard(kafka_client *c, rd_kafka_queue_t *queue) {
  if (queue) rd_kafka_queue_io_event_enable(queue, c->fds[1], "!", 1);
  return queue;
}

/* open{type = "producer" | "consumer" | "member", brokers = for messages, config = {[property] = value}}: a member
   subscribes, a consumer is assigned partitions; without a group.id it asks only */
int kafka_l_open(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  const char *type = it_opt_string(L, 1, "type", "producer");
  const char *brokers = it_opt_string(L, 1, "brokers", "");
  bool consumer = strcmp(type, "producer") != 0, member = strcmp(type, "member") == 0;
  lua_getfield(L, 1, "config");
  luaL_checktype(L, 2, LUA_TTABLE);
  kafka_client *c = it_res_new(L, sizeof *c, member ? &kafka_member_class : &kafka_client_class);
  c->brokers = it_strdup(brokers);
  c->grouped = member;
  rd_kafka_t *rk = start(L, c, 2, consumer);
  if (pipe2(c->fds, O_NONBLOCK | O_CLOEXEC) != 0) {
    int error = errno;
    rd_kafka_destroy(rk);
    it_raise(L, "kafka", "EMFILE", "Kafka at %s: no pipe: %s", c->brokers, strerror(error));
  }
  c->rk = rk;
  c->watch = it_watch_new(c->res.st, c->fds[0], on_pipe, c);
  it_watch_set(c->watch, IT_READ);
  c->main = heard(c, rd_kafka_queue_get_main(rk));
  rd_kafka_set_log_queue(rk, c->main);
  if (consumer) c->records = heard(c, rd_kafka_queue_get_consumer(rk));
  it_res_open(&c->res, "kafka %s %s", type, c->brokers);
  kafka_drain(c);
  return 1;
}
