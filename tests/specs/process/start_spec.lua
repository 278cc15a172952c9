local core = require "itlua.core"
local process = require "itlua.process"

local function alive(pid)
  local f = io.open("/proc/" .. pid .. "/stat")
  if not f then return false end
  local state = f:read("a"):match("^.*%) (%a)")
  f:close()
  return state ~= "Z" and state ~= "X"
end

local function failure(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

describe("a started process", function()
  it("talks", function()
    local p <close> = process.start { "cat" }
    assert.is_true(p:running())
    assert.is_true(alive(p.pid))
    p:write("one\ntwo\nthr")
    assert.equal("one", p:read_line())
    assert.equal("two", p:read_line { timeout = 20 })
    p:write("ee\n\nlast")
    p:close_input()
    local lines = {}
    for line in p:lines() do lines[#lines + 1] = line end
    assert.same({ "three", "", "last" }, lines)
    assert.is_nil(p:read_line())
    local r = p:wait()
    assert.equal(0, r.code)
    assert.is_false(p:running())
    assert.equal("one\ntwo\nthree\n\nlast", p:output())
    assert.equal("", p:output("stderr"))
  end)

  it("gives chunks without waiting for lines", function()
    local p <close> = process.start { command = "printf '? '; read x; printf \"got $x\"" }
    assert.equal("? ", p:read())
    p:write("42\n")
    assert.equal("got 42", p:read())
    assert.is_nil(p:read())
  end)

  it("keeps its outputs apart", function()
    local p <close> = process.start { command = "echo a; echo b >&2; echo c; echo d >&2" }
    assert.equal("b", p:read_line { stream = "stderr" })
    assert.equal("a", p:read_line())
    assert.equal("d", p:read_line { stream = "stderr" })
    p:wait()
    assert.equal("a\nc\n", p:output("stdout"))
    assert.equal("b\nd\n", p:output("stderr"))
  end)

  it("is waited for with a limit", function()
    local p <close> = process.start "echo working; exec sleep 100"
    p:read_line()
    local err = failure(p.wait, p, { timeout = 0.05 })
    assert.equal("timeout", err.kind)
    assert.matches("^process '/bin/sh %-c echo working; exec sleep 100' %(pid %d+%) has not ended after 0.05 s",
      err.message)
    assert.matches("stdout:\nworking", err.message)
    err = failure(p.read_line, p, { timeout = 0.05 })
    assert.matches("has printed no further line on stdout for 0.05 s", err.message)
    assert.is_true(p:running())
    assert.equal(15, p:stop().signal)
  end)

  it("is told by signals", function()
    local p <close> = process.start[[
      trap 'echo usr1' USR1; trap 'echo bye; exit 5' TERM
      echo ready; while :; do sleep 0.02; done]]
    p:expect("ready")
    assert.is_true(p:signal("USR1"))
    p:expect("^usr1$")
    assert.is_true(p:signal("SIGUSR1"))
    p:expect("^usr1$", { timeout = 20 })
    assert.equal(5, p:stop({ grace = 20 }).code)
    assert.equal("bye", p:read_line())
    assert.is_false(p:signal(15))
    assert.equal(5, p:stop().code)
    assert.error_matches(function() p:signal("NOPE") end, "'NOPE' is no signal")
  end)

  it("is stopped even if it does not want to", function()
    local p = process.start "trap '' TERM; echo ready; while :; do sleep 0.05; done"
    p:expect("ready")
    local from = core.now()
    assert.equal(9, p:stop({ grace = 0.2 }).signal)
    assert.is_true(core.now() - from < 20)
  end)

  it("is ended by the end of its block", function()
    local pid
    do
      local p <close> = process.start "sleep 1000"
      pid = p.pid
      assert.is_true(alive(pid))
    end
    assert.is_false(alive(pid))
    assert.is_false(pcall(function()
      local p <close> = process.start "sleep 1000"
      pid = p.pid
      error("x")
    end))
    assert.is_false(alive(pid))
  end)

  it("is killed when nobody holds it any more", function()
    local pid = (function()
      local p = process.start "exec sleep 1000"
      assert.matches("^process '/bin/sh %-c exec sleep 1000' %(pid %d+%)$", tostring(p))
      return p.pid
    end)()
    collectgarbage()
    collectgarbage()
    local deadline = core.now() + 20
    while alive(pid) and core.now() < deadline do core.sleep(0.01) end
    assert.is_false(alive(pid))
  end)

  it("matches lines, and says what came instead", function()
    local p <close> = process.start "echo a; echo 'listening on 127.0.0.1:4711'; sleep 100"
    local host, port = p:expect("listening on ([%d.]+):(%d+)", { timeout = 20 })
    assert.equal("127.0.0.1", host)
    assert.equal("4711", port)
    local err = failure(p.expect, p, "never", { timeout = 0.1 })
    assert.equal("timeout", err.kind)
    assert.matches("no line of process .- matched 'never' within 0.1 s; 0 came", err.message)
    local q <close> = process.start "echo broken >&2; exit 3"
    err = failure(q.expect, q, "ready")
    assert.equal("EXIT", err.code)
    assert.equal(3, err.exit)
    assert.matches("ended with code 3 before a line matched 'ready'\n    stderr:\nbroken$", err.message)
    local r <close> = process.start "echo whole line"
    assert.equal("whole line", r:expect("whole"))
  end)

  it("serves several readers, a line each", function()
    local p <close> = process.start { "cat" }
    local tasks = {}
    for i = 1, 3 do tasks[i] = core.spawn(p.read_line, p) end
    core.sleep(0.02)
    p:write("1\n2\n3\n")
    for i = 1, 3 do assert.equal(tostring(i), select(2, core.join(tasks[i]))) end
  end)

  it("keeps the newest output, and tells a slow reader what it missed", function()
    local p <close> = process.start { command = "seq 1 100000", max_output = 10000 }
    p:wait { timeout = 60 }
    assert.is_true(#p:output() <= 10000)
    assert.matches("\n100000\n$", p:output())
    local err = failure(p.read_line, p)
    assert.equal("LOST", err.code)
    local last
    for line in p:lines() do last = line end
    assert.equal("100000", last)
  end)

  it("refuses input when it reads none", function()
    local p <close> = process.start { command = "exec <&-; echo closed; exec sleep 100" }
    p:expect("closed")
    local err = failure(function() for _ = 1, 100 do p:write(("x"):rep(100000)) end end)
    assert.equal("process", err.kind)
    assert.equal("EPIPE", err.code)
    p:stop()
    assert.matches("has ended", failure(p.write, p, "x").message)
    local q <close> = process.start { "cat", input = "x" }
    assert.matches("the input of .- is closed", failure(q.write, q, "y").message)
  end)

  it("can be cancelled while it is written to, and still be stopped", function()
    local task = require "itlua.task"
    local p <close> = process.start "exec sleep 100"
    local err = failure(task.timeout, 0.1, p.write, p, ("x"):rep(1000000))
    assert.equal("timeout", err.kind)
    assert.equal(15, p:stop().signal)
  end)

  it("can be this program again", function()
    local path = os.tmpname()
    do
      local f <close> = assert(io.open(path, "w"))
      f:write([[print("ready " .. arg[1]) io.stdout:flush() require("itlua.core").sleep(100)]])
    end
    local p <close> = process.start { process.self(), "exec", path, "now" }
    assert.equal("now", (p:expect("ready (%a+)", { timeout = 30 })))
    os.remove(path)
  end)

  it("does not outlive a program that is killed", function()
    local path = os.tmpname()
    do
      local f <close> = assert(io.open(path, "w"))
      f:write([[
        local p = require("itlua.process").start "trap '' HUP; sleep 1000 & echo $! $$; wait"
        print(p:read_line()) io.stdout:flush() require("itlua.core").sleep(100)]])
    end
    local p <close> = process.start { process.self(), "exec", path }
    local child, leader = p:expect("(%d+) (%d+)", { timeout = 30 })
    assert.is_true(alive(child) and alive(leader))
    p:signal("KILL")
    p:wait()
    local deadline = core.now() + 20
    while (alive(child) or alive(leader)) and core.now() < deadline do core.sleep(0.02) end
    assert.is_false(alive(child))
    assert.is_false(alive(leader))
    os.remove(path)
  end)

  it("does not outlive a script that ends without a word", function()
    local path = os.tmpname()
    do
      local f <close> = assert(io.open(path, "w"))
      f:write([[local p = require("itlua.process").start "exec sleep 1000"; print(p.pid)]])
    end
    local r = process.run { process.self(), "exec", path, timeout = 60 }
    assert.equal(0, r.code)
    assert.is_false(alive(r.stdout:match("%d+")))
    os.remove(path)
  end)
end)
