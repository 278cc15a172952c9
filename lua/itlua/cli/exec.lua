--- itlua exec FILE [args…]: a Lua script on the runtime of the specs: a mock, a stand-in service, a seeding job.

local closing = require "itlua.closing"
local core = require "itlua.core"
local system = require "itlua.cli.core"

local exec = {}

exec.help = [[
Usage: itlua exec FILE [arguments...]

Runs a Lua script on the runtime that specs have: every itlua module, waits that
block nothing else. `arg` holds the arguments. The exit code is 0 when the script
has returned, 1 when it failed, and what it gave to os.exit. On SIGINT and SIGTERM
its waits are cancelled, so that it can clean up (5 s at most).
  FILE may be - for the standard input.
]]

local function load_script(path, globals)
  if path == "-" then return load(io.read("a"), "=stdin", "bt", globals) end
  local f, why = io.open(path, "rb")
  if not f then return nil, why end
  local text
  text, why = f:read("a")
  f:close()
  if not text then return nil, path .. ": " .. why end
  return load((text:gsub("^#[^\n]*", "")), "@" .. path, "bt", globals)
end

-- What a failing script says goes through the mask, with the secrets of the project where there is one.
local function hide(text)
  return require("itlua.mask").of(require("itlua.cli.config").secrets())(text)
end

local leaving = false

-- Closes what began after the mark, also what takes a while to close.
local function sweep(mark)
  local failed = closing.finish(5)
  local scope = core.enter(10, true)
  local ok, lines = pcall(function()
    core.sweep(mark)
    return closing.run()
  end)
  core.leave(scope)
  for _, err in ipairs(failed) do io.stderr:write("itlua: ", tostring(err), "\n") end
  for _, line in ipairs(ok and lines or { tostring(lines) }) do io.stderr:write("itlua: ", line, "\n") end
end

-- os.exit for scripts: what was started and left is closed before the process goes.
local function leave_by(mark, raw_exit)
  return function(code)
    leaving = true
    sweep(mark)
    raw_exit(code)
  end
end

---@param args string[]
---@return integer exit_code
function exec.run(args)
  local refuse = require("itlua.cli").refuse
  local path = args[1]
  if path == "--help" or path == "-h" then
    io.stdout:write(exec.help)
    return 0
  end
  if not path then return refuse("exec: which FILE? (itlua exec --help)") end
  if path:match("^%-.") then return refuse(("exec: unknown option %s (itlua exec --help)"):format(path)) end

  local globals = core.globals()
  local kind, why = system.kind(path)
  if path ~= "-" and kind ~= "file" and kind ~= "other" then
    return refuse(("%s: %s"):format(path, why or "is a folder"))
  end
  local chunk
  chunk, why = load_script(path, globals)
  if not chunk then
    io.stderr:write("itlua: ", why, "\n")
    return 1
  end

  globals.arg = { [-1] = "exec", [0] = path, table.unpack(args, 2) }
  globals.os.exit = leave_by(core.mark(), os.exit)
  local ended_by
  local _ <close> = system.watch_signals(true)
  local script = core.spawn(function()
    return xpcall(chunk, function(err)
      if core.is_error(err) == "cancelled" then return err end
      local text = (type(err) == "string" or (getmetatable(err) or {}).__tostring) and tostring(err)
        or ("(error object is a %s value)"):format(type(err))
      return (debug.traceback(text, 2):gsub("\n\t%[C%]: in function 'xpcall'\n.*$", ""))
    end, table.unpack(globals.arg))
  end)
  core.daemon(function()
    ended_by = system.signal()
    core.cancel(script, "ended by " .. ended_by)
  end)
  local _, ok, err = core.join(script)
  if leaving then core.sleep(math.huge) end -- os.exit was called in another task
  if ended_by then
    sweep(0)
    system.end_by(ended_by)
  end
  if closing.needed() or closing.ends() then sweep(0) end
  if ok then return 0 end
  io.stdout:flush()
  io.stderr:write("itlua: ", hide(tostring(err)), "\n")
  return 1
end

return exec
