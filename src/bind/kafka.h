/*
 * kafka.h - what the parts of the Kafka binding share: a client (one librdkafka handle) and its operations.
 *
 * librdkafka works on threads of its own. It tells us by events on queues, never by callbacks: each queue writes a byte to
 * the client's pipe when it gets something, the pipe is watched, and kafka_drain() takes the events on the loop.
 *
 * A client is open, closing (closed, while calls on pool threads still use the handle), or gone (`rk` is NULL). Closing
 * tells those calls to stop; when the last has returned, a pool thread destroys the handle, which joins its threads; then
 * every operation that still waits fails. So memory that librdkafka was given as an opaque pointer outlives the handle.
 */
#ifndef ITLUA_KAFKA_H
#define ITLUA_KAFKA_H

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>

#include "itlua.h"

typedef struct kafka_client kafka_client;
typedef struct kafka_op kafka_op;
typedef struct kafka_ack kafka_ack;

enum { KAFKA_LOGS = 200 };       /* lines of librdkafka's log that are kept */
enum { KAFKA_WAITING = 100000 }; /* records taken from librdkafka and not yet read, at most */

typedef struct kafka_log {
  uint64_t at;
  char *text;
} kafka_log;

/* Records and what else arrives in order with them (ends of partitions, errors, rebalances). */
typedef struct kafka_inbox {
  rd_kafka_event_t **events; /* a ring */
  size_t first, count, capacity;
} kafka_inbox;

struct kafka_client {
  it_res res;
  rd_kafka_t *rk;
  rd_kafka_queue_t *main, *records; /* records: of consumers with an assignment, else NULL */
  it_watch *watch;
  int fds[2];
  int calls;           /* on pool threads */
  atomic_bool stop;    /* they are to return */
  atomic_bool refused; /* no broker can be reached, or it will not have us */
  bool grouped, closing;
  bool doubtful; /* a topic that it reads was deleted: see end_or_abandon() */
  char *brokers, *trouble, *trouble_code; /* the last error that librdkafka told */
  kafka_op *reading;
  kafka_op *first; /* operations that an event ends */
  kafka_inbox inbox;
  kafka_log logs[KAFKA_LOGS];
  unsigned log_count;
};

/* What becomes of one record that was sent. */
struct kafka_ack {
  kafka_op *op;
  int64_t offset;
  int32_t partition;
  rd_kafka_resp_err_t error;
};

struct kafka_op {
  it_op op;
  kafka_client *c;
  kafka_op *next, **link;  /* in the client's list */
  rd_kafka_event_t *event; /* the answer of an admin request or a commit */
  kafka_ack *acks;
  size_t sent, acked;
  size_t most;  /* records that read() takes, or that were tried */
  bool crowded; /* librdkafka's queue was not empty when they were tried */
};

/* kafka_client.c */
extern const it_res_class kafka_client_class, kafka_member_class;
kafka_client *kafka_check(lua_State *L);
int kafka_l_open(lua_State *L);
void kafka_drain(kafka_client *c);
void kafka_call_ended(kafka_client *c); /* a call on a pool thread has returned */
kafka_op *kafka_op_new(lua_State *L, kafka_client *c, const it_op_class *cls);
void kafka_op_list(kafka_op *o); /* an event will end it */
void kafka_op_free(it_op *op);

/* kafka_config.c: a new configuration of the table at `idx`, or a usage error that names what is wrong in it */
rd_kafka_conf_t *kafka_config(lua_State *L, int idx);

/* kafka_event.c: takes the event; in_order: it is from the queue of records */
void kafka_event(kafka_client *c, rd_kafka_event_t *event, bool in_order);
void kafka_inbox_free(kafka_inbox *inbox);
rd_kafka_event_t *kafka_inbox_take(kafka_inbox *inbox);
void kafka_note(kafka_client *c, const char *text);

/* kafka_produce.c */
int kafka_l_produce(lua_State *L);
int kafka_l_produce_all(lua_State *L);

/* kafka_consume.c */
int kafka_l_read(lua_State *L);
int kafka_l_assign(lua_State *L);
int kafka_l_unassign(lua_State *L);
int kafka_l_subscribe(lua_State *L);
int kafka_l_commit(lua_State *L);
int kafka_l_assignment(lua_State *L);
int kafka_l_pause(lua_State *L);

/* kafka_partitions.c: lists of {topic =, partition =, offset =} */
rd_kafka_topic_partition_list_t *kafka_partitions(lua_State *L, int idx);
void kafka_check_partitions(lua_State *L, int idx);
void kafka_push_partitions(lua_State *L, const rd_kafka_topic_partition_list_t *list);

/* kafka_call.c: what librdkafka only does by waiting. A call runs on a pool thread, in slices, so that it can be stopped. */
typedef struct kafka_call kafka_call;
typedef struct kafka_call_class {
  it_op_class op;
  /* On the pool thread, again and again until it is done: it took at most `slice` milliseconds. */
  rd_kafka_resp_err_t (*step)(kafka_call *call, int slice);
  void (*free)(kafka_call *call);
  int slice;
} kafka_call_class;
struct kafka_call {
  it_op op;
  kafka_client *c;
  const kafka_call_class *cls;
  atomic_bool stop;
  int64_t deadline; /* milliseconds, monotonic */
  bool impatient;   /* fails when no broker can be reached, instead of waiting for one */
  rd_kafka_resp_err_t error;
  char *why; /* more than the error's own text, or NULL */
};
/* Pushes the anchor; `seconds` at `idx`. */
void *kafka_call_new(lua_State *L, kafka_client *c, size_t size, const kafka_call_class *cls,
                     int idx);
int kafka_call_start(lua_State *L, kafka_call *call);
bool kafka_call_cancel(it_op *op);
void kafka_call_free(it_op *op);
/* A step's error object: its code, and its text kept. */
rd_kafka_resp_err_t kafka_call_error(kafka_call *call, rd_kafka_error_t *error);
int kafka_l_offsets(lua_State *L);
int kafka_l_committed(lua_State *L);
int kafka_l_seek(lua_State *L);

/* kafka_metadata.c, kafka_transaction.c */
int kafka_l_metadata(lua_State *L);
int kafka_l_transaction(lua_State *L);

/* kafka_admin.c, kafka_describe.c: the brokers' answer to a request is the operation's event */
kafka_op *kafka_admin_new(lua_State *L, kafka_client *c, const it_op_class *cls, int seconds,
                          rd_kafka_admin_op_t api, rd_kafka_AdminOptions_t **options);
int kafka_admin_failed(lua_State *L, const kafka_op *o); /* raises, or 0 */
int kafka_l_create_topics(lua_State *L);
int kafka_l_delete_topics(lua_State *L);
int kafka_l_create_partitions(lua_State *L);
int kafka_l_describe_config(lua_State *L);
int kafka_l_groups(lua_State *L);
int kafka_l_describe_group(lua_State *L);
int kafka_l_group_offsets(lua_State *L);
int kafka_l_delete_group(lua_State *L);

#endif
