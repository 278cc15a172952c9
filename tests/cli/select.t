What failed last time.

  $ mkdir -p specs/sub; echo 'return { output = "TAP" }' >itlua.lua
  $ cat >specs/a_spec.lua <<'END'
  > describe("outer", function()
  >   setup(function() print("setup of outer") end)
  >   describe("one", function()
  >     setup(function() print("setup of one") end)
  >     it("passes", function() end)
  >     it("may fail", function() assert(not os.getenv("BREAK_TEST")) end)
  >   end)
  >   describe("two", function()
  >     setup(function() print("setup of two") assert(not os.getenv("BREAK_SETUP")) end)
  >     it("comes later", function() end)
  >   end)
  > end)
  > END
  $ echo 'it("is b", function() end)' >specs/b_spec.lua
  $ echo 'it("is c", function() assert(not os.getenv("BREAK_C")) end)' >specs/sub/c_spec.lua
  $ itlua --last-failed -j 1 --concurrency 1 | tail -n 1
  itlua: --last-failed: no results are kept yet: everything runs
  1..5
  $ BREAK_TEST=1 BREAK_C=1 itlua -j 1 --concurrency 1 | grep ok
  ok 1 - outer one passes
  not ok 2 - outer one may fail
  ok 3 - outer two comes later
  ok 4 - is b
  not ok 5 - is c

What was not run keeps its word; what passed is forgotten.

  $ itlua list --last-failed -j 1 --concurrency 1
  itlua: --last-failed: 2 tests of 2 files
  specs/a_spec.lua:6: outer one may fail
  specs/sub/c_spec.lua:1: is c
  $ itlua --last-failed specs/sub
  itlua: --last-failed: 1 test of 1 file
  ok 1 - is c
  1..1
  $ itlua --last-failed
  itlua: --last-failed: 1 test of 1 file
  setup of outer
  setup of one
  ok 1 - outer one may fail
  1..1
  $ itlua --last-failed -j 1 --concurrency 1 | tail -n 1
  itlua: --last-failed: nothing failed last time: everything runs
  1..5

A block that could not be set up runs as a whole, a file that could not be loaded too.

  $ BREAK_SETUP=1 itlua specs/a_spec.lua | grep ^not
  not ok 3 - outer two setup
  $ itlua --last-failed
  itlua: --last-failed: 1 test of 1 file
  setup of outer
  setup of two
  ok 1 - outer two comes later
  1..1
  $ echo 'it("is c", function() end) oops' >specs/sub/c_spec.lua; itlua specs/sub >/dev/null; echo $?
  1
  $ echo 'it("is c", function() end)' >specs/sub/c_spec.lua; itlua --last-failed
  itlua: --last-failed: 1 test of 1 file
  ok 1 - is c
  1..1

A test that is gone is not looked for twice; what failed elsewhere is no reason to run everything.

  $ echo 'it("is wrong", function() error("no") end)' >specs/b_spec.lua; itlua specs/b_spec.lua >/dev/null; echo $?
  1
  $ itlua --last-failed specs/a_spec.lua
  itlua: --last-failed: nothing of what failed (1 test) is in what was asked for
  [2]
  $ echo 'it("is b", function() end)' >specs/b_spec.lua; itlua --last-failed
  itlua: --last-failed: 1 test of 1 file
  1..0
  itlua: no test ran: --last-failed left none of the tests in specs/b_spec.lua
  [1]

The files with failures first; otherwise those that take longest, where files run at the same time.

  $ echo 'it("is c", function() error("no") end)' >specs/sub/c_spec.lua; itlua >/dev/null; echo $?
  1
  $ itlua --failed-first -j 1 --concurrency 1 | grep ok
  itlua: --failed-first: 1 file
  not ok 1 - is c
  ok 2 - outer one passes
  ok 3 - outer one may fail
  ok 4 - outer two comes later
  ok 5 - is b
  $ cat >.itlua/times.json <<'END'
  > {"version":1,"files":{"specs/a_spec.lua":{"seconds":1},"specs/b_spec.lua":{"seconds":9},"specs/sub/c_spec.lua":{"seconds":4}}}
  > END
  $ cp -r .itlua kept
  $ started() { sed -n 's/.*"ev":"file_start","file":"\([^"]*\)".*"at":\([0-9.]*\).*/\2 \1/p' | sort -n | sed 's/.* //'; }
  $ itlua -j 1 --concurrency 2 -o jsonl | started
  specs/b_spec.lua
  specs/sub/c_spec.lua
  specs/a_spec.lua

