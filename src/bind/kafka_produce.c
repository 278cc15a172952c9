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

/* The same for what is nearly all records of a list: to the topic of the one before, without headers or time. */
static rd_kafka_resp_err_t send_plain(kafka_client *c, const outgoing *out,
                                      rd_kafka_topic_t **topic, kafka_ack *ack) {
  if (!*topic || strcmp(rd_kafka_topic_name(*topic), out->topic) != 0) {
    if (*topic) rd_kafka_topic_destroy(*topic);
    *topic = rd_kafka_topic_new(c->rk, out->topic, NULL);
    if (!*topic) return rd_kafka_last_error();
  }
  if (rd_kafka_produce(*topic, out->partition, RD_KAFKA_MSG_F_COPY, unconst(out->value),
                       out->value_size, out->key, out->key_size, ack) == 0)
    return RD_KAFKA_RESP_ERR_NO_ERROR;
  return rd_kafka_last_error();
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

/* produce(topic, partition, key, value, headers, milliseconds) -> partition, offset */
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
  if (out.key && out.key_size < 100)
    it_op_detail(&o->op, "%s, key %.*s, %zu B", out.topic, (int)out.key_size, out.key,
                 out.value_size);
  else it_op_detail(&o->op, "%s, %zu B", out.topic, out.value_size);
  enum { SMALL = 1 << 16 };
  o->op.keeps =
      out.value_size <= SMALL && out.key_size <= SMALL ? 5 : 2; /* client, topic … value */
  o->acks->error = send_one(c, &out, headers_of(L, 6), o->acks);
  if (o->acks->error) it_op_done(&o->op);
  else kafka_op_list(o);
  return it_await(L, &o->op);
}

/* ---- many ---- */

/* Pushes tried, acks, failures: {[index] = error object} or nothing */
static int produce_all_push(lua_State *L, it_op *op) {
  kafka_op *o = (kafka_op *)op;
  lua_pushinteger(L, (lua_Integer)o->most);
  lua_createtable(L, (int)o->most, 0);
  lua_pushnil(L);
  for (size_t i = 0; i < o->most; i++) {
    const kafka_ack *ack = &o->acks[i];
    if (ack->error) {
      if (lua_isnil(L, -1)) {
        lua_newtable(L);
        lua_replace(L, -2);
      }
      push_failure(L, o->c, ack->error);
      lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, ack->partition);
    lua_setfield(L, -2, "partition");
    lua_pushinteger(L, ack->offset);
    lua_setfield(L, -2, "offset");
    lua_rawseti(L, -3, (lua_Integer)i + 1);
  }
  return 3;
}

static const it_op_class produce_all_class = {"kafka.publish_all", produce_all_push, produce_cancel,
                                              kafka_op_free};

enum { LIST = 3, ANCHOR = 5, TOPIC, KEY, VALUE, PARTITION, HEADERS, TIMESTAMP }; /* on the stack */

/* Puts the fields of record `i` of the list into their slots; false where it is a value alone, which is at VALUE then. */
static bool spread(lua_State *L, lua_Integer i) {
  static const char *const names[] = {"topic", "key", "value", "partition", "headers", "timestamp"};
  lua_settop(L, ANCHOR);
  if (lua_rawgeti(L, LIST, i) != LUA_TTABLE) {
    lua_settop(L, VALUE);
    lua_pushvalue(L, TOPIC);
    lua_replace(L, VALUE);
    return false;
  }
  for (int k = 0; k < TIMESTAMP - TOPIC + 1; k++) { /* the table moves up before them */
    lua_getfield(L, TOPIC + k, names[k]);
    lua_insert(L, TOPIC + k);
  }
  lua_settop(L, TIMESTAMP);
  return true;
}

static outgoing outgoing_of(lua_State *L, lua_Integer i) {
  outgoing out = {.topic = lua_tostring(L, 2), .partition = RD_KAFKA_PARTITION_UA};
  if (spread(L, i)) {
    out.topic = luaL_optstring(L, TOPIC, out.topic);
    out.key = bytes_of(L, KEY, "key", &out.key_size);
    out.partition = (int32_t)luaL_optinteger(L, PARTITION, RD_KAFKA_PARTITION_UA);
    out.timestamp = luaL_optinteger(L, TIMESTAMP, 0);
  }
  if (!out.topic) it_usage(L, "a record names no topic");
  out.value = bytes_of(L, VALUE, "value", &out.value_size);
  return out;
}

/* produce_all(topic | nil, list, first) -> tried, acks, failures: as many of the list as librdkafka takes at once, from
   the `first` on; a record is a value or a table of fields; all topics, keys and values are strings */
int kafka_l_produce_all(lua_State *L) {
  kafka_client *c = kafka_check(L);
  luaL_checktype(L, LIST, LUA_TTABLE);
  lua_Integer first = luaL_checkinteger(L, 4), last = (lua_Integer)lua_rawlen(L, LIST);
  for (lua_Integer i = first; i <= last; i++) {
    outgoing_of(L, i);
    check_headers(L, HEADERS);
  }
  lua_settop(L, 4);
  kafka_op *o = kafka_op_new(L, c, &produce_all_class); /* at ANCHOR */
  size_t count = last < first ? 0 : (size_t)(last - first + 1), tried = 0, sent = 0;
  o->acks = it_alloc((count ? count : 1) * sizeof *o->acks);
  rd_kafka_topic_t *topic = NULL;
  for (; tried < count; tried++) {
    outgoing out = outgoing_of(L, first + (lua_Integer)tried);
    kafka_ack *ack = &o->acks[tried];
    bool plain = !out.timestamp && !lua_istable(L, HEADERS);
    ack->op = o;
    ack->error =
        plain ? send_plain(c, &out, &topic, ack) : send_one(c, &out, headers_of(L, HEADERS), ack);
    if (ack->error == RD_KAFKA_RESP_ERR__QUEUE_FULL && tried) break;
    if (!ack->error) sent++;
  }
  if (topic) rd_kafka_topic_destroy(topic);
  lua_settop(L, ANCHOR);
  o->most = tried;
  o->sent = sent;
  it_op_detail(&o->op, "%zu records", tried);
  if (sent) kafka_op_list(o);
  else it_op_done(&o->op);
  return it_await(L, &o->op);
}
