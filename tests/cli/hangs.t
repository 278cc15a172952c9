What never ends is ended, and the run goes on.

  $ cat >hang_spec.lua <<'END'
  > local sleep = require("itlua.task").sleep
  > it("waits for ever", function() sleep(1000) end)
  > it("waits for ever under pcall", function()
  >   while true do pcall(sleep, 1000) end
  > end)
  > it("spins", function() while true do end end)
  > it("spins under pcall", function()
  >   while true do pcall(function() while true do end end) end
  > end)
  > it("hangs in a coroutine", function()
  >   coroutine.wrap(function() while true do end end)()
  > end)
  > it("is fine", function() end)
  > END
  $ itlua hang_spec.lua --timeout 0.2 -o TAP
  not ok 1 - waits for ever
  # hang_spec.lua @ 2
  # Failure message: hang_spec.lua:2: stopped after N s, waiting N s for sleep 1000 s
  not ok 2 - waits for ever under pcall
  # hang_spec.lua @ 3
  # Failure message: hang_spec.lua:4: stopped after N s
  not ok 3 - spins
  # hang_spec.lua @ 6
  # Failure message: hang_spec.lua:6: stopped after N s
  not ok 4 - spins under pcall
  # hang_spec.lua @ 7
  # Failure message: hang_spec.lua:8: stopped after N s
  not ok 5 - hangs in a coroutine
  # hang_spec.lua @ 10
  # Failure message: hang_spec.lua:11: stopped after N s
  ok 6 - is fine
  1..6
  [1]

In C nothing can end it but the end of its process: the other files run on, and so does what came with it.

  $ cat >c_spec.lua <<'END'
  > it("is fine before", function() end)
  > it("hangs in C", function() print("here I am") require("crash").hang() end)
  > it("never gets its turn", function() end)
  > END
  $ cat >z_spec.lua <<'END'
  > it("runs after", function() end)
  > END
  $ itlua --cpath="$FIXTURES/?.so" c_spec.lua z_spec.lua --timeout 1
  +here I am
  **+
  2 successes / 0 failures / 2 errors / 0 pending : N seconds
  
  Error -> c_spec.lua @ 2
  hangs in C
  c_spec.lua:2: stuck in C: it ran for N s without coming back to itlua, N s past its deadline, and was killed
  
  Error -> c_spec.lua @ 2
  c_spec.lua
  c_spec.lua: what came after 'hangs in C' did not run (stuck in C)
  [1]

Nor does a child process that it waits for survive.

  $ cat >child_spec.lua <<'END'
  > it("waits for a child", function() os.execute("echo $$ >pid; exec sleep 4321") end)
  > END
  $ itlua child_spec.lua --timeout 1 -o TAP
  not ok 1 - waits for a child
  # child_spec.lua @ 1
  # Failure message: child_spec.lua:1: stuck in C: it ran for N s without coming back to itlua, N s past its deadline, and was killed
  not ok 2 - child_spec.lua
  # child_spec.lua @ 1
  # Failure message: child_spec.lua: what came after 'waits for a child' did not run (stuck in C)
  1..2
  [1]
  $ ps -o stat= -p $(cat pid) | grep -v Z
  [1]

A file's body and its hooks have a deadline as well.

  $ cat >body_spec.lua <<'END'
  > describe("block", function()
  >   setup(function() while true do end end)
  >   it("is never reached", function() end)
  > end)
  > describe("body", function() while true do end end)
  > it("is fine", function() end)
  > END
  $ itlua body_spec.lua --file-timeout 1.5 -o TAP
  not ok 1 - block setup
  # body_spec.lua @ 2
  # Failure message: body_spec.lua:2: stopped after N s
  not ok 2 - body
  # body_spec.lua @ 5
  # Failure message: body_spec.lua:5: stopped after N s
  ok 3 - is fine
  1..3
  [1]

Several files at a time: the one that is stuck is blamed, the others run again.

  $ mkdir -p project/specs; cd project; echo 'return { jobs = 1, timeout = 2 }' >itlua.lua
  $ for n in 1 2 3; do echo "it('waits $n', function() require('itlua.task').sleep(0.3) end)" >specs/n${n}_spec.lua; done
  $ echo 'it("is stuck", function() require("crash").hang() end)' >specs/stuck_spec.lua
  $ itlua --cpath="$FIXTURES/?.so" -o TAP | sed 's/ok [0-9]* /ok /' | sort
  # Failure message: specs/stuck_spec.lua: what came after 'is stuck' did not run (stuck in C)
  # Failure message: specs/stuck_spec.lua:1: stuck in C: it ran for N s without coming back to itlua, N s past its deadline, and was killed
  # specs/stuck_spec.lua @ 1
  # specs/stuck_spec.lua @ 1
  1..5
  not ok - is stuck
  not ok - specs/stuck_spec.lua
  ok - waits 1
  ok - waits 2
  ok - waits 3
