/* test_error.c - error objects, usage errors, options tables, memory. */
#include <stdlib.h>
#include <string.h>

#include "world.h"

static void an_error_object(void **state) {
  world_run(state,
            "local core = require 'itlua.core'\n"
            "local e = core.error_new('sql', '23505', 'duplicate', {detail = 'id', extra = {1}})\n"
            "assert(core.is_error(e) == 'sql' and e.code == '23505' and e.detail == 'id')\n"
            "assert(e.extra[1] == 1 and e.where == 'script:2')\n"
            "assert(tostring(e) == 'script:2: duplicate')\n"
            "local ok, raised = pcall(core.raise, 'dns', nil, 'unknown')\n"
            "assert(not ok and raised.kind == 'dns' and raised.code == nil)");
}

static void what_is_none(void **state) {
  world_run(
      state,
      "local core = require 'itlua.core'\n"
      "for _, v in ipairs { 1, 'x', {}, {kind = 'sql'}, print, setmetatable({kind = 'sql'}, {}) } do\n"
      "  assert(core.is_error(v) == nil) end\n"
      "assert(not pcall(core.is_error))");
}

static void long_messages_are_kept(void **state) {
  world_run(state, "local core = require 'itlua.core'\n"
                   "local long = ('long '):rep(20000)\n"
                   "assert(core.error_new('http', nil, long).message == long)\n"
                   "assert(core.error_new('http', nil, '100% %s %d').message == '100% %s %d')");
}

static void a_broken_one_still_prints(void **state) {
  world_run(state, "local core = require 'itlua.core'\n"
                   "local e = core.error_new('http', nil, 'x')\n"
                   "e.message, e.where = nil, 7\n"
                   "assert(type(tostring(e)) == 'string')");
}

static void usage_errors_are_plain_strings(void **state) {
  world_run(state, "local probe = require 'itlua.probe'\n"
                   "local ok, e = pcall(probe.usage, 'wrong argument')\n"
                   "assert(not ok and e == 'script:2: wrong argument', e)\n"
                   "local _, long = pcall(probe.usage, ('x'):rep(5000))\n"
                   "assert(#long > 400)");
}

static void options_tables(void **state) {
  world_run(
      state,
      "local probe = require 'itlua.probe'\n"
      "local s, i, n, b = probe.options(nil)\n"
      "assert(s == 'otherwise' and i == 7 and n == 0.5 and b == true)\n"
      "s, i, n, b = probe.options {s = 'x', i = 2, n = 3, b = false}\n"
      "assert(s == 'x' and i == 2 and n == 3.0 and b == false)\n"
      "assert(select(2, probe.options {i = 4.0}) == 4)\n"
      "assert(probe.options(setmetatable({}, {__index = {s = 'inherited'}})) == 'inherited')");
}

static void wrong_options_are_named(void **state) {
  world_run(
      state,
      "local probe = require 'itlua.probe'\n"
      "local function message(t) local ok, e = pcall(probe.options, t) assert(not ok) return e end\n"
      "assert(message {s = 1}:find(\"option 's' must be a string, not a number\", 1, true))\n"
      "assert(message {i = '1'}:find(\"option 'i' must be a number, not a string\", 1, true))\n"
      "assert(message {i = 1.5}:find(\"option 'i' must be a whole number, not 1.5\", 1, true))\n"
      "assert(message {b = 'yes'}:find(\"option 'b' must be a boolean, not a string\", 1, true))\n"
      "assert(message 'text':find 'table expected')");
}

/* ---- memory ---- */

static void buffers_grow(void **state) {
  (void)state;
  it_buf b = {0};
  for (int i = 0; i < 10000; i++) it_buf_addf(&b, "%d,", i);
  assert_int_equal(b.size, strlen(b.data));
  assert_int_equal(b.size, 10 * 2 + 90 * 3 + 900 * 4 + 9000 * 5);
  it_buf_add(&b, "\0x", 2);
  it_buf_add(&b, NULL, 0);
  assert_int_equal(b.data[b.size], 0);
  assert_memory_equal(b.data + b.size - 2, "\0x", 2);
  it_buf_free(&b);
  assert_null(b.data);
  it_buf_free(&b);
  it_buf_addf(&b, "%s", "");
  it_buf_free(&b);
}

static void copies(void **state) {
  (void)state;
  char *s = it_strdup("text"), *m = it_memdup("a\0b", 3), *none = it_memdup(NULL, 0);
  assert_string_equal(s, "text");
  assert_memory_equal(m, "a\0b", 4);
  assert_string_equal(none, "");
  free(s);
  free(m);
  free(none);
  char *zeroed = it_alloc(64);
  for (int i = 0; i < 64; i++) assert_int_equal(zeroed[i], 0);
  zeroed = it_realloc(zeroed, 128);
  free(zeroed);
  free(it_alloc(0));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(an_error_object),
      TEST(what_is_none),
      TEST(long_messages_are_kept),
      TEST(a_broken_one_still_prints),
      TEST(usage_errors_are_plain_strings),
      TEST(options_tables),
      TEST(wrong_options_are_named),
      cmocka_unit_test(buffers_grow),
      cmocka_unit_test(copies),
  };
  return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
