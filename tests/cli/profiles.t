How strict a run is: profiles, built in and of itlua.lua.

  $ mkdir specs; cat >itlua.lua <<'END'
  > return {
  >   output = "TAP",
  >   profiles = {
  >     ci = { like = "polish", timeout = 60, secrets = { "CI_TOKEN" } },
  >     polish = { ["fail-on-left"] = false },
  >     staging = { read_only = true, services = {} },
  >   },
  > }
  > END
  $ cat >specs/loose_spec.lua <<'END'
  > local n = 0
  > it("is flaky", function() n = n + 1; assert.is_true(n > 1) end)
  > it("leaves a task", function() require("itlua.task").spawn(function() require("itlua.task").sleep(60) end) end)
  > pending("is to come")
  > END
  $ itlua --filter-out flaky; itlua --profile staging --filter task
  ok 1 - leaves a task
  ok 2 - # SKIP is to come
  1..2
  ok 1 - leaves a task
  1..1
  $ itlua --profile ci
  ok 1 - is flaky
  ok 2 - leaves a task
  ok 3 - # SKIP is to come
  1..3
  itlua: --fail-on-flaky: 1 test passed only when repeated
  [1]
  $ itlua --profile ci --no-fail-on-flaky | tail -n 1
  1..3
  $ itlua --profile ci --fail-on-left --no-fail-on-flaky
  ok 1 - is flaky
  not ok 2 - leaves a task
  # specs/loose_spec.lua @ 3
  # Failure message: specs/loose_spec.lua:3: left behind: task*, spawned at specs/loose_spec.lua:3 (glob)
  ok 3 - # SKIP is to come
  1..3
  [1]
  $ echo 'return {}' >itlua.lua
  $ itlua --profile enterprise -o TAP --seed 1 --filter-out task --no-fail-on-flaky; ls .itlua/reports
  ok 1 - is flaky
  ok 2 - # SKIP is to come
  1..2
  itlua: --fail-on-pending: 1 test is pending
  ls: cannot access '.itlua/reports': No such file or directory
  [2]
  $ itlua --profile enterprise --seed 1 --filter-out '[lc]' >out; echo $?; ls .itlua/reports
  itlua: no test ran: --filter-out=[lc] left none of the tests in specs/loose_spec.lua
  1
  code-quality.json
  ctrf.json
  events.jsonl
  junit.xml
  report.html
  summary.md

A project of ours is forgiving, and says what may help.

  $ echo 'it("fails", function() error("no") end)' >specs/loose_spec.lua
  $ itlua --profile greenfield -o TAP
  not ok 1 - fails
  # specs/loose_spec.lua @ 1
  # Failure message: specs/loose_spec.lua:1: no
  1..1
  hint: itlua --last-failed   runs what failed, and nothing else
        itlua --bisect        finds the test that spoils one that passes alone
  [1]
  $ : >specs/loose_spec.lua; itlua --profile greenfield -o TAP
  1..0
  itlua: no test ran: there is no test in specs/loose_spec.lua
  hint: itlua init            writes a first spec, where there is none

What is left open by blocks and files.

  $ cat >specs/loose_spec.lua <<'END'
  > local task = require "itlua.task"
  > describe("a block", function()
  >   setup(function() task.spawn(function() task.sleep(60) end) end)
  >   it("passes", function() end)
  > end)
  > setup(function() task.spawn(function() task.sleep(60) end) end)
  > END
  $ itlua --profile polish -o plainTerminal
  +**
  1 success / 0 failures / 2 errors / 0 pending : N seconds
  
  Error -> specs/loose_spec.lua @ 2
  a block
  specs/loose_spec.lua:2: left behind: task*, spawned at specs/loose_spec.lua:3 (glob)
  
  Error -> left behind: task*, spawned at specs/loose_spec.lua:6 (glob)
  specs/loose_spec.lua
  [1]

A read-only profile refuses what would change something, in specs too.

  $ cat >specs/loose_spec.lua <<'END'
  > local http, server = require "itlua.http", require "itlua.server"
  > local stub = server.listen()
  > stub:get("/", function() return 200 end)
  > stub:post("/", function() return 201 end)
  > it("looks", function() assert.equal(200, http.get(stub.url .. "/").status) end)
  > it("changes", function() assert.equal(201, http.post(stub.url .. "/").status) end)
  > END
  $ itlua --profile production -o TAP | sed 's/127.0.0.1:[0-9]*/HOST/'
  ok 1 - looks
  not ok 2 - changes
  # specs/loose_spec.lua @ 6
  # Failure message: specs/loose_spec.lua:6: POST http://HOST/ was refused: the profile 'production' is read-only (itlua repl --write allows changes)
  1..2
  $ itlua -o TAP
  ok 1 - looks
  ok 2 - changes
  1..2

Mistakes.

  $ itlua --profile polsh
  itlua: --profile: no profile 'polsh' (did you mean polish?); there is greenfield, polish, enterprise, production
  [2]
  $ echo 'return { profiles = { a = { like = "b" }, b = { like = "a" } } }' >itlua.lua; itlua
  itlua: itlua.lua:1: the profile 'b': the profile 'a' is like itself
  [2]
  $ echo 'return { profiles = { a = { like = 7 } } }' >itlua.lua; itlua
  itlua: itlua.lua:1: the profile 'a': like must be the name of a profile
  [2]
  $ echo 'return { profiles = { a = { tmeout = 7 } } }' >itlua.lua; itlua
  itlua: itlua.lua:1: unknown setting 'tmeout' (did you mean timeout?)
  [2]
  $ echo 'return { like = "polish" }' >itlua.lua; itlua
  itlua: itlua.lua:1: unknown setting 'like'* (glob)
  [2]
  $ rm itlua.lua; itlua --profile polish specs -o TAP | tail -n 1
  1..3
  $ itlua --profile mine specs
  itlua: --profile: no profile 'mine'; there is greenfield, polish, enterprise, production
  [2]

