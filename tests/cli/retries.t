Tests that fail run again: who passes then is flaky. Hooks run again, setup does not.

  $ mkdir specs; echo 'return {}' >itlua.lua
  $ cat >specs/flaky_spec.lua <<'END'
  > local tries, setups, befores, afters = 0, 0, 0, 0
  > describe("the network", function()
  >   setup(function() setups = setups + 1 end)
  >   before_each(function() befores = befores + 1 end)
  >   after_each(function() afters = afters + 1 end)
  >   it("flickers", function()
  >     tries = tries + 1
  >     assert.equal(3, tries)
  >   end)
  >   it("was set up once", function() assert.same({ 1, 4, 3 }, { setups, befores, afters }) end)
  >   it("stays down", function() error("no route") end)
  > end)
  > END
  $ itlua --retries 2 -o TAP
  ok 1 - the network flickers
  ok 2 - the network was set up once
  not ok 3 - the network stays down
  # specs/flaky_spec.lua @ 11
  # Failure message: specs/flaky_spec.lua:11: no route
  1..3
  [1]
  $ itlua --retries 2 --filter flickers
  itlua VERSION · 1 file
  
  ✓ specs/flaky_spec.lua *  1 test, 1 flaky (glob)
  
   1 test · 1 passed · 1 flaky · * (glob)
   flaky     attempt 3  specs/flaky_spec.lua:6  the network · flickers
                        before: Expected objects to be equal. expected 3 got 2
   seed      N
  $ itlua --retries 2 --filter flickers -o plainTerminal
  +
  1 success / 0 failures / 0 errors / 0 pending / 1 flaky : N seconds
  
  Flaky -> specs/flaky_spec.lua @ 6
  the network flickers
  passed at attempt 3; before:
  specs/flaky_spec.lua:8: Expected objects to be equal.
  Passed in:
  (number) 2
  Expected:
  (number) 3
  $ itlua --retries 1 --filter flickers -o TAP
  not ok 1 - the network flickers
  # specs/flaky_spec.lua @ 6
  # Failure message: specs/flaky_spec.lua:8: Expected objects to be equal.
  # Passed in:
  # (number) 2
  # Expected:
  # (number) 3
  1..1
  [1]
  $ itlua --retries 2 --filter flickers --fail-on-flaky -o TAP
  ok 1 - the network flickers
  1..1
  itlua: --fail-on-flaky: 1 test passed only when repeated
  [1]

What is retried counts for nothing: not as a failure that ends the run, not in the events' sums.

  $ itlua --retries 2 -x --filter flickers -o jsonl | sed -n 's/.*"attempt":\([0-9]*\).*/attempt \1/p
  > s/.*"ev":"\([a-z_]*\)".*"retried":true.*/\1 retried/p; s/.*"attempts":\([0-9]*\),"flaky":true.*/flaky after \1/p
  > s/.*"run_end","errors":\([0-9]*\),"failures":\([0-9]*\),"flaky":\([0-9]*\).*/\1 errors, \2 failures, \3 flaky/p'
  problem retried
  test_end retried
  attempt 2
  problem retried
  test_end retried
  attempt 3
  flaky after 3
  0 errors, 0 failures, 1 flaky

What runs again: a hook that failed, a task that nobody joined, a deadline.

  $ cat >specs/flaky_spec.lua <<'END'
  > local task = require "itlua.task"
  > local n = 0
  > before_each(function() n = n + 1; if n == 1 then error("not yet") end end)
  > it("has a hook", function() assert.equal(2, n) end)
  > it("has a task", function()
  >   if n == 3 then task.spawn(function() error("lost") end) task.sleep(0.01) end
  > end)
  > it("has a deadline", function() if n == 5 then task.sleep(60) end end)
  > it("ends in after_each", function() end)
  > after_each(function() if n == 7 then error("still there") end end)
  > END
  $ itlua --retries 1 --timeout 2 -o plainTerminal | head -n 2
  ++++
  4 successes / 0 failures / 0 errors / 0 pending / 4 flaky : N seconds

What is kept of a run, and where.

  $ ls -A .itlua; cat .itlua/.gitignore
  .gitignore
  history.jsonl
  last.json
  times.json
  *
  $ tail -n 1 .itlua/history.jsonl | tr ',' '\n' | sed 's/[0-9.]\{3,\}/N/; s/^{//; s/}$//'
  "at":N
  "errors":0
  "failures":0
  "files":1
  "flaky":4
  "pendings":0
  "seconds":N
  "seed":N
  "successes":4
  "tests":4

Damaged files are said and begun anew; a line cut short is left out.

  $ printf '{"at":1}\n{"at' >.itlua/history.jsonl; echo '{"version":1,"files' >.itlua/times.json
  $ echo '[]' >.itlua/last.json
  $ itlua --retries 1 --timeout 2 -o TAP | tail -n 1
  itlua: .itlua/history.jsonl is damaged: the lines that are whole are kept
  itlua: .itlua/times.json is damaged: what it held is forgotten
  itlua: .itlua/last.json is damaged: what it held is forgotten
  1..4
  $ wc -l <.itlua/history.jsonl; itlua --retries 1 --timeout 2 -o TAP | tail -n 1
  2
  1..4

Where nothing can be written it is said, and the run goes on.

  $ rm -r .itlua; touch .itlua
  $ itlua --retries 1 --timeout 2 -o TAP >out; echo $?; tail -n 1 out
  itlua: the results are not kept: * (glob)
  0
  1..4
  $ rm .itlua

