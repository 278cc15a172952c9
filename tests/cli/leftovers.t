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
  $ itlua | tail -n 1
   left      task, spawned at specs/left_spec.lua:3   by "leaves a task" (specs/left_spec.lua:2)
