/* test_task.c - tasks: spawning, joining, cancelling, what is left over, and what code sees of its own coroutine. */
#include <string.h>

#include "world.h"

static void results_come_back(void **state) {
  world_run(
      state,
      "local core = require 'itlua.core'\n"
      "local t = core.spawn(function(a, b) core.sleep(0.005) return a + b, nil, 'x', nil end, 1, 2)\n"
      "assert(core.status(t) == 'running')\n"
      "local r = table.pack(core.join(t))\n"
      "assert(r.n == 5 and r[1] == true and r[2] == 3 and r[4] == 'x')\n"
      "assert(core.status(t) == 'done')\n"
      "assert(select(2, core.join(t)) == 3, 'joined a second time')");
}

static void many_results(void **state) {
  world_run(state, "local core = require 'itlua.core'\n"
                   "local t = core.spawn(function() local r = {} for i = 1, 5000 do r[i] = i end\n"
                   "  return table.unpack(r) end)\n"
                   "assert(select('#', core.join(t)) == 5001)");
}

static void errors_come_back_as_they_are(void **state) {
  world_run(state,
            "local core = require 'itlua.core'\n"
            "local thrown = setmetatable({}, {__tostring = function() return 'object' end})\n"
            "for _, value in ipairs { 'text', 17, thrown, true } do\n"
            "  local ok, err, trace = core.join(core.spawn(function() error(value, 0) end))\n"
            "  assert(ok == false and err == value and trace:find('stack traceback'))\n"
            "end\n"
            "local t = core.spawn(function() error() end)\n"
            "local ok, err = core.join(t)\n"
            "assert(ok == false and err == nil and core.status(t) == 'failed')");
}

static void they_take_turns(void **state) {
  world_run(state, "local core = require 'itlua.core'\n"
                   "local order, tasks = {}, {}\n"
                   "for i = 1, 3 do tasks[i] = core.spawn(function()\n"
                   "  for _ = 1, 3 do order[#order + 1] = i core.sleep(0) end end) end\n"
                   "for i = 1, 3 do core.join(tasks[i]) end\n"
                   "assert(table.concat(order) == '123123123', table.concat(order))");
}

static void thousands_of_them(void **state) {
  world_run(
      state,
      "local core = require 'itlua.core'\n"
      "local tasks, n = {}, 0\n"
      "for i = 1, 5000 do tasks[i] = core.spawn(function() core.sleep(0.01) n = n + 1 end) end\n"
      "for i = 1, 5000 do core.join(tasks[i]) end\n"
      "assert(n == 5000)");
}

static void the_first_to_end(void **state) {
  world_run(state, "local core = require 'itlua.core'\n"
                   "local slow = core.spawn(core.sleep, 5)\n"
                   "local fast = core.spawn(core.sleep, 0.01)\n"
                   "assert(core.first(slow, fast) == 2)\n"
                   "assert(core.first(slow, fast) == 2, 'it is over already')\n"
                   "core.cancel(slow)");
}

static void misuse_is_named(void **state) {
  world_run(
      state,
      "local core = require 'itlua.core'\n"
      "local me\n"
      "me = core.spawn(function() local ok, e = pcall(core.join, me) return not ok and e end)\n"
      "assert(select(2, core.join(me)):find('wait for itself'))\n"
      "local t = core.spawn(core.sleep, 0.02)\n"
      "local other = core.spawn(function() return core.join(t) end)\n"
      "core.sleep(0)\n"
      "local ok, e = pcall(core.join, t)\n"
      "assert(not ok and e:find('another task already waits'), e)\n"
      "core.join(other)\n"
      "assert(not pcall(core.join, 'no task') and not pcall(core.spawn) and not pcall(core.sleep, -1))\n"
      "assert(not pcall(core.sleep, 0/0))");
}

static void cancelling_is_sticky(void **state) {
  world_run(
      state,
      "local core = require 'itlua.core'\n"
      "local seen = {}\n"
      "local t = core.spawn(function()\n"
      "  for _ = 1, 3 do local _, e = pcall(core.sleep, 60) seen[#seen + 1] = e.kind .. e.message:sub(1, 6) end\n"
      "  return 'over' end)\n"
      "core.sleep(0)\n"
      "core.cancel(t, 'enough')\n"
      "core.cancel(t, 'ignored')\n"
      "local _, result = core.join(t)\n"
      "assert(result == 'over', tostring(result))\n"
      "assert(table.concat(seen, ' ') == 'cancelledenough cancelledenough cancelledenough', table.concat(seen, ' '))");
}

