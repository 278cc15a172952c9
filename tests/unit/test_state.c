/* test_state.c - states: several on one loop, closing with anything in flight, and what a budget means. */
#include <stdlib.h>

#include "world.h"

static void an_empty_one(void **state) { (void)state; }

static void many_of_them_at_once(void **state) {
  enum { COUNT = 20 };
  world *w = *state;
  it_state *states[COUNT];
  it_task *tasks[COUNT];
  for (int i = 0; i < COUNT; i++) {
    states[i] = it_state_new(&w->sched, "one of many");
    tasks[i] = world_start(states[i], "local core = require 'itlua.core'\n"
                                      "assert(count == nil)\n"
                                      "count = 0\n"
                                      "for _ = 1, 20 do core.sleep(0.001) count = count + 1 end\n"
                                      "assert(count == 20)");
  }
  for (int i = COUNT - 1; i >= 0; i--) {
    it_run_until_ended(&w->sched, tasks[i]);
    assert_null(world_outcome(tasks[i]));
    if (i % 2) it_state_close(states[i], 1); /* the others go on, or are closed with the world */
  }
}

static void closing_one_leaves_the_others_alone(void **state) {
  world *w = *state;
  it_state *other = it_state_new(&w->sched, "other");
  world_start(other, "local core = require 'itlua.core'\n"
                     "for i = 1, 10 do core.spawn(core.sleep, 60) end\n"
                     "core.sleep(60)")
      ->refs--;
  it_task *t = world_start(w->st, "require 'itlua.core'.sleep(0.02)");
  while (!t->pending) it_turn(&w->sched);
  it_state_close(other, 1);
  it_run_until_ended(&w->sched, t);
  assert_null(world_outcome(t));
}

static void closing_with_everything_in_flight(void **state) {
  world_run(
      state,
      "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
      "for i = 1, 3 do\n"
      "  core.spawn(core.sleep, 60)\n"
      "  core.spawn(probe.never)\n"
      "  core.spawn(probe.stubborn, 20)\n"
      "  core.spawn(probe.work, 20)\n"
      "  core.spawn(function() local r = probe.open 'r' r:use(60000) end)\n"
      "  core.spawn(function() pcall(probe.abandoned) probe.never() end)\n"
      "  core.spawn(function() core.enter(30) probe.never() end)\n"
      "  core.spawn(function() coroutine.wrap(function() coroutine.yield() end)() probe.never() end)\n"
      "end\n"
      "kept = coroutine.create(function() local r <close> = probe.open 'k' coroutine.yield() end)\n"
      "coroutine.resume(kept)\n"
      "core.sleep(0.005)");
  double before = world_now();
  world_close_state(state, 50);
  assert_true(world_now() - before < 20); /* told to end, they end */
  assert_int_equal(probe_live_ops, 0);
  assert_int_equal(probe_live_resources, 0);
}

static void what_does_not_end_is_dropped_after_the_budget(void **state) {
  world_run(state,
            "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
            "core.spawn(function() core.enter(nil, true) while true do core.sleep(0.001) end end)\n"
            "core.spawn(function() core.enter(nil, true) probe.never() end)\n"
            "core.sleep(0.005)");
  double before = world_now();
  world_close_state(state, 0.1);
  double took = world_now() - before;
  assert_true(took > 0.09 && took < 20);
}

/* The budget ran out while a task computed: closing must not wait for the next event. */
static void a_budget_that_is_due_is_not_slept_over(void **state) {
  world_run(state, "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
                   "core.spawn(function() pcall(probe.never) core.enter(nil, true)\n"
                   "  probe.block(80) probe.hopeless() end)\n"
                   "core.spawn(function() core.enter(nil, true) core.sleep(60) end)\n"
                   "core.sleep(0) probe.work(1) probe.work(1)");
  double before = world_now();
  world_close_state(state, 0.05);
  assert_true(world_now() - before < 20);
}

static void cleanup_has_its_budget(void **state) {
  world *w = *state;
  lua_newtable(it_state_lua(w->st));
  world_run(state, "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
                   "core.spawn(function()\n"
                   "  local r = probe.open 'r'\n"
                   "  pcall(probe.never)\n"
                   "  core.enter(1, true)\n"
                   "  core.sleep(0.02)\n"
                   "  r:close() end)\n"
                   "core.sleep(0.005)");
  assert_int_equal(probe_closes, 0);
  world_close_state(state, 1);
  assert_int_equal(probe_closes, 1);
}

static void finalizers_that_wait_while_it_closes(void **state) {
  world_run(
      state,
      "local probe = require 'itlua.probe'\n"
      "kept = setmetatable({}, {__gc = function() \n"
      "  assert(not pcall(probe.after, 10) and not pcall(probe.never) and not pcall(probe.open, 'late'))\n"
      "  require 'itlua.core'.globals().print = nil end})");
}

static void a_leaked_handle_is_told(void **state) {
  (void)state;
  world w;
  uv_timer_t *leak = it_alloc(sizeof *leak);
  static const it_host none = {NULL, NULL};
  it_sched_open(&w.sched, &none);
  uv_timer_init(&w.sched.loop, leak);
  uv_timer_start(leak, NULL, 1000000, 0);
  FILE *saved = stderr;
  stderr = tmpfile();
  int rc = it_sched_close(&w.sched);
  fclose(stderr);
  stderr = saved;
  assert_int_equal(rc, UV_EBUSY);
  uv_close((uv_handle_t *)leak, NULL);
  assert_int_equal(it_sched_close(&w.sched), 0);
  free(leak);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(an_empty_one),
      TEST(many_of_them_at_once),
      TEST(closing_one_leaves_the_others_alone),
      TEST(closing_with_everything_in_flight),
      TEST(what_does_not_end_is_dropped_after_the_budget),
      TEST(a_budget_that_is_due_is_not_slept_over),
      TEST(cleanup_has_its_budget),
      TEST(finalizers_that_wait_while_it_closes),
      cmocka_unit_test(a_leaked_handle_is_told),
  };
  return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
