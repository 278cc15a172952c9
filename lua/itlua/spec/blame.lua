--- Whose line it was: the first function on the stack that is neither C, ours nor luassert's.

local core = require "itlua.core"
local outcome = require "itlua.spec.outcome"

local blame = {}

local getinfo = debug.getinfo

-- "=itlua:spec/blame" -> "=itlua:"; "@lua/itlua/spec/blame.lua" -> "@lua/itlua/"
local ours = getinfo(1, "S").source:match("^(.*)spec/blame")

--- Whether a function's own lines are of no use to somebody who looks for a fault in a spec.
---@param info table     of debug.getinfo, "S"
local function hidden(info)
  return info.what == "C" or info.source:sub(1, #ours) == ours or info.short_src:find("luassert[/\\].*%.lua$") ~= nil
end

-- What "S" says of a function never changes, and asking for it is the dear part.
local origins = setmetatable({}, { __mode = "k" })

local function remember(fn)
  local origin = getinfo(fn, "S")
  origin.hidden = hidden(origin)
  origins[fn] = origin
  return origin
end

local frame = core.frame

--- Who called: the function's origin (what debug.getinfo's "S" says) and its line. nil when every frame is hidden, as
-- after a tail call.
---@param level integer     1 is the caller of this
---@return table? origin, integer? line
function blame.caller(level)
  level = level + 1
  repeat
    local fn, line = frame(level)
    if not fn then return nil end
    local origin = origins[fn] or remember(fn)
    if not origin.hidden then return origin, line end
    level = level + 1
  until false
end

--- The line of the nearest frame of a given source, or nil.
---@param level integer
---@param source string
---@return integer?
function blame.line_in(level, source)
  level = level + 1
  repeat
    local info = getinfo(level, "Sl")
    if info and info.source == source then return info.currentline end
    level = level + 1
  until not info
end

--- What is known of a function: source, short_src, linedefined, lastlinedefined, what.
---@param run function|table
function blame.origin(run)
  if type(run) ~= "function" then
    local mt = debug.getmetatable(run)
    run = mt and mt.__call
  end
  return type(run) == "function" and (origins[run] or remember(run)) or nil
end

local NOWHERE = { source = "=?", short_src = "?", what = "C", linedefined = 0, lastlinedefined = 0 }

local function as_trace(origin, line)
  return {
    source = origin.source, short_src = origin.short_src, what = origin.what, currentline = line,
    linedefined = origin.linedefined, lastlinedefined = origin.lastlinedefined,
  }
end

--- A stack up to the first C function, where the runner begins.
local function trimmed(traceback)
  return traceback:sub(1, traceback:find("\n%s*%[C]"))
end

--- busted's description of a place.
---@class itlua.spec.trace
---@field source string
---@field short_src string
---@field what string
---@field currentline integer
---@field linedefined integer
---@field lastlinedefined integer
---@field traceback string
---@field message? string

-- What runs user code for an element: below it on the stack are only those who called the runner.
local boundary = ours .. "spec/suite"

local function is_boundary(info)
  return info.source:sub(1, #boundary) == boundary
end

--- The place that is to blame for what happens now.
---@param level integer           1 is the caller of this
---@param file? table             {name, getTrace}: a loader's way to map lines
---@param run? function|table     blamed when no frame is left
---@return itlua.spec.trace
function blame.trace(level, file, run)
  level = level + 1
  local info = getinfo(level, "Sl")
  while info and hidden(info) do
    level = level + 1
    info = not is_boundary(info) and getinfo(level, "Sl") or nil
  end
  if info then
    info.traceback = core.traceback("", level)
  else
    local origin = run and blame.origin(run)
    info = as_trace(origin or NOWHERE, origin and origin.linedefined or 0)
    info.traceback = ("\nstack traceback:\n\t%s:%d: in a tail call\n"):format(info.short_src, info.currentline)
  end
  if file and file.getTrace then return file.getTrace(file.name, info) end
  info.traceback = trimmed(info.traceback)
  return info
end

--- The same for an element, from what was kept when it was declared.
---@param element itlua.spec.element
---@return itlua.spec.trace?
function blame.declared(element)
  if not element.trace and element.origin then
    local trace = as_trace(element.origin, element.line)
    trace.traceback = ("\nstack traceback:\n\t%s:%d: in function <%s:%d>\n"):format(trace.short_src, trace.currentline,
      trace.short_src, trace.linedefined)
    trace.message = tostring(element.name)
    element.trace = trace
  end
  return element.trace
end

blame.trimmed = trimmed

--- What is printed of a raised value: its own words, a table's contents; with "file:line: " in front unless it has
-- that.
---@param raised any
---@param trace itlua.spec.trace
---@param file? table     {name, rewriteMessage}
---@return string
function blame.message(raised, trace, file)
  local message
  if outcome.speaks(raised) then
    local ok, words = pcall(tostring, raised)
    message = ok and words or "an error whose __tostring fails: " .. tostring(words)
  elseif raised == nil then
    message = "Nil error"
  else
    message = require("itlua.spec.pretty").write(raised)
  end
  if file and file.rewriteMessage then message = file.rewriteMessage(file.name, message) end
  if message:find("^[^\n]-:%d+: ") then return message end
  return trace.short_src .. ":" .. trace.currentline .. ": " .. message
end

return blame
