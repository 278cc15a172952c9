Several reports of one run, recordings, custom handlers, and what can be wrong with -o.

  $ mkdir spec; cat >spec/shop_spec.lua <<'END'
  > describe("shop", function()
  >   it("sells", function() print("sold") end)
  >   it("compares", function()
  >     assert.same({ items = { { sku = "a", quantity = 2 } }, total = 12.5 }, { items = { { sku = "a", quantity = 3 } } })
  >   end)
  >   it("asks for a token", function() error("Authorization: Bearer very.secret from http://bob:hunter2@shop") end)
  > end)
  > END

A failure in full: the differing paths, the source, the command that runs just this test. The same run goes to files.

  $ itlua -o terminal -o junit:shop.xml -o jsonl:shop.jsonl -o plainTerminal:direct.txt >screen
  [1]
  $ sed -E 's/ +/ /g' screen
  itlua VERSION · 1 file
  
  ✗ shop · compares spec/shop_spec.lua:3 N ms
  
   Expected objects to be the same.
  
   2 of 3 values differ
   items[1].quantity expected 2 got 3
   total expected 12.5 missing
  
   2 │ it("sells", function() print("sold") end)
   3 │ it("compares", function()
   ▸ 4 │ assert.same({ items = { { sku = "a", quantity = 2 } }, total = 12.5 }, { items = { { sku…
   5 │ end)
  
   again itlua spec/shop_spec.lua:3 --seed N
  
  ✗ shop · asks for a token spec/shop_spec.lua:6 N ms
  
   Authorization: Bearer ***
  
   4 │ assert.same({ items = { { sku = "a", quantity = 2 } }, total = 12.5 }, { items = { { s…
   5 │ end)
   ▸ 6 │ it("asks for a token", function() error("Authorization: Bearer ***") end)
   7 │ end)
  
   again itlua spec/shop_spec.lua:6 --seed N
  
  ✗ spec/shop_spec.lua N ms 3 tests, 2 failed
  
   3 tests · 1 passed · 2 failed · N ms
   failed spec/shop_spec.lua:3 shop · compares
   spec/shop_spec.lua:6 shop · asks for a token
   seed N
   reports shop.xml · shop.jsonl · direct.txt
   output of passing tests is shown with -v
  $ grep -c '<testcase' shop.xml; grep -o '<testsuite .*skipped="0"' shop.xml
  3
  <testsuite name="spec/shop_spec.lua" tests="3" failures="1" errors="1" skipped="0"
  $ grep -o '"ev":"[a-z_]*"' shop.jsonl | sort | uniq -c | sed 's/^ *//'
  1 "ev":"block_end"
  1 "ev":"block_start"
  1 "ev":"file_end"
  1 "ev":"file_start"
  1 "ev":"output"
  2 "ev":"problem"
  1 "ev":"run_end"
  1 "ev":"run_start"
  3 "ev":"test_end"
  3 "ev":"test_start"
  $ grep -l -e very.secret -e hunter2 shop.* direct.txt screen
  [1]

A recording makes every report that the run could have made.

  $ itlua report shop.jsonl -o plainTerminal | cmp - direct.txt
  $ itlua report shop.jsonl shop.jsonl -o TAP | tail -n 1
  1..6
  $ head -n 9 shop.jsonl | sed '9s/.$//' >half.jsonl
  $ itlua report half.jsonl -o TAP
  itlua: report: half.jsonl:9: this line is no event
  sold
  ok 1 - shop sells
  1..1
  [1]
  $ itlua report
  itlua: report: name the recorded events: itlua report FILE...
  [2]
  $ itlua report spec/shop_spec.lua
  itlua: report: spec/shop_spec.lua:1: this line is no event
  [2]

Shards and runs become one: their workers stand side by side, and they took what they covered together.

  $ itlua report shop.jsonl shop.jsonl -o jsonl:both.jsonl -o TAP >/dev/null
  $ grep -o '"ev":"file_start".*"worker":[0-9]*' both.jsonl | grep -o '"worker":.*'
  "worker":1
  "worker":2
  $ grep -c '"ev":"run_' both.jsonl; grep -o '"tests":[0-9]*' both.jsonl
  2
  "tests":6

A damaged recording: each line that is no event is said with its place, and the rest is used.

  $ (head -n 4 shop.jsonl; echo '{"ev":"test_end","id":"x"}'; echo nonsense; echo '[]'; tail -n +5 shop.jsonl) >damaged.jsonl
  $ itlua report damaged.jsonl -o TAP | tail -n 1
  itlua: report: damaged.jsonl:5: this line is no event
  itlua: report: damaged.jsonl:6: this line is no event
  itlua: report: damaged.jsonl:7: this line is no event
  1..3
  $ itlua report damaged.jsonl -o TAP >/dev/null 2>&1
  [1]
  $ tail -n +3 shop.jsonl | itlua report /dev/stdin -o TAP | tail -n 1
  itlua: report: /dev/stdin: the recording ends early
  1..3
  $ seq 20 | itlua report /dev/stdin
  itlua: report: /dev/stdin:1: this line is no event
  [2]

Every kind at once; nothing of it is on the screen but what is for people.

  $ itlua -o html:r.html -o junit:r.xml -o ctrf:r.ctrf -o gitlab:r.gitlab -o markdown:r.md -o tap14:r.tap -o jsonl:r.jsonl -o terminal >screen
  [1]
  $ tail -n 4 screen | sed -E 's/ +/ /g'
   spec/shop_spec.lua:6 shop · asks for a token
   seed N
   reports r.html · r.xml · r.ctrf · r.gitlab · r.md · r.tap · r.jsonl
   output of passing tests is shown with -v
  $ head -c 15 r.html; echo; head -n 1 r.xml r.md r.tap; python3 -m json.tool <r.ctrf | grep '"failed": 2'; python3 -m json.tool <r.gitlab | grep -c fingerprint
  <!doctype html>
  ==> r.xml <==
  <?xml version="1.0" encoding="UTF-8"?>
  
  ==> r.md <==
  ## ✗ 2 of 3 tests failed
  
  ==> r.tap <==
  TAP version 14
              "failed": 2,
  2
  $ grep -l -e very.secret -e hunter2 r.*
  [1]
  $ itlua report r.jsonl -o html:again.html >/dev/null; cmp r.html again.html
  $ GITHUB_STEP_SUMMARY=summary.md itlua -o github -o plainTerminal | grep -o '^::error file=.*line=[0-9]*'
  ::error file=spec/shop_spec.lua,line=4
  ::error file=spec/shop_spec.lua,line=6
  $ head -n 1 summary.md
  ## ✗ 2 of 3 tests failed

On a terminal a page goes to a file, also where none is named.

  $ script -qec "itlua -o html --name 'shop sells'" /dev/null </dev/null >/dev/null; head -c 15 report.html; echo
  <!doctype html>

A handler written for busted.

  $ cat >handler.lua <<'END'
  > return function(options)
  >   local busted = require "busted"
  >   local handler = require "busted.outputHandlers.base"()
  >   busted.subscribe({ "test", "end" }, function(element, parent, status)
  >     io.write(parent.name, " / ", element.name, ": ", status, "\n")
  >     return nil, true
  >   end)
  >   busted.subscribe({ "suite", "end" }, function()
  >     print(handler.successesCount, handler.failuresCount, handler.errorsCount, options.arguments[1])
  >     return nil, true
  >   end)
  >   return handler
  > end
  > END
  $ itlua -o handler.lua -Xoutput hello
  sold
  shop / sells: success
  shop / compares: failure
  shop / asks for a token: error
  1	1	1	hello
  [1]

What is wrong is said before anything runs.

  $ itlua -o jnuit
  itlua: unknown reporter 'jnuit' (did you mean junit?)
  [2]
  $ itlua -o junit:no/such/folder/x.xml
  itlua: the report -o junit cannot be written: no/such/folder/x.xml: No such file or directory
  [2]
  $ itlua -o html:/proc/x.html
  itlua: the report -o html cannot be written: /proc/x.html: No such file or directory
  [2]
  $ itlua -o html:same -o junit:same
  itlua: -o junit: same is another report's file
  [2]
  $ itlua -o html:spec
  itlua: the report -o html cannot be written: spec: Is a directory
  [2]
  $ itlua -o htlm:x.html
  itlua: unknown reporter 'htlm' (did you mean html?)
  [2]
  $ itlua -o tap4
  itlua: unknown reporter 'tap4' (did you mean tap14?)
  [2]
  $ itlua -o utfTerminal -Xoutput --colour
  itlua: utfTerminal output handler: unknown option --colour (it has --color and --plain)
  [2]

A disk that gets full while reports are written: it is said, the others are whole, and the exit code is that of the tests.

  $ itlua -o html:/dev/full -o junit:/dev/full -o jsonl:/dev/full -o ctrf:/dev/full -o tap14:good.tap -o TAP | tail -n 1
  itlua: the report -o html:/dev/full could not be written: No space left on device
  itlua: the report -o junit:/dev/full could not be written: No space left on device
  itlua: the report -o jsonl:/dev/full could not be written: No space left on device
  itlua: the report -o ctrf:/dev/full could not be written: No space left on device
  1..3
  $ tail -n 1 good.tap
  1..3
  $ itlua --name 'shop sells' -o html:/dev/full -o TAP
  sold
  ok 1 - shop sells
  1..1
  itlua: the report -o html:/dev/full could not be written: No space left on device
  $ itlua report shop.jsonl -o html:/dev/full -o TAP >/dev/null
  itlua: the report -o html:/dev/full could not be written: No space left on device
  [1]

What services of itlua.lua print while the run goes on is told to the reports that show it, and to no other.

  $ mkdir with_services; cd with_services; mkdir specs; cat >itlua.lua <<'END'
  > return { history = false, services = {
  >   app = { kind = "process", command = { "sh", "-c", "echo up; echo password=hunter2@ http://bob:hunter2@shop; exec sleep 100" }, ready = { line = "up" } },
  > } }
  > END
  $ echo 'local s = require "itlua.services"; it("asks", function() assert.is_table(s.app) assert.is_true(s.app.pid > 0) end)' >specs/a_spec.lua
  $ itlua -o TAP -o jsonl:r.jsonl -o html:r.html
  ok 1 - asks
  1..1
  $ grep '"service"' r.jsonl
  {"ev":"output","service":"app","text":"up\npassword=hunter2@ http://bob:***@shop\n"}
  $ itlua report r.jsonl -o TAP -o html:again.html
  ok 1 - asks
  1..1
  $ cmp r.html again.html; grep -c 'http://bob:\*\*\*@shop' r.html
  1
