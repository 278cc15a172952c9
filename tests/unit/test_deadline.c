/* test_deadline.c - deadlines: of waits, of computing, nested, sticky, shielded, not charged for others' time. */
#include "world.h"

static void a_wait_ends_in_time(void **state) {
  world_run(
      state,
      "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
      "local scope, before = core.enter(0.05), core.now()\n"
      "local ok, e = pcall(probe.never)\n"
      "local took = core.now() - before\n"
      "assert(not ok and e.kind == 'timeout' and e.scope == scope)\n"
      "assert(took >= 0.049 and took < 20, took)\n"
      "assert(tostring(e):find('script:3: stopped after 0.05 s, waiting', 1, true), tostring(e))\n"
      "assert(core.leave(scope) == true)\n"
      "probe.after(1)");
}

static void in_time_is_no_event(void **state) {
  world_run(state, "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
                   "for _ = 1, 200 do\n"
                   "  local scope = core.enter(5)\n"
                   "  probe.after(0)\n"
                   "  assert(core.leave(scope) == false)\n"
                   "end\n"
                   "local scope = core.enter(nil)\n"
                   "probe.after(1)\n"
                   "assert(core.leave(scope) == false)");
}

static void it_is_sticky(void **state) {
  world_run(state, "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
                   "local scope = core.enter(0.01)\n"
                   "for _ = 1, 5 do\n"
                   "  local ok, e = pcall(probe.after, 5000)\n"
                   "  assert(not ok and e.kind == 'timeout')\n"
                   "  assert(not pcall(probe.at_once, 1) or true)\n"
                   "end\n"
                   "core.leave(scope)\n"
                   "assert(probe.after(1, 3) == 3)");
}

static void the_outer_one_counts_inside(void **state) {
  world_run(state, "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
                   "local outer, inner = core.enter(0.02), core.enter(60)\n"
                   "local ok, e = pcall(probe.never)\n"
                   "assert(not ok and e.scope == outer)\n"
                   "assert(core.leave(inner) == false)\n"
                   "assert(core.leave(outer) == true)");
}

static void the_inner_one_ends_with_its_scope(void **state) {
  world_run(state, "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
                   "local outer, inner = core.enter(60), core.enter(0.02)\n"
                   "local ok, e = pcall(probe.never)\n"
                   "assert(not ok and e.scope == inner)\n"
                   "assert(core.leave(inner) == true)\n"
                   "assert(probe.after(1, 3) == 3)\n"
                   "assert(core.leave(outer) == false)");
}

/* An error jumped over the inner one: leaving the outer leaves both. */
static void leaving_the_outer_leaves_the_inner(void **state) {
  world_run(state, "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
                   "local outer = core.enter(60)\n"
                   "core.enter(0.01)\n"
                   "core.leave(outer)\n"
                   "assert(probe.after(30, 3) == 3)\n"
                   "assert(core.leave(12345) == false)");
}

static void a_shield_hides_what_is_outside(void **state) {
  world_run(state, "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
                   "local outer = core.enter(0.01)\n"
                   "pcall(probe.never)\n"
                   "local shield = core.enter(5, true)\n"
                   "assert(probe.after(10, 4) == 4)\n"
                   "assert(core.leave(shield) == false)\n"
                   "assert(not pcall(probe.after, 10))\n"
                   "local short = core.enter(0.02, true)\n"
                   "local ok, e = pcall(probe.never)\n"
                   "assert(not ok and e.scope == short, 'a shield has a limit of its own')\n"
                   "core.leave(short) core.leave(outer)");
}

static void a_shield_hides_cancelling(void **state) {
  world_run(state, "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
                   "local t = core.spawn(function()\n"
                   "  pcall(probe.never)\n"
                   "  local shield = core.enter(5, true)\n"
                   "  local value = probe.after(10, 6)\n"
                   "  core.leave(shield)\n"
                   "  return value, (pcall(probe.after, 1)) end)\n"
                   "core.sleep(0) core.cancel(t)\n"
                   "local _, value, felt = core.join(t)\n"
                   "assert(value == 6 and felt == false)");
}

