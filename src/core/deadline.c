/*
 * deadline.c - deadlines and cancellation: scopes, the timer that wakes a waiting task, the hook that stops a busy one.
 *
 * An expired scope is sticky: every wait inside it raises until it is left, so a pcall cannot swallow it. A shield hides
 * what lies outside it, so that cleanup may wait. Time in which another file held the thread is not charged.
 */
#include <stdlib.h>
#include <string.h>

#include "core.h"

enum { HOOK_COUNT = 1000 }; /* VM instructions until what is overdue is stopped */
static const uint64_t GRACE =
    200000000u; /* so long after its first error a busy loop in a pcall gets one on every instruction */

/* Nanoseconds of Lua that other states ran, ever: the difference between two readings was stolen from this one. */
static uint64_t stolen(const it_state *st) { return st->sched->busy - st->busy; }

uint64_t it_scopes_held(const it_task *t) {
  const it_state *st = t->st;
  if (t->unheld) return 0;
  return st->held + (st->held_since ? it_now() - st->held_since : 0);
}

static uint64_t ends_at(const it_task *t, const it_scope *s) {
  return s->start + s->limit + (stolen(t->st) - s->stolen) + (it_scopes_held(t) - s->held);
}

/* The earliest deadline that is felt, 0 when there is none. */
static uint64_t earliest(const it_task *t) {
  uint64_t first = 0;
  for (const it_scope *s = t->scopes; s; s = s->shield ? NULL : s->outer) {
    if (!s->limit || s->expired) continue;
    uint64_t at = ends_at(t, s);
    if (!first || at < first) first = at;
  }
  return first;
}

static void expire(it_task *t, uint64_t now) {
  for (it_scope *s = t->scopes; s; s = s->outer)
    if (s->limit && !s->expired && now >= ends_at(t, s)) s->expired = true;
}

static const it_scope *expired_scope(const it_task *t) {
  const it_scope *found = NULL;
  for (const it_scope *s = t->scopes; s; s = s->shield ? NULL : s->outer)
    if (s->expired) found = s; /* the outermost: leaving an inner one would only meet it again */
  return found;
}

static bool shielded(const it_task *t) {
  for (const it_scope *s = t->scopes; s; s = s->outer)
    if (s->shield) return true;
  return false;
}

bool it_task_interrupted(const it_task *t) {
  return expired_scope(t) || (t->cancelled && !shielded(t));
}

void it_task_push_interruption(lua_State *L, const it_task *t, const it_op *op) {
  double waited = op ? (double)(it_now() - op->started) / 1e9 : 0;
  it_buf during = {0};
  if (op)
    it_buf_addf(&during, ", waiting %.3g s for %s %s", waited, op->cls->name,
                op->detail ? op->detail : "");
  while (during.size && during.data[during.size - 1] == ' ') during.data[--during.size] = 0;
  const it_scope *s = expired_scope(t);
  const char *text = during.data ? during.data : "";
  if (s) {
    it_error_push(L, "timeout", NULL, "stopped after %.6g s%s", (double)s->limit / 1e9, text);
    lua_pushinteger(L, s->id);
    lua_setfield(L, -2, "scope");
    if (op) {
      lua_pushnumber(L, waited);
      lua_setfield(L, -2, "waited");
      lua_pushstring(L, op->cls->name);
      lua_setfield(L, -2, "waited_for");
      lua_pushstring(L, op->detail ? op->detail : "");
      lua_setfield(L, -2, "waited_detail");
    }
  } else {
    it_error_push(L, "cancelled", NULL, "%s%s", t->cancelled ? t->cancelled : "cancelled", text);
  }
  it_buf_free(&during);
}

/* ---- the timer ---- */

static void arm(it_task *t, uint64_t at);

static void fired(void *data) {
  it_task *t = data;
  t->armed = 0;
  uint64_t now = it_now();
  expire(t, now);
  uint64_t next = earliest(t);
  /* Held ones move away as time goes by: they are armed again when they are let go. */
  if (next && (t->unheld || !t->st->held_since)) arm(t, next > now ? next : now);
  if (t->pending && it_task_interrupted(t)) it_ready(t);
}

/* A timer that is set for an earlier time stays: when it fires it looks again. Most scopes thus cost no timer at all. */
static void arm(it_task *t, uint64_t at) {
  if (t->armed && t->armed <= at) return;
  if (!t->timer) {
    t->timer = it_timer_new(t->st, fired, t);
    it_timer_unref(t->timer); /* a deadline alone keeps nothing alive */
  }
  uint64_t now = it_now();
  t->armed = at;
  it_timer_set(t->timer, at > now ? (int64_t)((at - now + 999999) / 1000000) : 0);
}

