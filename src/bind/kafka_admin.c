/*
 * kafka_admin.c - requests about topics and groups that change something: create, delete, more partitions. The brokers'
 * answers, an error or none for each name, are events.
 */
#include <stdlib.h>
#include <string.h>

#include "kafka.h"

/* ---- the request ---- */

int kafka_admin_failed(lua_State *L, const kafka_op *o) {
  if (!o->event) it_raise(L, "kafka", "CLOSED", "the connection to Kafka was closed");
  rd_kafka_resp_err_t error = rd_kafka_event_error(o->event);
  if (!error) return 0;
  const kafka_client *c = o->c;
  bool lost = error == RD_KAFKA_RESP_ERR__TIMED_OUT || error == RD_KAFKA_RESP_ERR__TRANSPORT;
  it_raise(L, "kafka", rd_kafka_err2name(error), "%s%s%s", rd_kafka_event_error_string(o->event),
           lost && c->trouble ? ": " : "", lost && c->trouble ? c->trouble : "");
}

static bool admin_cancel(it_op *op) { return op->done; }

kafka_op *kafka_admin_new(lua_State *L, kafka_client *c, const it_op_class *cls, int seconds,
                          rd_kafka_admin_op_t api, rd_kafka_AdminOptions_t **options) {
  char why[128];
  lua_Number limit = luaL_optnumber(L, seconds, 10);
  int milliseconds = limit > 0 && limit < 3600 ? (int)(limit * 1000) + 1 : 10000;
  kafka_op *o = kafka_op_new(L, c, cls);
  *options = rd_kafka_AdminOptions_new(c->rk, api);
  rd_kafka_AdminOptions_set_request_timeout(*options, milliseconds, why, sizeof why);
  rd_kafka_AdminOptions_set_opaque(*options, o);
  return o;
}

/* { { name =, error =, message = }, … }: what became of each topic */
static void push_topic_results(lua_State *L, const rd_kafka_topic_result_t **results, size_t n) {
  lua_createtable(L, (int)n, 0);
  for (size_t i = 0; i < n; i++) {
    rd_kafka_resp_err_t error = rd_kafka_topic_result_error(results[i]);
    lua_createtable(L, 0, 3);
    lua_pushstring(L, rd_kafka_topic_result_name(results[i]));
    lua_setfield(L, -2, "name");
    if (error) {
      const char *text = rd_kafka_topic_result_error_string(results[i]);
      lua_pushstring(L, rd_kafka_err2name(error));
      lua_setfield(L, -2, "error");
      lua_pushstring(L, text ? text : rd_kafka_err2str(error));
      lua_setfield(L, -2, "message");
    }
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

/* ---- topics ---- */

static int create_push(lua_State *L, it_op *op) {
  const kafka_op *o = (kafka_op *)op;
  size_t n;
  kafka_admin_failed(L, o);
  const rd_kafka_topic_result_t **results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(o->event), &n);
  push_topic_results(L, results, n);
  return 1;
}

static int delete_push(lua_State *L, it_op *op) {
  const kafka_op *o = (kafka_op *)op;
  size_t n;
  kafka_admin_failed(L, o);
  const rd_kafka_topic_result_t **results =
      rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(o->event), &n);
  push_topic_results(L, results, n);
  return 1;
}

static int grow_push(lua_State *L, it_op *op) {
  const kafka_op *o = (kafka_op *)op;
  size_t n;
  kafka_admin_failed(L, o);
  const rd_kafka_topic_result_t **results =
      rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(o->event), &n);
  push_topic_results(L, results, n);
  return 1;
}

static const it_op_class create_class = {"kafka.create_topics", create_push, admin_cancel,
                                         kafka_op_free};
static const it_op_class delete_class = {"kafka.delete_topics", delete_push, admin_cancel,
                                         kafka_op_free};
static const it_op_class grow_class = {"kafka.create_partitions", grow_push, admin_cancel,
                                       kafka_op_free};

/* The names at `idx`, or raises. */
static size_t check_names(lua_State *L, int idx, const char *what) {
  luaL_checktype(L, idx, LUA_TTABLE);
  size_t n = lua_rawlen(L, idx);
  if (n == 0) it_usage(L, "no %s is named", what);
  for (size_t i = 1; i <= n; i++) {
    if (lua_rawgeti(L, idx, (lua_Integer)i) != LUA_TSTRING)
      it_usage(L, "a %s's name must be a string, not a %s", what, luaL_typename(L, -1));
    lua_pop(L, 1);
  }
  return n;
}

static void check_new_topic(lua_State *L, int idx) {
  it_opt_integer(L, idx, "partitions", -1);
  it_opt_integer(L, idx, "replicas", -1);
  if (lua_getfield(L, idx, "name") != LUA_TSTRING) it_usage(L, "a new topic needs a name");
  if (lua_getfield(L, idx, "config") == LUA_TTABLE)
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
      if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
        it_usage(L, "a topic's config must be strings by name");
    }
  lua_pop(L, 2);
}

