--- Child processes: commands that run to their end, and programs that run beside the test.
--
-- Each leads a process group of its own, and its end is the group's end: what a command started in the background is
-- ended with it, at the latest half a second later. Nothing outlives the program, not even when that is killed. Only a
-- daemon that makes a session of its own (pg_ctl start) is not held back.
-- Errors have kind "process" (code "ENOENT", "EACCES", "EPIPE", "EXIT", "OUTPUT", "LOST"), or "timeout".

local core = require "itlua.core"
local native = require "itlua.process.core"

local process = {}

---@class itlua.process.Options   the words of the command may also be in the array part
---@field command? string[]|string   the program and its arguments; a string is given to /bin/sh -c
---@field input? string        written to its stdin, which is then closed
---@field env? table<string, string|number|false>   beside the environment of this program; false removes
---@field clear_env? boolean   the environment is `env` alone
---@field cwd? string          the folder to start in
---@field merge? boolean       stderr goes where stdout goes
---@field max_output? integer  bytes of each output: run fails beyond 64 MiB; a started process keeps the newest 16 MiB

---@class itlua.process.RunOptions : itlua.process.Options
---@field timeout? number      seconds; then its group is ended (TERM, then KILL), an error of kind "timeout" raised
---@field grace? number        seconds between TERM and KILL; 2
---@field check? boolean       an exit code other than 0 is an error of kind "process", code "EXIT"

---@class itlua.process.Result
---@field code integer         exit code; 128 + n when signal n ended it
---@field signal? integer
---@field seconds number
---@field stdout string        of process.run
---@field stderr string        of process.run; empty with `merge`

---@class itlua.Process        a started process
---@field pid integer
local Process = {}

-- ---- options

local known = {
  command = "table", input = "string", env = "table", clear_env = "boolean", cwd = "string", merge = "boolean",
  max_output = "number", timeout = "number", grace = "number", check = "boolean", stdin = "boolean",
}

local function usage(...)
  core.usage(string.format(...))
end

local function words(options)
  local command = options.command
  if command == nil then
    command = {}
    for i, word in ipairs(options) do command[i] = word end
  end
  if type(command) == "string" then return { "/bin/sh", "-c", command } end
  if type(command) ~= "table" then usage("process: the command is a %s, not a string or a list", type(command)) end
  local list = {}
  for i, word in ipairs(command) do
    if type(word) ~= "string" and type(word) ~= "number" then
      usage("process: word %d of the command is a %s, not a string", i, type(word))
    end
    list[i] = tostring(word)
  end
  if #list == 0 then usage("process: there is no command") end
  return list
end

