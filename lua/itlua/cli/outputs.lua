--- Where the reports of a run go: every -o opened and checked before the run begins.

local nearest = require "itlua.cli.nearest"
local report = require "itlua.report"
local results = require "itlua.report.results"
local system = require "itlua.cli.core"

local outputs = {}

local unread -- nobody reads the standard output any more (`| head`), and there are reports in files: the run goes on

local function to_stdout(text)
  if not unread then io.stdout:write(text) end
end

-- Where it is a pipe, and its reader has gone.
local function look_for_reader()
  if unread or not system.unread() then return end
  unread = true
  io.stderr:write "itlua: nobody reads the standard output any more; the run goes on for its other reports\n"
end

-- A report's file. What cannot be written is kept in mind and nothing more is written; the run goes on.
local File = {}
File.__index = File

local function open_file(kind, path)
  local f, why = io.open(path, "wb")
  if not f then return nil, ("the report -o %s cannot be written: %s"):format(kind, why) end
  system.keep_private(f) -- whoever reads it as it comes sees its end when we end, not when the last service does
  -- What follows the events as they come (tail -f) wants whole lines, at once.
  if kind == "jsonl" then f:setvbuf "line" else f:setvbuf("full", 65536) end
  return setmetatable({ f = f, kind = kind, path = path }, File)
end

function File:write(text)
  if self.problem then return end
  local ok, why = self.f:write(text)
  if not ok then self.problem = why end
end

--- Says whether all of it was written.
function File:close()
  local ok, why = self.f:close()
  if not ok then self.problem = self.problem or why end
  if self.problem then
    io.stderr:write(("itlua: the report -o %s:%s could not be written: %s\n"):format(self.kind, self.path,
      (self.problem:gsub("^.*: ", ""))))
  end
  return not self.problem
end

local function unknown(kind, why)
  if why:find("module '" .. kind .. "' not found", 1, true) then
    local word = kind:match "^([%w_]+):" or kind
    return ("unknown reporter '%s'%s"):format(word, nearest.hint(word, report.names()))
  end
  return why
end

-- Logs of CI servers are read later, also where the server gives them a terminal.
local function ci()
  return (os.getenv "CI" or "") ~= "" and os.getenv "CI" ~= "false"
end

local function options_for(kind, settings, args, tty, to_file, shared)
  return {
    args = args, verbose = settings.verbose, defer_print = settings["defer-print"],
    suppress_pending = settings["suppress-pending"], lang = settings.lang, tty = tty,
    columns = tty and system.columns() or nil, size = tty and system.columns or nil, heartbeat = settings.heartbeat,
    expected = settings.expected, written = settings.written, getenv = os.getenv,
    live = tty and os.getenv("TERM") ~= "dumb" and not ci() and not settings.debug,
    program = settings.program,
    lpath = settings.lpath, cpath = settings.cpath,
    history = kind == "html" and require("itlua.cli.history").runs() or nil, results = shared,
    mask = settings.mask, err = not to_file and function(text) io.stderr:write(text) end or nil,
    warn = function(text) io.stderr:write("itlua: ", text, "\n") end,
  }
end

-- One -o: a reporter, and the file to close after it.
local function open(argument, settings, shared)
  local kind, file = report.parse(argument)
  -- Nobody wants to read a page's source on a terminal.
  if kind == "html" and not file and system.terminal(1) then file = "report.html" end
  local args = file and {} or settings.Xoutput
  local path = file or (report.known(kind) and report.file(kind, args)) or nil
  local handle, why
  if path then
    for _, earlier in ipairs(settings.written) do
      if earlier == path and not path:find "^/dev/" then
        return nil, ("-o %s: %s is another report's file"):format(kind, path)
      end
    end
    handle, why = open_file(kind, path)
    if not handle then return nil, why end
  end
  local out = handle and function(text) handle:write(text) end or to_stdout
  local opts = options_for(kind, settings, args, not handle and system.terminal(1), handle ~= nil, shared)
  local reporter
  reporter, why = report.new(kind, opts, out)
  if not reporter then
    if handle then handle:close() end
    return nil, unknown(kind, why)
  end
  return reporter, handle, file ~= nil or report.beside(kind)
end

--- Opens all reports of a run.
---@param settings table
---@return table? group      event(ev), finish(); close() -> false and why when what goes to the standard output could not
---                         be written or a reporter broke, and whether all files were written (it has said which were not)
---@return string? wrong
function outputs.open(settings)
  local shared = results.new { suppress_pending = settings["suppress-pending"] }
  local reporters, handles, all_to_files, timelines = {}, {}, true, false
  local wanted = { table.unpack(settings.output) }
  settings.written = {}
  local index = 1
  while true do
    local argument = wanted[index]
    -- With nothing but -o KIND:FILE (and what stands beside a report for people) there would be nothing to see.
    if not argument and all_to_files then
      argument = report.default { project = settings.project, tty = system.terminal(1) }
    end
    if not argument then break end
    local reporter, handle, named = open(argument, settings, shared)
    if not reporter then return nil, handle end
    reporters[#reporters + 1] = reporter
    if handle then
      handles[#handles + 1] = handle
      settings.written[#settings.written + 1] = handle.path
    end
    all_to_files = all_to_files and named
    timelines = timelines or report.wants_timelines(reporter.kind)
    index = index + 1
  end
  if settings["enable-sound"] then reporters[#reporters + 1] = report.new("sound", {}, to_stdout) end

  local group
  group = report.group(reporters, {
    mask = settings.mask,
    warn = function(text)
      group.hush()
      io.stderr:write("itlua: ", text, "\n")
    end,
  })
  group.timelines = timelines
  -- How often a worker tells what a test that takes long waits for.
  group.heartbeat = system.terminal(1) and not ci() and 1 or math.min(10, (settings.heartbeat or 30) / 3)
  if handles[1] then
    system.stay()
    local tick = group.tick
    function group.tick(self, now)
      tick(self, now)
      look_for_reader()
    end
  end
  function group.close()
    local flushed, problem = io.stdout:flush()
    flushed = flushed or handles[1] ~= nil and system.unread()
    local files = true
    for _, handle in ipairs(handles) do files = handle:close() and files end
    if not flushed then return false, problem, files end
    return not group.broken(), nil, files
  end
  return group
end

return outputs