/* What a debugger does: its own deadlines go on. */
static void they_can_be_held(void **state) {
  world_run(state, "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
                   "local holder = core.spawn(function()\n"
                   "  core.hold(true)\n"
                   "  local scope = core.enter(0.02)\n"
                   "  local ok, e = pcall(probe.never)\n"
                   "  assert(not ok and core.is_error(e) == 'timeout', 'not held itself')\n"
                   "  core.leave(scope)\n"
                   "  assert(core.held() == 0)\n"
                   "  core.sleep(0.3) end)\n"
                   "core.sleep(0)\n"
                   "local held = core.spawn(function()\n"
                   "  local scope = core.enter(0.05)\n"
                   "  local ok, value = pcall(probe.after, 200, 7)\n"
                   "  core.leave(scope)\n"
                   "  return ok and value end)\n"
                   "local late = core.spawn(function()\n"
                   "  core.enter(0.05)\n"
                   "  probe.never() end)\n"
                   "assert(core.join(holder))\n"
                   "local _, value = core.join(held)\n"
                   "assert(value == 7, 'held')\n"
                   "assert(core.status(late) == 'running' and core.held() > 0.2)\n"
                   "core.hold(false)\n"
                   "local ok, e = core.join(late)\n"
                   "assert(not ok and core.is_error(e) == 'timeout', 'and then let go')");
}

static void a_busy_loop_is_stopped(void **state) {
  world_run(state, "local core = require 'itlua.core'\n"
                   "local scope, before = core.enter(0.05), core.now()\n"
                   "local ok, e = pcall(function() while true do end end)\n"
                   "assert(not ok and e.kind == 'timeout')\n"
                   "assert(core.now() - before < 20)\n"
                   "core.leave(scope)");
}

static void so_is_one_that_swallows_errors(void **state) {
  world_run(state, "local core = require 'itlua.core'\n"
                   "local before = core.now()\n"
                   "local t = core.spawn(function()\n"
                   "  core.enter(0.05)\n"
                   "  while true do pcall(function() while true do end end) end end)\n"
                   "local ok, e = core.join(t)\n"
                   "assert(ok == false and e.kind == 'timeout', tostring(e))\n"
                   "assert(core.now() - before < 20)");
}

static void so_is_one_in_a_coroutine(void **state) {
  world_run(state, "local core = require 'itlua.core'\n"
                   "local scope = core.enter(0.05)\n"
                   "local ok, e = pcall(coroutine.wrap(function() while true do end end))\n"
                   "assert(not ok and e.kind == 'timeout')\n"
                   "local ok2 = pcall(table.sort, {2, 1}, function() while true do end end)\n"
                   "assert(not ok2)\n"
                   "core.leave(scope)");
}

static void removing_the_hook_does_not_help(void **state) {
  world_run(state, "local core = require 'itlua.core'\n"
                   "local scope = core.enter(0.05)\n"
                   "debug.sethook()\n"
                   "local ok, e = pcall(function() while true do end end)\n"
                   "assert(not ok and e.kind == 'timeout')\n"
                   "core.leave(scope)\n"
                   "local lines = 0\n"
                   "debug.sethook(function() lines = lines + 1 end, 'l')\n"
                   "assert(debug.gethook())\n"
                   "lines = lines\n"
                   "debug.sethook()\n"
                   "assert(lines > 0 and debug.gethook() == nil)");
}

static void work_goes_on_after_it(void **state) {
  world_run(state, "local core = require 'itlua.core'\n"
                   "local scope = core.enter(0.02)\n"
                   "pcall(function() while true do end end)\n"
                   "core.leave(scope)\n"
                   "local n = 0\n"
                   "for i = 1, 3000000 do n = n + i end\n"
                   "assert(n == 4500001500000)");
}

/* ---- several states ---- */

