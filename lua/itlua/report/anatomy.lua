--- What there is to say about one problem: the message or diff, the spec's source around the failing line, the timeline, the
-- likely cause, the stack, the command that runs just this test. Reports print all of it in this order, see
-- plain_text.lua for those of plain text.

local mask = require "itlua.mask"
local tally = require "itlua.report.tally"
local text = require "itlua.report.text"

local anatomy = {}

local short_src = tally.short_src

--- Reads source files once each; nil where there is none.
---@param read? fun(path: string): string?   io.open by default
---@param hide? fun(text: string): string    hides secrets, see itlua.mask
---@return fun(path: string): string[]?
function anatomy.sources(read, hide)
  hide = hide or mask.text
  read = read or function(path)
    local file = io.open(path, "rb")
    if not file then return nil end
    local content = file:read "a"
    file:close()
    return content
  end
  local cache = {}
  return function(path)
    if cache[path] == nil then
      local content = read(path)
      cache[path] = content and text.lines(hide(content)) or false
    end
    return cache[path] or nil
  end
end

-- The spec's own line that a problem belongs to: where it was raised, or the innermost frame in the spec's file.
local function spec_line(file, problem, default)
  local short = short_src(file)
  if problem.source == short or problem.source == file then return problem.line end
  local pattern = short:gsub("%p", "%%%0") .. ":(%d+):"
  local line = (problem.traceback or ""):match("[\n\t ]" .. pattern) or (problem.message or ""):match("^" .. pattern)
  return tonumber(line) or default
end

--- Where a person should look first: the spec's file and the line in it.
---@param record itlua.report.record
---@return string? file, integer? line
function anatomy.place(record)
  local problem, test = record.event or {}, record.test
  local file = test and (test.source or test.file) or problem.file
  if not file then return nil end
  local default = test and test.line or problem.at_line
  local line = spec_line(file, problem, default)
  if not line or line < 1 then line = default end
  return file, line and line > 0 and line or nil
end

-- The message without the position that is shown elsewhere, and that position where it is not the spec's line.
local function split_message(record)
  local problem = record.event or {}
  local message = record.message or ""
  local position, rest = message:match "^([^\n]-:%d+): (.*)$"
  if not position or not rest then return message, nil end
  local file, line = anatomy.place(record)
  if file and (position == short_src(file) .. ":" .. tostring(line) or position == file .. ":" .. tostring(line)) then
    return rest, nil
  end
  if position == ("%s:%s"):format(problem.source, problem.line) then return rest, position end
  return message, nil
end

-- luassert's "Passed in: … Expected: …" of two values of a line each, as two aligned lines.
local function compact(message)
  local head, got, expected, rest = message:match "^(.-)\nPassed in:\n([^\n]*)\nExpected:\n([^\n]*)(.*)$"
  if not head or rest:find "%S" or #got > 300 or #expected > 300 or got:find "{$" then return message end
  return ("%s\n\n  expected   %s\n  got        %s"):format(head, expected, got)
end

--- The message's lines. Where there is a readable diff it stands in for luassert's print of both values.
---@param record itlua.report.record
---@return string[] message, string[]? diff, string? position     of what raised it, if that is not the spec
---@return string? curl        the request that the message ended with (assert.response), taken out of it
---@return string[]? values    luassert's print, where a diff stands in for it
function anatomy.message(record)
  local problem = record.event or {}
  local message, position = split_message(record)
  local diff = problem.diff and problem.diff ~= "" and text.lines(text.visible(problem.diff)) or nil
  local at, values = diff and message:find("\nPassed in:\n", 1, true), nil
  if at then
    message, values = message:sub(1, at - 1), text.lines(text.visible(message:sub(at + 1)))
  elseif not diff then
    message = compact(message)
  end
  local said, curl = message:match "^(.-)\n\nrequest  (curl [^\n]*)$"
  return text.lines(text.visible(said or message)), diff, position, curl, values
end

-- The lines that a recording brought along: its spec may be elsewhere by now, or have changed.
local function recorded_source(record)
  local problem = record.event
  if not problem or not problem.excerpt or not math.tointeger(problem.excerpt_line) then return nil end
  local lines, from = {}, math.tointeger(problem.excerpt_line)
  local found = text.lines(problem.excerpt)
  for i, line in ipairs(found) do lines[from + i - 1] = line end
  return lines, from, from + #found - 1
end

