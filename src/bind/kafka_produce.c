/*
 * kafka_produce.c - records to a topic, each with its acknowledgement: one, or a list of them at once.
 *
 * librdkafka copies what it is given. Each record has an ack as its opaque pointer; the operation ends with the last.
 */
#include <stdlib.h>
#include <string.h>

#include "kafka.h"

typedef struct outgoing {
  const char *topic, *key, *value;
  size_t key_size, value_size;
  int32_t partition;
  int64_t timestamp; /* milliseconds; 0 is now */
} outgoing;

static const char *bytes_of(lua_State *L, int idx, const char *field, size_t *size) {
  if (lua_isnoneornil(L, idx)) return NULL;
  if (lua_type(L, idx) != LUA_TSTRING)
    it_usage(L, "a record's %s must be a string here, not a %s", field, luaL_typename(L, idx));
  return lua_tolstring(L, idx, size);
}

/* The headers at `idx`, a flat list: name, value or false, name, … */
static void check_headers(lua_State *L, int idx) {
  if (lua_isnoneornil(L, idx)) return;
  luaL_checktype(L, idx, LUA_TTABLE);
  lua_Integer n = (lua_Integer)lua_rawlen(L, idx);
  for (lua_Integer i = 1; i <= n; i++) {
    int type = lua_rawgeti(L, idx, i);
    if (type != LUA_TSTRING && !(i % 2 == 0 && type == LUA_TBOOLEAN))
      it_usage(L, "a record's headers must be strings, not a %s", lua_typename(L, type));
    lua_pop(L, 1);
  }
}

static rd_kafka_headers_t *headers_of(lua_State *L, int idx) {
  if (!lua_istable(L, idx)) return NULL;
  lua_Integer n = (lua_Integer)lua_rawlen(L, idx);
  rd_kafka_headers_t *headers = rd_kafka_headers_new((size_t)n / 2);
  for (lua_Integer i = 1; i < n; i += 2) {
    size_t name_size, size = 0;
    lua_rawgeti(L, idx, i);
    lua_rawgeti(L, idx, i + 1);
    const char *name = lua_tolstring(L, -2, &name_size);
    const char *value = lua_isstring(L, -1) ? lua_tolstring(L, -1, &size) : NULL;
    rd_kafka_header_add(headers, name, (ssize_t)name_size, value, (ssize_t)size);
    lua_pop(L, 2);
  }
  return headers;
}

/* librdkafka takes what is const to us as not const, and copies it. */
static void *unconst(const char *p) { return (void *)(uintptr_t)p; }

static rd_kafka_resp_err_t send_one(kafka_client *c, const outgoing *out,
                                    rd_kafka_headers_t *headers, kafka_ack *ack) {
  rd_kafka_resp_err_t error = rd_kafka_producev(
      c->rk, RD_KAFKA_V_TOPIC(out->topic), RD_KAFKA_V_PARTITION(out->partition),
      RD_KAFKA_V_KEY(out->key, out->key_size),
      RD_KAFKA_V_VALUE(unconst(out->value), out->value_size),
      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_TIMESTAMP(out->timestamp),
      RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(ack), RD_KAFKA_V_END);
  if (error && headers) rd_kafka_headers_destroy(headers);
  return error;
}

/* A full queue empties, as long as somebody's records are in it: acknowledged, or given up. */
static bool may_have_room(const kafka_op *o, const kafka_ack *ack) {
  return o->crowded && ack->error == RD_KAFKA_RESP_ERR__QUEUE_FULL;
}

static void push_failure(lua_State *L, const kafka_client *c, rd_kafka_resp_err_t error) {
  const char *name = rd_kafka_err2name(error);
  if (c->trouble && error == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT)
    it_error_push(L, "kafka", name, "%s: %s", rd_kafka_err2str(error), c->trouble);
  else it_error_push(L, "kafka", name, "%s", rd_kafka_err2str(error));
}

/* ---- one ---- */