local function environment(env)
  local list = {}
  for name, value in pairs(env) do
    if type(name) ~= "string" or name == "" or name:find("[=\0]") then
      usage("process: '%s' is no name for an environment variable", tostring(name))
    end
    if type(value) ~= "string" and type(value) ~= "number" and value ~= false then
      usage("process: the environment variable %s is a %s", name, type(value))
    end
    list[#list + 1] = value and ("%s=%s"):format(name, value) or name
  end
  table.sort(list)
  return list
end

local function start(options, defaults)
  if type(options) == "string" then options = { command = options } end
  if type(options) ~= "table" then usage("process: a command or options are missing") end
  local settings = {}
  for name, value in pairs(options) do
    if type(name) ~= "number" then
      if not known[name] then usage("process: unknown option '%s'", tostring(name)) end
      if name ~= "command" and type(value) ~= known[name] then
        usage("process: option '%s' must be a %s, not a %s", name, known[name], type(value))
      end
      settings[name] = value
    end
  end
  for name, value in pairs(defaults) do
    if settings[name] == nil then settings[name] = value end
  end
  if options.env or options.clear_env then settings.env = environment(options.env or {}) end
  return native.start(words(options), settings), settings
end

-- ---- a started process

local function number_of(signal)
  local number = type(signal) == "number" and math.tointeger(signal)
    or type(signal) == "string" and native.signals[(signal:upper():gsub("^SIG", ""))]
  if not number or number < 1 or number > 64 then usage("process: '%s' is no signal", tostring(signal)) end
  return number
end

local methods = native.metatable.__index

-- The ends of what it printed, for messages.
local function excerpt(self)
  local text = {}
  for _, stream in ipairs { "stdout", "stderr" } do
    local output = methods.output(self, stream)
    if output ~= "" then
      local shown = #output > 800 and "…" .. output:sub(-800) or output
      text[#text + 1] = ("\n    %s:\n%s"):format(stream, (shown:gsub("\n$", "")))
    end
  end
  return table.concat(text)
end

--- Sends a signal to the process and all of its group.
---@param signal string|integer "TERM", "SIGTERM" or 15
---@return boolean there whether it was still running
function Process:signal(signal)
  return methods.signal(self, number_of(signal))
end

--- Waits for its end, and for the end of its group and output.
---@param options? { timeout?: number } seconds; without, as long as it takes
---@return itlua.process.Result
function Process:wait(options)
  return methods.wait(self, options and options.timeout)
end

--- Ends it: TERM to its group, KILL after the grace. Returns when it has ended; that it had already is fine.
---@param options? { grace?: number } seconds; 2
---@return itlua.process.Result
function Process:stop(options)
  if not methods.result(self) then
    methods.signal(self, native.signals.TERM)
    local ok, err = pcall(methods.wait, self, options and options.grace or 2)
    if not ok then
      methods.signal(self, native.signals.KILL)
      if core.is_error(err) ~= "timeout" or err.code ~= "PROCESS" then error(err, 0) end
    end
  end
  return methods.wait(self)
end

local native_close = methods.close

--- Ends it like stop; also done by `local p <close> = …`. A process that is left running is killed and named.
function Process:close()
  if methods.result(self) then return end
  local scope = core.enter(5, true) -- also when the test's time is over
  local ok = pcall(Process.stop, self)
  core.leave(scope)
  if not ok then native_close(self) end
end

--- Whether it has not ended.
---@return boolean
function Process:running()
  return methods.result(self) == nil
end

--- The next line it prints, without its line end, or nil at the end of the output.
---@param options? { timeout?: number, stream?: "stdout"|"stderr" }
---@return string|nil
function Process:read_line(options)
  return methods.read(self, "line", options and options.stream, options and options.timeout)
end

--- What it has printed since the last read, at least a byte, or nil at the end of the output.
---@param options? { timeout?: number, stream?: "stdout"|"stderr" }
---@return string|nil
function Process:read(options)
  return methods.read(self, "chunk", options and options.stream, options and options.timeout)
end

--- Its lines as they come: for line in p:lines() do … end. The timeout is for each.
---@param options? { timeout?: number, stream?: "stdout"|"stderr" }
---@return fun(): string|nil
function Process:lines(options)
  return function() return Process.read_line(self, options) end
end

--- Reads lines until one matches; what tests wait for when a program gets ready.
---@param pattern string a Lua pattern
---@param options? { timeout?: number, stream?: "stdout"|"stderr" } seconds for all; 10
---@return string ... its captures, or the whole line
function Process:expect(pattern, options)
  local timeout, stream = options and options.timeout or 10, options and options.stream
  local deadline, read = core.now() + timeout, 0
  while true do
    local ok, line = pcall(methods.read, self, "line", stream, math.max(0, deadline - core.now()))
    if not ok then
      if core.is_error(line) == "timeout" and line.code == "PROCESS" then
        core.raise("timeout", "PROCESS", ("no line of %s matched '%s' within %.6g s; %d came%s"):format(
          tostring(self), pattern, timeout, read, tostring(line.message):match("(\n.*)") or ""))
      end
      error(line, 0)
    end
    if not line then
      local result = Process.stop(self)
      core.raise("process", "EXIT", ("%s ended with code %d before a line matched '%s'%s"):format(
        tostring(self):gsub(" %(closed%)$", ""), result.code, pattern, excerpt(self)), { exit = result.code })
    end
    read = read + 1
    local first, last = line:find(pattern)
    if first then
      local captures = table.pack(line:match(pattern, first))
      if captures.n == 1 and captures[1] == line:sub(first, last) then return line end
      return table.unpack(captures, 1, captures.n)
    end
  end
end

---@class itlua.process.CaptureOptions: itlua.capture.Options
---@field stream? "stdout"|"stderr"     both

--- The lines it prints from now on, as a capture (itlua.capture): wait_for takes a Lua pattern, or a part of a line that
--- is a JSON object. It reads beside read_line and expect. There is no fence: expect_none watches for a time, unless the
--- process ends.
---@param options? itlua.process.CaptureOptions
---@return itlua.capture
function Process:capture(options)
  local label = tostring(self):gsub(" %(closed%)$", "")
  local function follow(...) return methods.follow(self, ...) end
  return require "itlua.process.capture".open(follow, label, options)
end

--- What it has printed so far, whether it was read or not.
---@param stream? "stdout"|"stderr"
---@return string
function Process:output(stream)
  return (methods.output(self, stream))
end

--- Writes to its stdin; waits until the pipe has taken it.
---@param text string
function Process:write(text)
  methods.write(self, text)
end

--- Closes its stdin, when all is written.
function Process:close_input()
  methods.close_input(self)
end

function native.metatable.__index(self, name)
  if name == "pid" then return methods.pid(self) end
  return Process[name]
end
native.metatable.__close = Process.close

-- ---- the module

--- Starts a program that runs beside the test. It is ended with the handle.
---@param options itlua.process.Options|string
---@return itlua.Process
function process.start(options)
  return (start(options, {}))
end

--- Runs a command to its end.
---@param options itlua.process.RunOptions|string
---@return itlua.process.Result
function process.run(options)
  local p, settings = start(options, { max_output = 64 << 20, strict = true, stdin = false, grace = 2 })
  local handle <close> = p
  local label = tostring(handle)
  local ok, result = pcall(methods.wait, handle, settings.timeout)
  if not ok then
    if core.is_error(result) == "timeout" and result.code == "PROCESS" then
      Process.stop(handle, settings)
      core.raise("timeout", "PROCESS", ("%s ran longer than %.6g s and was ended%s"):format(
        label, settings.timeout, excerpt(handle)),
        { stdout = Process.output(handle), stderr = Process.output(handle, "stderr") })
    end
    error(result, 0)
  end
  local overflow
  result.stdout, overflow = methods.output(handle, "stdout")
  result.stderr = methods.output(handle, "stderr")
  if overflow then
    core.raise("process", "OUTPUT", ("%s printed more than %d bytes and was killed (option max_output)"):format(
      label, settings.max_output), { stdout = result.stdout, stderr = result.stderr })
  end
  if settings.check and result.code ~= 0 then
    local how = result.signal and "was ended by signal " .. result.signal or "exited with " .. result.code
    core.raise("process", "EXIT", ("%s %s%s"):format(label, how, excerpt(handle)),
      { exit = result.code, signal = result.signal, stdout = result.stdout, stderr = result.stderr })
  end
  return result
end

--- The path of the running program, for process.start { process.self(), "exec", "service.lua" }.
---@return string
function process.self()
  return native.self()
end

-- ---- what a report tells of a command

require("itlua.evidence").describe("process.wait", function(kept)
  local result, handle = kept.result or {}, kept[1]
  return {
    code = result.code, signal = result.signal, stdout = Process.output(handle), stderr = Process.output(handle, "stderr"),
  }
end)

return process
