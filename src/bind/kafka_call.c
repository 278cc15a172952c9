/*
 * kafka_call.c - librdkafka's functions that wait, on a pool thread: in slices, so that a cancelled operation, a closed
 * client or a deadline ends them soon. Here also those that take and return a list of partitions.
 */
#include <stdlib.h>
#include <time.h>

#include "kafka.h"

enum { GRACE = 400 }; /* milliseconds: a name may have addresses that were not tried yet */

/* Milliseconds, on any thread. */
static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void *kafka_call_new(lua_State *L, kafka_client *c, size_t size, const kafka_call_class *cls,
                     int idx) {
  lua_Number seconds = luaL_optnumber(L, idx, 10);
  kafka_call *call = it_op_new(L, size, &cls->op);
  call->cls = cls;
  call->c = c;
  call->deadline = now_ms() + (int64_t)(seconds > 0 && seconds < 1e9 ? seconds * 1000 : 0);
  it_res_ref(&c->res);
  return call;
}

void kafka_call_free(it_op *op) {
  kafka_call *call = (kafka_call *)op;
  if (call->cls->free) call->cls->free(call);
  it_res_unref(&call->c->res);
  free(call->why);
  free(call);
}

bool kafka_call_cancel(it_op *op) {
  kafka_call *call = (kafka_call *)op;
  atomic_store(&call->stop, true);
  return op->done;
}

rd_kafka_resp_err_t kafka_call_error(kafka_call *call, rd_kafka_error_t *error) {
  free(call->why);
  call->why = NULL;
  if (!error) return RD_KAFKA_RESP_ERR_NO_ERROR;
  rd_kafka_resp_err_t code = rd_kafka_error_code(error);
  call->why = it_strdup(rd_kafka_error_string(error));
  if (rd_kafka_error_is_retriable(error)) code = RD_KAFKA_RESP_ERR__TIMED_OUT;
  rd_kafka_error_destroy(error);
  return code;
}

static bool passes(rd_kafka_resp_err_t error) {
  switch (error) {
  case RD_KAFKA_RESP_ERR__TIMED_OUT:
  case RD_KAFKA_RESP_ERR__TRANSPORT:
  case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
  case RD_KAFKA_RESP_ERR__WAIT_COORD:
  case RD_KAFKA_RESP_ERR__WAIT_CACHE:
  case RD_KAFKA_RESP_ERR__RESOLVE:
  case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
  case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
  case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
  case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
  case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
  case RD_KAFKA_RESP_ERR_NOT_COORDINATOR: return true;
  default: return false;
  }
}

/* A failed step may have returned at once, and the broker has other things to do: 1 ms, 2, 4 … 100. */
static void pause_a_little(int attempt) {
  struct timespec little = {0, (attempt < 7 ? 1L << attempt : 100) * 1000000L};
  nanosleep(&little, NULL);
}

static void work(void *data) {
  kafka_call *call = data;
  int64_t refused = 0;
  for (int attempt = 0;; attempt++) {
    int64_t left = call->deadline - now_ms();
    if (left < 1) left = 1; /* once at least */
    /* Each longer than the one before: what takes long on a busy machine begins anew with every slice. */
    int64_t slice = (int64_t)call->cls->slice << (attempt < 4 ? attempt : 4);
    call->error = call->cls->step(call, left < slice ? (int)left : (int)slice);
    if (!call->error || !passes(call->error)) return;
    int64_t now = now_ms();
    if (now >= call->deadline || atomic_load(&call->stop) || atomic_load(&call->c->stop)) return;
    if (call->impatient && atomic_load(&call->c->refused)) {
      if (!refused) refused = now;
      if (now - refused > GRACE) return;
    }
    pause_a_little(attempt);
  }
}

