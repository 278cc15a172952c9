A test that fails only after another one, in another file.

  $ mkdir specs; echo 'return {}' >itlua.lua
  $ for n in 1 2 3 4 5 6; do for m in 1 2 3 4; do echo "it('$n.$m', function() end)"; done >specs/n${n}_spec.lua; done
  $ cat >specs/n2_spec.lua <<'END'
  > it("reads", function() end)
  > it("writes", function() io.open("dirty", "w"):close() end)
  > it("waits", function() end)
  > END
  $ cat >specs/n5_spec.lua <<'END'
  > it("is first", function() end)
  > it("needs a clean place", function()
  >   local dirty = io.open("dirty")
  >   os.remove("dirty")
  >   assert(not dirty, "it is dirty")
  > end)
  > END
  $ itlua --bisect
  itlua: --bisect: running 6 files, one after the other
  itlua: --bisect: specs/n5_spec.lua:2  needs a clean place fails, after 16 tests
  itlua: --bisect: alone it passes
  itlua: --bisect: it still fails after 11 tests of 3 files
  itlua: --bisect: it still fails after 7 tests of 2 files
  itlua: --bisect: it still fails after 3 tests of 1 file
  itlua: --bisect: it still fails after 2 tests
  itlua: --bisect: it still fails after 1 test
  itlua: --bisect: found in 10 runs
  specs/n5_spec.lua:2  needs a clean place
    fails only after
      specs/n2_spec.lua:2  writes
  again:  itlua -j 1 --concurrency 1 specs/n2_spec.lua:2 specs/n5_spec.lua:2
  [1]
  $ itlua -j 1 --concurrency 1 specs/n2_spec.lua:2 specs/n5_spec.lua:2 -o TAP | grep ok; itlua -o TAP specs/n5_spec.lua | grep -c '^ok'
  ok 1 - writes
  not ok 2 - needs a clean place
  2
  $ itlua --bisect specs/n5_spec.lua:2 2>/dev/null | head -n 3
  specs/n5_spec.lua:2  needs a clean place
    fails only after
      specs/n2_spec.lua:2  writes
  $ itlua --bisect=specs/n6_spec.lua:1
  itlua: --bisect: running 6 files, one after the other
  itlua: --bisect: specs/n6_spec.lua:1 passes: there is nothing to look for
  $ itlua --bisect=specs/n6_spec.lua:77
  itlua: --bisect: running 6 files, one after the other
  itlua: --bisect: no test at specs/n6_spec.lua:77 ran
  [2]
  $ itlua --bisect specs/n6_spec.lua
  itlua: --bisect: running 1 file, one after the other
  itlua: --bisect: everything passes: there is nothing to look for

Two that spoil it together, in the same file; several tests at one line.

  $ rm specs/*; cat >specs/a_spec.lua <<'END'
  > local sum = 0
  > describe("a sum", function()
  >   for i = 1, 9 do it("adds " .. i, function() sum = sum + (i == 3 and 10 or i == 7 and 20 or 0) end) end
  >   it("stays small", function() assert(sum < 30, "it is " .. sum) end)
  > end)
  > END
  $ itlua --bisect 2>/dev/null
  specs/a_spec.lua:4  a sum stays small
    fails only after
      specs/a_spec.lua:3  a sum adds 3
      specs/a_spec.lua:3  a sum adds 7
    after all of these, and not after fewer
  again:  itlua -j 1 --concurrency 1 specs/a_spec.lua:3 specs/a_spec.lua:4
  [1]
  $ cat >specs/a_spec.lua <<'END'
  > local sum = 0
  > describe("a sum", function()
  >   it("adds 10", function() sum = sum + 10 end)
  >   it("adds 0", function() sum = sum + 0 end)
  >   it("adds 20", function() sum = sum + 20 end)
  >   it("stays small", function() assert(sum < 30, "it is " .. sum) end)
  > end)
  > END
  $ itlua --bisect 2>/dev/null
  specs/a_spec.lua:6  a sum stays small
    fails only after
      specs/a_spec.lua:3  a sum adds 10
      specs/a_spec.lua:5  a sum adds 20
    after all of these, and not after fewer
  again:  itlua -j 1 --concurrency 1 specs/a_spec.lua:3 specs/a_spec.lua:5 specs/a_spec.lua:6
  [1]

With the order of a seed; without itlua.lua, where files share what they load.

  $ itlua --bisect --shuffle --seed 3 2>/dev/null
  specs/a_spec.lua:6  a sum stays small
    fails only after
      specs/a_spec.lua:3  a sum adds 10
      specs/a_spec.lua:5  a sum adds 20
    after all of these, and not after fewer
  again:  itlua -j 1 --concurrency 1 --shuffle-tests --seed * specs/a_spec.lua:3 specs/a_spec.lua:5 specs/a_spec.lua:6 (glob)
  [1]
  $ rm itlua.lua; echo 'it("sets a global", function() _G.spoilt = true end) it("is fine", function() end)' >specs/a_spec.lua
  $ echo 'it("wants none", function() assert.is_nil(_G.spoilt) end)' >specs/b_spec.lua
  $ itlua --bisect --no-auto-insulate specs 2>/dev/null
  specs/b_spec.lua:1  wants none
    fails only after
      specs/a_spec.lua:1  sets a global
  again:  itlua -j 1 --concurrency 1 --no-auto-insulate specs/a_spec.lua:1 specs/b_spec.lua:1
  [1]

A test that fails alone, one that does not fail again, a hook, nothing that fails.

  $ echo 'it("is wrong", function() error("no") end)' >specs/b_spec.lua; itlua --bisect specs
  itlua: --bisect: running 2 files, one after the other
  itlua: --bisect: specs/b_spec.lua:1  is wrong fails, after 2 tests
  specs/b_spec.lua:1  is wrong
    fails alone, too: no other test has a part in it
  again:  itlua -j 1 --concurrency 1 specs/b_spec.lua:1
  [1]
  $ cat >specs/b_spec.lua <<'END'
  > it("fails once", function()
  >   local again = io.open("once")
  >   io.open("once", "w"):close()
  >   assert(again)
  > end)
  > END
  $ itlua --bisect specs; rm once
  itlua: --bisect: running 2 files, one after the other
  itlua: --bisect: specs/b_spec.lua:1  fails once fails, after 2 tests
  itlua: --bisect: alone it passes
  specs/b_spec.lua:1  fails once
    failed once, but not again after the same tests: it is flaky, or depends on time
    --repeat-until-failure may show it
  $ cat >specs/b_spec.lua <<'END'
  > describe("a block", function()
  >   setup(function() assert(not _G.spoilt) end)
  >   it("passes", function() end)
  > end)
  > END
  $ itlua --bisect --no-auto-insulate specs 2>/dev/null
  specs/b_spec.lua:2  a block
    fails only after
      specs/a_spec.lua:1  sets a global
  again:  itlua -j 1 --concurrency 1 --no-auto-insulate specs/a_spec.lua:1 specs/b_spec.lua:2
  [1]
  $ itlua --bisect specs
  itlua: --bisect: running 2 files, one after the other
  itlua: --bisect: everything passes: there is nothing to look for

What contradicts it.

  $ itlua --bisect --last-failed; itlua --bisect --list specs; itlua --bisect --shard 1/2
  itlua: --bisect and --last-failed: what ran before the failure is what it looks for
  itlua: --bisect and --list: it runs tests
  itlua: --bisect and --shard: what ran before the failure is what it looks for
  [2]
