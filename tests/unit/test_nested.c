/* test_nested.c - waits in places that cannot yield: comparators, gsub, generators, metamethods. */
#include "world.h"

static void in_callbacks_of_the_standard_library(void **state) {
  world_run(state,
            "local probe = require 'itlua.probe'\n"
            "local list = {5, 3, 4, 1, 2}\n"
            "table.sort(list, function(a, b) return probe.after(1, a) < b end)\n"
            "assert(table.concat(list) == '12345')\n"
            "local s = ('1 2 3'):gsub('%d', function(d) return probe.after(1, d * 2) end)\n"
            "assert(s == '2 4 6', s)\n"
            "local parts = {'return ', '7'}\n"
            "assert(load(function() probe.after(1) return table.remove(parts, 1) end)() == 7)");
}

static void in_metamethods(void **state) {
  world_run(state, "local probe = require 'itlua.probe'\n"
                   "local t = setmetatable({}, {\n"
                   "  __index = function(_, k) return probe.after(1, 7) end,\n"
                   "  __lt = function() return probe.after(1, 1) == 1 end,\n"
                   "  __tostring = function() probe.after(1) return 'waited' end,\n"
                   "  __pairs = function() probe.after(1) return next, {x = 1} end})\n"
                   "assert(t.x == 7 and t < t and tostring(t) == 'waited')\n"
                   "for k in pairs(t) do assert(k == 'x') end");
}

static void in_a_generator_of_the_users(void **state) {
  world_run(state, "local probe = require 'itlua.probe'\n"
                   "local function numbers() return coroutine.wrap(function()\n"
                   "  for i = 1, 3 do coroutine.yield(probe.after(1, i)) end end) end\n"
                   "local sum = 0\n"
                   "for i in numbers() do sum = sum + i end\n"
                   "assert(sum == 6)\n"
                   "local co = coroutine.create(function() return probe.after(1, 9) end)\n"
                   "local ok, value = coroutine.resume(co)\n"
                   "assert(ok and value == 9 and coroutine.status(co) == 'dead')");
}

static void in_a_finalizer(void **state) {
  world_run(state, "local probe = require 'itlua.probe'\n"
                   "local seen\n"
                   "setmetatable({}, {__gc = function() seen = probe.after(1, 5) end})\n"
                   "collectgarbage()\n"
                   "assert(seen == 5)");
}

/* The server that such a wait talks to may run in the same state. */
static void others_go_on_meanwhile(void **state) {
  world_run(state, "local core = require 'itlua.core'\n"
                   "local answered = 0\n"
                   "local server = core.spawn(function()\n"
                   "  while true do core.sleep(0.001) answered = answered + 1 end end)\n"
                   "local list = {2, 1}\n"
                   "table.sort(list, function(a, b)\n"
                   "  local before = answered\n"
                   "  while answered < before + 3 do core.sleep(0.001) end\n"
                   "  return a < b end)\n"
                   "assert(list[1] == 1)\n"
                   "core.cancel(server)");
}

/* A timer that is due at once ends the wait at once, whatever else is far away. */
static void a_due_timer_is_not_slept_over(void **state) {
  world_run(state, "local core = require 'itlua.core'\n"
                   "local far = core.spawn(core.sleep, 60)\n"
                   "core.sleep(0)\n"
                   "local before = core.now()\n"
                   "table.sort({2, 1}, function(a, b) core.sleep(0) return a < b end)\n"
                   "assert(core.now() - before < 20, 'slept over it')\n"
                   "core.sleep(0)\n"
                   "assert(core.now() - before < 20)\n"
                   "core.cancel(far)");
}

