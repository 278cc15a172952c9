The REPL on a pipe: no prompt, results as they come, exit code 1 at the first error.

  $ export XDG_STATE_HOME=$PWD/state
  $ printf '1 + 1\n"a", nil, 2.5\n= 3\nx = 5\nx\n' | itlua repl
  2
  "a"
  nil
  2.5
  3
  5
  $ printf 'for i = 1, 2 do\n  print(i)\nend\nlocal kept = 7\nkept, _\n' | itlua repl
  1
  2
  7
  nil
  $ printf '#!/usr/bin/env -S itlua repl\n_ = {1, {a = 1, b = {c = null}}, "x"}\n_\n' | itlua repl
  {
    1,
    {
      a = 1,
      b = { c = null },
    },
    "x",
  }
  $ printf '1\n\nerror("no luck")\n2\n' | itlua repl
  1
  ✗ no luck
    at stdin:3
  [1]
  $ printf 'error("no luck")\n2\n' | itlua repl --keep-going
  ✗ no luck
    at stdin:1
  2
  [1]
  $ printf 'function f()\n  error({})\nend\nfunction g() f() end\ng()\n' | itlua repl
  ✗ error object: {}
      stdin:2: in 'f'
      stdin:4: in a function of line 4
  [1]
  $ printf 'x = = 1\n' | itlua repl
  ✗ unexpected symbol near '='
    syntax error · at stdin:1
  [1]
  $ printf '1\nfor i = 1, 2 do\n  print(i)\n' | itlua repl
  1
  ✗ the input ends in the middle of what begins here
    syntax error · at stdin:2
  [1]
  $ printf 'print(io.read and 1)\nprint("no line end")' | itlua repl
  1
  no line end
  $ itlua repl </dev/null
  $ printf '"\\0\\1\\255\\27[31m"\n"caf\\u{e9}"\n' | itlua repl
  "\x00\x01\xFF\x1B[31m"
  "café"
  $ printf 'json.encode { a = { 1, "]", { b = null } }, e = {} }\n"two\\nlines"\n' | itlua repl
  {
    "a": [
      1,
      "]",
      {
        "b": null
      }
    ],
    "e": {}
  }
  two
  lines

Statements on the command line.

  $ itlua repl -e 'x = 20' -e 'x + 1, os.getenv("TERM")'
  21
  "dumb"
  $ itlua repl -e 'error "a"' -e '2'
  ✗ a
    at -e:1
  [1]
  $ itlua repl -e 'task.timeout(0.05, task.sleep, 10)' 2>&1 | sed 's/waiting [0-9.]* s/waiting N s/'
  ✗ stopped after N s, waiting N s for sleep 10 s
    timeout error

Words with a colon.

  $ echo 'loaded, l = 1, 2; function later() error "later" end' >some.lua
  $ printf ':load some.lua\nloaded, l\n:load none.lua\n' | itlua repl
  1
  2
  ✗ none.lua: No such file or directory
  [1]
  $ printf ':load some.lua\nlater()\n' | itlua repl
  ✗ later
    at some.lua:1
  [1]
  $ printf ':tine\n' | itlua repl
  ✗ there is no :tine (did you mean :time?)
  [1]
  $ printf 'task.sleep(0.01)\n:timeline\n:time 1\n:quit\nerror("not reached")\n' | itlua repl | sed 's/[0-9.]* ms/N ms/g; s/  */ /g'
   N ms sleep N s N ms
  1
  N ms
  $ printf ':help task.spawn\n' | itlua repl
  task.spawn(fn, ...)
    Runs `fn(...)` beside the running task. An error in it that nobody joins fails the test that spawned it.
      fn  function
      returns itlua.task
  $ printf ':help sql.conect\n' | itlua repl
  ✗ no help on 'sql.conect' (did you mean sql.connect?)
  [1]
  $ printf ':continue\n' | itlua repl
  ✗ there is nothing to continue
  [1]
  $ printf ':edit\n' | itlua repl
  ✗ :edit needs a terminal
  [1]

Tasks go on beside; one that fails is said at once.

  $ printf 'task.spawn(function() task.sleep(0.01) error("in the dark") end)\ntask.sleep(0.5)\n' | itlua repl | grep -o '✗.*'
  ✗ in the dark  (in a background task)

What is wrong with the command line.

  $ itlua repl --help | head -n 1
  Usage: itlua repl [options]
  $ itlua repl --servic db
  itlua: repl: unknown option --servic (did you mean --service?) (itlua repl --help)
  [2]
  $ itlua repl spec.lua
  itlua: repl: what is 'spec.lua'? (itlua repl --help)
  [2]
  $ itlua repl --service db
  itlua: there is no service 'db' in itlua.lua
  [2]
  $ itlua repl --profile nowhere 2>&1 | sed 's/;.*//'
  itlua: --profile: no profile 'nowhere'
  $ echo 'return { connections = { a = "gopher://x" } }' >itlua.lua; itlua repl
  itlua: the connection 'a': nothing here talks to gopher://x
  [2]