static void after(void *data) {
  kafka_call *call = data;
  kafka_client *c = call->c;
  it_res_ref(&c->res);
  if (!call->error) {
    atomic_store(&c->refused, false);
    it_op_done(&call->op);
  } else {
    bool blocked = passes(call->error) && c->trouble;
    const char *text = call->why ? call->why : rd_kafka_err2str(call->error);
    const char *code = blocked ? c->trouble_code : rd_kafka_err2name(call->error);
    it_op_fail(&call->op, "kafka", code, "%s%s%s", text, blocked ? ": " : "",
               blocked ? c->trouble : "");
  }
  kafka_call_ended(c);
  it_res_unref(&c->res);
}

int kafka_call_start(lua_State *L, kafka_call *call) {
  call->c->calls++;
  it_work(call->c->res.st, work, after, call);
  return it_await(L, &call->op);
}

/* ---- lists of partitions ---- */

typedef struct list_call {
  kafka_call call;
  rd_kafka_topic_partition_list_t *asked, *answer;
} list_call;

static void list_free(kafka_call *call) {
  const list_call *lc = (list_call *)call;
  if (lc->asked) rd_kafka_topic_partition_list_destroy(lc->asked);
  if (lc->answer) rd_kafka_topic_partition_list_destroy(lc->answer);
}

static int list_push(lua_State *L, it_op *op) {
  kafka_push_partitions(L, ((list_call *)op)->answer);
  return 1;
}

/* What is asked stays as it is, for a further try. */
static rd_kafka_topic_partition_list_t *again(list_call *lc) {
  if (lc->answer) rd_kafka_topic_partition_list_destroy(lc->answer);
  return lc->answer = rd_kafka_topic_partition_list_copy(lc->asked);
}

static rd_kafka_resp_err_t offsets_step(kafka_call *call, int slice) {
  rd_kafka_topic_partition_list_t *list = again((list_call *)call);
  rd_kafka_resp_err_t error = rd_kafka_offsets_for_times(call->c->rk, list, slice);
  for (int i = 0; !error && i < list->cnt; i++)
    if (passes(list->elems[i].err)) error = list->elems[i].err;
  return error;
}

static rd_kafka_resp_err_t committed_step(kafka_call *call, int slice) {
  return rd_kafka_committed(call->c->rk, again((list_call *)call), slice);
}

static rd_kafka_resp_err_t seek_step(kafka_call *call, int slice) {
  return kafka_call_error(call,
                          rd_kafka_seek_partitions(call->c->rk, again((list_call *)call), slice));
}

static const kafka_call_class offsets_class = {
    {"kafka.offsets", list_push, kafka_call_cancel, kafka_call_free}, offsets_step, list_free, 250};
static const kafka_call_class committed_class = {
    {"kafka.committed", list_push, kafka_call_cancel, kafka_call_free},
    committed_step,
    list_free,
    250};
static const kafka_call_class seek_class = {
    {"kafka.seek", list_push, kafka_call_cancel, kafka_call_free}, seek_step, list_free, 1000};

static int list_start(lua_State *L, const kafka_call_class *cls) {
  kafka_client *c = kafka_check(L);
  kafka_check_partitions(L, 2);
  lua_settop(L, 3);
  if (lua_rawlen(L, 2) == 0) {
    lua_newtable(L);
    return 1;
  }
  list_call *lc = kafka_call_new(L, c, sizeof *lc, cls, 3);
  lc->asked = kafka_partitions(L, 2);
  return kafka_call_start(L, &lc->call);
}

/* offsets(partitions, seconds) -> partitions, each with the offset that its "end" or "beginning" is, or that of the first
   record at or after its time (milliseconds): by one request a broker */
int kafka_l_offsets(lua_State *L) { return list_start(L, &offsets_class); }

/* committed(partitions, seconds) -> partitions with what the client's group has committed */
int kafka_l_committed(lua_State *L) { return list_start(L, &committed_class); }

/* seek(partitions, seconds): reads on from these offsets */
int kafka_l_seek(lua_State *L) { return list_start(L, &seek_class); }
