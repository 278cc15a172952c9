--- Chunks from the terminal or from a pipe, line by line, while everything else goes on. A line that is not the end of
--- anything asks for more.

local core = require "itlua.core"
local edit = require "itlua.edit.core"
local system = require "itlua.cli.core"

---@class itlua.repl.Reader
---@field terminal boolean
---@field complete? fun(text: string, line: string, behind: string): string, string   what to insert, what to list
local Reader = {}
Reader.__index = Reader

local reader = {}

local HISTORY = 2000 -- entries

--- Whether there is somebody to talk to.
---@return boolean
function reader.is_terminal()
  return system.terminal(0) and system.terminal(1)
end

---@param terminal boolean
---@return itlua.repl.Reader
function reader.new(terminal)
  local term = os.getenv "TERM"
  local editing = terminal and term ~= nil and term ~= "" and term ~= "dumb"
  return setmetatable({ editor = edit.open(editing, HISTORY), terminal = terminal, editing = editing, line = 0 }, Reader)
end

-- What comes next of the editor. Ctrl-C ends the line, not us.
local function await(self)
  local silent = core.silence(true) -- that we wait is no part of the session's timeline
  local waiting = core.spawn(function() return self.editor:next() end)
  system.on_interrupt(waiting)
  local ok, kind, text, behind = core.join(waiting)
  core.silence(silent)
  system.on_interrupt(nil)
  if ok then return kind, text, behind end
  if core.is_error(kind) ~= "cancelled" then error(kind, 0) end
  self.editor:interrupt()
  repeat
    kind, text = self.editor:next()
    if kind == "complete" then self.editor:answer("", "") end
  until kind ~= "complete"
  if kind == "line" and not self.terminal then return kind, text end
  return "interrupted"
end

-- One line. Completions are worked out meanwhile.
local function read_line(self, prompt, before)
  if not self.terminal then prompt = "" end
  self.editor:start("line", prompt)
  while true do
    local kind, text, behind = await(self)
    if kind ~= "complete" then return kind, text end
    local ok, insert, listing = pcall(self.complete or function() end, before .. text, text, behind)
    self.editor:answer(ok and insert or "", ok and listing or "")
  end
end

--- The next chunk that `is_whole` takes.
---@param prompts fun(first: boolean): string
---@param is_whole fun(text: string, line: integer): boolean
---@return "chunk"|"end"|"interrupted" kind
---@return string? text         at the end: what was not whole
---@return integer? line        where it began
function Reader:read(prompts, is_whole)
  local text, first
  while true do
    local kind, line = read_line(self, prompts(text == nil), text and text .. "\n" or "")
    if kind ~= "line" then return kind, text, first end
    self.line = self.line + 1
    if self.line == 1 and not self.terminal then line = line:gsub("^#!.*", "") end
    first = first or self.line
    text = text and text .. "\n" .. line or line
    if is_whole(text, first) then return "chunk", text, first end
  end
end

--- Text for the screen: above the line that is being edited, if one is.
---@param text string
function Reader:print(text)
  if not self.editor then return io.stdout:write(text) end
  self.editor:print(text)
end

--- One key, without an echo; nil when there is none to come.
---@param prompt string
---@return string?
function Reader:key(prompt)
  self.editor:start("key", prompt)
  local kind, key = await(self)
  return kind == "key" and key or nil
end

--- Runs a command that has the terminal to itself: an editor.
---@param command string
---@return integer exit_code
function Reader:command(command)
  self.editor:start("system", command)
  local _, status = self.editor:next()
  return status --[[@as integer]]
end

--- The newest entry of the history.
---@param text string
function Reader:remember(text)
  if self.editing then self.editor:remember(text) end
end

---@return integer columns
---@return integer rows
function Reader:size()
  return self.editor:size()
end

function Reader:close()
  local editor = self.editor
  self.editor = nil
  if editor then editor:close() end
end

return reader