static void cancelled_before_its_first_step(void **state) {
  world_run(state,
            "local core = require 'itlua.core'\n"
            "local reached\n"
            "local t = core.spawn(function() reached = true core.sleep(1) reached = false end)\n"
            "core.cancel(t)\n"
            "local ok, e = core.join(t)\n"
            "assert(ok == false and e.kind == 'cancelled' and reached == true)\n"
            "core.cancel(t)");
}

static void cancelling_stops_a_busy_loop(void **state) {
  world_run(state, "local core = require 'itlua.core'\n"
                   "local busy\n"
                   "busy = core.spawn(function() core.cancel(busy, 'stop') while true do end end)\n"
                   "local ok, e = core.join(busy)\n"
                   "assert(ok == false and e.kind == 'cancelled' and e.message == 'stop')");
}

static void to_be_closed_variables_may_wait(void **state) {
  world_run(state,
            "local core = require 'itlua.core'\n"
            "local log = {}\n"
            "local function guard(name) return setmetatable({}, {__close = function(_, e)\n"
            "  core.sleep(0.002) log[#log + 1] = name .. (e and '!' or '') end}) end\n"
            "core.join(core.spawn(function() local _ <close> = guard 'normal' end))\n"
            "core.join(core.spawn(function() local _ <close> = guard 'error' error 'x' end))\n"
            "assert(table.concat(log, ' ') == 'normal error!', table.concat(log, ' '))");
}

static void a_sweep_names_what_was_left(void **state) {
  world_run(
      state,
      "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
      "local before = core.spawn(core.sleep, 60)\n"
      "local mark = core.mark()\n"
      "core.spawn(function() core.sleep(60) end)\n"
      "core.spawn(function() error('lost', 0) end)\n"
      "core.daemon(function() core.sleep(60) end)\n"
      "core.daemon(function() error('its own affair') end)\n"
      "local open = probe.open 'thing 1'\n"
      "local quiet = probe.open('thing 2', true)\n"
      "core.sleep(0.001)\n"
      "local left, kinds = core.sweep(mark), {}\n"
      "for _, l in ipairs(left) do kinds[#kinds + 1] = l.kind .. '@' .. l.where .. ':' .. l.label end\n"
      "table.sort(kinds)\n"
      "assert(#kinds == 3, table.concat(kinds, ' '))\n"
      "assert(kinds[1] == 'error@script:5:task', kinds[1])\n"
      "assert(kinds[2] == 'resource@script:8:thing 1', kinds[2])\n"
      "assert(kinds[3] == 'task@script:4:sleep', kinds[3])\n"
      "assert(select(3, probe.live()) == 1, 'the quiet one stays open')\n"
      "assert(#core.sweep(mark) == 0 and core.status(before) == 'running')\n"
      "core.cancel(before) quiet:close()");
}

static void a_sweep_waits_for_cleanup(void **state) {
  world_run(state, "local core, task = require 'itlua.core', require 'itlua.task'\n"
                   "local mark, cleaned = core.mark(), false\n"
                   "task.spawn(function()\n"
                   "  pcall(core.sleep, 60)\n"
                   "  task.shield(1, function() core.sleep(0.02) cleaned = true end)\n"
                   "end)\n"
                   "core.sleep(0)\n"
                   "core.sweep(mark)\n"
                   "assert(cleaned)");
}

static void a_task_looks_like_the_main_program(void **state) {
  world_run(state,
            "local co, main = coroutine.running()\n"
            "assert(main == true and coroutine.isyieldable() == false)\n"
            "local ok, e = pcall(coroutine.yield, 1)\n"
            "assert(not ok and e:find('attempt to yield from outside a coroutine', 1, true))\n"
            "local gen = coroutine.wrap(function(a)\n"
            "  assert(coroutine.isyieldable() and select(2, coroutine.running()) == false)\n"
            "  local b = coroutine.yield(a + 1)\n"
            "  return b * 2 end)\n"
            "assert(gen(1) == 2 and gen(21) == 42)\n"
            "assert(debug.gethook() == nil)");
}

