Runs again what each change touches, on a terminal.

  $ mkdir -p specs/support; echo 'return { lpath = "./specs/?.lua" }' >itlua.lua
  $ echo 'local value = require "support.value" it("a", function() assert.equal(1, value) end)' >specs/a_spec.lua
  $ echo 'it("b", function() end)' >specs/b_spec.lua; echo 'return 1' >specs/support/value.lua
  $ terminal() { python3 $FIXTURES/../../tests/fixtures/terminal.py "$@"; }
  $ terminal 'itlua --watch' <<'END'
  > expect watch: everything
  > expect 2 tests · 2 passed
  > expect q quit
  > modes
  > do echo 'it("b", function() error("no") end)' >.new; mv .new specs/b_spec.lua
  > expect watch: specs/b_spec.lua changed
  > expect 1 test · 0 passed · 1 failed
  > expect q quit
  > do echo 'return 2' >.new; mv .new specs/support/value.lua
  > expect watch: specs/support/value.lua changed
  > expect specs/a_spec.lua:1
  > expect 1 test · 0 passed · 1 failed
  > expect q quit
  > send f
  > expect watch: what failed
  > expect 2 tests · 0 passed · 2 failed
  > expect q quit
  > do echo 'return 1' >.new; mv .new specs/support/value.lua
  > expect 1 test · 1 passed
  > expect q quit
  > do mkdir -p specs/new/er; echo 'it("c", function() end)' >.new; mv .new specs/new/er/c_spec.lua
  > expect watch: specs/new/er/c_spec.lua changed
  > expect 1 test · 1 passed
  > expect q quit
  > do (cat specs/new/er/c_spec.lua; echo '-- more') >.new; mv .new specs/new/er/c_spec.lua
  > expect watch: specs/new/er/c_spec.lua changed
  > expect q quit
  > send \r
  > expect watch: everything
  > expect 3 tests · 2 passed · 1 failed
  > expect q quit
  > send px\x7fb_\r
  > expect watch: everything · files with b_
  > expect 1 test · 0 passed · 1 failed
  > expect q quit
  > send p\r
  > expect watch: everything
  > expect 3 tests
  > expect q quit
  > send tc\r
  > expect names with c
  > expect 1 test · 1 passed
  > expect q quit
  > send t(\r
  > expect '(' is no pattern
  > send q
  > end
  > modes
  > END
  key by key silent
  exit code 0
  line mode echo

Settings that are broken are said, and it goes on when they are right again.

  $ terminal 'itlua --watch specs/a_spec.lua' <<'END'
  > expect q quit
  > do echo 'return {' >.new; mv .new itlua.lua
  > expect unexpected symbol
  > do echo 'return { lpath = "./specs/?.lua" }' >.new; mv .new itlua.lua
  > expect itlua.lua changed, and has the settings of all: everything runs
  > expect 1 test · 1 passed
  > expect q quit
  > send f
  > expect nothing failed
  > send q
  > end
  > END
  exit code 0

A key ends the run that is under way; so does a signal, and the terminal is as it was.

  $ echo 'it("is slow", function() require("itlua.task").sleep(60) end)' >specs/b_spec.lua
  $ terminal 'itlua --watch specs/b_spec.lua --timeout 100' <<'END'
  > expect watch: everything
  > expect b_spec.lua:1  is slow
  > send \r
  > expect Interrupted
  > expect watch: everything
  > expect b_spec.lua:1  is slow
  > send q
  > expect Interrupted
  > end
  > modes
  > END
  exit code 3
  line mode echo
  $ terminal 'itlua --watch specs/b_spec.lua --timeout 100' <<'END'
  > expect b_spec.lua:1  is slow
  > send \x03
  > expect Interrupted
  > end
  > modes
  > END
  exit code 3
  line mode echo
  $ for signal in SIGTERM SIGINT SIGHUP; do terminal 'itlua --watch specs/a_spec.lua' <<END
  > expect q quit
  > modes
  > signal $signal
  > end
  > modes
  > END
  > done
  key by key silent
  exit code 3
  line mode echo
  key by key silent
  exit code 3
  line mode echo
  key by key silent
  exit code 3
  line mode echo

Without a terminal it goes by changes alone; what contradicts it.

  $ itlua --watch specs/a_spec.lua >out 2>&1 & sleep 0.1; until grep -q passed out; do sleep 0.1; done; kill $!; wait $!
  [3]
  $ itlua --watch --list; itlua --watch --bisect
  itlua: --watch and --list: it runs tests
  itlua: --watch and --bisect: one looks for changes, the other for a test
  [2]
