What a test leaves behind is closed before the next one begins, and named.

  $ cat >left_spec.lua <<'END'
  > local task = require "itlua.task"
  > it("leaves a task", function()
  >   task.spawn(function() task.sleep(0.1) print("never printed") end)
  > end)
  > it("leaves a task that failed", function()
  >   task.spawn(function() error("in the background") end)
  >   task.sleep(0.05)
  > end)
  > it("comes after", function() task.sleep(0.2) end)
  > END
  $ itlua left_spec.lua -o TAP
  ok 1 - leaves a task
  not ok 2 - leaves a task that failed
  # left_spec.lua @ 5
  # Failure message: left_spec.lua:6: in the background
  # (in a task spawned at left_spec.lua:6 that nobody joined)
  ok 3 - comes after
  1..3
  [1]
  $ itlua left_spec.lua -o jsonl | grep '"left"' | grep -o '"left":"[^"]*"'
  "left":"task, spawned at left_spec.lua:3"
  $ mkdir specs; mv left_spec.lua specs; echo 'return {}' >itlua.lua
  $ itlua | grep '^ left'
   left      task, spawned at specs/left_spec.lua:3   by "leaves a task" (specs/left_spec.lua:2)

What a helper leaves open, outside any file, is named at the end, and fails a run that wants no loose ends.

  $ cd ..; mkdir helped helped/specs; cd helped; echo 'return { helper = "helper.lua" }' >itlua.lua
  $ echo 'it("runs", function() end)' >specs/a_spec.lua
  $ echo 'server = require("itlua.server").listen()' >helper.lua
  $ itlua | grep '^ left' | sed 's/127.0.0.1:[0-9]*/ADDRESS/'
   left      server ADDRESS, opened at helper.lua:1   outside any file
  $ itlua --fail-on-left -o TAP | sed 's/127.0.0.1:[0-9]*/ADDRESS/'
  ok 1 - runs
  not ok 2 - outside any file
  # itlua @ 0
  # Failure message: left behind: server ADDRESS, opened at helper.lua:1
  1..2

What modules do at a file's end has a limit: what hangs is stopped and named, and the others have their turn.

  $ cat >specs/a_spec.lua <<'END'
  > local closing, task = require "itlua.closing", require "itlua.task"
  > it("runs", function()
  >   closing.at_end("the first: give back", function() print "given back" end)
  >   closing.at_end("the second: give back", function() task.sleep(100) end)
  > end)
  > END
  $ rm helper.lua; echo 'return {}' >itlua.lua
  $ itlua -o TAP | sed 's/waiting [0-9.]* s/waiting N s/'
  ok 1 - runs
  given back
  not ok 2 - specs/a_spec.lua
  # specs/a_spec.lua @ 0
  # Failure message: specs/a_spec.lua:0: the second: give back: stopped after 5 s, waiting N s for sleep 100 s
  1..2

Files of reports are nobody else's: whoever reads one sees its end when the run ends, whatever still runs.

  $ echo 'it("runs", function() os.execute "ls -l /proc/self/fd" end)' >specs/a_spec.lua
  $ itlua -o TAP -o junit:report.xml | grep -c report.xml
  0
  [1]
