--- A terminal with a program in it, for specs: tmux is the terminal. What is typed is typed, what is waited for is what a
--- person would see.

local fs = require "itlua.fs"
local process = require "itlua.process"
local task = require "itlua.task"

local screen = {}

---@class tests.Screen
local Screen = {}
Screen.__index = Screen

local PATIENCE = 60 -- seconds: the machine may be slow, and the program under a sanitizer

local function tmux(self, ...)
  return process.run { command = { "tmux", "-f", "/dev/null", "-S", self.socket, ... }, timeout = PATIENCE }
end

--- Starts a command in a terminal of its own.
---@param command string     for /bin/sh
---@param options? { columns?: integer, rows?: integer, env?: table<string, string> }
---@return tests.Screen
function screen.open(command, options)
  options = options or {}
  local folder = fs.tempdir { prefix = "itlua-screen-", within = "/tmp" }
  local self = setmetatable({ folder = folder, socket = folder:join "tmux" }, Screen)
  local env = { TERM = "xterm-256color", XDG_STATE_HOME = folder.path, HOME = folder.path, LC_ALL = "C.UTF-8", NO_COLOR = "1" }
  for name, value in pairs(options.env or {}) do env[name] = value end
  local words = {}
  for name, value in pairs(env) do words[#words + 1] = ("%s='%s'"):format(name, value) end
  -- The shell stays: what the program left behind and its exit code can be seen.
  local script = folder:write("start", ("trap : INT\nexport %s\ncd %q\n%s\necho \"ended with code $?\"\nsleep 1000\n"):format(
    table.concat(words, " "), fs.realpath ".", command))
  local result = process.run { command = { "tmux", "-f", "/dev/null", "-S", self.socket, "new-session", "-d", "-x",
    options.columns or 100, "-y", options.rows or 40, "/bin/sh " .. script }, timeout = PATIENCE }
  assert(result.code == 0, result.stderr)
  return self
end

--- Types text.
function Screen:type(text)
  assert(tmux(self, "send-keys", "-l", "--", text).code == 0)
  return self
end

--- Presses keys by tmux's names: "Enter", "Tab", "C-c", "Up".
function Screen:press(...)
  assert(tmux(self, "send-keys", ...).code == 0)
  return self
end

--- Types a line, and sees it before it is entered.
function Screen:enter(text)
  return self:type(text):see(text:sub(-12)):press "Enter"
end

--- What is on the screen now, and what has left it.
---@return string
function Screen:text()
  return (tmux(self, "capture-pane", "-p", "-J", "-S", "-2000").stdout:gsub("%s+$", ""))
end

--- Waits until the text is there.
---@param text string
---@param pattern? boolean     it is a Lua pattern
---@return tests.Screen
function Screen:see(text, pattern)
  local seen
  local ok = pcall(task.eventually, function()
    seen = self:text()
    return seen:find(text, 1, not pattern) ~= nil
  end, { timeout = PATIENCE, interval = 0.05 })
  if not ok then error(("did not see %q; the screen:\n%s"):format(text, seen), 2) end
  return self
end

--- Waits until the last line of the screen is this: the program waits there.
---@param text string
---@return tests.Screen
function Screen:at(text)
  local seen
  local ok = pcall(task.eventually, function()
    seen = self:text()
    return (seen:match "[^\n]*$" or "") == text
  end, { timeout = PATIENCE, interval = 0.05 })
  if not ok then error(("was not at %q; the screen:\n%s"):format(text, seen), 2) end
  return self
end

--- The number of the process that runs in the terminal, below the shell.
---@return integer
function Screen:pid()
  local shell = tmux(self, "display-message", "-p", "#{pane_pid}").stdout:match "%d+"
  local pid
  task.eventually(function()
    pid = process.run { "pgrep", "-P", shell }.stdout:match "%d+"
    return pid ~= nil
  end, { timeout = PATIENCE })
  return tonumber(pid) --[[@as integer]]
end

function Screen:resize(columns, rows)
  assert(tmux(self, "resize-window", "-x", tostring(columns), "-y", tostring(rows)).code == 0)
  return self
end

--- The terminal goes away.
function Screen:close()
  if not self.folder then return end
  tmux(self, "kill-server")
  self.folder:close()
  self.folder = nil
end

Screen.__close = Screen.close

return screen
