local core = require "itlua.core"
local process = require "itlua.process"

local function failure(...)
  local ok, err = pcall(process.run, ...)
  assert.is_false(ok)
  return err
end

-- The failure of a command that is ended after a short time: as much as it takes to have printed something.
local function cut_short(options)
  for _, limit in ipairs { 0.2, 2, 20 } do
    options.timeout = limit
    local err = failure(options)
    if err.stdout ~= "" then return err, limit end
  end
end

local function seconds(fn)
  local from = core.now()
  fn()
  return core.now() - from
end

-- Whether a process of this number lives; a zombie does not.
local function alive(pid)
  local f = io.open("/proc/" .. pid .. "/stat")
  if not f then return false end
  local state = f:read("a"):match("^.*%) (%a)")
  f:close()
  return state ~= "Z" and state ~= "X"
end

describe("process.run", function()
  it("gives exit code and output", function()
    local r = process.run "echo out; echo err >&2; exit 3"
    assert.equal(3, r.code)
    assert.is_nil(r.signal)
    assert.equal("out\n", r.stdout)
    assert.equal("err\n", r.stderr)
    assert.is_true(r.seconds > 0 and r.seconds < 20)
  end)

  it("takes a list of words as it is, and a string by the shell", function()
    assert.equal("a b|$HOME|*|\n", process.run { "printf", "%s|%s|%s|\n", "a b", "$HOME", "*" }.stdout)
    assert.equal("7\n", process.run { command = { "echo", 7 } }.stdout)
    assert.equal("3\n", process.run("echo $((1 + 2))").stdout)
    assert.equal("3\n", process.run({ command = "echo $((1 + 2))" }).stdout)
  end)

  it("writes the input, all of it, while it reads the output", function()
    local text = ("0123456789abcde\n"):rep(100000)
    assert.is_true(process.run({ "cat", input = text }).stdout == text)
    assert.equal("", process.run({ "cat" }).stdout)
    assert.equal("0\n", process.run({ command = "exec <&-; wc -c < /dev/null", input = text }).stdout)
    assert.equal("a\0b", process.run({ "cat", input = "a\0b" }).stdout)
    assert.equal("5\n", process.run({ "wc", "-c", input = "a\0b\r\n" }).stdout:gsub(" ", ""))
  end)

  it("keeps binary output", function()
    assert.equal("\0\1\255\n", process.run([[printf '\000\001\377\n']]).stdout)
  end)

  it("gives the child real files, which programs can open", function()
    assert.equal("x\n", process.run("echo x > /dev/stdout").stdout)
    assert.equal("x\n", process.run("echo x > /dev/stderr").stderr)
    assert.equal("in", process.run({ "cat", "/dev/stdin", input = "in" }).stdout)
  end)

  it("merges the outputs in their order", function()
    local r = process.run { command = "echo 1; echo 2 >&2; echo 3", merge = true }
    assert.equal("1\n2\n3\n", r.stdout)
    assert.equal("", r.stderr)
  end)

  it("sets environment and folder", function()
    assert.equal("x=1|/tmp\n", process.run({ command = 'echo "$A|$PWD"', env = { A = "x=1" }, cwd = "/tmp" }).stdout)
    assert.equal("unset\n", process.run({ command = "echo ${HOME-unset}", env = { HOME = false } }).stdout)
    assert.equal("A=1\nB=2\n", process.run({ "env", env = { A = 1, B = "2" }, clear_env = true }).stdout)
    assert.equal(os.getenv("PATH") .. "\n", process.run("echo $PATH").stdout)
  end)

  it("says which signal ended it", function()
    local r = process.run "kill -KILL $$"
    assert.equal(9, r.signal)
    assert.equal(137, r.code)
  end)

  it("ends what was left in the background", function()
    local r
    assert.is_true(seconds(function() r = process.run "sleep 100 & echo $!" end) < 20)
    assert.equal(0, r.code)
    assert.is_false(alive(r.stdout:match("%d+")))
    r = process.run "(trap '' TERM HUP; while :; do sleep 0.1; done) & echo $!"
    assert.is_false(alive(r.stdout:match("%d+")))
  end)

  it("does not wait for a daemon that holds its output", function()
    assert.is_true(seconds(function()
      assert.equal("x\n", process.run("setsid sleep 30 & echo x").stdout)
    end) < 20)
  end)

  it("runs many at once", function()
    local tasks = {}
    for i = 1, 20 do tasks[i] = core.spawn(function() return process.run("sleep 1; echo " .. i).stdout end) end
    local took = seconds(function()
      for i = 1, 20 do assert.equal(i .. "\n", select(2, core.join(tasks[i]))) end
    end)
    assert.is_true(took < 19, took)
  end)
end)

