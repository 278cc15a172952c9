/*
 * kafka_raw.c - the limit for itlua.kafka: librdkafka in a loop in C, without Lua and without a loop of events.
 *
 *   kafka_raw BROKERS TOPIC publish COUNT     records one after the other, each acknowledged
 *   kafka_raw BROKERS TOPIC arrive COUNT      records one after the other, each acknowledged and then consumed
 *
 * Prints seconds. Compiled by tests/bench/bench.lua.
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what) {
  fprintf(stderr, "kafka_raw: %s\n", what);
  exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
  char why[512];
  if (rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK) fail(why);
}

static int acknowledged;

static void on_delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque) {
  (void)rk, (void)opaque;
  if (m->err) fail(rd_kafka_err2str(m->err));
  acknowledged++;
}

static rd_kafka_t *open_handle(rd_kafka_type_t type, const char *brokers) {
  char why[512];
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", brokers);
  set(conf, "socket.nagle.disable", "true");
  if (type == RD_KAFKA_PRODUCER) {
    set(conf, "linger.ms", "0");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivered);
  } else {
    set(conf, "group.id", "kafka_raw");
    set(conf, "enable.auto.commit", "false");
    set(conf, "fetch.wait.max.ms", "10");
  }
  rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof why);
  if (!rk) fail(why);
  return rk;
}

static void publish(rd_kafka_t *producer, const char *topic) {
  static const char value[] = "{\"id\":1,\"customer\":\"c-1\",\"status\":\"pending\"}";
  int before = acknowledged;
  if (rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
                        RD_KAFKA_V_VALUE((char *)value, sizeof value - 1),
                        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END))
    fail("producev");
  while (acknowledged == before) rd_kafka_poll(producer, 1000);
}

static void consume(rd_kafka_t *consumer) {
  for (;;) {
    rd_kafka_message_t *m = rd_kafka_consumer_poll(consumer, 1000);
    if (!m) continue;
    if (m->err) fail(rd_kafka_message_errstr(m));
    rd_kafka_message_destroy(m);
    return;
  }
}

int main(int argc, char **argv) {
  long count = argc == 5 ? strtol(argv[4], NULL, 10) : 0;
  if (count <= 0) {
    fprintf(stderr, "usage: kafka_raw BROKERS TOPIC publish|arrive COUNT\n");
    return 2;
  }
  const char *brokers = argv[1], *topic = argv[2];
  int arrive = strcmp(argv[3], "arrive") == 0;
  rd_kafka_t *producer = open_handle(RD_KAFKA_PRODUCER, brokers), *consumer = NULL;
  publish(producer, topic);
  if (arrive) {
    int64_t low, high;
    consumer = open_handle(RD_KAFKA_CONSUMER, brokers);
    if (rd_kafka_query_watermark_offsets(consumer, topic, 0, &low, &high, 10000)) fail("offsets");
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = high;
    rd_kafka_poll_set_consumer(consumer);
    rd_kafka_assign(consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    publish(producer, topic);
    consume(consumer);
  }
  double began = now();
  for (long i = 0; i < count; i++) {
    publish(producer, topic);
    if (consumer) consume(consumer);
  }
  printf("%.6f\n", now() - began);
  if (consumer) rd_kafka_destroy(consumer);
  rd_kafka_destroy(producer);
  return 0;
}