static void time_of_others_is_not_charged(void **state) {
  world *w = *state;
  it_state *other = it_state_new(&w->sched, "other");
  it_task *victim = world_start(w->st, "local core = require 'itlua.core'\n"
                                       "local scope = core.enter(1.5)\n"
                                       "for _ = 1, 3 do core.sleep(0.01) end\n"
                                       "assert(core.leave(scope) == false)");
  it_task *hog =
      world_start(other, "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
                         "core.sleep(0.005)\n"
                         "probe.block(1000)\n"
                         "core.sleep(0.001)\n"
                         "probe.block(1000)");
  it_run_until_ended(&w->sched, victim);
  assert_null(world_outcome(victim));
  it_run_until_ended(&w->sched, hog);
  assert_null(world_outcome(hog));
  it_state_close(other, 1);
}

static it_state *blocker;
static uint64_t blocked_for;
static void note_blocked(it_state *st, uint64_t nanoseconds) {
  blocker = st;
  blocked_for = nanoseconds;
}

static void who_holds_the_thread_is_named(void **state) {
  world *w = *state;
  it_state *other = it_state_new(&w->sched, "other");
  w->sched.blocked = note_blocked;
  blocker = NULL;
  it_task *hog = world_start(other, "require 'itlua.probe'.block(150)");
  it_run_until_ended(&w->sched, hog);
  assert_null(world_outcome(hog));
  assert_ptr_equal(blocker, other);
  assert_true(blocked_for > 140000000u && blocked_for < 60000000000u);
  it_state_close(other, 1);
}

/* A nested wait that steps another state's task is not that task's time, nor the other way round. */
static void nested_waits_are_nobodys_time(void **state) {
  world *w = *state;
  it_state *other = it_state_new(&w->sched, "other");
  w->sched.blocked = note_blocked;
  blocker = NULL;
  blocked_for = 0;
  it_task *waits =
      world_start(w->st, "('x'):gsub('x', function() require 'itlua.probe'.after(600) end)");
  it_task *sleeps = world_start(other, "require 'itlua.core'.sleep(0.05)");
  it_run_until_ended(&w->sched, waits);
  it_run_until_ended(&w->sched, sleeps);
  assert_null(world_outcome(waits));
  assert_null(world_outcome(sleeps));
  assert_true(!blocker || blocked_for < 1800000000u); /* a slow machine may take long over a step */
  it_state_close(other, 1);
}

/* What a supervisor sees from outside. */
static uint64_t seen_deadline, seen_step;
static int look(lua_State *L) {
  it_sched *s = it_state_of(L)->sched;
  seen_deadline = atomic_load(&s->beat->deadline);
  seen_step = atomic_load(&s->beat->step_started);
  return 0;
}

static void the_beat_tells_of_it(void **state) {
  world *w = *state;
  lua_register(it_state_lua(w->st), "look", look);
  uint64_t before = it_now();
  world_run(state, "look()");
  assert_int_equal(seen_deadline, 0);
  assert_true(seen_step >= before && seen_step <= it_now());
  before = it_now();
  world_run(state, "local core = require 'itlua.core'\n"
                   "local scope = core.enter(10)\n"
                   "look()\n"
                   "core.leave(scope)");
  assert_true(seen_deadline > before + 9000000000u && seen_deadline < it_now() + 11000000000u);
  world_run(state, "local core = require 'itlua.core'\n"
                   "core.leave(core.enter(10))\n"
                   "look()");
  assert_int_equal(seen_deadline, 0);
  assert_int_equal(atomic_load(&w->sched.beat->step_started), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_wait_ends_in_time),
      TEST(in_time_is_no_event),
      TEST(it_is_sticky),
      TEST(the_outer_one_counts_inside),
      TEST(the_inner_one_ends_with_its_scope),
      TEST(leaving_the_outer_leaves_the_inner),
      TEST(a_shield_hides_what_is_outside),
      TEST(a_shield_hides_cancelling),
      TEST(they_can_be_held),
      TEST(a_busy_loop_is_stopped),
      TEST(so_is_one_that_swallows_errors),
      TEST(so_is_one_in_a_coroutine),
      TEST(removing_the_hook_does_not_help),
      TEST(work_goes_on_after_it),
      TEST(time_of_others_is_not_charged),
      TEST(who_holds_the_thread_is_named),
      TEST(nested_waits_are_nobodys_time),
      TEST(the_beat_tells_of_it),
  };
  return cmocka_run_group_tests_name("deadline", tests, NULL, NULL);
}
