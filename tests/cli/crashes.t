A worker that dies is replaced; the test that ran is named, what was printed is there, other files run.

  $ mkdir spec; cat >spec/a_spec.lua <<'END'
  > local crash = require "crash"
  > describe("a", function()
  >   it("is fine", function() print("first line") end)
  >   it("dies", function()
  >     print("last words")
  >     crash[os.getenv("HOW")](7)
  >   end)
  >   it("never gets its turn", function() end)
  > end)
  > END
  $ cat >spec/b_spec.lua <<'END'
  > it("runs after", function() end)
  > END
  $ export HOW
  $ HOW=segfault; itlua --cpath="$FIXTURES/?.so"
  first line
  +last words
  **+
  2 successes / 0 failures / 2 errors / 0 pending : N seconds
  
  Error -> spec/a_spec.lua @ 4
  a dies
  spec/a_spec.lua:4: the worker process ended with signal 11 (Segmentation fault)
  
  Error -> spec/a_spec.lua @ 4
  spec/a_spec.lua
  spec/a_spec.lua: what came after 'a dies' did not run (signal 11 (Segmentation fault))
  [1]
  $ HOW=abort; itlua --cpath="$FIXTURES/?.so" -o TAP
  first line
  ok 1 - a is fine
  last words
  not ok 2 - a dies
  # spec/a_spec.lua @ 4
  # Failure message: spec/a_spec.lua:4: the worker process ended with signal 6 (Aborted)
  not ok 3 - spec/a_spec.lua
  # spec/a_spec.lua @ 4
  # Failure message: spec/a_spec.lua: what came after 'a dies' did not run (signal 6 (Aborted))
  ok 4 - runs after
  1..4
  [1]
  $ HOW=exit; itlua --cpath="$FIXTURES/?.so" -o TAP
  first line
  ok 1 - a is fine
  last words
  not ok 2 - a dies
  # spec/a_spec.lua @ 4
  # Failure message: spec/a_spec.lua:4: the worker process ended with exit code 7
  not ok 3 - spec/a_spec.lua
  # spec/a_spec.lua @ 4
  # Failure message: spec/a_spec.lua: what came after 'a dies' did not run (exit code 7)
  ok 4 - runs after
  1..4
  [1]

What a worker that dies had started goes with it, also what it started by other means than ours.

  $ cat >children_spec.lua <<'END'
  > it("dies", function()
  >   os.execute("sleep 4712.$N & (sleep 4713.$N &)")
  >   require("itlua.process").start { "sleep", "4714." .. os.getenv "N" }
  >   require("crash").segfault()
  > end)
  > END
  $ export N=$$; itlua --cpath="$FIXTURES/?.so" children_spec.lua -o TAP | grep -c 'signal 11'
  2
  $ for i in 1 2 3 4 5 6 7 8 9 10; do pgrep -f "^sleep 471[234][.]$N\$" >/dev/null || break; sleep 1; done; pgrep -f "^sleep 471[234][.]$N\$"
  [1]

No worker can be started: one message, and no success.

  $ (trap '' XFSZ; ulimit -f 0; itlua spec/b_spec.lua -o TAP) 2>&1 | cat
  not ok 1 - worker
  # itlua @ 0
  # Failure message: a worker process cannot be started: no shared memory; 1 file did not run. Is there a limit on processes, files or memory (ulimit -a)?
  1..1

os.exit in a spec is an error of that test, not the end of the run.

  $ cat >exit_spec.lua <<'END'
  > it("exits", function() os.exit(0) end)
  > it("goes on", function() end)
  > END
  $ itlua exit_spec.lua -o TAP
  not ok 1 - exits
  # exit_spec.lua @ 1
  # Failure message: exit_spec.lua:1: os.exit(0) was called; in a spec it ends the test, not the run
  ok 2 - goes on
  1..2
  [1]

Outside a test.

  $ cat >load_spec.lua <<'END'
  > print("loading")
  > require("crash").segfault()
  > END
  $ itlua --cpath="$FIXTURES/?.so" load_spec.lua spec/b_spec.lua -o TAP
  loading
  not ok 1 - load_spec.lua
  # load_spec.lua @ 1
  # Failure message: load_spec.lua: the worker process ended with signal 11 (Segmentation fault); tests that had not run yet did not run
  ok 2 - runs after
  1..2
  [1]

