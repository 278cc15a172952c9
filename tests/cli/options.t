busted's options.

  $ mkdir spec spec/deep spec/.hidden src lib
  $ cat >spec/a_spec.lua <<'END'
  > describe("a #fast", function()
  >   it("one #net", function() end)
  >   it("two", function() end)
  > end)
  > END
  $ cat >spec/b_spec.lua <<'END'
  > describe("b", function()
  >   it("three #slow", function() end)
  >   it("four", function() assert.is_true(false) end)
  > end)
  > END
  $ echo 'it("deep", function() end)' | tee spec/deep/c_spec.lua spec/.hidden/d_spec.lua spec/e_test.lua >spec/a_spec.lua~
  $ itlua list
  spec/a_spec.lua:2: a #fast one #net
  spec/a_spec.lua:3: a #fast two
  spec/b_spec.lua:2: b three #slow
  spec/b_spec.lua:3: b four
  spec/deep/c_spec.lua:1: deep
  $ itlua list --no-recursive
  spec/a_spec.lua:2: a #fast one #net
  spec/a_spec.lua:3: a #fast two
  spec/b_spec.lua:2: b three #slow
  spec/b_spec.lua:3: b four
  $ itlua list -p _test
  spec/e_test.lua:1: deep
  $ itlua list -p _test --pattern=c_
  spec/deep/c_spec.lua:1: deep
  spec/e_test.lua:1: deep
  $ itlua list --exclude-pattern=^b
  spec/a_spec.lua:2: a #fast one #net
  spec/a_spec.lua:3: a #fast two
  spec/deep/c_spec.lua:1: deep
  $ itlua list -t fast
  spec/a_spec.lua:2: a #fast one #net
  spec/a_spec.lua:3: a #fast two
  $ itlua list -t net,slow
  spec/a_spec.lua:2: a #fast one #net
  spec/b_spec.lua:2: b three #slow
  $ itlua list --tags=net --tags=slow --exclude-tags=slow
  itlua: --tags and --exclude-tags both name #slow
  [2]
  $ itlua list --filter=o --filter-out=four
  spec/a_spec.lua:2: a #fast one #net
  spec/a_spec.lua:3: a #fast two
  spec/b_spec.lua:2: b three #slow
  $ itlua list --name="b four" --name="deep"
  spec/b_spec.lua:3: b four
  spec/deep/c_spec.lua:1: deep
  $ itlua list spec/b_spec.lua spec/a_spec.lua
  spec/b_spec.lua:2: b three #slow
  spec/b_spec.lua:3: b four
  spec/a_spec.lua:2: a #fast one #net
  spec/a_spec.lua:3: a #fast two
  $ itlua list spec/b_spec.lua,spec/deep
  spec/b_spec.lua:2: b three #slow
  spec/b_spec.lua:3: b four
  spec/deep/c_spec.lua:1: deep
  $ itlua list spec/a_spec.lua:3 spec/b_spec.lua:1
  spec/a_spec.lua:3: a #fast two
  spec/b_spec.lua:2: b three #slow
  spec/b_spec.lua:3: b four
  $ itlua -l -C spec deep
  deep/c_spec.lua:1: deep
  $ itlua -l -C spec -C deep .
  ./c_spec.lua:1: deep
  $ echo 'b four' >names; itlua list --exclude-names-file=names spec/b_spec.lua
  spec/b_spec.lua:2: b three #slow
  $ itlua -o TAP --log-success=log; cat log
  ok 1 - a #fast one #net
  ok 2 - a #fast two
  ok 3 - b three #slow
  not ok 4 - b four
  # spec/b_spec.lua @ 3
  # Failure message: spec/b_spec.lua:3: Expected objects to be the same.
  # Passed in:
  # (boolean) false
  # Expected:
  # (boolean) true
  ok 5 - deep
  1..5
  a #fast one #net
  a #fast two
  b three #slow
  deep
  $ itlua -o TAP --no-keep-going spec/b_spec.lua spec/a_spec.lua
  ok 1 - b three #slow
  not ok 2 - b four
  # spec/b_spec.lua @ 3
  # Failure message: spec/b_spec.lua:3: Expected objects to be the same.
  # Passed in:
  # (boolean) false
  # Expected:
  # (boolean) true
  1..2
  [1]
  $ itlua -o TAP -x spec/b_spec.lua spec/a_spec.lua
  ok 1 - b three #slow
  not ok 2 - b four
  # spec/b_spec.lua @ 3
  # Failure message: spec/b_spec.lua:3: Expected objects to be the same.
  # Passed in:
  # (boolean) false
  # Expected:
  # (boolean) true
  1..2
  [1]
  $ itlua -o TAP --suppress-pending --repeat=2 spec/deep
  ok 1 - deep
  1..1
  ok 1 - deep
  1..1