static int produce_push(lua_State *L, it_op *op) {
  kafka_op *o = (kafka_op *)op;
  if (may_have_room(o, o->acks)) {
    lua_pushboolean(L, false);
    return 1;
  }
  if (o->acks->error) {
    push_failure(L, o->c, o->acks->error);
    it_error_throw(L);
  }
  it_op_outcome(op, "partition %d, offset %lld", (int)o->acks->partition,
                (long long)o->acks->offset);
  op->keeps_result = IT_KEEP_RESULT;
  lua_pushinteger(L, o->acks->partition);
  lua_pushinteger(L, o->acks->offset);
  return 2;
}

/* What was sent cannot be unsent: its report still comes. */
static bool produce_cancel(it_op *op) { return op->done; }

static const it_op_class produce_class = {"kafka.publish", produce_push, produce_cancel,
                                          kafka_op_free};

static void describe_one(kafka_op *o, const outgoing *out) {
  if (may_have_room(o, o->acks)) return; /* nothing was sent */
  if (out->key && out->key_size < 100)
    it_op_detail(&o->op, "%s, key %.*s, %zu B", out->topic, (int)out->key_size, out->key,
                 out->value_size);
  else it_op_detail(&o->op, "%s, %zu B", out->topic, out->value_size);
}

/* produce(topic, partition, key, value, headers, milliseconds) -> partition, offset; false where librdkafka's queue has no
   room at the moment */
int kafka_l_produce(lua_State *L) {
  kafka_client *c = kafka_check(L);
  outgoing out = {.topic = luaL_checkstring(L, 2),
                  .partition = (int32_t)luaL_optinteger(L, 3, RD_KAFKA_PARTITION_UA)};
  lua_settop(L, 7);
  out.key = bytes_of(L, 4, "key", &out.key_size);
  out.value = bytes_of(L, 5, "value", &out.value_size);
  check_headers(L, 6);
  out.timestamp = luaL_optinteger(L, 7, 0);
  kafka_op *o = kafka_op_new(L, c, &produce_class);
  o->acks = it_alloc(sizeof *o->acks);
  o->acks->op = o;
  o->sent = 1;
  enum { SMALL = 1 << 16 };
  o->op.keeps =
      out.value_size <= SMALL && out.key_size <= SMALL ? 5 : 2; /* client, topic … value */
  o->crowded = rd_kafka_outq_len(c->rk) > 0;
  o->acks->error = send_one(c, &out, headers_of(L, 6), o->acks);
  describe_one(o, &out);
  if (o->acks->error) it_op_done(&o->op);
  else kafka_op_list(o);
  return it_await(L, &o->op);
}

/* ---- many ---- */