In a helper: every file gets two tries, then it is given up.

  $ itlua --cpath="$FIXTURES/?.so" -e 'require("crash").segfault()' spec/b_spec.lua -o TAP
  not ok 1 - spec/b_spec.lua
  # spec/b_spec.lua @ 1
  # Failure message: spec/b_spec.lua: the worker process ended with signal 11 (Segmentation fault); tests that had not run yet did not run
  1..1
  [1]

Several files at a time: the one that crashed is blamed, the others run again from their beginning.

  $ mkdir project project/specs; cd project; echo 'return { jobs = 1 }' >itlua.lua
  $ for n in 1 2 3; do cat >specs/n${n}_spec.lua <<END
  > it("is quick $n", function() print("quick $n") end)
  > it("waits $n", function() require("itlua.task").sleep(0.3) end)
  > END
  > done
  $ cat >specs/x_spec.lua <<'END'
  > it("crashes in the middle", function()
  >   require("itlua.task").sleep(0.1)
  >   print("last words")
  >   require("crash").segfault()
  > end)
  > END
  $ itlua --cpath="$FIXTURES/?.so" -o junit:report.xml -o TAP | sed 's/ok [0-9]* /ok /' | sort
  # Failure message: specs/x_spec.lua: what came after 'crashes in the middle' did not run (signal 11 (Segmentation fault))
  # Failure message: specs/x_spec.lua:1: the worker process ended with signal 11 (Segmentation fault)
  # specs/x_spec.lua @ 1
  # specs/x_spec.lua @ 1
  1..8
  last words
  not ok - crashes in the middle
  not ok - specs/x_spec.lua
  ok - is quick 1
  ok - is quick 2
  ok - is quick 3
  ok - waits 1
  ok - waits 2
  ok - waits 3
  quick 1
  quick 2
  quick 3
  $ grep -c '<testcase' report.xml
  8

Somebody kills a worker that only waits. Nobody can tell whose fault it is: each file gets the run to itself.

  $ rm specs/*; cat >specs/one_spec.lua <<'END'
  > it("takes its time", function()
  >   io.open("one.up", "w"):write("yes"):close()
  >   if not io.open("killed") then require("itlua.task").sleep(100) end
  > end)
  > END
  $ sed s/one/two/ specs/one_spec.lua >specs/two_spec.lua
  $ itlua -o TAP & p=$!; appears one.up two.up; touch killed; pkill -9 -P $p; wait $p
  ok 1 - takes its time
  ok 2 - takes its time
  1..2

Where one file alone was under way it is blamed.

  $ rm one.up killed
  $ itlua -o TAP specs/one_spec.lua & p=$!; appears one.up; pkill -9 -P $p; wait $p
  not ok 1 - takes its time
  # specs/one_spec.lua @ 1
  # Failure message: specs/one_spec.lua:1: the worker process ended with signal 9 (Killed)
  not ok 2 - specs/one_spec.lua
  # specs/one_spec.lua @ 1
  # Failure message: specs/one_spec.lua: what came after 'takes its time' did not run (signal 9 (Killed))
  1..2
  [1]

A spec that closes what it did not open: the other files run in another worker.

  $ cd ..; rm -r project; cat >close_spec.lua <<'END'
  > it("closes everything", function() require("crash").close(3, 30) end)
  > it("goes on", function() end)
  > END
  $ itlua --cpath="$FIXTURES/?.so" close_spec.lua spec/b_spec.lua -o TAP | grep -o 'ok .* runs after'
  ok 3 - runs after

A spec that forks: only the parent tells.

  $ cat >fork_spec.lua <<'END'
  > it("forks", function()
  >   print("before")
  >   if require("crash").fork() == 0 then os.exit(0) end
  > end)
  > it("goes on", function() print("once") end)
  > END
  $ ASAN_OPTIONS=detect_leaks=0 itlua --cpath="$FIXTURES/?.so" fork_spec.lua -o TAP
  before
  ok 1 - forks
  once
  ok 2 - goes on
  1..2
