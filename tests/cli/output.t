What specs print, in a plain busted project: as it comes.

  $ mkdir spec; cat >spec/a_spec.lua <<'END'
  > print("the file")
  > describe("block", function()
  >   print("the block")
  >   setup(function() print("setup") end)
  >   it("one", function() print("one") io.stderr:write("to stderr\n") end)
  >   it("two", function() os.execute("echo a child") io.write("no newline") end)
  > end)
  > END
  $ itlua -o TAP
  the file
  the block
  setup
  one
  to stderr
  ok 1 - block one
  a child
  no newlineok 2 - block two
  1..2

5 MB are no problem, nor is anything that is no text.

  $ cat >big_spec.lua <<'END'
  > it("prints 5 MB", function()
  >   local line = ("x"):rep(1023)
  >   for _ = 1, 5 * 1024 do print(line) end
  > end)
  > it("prints 5 MB at once", function() io.write(("y"):rep(5 * 1024 * 1024), "\n") end)
  > it("lets a child print 5 MB", function() os.execute("head -c 5242880 /dev/zero | tr '\\0' z; echo") end)
  > END
  $ itlua big_spec.lua -o TAP | wc -c
  15728724
  $ cat >binary_spec.lua <<'END'
  > it("prints every byte", function()
  >   for n = 0, 255 do io.write(string.char(n)) end
  >   io.write("\n")
  > end)
  > END
  $ itlua binary_spec.lua -o TAP | head -c 257 | od -An -tx1 | tail -n 3
   e0 e1 e2 e3 e4 e5 e6 e7 e8 e9 ea eb ec ed ee ef
   f0 f1 f2 f3 f4 f5 f6 f7 f8 f9 fa fb fc fd fe ff
   0a
  $ itlua binary_spec.lua -o jsonl | grep -q '"ev":"output".*u0000'

In a project it belongs to its test, and is shown when that fails; of too much the beginning and the end are kept.

  $ mkdir project; cd project; mkdir specs; echo 'return { jobs = 2, concurrency = 4 }' >itlua.lua
  $ for n in 1 2 3 4 5 6; do cat >specs/n${n}_spec.lua <<END
  > local sleep = require("itlua.task").sleep
  > it("test $n", function()
  >   for i = 1, 5 do print("$n says " .. i) sleep(0.01) end
  > end)
  > END
  > done
  $ itlua -o jsonl | grep '"ev":"output"' | sed 's/.*"file":"\([^"]*\)".*"text":"\([^"]*\)".*/\1 \2/' | sed 's/\\n/,/g' | sort | awk '{ f = $1; sub(/^[^ ]* /, ""); t[f] = t[f] $0 } END { for (f in t) print f, t[f] }' | sort
  specs/n1_spec.lua 1 says 1,1 says 2,1 says 3,1 says 4,1 says 5,
  specs/n2_spec.lua 2 says 1,2 says 2,2 says 3,2 says 4,2 says 5,
  specs/n3_spec.lua 3 says 1,3 says 2,3 says 3,3 says 4,3 says 5,
  specs/n4_spec.lua 4 says 1,4 says 2,4 says 3,4 says 4,4 says 5,
  specs/n5_spec.lua 5 says 1,5 says 2,5 says 3,5 says 4,5 says 5,
  specs/n6_spec.lua 6 says 1,6 says 2,6 says 3,6 says 4,6 says 5,
  $ rm specs/*; cat >specs/much_spec.lua <<'END'
  > it("prints much", function()
  >   print("the beginning")
  >   for n = 1, 300000 do print("line", n) end
  >   print("the end")
  >   assert.is_true(false)
  > end)
  > END
  $ itlua -o jsonl >events; for t in 'the beginning' 'the end'; do grep '"ev":"output"' events | grep -c "$t"; done; grep -o '\[\.\.\. .* cut \.\.\.\]' events; test $(wc -c <events) -lt 1500000; echo $?
  1
  1
  [... 2423957 bytes of output cut ...]
  0

What a hook has printed stands with what went wrong in it, and not with the next one's.

  $ cat >hook_spec.lua <<'END'
  > describe("a", function()
  >   setup(function() print("of the first") error("one") end)
  >   it("x", function() end)
  > end)
  > describe("b", function()
  >   setup(function() error("two") end)
  >   it("x", function() end)
  > end)
  > END
  $ itlua hook_spec.lua -o terminal | grep -A 1 '^  output\|^✗ [ab]' | sed 's/  *hook_spec.*//; s/^--//'
  ✗ a · setup
  
  
    output
      of the first
  
  ✗ b · setup
  
  $ itlua hook_spec.lua -o terminal | grep 'not run'
    not run    1 test
    not run    1 test
