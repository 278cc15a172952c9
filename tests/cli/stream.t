What a test came to is told when it has ended, also while its file goes on: the failure is in the log, the events are in the
recording. (The second test ends when somebody has seen both.)

  $ mkdir specs; echo 'return { history = false }' >itlua.lua
  $ cat >specs/long_spec.lua <<'END'
  > it("fails at once", function() error("no stock") end)
  > it("takes its time", function()
  >   require("itlua.task").eventually(function() return assert(io.open("seen")) end, { timeout = 25 })
  > end)
  > END
  $ cp specs/long_spec.lua specs/other_spec.lua
  $ came() { n=0; until grep -qs "$1" "$2"; do n=$((n + 1)); [ $n -lt 240 ] || return 1; sleep 0.1; done; }
  $ itlua -j 2 -o terminal -o jsonl:events.jsonl specs >log & p=$!
  > came 'specs/long_spec.lua:1 ' log && came 'specs/other_spec.lua:1 ' log && came '"ev":"test_end","file":"specs/long_spec' events.jsonl
  > grep -c file_end events.jsonl; echo yes >seen; wait $p; echo $?; rm seen
  0
  1
  $ grep -c '^✗ fails at once' log; sed -nE 's/^((✓|✗) specs[^ ]*) .* s /\1/p' log | sort
  2
  ✗ specs/long_spec.lua 2 tests, 1 failed
  ✗ specs/other_spec.lua 2 tests, 1 failed

While a test computes, too.

  $ sed 's/require("itlua.task").*/while not io.open("seen") do end/' specs/long_spec.lua >specs/other_spec.lua
  $ itlua -j 1 --concurrency 1 specs/other_spec.lua >log & p=$!; came 'specs/other_spec.lua:1 ' log && echo yes >seen; wait $p; echo $?; rm seen
  1

What must have the events of a file together still has them so; with -v a test says where it stands.

  $ for n in 1 2 3; do cat >specs/n${n}_spec.lua <<END
  > for i = 1, 4 do it("has number " .. i, function() require("itlua.task").sleep(0.05) end) end
  > END
  > done
  $ rm specs/long_spec.lua specs/other_spec.lua; itlua -j 1 -o jsonl | sed -n 's/.*"ev":"test_end","file":"\([^"]*\)".*/\1/p' | uniq | wc -l | sed 's/^3$/together/; s/^[0-9]*$/mixed/'
  mixed
  $ itlua -j 1 -o gtest | sed -n 's/.*RUN.* \(specs[^:]*\).*/\1/p' | uniq -c | sed 's/n[123]/n?/'
  *4 specs/n?_spec.lua (glob)
  *4 specs/n?_spec.lua (glob)
  *4 specs/n?_spec.lua (glob)
  $ itlua -j 1 -v | grep -c '^ ✓ has number .*specs/n[123]_spec.lua:1$'
  12
  $ itlua -j 1 -o jsonl >events.jsonl; itlua report events.jsonl -o gtest | sed -n 's/.*RUN.* \(specs[^:]*\).*/\1/p' | uniq | wc -l
  3
  $ itlua list | cut -d: -f1 | uniq | sort
  specs/n1_spec.lua
  specs/n2_spec.lua
  specs/n3_spec.lua

A file that takes long is mentioned in a log, though none of its tests does.

  $ echo 'for i = 1, 25 do it("has number " .. i, function() require("itlua.task").sleep(0.1) end) end' >specs/n1_spec.lua
  $ itlua --heartbeat 1 specs/n1_spec.lua | grep '^…' | head -1 | sed 's/[0-9.]* tests/N tests/'
  … specs/n1_spec.lua, for N s: N tests so far

When a worker dies its other files run again: what had been told of them is not told again, nor counted.

  $ rm specs/*; for n in 1 2; do cat >specs/n${n}_spec.lua <<END
  > local function note(what) local f = io.open("ran$n", "a") f:write(what, "\n") f:close() end
  > describe("block", function()
  >   setup(function() error("setup of some other block") end)
  >   it("never runs", function() end)
  > end)
  > describe("block", function()
  >   it("ends before", function() note("before") print("told once") error("no") end)
  >   it("is under way", function()
  >     note("under way")
  >     print("told the second time")
  >     if not io.open("crashed") then require("itlua.task").sleep(100) end
  >   end)
  > end)
  > it("comes later", function() note("later") end)
  > END
  > done
  $ cat >specs/x_spec.lua <<'END'
  > it("crashes", function()
  >   local up = function(n) return (assert(io.open("ran" .. n)):read("a"):find("under way")) end
  >   require("itlua.task").eventually(function() return up(1) and up(2) end, { timeout = 25 })
  >   require("itlua.task").sleep(0.3)
  >   io.open("crashed", "w"):close()
  >   require("crash").segfault()
  > end)
  > END
  $ itlua --cpath="$FIXTURES/?.so" -j 1 -o terminal -o jsonl:events.jsonl >log; sed -n 's/^ \([0-9]* tests .*\) ·.*/\1/p' log
  7 tests · 4 passed · 3 failed · 3 errors outside tests
  $ grep n1_spec events.jsonl | sed 's/.*"ev":"\([a-z_]*\)","file":"[^"]*"\(,"id":[0-9]*\)*.*/\1\2/'
  file_start
  block_start,"id":1
  problem
  block_end,"id":1
  block_start,"id":2
  test_start,"id":3
  problem,"id":3
  output,"id":3
  test_end,"id":3
  test_start,"id":4
  output,"id":4
  test_end,"id":4
  block_end,"id":2
  test_start,"id":5
  test_end,"id":5
  file_end
  $ cat ran1
  before
  under way
  before
  under way
  later

The run is over before it can: it is said.

  $ rm ran* crashed specs/n2_spec.lua; sed -i 's/ and up(2)//' specs/x_spec.lua; sed -i '2,5d; s/error("no")//' specs/n1_spec.lua
  $ itlua --cpath="$FIXTURES/?.so" -j 1 -x -o TAP | grep '^# Fail\|^ok\|^not'
  ok 1 - block ends before
  not ok 2 - crashes
  # Failure message: specs/x_spec.lua:1: the worker process ended with signal 11 (Segmentation fault)
  not ok 3 - specs/x_spec.lua
  # Failure message: specs/x_spec.lua: what came after 'crashes' did not run (signal 11 (Segmentation fault))
  not ok 4 - specs/n1_spec.lua
  # Failure message: specs/n1_spec.lua: its worker ended (signal 11 (Segmentation fault)), and the run was over before it could run again
