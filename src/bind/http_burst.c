/*
 * http_burst.c - many requests at once without Lua: for rate limits, races and latencies. One operation runs it all, in an
 * engine of its own, so that its connections do not mix with those of the state.
 *
 * Every slot is an easy handle that sends the same request again when its answer has come. With a rate, a request is due at
 * a time, and its latency counts from there: a server that stalls is charged for the requests that had to wait as well.
 * States: running -> ended (nothing more is sent) -> done, when the last answer has come.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"

enum { STATUS_MAX = 600, CODES_MAX = 32, TICK_MAX = 50 /* milliseconds */ };

typedef struct slot {
  struct burst *burst;
  http_transfer *transfer;
  struct slot *next; /* free slots */
  uint64_t due;
  bool busy;
} slot;

typedef struct burst {
  it_op op;
  http_engine *engine;
  it_timer *timer;
  slot *slots, *free_slots;
  size_t slot_count, busy, wanted, sent, answered, failed;
  double rate;
  uint64_t begun, until, timeout; /* nanoseconds; 0: none */
  uint64_t ended, bytes;
  uint32_t *latencies; /* microseconds, of every answer */
  size_t capacity;
  uint64_t sum;
  size_t status[STATUS_MAX];
  struct {
    const char *code;
    size_t count;
  } codes[CODES_MAX];
  char *first_error;
} burst;

/* ---- what came of a request ---- */

static void count_answer(burst *b, const slot *s, uint64_t now) {
  long status = http_status(s->transfer);
  uint64_t latency = (now - s->due) / 1000;
  if (b->answered == b->capacity) {
    b->capacity = b->capacity ? b->capacity * 2 : 1024;
    b->latencies = it_realloc(b->latencies, b->capacity * sizeof *b->latencies);
  }
  b->latencies[b->answered++] = latency > UINT32_MAX ? UINT32_MAX : (uint32_t)latency;
  b->sum += latency;
  if (status > 0 && status < STATUS_MAX) b->status[status]++;
}

static void count_error(burst *b, const slot *s, CURLcode result) {
  const char *code = http_error_of(s->transfer, result).code;
  b->failed++;
  if (!b->first_error) b->first_error = http_describe(s->transfer, result);
  for (size_t i = 0; i < CODES_MAX; i++) {
    if (!b->codes[i].code) b->codes[i].code = code; /* codes are literals */
    if (strcmp(b->codes[i].code, code) != 0) continue;
    b->codes[i].count++;
    return;
  }
}

/* ---- sending ---- */

static uint64_t due_at(const burst *b, size_t n) {
  return b->begun + (uint64_t)((double)n / b->rate * 1e9);
}

static bool more(const burst *b, uint64_t now) {
  return (!b->wanted || b->sent < b->wanted) && (!b->until || now < b->until);
}

static void send_one(burst *b, slot *s, uint64_t due) {
  http_transfer *t = s->transfer;
  s->due = due;
  s->busy = true;
  t->head.size = t->last_head = t->received = 0;
  t->head_ended = t->sent = t->repeats = false;
  b->busy++;
  b->sent++;
  http_engine_start(
      b->engine,
      t); /* libcurl asks for a timer at once, which sets off all of this turn together */
}

static void send_due(burst *b) {
  uint64_t now = it_now();
  while (b->free_slots && more(b, now)) {
    uint64_t due = b->rate > 0 ? due_at(b, b->sent) : now;
    if (due > now) break;
    slot *s = b->free_slots;
    b->free_slots = s->next;
    send_one(b, s, due);
  }
  if (b->busy || b->op.done || (more(b, now) && b->rate > 0)) return;
  b->ended = now;
  it_timer_set(b->timer, -1);
  it_op_outcome(&b->op, "%zu answers, %zu errors", b->answered, b->failed);
  it_op_done(&b->op);
}

static void release_slot(burst *b, slot *s) {
  s->busy = false;
  b->busy--;
  s->next = b->free_slots;
  b->free_slots = s;
}

static void finished(http_transfer *t, CURLcode result) {
  slot *s = t->owner;
  burst *b = s->burst;
  if (result == CURLE_OK) count_answer(b, s, it_now());
  else count_error(b, s, result);
  b->bytes += t->received;
  release_slot(b, s);
  send_due(b);
}

static size_t on_body(http_transfer *t, const char *data, size_t size) {
  (void)t, (void)data;
  return size;
}

static const http_sink sink = {on_body, NULL, NULL};

/* ---- time: what is due, and what took too long. libcurl's own timeouts would cost a timer a request. ---- */

static void tick(burst *b) {
  double next = TICK_MAX;
  if (b->rate > 0) next = fmin(next, ((double)due_at(b, b->sent) - (double)it_now()) / 1e6);
  if (b->timeout) next = fmin(next, (double)b->timeout / 1e7);
  it_timer_set(b->timer, (int64_t)fmax(next, 1));
}

static void on_tick(void *data) {
  burst *b = data;
  uint64_t now = it_now();
  for (size_t i = 0; b->timeout && i < b->slot_count; i++) {
    slot *s = &b->slots[i];
    if (!s->busy || now < s->due + b->timeout) continue;
    http_engine_remove(s->transfer);
    count_error(b, s, CURLE_OPERATION_TIMEDOUT);
    release_slot(b, s);
  }
  send_due(b);
  if (!b->op.done) tick(b);
}

