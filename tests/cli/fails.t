A spec with every outcome: counts, messages and exit code as under busted.

  $ mkdir spec; cat >spec/mixed_spec.lua <<'END'
  > describe("mixed", function()
  >   it("succeeds", function() assert.is_true(true) end)
  >   it("fails", function() assert.equal(1, 2) end)
  >   it("errors", function() error("boom") end)
  >   pending("is pending")
  >   it("calls pending", function() pending("later") end)
  > end)
  > END
  $ itlua
  +-*..
  1 success / 1 failure / 1 error / 2 pending : N seconds
  
  Pending -> spec/mixed_spec.lua @ 5
  mixed is pending
  
  Pending -> spec/mixed_spec.lua @ 6
  mixed calls pending
  spec/mixed_spec.lua:6: later
  
  Failure -> spec/mixed_spec.lua @ 3
  mixed fails
  spec/mixed_spec.lua:3: Expected objects to be equal.
  Passed in:
  (number) 2
  Expected:
  (number) 1
  
  Error -> spec/mixed_spec.lua @ 4
  mixed errors
  spec/mixed_spec.lua:4: boom
  [1]
  $ itlua -o TAP
  ok 1 - mixed succeeds
  not ok 2 - mixed fails
  # spec/mixed_spec.lua @ 3
  # Failure message: spec/mixed_spec.lua:3: Expected objects to be equal.
  # Passed in:
  # (number) 2
  # Expected:
  # (number) 1
  not ok 3 - mixed errors
  # spec/mixed_spec.lua @ 4
  # Failure message: spec/mixed_spec.lua:4: boom
  ok 4 - # SKIP mixed is pending
  ok 5 - # SKIP spec/mixed_spec.lua:6: later
  1..5
  [1]
  $ itlua --filter=succeeds
  +
  1 success / 0 failures / 0 errors / 0 pending : N seconds
  $ itlua list
  spec/mixed_spec.lua:2: mixed succeeds
  spec/mixed_spec.lua:3: mixed fails
  spec/mixed_spec.lua:4: mixed errors
  spec/mixed_spec.lua:5: mixed is pending
  spec/mixed_spec.lua:6: mixed calls pending

Errors of any kind.

  $ cat >odd_spec.lua <<'END'
  > it("nil", function() error() end)
  > it("table", function() error({ code = 7 }) end)
  > it("object", function() error(setmetatable({}, { __tostring = function() return "an object" end })) end)
  > it("userdata", function() error(io.stdout) end)
  > it("number", function() error(42) end)
  > END
  $ itlua odd_spec.lua -o TAP
  not ok 1 - nil
  # odd_spec.lua @ 1
  # Failure message: odd_spec.lua:1: Nil error
  not ok 2 - table
  # odd_spec.lua @ 2
  # Failure message: odd_spec.lua:2: {
  #   code = 7
  # }
  not ok 3 - object
  # odd_spec.lua @ 3
  # Failure message: odd_spec.lua:3: an object
  not ok 4 - userdata
  # odd_spec.lua @ 4
  # Failure message: odd_spec.lua:4: file (0xADDRESS)
  not ok 5 - number
  # odd_spec.lua @ 5
  # Failure message: odd_spec.lua:5: 42
  1..5
  [1]

Tests that are made in a loop share a line: the command that runs one of them again names it.

  $ cat >loop_spec.lua <<'END'
  > for n = 1, 2 do
  >   describe("block " .. n, function()
  >     for i = 1, 2 do it("it's " .. i, function() error("no") end) end
  >     it("is alone", function() end)
  >   end)
  > end
  > END
  $ itlua loop_spec.lua -v -o terminal | grep again | sed 's/ --seed.*//; s/again *[^ ]* */again /'
    again loop_spec.lua:3 --name 'block 1 it'\''s 1'
    again loop_spec.lua:3 --name 'block 1 it'\''s 2'
    again loop_spec.lua:3 --name 'block 2 it'\''s 1'
    again loop_spec.lua:3 --name 'block 2 it'\''s 2'
  $ itlua loop_spec.lua:3 --name 'block 2 it'\''s 1' -o TAP
  not ok 1 - block 2 it's 1
  # loop_spec.lua @ 3
  # Failure message: loop_spec.lua:3: no
  1..1
  [1]

A test whose before_each fails does not run, and the report says which that was.

  $ cat >hook_spec.lua <<'END'
  > describe("orders", function()
  >   before_each(function() error("no database") end)
  >   it("are kept", function() end)
  >   it("are counted", function() end)
  > end)
  > END
  $ itlua hook_spec.lua -o terminal | grep 'not run'
    not run    "are kept"
    not run    "are counted"