Whom a run may talk to: what itlua.lua declares, and what is part of the run.

  $ cat >itlua.lua <<'END'
  > return {
  >   hosts = { "*.declared.example", "localhost:9" }, connections = { live = "http://user:pw@live.example/x" },
  >   profiles = { sealed = { network = "declared", hosts = { "also.example" } } },
  >   services = { app = { kind = "process", command = { "itlua", "exec", "app.lua" }, ready = { line = "^(http.*)$" } } },
  > }
  > END
  $ cat >app.lua <<'END'
  > local s = require("itlua.server").listen()
  > s:get("/", function() return 200 end)
  > print(s.url)
  > s:serve()
  > END
  $ cat >specs/loose_spec.lua <<'END'
  > local http, kafka, redis = require "itlua.http", require "itlua.kafka", require "itlua.redis"
  > local process, server, sql = require "itlua.process", require "itlua.server", require "itlua.sql"
  > local function code(fn, ...)
  >   local ok, err = pcall(fn, ...)
  >   return ok or err.code
  > end
  > it("its own servers, processes and services", function()
  >   local s <close> = server.listen()
  >   s:get("/", function() return 200 end)
  >   assert.equal(200, http.get(s.url .. "/").status)
  >   assert.equal(200, http.client { base_url = s.url }:get("/").status)
  >   local p <close> = process.start { "itlua", "exec", "app.lua" }
  >   assert.equal(200, http.get(p:expect "^http.*$").status)
  >   assert.equal(200, http.get(require("itlua.services").app:logs():match "http%S+").status)
  >   assert.equal("ECONNREFUSED", code(http.get, "http://127.0.0.1:9/"))
  > end)
  > it("hosts that are declared", function()
  >   for _, host in ipairs { "api.declared.example", "also.example", "live.example" } do
  >     assert.not_equal("UNDECLARED", code(http.get, "http://" .. host, { timeout = 5 }))
  >   end
  > end)
  > it("others", function()
  >   assert.equal("UNDECLARED", code(http.get, "http://declared.example"))
  >   assert.equal("UNDECLARED", code(http.get, "https://live.example/x"))
  >   assert.equal("UNDECLARED", code(sql.connect, "postgresql://u:p@also.example,db.example/x"))
  >   assert.equal("UNDECLARED", code(redis.connect, "redis://cache.example"))
  >   assert.equal("UNDECLARED", code(kafka.connect, "also.example:9092,bus.example:9092"))
  > end)
  > it("led elsewhere", function()
  >   local s <close> = server.listen()
  >   s:get("/", function() return { status = 302, headers = { location = "http://127.0.0.1:" .. os.getenv "THEIRS" .. "/" } } end)
  >   http.get(s.url)
  > end)
  > it("somebody else's", function() http.client():get("http://localhost:" .. os.getenv "THEIRS" .. "/?y=1") end)
  > END
  $ cat >run.lua <<'END'
  > local process = require "itlua.process"
  > local theirs <close> = require("itlua.server").listen() -- in a process that the run does not come from
  > theirs:get("/", function() return 200 end)
  > local r = process.run { "sh", "-c", "setsid itlua --profile " .. arg[1] .. " -o TAP", env = { THEIRS = theirs.port }, timeout = 60 }
  > io.write((r.stdout:gsub("127.0.0.1:%d+", "HOST"):gsub("localhost:%d+", "HERE"):gsub("%(pid %d+%)", "(pid N)")))
  > END
  $ itlua exec run.lua sealed
  ok 1 - its own servers, processes and services
  ok 2 - hosts that are declared
  ok 3 - others
  not ok 4 - led elsewhere
  # specs/loose_spec.lua @ 29
  # Failure message: specs/loose_spec.lua:32: GET http://HOST led to another host: http://HOST/ may not be talked to: the profile 'sealed' forbids what is not declared, and itlua (pid N) listens there and is no part of this run.
  #     Declare it in itlua.lua, for all or in a profile:  hosts = { "HOST" }
  #     or have the run start it:  services = { api = { kind = "process", … } }
  not ok 5 - somebody else's
  # specs/loose_spec.lua @ 34
  # Failure message: specs/loose_spec.lua:34: GET http://HERE/?y=1 was refused: the profile 'sealed' forbids what is not declared, and itlua (pid N) listens there and is no part of this run.
  #     Declare it in itlua.lua, for all or in a profile:  hosts = { "HERE" }
  #     or have the run start it:  services = { api = { kind = "process", … } }
  1..5
  $ sed -i 's/"also.example"/"also.example", "localhost"/' itlua.lua; itlua exec run.lua sealed | grep -v '^#'
  ok 1 - its own servers, processes and services
  ok 2 - hosts that are declared
  ok 3 - others
  ok 4 - led elsewhere
  ok 5 - somebody else's
  1..5
  $ echo 'return { network = "sealed" }' >itlua.lua; itlua
  itlua: itlua.lua:1: network must be "declared" or "any"
  [2]
  $ echo 'return { hosts = { "https://api.example/" } }' >itlua.lua; itlua
  itlua: itlua.lua:1: hosts has 'https://api.example/', which is no host: "api.example", "*.example" or "10.0.0.7:8080"
  [2]
  $ echo 'return {}' >itlua.lua
  $ echo 'it("fails", function() error "no" end)' >specs/loose_spec.lua; itlua --profile polish --seed 7 -o terminal | grep again
    again      itlua specs/loose_spec.lua:1 --profile polish --seed N