/* ---- figures ---- */

static int by_size(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static void push_latency(lua_State *L, burst *b) {
  static const struct {
    const char *name;
    double share;
  } points[] = {{"min", 0}, {"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}, {"max", 1}};
  lua_createtable(L, 0, 8);
  if (!b->answered) return;
  qsort(b->latencies, b->answered, sizeof *b->latencies, by_size);
  for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
    size_t rank = (size_t)ceil(points[i].share * (double)b->answered);
    lua_pushnumber(L, (double)b->latencies[rank ? rank - 1 : 0] / 1e6);
    lua_setfield(L, -2, points[i].name);
  }
  lua_pushnumber(L, (double)b->sum / (double)b->answered / 1e6);
  lua_setfield(L, -2, "mean");
}

static void set_count(lua_State *L, const char *name, lua_Integer n) {
  lua_pushinteger(L, n);
  lua_setfield(L, -2, name);
}

static int burst_push(lua_State *L, it_op *op) {
  burst *b = (burst *)op;
  double seconds = (double)(b->ended - b->begun) / 1e9;
  lua_createtable(L, 0, 10);
  set_count(L, "requests", (lua_Integer)b->sent);
  set_count(L, "answered", (lua_Integer)b->answered);
  set_count(L, "failed", (lua_Integer)b->failed);
  set_count(L, "bytes", (lua_Integer)b->bytes);
  lua_pushnumber(L, seconds);
  lua_setfield(L, -2, "seconds");
  lua_pushnumber(L, seconds > 0 ? (double)b->answered / seconds : 0);
  lua_setfield(L, -2, "rate");
  lua_newtable(L);
  for (lua_Integer i = 0; i < STATUS_MAX; i++) {
    if (!b->status[i]) continue;
    lua_pushinteger(L, (lua_Integer)b->status[i]);
    lua_rawseti(L, -2, i);
  }
  lua_setfield(L, -2, "status");
  lua_newtable(L);
  for (size_t i = 0; i < CODES_MAX && b->codes[i].code; i++)
    set_count(L, b->codes[i].code, (lua_Integer)b->codes[i].count);
  lua_setfield(L, -2, "errors");
  lua_pushstring(L, b->first_error); /* nil where there was none */
  lua_setfield(L, -2, "first_error");
  push_latency(L, b);
  lua_setfield(L, -2, "latency");
  return 1;
}

/* ---- life ---- */

static bool burst_cancel(it_op *op) {
  burst *b = (burst *)op;
  for (size_t i = 0; i < b->slot_count; i++)
    if (b->slots[i].transfer) http_engine_remove(b->slots[i].transfer);
  return true;
}

static void burst_free(it_op *op) {
  burst *b = (burst *)op;
  for (size_t i = 0; i < b->slot_count; i++) http_transfer_release(b->slots[i].transfer);
  http_engine_unref(b->engine);
  it_timer_free(b->timer);
  free(b->slots);
  free(b->latencies);
  free(b->first_error);
  free(b);
}

static const it_op_class burst_class = {"http.burst", burst_push, burst_cancel, burst_free};

static uint64_t nanoseconds(lua_State *L, const char *name) {
  return (uint64_t)(it_opt_number(L, 5, name, 0) * 1e9);
}

/* core.burst(client, method, url, plan|nil, {requests, duration, concurrency, rate, timeout}) -> figures */
int http_burst(lua_State *L) {
  http_client *c = http_client_check(L, 1);
  const char *method = luaL_checkstring(L, 2), *url = luaL_checkstring(L, 3);
  lua_settop(L, 5);
  lua_Integer slots = it_opt_integer(L, 5, "concurrency", 1),
              wanted = it_opt_integer(L, 5, "requests", 0);
  double rate = it_opt_number(L, 5, "rate", 0);
  uint64_t timeout = nanoseconds(L, "timeout"), duration = nanoseconds(L, "duration");
  luaL_argcheck(L, slots > 0 && wanted >= 0, 5, "no requests");
  burst *b = it_op_new(L, sizeof *b, &burst_class);
  b->engine = http_engine_new(b->op.st, (long)slots + 8);
  b->timer = it_timer_new(b->op.st, on_tick, b);
  b->wanted = (size_t)wanted;
  b->rate = rate;
  b->timeout = timeout;
  b->slots = it_alloc((size_t)slots * sizeof *b->slots);
  for (; b->slot_count < (size_t)slots; b->slot_count++) {
    slot *s = &b->slots[b->slot_count];
    http_transfer *t = s->transfer = http_transfer_take(c);
    s->burst = b;
    t->owner = s;
    t->sink = &sink;
    t->finished = finished;
    s->next = b->free_slots;
    b->free_slots = s;
  }
  for (size_t i = 0; i < b->slot_count; i++) {
    http_prepare(L, 1, b->slots[i].transfer, method, url, 4);
    b->slots[i].transfer->timeout = (double)timeout / 1e9; /* for messages */
  }
  it_op_detail(&b->op, "%s %s, %lld at a time", method, url, (long long)slots);
  b->begun = it_now();
  b->until = duration ? b->begun + duration : 0;
  send_due(b);
  if (!b->op.done) tick(b);
  http_engine_kick(b->engine);
  return it_await(L, &b->op);
}
