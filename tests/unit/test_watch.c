/* test_watch.c - watches, timers and pool work, as a binding uses them. */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "world.h"

/* Turns of the loop until *flag, or 20 s have gone by. */
static void turn_until(world *w, const int *flag, int wanted) {
  uint64_t end = it_now() + 20000000000u;
  while (*flag < wanted && it_now() < end) uv_run(&w->sched.loop, UV_RUN_NOWAIT);
  assert_int_equal(*flag, wanted);
}

typedef struct seen {
  it_watch *watch;
  it_timer *timer;
  int fd, calls, events;
} seen;

static void on_events(void *data, int events) {
  seen *s = data;
  char c;
  s->calls++;
  s->events = events;
  if (events & IT_READ && read(s->fd, &c, 1) < 1) it_watch_set(s->watch, 0);
}

static void a_watch_tells_what_can_be_done(void **state) {
  world *w = *state;
  int fds[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  seen s = {.fd = fds[0]};
  s.watch = it_watch_new(w->st, fds[0], on_events, &s);
  for (int i = 0; i < 5; i++) uv_run(&w->sched.loop, UV_RUN_NOWAIT);
  assert_int_equal(s.calls, 0); /* nothing before it_watch_set */
  it_watch_set(s.watch, IT_READ);
  assert_int_equal(write(fds[1], "xy", 2), 2);
  turn_until(w, &s.calls, 1);
  assert_int_equal(s.events, IT_READ);
  it_watch_set(s.watch, 0);
  for (int i = 0; i < 5; i++) uv_run(&w->sched.loop, UV_RUN_NOWAIT);
  assert_int_equal(s.calls, 1);
  it_watch_set(s.watch, IT_WRITE);
  turn_until(w, &s.calls, 2);
  assert_int_equal(s.events, IT_WRITE);
  it_watch_free(s.watch);
  close(fds[0]);
  close(fds[1]);
}

static void the_peers_end_is_an_event(void **state) {
  world *w = *state;
  int fds[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  seen s = {.fd = fds[0]};
  s.watch = it_watch_new(w->st, fds[0], on_events, &s);
  it_watch_set(s.watch, IT_READ);
  close(fds[1]);
  turn_until(w, &s.calls, 1);
  it_watch_free(s.watch);
  close(fds[0]);
}

static void what_cannot_be_polled_gives_none(void **state) {
  world *w = *state;
  int file = open("Makefile", O_RDONLY | O_CLOEXEC);
  seen s = {.fd = file};
  assert_true(file >= 0);
  it_watch *regular = it_watch_new(w->st, file, on_events, &s);
  if (regular) it_watch_free(regular); /* some systems poll files */
  assert_null(it_watch_new(w->st, -1, on_events, &s));
  close(file);
  it_watch_free(NULL);
}

static void on_events_free(void *data, int events) {
  seen *s = data;
  (void)events;
  s->calls++;
  it_watch_free(s->watch);
  s->watch = NULL;
}

static void a_watch_may_free_itself(void **state) {
  world *w = *state;
  int fds[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  seen s = {.fd = fds[0]};
  s.watch = it_watch_new(w->st, fds[0], on_events_free, &s);
  it_watch_set(s.watch, IT_WRITE);
  turn_until(w, &s.calls, 1);
  close(fds[0]);
  close(fds[1]);
}

/* ---- timers ---- */

static void on_tick(void *data) {
  seen *s = data;
  if (++s->calls < 3) it_timer_set(s->timer, 1);
}

static void a_timer_fires_once_each_time_it_is_set(void **state) {
  world *w = *state;
  seen s = {0};
  s.timer = it_timer_new(w->st, on_tick, &s);
  it_timer_set(s.timer, 0);
  turn_until(w, &s.calls, 3);
  for (int i = 0; i < 5; i++) uv_run(&w->sched.loop, UV_RUN_NOWAIT);
  assert_int_equal(s.calls, 3);
  it_timer_set(s.timer, 1);
  it_timer_set(s.timer, -1);
  usleep(5000);
  for (int i = 0; i < 5; i++) uv_run(&w->sched.loop, UV_RUN_NOWAIT);
  assert_int_equal(s.calls, 3); /* a negative time stops it */
  it_timer_free(s.timer);
  it_timer_free(NULL);
}

/* The loop looks for events between two rounds of a timer that is always due. */
static void on_due(void *data) {
  seen *s = data;
  s->calls++;
  if (!s->events && s->calls < 1000) it_timer_set(s->timer, 0);
}
static void a_timer_that_is_always_due_is_not_alone(void **state) {
  world *w = *state;
  int fds[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  seen s = {.fd = fds[0]};
  s.watch = it_watch_new(w->st, fds[0], on_events, &s);
  s.timer = it_timer_new(w->st, on_due, &s);
  it_watch_set(s.watch, IT_READ);
  it_timer_set(s.timer, 0);
  assert_int_equal(write(fds[1], "x", 1), 1);
  turn_until(w, &s.events, IT_READ);
  assert_in_range(s.calls, 2, 100);
  it_timer_free(s.timer);
  it_watch_free(s.watch);
  close(fds[0]);
  close(fds[1]);
}

/* The loop's own clock stands still while Lua computes; a timer counts from now all the same. */
static void a_timer_counts_from_now(void **state) {
  world_run(state, "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
                   "core.sleep(0)\n"
                   "probe.block(50)\n"
                   "local before = core.now()\n"
                   "core.sleep(0.03)\n"
                   "assert(core.now() - before >= 0.029, core.now() - before)");
}

static void sleeps_end_in_order_and_in_time(void **state) {
  world_run(state, "local core = require 'itlua.core'\n"
                   "local order, tasks, before = {}, {}, core.now()\n"
                   "for i, ms in ipairs {300, 100, 200} do tasks[i] = core.spawn(function()\n"
                   "  core.sleep(ms / 1000) order[#order + 1] = ms end) end\n"
                   "for i = 1, 3 do core.join(tasks[i]) end\n"
                   "assert(table.concat(order, ' ') == '100 200 300')\n"
                   "local took = core.now() - before\n"
                   "assert(took >= 0.299 and took < 20, took)");
}

/* ---- work on a pool thread ---- */

static void work_runs_beside_the_loop(void **state) {
  world_run(
      state,
      "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
      "local ticks = 0\n"
      "local ticker = core.spawn(function() while true do core.sleep(0.001) ticks = ticks + 1 end end)\n"
      "local beside = false\n" /* on a machine that has other things to do it takes longer to tell */
      "for _, ms in ipairs { 50, 500, 5000 } do\n"
      "  local before = ticks\n"
      "  assert(probe.work(ms) == ms)\n"
      "  beside = beside or ticks - before > 3\n"
      "  if beside then break end\n"
      "end\n"
      "assert(beside, ticks)\n"
      "core.cancel(ticker)");
}

static void work_that_was_given_up_is_waited_for(void **state) {
  world_run(state, "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
                   "local scope = core.enter(0.01)\n"
                   "assert(not pcall(probe.work, 100))\n"
                   "core.leave(scope)");
  assert_int_equal(probe_live_ops, 1);
}

static void much_work_at_once(void **state) {
  world_run(state,
            "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
            "local tasks = {}\n"
            "for i = 1, 50 do tasks[i] = core.spawn(probe.work, i % 3) end\n"
            "for i = 1, 50 do local ok, ms = core.join(tasks[i]) assert(ok and ms == i % 3) end");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_watch_tells_what_can_be_done),
      TEST(the_peers_end_is_an_event),
      TEST(what_cannot_be_polled_gives_none),
      TEST(a_watch_may_free_itself),
      TEST(a_timer_fires_once_each_time_it_is_set),
      TEST(a_timer_counts_from_now),
      TEST(a_timer_that_is_always_due_is_not_alone),
      TEST(sleeps_end_in_order_and_in_time),
      TEST(work_runs_beside_the_loop),
      TEST(work_that_was_given_up_is_waited_for),
      TEST(much_work_at_once),
  };
  return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
