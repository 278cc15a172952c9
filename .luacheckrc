-- luacheck: the Lua of the program, of the specs and of the tests.
std = "lua54"
max_line_length = 128
codes = true
cache = false
exclude_files = { "build*", "tests/fixtures", "tests/cli/**/*.lua", ".*" }

-- Spec files: busted's words (luassert's `assert` is called and indexed).
local spec = {
  read_globals = {
    "describe", "context", "it", "spec", "test", "pending", "before_each", "after_each", "setup", "teardown",
    "lazy_setup", "lazy_teardown", "strict_setup", "strict_teardown", "finally", "insulate", "expose", "randomize",
    "spy", "stub", "mock", "match", "assert",
  },
}
files["**/*_spec.lua"] = spec
