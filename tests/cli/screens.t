What stays of a run where nobody watches a terminal.

  $ mkdir specs; echo 'return {}' >itlua.lua; cat >specs/a_spec.lua <<'END'
  > describe("orders", function()
  >   it("are stored", function() print("hello") end)
  >   it("are paid", function() print("paying 7") error("the provider said no") end)
  > end)
  > END

A log of GitHub Actions folds what happened; what came and the command stay in sight.

  $ GITHUB_ACTIONS=true itlua >printed; echo $?; tr -s ' ' <printed
  1
  itlua VERSION · 1 file
  
  ✗ orders · are paid specs/a_spec.lua:3 N ms
  
   the provider said no
  
   1 │ describe("orders", function()
   2 │ it("are stored", function() print("hello") end)
   ▸ 3 │ it("are paid", function() print("paying 7") error("the provider said no") end)
   4 │ end)
  ::group::what happened, and what was printed: are paid
  
   output
   paying 7
  ::endgroup::
  
   again itlua specs/a_spec.lua:3 --seed N
  
  ✗ specs/a_spec.lua N ms 2 tests, 1 failed
  
   2 tests · 1 passed · 1 failed · N ms
   seed N
   output of passing tests is shown with -v
  $ GITLAB_CI=true itlua | grep -c 'section_start:\|section_end:'
  2

A test that is silent for long is mentioned, with what it waits for.

  $ cat >specs/slow_spec.lua <<'END'
  > it("waits", function() require("itlua.process").run { "sleep", "3.5" } end)
  > END
  $ itlua --heartbeat 1 specs/slow_spec.lua | grep -o 'specs/slow_spec.lua:1 waits, for .*' | tail -1 | sed 's/pid [0-9]*/pid N/'
  specs/slow_spec.lua:1 waits, for N s: waits for process 'sleep 3.5' (pid N)
  $ rm specs/slow_spec.lua

Nobody reads on: the run ends, unless there are other reports to write.

  $ cat >specs/many_spec.lua <<'END'
  > for n = 1, 20 do it("is number " .. n, function() require("itlua.task").sleep(0.05) end) end
  > END
  $ itlua -v specs/many_spec.lua | head -1
  itlua VERSION · 1 file
  $ (itlua -v -o terminal -o junit:junit.xml specs/many_spec.lua; echo "exit $?" >exit) 2>said | head -1; cat exit said; grep -c '<testcase' junit.xml
  itlua VERSION · 1 file
  exit 0
  itlua: nobody reads the standard output any more; the run goes on for its other reports
  20

The disk is full: what people see still comes, and the exit code is that of the tests.

  $ itlua -o terminal -o junit:/dev/full specs/many_spec.lua 2>&1 | tr -s ' ' | grep -v slowest
  itlua VERSION · 1 file
  
  ✓ specs/many_spec.lua N s 20 tests
  
   20 tests · 20 passed · N s
   reports /dev/full
  itlua: the report -o junit:/dev/full could not be written: No space left on device

A test that prints 50 MB: its beginning and its end are kept, and what is missing is said.

  $ cat >specs/many_spec.lua <<'END'
  > it("prints", function()
  >   print("the beginning")
  >   local line = ("x"):rep(99)
  >   for _ = 1, 500000 do print(line) end
  >   print("the end")
  >   error("so much")
  > end)
  > END
  $ itlua specs/many_spec.lua >printed; grep -c '^ *the end' printed; test $(wc -c <printed) -lt 10000; echo $?
  1
  0
  $ itlua -v specs/many_spec.lua >printed; grep -c '^ *the beginning\|^ *the end' printed; grep -q 'bytes of output cut\|bytes left out' printed; echo $?
  2
  0
  $ itlua -o junit:junit.xml specs/many_spec.lua >printed; test $(wc -c <junit.xml) -lt 1000000; echo $?
  0

Names with any bytes.

  $ printf 'it("a\\027[31m\\255\\0b\\nc", function() error("x\\027]0;t\\7y") end)\n' >specs/many_spec.lua
  $ itlua specs/many_spec.lua | tr -s ' ' | head -3
  itlua VERSION · 1 file
  
  ✗ a␛[31m\xFF␀b c specs/many_spec.lua:1 N ms
