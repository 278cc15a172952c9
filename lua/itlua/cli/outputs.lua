--- Where the reports of a run go: every -o opened and checked before the run begins.

local nearest = require "itlua.cli.nearest"
local report = require "itlua.report"
local system = require "itlua.cli.core"

local outputs = {}

local function to_stdout(text) io.stdout:write(text) end

local function open_file(kind, path)
  local f, why = io.open(path, "wb")
  if not f then return nil, ("the report -o %s cannot be written: %s"):format(kind, why) end
  f:setvbuf("full", 65536)
  return f
end

local function unknown(kind, why)
  if why:find("module '" .. kind .. "' not found", 1, true) then
    return ("unknown reporter '%s'%s"):format(kind, nearest.hint(kind, report.names()))
  end
  return why
end

local function options_for(settings, args, tty, to_file)
  return {
    args = args, verbose = settings.verbose, defer_print = settings["defer-print"],
    suppress_pending = settings["suppress-pending"], lang = settings.lang, tty = tty,
    columns = tty and system.columns() or nil, dumb = os.getenv("TERM") == "dumb", program = settings.program,
    lpath = settings.lpath, cpath = settings.cpath,
    mask = settings.mask, err = not to_file and function(text) io.stderr:write(text) end or nil,
    warn = function(text) io.stderr:write("itlua: ", text, "\n") end,
  }
end

-- One -o: a reporter, and the file to close after it.
local function open(argument, settings)
  local kind, file = report.parse(argument)
  local args = file and {} or settings.Xoutput
  local path = file or (report.known(kind) and report.file(kind, args)) or nil
  local handle, why
  if path then
    handle, why = open_file(kind, path)
    if not handle then return nil, why end
  end
  local out = handle and function(text) handle:write(text) end or to_stdout
  local reporter
  reporter, why = report.new(kind, options_for(settings, args, not handle and system.terminal(1), handle ~= nil), out)
  if not reporter then
    if handle then handle:close() end
    return nil, unknown(kind, why)
  end
  return reporter, handle, file ~= nil
end

--- Opens all reports of a run.
---@param settings table
---@return table? group      event(ev), finish(), close() -> false and why when a report could not be written
---@return string? wrong
function outputs.open(settings)
  local reporters, handles, all_to_files, timelines = {}, {}, true, false
  local wanted = { table.unpack(settings.output) }
  local index = 1
  while true do
    local argument = wanted[index]
    -- With nothing but -o KIND:FILE there would be nothing to see.
    if not argument and all_to_files then
      argument = report.default { project = settings.project, tty = system.terminal(1) }
    end
    if not argument then break end
    local reporter, handle, named = open(argument, settings)
    if not reporter then return nil, handle end
    reporters[#reporters + 1] = reporter
    if handle then handles[#handles + 1] = handle end
    all_to_files = all_to_files and named
    timelines = timelines or report.wants_timelines(reporter.kind)
    index = index + 1
  end
  if settings["enable-sound"] then reporters[#reporters + 1] = report.new("sound", {}, to_stdout) end

  local group = report.group(reporters, {
    mask = settings.mask,
    warn = function(text) io.stderr:write("itlua: ", text, "\n") end,
  })
  group.timelines = timelines
  function group.close()
    local flushed, problem = io.stdout:flush()
    if not flushed then return false, problem end
    for _, handle in ipairs(handles) do
      local ok, why = handle:close()
      if not ok then return false, why end
    end
    return not group.broken()
  end
  return group
end

return outputs
