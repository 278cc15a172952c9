/* test_modules.c - our own modules: an environment of their own, one instance a state, found by the user's require. */
#include "world.h"

static void the_user_finds_them(void **state) {
  world_run(state, "local task, from = require 'itlua.task'\n"
                   "assert(from == ':itlua:', from)\n"
                   "assert(require 'itlua.task' == task and package.loaded['itlua.task'] == task)");
}

static void unknown_ones_are_named(void **state) {
  world_fails(state, "require 'itlua.nosuch'", "no built-in module 'itlua.nosuch'");
  world_fails(state, "require 'nosuch'", "module 'nosuch' not found");
}

static void a_restored_package_loaded_gives_the_same_instance(void **state) {
  world_run(state, "local task = require 'itlua.task'\n"
                   "package.loaded['itlua.task'] = nil\n"
                   "package.loaded['itlua.core'] = 'something else'\n"
                   "assert(require 'itlua.task' == task)");
}

static void what_users_do_to_their_globals_stays_theirs(void **state) {
  world_run(state, "local sleep = require 'itlua.task'.sleep\n"
                   "string.format, table.unpack, os.time, pcall, error = nil, nil, nil, nil, nil\n"
                   "require, setmetatable, tostring = nil, nil, nil\n"
                   "local globals = _G\n"
                   "for k in pairs(globals) do globals[k] = nil end\n"
                   "sleep(0.001)");
}

static void a_module_loaded_after_that_works_too(void **state) {
  world_run(state, "local find, globals, _ = require, _G, require 'itlua.core'\n"
                   "for k in pairs(globals) do globals[k] = nil end\n"
                   "find('itlua.task').sleep(0)");
}

static void ours_see_their_own_globals(void **state) {
  world_run(
      state,
      "local core = require 'itlua.core'\n"
      "assert(core.globals() == _G and core.environment() ~= _G)\n"
      "assert(core.environment().string ~= string and core.environment()._G == core.environment())\n"
      "x = 1 assert(core.environment().x == nil)");
}

static void users_may_preload_their_own(void **state) {
  world_run(state, "package.preload['itlua.mine'] = function() return 'mine' end\n"
                   "assert(require 'itlua.mine' == 'mine')");
}

static void where_is_the_users_line(void **state) {
  world_run(state, "local core, task = require 'itlua.core', require 'itlua.task'\n"
                   "assert(core.where() == 'script:2')\n"
                   "local ok, e = pcall(task.sleep, -1)\n"
                   "assert(not ok and e:find('^script:3: '), e)\n"
                   "local ok2, e2 = pcall(function()\n"
                   "  task.timeout(0.01, function() task.sleep(5) end)\n"
                   "end)\n"
                   "assert(not ok2 and e2.where == 'script:6', e2.where)");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(the_user_finds_them),
      TEST(unknown_ones_are_named),
      TEST(a_restored_package_loaded_gives_the_same_instance),
      TEST(what_users_do_to_their_globals_stays_theirs),
      TEST(a_module_loaded_after_that_works_too),
      TEST(ours_see_their_own_globals),
      TEST(users_may_preload_their_own),
      TEST(where_is_the_users_line),
  };
  return cmocka_run_group_tests_name("modules", tests, NULL, NULL);
}
