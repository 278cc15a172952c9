--- Methods of a container: commands in it, and what it prints.

local core = require "itlua.core"
local encode = require "itlua.encode"
local plan = require "itlua.container.plan"
local streams = require "itlua.container.streams"

---@class itlua.container.Container   more of it is in handle.lua
local Container = {}

-- ---- commands in it

---@class itlua.container.ExecOptions
---@field env? table<string, string|number>
---@field user? string
---@field workdir? string
---@field privileged? boolean
---@field tty? boolean
---@field timeout? number      seconds; the command itself goes on: the engine has no way to end it
---@field check? boolean       an exit code other than 0 is an error of kind "container", code "EXEC"
---@field input? string        what it reads from its stdin; the image needs a /bin/sh
---@field on_output? fun(bytes: string, stream: "stdout"|"stderr")   called with the output as it comes

local EXEC = {
  env = "table", user = "string number", workdir = "string", privileged = "boolean", tty = "boolean",
  timeout = "number", check = "boolean", on_output = "function", input = "string",
}

-- The engine gives a stdin only to clients that take the connection over; so it is a file, read and removed.
local function with_input(self, cmd, input)
  local file = "/tmp/.itlua-" .. encode.hex(encode.random(6))
  self:copy_in { [file] = { content = input, mode = 420 } }
  return { "/bin/sh", "-c", ('exec 3<%s; rm -f %s; exec "$@" <&3 3<&-'):format(file, file), "sh",
    table.unpack(cmd) }
end

local function run_exec(self, id, options, doing)
  local r <close> = self.engine:call("POST", "/exec/" .. id .. "/start", doing,
    { json = { Detach = false, Tty = options.tty or false }, stream = true, timeout = false })
  local out = { stdout = {}, stderr = {} }
  for bytes, name in streams.frames((self.engine:pieces(r, doing)), options.tty) do
    table.insert(out[name], bytes)
    if options.on_output then options.on_output(bytes, name) end
  end
  return { stdout = table.concat(out.stdout), stderr = table.concat(out.stderr) }
end

--- Runs a command in it, to its end.
---@param command string[]|string   a string is given to /bin/sh -c
---@param options? itlua.container.ExecOptions
---@return { code: integer, stdout: string, stderr: string, seconds: number }
function Container:exec(command, options)
  options = options or {}
  plan.check(options, EXEC, "exec")
  local cmd = plan.words(command, "command")
  local shown = table.concat(cmd, " ", type(command) == "string" and 3 or 1)
  local doing = ("%s: exec %s"):format(self:label(), shown)
  if options.input then cmd = with_input(self, cmd, options.input) end
  local began = core.now()
  local span = core.span("container", ("exec %s in %s"):format(shown, self:label()))
  local created = self.engine:ask("POST", self:_path("/exec"), doing, { json = {
    Cmd = cmd, Env = plan.environment(options.env), User = options.user and tostring(options.user),
    WorkingDir = options.workdir, Privileged = options.privileged, Tty = options.tty, AttachStdout = true,
    AttachStderr = true,
  } })
  local scope = core.enter(options.timeout)
  local ok, result = pcall(run_exec, self, created.Id, options, doing)
  local expired = core.leave(scope)
  if not ok then
    core.span_end(span, "failed")
    if not expired then error(result, 0) end
    core.raise("timeout", "CONTAINER", ("%s: not done within %.6g s; it goes on in the container"):format(doing,
      options.timeout))
  end
  local info = self.engine:ask("GET", "/exec/" .. created.Id .. "/json", doing)
  result.code, result.seconds = info.ExitCode, core.now() - began
  core.span_end(span, "code " .. tostring(result.code),
    { command = cmd, code = result.code, stdout = result.stdout, stderr = result.stderr })
  if options.check and result.code ~= 0 then
    core.raise("container", "EXEC", ("%s: exit code %s\n%s%s"):format(doing, tostring(result.code), result.stdout,
      result.stderr), { exit = result.code, stdout = result.stdout, stderr = result.stderr })
  end
  return result
end

-- ---- its output

---@class itlua.container.LogOptions
---@field stdout? boolean      true
---@field stderr? boolean      true
---@field since? number        seconds since 1970
---@field tail? integer        the last lines
---@field timestamps? boolean
---@field follow? boolean      return an iterator of (line, stream) that waits for more, until the container ends
---@field timeout? number      seconds that a followed log may be silent

local LOGS = {
  stdout = "boolean", stderr = "boolean", since = "number", tail = "number", timestamps = "boolean",
  follow = "boolean", timeout = "number",
}

local function log_stream(self, options)
  local query = {
    stdout = options.stdout ~= false, stderr = options.stderr ~= false, tail = options.tail,
    since = options.since and ("%.9f"):format(options.since), timestamps = options.timestamps, follow = options.follow,
  }
  local r = self.engine:call("GET", self:_path("/logs"), self:label() .. ": logs",
    { query = query, stream = true, timeout = options.timeout or false })
  local pieces, stream = self.engine:pieces(r, self:label() .. ": logs", options.timeout)
  return streams.frames(pieces, self:_known().Config.Tty), stream
end

--- What it has printed; with `follow`, its lines as they come: for line, stream in c:logs{follow=true} do … end.
---@param options? itlua.container.LogOptions
---@return string|fun(): string?, string?
function Container:logs(options)
  options = options or {}
  plan.check(options, LOGS, "logs")
  local frames, stream = log_stream(self, options)
  if options.follow then return streams.lines(frames), nil, nil, stream end
  local closing_stream <close> = stream -- luacheck: ignore
  local pieces = {}
  for bytes in frames do pieces[#pieces + 1] = bytes end
  return table.concat(pieces)
end

--- The lines it prints from now on, as a capture (itlua.capture): wait_for takes a Lua pattern, or a part of a line that
--- is a JSON object. There is no fence: expect_none watches for a time, unless the container ends.
---@param options? itlua.capture.Options
---@return itlua.capture
function Container:capture(options)
  return require "itlua.container.capture".open(self, options)
end

return Container
