A script on the same runtime.

  $ cat >script.lua <<'END'
  > #!/usr/bin/env itlua
  > print(arg[0], #arg, arg[1], arg[2], ...)
  > local task = require "itlua.task"
  > local other = task.spawn(function() task.sleep(0.05) print("the task") return 1 end)
  > task.sleep(0.1)
  > print("the end", _G.print == print, rawget(_G, "describe"))
  > END
  $ itlua exec script.lua one --two
  script.lua	2	one	--two	one	--two
  the task
  the end	true	nil
  $ itlua exec script.lua --help | head -n 1
  script.lua	1	--help	nil	--help
  $ echo 'print("from stdin", ...)' | itlua exec - a
  from stdin	a
  $ echo 'os.exit(7)' >exit.lua; itlua exec exit.lua
  [7]
  $ echo 'os.exit(false)' >exit.lua; itlua exec exit.lua
  [1]
  $ echo 'os.exit(true)' >exit.lua; itlua exec exit.lua
  $ echo 'error("no luck")' >fail.lua; itlua exec fail.lua
  itlua: fail.lua:1: no luck
  stack traceback:
  	[C]: in function 'error'
  	fail.lua:1: in main chunk
  [1]
  $ echo 'error({})' >fail.lua; itlua exec fail.lua 2>&1 | head -n 1
  itlua: (error object is a table value)
  $ echo 'local = 1' >fail.lua; itlua exec fail.lua
  itlua: fail.lua:1: <name> expected near '='
  [1]
  $ echo 'local t = require "itlua.task"; t.spawn(function() t.sleep(1000) end); print("done")' >left.lua; itlua exec left.lua
  done
  $ echo 'local t = require "itlua.task"; t.spawn(function() os.exit(4) end); t.sleep(1000)' >other.lua; itlua exec other.lua
  [4]
  $ itlua exec .
  itlua: .: is a folder
  [2]