--- The lines around a problem as they are, for a recording.
---@param record itlua.report.record
---@param sources fun(path: string): string[]?
---@return string? excerpt, integer? line     of its first line
function anatomy.excerpt(record, sources)
  local file, line = anatomy.place(record)
  local lines = file and line and sources(file)
  if not lines or not lines[line] then return nil end
  local first = math.max(1, line - 6)
  return table.concat(lines, "\n", first, math.min(#lines, line + 3)), first
end

---@class itlua.report.source_line
---@field number integer
---@field code string
---@field here boolean

--- The spec's lines around the failing one.
---@param record itlua.report.record
---@param sources fun(path: string): string[]?
---@param context? integer     lines before it
---@return itlua.report.source_line[]?
function anatomy.source(record, sources, context)
  local file, line = anatomy.place(record)
  local lines, from, to = recorded_source(record)
  if not lines and file and line then
    lines = sources(file)
    from, to = 1, lines and #lines
  end
  if not lines or not lines[line] then return nil end
  local first, last = math.max(from, line - (context or 2)), math.min(to, line + 1)
  while first < line and lines[first]:match "^%s*$" do first = first + 1 end
  if lines[last]:match "^%s*$" then last = line end
  local picked, indent = {}, nil
  for number = first, last do
    local code = lines[number]:gsub("\t", "  ")
    if code:find "%S" then
      local blanks = #code:match "^ *"
      indent = math.min(indent or blanks, blanks)
    end
    picked[#picked + 1] = { number = number, code = code, here = number == line }
  end
  for _, entry in ipairs(picked) do entry.code = text.visible((entry.code:sub((indent or 0) + 1):gsub("%s+$", ""))) end
  return picked
end

---@class itlua.report.span
---@field at number         seconds since the first one
---@field seconds number
---@field what string       "http"
---@field detail string
---@field outcome string
---@field log boolean       a line that a service printed
---@field data? table       see event.lua

local function decode(json_text)
  local ok, json = pcall(require, "itlua.json")
  if not ok then return nil end
  local decoded, value = pcall(json.decode, json_text)
  return decoded and type(value) == "table" and value or nil
end

-- Log lines mostly begin with their time, which stands in front anyway.
local function without_time(line)
  return (line:gsub("^%[?%d%d%d%d%-%d%d%-%d%d[T ]%d%d:%d%d:%d%d[.,]?%d*Z?%]?%s*", "", 1):gsub("^UTC%s+", "", 1)
    :gsub("^%[%d+%]%s*", "", 1))
end

--- The test's operations in order, times from the first one on.
---@param record itlua.report.record
---@return itlua.report.span[]
function anatomy.timeline(record)
  local problem = record.event or {}
  local spans = {}
  local decoded = problem.timeline and decode(problem.timeline) or {}
  local start
  for _, span in ipairs(decoded) do
    local at = tonumber(span.at) or 0
    start = math.min(start or at, at)
  end
  for i, span in ipairs(decoded) do
    spans[i] = {
      at = (tonumber(span.at) or 0) - start, seconds = tonumber(span.seconds) or 0,
      what = text.one_line(tostring(span.what or ""):match "^[^.]*"),
      detail = text.one_line(tostring(span.detail or "")),
      outcome = text.one_line(tostring(span.outcome or "")),
      log = span.log == true, data = type(span.data) == "table" and span.data or nil, n = i,
    }
  end
  for _, span in ipairs(spans) do
    if span.log then span.detail = without_time(span.detail) end
  end
  table.sort(spans, function(a, b)
    if a.at ~= b.at then return a.at < b.at end
    return a.n < b.n
  end)
  return spans
end

---@class itlua.report.wait
---@field where string      file:line
---@field what string       "sql"
---@field detail string
---@field seconds number
---@field spawned? string   where the task was spawned; nil: the test's own

--- What the test's tasks waited for when its time was over, its own wait first.
---@param record itlua.report.record
---@return itlua.report.wait[]
function anatomy.waits(record)
  local problem = record.event or {}
  local waits = {}
  for i, wait in ipairs(problem.waits and decode(problem.waits) or {}) do
    waits[i] = {
      where = text.one_line(tostring(wait.where or "?")), what = text.one_line(tostring(wait.what or ""):match "^[^.]*"),
      detail = text.one_line(tostring(wait.detail or "")), seconds = tonumber(wait.seconds) or 0,
      spawned = wait.spawned and text.one_line(tostring(wait.spawned)) or nil,
    }
  end
  return waits
end

--- The likely cause, a line or several.
---@param record itlua.report.record
---@return string[]?
function anatomy.cause(record)
  local said = record.event and record.event.cause
  return said and said ~= "" and text.lines(text.visible(said)) or nil
end

--- What failures with one cause have in common: the message of an error without what differs by chance. Nil for what
--- an assertion found: that two values differ is no cause.
---@param record itlua.report.record
---@return string?
function anatomy.story(record)
  local problem = record.event or {}
  if problem.cause_key then return problem.cause_key end
  if record.kind ~= "error" then return nil end
  local message = (record.message or ""):gsub("^[^\n]-:%d+: ", ""):match "^[^\n]*"
  message = message:gsub("0x%x+", "0x"):gsub("%d+", "#")
  return table.concat({ problem.error_kind or "", problem.error_code or "", message }, "\0")
end

--- The stack's frames, outermost last, without itlua's own and C's.
---@param record itlua.report.record
---@return string[]
function anatomy.stack(record)
  local frames = {}
  for line in (record.traceback or ""):gmatch "[^\n]+" do
    local frame = line:match "^%s+(.*)$"
    if frame and not frame:find "^itlua:" and not frame:find "^%[C%]" and not frame:find "^%.%.%.%s*%(" then
      frames[#frames + 1] = text.visible(frame)
    end
  end
  return frames
end

-- A word as a shell takes it.
local function shell_word(word)
  if word:find "^[%w_./:@%%+=,-]+$" then return word end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

--- The command that runs just this test again.
---@param record itlua.report.record
---@param run table?        the run_start event
---@param program? string   "itlua"
---@return string?
function anatomy.again(record, run, program)
  local problem, test = record.event or {}, record.test
  local file = test and test.file or problem.file
  if not file then return nil end
  -- The line of `it` picks one test; a shared example lives in another file, so it is named instead.
  local words = { program or "itlua" }
  local line = test and test.line or problem.at_line
  if test and test.source and test.source ~= test.file then
    words[#words + 1] = shell_word(file)
    words[#words + 1] = "--name " .. shell_word(test.name)
  elseif test and line and line > 0 then
    words[#words + 1] = shell_word(file .. ":" .. line)
    if problem.twins then words[#words + 1] = "--name " .. shell_word(test.name) end
  else
    words[#words + 1] = shell_word(file)
  end
  if run and run.profile then words[#words + 1] = "--profile " .. shell_word(run.profile) end
  -- Also where nothing is shuffled: made-up data comes of it.
  if run and run.seed then words[#words + 1] = "--seed " .. run.seed end
  return table.concat(words, " ")
end

return anatomy