/* When the task has to stop computing: what interrupts it already lies in the past. */
static uint64_t due(const it_task *t) {
  const it_scope *over = expired_scope(t);
  if (over) return ends_at(t, over);
  if (t->cancelled && !shielded(t)) return t->cancelled_at;
  return earliest(t);
}

void it_task_beat(const it_task *t) {
  atomic_store_explicit(&t->st->sched->beat->deadline, due(t), memory_order_relaxed);
}

/* ---- scopes ---- */

int it_scope_enter(it_task *t, double seconds, bool shield) {
  if (seconds > 0)
    it_watchdog_start(t->st->sched); /* before the clock runs: the first starts a thread */
  it_scope *s = it_alloc(sizeof *s);
  s->outer = t->scopes;
  s->id = ++t->st->scope_ids;
  s->start = it_now();
  s->stolen = stolen(t->st);
  s->held = it_scopes_held(t);
  s->shield = shield;
  if (seconds > 0 && seconds < 1e9) s->limit = (uint64_t)(seconds * 1e9) + 1;
  t->scopes = s;
  if (s->limit) arm(t, s->start + s->limit);
  it_task_beat(t);
  return s->id;
}

bool it_scope_leave(it_task *t, int id) {
  expire(t, it_now());
  bool expired = false, found = false;
  while (t->scopes && !found) {
    it_scope *s = t->scopes;
    found = s->id == id;
    if (found) expired = s->expired;
    t->scopes = s->outer;
    free(s);
  }
  if (!it_task_interrupted(t)) t->stopped_at = 0;
  uint64_t next = earliest(t);
  if (next) arm(t, next);
  it_task_beat(t);
  return expired;
}

void it_scopes_hold(it_task *t, bool on) {
  it_state *st = t->st;
  if (on) t->unheld = true;
  if (on == (st->held_since != 0)) return;
  uint64_t now = it_now();
  if (on) {
    st->held_since = now;
    return;
  }
  st->held += now - st->held_since;
  st->held_since = 0;
  for (it_task *other = st->tasks; other; other = other->next) {
    uint64_t next = other->dead ? 0 : earliest(other);
    if (next) arm(other, next);
  }
}

void it_scope_free(it_task *t) {
  for (it_scope *s = t->scopes, *outer; s; s = outer) {
    outer = s->outer;
    free(s);
  }
  t->scopes = NULL;
}

/* ---- the hook: set by the watchdog on what runs past its deadline ---- */

/* Back to the user's own hook, if there was one. */
static void unset(lua_State *L, it_state *st) {
  if (st->hooked != L) {
    lua_sethook(L, NULL, 0, 0);
    return;
  }
  lua_sethook(L, st->users_hook, st->users_mask, st->users_count);
  st->hooked = NULL;
}

static void hook(lua_State *L, lua_Debug *ar) {
  it_state *st = it_state_of(L);
  it_task *t = st->sched->current;
  if (!t || t->st != st) {
    unset(L, st);
    return;
  }
  uint64_t now = it_now();
  expire(t, now);
  const it_scope *over = expired_scope(t);
  if (!over && !(t->cancelled && !shielded(t))) {
    unset(L, st);
    return;
  }
  lua_getinfo(L, "S", ar);
  if (strncmp(ar->source, "=itlua:", 7) == 0)
    return; /* our own code must come to leave the scope */
  /* After a grace every instruction raises: then a pcall around a busy loop ends too. Counted from the first error, not
   * from the deadline: on a slow machine the first comes late, and a loop that heeds it has still to leave its scope. */
  if (!t->stopped_at) t->stopped_at = now;
  if (now > t->stopped_at + GRACE) lua_sethook(L, hook, LUA_MASKCOUNT, 1);
  it_task_push_interruption(L, t, NULL);
  it_error_throw(L);
}

/* In a signal's handler. */
void it_hook_interrupt(it_task *t) {
  it_state *st = t->st;
  lua_State *L = st->running ? st->running : t->co;
  lua_Hook there = lua_gethook(L);
  if (there == hook) return;
  if (there && !st->hooked) {
    st->users_hook = there;
    st->users_mask = lua_gethookmask(L);
    st->users_count = lua_gethookcount(L);
    st->hooked = L;
  }
  lua_sethook(L, hook, LUA_MASKCOUNT, HOOK_COUNT);
}