What has a secret in its name is kept without it: the file runs again as a whole.

  $ cp specs/flaky_spec.lua kept_spec.lua; echo 'return { secrets = { "API_TOKEN" } }' >itlua.lua
  $ echo 'it("has " .. os.getenv("API_TOKEN"), function() require("itlua.task").sleep(0.05) error("no") end)' >specs/flaky_spec.lua
  $ export API_TOKEN=c0ffee-c0ffee; itlua -o TAP | head -n 1; grep -r c0ffee .itlua; cat .itlua/last.json | grep -o '"name":"[^"]*","whole":[a-z]*'
  not ok 1 - has ***
  "name":"","whole":true
  $ itlua --last-failed -o TAP | head -n 1
  itlua: --last-failed: 1 test of 1 file
  not ok 1 - has ***
  $ mv kept_spec.lua specs/flaky_spec.lua; rm -r .itlua; echo 'return {}' >itlua.lua

--no-history keeps nothing; neither does a project without an itlua.lua, unless the folder is there.

  $ itlua --no-history --retries 1 --timeout 2 -o TAP | tail -n 1; ls -A
  1..4
  itlua.lua
  out
  specs
  $ rm itlua.lua; itlua --retries 1 --timeout 2 -o TAP specs | tail -n 1; test -e .itlua
  1..4
  [1]
  $ itlua --history --retries 1 --timeout 2 -o TAP specs | tail -n 1; wc -l <.itlua/history.jsonl
  1..4
  1
  $ itlua --retries 1 --timeout 2 -o TAP specs | tail -n 1; wc -l <.itlua/history.jsonl
  1..4
  2
  $ itlua --retries x
  itlua: --retries: must be a whole number, not 'x'
  [2]

A test that takes its worker along runs again, too, and then goes on from there; here with other files beside it.

  $ mkdir ../crash; cd ../crash; mkdir specs; echo 'return { history = false }' >itlua.lua
  $ cat >specs/crash_spec.lua <<'END'
  > local function tries() local f = io.open("tries", "a+") f:write("x") f:seek("set") local n = #f:read("a") f:close() return n end
  > it("is fine", function() end)
  > describe("the driver", function()
  >   it("crashes twice", function()
  >     print("last words")
  >     if tries() <= tonumber(os.getenv "TIMES") then require("crash")[os.getenv "HOW"]() end
  >   end)
  > end)
  > it("comes after", function() end)
  > END
  $ echo 'it("waits", function() require("itlua.task").sleep(0.3) end)' >specs/other_spec.lua
  $ export TIMES=2 HOW=segfault; itlua --cpath="$FIXTURES/?.so" --retries 2 -o junit:junit.xml -o jsonl:events.jsonl -o terminal | grep -v slowest | sed 's/ \{2,\}/ /g'
  itlua VERSION · 2 files · 2 workers × 1
  
  ✓ specs/other_spec.lua N s 1 test
  ✓ specs/crash_spec.lua N s 3 tests, 1 flaky
  
   4 tests · 4 passed · 1 flaky · N s
   flaky attempt 3 specs/crash_spec.lua:4 the driver · crashes twice
   before: the worker process ended with signal 11 (Segmentation fault)
   seed N
   reports junit.xml · events.jsonl
   output of passing tests is shown with -v
  $ grep -c '<testcase' junit.xml; grep -c '<flakyError message="[^ ]* the worker process ended with signal 11' junit.xml
  4
  2
  $ sed -n 's/.*"ev":"test_start".*"own":"crashes twice".*/start/p; s/.*"ev":"test_end".*"attempts":3,"flaky":true.*/flaky/p; s/.*"test_end".*"retried":true.*/again/p' events.jsonl
  start
  again
  start
  again
  start
  flaky
  $ rm tries; itlua --cpath="$FIXTURES/?.so" --retries 1 -o TAP specs/crash_spec.lua
  ok 1 - is fine
  last words
  last words
  not ok 2 - the driver crashes twice
  # specs/crash_spec.lua @ 4
  # Failure message: specs/crash_spec.lua:4: the worker process ended with signal 11 (Segmentation fault)
  not ok 3 - specs/crash_spec.lua
  # specs/crash_spec.lua @ 4
  # Failure message: specs/crash_spec.lua: what came after 'the driver crashes twice' did not run (signal 11 (Segmentation fault))
  1..3
  [1]

So does one that is stuck in C; a crash and a failure are attempts alike.

  $ rm tries; TIMES=1 HOW=hang; itlua --cpath="$FIXTURES/?.so" --retries 1 --timeout 2 -o TAP specs/crash_spec.lua
  ok 1 - is fine
  last words
  last words
  ok 2 - the driver crashes twice
  ok 3 - comes after
  1..3
  $ rm tries; TIMES=1 HOW=abort; sed -i 's/^  end)$/    error("and fails")\n  end)/' specs/crash_spec.lua
  $ itlua --cpath="$FIXTURES/?.so" --retries 2 -o TAP -o jsonl:events.jsonl specs/crash_spec.lua | grep -v '^last'; sed -n 's/.*"attempts":\([0-9]\).*/attempts \1/p' events.jsonl
  ok 1 - is fine
  not ok 2 - the driver crashes twice
  # specs/crash_spec.lua @ 4
  # Failure message: specs/crash_spec.lua:7: and fails
  ok 3 - comes after
  1..3
  attempts 3

The same in a plain busted project, where what is printed is told as it comes.

  $ rm tries itlua.lua; TIMES=2 HOW=exit; sed -i '/and fails/d' specs/crash_spec.lua; itlua --cpath="$FIXTURES/?.so" --retries 2 specs -o plainTerminal
  +last words
  last words
  last words
  +++
  4 successes / 0 failures / 0 errors / 0 pending / 1 flaky : N seconds
  
  Flaky -> specs/crash_spec.lua @ 4
  the driver crashes twice
  passed at attempt 3; before:
  specs/crash_spec.lua:4: the worker process ended with exit code 0
