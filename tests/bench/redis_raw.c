/*
 * redis_raw.c - the limit for itlua.redis: SETs by a loop over hiredis in C, on one connection.
 *
 *   redis_raw PORT COUNT            one after the other
 *   redis_raw PORT COUNT BATCH      BATCH at a time
 *
 * Prints seconds. Compiled by tests/bench/bench.lua.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void check(redisContext *redis, redisReply *reply) {
  if (!reply || reply->type != REDIS_REPLY_STATUS) {
    fprintf(stderr, "redis_raw: %s\n", reply ? reply->str : redis->errstr);
    exit(1);
  }
  freeReplyObject(reply);
}

int main(int argc, char **argv) {
  int port = argc > 2 ? (int)strtol(argv[1], NULL, 10) : 0;
  long count = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
  long batch = argc > 3 ? strtol(argv[3], NULL, 10) : 1;
  if (port <= 0 || count <= 0 || batch <= 0) {
    fprintf(stderr, "usage: redis_raw PORT COUNT [BATCH]\n");
    return 2;
  }
  redisContext *redis = redisConnect("127.0.0.1", port);
  if (!redis || redis->err) {
    fprintf(stderr, "redis_raw: %s\n", redis ? redis->errstr : "out of memory");
    return 1;
  }
  const char *words[] = {"SET", "key:000000000000", "xxx"};
  double began = now();
  for (long i = 0; i < count; i += batch) {
    for (long k = 0; k < batch; k++) redisAppendCommandArgv(redis, 3, words, NULL);
    for (long k = 0; k < batch; k++) {
      void *reply = NULL;
      redisGetReply(redis, &reply);
      check(redis, reply);
    }
  }
  printf("%.6f\n", now() - began);
  redisFree(redis);
  return 0;
}
