/* test_op.c - operations: how they end, who frees them, what an error and a timeline make of them. */
#include <stdlib.h>
#include <sys/wait.h>

#include "world.h"

static void ends_later(void **state) {
  world_run(state, "local probe = require 'itlua.probe'\n"
                   "assert(probe.after(5, 42) == 42)\n"
                   "assert(probe.after(0, 43) == 43)");
  assert_int_equal(probe_live_ops, 0);
}

static void ends_before_it_is_awaited(void **state) {
  world_run(state, "local probe = require 'itlua.probe'\n"
                   "for i = 1, 1000 do assert(probe.at_once(i) == i) end");
}

static void fails_with_an_error_object(void **state) {
  world_run(state, "local probe, core = require 'itlua.probe', require 'itlua.core'\n"
                   "local ok, e = pcall(probe.fail, 'http', 'ECONNREFUSED', 'refused')\n"
                   "assert(not ok and core.is_error(e) == 'http')\n"
                   "assert(e.kind == 'http' and e.code == 'ECONNREFUSED' and e.op == 'probe.op')\n"
                   "assert(e.message == 'refused')\n"
                   "assert(e.where == 'script:2', e.where)\n"
                   "assert(tostring(e) == 'script:2: refused', tostring(e))\n"
                   "local _, plain = pcall(probe.fail, 'dns', nil, 'unknown')\n"
                   "assert(plain.code == nil and core.is_error(plain) == 'dns')");
}

static void push_may_raise(void **state) {
  world_run(state, "local probe = require 'itlua.probe'\n"
                   "local ok, e = pcall(probe.push_raises)\n"
                   "assert(not ok and e.code == 'PUSH')\n"
                   "collectgarbage()\n"
                   "assert(probe.live() == 0, 'its anchor did not free it')");
}

static void an_error_before_the_wait_cancels_it(void **state) {
  world_run(state, "local probe, core = require 'itlua.probe', require 'itlua.core'\n"
                   "assert(not pcall(probe.abandoned))\n"
                   "collectgarbage()\n"
                   "assert(probe.live() == 0)\n"
                   "core.sleep(0.02)"); /* its timer would have fired by now */
}

static void a_cancelled_one_that_calls_back_later_is_freed_then(void **state) {
  world_run(state, "local probe, core = require 'itlua.probe', require 'itlua.core'\n"
                   "local scope = core.enter(0.01)\n"
                   "local ok, e = pcall(probe.stubborn, 500)\n"
                   "core.leave(scope)\n"
                   "assert(not ok and e.kind == 'timeout', tostring(e))\n"
                   "assert(probe.live() == 1, 'the library still has it')\n"
                   "for _ = 1, 500 do if probe.live() > 0 then core.sleep(0.02) end end\n"
                   "assert(probe.live() == 0)");
}

static void a_state_waits_for_what_still_calls_back(void **state) {
  world_run(state, "local probe, core = require 'itlua.probe', require 'itlua.core'\n"
                   "local scope = core.enter(0.01)\n"
                   "pcall(probe.stubborn, 500)\n"
                   "core.leave(scope)");
  assert_int_equal(probe_live_ops, 1);
  world_close_state(state, 0);
  assert_int_equal(probe_live_ops, 0);
}

static void the_one_nothing_can_end_is_a_deadlock(void **state) {
  world_fails(state, "require 'itlua.probe'.hopeless()", "deadlock");
}

static void end_twice(void) {
  void *state;
  static const it_op_class cls = {"probe.twice", NULL, NULL, NULL};
  world_open(&state);
  it_op *op = it_op_new(it_state_lua(((world *)state)->st), sizeof *op, &cls);
  it_op_done(op);
  it_op_done(op);
}

static void ending_twice_aborts(void **state) {
  (void)state;
  int status = in_child(end_twice);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void leaves_a_line_in_the_timeline(void **state) {
  world_run(state,
            "local probe, core = require 'itlua.probe', require 'itlua.core'\n"
            "local mark = core.mark()\n"
            "probe.at_once(7)\n"
            "probe.after(20)\n"
            "pcall(probe.fail, 'http', nil, 'no detail, no line')\n"
            "local lines = core.timeline(mark)\n"
            "assert(#lines == 2, #lines)\n"
            "local a, b = lines[1], lines[2]\n"
            "assert(a.what == 'probe.op' and a.detail == 'value 7' and a.outcome == 'got 7')\n"
            "assert(b.detail == '20 ms' and b.seconds > 0.015 and b.at >= a.at)\n"
            "assert(#core.timeline(core.mark()) == 0)");
}

static void the_timeline_names_the_wait_that_timed_out(void **state) {
  world_run(state,
            "local probe, core = require 'itlua.probe', require 'itlua.core'\n"
            "local mark, scope = core.mark(), core.enter(0.01)\n"
            "local _, e = pcall(probe.after, 5000)\n"
            "core.leave(scope)\n"
            "assert(tostring(e):find('waiting [%d.]+ s for probe.op 5000 ms'), tostring(e))\n"
            "local line = core.timeline(mark)[1]\n"
            "assert(line.outcome == 'timeout' and line.detail == '5000 ms')");
}

static void the_timeline_is_bounded(void **state) {
  world_run(state, "local probe, core = require 'itlua.probe', require 'itlua.core'\n"
                   "for i = 1, 3000 do probe.at_once(i) end\n"
                   "local lines = core.timeline()\n"
                   "assert(#lines == 1024 and lines[1024].detail == 'value 3000')");
}

static void the_data_of_a_timeline_is_bounded_closer(void **state) {
  world_run(
      state,
      "local core = require 'itlua.core'\n"
      "for i = 1, 3000 do core.span_end(core.span('x', 'x' .. i, i % 2 == 0 and { i } or nil)) end\n"
      "local lines, n = core.timeline(), 0\n"
      "for i, line in ipairs(lines) do\n"
      "  local number = tonumber(line.detail:sub(2))\n"
      "  if line.data then n = n + 1 assert(line.data[1] == number) end\n"
      "  assert(number % 2 == 0 or not line.data)\n"
      "end\n"
      "assert(n == 128 and lines[1024].data, n)");
}

static void spans_of_lua_code(void **state) {
  world_run(state, "local core = require 'itlua.core'\n"
                   "local mark = core.mark()\n"
                   "local a = core.span('eventually', 'spec:1')\n"
                   "local b = core.span('open')\n"
                   "core.span_end(a, '3 tries')\n"
                   "local lines = core.timeline(mark)\n"
                   "assert(lines[1].what == 'eventually' and lines[1].detail == 'spec:1')\n"
                   "assert(lines[1].outcome == '3 tries' and lines[2].outcome == 'still running')\n"
                   "core.span_end(b) core.span_end(b) core.span_end(12345)");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(ends_later),
      TEST(ends_before_it_is_awaited),
      TEST(fails_with_an_error_object),
      TEST(push_may_raise),
      TEST(an_error_before_the_wait_cancels_it),
      TEST(a_cancelled_one_that_calls_back_later_is_freed_then),
      TEST(a_state_waits_for_what_still_calls_back),
      TEST(the_one_nothing_can_end_is_a_deadlock),
      cmocka_unit_test(ending_twice_aborts),
      TEST(leaves_a_line_in_the_timeline),
      TEST(the_timeline_names_the_wait_that_timed_out),
      TEST(the_timeline_is_bounded),
      TEST(the_data_of_a_timeline_is_bounded_closer),
      TEST(spans_of_lua_code),
  };
  return cmocka_run_group_tests_name("op", tests, NULL, NULL);
}
