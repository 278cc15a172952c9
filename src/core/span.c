/*
 * span.c - the timeline: what a state did to whom, when, for how long, and what came of it. A ring: the last IT_SPANS stay.
 *
 * With a span goes a Lua value, its data: what was given and what came back. It is kept as it is, in a ring of the registry
 * that is smaller, and looked at when a test fails; until then it costs a table and no more.
 */
#include <stdlib.h>
#include <string.h>

#include "core.h"

static const char data_key;

static it_span *slot(it_state *st) {
  if (!st->spans) st->spans = it_alloc(IT_SPANS * sizeof *st->spans);
  it_span *span = &st->spans[st->span_count++ % IT_SPANS];
  free(span->detail);
  free(span->outcome);
  memset(span, 0, sizeof *span);
  span->serial = ++st->serial;
  return span;
}

uint64_t it_span_record(it_state *st, const char *what, uint64_t at, char *detail, char *outcome) {
  it_span *span = slot(st);
  span->what = what;
  span->at = at;
  span->duration = it_now() - at;
  span->detail = detail;
  span->outcome = outcome;
  return span->serial;
}

/* The latest have the highest numbers: what has just begun is found at once. */
static int find(const it_state *st, uint64_t serial) {
  for (unsigned i = 0; st->spans && i < IT_SPANS && i < st->span_count; i++) {
    unsigned at = (st->span_count - 1 - i) % IT_SPANS;
    if (st->spans[at].serial == serial) return (int)at;
    if (st->spans[at].serial < serial) break;
  }
  return -1;
}

static int data_slot(int at) { return at % IT_SPANS_WITH_DATA + 1; }

void it_span_keep(lua_State *L, it_state *st, uint64_t serial) {
  int at = find(st, serial);
  if (at < 0) {
    lua_pop(L, 1);
    return;
  }
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &data_key) != LUA_TTABLE) {
    lua_pop(L, 1);
    lua_createtable(L, 16, 0);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &data_key);
  }
  lua_insert(L, -2);
  lua_rawseti(L, -2, data_slot(at));
  lua_pop(L, 1);
  for (int other = at % IT_SPANS_WITH_DATA; other < IT_SPANS; other += IT_SPANS_WITH_DATA)
    st->spans[other].data = other == at;
}

bool it_span_data(lua_State *L, const it_state *st, uint64_t serial) {
  int at = find(st, serial);
  if (at < 0 || !st->spans[at].data) return false;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &data_key) != LUA_TTABLE) {
    lua_pop(L, 1);
    return false;
  }
  lua_rawgeti(L, -1, data_slot(at));
  lua_remove(L, -2);
  return true;
}

void it_span_outcome(it_state *st, uint64_t serial, char *outcome) {
  int at = find(st, serial);
  if (at < 0) {
    free(outcome);
    return;
  }
  free(st->spans[at].outcome);
  st->spans[at].outcome = outcome;
}

/* What earlier tests have kept: bodies and rows that nobody will ask for any more. */
void it_span_forget_data(lua_State *L, it_state *st) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &data_key) == LUA_TTABLE) {
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &data_key);
  }
  lua_pop(L, 1);
  for (unsigned i = 0; st->spans && i < IT_SPANS; i++) st->spans[i].data = false;
}

uint64_t it_span_begin(it_state *st, const char *what, const char *detail) {
  it_span *span = slot(st);
  it_buf text = {0};
  /* `what` may be a passing Lua string: it lives in front of the detail, in the same memory. */
  it_buf_add(&text, what, strlen(what) + 1);
  if (detail) it_buf_add(&text, detail, strlen(detail));
  span->detail = text.data;
  span->at = it_now();
  span->open = true;
  span->task = st->sched->current ? st->sched->current->birth : 0;
  return span->serial;
}

void it_span_end(it_state *st, uint64_t serial, const char *outcome) {
  int at = find(st, serial);
  if (at < 0 || !st->spans[at].open) return;
  it_span *span = &st->spans[at];
  span->duration = it_now() - span->at;
  span->open = false;
  span->outcome = outcome ? it_strdup(outcome) : NULL;
}

