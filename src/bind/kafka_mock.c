/*
 * kafka_mock.c - itlua.kafka.mock: librdkafka's mock cluster, a broker inside this process, for machines that have no real
 * one; and one question to any broker (kafka_probe.c). Used by lua/itlua/services.
 *
 * The cluster works on a thread of librdkafka's own. It is up, down (it drops its clients and takes none; its records
 * stay), or closed. Transactions are refused: it would show records of aborted ones to everybody.
 */
#include "kafka_mock.h"

#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>

typedef struct mock {
  it_res res;
  rd_kafka_t *rk;
  rd_kafka_mock_cluster_t *cluster;
  lua_Integer brokers;
} mock;

static void say_goodbye(void *data) {
  mock *m = data;
  rd_kafka_mock_cluster_destroy(m->cluster);
  rd_kafka_destroy(m->rk);
}

static void gone(void *data) { it_res_unref(&((mock *)data)->res); }

static void mock_close(it_res *res) {
  it_res_ref(res);
  it_work(res->st, say_goodbye, gone, res);
}

static void mock_free(it_res *res) { free(res); }

static const it_res_class mock_class = {"itlua.kafka.mock", mock_close, mock_free, false};

/* From librdkafka 2.8 on: the first member of a group waits as long for others. Three seconds where it cannot be set. */
/* NOLINTNEXTLINE(readability-redundant-declaration) */
void rd_kafka_mock_group_initial_rebalance_delay_ms(rd_kafka_mock_cluster_t *, int32_t)
    __attribute__((weak));

/* An error that ends a transaction for good, as often as anybody may try. (An API that is not there at all is asked for
   again and again.) */
static void refuse_transactions(rd_kafka_mock_cluster_t *cluster) {
  enum { ADD_PARTITIONS_TO_TXN = 24, ADD_OFFSETS_TO_TXN, TIMES = 10000 };
  rd_kafka_resp_err_t *errors = it_alloc(TIMES * sizeof *errors);
  for (size_t i = 0; i < TIMES; i++)
    errors[i] = RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
  rd_kafka_mock_push_request_errors_array(cluster, ADD_PARTITIONS_TO_TXN, TIMES, errors);
  rd_kafka_mock_push_request_errors_array(cluster, ADD_OFFSETS_TO_TXN, TIMES, errors);
  free(errors);
}

/* start{brokers = 1} -> cluster */
static int l_start(lua_State *L) {
  char why[512];
  lua_Integer brokers = it_opt_integer(L, 1, "brokers", 1);
  if (brokers < 1 || brokers > 100) it_usage(L, "brokers must be 1 to 100");
  mock *m = it_res_new(L, sizeof *m, &mock_class);
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "log_level", "0", NULL, 0);
  m->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
  if (!m->rk) {
    rd_kafka_conf_destroy(conf);
    it_raise(L, "kafka", "CONFIG", "no mock cluster: %s", why);
  }
  m->cluster = rd_kafka_mock_cluster_new(m->rk, (int)brokers);
  if (!m->cluster) {
    rd_kafka_destroy(m->rk);
    it_raise(L, "kafka", "MOCK", "librdkafka could not start its mock cluster");
  }
  m->brokers = brokers;
  refuse_transactions(m->cluster);
  if (rd_kafka_mock_group_initial_rebalance_delay_ms)
    rd_kafka_mock_group_initial_rebalance_delay_ms(m->cluster, 0);
  it_res_open(&m->res, "kafka mock %s", rd_kafka_mock_cluster_bootstraps(m->cluster));
  return 1;
}

/* addresses(cluster) -> "127.0.0.1:4711,…" */
static int l_addresses(lua_State *L) {
  mock *m = it_res_check(L, 1, &mock_class);
  lua_pushstring(L, rd_kafka_mock_cluster_bootstraps(m->cluster));
  return 1;
}

/* set(cluster, up) */
static int l_set(lua_State *L) {
  mock *m = it_res_check(L, 1, &mock_class);
  bool up = lua_toboolean(L, 2);
  for (int32_t id = 1; id <= (int32_t)m->brokers; id++) {
    if (up) rd_kafka_mock_broker_set_up(m->cluster, id);
    else rd_kafka_mock_broker_set_down(m->cluster, id);
  }
  return 0;
}

/* topic(cluster, name, partitions): makes it, unless it is there */
static int l_topic(lua_State *L) {
  mock *m = it_res_check(L, 1, &mock_class);
  const char *name = luaL_checkstring(L, 2);
  lua_Integer partitions = luaL_checkinteger(L, 3);
  if (partitions < 1 || partitions > 10000) it_usage(L, "partitions must be 1 to 10000");
  rd_kafka_resp_err_t error = rd_kafka_mock_topic_create(m->cluster, name, (int)partitions, 1);
  if (error && error != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
    it_raise(L, "kafka", rd_kafka_err2name(error), "cannot create the topic %s: %s", name,
             rd_kafka_err2str(error));
  return 0;
}

/* version() -> "2.0.2" */
static int l_version(lua_State *L) {
  lua_pushstring(L, rd_kafka_version_str());
  return 1;
}

IT_API int luaopen_itlua_kafka_mock(lua_State *L);
int luaopen_itlua_kafka_mock(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"addresses", l_addresses}, {"set", l_set}, {"topic", l_topic}, {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"start", l_start}, {"probe", kafka_probe}, {"version", l_version}, {NULL, NULL}};
  it_res_register(L, &mock_class, methods);
  luaL_newlib(L, functions);
  return 1;
}
