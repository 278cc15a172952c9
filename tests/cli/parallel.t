A project with an itlua.lua: files have states of their own and run at the same time.

  $ mkdir specs; echo 'return { output = "TAP" }' >itlua.lua
  $ for n in 1 2 3 4; do cat >specs/n${n}_spec.lua <<END
  > local function up() local n = 0; for i = 1, 4 do n = n + (io.open("up" .. i) and 1 or 0) end return n end
  > it("shares nothing", function()
  >   assert.is_nil(_G.mine)
  >   _G.mine = true
  >   io.open("up$n", "w"):close()
  >   if os.getenv "ALONE" then assert.equal(1, up()) os.remove("up$n")
  >   else require("itlua.task").eventually(function() return up() == 4 end, { timeout = 25 }) end
  > end)
  > END
  > done
  $ itlua -j 1 | grep -c '^ok'; rm up*
  4
  $ itlua | grep -c '^ok'; rm up*
  4
  $ ALONE=yes itlua -j 1 --concurrency 1 | grep -c '^ok'
  4

Files may ask to run alone, or name a lock.

  $ rm specs/*
  $ for n in 1 2 3; do cat >specs/lock${n}_spec.lua <<'END'
  > -- itlua: lock=database
  > it("has the lock", function()
  >   assert.is_nil(io.open("lock"))
  >   io.open("lock", "w"):close()
  >   require("itlua.task").sleep(0.2)
  >   os.remove("lock")
  > end)
  > END
  > cat >specs/free${n}_spec.lua <<'END'
  > it("runs meanwhile", function()
  >   io.open("busy" .. tostring({}), "w"):close()
  >   require("itlua.task").sleep(0.1)
  > end)
  > END
  > done
  $ cat >specs/a_spec.lua <<'END'
  > -- itlua: alone
  > it("is alone", function()
  >   assert.is_nil(io.open("lock"))
  >   assert.is_nil(io.open("other"))
  >   io.open("other", "w"):close()
  >   require("itlua.task").sleep(0.2)
  >   os.remove("other")
  > end)
  > END
  $ cp specs/a_spec.lua specs/b_spec.lua
  $ itlua | tail -n 1
  1..8

Those that share a lock run at once, but not beside one that has it for itself.

  $ rm -f specs/* busy* up*
  $ for n in 1 2; do cat >specs/share${n}_spec.lua <<END
  > -- itlua: share=database
  > it("shares", function()
  >   assert.is_nil(io.open("locked"))
  >   io.open("up$n", "w"):close()
  >   require("itlua.task").eventually(function() return io.open("up1") and io.open("up2") end, { timeout = 20 })
  >   assert.is_nil(io.open("locked"))
  > end)
  > END
  > done
  $ for n in a z; do cat >specs/${n}_spec.lua <<'END'
  > -- itlua: lock=database
  > it("has it", function()
  >   io.open("locked", "w"):close()
  >   require("itlua.task").sleep(0.2)
  >   os.remove("locked")
  > end)
  > END
  > done
  $ itlua | tail -n 1
  1..4

After enough failures nothing more starts.

  $ rm specs/*
  $ for n in 1 2 3 4 5 6; do cat >specs/n${n}_spec.lua <<'END'
  > it("fails", function() error("no") end)
  > it("comes later", function() require("itlua.task").sleep(0.3) end)
  > it("comes last", function() end)
  > END
  > done
  $ itlua -j 1 --concurrency 2 -x | grep -c '^ok'
  0
  [1]
  $ itlua -j 1 --concurrency 1 --max-failures 2 | grep -c '^not ok'
  2

Secrets do not leave the process.

  $ echo 'return { output = "TAP", secrets = { "API_TOKEN" } }' >itlua.lua; rm specs/*
  $ cat >specs/secret_spec.lua <<'END'
  > it("tells", function()
  >   print("printed " .. os.getenv("API_TOKEN"))
  >   error("the token is " .. os.getenv("API_TOKEN") .. ", the url postgres://me:hunter2@db/x", 0)
  > end)
  > END
  $ API_TOKEN=c0ffee-c0ffee itlua
  printed ***
  not ok 1 - tells
  # specs/secret_spec.lua @ 1
  # Failure message: specs/secret_spec.lua:3: the token is ***, the url postgres://me:***@db/x
  1..1
  [1]

Everything in one process.

  $ rm specs/*; echo 'it("works", function() print("printed") end)' | tee specs/a_spec.lua >specs/b_spec.lua
  $ itlua --in-process
  printed
  printed
  ok 1 - works
  ok 2 - works
  1..2
  $ rm itlua.lua; itlua --in-process -o TAP
  printed
  ok 1 - works
  printed
  ok 2 - works
  1..2

A plain busted project takes several workers when asked to.

  $ itlua -j 2 -o TAP | sort
  1..2
  ok 1 - works
  ok 2 - works
  printed
  printed
