/*
 * watch.c - watches, timers and pool work: libuv's handles, owned by a state.
 *
 * A libuv handle's memory is freed in its close callback and nowhere else; the state holds on until that ran.
 */
#include <stdlib.h>

#include "core.h"

void it_hold(it_state *st) { st->holds++; }

void it_drop(it_state *st) { st->holds--; }

struct uv_loop_s *it_loop(it_state *st) {
  return &st->sched->loop;
}

/* ---- watches: the only user of uv_poll_t ---- */

struct it_watch {
  uv_poll_t handle;
  it_state *st;
  void (*fn)(void *data, int events);
  void *data;
  int watched;
};

static void polled(uv_poll_t *handle, int status, int events) {
  it_watch *w = handle->data;
  if (status < 0) w->watched = 0; /* libuv has stopped it */
  int seen = (events & UV_READABLE ? IT_READ : 0) | (events & UV_WRITABLE ? IT_WRITE : 0);
  w->fn(w->data, status < 0 ? IT_READ | IT_WRITE : seen);
}

it_watch *it_watch_new(it_state *st, int fd, void (*fn)(void *data, int events), void *data) {
  it_watch *w = it_alloc(sizeof *w);
  if (uv_poll_init(&st->sched->loop, &w->handle, fd) != 0) {
    free(w);
    return NULL;
  }
  w->handle.data = w;
  w->st = st;
  w->fn = fn;
  w->data = data;
  it_hold(st);
  return w;
}

void it_watch_set(it_watch *w, int events) {
  if (events == w->watched) return; /* libuv would make two system calls of it */
  w->watched = events;
  int wanted = (events & IT_READ ? UV_READABLE : 0) | (events & IT_WRITE ? UV_WRITABLE : 0);
  if (wanted) uv_poll_start(&w->handle, wanted, polled);
  else uv_poll_stop(&w->handle);
}

static void watch_closed(uv_handle_t *handle) {
  it_watch *w = handle->data;
  it_drop(w->st);
  free(w);
}

void it_watch_free(it_watch *w) {
  if (w) uv_close((uv_handle_t *)&w->handle, watch_closed);
}

/* ---- timers ---- */

struct it_timer {
  uv_timer_t handle;
  it_state *st;
  void (*fn)(void *data);
  void *data;
};

static void ticked(uv_timer_t *handle) {
  it_timer *t = handle->data;
  it_sched *sched = t->st->sched;
  sched->ticking = true;
  t->fn(t->data);
  sched->ticking = false;
}

it_timer *it_timer_new(it_state *st, void (*fn)(void *data), void *data) {
  it_timer *t = it_alloc(sizeof *t);
  uv_timer_init(&st->sched->loop, &t->handle);
  t->handle.data = t;
  t->st = st;
  t->fn = fn;
  t->data = data;
  it_hold(st);
  return t;
}

void it_timer_set(it_timer *t, int64_t milliseconds) {
  if (milliseconds < 0) {
    uv_timer_stop(&t->handle);
    return;
  }
  /* libuv runs timers until none is due: one that sets itself to 0 would keep the loop from ever looking for events. */
  if (milliseconds == 0 && t->st->sched->ticking) milliseconds = 1;
  uv_update_time(&t->st->sched->loop); /* Lua may have run for long since the loop last looked */
  uv_timer_start(&t->handle, ticked, (uint64_t)milliseconds, 0);
}

void it_timer_unref(it_timer *t) { uv_unref((uv_handle_t *)&t->handle); }

static void timer_closed(uv_handle_t *handle) {
  it_timer *t = handle->data;
  it_drop(t->st);
  free(t);
}

void it_timer_free(it_timer *t) {
  if (t) uv_close((uv_handle_t *)&t->handle, timer_closed);
}

/* ---- pool work ---- */

typedef struct job {
  uv_work_t request;
  it_state *st;
  void (*work)(void *data);
  void (*after)(void *data);
  void *data;
} job;

static void job_work(uv_work_t *request) {
  job *j = (job *)request;
  j->work(j->data);
}

static void job_done(uv_work_t *request, int status) {
  job *j = (job *)request;
  (void)status;
  it_state *st = j->st;
  j->after(j->data);
  free(j);
  it_drop(st);
}

/* libuv's four threads are soon taken by work that waits for somebody (a broker that is gone, a person who types); then
 * nothing could be cancelled on a server any more. Its one setting is a variable of the environment, which is ours alone. */
static void nothing(uv_work_t *request) { (void)request; }
static void nothing_done(uv_work_t *request, int status) {
  (void)status;
  it_drop(request->data);
  free(request);
}
void it_pool_open(it_state *st) {
  static const char variable[] = "UV_THREADPOOL_SIZE";
  static bool opened;
  if (opened) return;
  opened = true;
  bool ours = !getenv(variable);
  if (ours) setenv(variable, "16", 1);
  uv_work_t *request = it_alloc(sizeof *request);
  request->data = st;
  it_hold(st);
  uv_queue_work(&st->sched->loop, request, nothing, nothing_done);
  if (ours) unsetenv(variable);
}

void it_work(it_state *st, void (*work)(void *data), void (*after)(void *data), void *data) {
  job *j = it_alloc(sizeof *j);
  j->st = st;
  j->work = work;
  j->after = after;
  j->data = data;
  it_hold(st);
  it_pool_open(st);
  uv_queue_work(&st->sched->loop, &j->request, job_work, job_done);
}
