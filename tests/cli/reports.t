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
  $ itlua -o utfTerminal -Xoutput --colour
  itlua: utfTerminal output handler: unknown option --colour (it has --color and --plain)
  [2]
