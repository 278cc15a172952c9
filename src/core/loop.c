/*
 * loop.c - the turn: step a task that is ready, or else let libuv wait for something that makes one ready.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

uint64_t it_now(void) { return uv_hrtime(); }

void it_sched_open(it_sched *s, const it_host *host) {
  memset(s, 0, sizeof *s);
  s->host = host;
  s->beat = &s->own_beat;
  s->ready_tail = &s->ready;
  if (uv_loop_init(&s->loop) != 0) {
    fprintf(stderr, "itlua: cannot create an event loop (too many open files?)\n");
    abort();
  }
}

void it_ready(it_task *t) {
  it_sched *s = t->st->sched;
  /* libuv before 1.45 runs due timers first and then waits all the same, whatever they made ready. */
  if (s->polling) uv_stop(&s->loop);
  /* A task in a nested wait is on the C stack: its wait looks for itself, there is nothing to resume. */
  if (t->queued || t->dead || t->nested || t == s->current) return;
  t->queued = true;
  t->next_ready = NULL;
  *s->ready_tail = t;
  s->ready_tail = &t->next_ready;
}

static it_task *take_ready(it_sched *s) {
  it_task *t = s->ready;
  if (!t) return NULL;
  if (!(s->ready = t->next_ready)) s->ready_tail = &s->ready;
  t->queued = false;
  return t;
}

static bool poll_events(it_sched *s, uv_run_mode mode) {
  s->polling = true;
  bool alive = uv_run(&s->loop, mode) != 0 || s->ready;
  s->polling = false;
  s->polled = it_now();
  return alive;
}

bool it_turn(it_sched *s) {
  it_task *t = take_ready(s);
  if (!t) return poll_events(s, UV_RUN_ONCE);
  it_task_step(t);
  /* Tasks that keep each other ready must not starve the loop. */
  if (++s->steps % 64 == 0) poll_events(s, UV_RUN_NOWAIT);
  return true;
}

bool it_wait_nested(it_sched *s) {
  if (s->ready && s->depth <= IT_NESTED_MAX) return it_turn(s);
  uint64_t from = it_now();
  atomic_store_explicit(&s->beat->step_started, 0, memory_order_relaxed);
  bool alive = poll_events(s, UV_RUN_ONCE);
  uint64_t now = s->polled;
  s->idle += now - from;
  atomic_store_explicit(&s->beat->step_started, now, memory_order_relaxed);
  return alive;
}

void it_run_until_ended(it_sched *s, it_task *t) {
  t->refs++;
  while (!t->dead) {
    if (it_turn(s) || t->dead) continue;
    it_task_cancel(t, "deadlock: nothing is left that could end this wait");
    if (!s->ready) break; /* it does not wait: a bug, but never a hang */
  }
  it_task_unref(t);
}

int it_sched_close(it_sched *s) {
  it_watchdog_stop(s);
  int rc = UV_EBUSY;
  /* Handles that are being closed need a turn or two; anything active would never end. */
  for (int i = 0; i < 8 && (rc = uv_loop_close(&s->loop)) == UV_EBUSY; i++)
    uv_run(&s->loop, UV_RUN_NOWAIT);
  if (rc == UV_EBUSY) {
    fprintf(stderr, "itlua: handles were left open:\n");
    uv_print_all_handles(&s->loop, stderr);
  }
  return rc;
}
