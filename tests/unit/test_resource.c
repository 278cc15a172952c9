/* test_resource.c - resources: one close whoever asks for it, memory that outlives it, names for what stays open. */
#include "world.h"

static void closed_once_whoever_asks(void **state) {
  world_run(state, "local probe = require 'itlua.probe'\n"
                   "local r = probe.open 'thing'\n"
                   "r:close() r:close()\n"
                   "assert(select(3, probe.live()) == 1)\n"
                   "do local _ <close> = r end\n"
                   "r = nil collectgarbage() collectgarbage()\n"
                   "local _, alive, closes = probe.live()\n"
                   "assert(alive == 0 and closes == 1)");
}

static void a_closed_one_says_so(void **state) {
  world_run(state, "local probe = require 'itlua.probe'\n"
                   "local r = probe.open 'thing 1'\n"
                   "assert(tostring(r) == 'thing 1')\n"
                   "r:close()\n"
                   "assert(tostring(r) == 'thing 1 (closed)')\n"
                   "local ok, e = pcall(function() r:use(1) end)\n"
                   "assert(not ok and e == 'script:6: thing 1 is closed', e)\n"
                   "assert(not pcall(r.use, 'no resource', 1) and not pcall(r.use))");
}

static void the_block_closes_it(void **state) {
  world_run(state,
            "local probe = require 'itlua.probe'\n"
            "pcall(function() local r <close> = probe.open 'thing' error 'left by an error' end)\n"
            "assert(select(3, probe.live()) == 1)");
}

static void the_collector_closes_it(void **state) {
  world_run(state, "local probe = require 'itlua.probe'\n"
                   "for i = 1, 100 do probe.open('thing ' .. i) end\n"
                   "collectgarbage() collectgarbage()\n"
                   "local _, alive, closes = probe.live()\n"
                   "assert(alive == 0 and closes == 100)");
}

static void one_never_opened_needs_no_close(void **state) {
  world_run(state, "local probe = require 'itlua.probe'\n"
                   "local r = probe.unopened()\n"
                   "assert(tostring(r) == 'closed')\n"
                   "assert(not pcall(r.use, r, 1))\n"
                   "r:close() r = nil collectgarbage()\n"
                   "local _, alive, closes = probe.live()\n"
                   "assert(alive == 0 and closes == 0)");
}

/* An operation in flight keeps the memory, not the resource. */
static void an_operation_keeps_the_memory(void **state) {
  world_run(state,
            "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
            "local t = core.spawn(function()\n"
            "  local r = probe.open 'thing'\n"
            "  core.spawn(function() core.sleep(0.02) r:close() r = nil collectgarbage() end)\n"
            "  return r:use(600) end)\n"
            "core.sleep(0.3)\n"
            "local _, alive, closes = probe.live()\n"
            "assert(closes == 1 and alive == 1)\n"
            "assert(core.join(t) == true)\n"
            "t = nil collectgarbage() collectgarbage()\n"
            "assert(select(2, probe.live()) == 0)");
}

static void the_state_closes_what_is_left(void **state) {
  world_run(state, "local probe = require 'itlua.probe'\n"
                   "a, b = probe.open 'a', probe.open('b', true)");
  world_close_state(state, 1);
  assert_int_equal(probe_closes, 2);
  assert_int_equal(probe_live_resources, 0);
}

static void names_of_any_length(void **state) {
  world_run(state,
            "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
            "local mark = core.mark()\n"
            "local r = probe.open(('x'):rep(10000))\n"
            "local left = core.sweep(mark)\n"
            "assert(#left == 1 and left[1].label:find('^xxx') and left[1].where == 'script:3')\n"
            "r:close()");
}

/* What a background task makes belongs to whoever made that task. */
static void what_a_task_opens_is_its_makers(void **state) {
  world_run(state, "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
                   "local kept\n"
                   "local server = core.spawn(function()\n"
                   "  for i = 1, 2 do core.sleep(0.01) kept = probe.open('connection ' .. i) end\n"
                   "  core.sleep(60) end)\n"
                   "local mark = core.mark()\n"
                   "core.sleep(0.05)\n"
                   "assert(#core.sweep(mark) == 0, 'the server is older than the mark')\n"
                   "core.cancel(server)");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(closed_once_whoever_asks),
      TEST(a_closed_one_says_so),
      TEST(the_block_closes_it),
      TEST(the_collector_closes_it),
      TEST(one_never_opened_needs_no_close),
      TEST(an_operation_keeps_the_memory),
      TEST(the_state_closes_what_is_left),
      TEST(names_of_any_length),
      TEST(what_a_task_opens_is_its_makers),
  };
  return cmocka_run_group_tests_name("resource", tests, NULL, NULL);
}