static void push_acks(lua_State *L, const kafka_op *o) {
  lua_createtable(L, (int)o->most, 0);
  for (size_t i = 0; i < o->most; i++) {
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, o->acks[i].partition);
    lua_setfield(L, -2, "partition");
    lua_pushinteger(L, o->acks[i].offset);
    lua_setfield(L, -2, "offset");
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

static void push_failures(lua_State *L, const kafka_op *o) {
  lua_pushnil(L);
  for (size_t i = 0; i < o->most; i++) {
    if (!o->acks[i].error) continue;
    if (lua_isnil(L, -1)) {
      lua_newtable(L);
      lua_replace(L, -2);
    }
    push_failure(L, o->c, o->acks[i].error);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

/* Pushes tried, acks, failures: {[index] = error object} or nothing */
static int produce_all_push(lua_State *L, it_op *op) {
  const kafka_op *o = (kafka_op *)op;
  bool collects = lua_gc(L, LUA_GCISRUNNING);
  lua_pushinteger(L, (lua_Integer)o->most);
  /* All of them stay: to walk them while they are made takes as long as to make them. */
  if (collects) lua_gc(L, LUA_GCSTOP);
  push_acks(L, o);
  if (collects) lua_gc(L, LUA_GCRESTART);
  push_failures(L, o);
  return 3;
}

static const it_op_class produce_all_class = {"kafka.publish_all", produce_all_push, produce_cancel,
                                              kafka_op_free};

enum { LIST = 3, ANCHOR = 5, TOPIC, KEY, VALUE, PARTITION, HEADERS, TIMESTAMP }; /* on the stack */

/* Puts the fields of the record at TOPIC, a plain table, into their slots. */
static void spread(lua_State *L) {
  static const char *const names[] = {"topic", "key", "value", "partition", "headers", "timestamp"};
  for (int k = 0; k < TIMESTAMP - TOPIC + 1; k++) { /* the table moves up before them */
    lua_getfield(L, TOPIC + k, names[k]);
    lua_insert(L, TOPIC + k);
  }
  lua_settop(L, TIMESTAMP);
}

/* Record `i` of the list: a table of fields, or a value alone that goes to `topic`. Its strings are the list's. */
static outgoing outgoing_of(lua_State *L, lua_Integer i, const char *topic) {
  outgoing out = {.topic = topic, .partition = RD_KAFKA_PARTITION_UA};
  lua_settop(L, ANCHOR);
  int value = TOPIC;
  if (lua_rawgeti(L, LIST, i) == LUA_TTABLE) {
    spread(L);
    value = VALUE;
    out.topic = luaL_optstring(L, TOPIC, topic);
    out.key = bytes_of(L, KEY, "key", &out.key_size);
    out.partition = (int32_t)luaL_optinteger(L, PARTITION, RD_KAFKA_PARTITION_UA);
    out.timestamp = luaL_optinteger(L, TIMESTAMP, 0);
  }
  if (!out.topic) it_usage(L, "a record names no topic");
  out.value = bytes_of(L, value, "value", &out.value_size);
  return out;
}

/* Nearly all records of a list go where the one before went, without headers or time: librdkafka takes such together. Not
   those of several partitions (RD_KAFKA_MSG_F_PARTITION): one that the topic does not have stays in its queue for ever. */
enum { BATCH = 256 }; /* records */
typedef struct batch {
  rd_kafka_topic_t *topic; /* theirs, or NULL */
  int32_t partition;       /* theirs */
  kafka_ack *acks;         /* theirs, one behind the other */
  size_t sent;             /* with this and those before */
  int count;
  rd_kafka_message_t messages[BATCH];
} batch;

/* Sends what is gathered, and takes what came of earlier records meanwhile: their memory serves again. False where
   librdkafka's queue is full: the acks from there on say so. */
static bool send_batch(kafka_client *c, batch *b) {
  bool room = true;
  if (!b->count) return room;
  rd_kafka_produce_batch(b->topic, b->partition, RD_KAFKA_MSG_F_COPY, b->messages, b->count);
  for (int i = 0; i < b->count; i++) {
    rd_kafka_resp_err_t error = b->messages[i].err;
    if (!error) b->sent++;
    else b->acks[i].error = error; /* of the others their reports tell, and some may have */
    room = error != RD_KAFKA_RESP_ERR__QUEUE_FULL;
  }
  b->count = 0;
  kafka_drain(c);
  return room;
}

/* Gathers a record of the batch's topic. */
static void add_to_batch(batch *b, const outgoing *out, kafka_ack *ack) {
  if (!b->count) b->acks = ack;
  b->messages[b->count++] = (rd_kafka_message_t){
      .payload = unconst(out->value),
      .len = out->value_size,
      .key = unconst(out->key),
      .key_len = out->key_size,
      ._private = ack,
  };
}

/* One record of many that stands alone, after those before it. */
static rd_kafka_resp_err_t send_alone(lua_State *L, kafka_client *c, batch *b, const outgoing *out,
                                      kafka_ack *ack) {
  if (!send_batch(c, b)) return RD_KAFKA_RESP_ERR__QUEUE_FULL;
  rd_kafka_resp_err_t error = send_one(c, out, headers_of(L, HEADERS), ack);
  if (!error) b->sent++;
  return error;
}

/* The batch goes where this record goes from now on. */
static rd_kafka_resp_err_t turn_to(kafka_client *c, batch *b, const outgoing *out) {
  bool same = b->topic && strcmp(rd_kafka_topic_name(b->topic), out->topic) == 0;
  if (same && b->partition == out->partition) return RD_KAFKA_RESP_ERR_NO_ERROR;
  if (!send_batch(c, b)) return RD_KAFKA_RESP_ERR__QUEUE_FULL;
  b->partition = out->partition;
  if (same) return RD_KAFKA_RESP_ERR_NO_ERROR;
  if (b->topic) rd_kafka_topic_destroy(b->topic);
  b->topic = rd_kafka_topic_new(c->rk, out->topic, NULL);
  return b->topic ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_last_error();
}

/* One record of many, now or with those behind it. False where librdkafka's queue is full. */
static bool send_next(lua_State *L, kafka_client *c, batch *b, const outgoing *out,
                      kafka_ack *ack) {
  bool alone = out->timestamp || lua_istable(L, HEADERS);
  ack->error = alone ? send_alone(L, c, b, out, ack) : turn_to(c, b, out);
  if (ack->error) return ack->error != RD_KAFKA_RESP_ERR__QUEUE_FULL;
  if (!alone) add_to_batch(b, out, ack);
  return b->count < BATCH || send_batch(c, b);
}

/* Sends as many of the records as librdkafka's queue takes: none, where it is full of others'. What does not fit into an
   empty queue has failed. */
static void send_all(lua_State *L, kafka_op *o, lua_Integer first, size_t count) {
  const char *topic = lua_tostring(L, 2);
  bool room = true;
  batch b;
  o->crowded = rd_kafka_outq_len(o->c->rk) > 0;
  b.topic = NULL;
  b.sent = 0;
  b.count = 0;
  for (; room && o->most < count; o->most++) {
    outgoing out = outgoing_of(L, first + (lua_Integer)o->most, topic);
    kafka_ack *ack = &o->acks[o->most];
    ack->op = o;
    room = send_next(L, o->c, &b, &out, ack);
  }
  send_batch(o->c, &b);
  if (b.topic) rd_kafka_topic_destroy(b.topic);
  while (o->most > 1 && o->acks[o->most - 1].error == RD_KAFKA_RESP_ERR__QUEUE_FULL) o->most--;
  if (o->most && may_have_room(o, o->acks)) o->most--;
  o->sent = b.sent;
}

/* produce_all(topic | nil, list, first) -> tried, acks, failures: as many of the list as librdkafka takes at once, from
   the `first` on; a record is a value or a plain table of fields; all topics, keys and values are strings. The list is
   checked with its first record, and stays as it is until the last */
int kafka_l_produce_all(lua_State *L) {
  kafka_client *c = kafka_check(L);
  luaL_checktype(L, LIST, LUA_TTABLE);
  lua_Integer first = luaL_checkinteger(L, 4), last = (lua_Integer)lua_rawlen(L, LIST);
  const char *topic = luaL_optstring(L, 2, NULL);
  for (lua_Integer i = 1; first == 1 && i <= last; i++) { /* before anything is sent */
    outgoing_of(L, i, topic);
    check_headers(L, HEADERS);
  }
  lua_settop(L, 4);
  kafka_op *o = kafka_op_new(L, c, &produce_all_class); /* at ANCHOR */
  size_t count = last < first ? 0 : (size_t)(last - first + 1);
  o->acks = it_alloc((count ? count : 1) * sizeof *o->acks);
  send_all(L, o, first, count);
  lua_settop(L, ANCHOR);
  if (o->most || !count) it_op_detail(&o->op, "%zu records", o->most);
  if (o->acked < o->sent) kafka_op_list(o);
  else it_op_done(&o->op);
  return it_await(L, &o->op);
}