/* The deadline passed while Lua computed: the wait that follows must not sleep over it either. */
static void a_deadline_that_is_due_is_not_slept_over(void **state) {
  world_run(state, "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
                   "local far = core.spawn(core.sleep, 60)\n"
                   "core.sleep(0) probe.work(1) probe.work(1)\n"
                   "local before, scope = core.now(), core.enter(0.02)\n"
                   "probe.block(30)\n"
                   "local ok, e = pcall(string.gsub, 'x', 'x', function() probe.hopeless() end)\n"
                   "assert(not ok and e.kind == 'timeout')\n"
                   "core.leave(scope)\n"
                   "assert(core.now() - before < 20, 'slept over it')\n"
                   "core.cancel(far)");
}

static void deadlines_reach_them(void **state) {
  world_run(state, "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
                   "local scope = core.enter(0.02)\n"
                   "local ok, e = pcall(table.sort, {2, 1}, function() probe.never() end)\n"
                   "assert(not ok and e.kind == 'timeout')\n"
                   "local ok2, e2 = pcall(string.gsub, 'x', 'x', function() probe.never() end)\n"
                   "assert(not ok2 and e2.kind == 'timeout', 'sticky there as well')\n"
                   "assert(core.leave(scope) == true)");
}

static void cancelling_reaches_them(void **state) {
  world_run(
      state,
      "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
      "local t = core.spawn(function() table.sort({2, 1}, function() probe.never() end) end)\n"
      "core.spawn(function() core.sleep(0.01) core.cancel(t, 'enough') end)\n"
      "local ok, e = core.join(t)\n"
      "assert(ok == false and e.kind == 'cancelled' and e.message:find('enough'))");
}

static void errors_leave_them(void **state) {
  world_run(
      state,
      "local probe = require 'itlua.probe'\n"
      "local ok, e = pcall(string.gsub, 'x', 'x', function() probe.fail('http', 'X', 'bad') end)\n"
      "assert(not ok and e.code == 'X')");
}

/* Tasks that nest into one another, deeper than the limit: the deepest only poll, and all come home. */
static void deep_nests_come_home(void **state) {
  world_run(state, "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
                   "local tasks, done = {}, 0\n"
                   "for i = 1, 30 do tasks[i] = core.spawn(function()\n"
                   "  for _ = 1, 3 do ('x'):gsub('x', function() probe.after(i % 5) end) end\n"
                   "  done = done + 1 end) end\n"
                   "for i = 1, 30 do core.join(tasks[i]) end\n"
                   "assert(done == 30)");
}

static void a_nest_in_a_nest(void **state) {
  world_run(state, "local probe = require 'itlua.probe'\n"
                   "local function dive(n)\n"
                   "  if n == 0 then return probe.after(1, 3) end\n"
                   "  local r\n"
                   "  ;('x'):gsub('x', function() r = dive(n - 1) end)\n"
                   "  return r end\n"
                   "assert(dive(20) == 3)");
}

static void a_nested_deadlock_is_named(void **state) {
  world_fails(state, "table.sort({2, 1}, function() require 'itlua.probe'.hopeless() end)",
              "deadlock");
}

/* A task in a nested wait cannot be resumed by others: joining it waits until the nest is left. */
static void a_nested_task_may_be_joined(void **state) {
  world_run(state, "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
                   "local t = core.spawn(function()\n"
                   "  ('x'):gsub('x', function() probe.after(20) end) return 'home' end)\n"
                   "core.sleep(0)\n"
                   "assert(select(2, core.join(t)) == 'home')");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(in_callbacks_of_the_standard_library),
      TEST(in_metamethods),
      TEST(in_a_generator_of_the_users),
      TEST(in_a_finalizer),
      TEST(others_go_on_meanwhile),
      TEST(a_due_timer_is_not_slept_over),
      TEST(a_deadline_that_is_due_is_not_slept_over),
      TEST(deadlines_reach_them),
      TEST(cancelling_reaches_them),
      TEST(errors_leave_them),
      TEST(deep_nests_come_home),
      TEST(a_nest_in_a_nest),
      TEST(a_nested_deadlock_is_named),
      TEST(a_nested_task_may_be_joined),
  };
  return cmocka_run_group_tests_name("nested", tests, NULL, NULL);
}