Parts of a run: every file in one of them, cut by time, or by number where no time is known.

  $ rm -r .itlua; cp -r kept .itlua; for i in 1 2; do itlua --list --shard $i/2 -j 1 --concurrency 1; done
  itlua: --shard 1/2: 1 of 3 files, expected to take N s (plan 98730a290eab3df3)
  specs/b_spec.lua:1: is b
  itlua: --shard 2/2: 2 of 3 files, expected to take N s (plan 98730a290eab3df3)
  specs/a_spec.lua:5: outer one passes
  specs/a_spec.lua:6: outer one may fail
  specs/a_spec.lua:10: outer two comes later
  specs/sub/c_spec.lua:1: is c
  $ rm -r .itlua; for i in 1 2 3 4; do itlua list --shard $i/4 2>&1 | sed 's/plan [0-9a-f]*/plan P/'; done
  itlua: --shard 1/4: 1 of 3 files, no times are kept: cut by number (plan P)
  specs/a_spec.lua:5: outer one passes
  specs/a_spec.lua:6: outer one may fail
  specs/a_spec.lua:10: outer two comes later
  itlua: --shard 2/4: 1 of 3 files, no times are kept: cut by number (plan P)
  specs/b_spec.lua:1: is b
  itlua: --shard 3/4: 1 of 3 files, no times are kept: cut by number (plan P)
  specs/sub/c_spec.lua:1: is c
  itlua: --shard 4/4: 0 of 3 files, no times are kept: cut by number (plan P)
  $ itlua --shard 4/4
  itlua: --shard 4/4: 0 of 3 files, no times are kept: cut by number (plan 3abd82d8b528feb5)
  1..0
  $ for bad in 0/2 3/2 x 1 1/0 -1/2 1/2/3; do itlua --shard=$bad; done
  itlua: --shard: must be a part that there is: 1/N to N/N, not '0/2'
  itlua: --shard: must be a part that there is: 1/N to N/N, not '3/2'
  itlua: --shard: must be I/N, 1/4 for the first of four parts, not 'x'
  itlua: --shard: must be I/N, 1/4 for the first of four parts, not '1'
  itlua: --shard: must be a part that there is: 1/N to N/N, not '1/0'
  itlua: --shard: must be I/N, 1/4 for the first of four parts, not '-1/2'
  itlua: --shard: must be I/N, 1/4 for the first of four parts, not '1/2/3'
  [2]

A shard leaves the times as they are; the report of all shards keeps theirs.

  $ for i in 1 2; do itlua --shard $i/2 -o jsonl:shard$i.jsonl -o TAP >/dev/null 2>&1; done; ls .itlua
  history.jsonl
  last.json
  $ itlua report -o TAP --history shard?.jsonl | tail -n 1; grep -o 'specs/[a-z_/]*.lua' .itlua/times.json; tail -n 1 .itlua/history.jsonl | grep -o '"tests":.'
  1..5
  specs/a_spec.lua
  specs/b_spec.lua
  specs/sub/c_spec.lua
  "tests":5
  $ itlua --shard 2/3 -o jsonl:shard2.jsonl -o TAP >/dev/null 2>&1; itlua report -o TAP shard?.jsonl >/dev/null
  itlua: report: these shards were cut from different lists of files or times: some tests may have run twice, others never

Until something fails.

  $ cat >specs/sub/c_spec.lua <<'END'
  > it("fails at last", function()
  >   local f = io.open("count", "a") f:write("x") f:close()
  >   f = io.open("count") local n = #f:read("a") f:close()
  >   assert(n < 3, "that was the third")
  > end)
  > END
  $ itlua --repeat-until-failure specs/sub | grep -v '^#'; wc -c <count
  ok 1 - fails at last
  1..1
  ok 1 - fails at last
  1..1
  not ok 1 - fails at last
  1..1
  3
  $ rm count; itlua --repeat-until-failure --repeat 2 specs/sub -o terminal | grep run
  itlua VERSION · 1 file · run 1 of 2
  itlua VERSION · 1 file · run 2 of 2
  $ rm count; itlua --repeat-until-failure -o plainTerminal specs/sub | grep -v '^$'
  Repeating all tests until one fails (run 1) . . .
  +
  1 success / 0 failures / 0 errors / 0 pending : N seconds
  Repeating all tests until one fails (run 2) . . .
  +
  1 success / 0 failures / 0 errors / 0 pending : N seconds
  Repeating all tests until one fails (run 3) . . .
  -
  0 successes / 1 failure / 0 errors / 0 pending : N seconds
  Failure -> specs/sub/c_spec.lua @ 1
  fails at last
  specs/sub/c_spec.lua:4: that was the third
  $ itlua --repeat-until-failure --list; itlua --last-failed --no-history; itlua --fail-on-flaky --retries 0
  itlua: --repeat-until-failure and --list: a list is the same every time
  itlua: --last-failed and --no-history: what failed is what is kept
  itlua: --fail-on-flaky and --retries 0: only a test that runs again can be flaky
  [2]

A seed gives the same order again.

  $ rm -r specs/*; for n in 1 2 3 4 5; do for m in 1 2 3 4; do echo "it('$n.$m', function() end)"; done >specs/n${n}_spec.lua; done
  $ itlua --shuffle --seed 7 -j 1 --concurrency 1 >first; itlua --shuffle --seed 7 -j 1 --concurrency 1 >second; cmp first second
  $ itlua --shuffle --seed 8 -j 1 --concurrency 1 >second; cmp -s first second
  [1]