A profile that is read-only, and a connection with a password in it.

  $ cat >itlua.lua <<'END'
  > return { profiles = { live = { like = "production", connections = { api = "http://ada:s3cret@127.0.0.1:9" } } } }
  > END
  $ itlua repl --profile live -e 'api:post("/orders", { json = {} })'
  ✗ POST http://ada:***@127.0.0.1:9/orders was refused: the profile 'live' is read-only (itlua repl --write allows changes)
    http READ_ONLY error
  [1]
  $ itlua repl --profile live --keep-going -e 'api:delete "/"' -e 'http.post "http://127.0.0.1:9"' -e 'http.burst { url = "http://127.0.0.1:9", method = "PUT" }' 2>&1 | grep -c READ_ONLY
  3
  $ itlua repl --profile live -e 'api:get("/orders")' 2>&1 | grep -c ECONNREFUSED
  1
  $ itlua repl --profile live --write -e 'api:post("/orders")' 2>&1 | grep -c ECONNREFUSED
  1
  $ itlua repl --profile live -e '"s3cret"' -e 'api'
  "***"
  api: http://ada:***@127.0.0.1:9

A service that does not start.

  $ cat >itlua.lua <<'END'
  > return { services = { app = { kind = "process", command = { "sh", "-c", "echo last words; exit 7" },
  >   ready = { line = "never" } } } }
  > END
  $ itlua repl --service app -e '1' 2>&1 | grep -E 'app|last words|code 7' | head -n 3 | sed 's/ after.*//'
  ✗ service app (sh -c echo last words; exit 7) did not get ready: its process exited with code 7
        its last words
          last words
  $ printf 'app.url\n' | itlua repl >/dev/null 2>&1
  [1]

A kind of service of the project's own; what specs require; assertions.

  $ cat >clock.lua <<'END'
  > return {
  >   name = "clock", fields = { "zone" }, options = {},
  >   providers = { {
  >     name = "wall", find = function() return {}, "the clock on the wall" end,
  >     start = function() return { fields = { zone = "UTC" } } end,
  >   } },
  >   methods = {
  >     connect = function(service) return { tick = function(self, n) return service.zone .. (self and n) end } end,
  >     chime = function(service, n) return ("ding"):rep(n) end,
  >   },
  > }
  > END
  $ echo 'return { lpath = "./lib/?.lua", services = { wall = { kind = "clock.lua" } } }' >itlua.lua
  $ mkdir lib; echo 'return { name = "mine" }' >lib/mine.lua
  $ printf 'wall.zone, wall:chime(2), wall:tick(3)\nrequire("mine").name\n' | itlua repl
  "UTC"
  "dingding"
  "UTC3"
  "mine"
  $ itlua repl -e 'assert(1 == 1) assert.equal(1, 1)' -e 'assert.equal(1, 2)' 2>&1 | head -n 2
  ✗ Expected objects to be equal.
    Passed in:

Long scripts, and results that are too long to be kept.

  $ seq 3000 | itlua repl | tail -n 1
  3000
  $ printf 'big = {} for i = 1, 5000 do big[i] = i end\nbig\n:save big_spec.lua\n' | itlua repl | tail -n 2
  }
  big_spec.lua: 2 steps, 1 assertion; it passes
  $ grep -c 'assert.equal(5000, #_)' big_spec.lua
  1

A reader that goes away ends it.

  $ printf 'for i = 1, 1e6 do print(i) end\n' | itlua repl | head -n 1
  1

A service without an address is started, and said to have none when something is asked of it.

  $ mkdir mute; cat >mute/itlua.lua <<'END'
  > return { services = { quiet = { kind = "process", command = { "sleep", "1000" }, ready = {} } } }
  > END
  $ cd mute; echo 'quiet.state' | itlua repl --service quiet; echo 'quiet:get "/"' | itlua repl; cd ..
  "ready"
  ✗ quiet has no address: itlua.lua gives it one with `url`, or with a port, as in env = { PORT = "${quiet.port}" }
    at stdin:1

What a chunk returns is shown; a method that there is not is said with the one that was probably meant.

  $ printf 'return 6 * 7\nx = 2 return x, "two"\n:save returned_spec.lua\n' | itlua repl; itlua -o TAP returned_spec.lua
  42
  2
  "two"
  returned_spec.lua: 2 steps, 3 assertions; it passes
  ok 1 - a session comes to what was seen
  1..1
  $ printf 'api = http.client { base_url = "http://127.0.0.1:1" }\napi:psot "/"\njson.decod "1"\n' | itlua repl -k
  ✗ attempt to call a nil value (method 'psot') (did you mean api:post?)
    at stdin:2
  ✗ attempt to call a nil value (field 'decod') (did you mean json.decode?)
    at stdin:3
  [1]
  $ printf 'io.write("no more than this\\n")\n' | itlua repl
  no more than this