static void push_span(lua_State *L, double at, double seconds, const char *what, const char *detail,
                      const char *outcome) {
  lua_createtable(L, 0, 6);
  lua_pushnumber(L, at / 1e9);
  lua_setfield(L, -2, "at");
  lua_pushnumber(L, seconds / 1e9);
  lua_setfield(L, -2, "seconds");
  lua_pushstring(L, what);
  lua_setfield(L, -2, "what");
  lua_pushstring(L, detail ? detail : "");
  lua_setfield(L, -2, "detail");
  lua_pushstring(L, outcome ? outcome : "");
  lua_setfield(L, -2, "outcome");
}

int it_span_push(lua_State *L, it_state *st, uint64_t since) {
  lua_Integer n = 0;
  lua_newtable(L);
  unsigned first = st->span_count > IT_SPANS ? st->span_count - IT_SPANS : 0;
  for (unsigned i = first; i < st->span_count; i++) {
    const it_span *span = &st->spans[i % IT_SPANS];
    if (span->serial <= since) continue;
    const char *what = span->what ? span->what : span->detail;
    const char *detail = span->what ? span->detail : span->detail + strlen(span->detail) + 1;
    uint64_t took = span->open ? it_now() - span->at : span->duration;
    push_span(L, (double)span->at, (double)took, what, detail,
              span->open ? "still running" : span->outcome);
    if (span->data && it_span_data(L, st, span->serial)) lua_setfield(L, -2, "data");
    lua_rawseti(L, -2, ++n);
  }
  for (const it_task *t = st->tasks; t; t = t->next) {
    const it_op *op = t->dead || t->silent ? NULL : t->pending;
    if (!op || op->done || t->main || !op->detail) continue;
    push_span(L, (double)op->started, (double)(it_now() - op->started), op->cls->name, op->detail,
              "still waiting");
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

/* Where a task waits, in lines that are not ours, or NULL. */
static const char *line_of(lua_State *L, const it_task *t) {
  if (t->co == L || !t->co || !lua_checkstack(t->co, 2)) return NULL;
  it_where(t->co);
  lua_xmove(t->co, L, 1);
  return lua_tostring(L, -1);
}

/* What a task is about that waits for an operation which says nothing of itself: the innermost span it has begun, or NULL. */
static const it_span *open_span_of(const it_state *st, const it_task *t) {
  unsigned first = st->span_count > IT_SPANS ? st->span_count - IT_SPANS : 0;
  for (unsigned i = st->span_count; st->spans && i > first; i--) {
    const it_span *span = &st->spans[(i - 1) % IT_SPANS];
    if (span->open && span->task == t->birth) return span;
  }
  return NULL;
}

/* what, detail, seconds */
static void push_wait(lua_State *L, const it_state *st, const it_task *t) {
  const it_op *op = t->pending;
  const it_span *span = op->detail && *op->detail ? NULL : open_span_of(st, t);
  const char *what = op->cls->name, *detail = op->detail ? op->detail : "";
  if (span) {
    what = span->what ? span->what : span->detail;
    detail = span->what ? span->detail : span->detail + strlen(span->detail) + 1;
  }
  lua_pushstring(L, what);
  lua_setfield(L, -2, "what");
  lua_pushstring(L, detail ? detail : "");
  lua_setfield(L, -2, "detail");
  lua_pushnumber(L, (double)(it_now() - (span ? span->at : op->started)) / 1e9);
  lua_setfield(L, -2, "seconds");
}

int it_span_push_waits(lua_State *L, it_state *st, uint64_t since, bool with_main) {
  lua_Integer n = 0;
  lua_newtable(L);
  for (const it_task *t = st->tasks; t; t = t->next) {
    const it_op *op = t->pending;
    if (t->dead || t->quiet || !op || op->done) continue;
    if (t->main ? !with_main : t->birth <= since) continue;
    lua_createtable(L, 0, 5);
    push_wait(L, st, t);
    lua_pushstring(L, t->where ? t->where : "?");
    lua_setfield(L, -2, "spawned");
    if (line_of(L, t)) lua_setfield(L, -2, "where");
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

void it_span_free(it_state *st) {
  for (unsigned i = 0; st->spans && i < IT_SPANS; i++) {
    free(st->spans[i].detail);
    free(st->spans[i].outcome);
  }
  free(st->spans);
  st->spans = NULL;
}