static rd_kafka_NewTopic_t *new_topic(lua_State *L, int idx, char *why, size_t size) {
  int partitions = (int)it_opt_integer(L, idx, "partitions", -1);
  int replicas = (int)it_opt_integer(L, idx, "replicas", -1);
  lua_getfield(L, idx, "name");
  rd_kafka_NewTopic_t *topic =
      rd_kafka_NewTopic_new(lua_tostring(L, -1), partitions, replicas, why, size);
  if (topic && lua_getfield(L, idx, "config") == LUA_TTABLE)
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
      rd_kafka_NewTopic_set_config(topic, lua_tostring(L, -2), lua_tostring(L, -1));
  return topic;
}

/* create_topics({ { name =, partitions =, replicas =, config = {} }, … }, seconds) -> { { name, error, message }, … } */
int kafka_l_create_topics(lua_State *L) {
  kafka_client *c = kafka_check(L);
  char why[256] = "";
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 3);
  size_t n = lua_rawlen(L, 2);
  for (size_t i = 1; i <= n; i++) {
    if (lua_rawgeti(L, 2, (lua_Integer)i) != LUA_TTABLE) it_usage(L, "a new topic is a table");
    check_new_topic(L, 4);
    lua_settop(L, 3);
  }
  rd_kafka_AdminOptions_t *options;
  kafka_op *o = kafka_admin_new(L, c, &create_class, 3, RD_KAFKA_ADMIN_OP_CREATETOPICS, &options);
  rd_kafka_NewTopic_t **topics = it_alloc((n + 1) * sizeof *topics);
  size_t made = 0;
  for (; made < n; made++) {
    lua_rawgeti(L, 2, (lua_Integer)made + 1);
    topics[made] = new_topic(L, 5, why, sizeof why);
    if (made == 0) it_op_detail(&o->op, "%s", lua_tostring(L, 6));
    lua_settop(L, 4);
    if (!topics[made]) break;
  }
  if (made == n) {
    kafka_op_list(o);
    rd_kafka_CreateTopics(c->rk, topics, n, options, c->main);
  } else {
    it_op_fail(&o->op, "kafka", "_INVALID_ARG", "%s", why);
  }
  rd_kafka_NewTopic_destroy_array(topics, made);
  free(topics);
  rd_kafka_AdminOptions_destroy(options);
  return it_await(L, &o->op);
}

/* delete_topics({name, …}, seconds) -> { { name, error, message }, … } */
int kafka_l_delete_topics(lua_State *L) {
  kafka_client *c = kafka_check(L);
  size_t n = check_names(L, 2, "topic");
  lua_settop(L, 3);
  rd_kafka_AdminOptions_t *options;
  kafka_op *o = kafka_admin_new(L, c, &delete_class, 3, RD_KAFKA_ADMIN_OP_DELETETOPICS, &options);
  rd_kafka_DeleteTopic_t **topics = it_alloc(n * sizeof *topics);
  for (size_t i = 0; i < n; i++) {
    lua_rawgeti(L, 2, (lua_Integer)i + 1);
    topics[i] = rd_kafka_DeleteTopic_new(lua_tostring(L, -1));
    lua_pop(L, 1);
  }
  kafka_op_list(o);
  rd_kafka_DeleteTopics(c->rk, topics, n, options, c->main);
  rd_kafka_DeleteTopic_destroy_array(topics, n);
  free(topics);
  rd_kafka_AdminOptions_destroy(options);
  return it_await(L, &o->op);
}

/* create_partitions(name, count, seconds) -> { { name, error, message } } */
int kafka_l_create_partitions(lua_State *L) {
  kafka_client *c = kafka_check(L);
  char why[256] = "";
  const char *name = luaL_checkstring(L, 2);
  lua_Integer count = luaL_checkinteger(L, 3);
  lua_settop(L, 4);
  rd_kafka_AdminOptions_t *options;
  kafka_op *o = kafka_admin_new(L, c, &grow_class, 4, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, &options);
  rd_kafka_NewPartitions_t *more =
      rd_kafka_NewPartitions_new(name, count > 0 ? (size_t)count : 0, why, sizeof why);
  if (more) {
    kafka_op_list(o);
    rd_kafka_CreatePartitions(c->rk, &more, 1, options, c->main);
    rd_kafka_NewPartitions_destroy(more);
  } else {
    it_op_fail(&o->op, "kafka", "_INVALID_ARG", "%s", why);
  }
  rd_kafka_AdminOptions_destroy(options);
  return it_await(L, &o->op);
}
