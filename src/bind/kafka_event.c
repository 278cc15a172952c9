/*
 * kafka_event.c - what librdkafka tells: delivery reports and answers end operations, records wait in the inbox, log lines
 * and errors are kept for those who ask. Runs on the loop, outside Lua.
 */
#include <stdlib.h>
#include <string.h>

#include "kafka.h"

/* ---- the inbox ---- */

static void put(kafka_inbox *inbox, rd_kafka_event_t *event) {
  if (inbox->count == inbox->capacity) {
    size_t capacity = inbox->capacity ? 2 * inbox->capacity : 64;
    rd_kafka_event_t **events = it_alloc(capacity * sizeof(rd_kafka_event_t *));
    for (size_t i = 0; i < inbox->count; i++)
      events[i] = inbox->events[(inbox->first + i) % inbox->capacity];
    free(inbox->events);
    inbox->events = events;
    inbox->capacity = capacity;
    inbox->first = 0;
  }
  inbox->events[(inbox->first + inbox->count++) % inbox->capacity] = event;
}

rd_kafka_event_t *kafka_inbox_take(kafka_inbox *inbox) {
  if (!inbox->count) return NULL;
  rd_kafka_event_t *event = inbox->events[inbox->first];
  inbox->first = (inbox->first + 1) % inbox->capacity;
  inbox->count--;
  return event;
}

void kafka_inbox_free(kafka_inbox *inbox) {
  for (rd_kafka_event_t *event; (event = kafka_inbox_take(inbox));) rd_kafka_event_destroy(event);
  free(inbox->events);
  memset(inbox, 0, sizeof *inbox);
}

/* ---- what it says of itself ---- */

void kafka_note(kafka_client *c, const char *text) {
  kafka_log *log = &c->logs[c->log_count++ % KAFKA_LOGS];
  free(log->text);
  log->text = it_strdup(text);
  log->at = it_now();
}

static void on_log(kafka_client *c, rd_kafka_event_t *event) {
  const char *facility, *text;
  int level;
  if (rd_kafka_event_log(event, &facility, &text, &level) != 0) return;
  it_buf line = {0};
  it_buf_addf(&line, "%s: %s", facility, text);
  kafka_note(c, line.data);
  it_buf_free(&line);
}

static void on_error(kafka_client *c, rd_kafka_event_t *event) {
  rd_kafka_resp_err_t error = rd_kafka_event_error(event);
  const char *text = rd_kafka_event_error_string(event);
  if (error == RD_KAFKA_RESP_ERR__FATAL) {
    static char fatal[512]; /* only the loop's thread comes here */
    error = rd_kafka_fatal_error(c->rk, fatal, sizeof fatal);
    text = fatal;
  }
  kafka_note(c, text);
  if (error == RD_KAFKA_RESP_ERR__AUTHENTICATION || error == RD_KAFKA_RESP_ERR__SSL ||
      error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
    atomic_store(&c->refused, true);
  if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && c->trouble) return; /* why is known already */
  bool worse = c->trouble_code && strcmp(c->trouble_code, "_AUTHENTICATION") == 0;
  if (worse && error == RD_KAFKA_RESP_ERR__TRANSPORT) return; /* follows from it */
  free(c->trouble);
  free(c->trouble_code);
  c->trouble = it_strdup(text);
  c->trouble_code = it_strdup(rd_kafka_err2name(error));
}

/* ---- what it answers ---- */

static void on_delivered(rd_kafka_event_t *event) {
  for (const rd_kafka_message_t *m; (m = rd_kafka_event_message_next(event));) {
    kafka_ack *ack = m->_private;
    kafka_op *o = ack->op;
    ack->error = m->err;
    ack->offset = m->offset;
    ack->partition = m->partition;
    if (++o->acked == o->sent) it_op_done(&o->op);
  }
}

static void on_rebalance(kafka_client *c, rd_kafka_event_t *event) {
  rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);
  bool assigned = rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
  rd_kafka_error_t *error = NULL;
  if (strcmp(rd_kafka_rebalance_protocol(c->rk), "COOPERATIVE") == 0)
    error = assigned ? rd_kafka_incremental_assign(c->rk, list)
                     : rd_kafka_incremental_unassign(c->rk, list);
  else rd_kafka_assign(c->rk, assigned ? list : NULL);
  if (!error) return;
  kafka_note(c, rd_kafka_error_string(error));
  rd_kafka_error_destroy(error);
}

static void on_answer(rd_kafka_event_t *event) {
  kafka_op *o = rd_kafka_event_opaque(event);
  if (!o) {
    rd_kafka_event_destroy(event);
    return;
  }
  o->event = event;
  it_op_done(&o->op);
}

/* Of a partition: its end was reached, or it cannot be read. These come in order with its records. */
static bool of_partition(kafka_client *c, rd_kafka_event_t *event) {
  rd_kafka_topic_partition_t *partition = rd_kafka_event_topic_partition(event);
  rd_kafka_resp_err_t error = rd_kafka_event_error(event);
  if (partition) rd_kafka_topic_partition_destroy(partition);
  if (error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
      error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
    c->doubtful = true;
  return partition != NULL;
}

void kafka_event(kafka_client *c, rd_kafka_event_t *event, bool in_order) {
  switch (rd_kafka_event_type(event)) {
  case RD_KAFKA_EVENT_FETCH: put(&c->inbox, event); return;
  case RD_KAFKA_EVENT_ERROR:
    if (in_order && of_partition(c, event)) {
      put(&c->inbox, event);
      return;
    }
    on_error(c, event);
    break;
  case RD_KAFKA_EVENT_REBALANCE:
    on_rebalance(c, event);
    put(&c->inbox, event);
    return;
  case RD_KAFKA_EVENT_DR: on_delivered(event); break;
  case RD_KAFKA_EVENT_LOG: on_log(c, event); break;
  case RD_KAFKA_EVENT_STATS:
  case RD_KAFKA_EVENT_NONE: break;
  default: on_answer(event); return;
  }
  rd_kafka_event_destroy(event);
}