static void a_stack_overflow_is_an_error(void **state) {
  world_run(state, "local core = require 'itlua.core'\n"
                   "local function f() return 1 + f() end\n"
                   "local ok, e = core.join(core.spawn(f))\n"
                   "assert(ok == false and e:find('stack overflow'))\n"
                   "local g = setmetatable({}, {__index = function(t, k) return t[k] end})\n"
                   "local ok2 = core.join(core.spawn(function() return g.x end))\n"
                   "assert(ok2 == false)");
}

static void an_error_in_error_handling_is_an_error(void **state) {
  world_run(state, "local core = require 'itlua.core'\n"
                   "local bad = setmetatable({}, {__tostring = function() error('again') end})\n"
                   "local ok, e = core.join(core.spawn(function() error(bad) end))\n"
                   "assert(ok == false and rawequal(e, bad))\n"
                   "local ok2 = core.join(core.spawn(function()\n"
                   "  return xpcall(error, function() error('in the handler') end) end))\n"
                   "assert(ok2 == true)");
}

static void handles_outlive_their_tasks(void **state) {
  world_run(state, "local core = require 'itlua.core'\n"
                   "for i = 1, 100 do\n"
                   "  local t = core.spawn(function() return i end)\n"
                   "  if i % 2 == 0 then core.join(t) end\n"
                   "  if i % 3 == 0 then t = nil collectgarbage() end\n"
                   "  core.sleep(0)\n"
                   "  assert(not t or tostring(t):find('script:3', 1, true))\n"
                   "end");
}

/* The state that closes frees tasks whose errors nobody saw, and those that never ran. */
static void closing_with_tasks_in_every_condition(void **state) {
  world_run(
      state,
      "local core, probe = require 'itlua.core', require 'itlua.probe'\n"
      "kept = core.spawn(error, 'never seen')\n"
      "core.spawn(error, 'never seen either')\n"
      "core.spawn(probe.never)\n"
      "core.spawn(function() local _ <close> = setmetatable({}, {__close = function() probe.after(1) end})\n"
      "  probe.never() end)\n"
      "core.sleep(0.01)\n"
      "core.spawn(core.sleep, 60)");
}

/* What a debugger asks for: where an error was raised, and whether it is anybody's. */
static void errors_are_told_of_where_they_are_raised(void **state) {
  world_run(
      state,
      "local core = require 'itlua.core'\n"
      "local mark, told = core.mark(), {}\n"
      "core.on_fault(function(err)\n"
      "  told[#told + 1] = { err, debug.traceback():find('deep', 1, true) ~= nil } error 'x' end)\n"
      "local function fail() local function deep() error({ 1 }) end deep() end\n"
      "local joined, alone = core.spawn(fail), core.spawn(fail)\n"
      "local _, err = core.join(joined)\n"
      "core.sleep(0)\n"
      "assert(#told == 2 and told[1][2] and told[1][1] == err)\n"
      "local list = core.unjoined(mark)\n"
      "assert(#list == 1 and list[1] == told[2][1])\n"
      "core.on_fault(nil)\n"
      "core.join(alone)\n"
      "assert(#core.unjoined(mark) == 0)");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(results_come_back),
      TEST(many_results),
      TEST(errors_come_back_as_they_are),
      TEST(errors_are_told_of_where_they_are_raised),
      TEST(they_take_turns),
      TEST(thousands_of_them),
      TEST(the_first_to_end),
      TEST(misuse_is_named),
      TEST(cancelling_is_sticky),
      TEST(cancelled_before_its_first_step),
      TEST(cancelling_stops_a_busy_loop),
      TEST(to_be_closed_variables_may_wait),
      TEST(a_sweep_names_what_was_left),
      TEST(a_sweep_waits_for_cleanup),
      TEST(a_task_looks_like_the_main_program),
      TEST(a_stack_overflow_is_an_error),
      TEST(an_error_in_error_handling_is_an_error),
      TEST(handles_outlive_their_tasks),
      TEST(closing_with_tasks_in_every_condition),
  };
  return cmocka_run_group_tests_name("task", tests, NULL, NULL);
}
