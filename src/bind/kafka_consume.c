/*
 * kafka_consume.c - records from assigned or subscribed partitions, as Lua tables, and whatever comes in order with them:
 * { eof = true, … } where a partition's end was reached, { error = code, … }, { rebalance = "assigned", … }.
 */
#include <stdlib.h>
#include <string.h>

#include "kafka.h"

/* ---- one event as a table ---- */

static void set_bytes(lua_State *L, const char *field, const void *data, size_t size) {
  if (!data) return;
  lua_pushlstring(L, data, size);
  lua_setfield(L, -2, field);
}

/* headers = { name = value of the last of that name }, header_list = { { name, value | false }, … } */
static void set_headers(lua_State *L, const rd_kafka_message_t *m) {
  rd_kafka_headers_t *headers;
  const char *name;
  const void *value;
  size_t size;
  if (rd_kafka_message_headers(m, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  lua_newtable(L); /* the map */
  lua_newtable(L); /* the list */
  for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; i++) {
    lua_createtable(L, 2, 0);
    lua_pushstring(L, name);
    lua_rawseti(L, -2, 1);
    if (value) lua_pushlstring(L, value, size);
    else lua_pushboolean(L, false);
    lua_pushvalue(L, -1);
    lua_setfield(L, -5, name); /* map */
    lua_rawseti(L, -2, 2);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_setfield(L, -3, "header_list");
  lua_setfield(L, -2, "headers");
}

static void set_place(lua_State *L, const rd_kafka_message_t *m) {
  if (m->rkt) {
    lua_pushstring(L, rd_kafka_topic_name(m->rkt));
    lua_setfield(L, -2, "topic");
  }
  lua_pushinteger(L, m->partition);
  lua_setfield(L, -2, "partition");
  lua_pushinteger(L, m->offset);
  lua_setfield(L, -2, "offset");
}

static void push_message(lua_State *L, const rd_kafka_message_t *m, lua_Number at) {
  rd_kafka_timestamp_type_t kind;
  lua_createtable(L, 0, 8);
  set_place(L, m);
  set_bytes(L, "key", m->key, m->key_len);
  set_bytes(L, "payload", m->payload, m->len);
  int64_t timestamp = rd_kafka_message_timestamp(m, &kind);
  if (kind != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE) {
    lua_pushnumber(L, (lua_Number)timestamp / 1000);
    lua_setfield(L, -2, "timestamp");
  }
  lua_pushnumber(L, at);
  lua_setfield(L, -2, "at");
  set_headers(L, m);
}

static void push_error(lua_State *L, rd_kafka_event_t *event) {
  rd_kafka_topic_partition_t *partition = rd_kafka_event_topic_partition(event);
  rd_kafka_resp_err_t error = rd_kafka_event_error(event);
  lua_createtable(L, 0, 5);
  if (partition) {
    lua_pushstring(L, partition->topic);
    lua_setfield(L, -2, "topic");
    lua_pushinteger(L, partition->partition);
    lua_setfield(L, -2, "partition");
    lua_pushinteger(L, partition->offset);
    lua_setfield(L, -2, "offset");
    rd_kafka_topic_partition_destroy(partition);
  }
  if (error == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    lua_pushboolean(L, true);
    lua_setfield(L, -2, "eof");
    return;
  }
  lua_pushstring(L, rd_kafka_err2name(error));
  lua_setfield(L, -2, "error");
  lua_pushstring(L, rd_kafka_event_error_string(event));
  lua_setfield(L, -2, "message");
}

static void push_rebalance(lua_State *L, rd_kafka_event_t *event) {
  lua_createtable(L, 0, 2);
  lua_pushstring(L, rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS
                        ? "assigned"
                        : "revoked");
  lua_setfield(L, -2, "rebalance");
  kafka_push_partitions(L, rd_kafka_event_topic_partition_list(event));
  lua_setfield(L, -2, "partitions");
}

/* ---- records that a filter surely leaves out (lua/itlua/kafka/prefilter.lua): counted, and not made tables of ---- */

enum { WORDS = 3 }; /* on the stack: the list of words, or nil */

typedef struct skipped {
  rd_kafka_event_t *last; /* keeps the topic's name */
  const rd_kafka_message_t *message;
  int64_t first;
  lua_Integer count;
} skipped;

static bool has_words(lua_State *L, const rd_kafka_message_t *m) {
  if (!m->payload) return true;
  lua_Integer n = (lua_Integer)lua_rawlen(L, WORDS);
  for (lua_Integer i = 1; i <= n; i++) {
    size_t size;
    lua_rawgeti(L, WORDS, i);
    const char *word = lua_tolstring(L, -1, &size);
    bool found = memmem(m->payload, m->len, word, size) != NULL;
    lua_pop(L, 1);
    if (!found) return memchr(m->payload, '\\', m->len) != NULL;
  }
  return true;
}

/* Appends { skipped = how many, topic, partition, offset = of the last, first = of the first } to the list on top. */
static void flush_skipped(lua_State *L, skipped *s) {
  if (!s->count) return;
  lua_createtable(L, 0, 5);
  set_place(L, s->message);
  lua_pushinteger(L, s->first);
  lua_setfield(L, -2, "first");
  lua_pushinteger(L, s->count);
  lua_setfield(L, -2, "skipped");
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  rd_kafka_event_destroy(s->last);
  memset(s, 0, sizeof *s);
}

/* Takes the event, where it is of such a record. */
static bool skip(lua_State *L, skipped *s, rd_kafka_event_t *event, const rd_kafka_message_t *m) {
  bool same = s->count && s->message->rkt == m->rkt && s->message->partition == m->partition;
  if (has_words(L, m)) return false;
  if (!same) flush_skipped(L, s);
  if (s->last) rd_kafka_event_destroy(s->last);
  if (!s->count++) s->first = m->offset;
  s->last = event;
  s->message = m;
  return true;
}

/* ---- reading ---- */

static int read_push(lua_State *L, it_op *op) {
  const kafka_op *o = (kafka_op *)op;
  kafka_inbox *inbox = &o->c->inbox;
  lua_Number at = (lua_Number)it_now() / 1e9;
  size_t count = inbox->count < o->most ? inbox->count : o->most;
  bool filters = lua_istable(L, WORDS) && lua_rawlen(L, WORDS) > 0; /* by now */
  skipped gone = {0};
  lua_createtable(L, filters ? 0 : (int)count, 0);
  while (count--) {
    rd_kafka_event_t *event = kafka_inbox_take(inbox);
    int type = rd_kafka_event_type(event);
    const rd_kafka_message_t *m =
        type == RD_KAFKA_EVENT_FETCH ? rd_kafka_event_message_next(event) : NULL;
    if (filters && m && skip(L, &gone, event, m)) continue;
    flush_skipped(L, &gone);
    if (m) push_message(L, m, at);
    else if (type == RD_KAFKA_EVENT_REBALANCE) push_rebalance(L, event);
    else push_error(L, event);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    rd_kafka_event_destroy(event);
  }
  flush_skipped(L, &gone);
  return 1;
}

static bool read_cancel(it_op *op) {
  kafka_op *o = (kafka_op *)op;
  if (o->c->reading == o) o->c->reading = NULL;
  return true;
}

static const it_op_class read_class = {"kafka.read", read_push, read_cancel, kafka_op_free};

/* read([most [, words]]) -> array of what has arrived, at least one; of records without all the words only how many */
int kafka_l_read(lua_State *L) {
  kafka_client *c = kafka_check(L);
  lua_Integer most = luaL_optinteger(L, 2, 1000);
  lua_settop(L, WORDS);
  for (lua_Integer i = lua_istable(L, WORDS) ? (lua_Integer)lua_rawlen(L, WORDS) : 0; i > 0; i--) {
    if (lua_rawgeti(L, WORDS, i) != LUA_TSTRING) it_usage(L, "words are strings");
    lua_pop(L, 1);
  }
  if (!c->records) it_usage(L, "%s reads nothing", c->res.label);
  if (c->reading) it_usage(L, "another task already reads from %s", c->res.label);
  kafka_op *o = kafka_op_new(L, c, &read_class);
  o->most = most > 0 ? (size_t)most : 1;
  kafka_drain(c); /* what did not fit into the inbox rings no more */
  if (c->inbox.count) it_op_done(&o->op);
  else c->reading = o;
  return it_await(L, &o->op);
}

/* ---- what is read ---- */

static void raise_if(lua_State *L, rd_kafka_error_t *error) {
  if (!error) return;
  it_error_push(L, "kafka", rd_kafka_error_name(error), "%s", rd_kafka_error_string(error));
  rd_kafka_error_destroy(error);
  it_error_throw(L);
}

static void raise_if_code(lua_State *L, rd_kafka_resp_err_t error) {
  if (error) it_raise(L, "kafka", rd_kafka_err2name(error), "%s", rd_kafka_err2str(error));
}

/* assign(partitions): reads these, too, from their offsets on */
int kafka_l_assign(lua_State *L) {
  kafka_client *c = kafka_check(L);
  kafka_check_partitions(L, 2);
  rd_kafka_topic_partition_list_t *list = kafka_partitions(L, 2);
  rd_kafka_error_t *error = rd_kafka_incremental_assign(c->rk, list);
  rd_kafka_topic_partition_list_destroy(list);
  raise_if(L, error);
  return 0;
}

/* unassign(partitions) */
int kafka_l_unassign(lua_State *L) {
  kafka_client *c = kafka_check(L);
  kafka_check_partitions(L, 2);
  rd_kafka_topic_partition_list_t *list = kafka_partitions(L, 2);
  rd_kafka_error_t *error = rd_kafka_incremental_unassign(c->rk, list);
  rd_kafka_topic_partition_list_destroy(list);
  raise_if(L, error);
  return 0;
}

/* subscribe{topic, …}: as a member of the group; a name that begins with ^ is a regular expression */
int kafka_l_subscribe(lua_State *L) {
  kafka_client *c = kafka_check(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_Integer n = (lua_Integer)lua_rawlen(L, 2);
  for (lua_Integer i = 1; i <= n; i++) {
    if (lua_rawgeti(L, 2, i) != LUA_TSTRING) it_usage(L, "a topic's name must be a string");
    lua_pop(L, 1);
  }
  rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, 2, i);
    rd_kafka_topic_partition_list_add(list, lua_tostring(L, -1), RD_KAFKA_PARTITION_UA);
    lua_pop(L, 1);
  }
  rd_kafka_resp_err_t error = rd_kafka_subscribe(c->rk, list);
  rd_kafka_topic_partition_list_destroy(list);
  raise_if_code(L, error);
  return 0;
}

/* assignment() -> partitions with the offsets read up to, generation's member id | nil */
int kafka_l_assignment(lua_State *L) {
  kafka_client *c = kafka_check(L);
  rd_kafka_topic_partition_list_t *list = NULL;
  rd_kafka_resp_err_t error = rd_kafka_assignment(c->rk, &list);
  raise_if_code(L, error);
  rd_kafka_position(c->rk, list);
  kafka_push_partitions(L, list);
  rd_kafka_topic_partition_list_destroy(list);
  char *member = rd_kafka_memberid(c->rk);
  lua_pushstring(L, member);
  if (member) rd_kafka_mem_free(c->rk, member);
  return 2;
}

/* pause(partitions, on) */
int kafka_l_pause(lua_State *L) {
  kafka_client *c = kafka_check(L);
  kafka_check_partitions(L, 2);
  bool on = lua_toboolean(L, 3);
  rd_kafka_topic_partition_list_t *list = kafka_partitions(L, 2);
  rd_kafka_resp_err_t error =
      on ? rd_kafka_pause_partitions(c->rk, list) : rd_kafka_resume_partitions(c->rk, list);
  rd_kafka_topic_partition_list_destroy(list);
  raise_if_code(L, error);
  return 0;
}

/* ---- commits ---- */

static int commit_push(lua_State *L, it_op *op) {
  const kafka_op *o = (kafka_op *)op;
  if (!o->event) it_raise(L, "kafka", "CLOSED", "the consumer was closed");
  rd_kafka_resp_err_t error = rd_kafka_event_error(o->event);
  if (error == RD_KAFKA_RESP_ERR__NO_OFFSET) error = RD_KAFKA_RESP_ERR_NO_ERROR;
  raise_if_code(L, error);
  kafka_push_partitions(L, rd_kafka_event_topic_partition_list(o->event));
  return 1;
}

static bool commit_cancel(it_op *op) { return op->done; }

static const it_op_class commit_class = {"kafka.commit", commit_push, commit_cancel, kafka_op_free};

/* commit(partitions) -> partitions */
int kafka_l_commit(lua_State *L) {
  kafka_client *c = kafka_check(L);
  kafka_check_partitions(L, 2);
  lua_settop(L, 2);
  kafka_op *o = kafka_op_new(L, c, &commit_class);
  rd_kafka_topic_partition_list_t *list = kafka_partitions(L, 2);
  rd_kafka_resp_err_t error = rd_kafka_commit_queue(c->rk, list, c->main, NULL, o);
  if (list->cnt == 1)
    it_op_detail(&o->op, "%s[%d] offset %lld", list->elems[0].topic, (int)list->elems[0].partition,
                 (long long)list->elems[0].offset);
  else it_op_detail(&o->op, "%d partitions", list->cnt);
  rd_kafka_topic_partition_list_destroy(list);
  if (error) it_op_fail(&o->op, "kafka", rd_kafka_err2name(error), "%s", rd_kafka_err2str(error));
  else kafka_op_list(o);
  return it_await(L, &o->op);
}
