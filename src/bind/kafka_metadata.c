/*
 * kafka_metadata.c - which brokers there are, and of topics which partitions.
 */
#include <stdlib.h>
#include <string.h>

#include "kafka.h"

typedef struct metadata_call {
  kafka_call call;
  char **names;
  size_t count, done; /* of the names */
  bool all;
  const rd_kafka_metadata_t **answers;
  char *cluster;
} metadata_call;

static rd_kafka_resp_err_t ask(metadata_call *mc, const char *name, int slice) {
  rd_kafka_t *rk = mc->call.c->rk;
  rd_kafka_topic_t *topic = name ? rd_kafka_topic_new(rk, name, NULL) : NULL;
  if (name && !topic) return rd_kafka_last_error();
  rd_kafka_resp_err_t error =
      rd_kafka_metadata(rk, mc->all && !name, topic, &mc->answers[mc->done], slice);
  if (topic) rd_kafka_topic_destroy(topic);
  return error;
}

static rd_kafka_resp_err_t metadata_step(kafka_call *call, int slice) {
  metadata_call *mc = (metadata_call *)call;
  size_t wanted = mc->count ? mc->count : 1;
  for (; mc->done < wanted; mc->done++) {
    rd_kafka_resp_err_t error = ask(mc, mc->count ? mc->names[mc->done] : NULL, slice);
    if (error) return error;
  }
  mc->cluster = rd_kafka_clusterid(call->c->rk, 0);
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void metadata_free(kafka_call *call) {
  metadata_call *mc = (metadata_call *)call;
  for (size_t i = 0; i < mc->done; i++) rd_kafka_metadata_destroy(mc->answers[i]);
  for (size_t i = 0; i < mc->count; i++) free(mc->names[i]);
  free(mc->names);
  free(mc->answers);
  free(mc->cluster);
}

static void push_error_name(lua_State *L, rd_kafka_resp_err_t error) {
  if (!error) return;
  lua_pushstring(L, rd_kafka_err2name(error));
  lua_setfield(L, -2, "error");
}

static void push_topic(lua_State *L, const rd_kafka_metadata_topic_t *topic) {
  lua_createtable(L, 0, 3);
  lua_pushstring(L, topic->topic);
  lua_setfield(L, -2, "name");
  push_error_name(L, topic->err);
  lua_createtable(L, topic->partition_cnt, 0);
  for (int i = 0; i < topic->partition_cnt; i++) {
    const rd_kafka_metadata_partition_t *p = &topic->partitions[i];
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, p->id);
    lua_setfield(L, -2, "id");
    lua_pushinteger(L, p->leader);
    lua_setfield(L, -2, "leader");
    lua_pushinteger(L, p->replica_cnt);
    lua_setfield(L, -2, "replicas");
    push_error_name(L, p->err);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "partitions");
}

static void push_brokers(lua_State *L, const rd_kafka_metadata_t *m) {
  lua_createtable(L, m->broker_cnt, 0);
  for (int i = 0; i < m->broker_cnt; i++) {
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, m->brokers[i].id);
    lua_setfield(L, -2, "id");
    lua_pushstring(L, m->brokers[i].host);
    lua_setfield(L, -2, "host");
    lua_pushinteger(L, m->brokers[i].port);
    lua_setfield(L, -2, "port");
    lua_rawseti(L, -2, i + 1);
  }
}

static int metadata_push(lua_State *L, it_op *op) {
  const metadata_call *mc = (metadata_call *)op;
  lua_createtable(L, 0, 3);
  push_brokers(L, mc->answers[0]);
  lua_setfield(L, -2, "brokers");
  lua_pushstring(L, mc->cluster);
  lua_setfield(L, -2, "cluster");
  lua_newtable(L);
  lua_Integer n = 0;
  for (size_t i = 0; i < mc->done; i++)
    for (int k = 0; k < mc->answers[i]->topic_cnt; k++) {
      push_topic(L, &mc->answers[i]->topics[k]);
      lua_rawseti(L, -2, ++n);
    }
  lua_setfield(L, -2, "topics");
  return 1;
}

static const kafka_call_class metadata_class = {
    {"kafka.metadata", metadata_push, kafka_call_cancel, kafka_call_free},
    metadata_step,
    metadata_free,
    100};

/* metadata({name, …} | "all" | "none", seconds, impatient) -> { brokers, cluster, topics = { { name, error, partitions =
   { { id, leader, replicas, error } } } } } */
int kafka_l_metadata(lua_State *L) {
  kafka_client *c = kafka_check(L);
  bool named = lua_istable(L, 2);
  size_t count = named ? lua_rawlen(L, 2) : 0;
  for (size_t i = 1; i <= count; i++) {
    if (lua_rawgeti(L, 2, (lua_Integer)i) != LUA_TSTRING)
      it_usage(L, "a topic's name must be a string, not a %s", luaL_typename(L, -1));
    lua_pop(L, 1);
  }
  lua_settop(L, 4);
  metadata_call *mc = kafka_call_new(L, c, sizeof *mc, &metadata_class, 3);
  mc->call.impatient = lua_toboolean(L, 4);
  mc->all = !named && strcmp(lua_tostring(L, 2), "all") == 0;
  mc->answers = it_alloc((count ? count : 1) * sizeof *mc->answers);
  mc->names = it_alloc((count ? count : 1) * sizeof *mc->names);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, 2, (lua_Integer)i + 1);
    mc->names[i] = it_strdup(lua_tostring(L, -1));
    mc->count++;
    lua_pop(L, 1);
  }
  return kafka_call_start(L, &mc->call);
}
