/*
 * kafka_transaction.c - a producer's transactions: init once, then begin, records, offsets of a group, commit or abort.
 */
#include <stdlib.h>
#include <string.h>

#include "kafka.h"

typedef struct transaction_call {
  kafka_call call;
  const char *what; /* one of `steps` */
  rd_kafka_topic_partition_list_t *offsets;
  rd_kafka_consumer_group_metadata_t *group;
} transaction_call;

static const char *const steps[] = {"init", "begin", "commit", "abort", "offsets", NULL};

static rd_kafka_resp_err_t transaction_step(kafka_call *call, int slice) {
  const transaction_call *tc = (transaction_call *)call;
  rd_kafka_t *rk = call->c->rk;
  rd_kafka_error_t *error;
  switch (tc->what[0]) {
  case 'i': error = rd_kafka_init_transactions(rk, slice); break;
  case 'b': error = rd_kafka_begin_transaction(rk); break;
  case 'c': error = rd_kafka_commit_transaction(rk, slice); break;
  case 'a': error = rd_kafka_abort_transaction(rk, slice); break;
  default: error = rd_kafka_send_offsets_to_transaction(rk, tc->offsets, tc->group, slice);
  }
  return kafka_call_error(call, error);
}

static void transaction_free(kafka_call *call) {
  const transaction_call *tc = (transaction_call *)call;
  if (tc->offsets) rd_kafka_topic_partition_list_destroy(tc->offsets);
  if (tc->group) rd_kafka_consumer_group_metadata_destroy(tc->group);
}

static int transaction_push(lua_State *L, it_op *op) {
  (void)L;
  (void)op;
  return 0;
}

static const kafka_call_class transaction_class = {
    {"kafka.transaction", transaction_push, kafka_call_cancel, kafka_call_free},
    transaction_step,
    transaction_free,
    1000};

/* transaction("init" | "begin" | "commit" | "abort" | "offsets", seconds [, partitions, group]) */
int kafka_l_transaction(lua_State *L) {
  kafka_client *c = kafka_check(L);
  const char *what = steps[luaL_checkoption(L, 2, NULL, steps)];
  bool offsets = what[0] == 'o';
  const char *group = offsets ? luaL_checkstring(L, 5) : NULL;
  if (offsets) kafka_check_partitions(L, 4);
  lua_settop(L, 5);
  transaction_call *tc = kafka_call_new(L, c, sizeof *tc, &transaction_class, 3);
  tc->what = what;
  if (offsets) {
    tc->offsets = kafka_partitions(L, 4);
    tc->group = rd_kafka_consumer_group_metadata_new(group);
  }
  if (strcmp(what, "begin") != 0) it_op_detail(&tc->call.op, "%s", what);
  return kafka_call_start(L, &tc->call);
}