describe("process.run fails", function()
  it("when the command does not exist", function()
    local cases = {
      [{ "no-such-program" }] = { "ENOENT", "cannot run 'no%-such%-program': there is no such program in PATH" },
      [{ "/no/such/program" }] = { "ENOENT", "cannot run '/no/such/program': there is no such file" },
      [{ "/etc/passwd" }] = { "EACCES", "cannot run '/etc/passwd': it is not executable" },
      [{ "ls", cwd = "/no/such" }] = { "ENOENT", "cannot run 'ls' in '/no/such': there is no such folder" },
    }
    for options, expected in pairs(cases) do
      local err = failure(options)
      assert.equal("process", err.kind)
      assert.equal(expected[1], err.code)
      assert.matches(expected[2], err.message)
      assert.matches("run_spec.lua:%d+$", err.where)
    end
    assert.equal(127, process.run("no-such-program").code)
  end)

  it("when it takes longer than its timeout, with what it printed", function()
    local err, limit
    local took = seconds(function()
      err, limit = cut_short { command = "echo why >&2; echo $$; sleep 100 & sleep 100" }
    end)
    assert.is_true(took < 60)
    assert.equal("timeout", err.kind)
    assert.matches(("ran longer than %.6g s and was ended\n    stdout:\n%%d+\n    stderr:\nwhy$"):format(limit), err.message)
    assert.equal("why\n", err.stderr)
    assert.is_false(alive(err.stdout:match("%d+")))
  end)

  it("when it takes longer, also if it does not listen to TERM", function()
    local err
    local took = seconds(function()
      err = cut_short { command = "trap '' TERM; echo $$; while :; do sleep 0.1; done", grace = 0.2 }
    end)
    assert.is_true(took > 0.35 and took < 60)
    assert.is_false(alive(err.stdout:match("%d+")))
  end)

  it("when the deadline around it passes, and leaves nothing behind", function()
    local task = require "itlua.task"
    local path = os.tmpname()
    local pid
    for _, limit in ipairs { 0.3, 3, 30 } do -- as long as it takes to begin
      local ok, err = pcall(task.timeout, limit, process.run, "echo $$ > " .. path .. "; sleep 100")
      assert.is_false(ok)
      assert.equal("timeout", err.kind)
      local f <close> = assert(io.open(path))
      pid = f:read "n"
      if pid then break end
    end
    assert.is_false(alive(pid))
    os.remove(path)
  end)

  it("when it prints too much", function()
    local err = failure { command = "yes", max_output = 100000 }
    assert.equal("process", err.kind)
    assert.equal("OUTPUT", err.code)
    assert.matches("printed more than 100000 bytes and was killed", err.message)
    assert.equal(100000, #err.stdout)
    assert.equal(100000, #process.run({ command = "yes | head -c 100000", max_output = 100000 }).stdout)
  end)

  it("on demand when the exit code is not 0", function()
    local err = failure { command = "echo oops >&2; exit 4", check = true }
    assert.equal("EXIT", err.code)
    assert.equal(4, err.exit)
    assert.matches("exited with 4\n    stderr:\noops$", err.message)
    assert.matches("was ended by signal 15", failure({ command = "kill -TERM $$", check = true }).message)
    assert.equal(0, process.run({ command = "exit 0", check = true }).code)
  end)

  it("for wrong arguments with the caller's place", function()
    local cases = {
      { nil, "a command or options are missing" }, { {}, "there is no command" },
      { { command = 7 }, "the command is a number" },
      { { "ls", {} }, "word 2 of the command is a table" }, { { "ls", timeot = 1 }, "unknown option 'timeot'" },
      { { "ls", timeout = "1" }, "option 'timeout' must be a number" },
      { { "ls", env = { ["a=b"] = 1 } }, "is no name" },
      { { "ls", env = { A = {} } }, "variable A is a table" }, { { "ls", timeout = -1 }, "timeout of %-1" },
      { { "a\0b" }, "has a NUL" }, { { "ls", max_output = 0 }, "max_output" },
    }
    for _, case in ipairs(cases) do
      local err = failure(case[1])
      assert.is_string(err)
      assert.matches("run_spec.lua:%d+: ", err)
      assert.matches(case[2], err)
    end
  end)
end)
