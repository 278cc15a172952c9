Ctrl-C: what runs is stopped and cleans up, what was done is reported.

  $ cat >long_spec.lua <<'END'
  > it("is done", function() end)
  > it("waits", function()
  >   finally(function() print("cleaned up") end)
  >   io.open("up", "w"):write("yes"):close()
  >   require("itlua.task").sleep(1000)
  > end)
  > it("never starts", function() end)
  > END
  $ echo 'it("is another file", function() end)' >other_spec.lua
  $ itlua -o TAP long_spec.lua other_spec.lua >out 2>&1 & p=$!; appears up; kill -INT $p; wait $p; echo $?; cat out
  3
  ok 1 - is done
  
  itlua: SIGINT: cleaning up, 5 s at most; once more ends it at once
  cleaned up
  not ok 2 - waits
  # long_spec.lua @ 2
  # Failure message: long_spec.lua:5: interrupted, waiting N s for sleep 1000 s
  1..2
  $ rm up; itlua -o TAP long_spec.lua >out 2>&1 & p=$!; appears up; kill -INT $p; wait $p
  [3]
  $ rm up; itlua -o TAP long_spec.lua >out 2>&1 & p=$!; appears up; kill -TERM $p; wait $p
  [3]

What does not heed it is killed after a while, or by a second one.

  $ cat >stubborn_spec.lua <<'END'
  > it("does not listen", function() os.execute("echo $$ >pid; exec sleep 4322") end)
  > END
  $ itlua -o TAP stubborn_spec.lua >out 2>&1 & p=$!; appears pid; kill -INT $p; appears out; kill -INT $p; wait $p; echo $?; cat out; ends $(cat pid)
  3
  
  itlua: SIGINT: cleaning up, 5 s at most; once more ends it at once
  not ok 1 - does not listen
  # stubborn_spec.lua @ 1
  # Failure message: stubborn_spec.lua:1: interrupted by SIGINT
  1..1

Nor can a report that never comes to its end keep the run: what a signal does to any program is done by the second.

  $ cat >spin.lua <<'END'
  > return function()
  >   local handler = require("busted.outputHandlers.base")()
  >   require("busted").subscribe({ "test", "end" }, function()
  >     io.open("spins", "w"):write("yes"):close()
  >     while true do end
  >   end)
  >   return handler
  > end
  > END
  $ itlua -o ./spin.lua other_spec.lua & p=$!; appears spins; kill -INT $p; sleep 1.5; kill -INT $p; wait $p 2>/dev/null; echo $?
  130

In a project, with several files under way.

  $ mkdir specs; echo 'return { jobs = 2 }' >itlua.lua
  $ for n in 1 2 3 4; do echo "it('waits', function() io.open('up$n', 'w'):write('yes'):close() require('itlua.task').sleep(1000) end)" >specs/n${n}_spec.lua; done
  $ itlua -o TAP >out 2>&1 & p=$!; appears up1 up2 up3 up4; kill -INT $p; wait $p; echo $?; grep -c '^not ok .* waits' out; tail -n 1 out
  3
  4
  1..4

A supervisor that is killed takes its workers with it, and what those started.

  $ rm itlua.lua
  $ cat >child_spec.lua <<'END'
  > it("has a child", function() os.execute("echo $$ >pid; exec sleep 4323") end)
  > END
  $ rm pid; itlua child_spec.lua & p=$!; appears pid; w=$(pgrep -P $p); kill -9 $p; wait $p 2>/dev/null; ends $w $(cat pid)
  $ rm up; itlua long_spec.lua >out & p=$!; appears up; w=$(pgrep -P $p); kill -9 $p; wait $p 2>/dev/null; ends $w

Scripts: their waits are cancelled, and they end by the signal.

  $ cat >script.lua <<'END'
  > local closes <close> = setmetatable({}, { __close = function() print("closed") end })
  > print("waiting")
  > io.open("script.up", "w"):write("yes"):close()
  > require("itlua.task").sleep(1000)
  > END
  $ itlua exec script.lua & p=$!; appears script.up; kill -TERM $p; wait $p 2>/dev/null; echo $?
  waiting
  closed
  143

Whoever reads the output and goes away ends the run.

  $ for n in 1 2 3 4 5 6 7 8 9; do echo 'for n = 1, 2000 do it("test " .. n, function() end) end' >t${n}_spec.lua; done
  $ (itlua . -o TAP -p '^t'; echo $? >code) | head -n 1; cat code
  ok 1 - test 1
  141
