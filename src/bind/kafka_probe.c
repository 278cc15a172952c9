/*
 * kafka_probe.c - whether a broker works: it answers for its cluster, and takes a record. On a pool thread, with a handle
 * that lives as long; what librdkafka says last is why not.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kafka_mock.h"

typedef struct probe {
  it_op op;
  char *addresses, *topic, *cluster;
  char why[512];
  const char *code;
  uint64_t deadline; /* as it_now() */
  int brokers;
  rd_kafka_resp_err_t delivery;
  bool down; /* none can be reached: it will not get better while we wait */
} probe;

static void on_error(rd_kafka_t *rk, int error, const char *reason, void *opaque) {
  probe *p = opaque;
  (void)rk;
  if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) p->down = true; /* why was said of each */
  else strncpy(p->why, reason, sizeof p->why - 1);
}

static void on_delivered(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque) {
  (void)rk;
  ((probe *)opaque)->delivery = message->err;
}

static bool failed(probe *p, rd_kafka_resp_err_t error) {
  p->code = rd_kafka_err2name(error);
  if (!*p->why) strncpy(p->why, rd_kafka_err2str(error), sizeof p->why - 1);
  return false;
}

static rd_kafka_t *new_handle(probe *p) {
  static const char *const settings[][2] = {
      {"reconnect.backoff.ms", "5"},
      {"reconnect.backoff.max.ms", "50"},
      {"log_level", "0"},
      {"linger.ms", "0"},
      {"client.id", "itlua-probe"},
  };
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
    rd_kafka_conf_set(conf, settings[i][0], settings[i][1], NULL, 0);
  rd_kafka_conf_set_opaque(conf, p);
  rd_kafka_conf_set_error_cb(conf, on_error);
  rd_kafka_conf_set_dr_msg_cb(conf, on_delivered);
  rd_kafka_t *rk = NULL;
  if (rd_kafka_conf_set(conf, "bootstrap.servers", p->addresses, p->why, sizeof p->why) ==
      RD_KAFKA_CONF_OK)
    rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, p->why, sizeof p->why);
  if (!rk) rd_kafka_conf_destroy(conf);
  return rk;
}

static int left(const probe *p) {
  int64_t ms = (int64_t)(p->deadline - it_now()) / 1000000;
  return ms > 1 ? (int)ms : 1;
}

static const struct rd_kafka_metadata *ask(probe *p, rd_kafka_t *rk, rd_kafka_topic_t *topic) {
  const struct rd_kafka_metadata *metadata = NULL;
  rd_kafka_resp_err_t error;
  do {
    int slice = left(p) < 50 ? left(p) : 50;
    error = rd_kafka_metadata(rk, 0, topic, &metadata, slice);
    if (!error) return metadata;
    rd_kafka_poll(rk, 0);
  } while (!p->down && it_now() < p->deadline);
  failed(p, error);
  return NULL;
}

static bool answers(probe *p, rd_kafka_t *rk) {
  const struct rd_kafka_metadata *metadata = ask(p, rk, NULL);
  if (!metadata) return false;
  p->brokers = metadata->broker_cnt;
  rd_kafka_metadata_destroy(metadata);
  if (!p->brokers)
    snprintf(p->why, sizeof p->why, "it answers, but no broker has joined its cluster yet");
  return p->brokers > 0;
}

/* Asking for the topic makes it; a producer that has to find it out by itself looks once a second. */
static bool has_leader(probe *p, rd_kafka_t *rk, rd_kafka_topic_t *topic) {
  while (true) {
    const struct rd_kafka_metadata *metadata = ask(p, rk, topic);
    if (!metadata) return false;
    rd_kafka_resp_err_t error = metadata->topics[0].err;
    if (!error &&
        (!metadata->topics[0].partition_cnt || metadata->topics[0].partitions[0].leader < 0))
      error = RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
    rd_kafka_metadata_destroy(metadata);
    if (!error) return true;
    if (it_now() >= p->deadline) return failed(p, error);
    usleep(5000);
  }
}

static bool takes_a_record(probe *p, rd_kafka_t *rk) {
  rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, p->topic, NULL);
  bool found = topic && has_leader(p, rk, topic);
  if (topic) rd_kafka_topic_destroy(topic);
  if (!found) return false;
  p->delivery = RD_KAFKA_RESP_ERR__TIMED_OUT;
  rd_kafka_resp_err_t error = rd_kafka_producev(
      rk, RD_KAFKA_V_TOPIC(p->topic), RD_KAFKA_V_VALUE(p->topic, strlen(p->topic)), RD_KAFKA_V_END);
  if (error) return failed(p, error);
  rd_kafka_flush(rk, left(p));
  error = p->delivery;
  if (!error) return true;
  rd_kafka_purge(rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  rd_kafka_flush(rk, 0);
  return failed(p, error);
}

static void work(void *data) {
  probe *p = data;
  rd_kafka_t *rk = new_handle(p);
  p->code = "CONFIG";
  if (!rk) return;
  p->code = "NO_BROKER";
  if (answers(p, rk) && (!p->topic || takes_a_record(p, rk))) {
    p->code = NULL;
    p->cluster = rd_kafka_clusterid(rk, 0);
  }
  rd_kafka_destroy(rk);
}

static void after(void *data) {
  probe *p = data;
  if (p->code) it_op_fail(&p->op, "kafka", p->code, "%s: %s", p->addresses, p->why);
  else it_op_done(&p->op);
}

static int probe_push(lua_State *L, it_op *op) {
  probe *p = (probe *)op;
  lua_createtable(L, 0, 2);
  lua_pushinteger(L, p->brokers);
  lua_setfield(L, -2, "brokers");
  lua_pushstring(L, p->cluster);
  lua_setfield(L, -2, "cluster");
  return 1;
}

/* The thread returns within its time: after() ends it. */
static bool probe_cancel(it_op *op) {
  (void)op;
  return false;
}

static void probe_free(it_op *op) {
  probe *p = (probe *)op;
  free(p->addresses);
  free(p->topic);
  free(p->cluster);
  free(p);
}

int kafka_probe(lua_State *L) {
  static const it_op_class probe_class = {"kafka.probe", probe_push, probe_cancel, probe_free};
  const char *addresses = luaL_checkstring(L, 1);
  lua_Number seconds = luaL_checknumber(L, 2);
  const char *topic = luaL_optstring(L, 3, NULL);
  if (!(seconds > 0 && seconds < 3600)) it_usage(L, "probe takes seconds, 0 to 3600");
  probe *p = it_op_new(L, sizeof *p, &probe_class);
  p->addresses = it_strdup(addresses);
  if (topic) p->topic = it_strdup(topic);
  p->deadline = it_now() + (uint64_t)(seconds * 1e9);
  it_op_detail(&p->op, "%s", addresses);
  it_work(p->op.st, work, after, p);
  return it_await(L, &p->op);
}
