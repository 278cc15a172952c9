--- The conversation: prompts, chunks and commands in, results out. The same for `itlua repl` and for `--debug`.

local chunk_commands = require "itlua.repl.commands"
local core = require "itlua.core"
local problem = require "itlua.repl.problem"
local render = require "itlua.repl.render"
local text = require "itlua.report.text"

---@class itlua.repl.Talk
---@field session itlua.repl.Session
---@field reader? itlua.repl.Reader
---@field world? itlua.repl.World
---@field view itlua.repl.View
---@field prompt string          the word in front of "> "
---@field timing boolean         say what every chunk took
---@field terminal boolean
---@field failed boolean         something went wrong
---@field stop_on_error boolean
---@field over? string           why it ends: "quit", "continue"
local Talk = {}
Talk.__index = Talk

local talk = {}

local NOTABLE = 0.2 -- seconds: what took longer says so

---@param given table
---@return itlua.repl.Talk
function talk.new(given)
  given.timing, given.failed = given.timing or false, false
  return setmetatable(given, Talk)
end

--- Text for the screen, whole lines.
---@param line string
function Talk:say(line)
  if self.reader then self.reader:print(line .. "\n") else io.stdout:write(line, "\n") end
end

--- Many lines: in pages where there is a terminal and they are more than it shows.
---@param lines string[]
function Talk:show(lines)
  local columns, rows = self:size()
  if not (self.reader and self.reader.editing) or #lines < rows then
    if #lines > 0 then self:say(table.concat(lines, "\n")) end
    return
  end
  require("itlua.repl.pager").show(self, lines, columns, rows)
end

---@return integer columns
---@return integer rows
function Talk:size()
  if self.reader and self.terminal then return self.reader:size() end
  return self.view.columns, 24
end

-- "12 ms": what the chunk took, where somebody wants to know.
local function tell_time(self, entry)
  if not self.terminal and not self.timing then return end
  if entry.seconds < NOTABLE and not self.timing then return end
  local waited = 0
  local spans = core.timeline(entry.mark)
  for _, span in ipairs(spans) do waited = waited + span.seconds end
  local ops = #spans > 0 and (" · %s"):format(text.count(#spans, "operation")) or ""
  self:say(self.view.paint("dim", text.duration(entry.seconds) .. ops))
end

local function show_values(self, entry)
  local values = entry.values
  if not entry.expression or values.n == 0 then return end
  if values.n == 1 and values[1] == io.stdout and io.type(io.stdout) then return end -- of io.write
  local lines = {}
  for i = 1, values.n do
    local shown = render.lines(self.view, values[i], values.n == 1 and self.terminal and entry.seconds or nil)
    table.move(shown, 1, #shown, #lines + 1, lines)
  end
  self:show(lines)
end

--- Shows what came of a chunk.
---@param entry itlua.repl.Entry
function Talk:tell(entry)
  if self.terminal then self.view.columns = self:size() end
  if entry.ok then
    show_values(self, entry)
  else
    self.failed = self.failed or not entry.interrupted or not self.terminal
    local lines = problem.lines(self.view, entry)
    local name = type(entry.error) == "string"
      and entry.error:match "attempt to call a nil value %(%a+ '([%a_][%w_]*)'%)"
    local ok, meant = pcall(function() return name and require("itlua.repl.complete").meant(self, entry.text, name) end)
    if ok and meant then lines[1] = lines[1] .. self.view.paint("dim", (" (did you mean %s?)"):format(meant)) end
    self:complain(lines)
    local links = entry.interrupted and self.terminal and require("itlua.repl.links").line(self)
    if links then self:say(self.view.paint("dim", links)) end
  end
  self.session:lighten(entry)
  if self.flush_output then self.flush_output() end
  if not entry.interrupted then tell_time(self, entry) end
end

--- Says what went wrong: on the terminal where it happened, else on stderr.
---@param lines string[]
function Talk:complain(lines)
  if self.terminal then return self:say(table.concat(lines, "\n")) end
  io.stdout:flush()
  io.stderr:write(table.concat(lines, "\n"), "\n")
end

--- Runs one chunk or command.
---@param source string
---@param line? integer     of the script
function Talk:take(source, line)
  if source:find "^%s*$" then return end
  if source:find "^%s*:%a" then return chunk_commands.run(self, source) end
  local compiled, wrong = self.session:compile(source, line)
  if not compiled then
    self.failed = true
    return self:complain(problem.syntax(self.view, wrong))
  end
  self:tell(self.session:run(compiled, source))
end

-- ---- reading

local function is_whole(self, source, line)
  if source:find "^%s*:%a" then return true end
  local compiled, _, unfinished = self.session:compile(source, line)
  return compiled ~= nil or not unfinished
end

local function prompts(self)
  local word, paint = self.prompt, self.view.paint
  local function invisible(shown) -- escapes take no room: libedit is told by \1
    return self.reader.editing and shown:gsub("\27%[[%d;]*m", "\1%0\1") or shown
  end
  return function(first)
    if first then return invisible(paint(self.prompt_colour or "cyan", word .. ">")) .. " " end
    return invisible(paint("dim", (" "):rep(text.width(word)) .. "·")) .. " "
  end
end

local function take_chunk(self, source, line)
  if self.history and source:find "%S" and not source:find "^%s" then
    self.reader:remember(source)
    self.history:add(source)
  end
  self:take(source, not self.terminal and line or nil)
end

--- Reads and runs until it is over.
function Talk:run()
  local empty = 0
  while not self.over do
    local kind, source, line = self.reader:read(prompts(self), function(...) return is_whole(self, ...) end)
    if kind == "chunk" then
      empty = 0
      take_chunk(self, source, line)
      if self.failed and self.stop_on_error then self.over = "failed" end
    elseif kind == "interrupted" then
      empty = empty + 1
      if not self.terminal then self.over, self.failed = "interrupted", true
      elseif empty == 2 then self:say(self.view.paint("dim", "Ctrl-D or :quit ends the session")) end
    else
      if source then
        self.failed = true
        self:complain(problem.syntax(self.view, ("%s:%d: the input ends in the middle of what begins here"):format(
          self.session.name:sub(2), line or 1)))
      elseif self.terminal then self:say "" end
      self.over = "quit"
    end
  end
end

return talk