What the specs see.

  $ echo 'return "from src"' >src/mine.lua; echo 'return "from lib"' >lib/mine.lua
  $ cat >see_spec.lua <<'END'
  > it("sees", function()
  >   print(require("mine"), _G.given, _G.helped, table.concat(arg, " "))
  > end)
  > END
  $ itlua see_spec.lua -o TAP -e 'given = 1' -e 'given = given + 1'
  from src	2	nil	see_spec.lua -o TAP -e given = 1 -e given = given + 1
  ok 1 - sees
  1..1
  $ itlua -m 'lib/?.lua' see_spec.lua -oTAP
  from lib	nil	nil	-m lib/?.lua see_spec.lua -oTAP
  ok 1 - sees
  1..1
  $ cat >helper.lua <<'END'
  > helped = "helper got " .. table.concat(arg, "+")
  > END
  $ itlua --helper=helper.lua -Xhelper a,b -Xhelper c -o TAP see_spec.lua
  from src	nil	helper got a+b+c	--helper=helper.lua -Xhelper a,b -Xhelper c -o TAP see_spec.lua
  ok 1 - sees
  1..1
  $ itlua --helper=missing.lua -o TAP see_spec.lua
  not ok 1 - missing.lua helper
  # itlua:spec/helper @ LINE
  # Failure message: itlua:spec/helper:LINE: cannot open missing.lua: No such file or directory
  1..1
  [1]

Random order, the same for the same seed, and busted's.

  $ itlua list --shuffle --seed=1
  spec/a_spec.lua:2: a #fast one #net
  spec/a_spec.lua:3: a #fast two
  spec/deep/c_spec.lua:1: deep
  spec/b_spec.lua:2: b three #slow
  spec/b_spec.lua:3: b four
  $ itlua list --shuffle-files --seed=7
  spec/a_spec.lua:2: a #fast one #net
  spec/a_spec.lua:3: a #fast two
  spec/b_spec.lua:2: b three #slow
  spec/b_spec.lua:3: b four
  spec/deep/c_spec.lua:1: deep
  $ itlua list --sort
  spec/a_spec.lua:2: a #fast one #net
  spec/a_spec.lua:3: a #fast two
  spec/b_spec.lua:3: b four
  spec/b_spec.lua:2: b three #slow
  spec/deep/c_spec.lua:1: deep

.busted

  $ cat >.busted <<'END'
  > return {
  >   _all = { output = "TAP", ROOT = { "spec/deep" } },
  >   default = { verbose = true },
  >   b = { ROOT = "spec", pattern = "b_", tags = "slow" },
  > }
  > END
  $ itlua
  # spec/deep/c_spec.lua @ 1: deep
  ok 1 - deep
  1..1
  $ itlua --run=b
  ok 1 - b three #slow
  1..1
  $ itlua -r b --tags=none --no-tests-ok
  1..0
  itlua: no test ran: --tags=none left none of the tests in spec/b_spec.lua
  $ itlua -o plainTerminal
  +
  1 success / 0 failures / 0 errors / 0 pending : N seconds
  $ mv .busted settings; itlua -f settings
  # spec/deep/c_spec.lua @ 1: deep
  ok 1 - deep
  1..1

Several reports.

  $ itlua -o TAP -o junit:report.xml -o jsonl:events spec/a_spec.lua; grep -c testcase report.xml; wc -l <events
  ok 1 - a #fast one #net
  ok 2 - a #fast two
  1..2
  2
  10
  $ itlua -o junit:only.xml spec/a_spec.lua
  ++
  2 successes / 0 failures / 0 errors / 0 pending : N seconds

An output handler of one's own, found where the specs find their modules; busted's standard input.

  $ cat >src/handler.lua <<'END'
  > return function(options)
  >   local busted = require "busted"
  >   local handler = require "busted.outputHandlers.base"()
  >   busted.subscribe({ "test", "end" }, function(element, _, status)
  >     io.write(element.name, ": ", status, "\n")
  >     return nil, true
  >   end)
  >   return handler
  > end
  > END
  $ echo 'it("reads", function() assert.equal("a line", io.read("l")) end)' >stdin_spec.lua
  $ echo "a line" | itlua -o handler stdin_spec.lua
  reads: success
