--- Prints the anatomy of one failure for a terminal: what a person reads who did not write the spec.

local anatomy = require "itlua.report.anatomy"
local text = require "itlua.report.text"
local timeline_view = require "itlua.report.timeline_view"

local failure_view = {}

local max_output_lines, max_frames, max_message_lines = 20, 8, 60

-- On a narrow terminal there is no room for columns: what would stand side by side has lines of its own.
local NARROW = 50

-- Words on lines of a width, the later ones without a mark in front.
local function wrapped(s, width)
  local lines, line = {}, ""
  for word in s:gmatch "%S+" do
    if line ~= "" and text.width(line) + 1 + text.width(word) > width then
      lines[#lines + 1] = line
      line = word
    else
      line = line == "" and word or line .. " " .. word
    end
  end
  lines[#lines + 1] = line
  return lines
end

-- "✗ orders · api · creates an order        specs/orders/api_spec.lua:21   37 ms", on two lines where it does not
-- fit.
local function header(view, record, names)
  local p = view.paint
  local file, line = anatomy.place(record)
  local test = record.test
  local at = test and not test.source and test.line or line
  local place = file and file .. (at and ":" .. at or "") or nil
  local duration = record.seconds and text.duration(record.seconds) or ""
  local title = text.one_line(table.concat(names, " · "))
  local right = place and place .. (duration ~= "" and "   " .. duration or "") or duration
  local room = view.columns - 2 - text.width(title) - 2 - text.width(right)
  local mark = p("red", "✗") .. " "
  if room >= 0 then
    return { mark .. p("bright", title) .. (" "):rep(room + 2) .. p("cyan", place or "") ..
      (place and duration ~= "" and "   " or "") .. p("dim", duration) }
  end
  local lines = {}
  local rest = title
  -- A long name is wrapped, not cut: it is what people search for.
  while rest ~= "" do
    local part = rest
    if text.width(part) > view.columns - 2 then
      part = text.clip(rest, view.columns - 2):gsub("…$", "")
      local blank = part:match "^.*() "
      if blank and blank > 1 then part = part:sub(1, blank - 1) end
      if part == "" then part = rest end
    end
    lines[#lines + 1] = (#lines == 0 and mark or "  ") .. p("bright", part)
    rest = rest:sub(#part + 1):gsub("^ ", "")
  end
  lines[#lines + 1] = "  " .. p("cyan", place or "") .. (place and duration ~= "" and "   " or "") .. p("dim", duration)
  return lines
end

-- A difference of one line on three: where, what was expected, what came.
local function stacked(line)
  local where, expected, got = line:match "^(.-)%s%s+(expected%s.-)%s%s+(%S.*)$"
  if not where then where, got = line:match "^(.-)%s%s%s+(unexpected%s.*)$" end
  if not where or where == "" then return { line } end
  local parts = { where }
  if expected then parts[2] = "    " .. expected end
  parts[#parts + 1] = "    " .. got:gsub("^got ", "got      "):gsub("%s%s+%(", " (")
  return parts
end

local function message_lines(view, record, lines)
  local p = view.paint
  local message, diff, position, curl, values = anatomy.message(record)
  if record.kind == "error" and record.event and record.event.error_kind then
    local problem = record.event
    local label = problem.error_kind .. (problem.error_code and " " .. problem.error_code or "")
    lines[#lines + 1] = p("dim", label .. " error")
  end
  for i, line in ipairs(message) do
    if i > max_message_lines and not view.verbose then
      lines[#lines + 1] = p("dim", ("… %s more, with -v"):format(text.count(#message - i + 1, "line")))
      break
    end
    local indent, parts = line:match "^ *", { line }
    if view.columns < NARROW and text.width(line) > view.columns - 2 then
      parts = wrapped(line, math.max(8, view.columns - 2 - #indent))
      for k, part in ipairs(parts) do parts[k] = indent .. part end
    end
    for _, part in ipairs(parts) do lines[#lines + 1] = i == 1 and p("bright", part) or part end
  end
  if diff then
    lines[#lines + 1] = ""
    for _, line in ipairs(diff) do
      for _, part in ipairs(view.columns < NARROW and stacked(line) or { line }) do
        lines[#lines + 1] = "  " .. view.diff_line(part)
      end
    end
  end
  if values and view.verbose then
    lines[#lines + 1] = ""
    for _, line in ipairs(values) do lines[#lines + 1] = p("dim", line) end
  end
  if position then
    lines[#lines + 1] = ""
    lines[#lines + 1] = p("dim", "raised at ") .. p("cyan", position)
  end
  return curl
end

local function source_lines(view, record, lines)
  local p = view.paint
  local source = anatomy.source(record, view.sources)
  if not source then return end
  local digits = #tostring(source[#source].number)
  lines[#lines + 1] = ""
  for _, entry in ipairs(source) do
    local number = text.pad(tostring(entry.number), digits, true)
    local code = text.clip(entry.code, math.max(20, view.columns - digits - 8))
    if entry.here then
      lines[#lines + 1] = p("red", "▸ ") .. p("bright", number) .. p("dim", " │ ") .. p("bright", code)
    else
      lines[#lines + 1] = "  " .. p("dim", number .. " │ " .. code)
    end
  end
end

-- When its time was over: what each of its tasks waited for.
local function wait_lines(view, record, lines)
  local waits, p = anatomy.waits(record), view.paint
  if #waits == 0 then return end
  local where_width, what_width = 0, 0
  for _, wait in ipairs(waits) do
    where_width = math.max(where_width, math.min(view.columns // 2, text.width(wait.where)))
    what_width = math.max(what_width, math.min(10, text.width(wait.what)))
  end
  lines[#lines + 1] = ""
  lines[#lines + 1] = p("dim", #waits == 1 and "it waited" or ("it waited, in %d tasks"):format(#waits))
  local room = math.max(8, view.columns - where_width - what_width - 18)
  for _, wait in ipairs(waits) do
    local took = text.duration(wait.seconds)
    if view.columns < NARROW then
      where_width = 0
      lines[#lines + 1] = ("  %s  %s"):format(p("cyan", wait.where), p("dim", took))
      lines[#lines + 1] = "    " .. text.clip(wait.what .. " " .. wait.detail, math.max(8, view.columns - 7))
    else
      lines[#lines + 1] = ("  %s  %s  %s %s"):format(p("cyan", text.pad(wait.where, where_width)), text.pad(wait.what,
        what_width), text.pad(text.clip(wait.detail, room), room), p("dim", text.pad(took, 8, true)))
    end
    if wait.spawned and wait.spawned ~= wait.where then
      lines[#lines + 1] = p("dim", ("  %s  in a task spawned at %s"):format((" "):rep(where_width), wait.spawned))
    end
  end
end

local function output_lines(view, printed, lines)
  local p = view.paint
  if not printed or printed:empty() then return end
  local all = text.lines(text.captured(printed:text(), view.color))
  local first = view.verbose and 1 or math.max(1, #all - max_output_lines + 1)
  lines[#lines + 1] = ""
  local hidden = first > 1 and ("   (%s before it, with -v)"):format(text.count(first - 1, "line")) or ""
  lines[#lines + 1] = p("dim", "output" .. hidden)
  for i = first, #all do
    local line = all[i]
    if #line > 2000 and not view.verbose then line = text.clip(line, 2000) end
    lines[#lines + 1] = "  " .. line .. (line:find "\27" and "\27[0m" or "")
  end
end

local function stack_lines(view, record, lines)
  if record.kind ~= "error" and not view.verbose then return end
  local frames = anatomy.stack(record)
  -- One frame is the line that is shown already.
  if #frames == 0 or (#frames < 2 and not view.verbose) then return end
  lines[#lines + 1] = ""
  lines[#lines + 1] = view.paint("dim", "stack")
  for i, frame in ipairs(frames) do
    if i > max_frames and not view.verbose then
      lines[#lines + 1] = view.paint("dim", ("  … %d more, with -v"):format(#frames - max_frames))
      break
    end
    lines[#lines + 1] = "  " .. frame
  end
end

local LABEL = 9 -- columns of the words in front

local function row(view, lines, label, said, colour)
  local p = view.paint
  if view.columns < NARROW then
    if label ~= "" then lines[#lines + 1] = p("dim", label) end
    for _, part in ipairs(said) do
      for _, line in ipairs(wrapped(part, math.max(8, view.columns - 4))) do
        lines[#lines + 1] = "  " .. (colour and p(colour, line) or line)
      end
    end
    return
  end
  local room = math.max(16, view.columns - LABEL - 4)
  for _, part in ipairs(said) do
    for _, line in ipairs(wrapped(part, room)) do
      lines[#lines + 1] = p("dim", text.pad(label, LABEL)) .. "  " .. (colour and p(colour, line) or line)
      label = ""
    end
  end
end

local function cause_lines(view, record, lines)
  local said = anatomy.cause(record)
  if not said then return end
  lines[#lines + 1] = ""
  row(view, lines, "likely", { said[1] }, "yellow")
  row(view, lines, "", { table.unpack(said, 2) })
end

local function footer_lines(view, record, lines, curl)
  local p, problem = view.paint, record.event or {}
  local footer = {}
  local again = anatomy.again(record, view.run, view.program)
  if problem.not_run then footer[#footer + 1] = { "not run", problem.not_run } end
  if record.randomseed then footer[#footer + 1] = { "shuffled", "with seed " .. record.randomseed } end
  if again then footer[#footer + 1] = { "again", again } end
  curl = curl or problem.curl
  if curl and curl ~= "" then footer[#footer + 1] = { "request", text.one_line(curl) } end
  for i, line in ipairs(record.left and text.lines(record.left) or {}) do
    footer[#footer + 1] = { i == 1 and "left open" or "", text.one_line(line) }
  end
  if #footer == 0 then return end
  lines[#lines + 1] = ""
  -- Commands are not wrapped: they are there to be copied.
  local narrow = view.columns < NARROW
  for _, entry in ipairs(footer) do
    if not narrow then
      lines[#lines + 1] = p("dim", text.pad(entry[1], LABEL)) .. "  " .. entry[2]
    else
      if entry[1] ~= "" then lines[#lines + 1] = p("dim", entry[1]) end
      lines[#lines + 1] = "  " .. entry[2]
    end
  end
end

---@class itlua.report.view
---@field paint fun(colour: string, text: any): string
---@field color boolean
---@field columns integer
---@field verbose boolean
---@field fold? fun(title: string, body: string, at: number): string   folds what is long, in logs that can
---@field sources fun(path: string): string[]?
---@field run? table
---@field program? string

--- A view: what all failures of a report are printed with.
---@param view itlua.report.view
---@return itlua.report.view
function failure_view.new(view)
  local p = view.paint
  function view.diff_line(line)
    if not view.color then return line end
    line = line:gsub("(expected)(%s+)(.-)(%s+)(got%s+)(.*)$", function(e, gap, a, gap2, g, b)
      return p("dim", e) .. gap .. p("green", a) .. gap2 .. p("dim", g) .. p("red", b)
    end)
    return line
  end
  return view
end

--- The whole anatomy, ready to print.
---@param view itlua.report.view
---@param record itlua.report.record
---@param names string[]       the blocks' names and the test's own
---@param printed? table       its capture
---@return string
function failure_view.full(view, record, names, printed)
  local lines = {}
  local curl = message_lines(view, record, lines)
  wait_lines(view, record, lines)
  source_lines(view, record, lines)
  local details = view.fold and {} or lines
  timeline_view.add(view, anatomy.timeline(record), details)
  output_lines(view, printed, details)
  stack_lines(view, record, details)
  local rest = view.fold and {} or lines
  cause_lines(view, record, rest)
  footer_lines(view, record, rest, curl)
  local parts = header(view, record, names)
  parts[#parts + 1] = ""
  local function add(list)
    for _, line in ipairs(list) do parts[#parts + 1] = line ~= "" and "  " .. line or "" end
  end
  add(lines)
  if view.fold then
    if details[1] then
      local from = #parts + 1
      add(details)
      local body = table.concat(parts, "\n", from) .. "\n"
      for i = #parts, from, -1 do parts[i] = nil end
      local at = record.test and record.test.at or view.run and view.run.at or 0
      parts[from] = view.fold("what happened, and what was printed: " .. names[#names], body, at):gsub("\n$", "")
    end
    add(rest)
  end
  return table.concat(parts, "\n") .. "\n\n"
end

--- Two lines for a failure that looks like others that were printed in full.
---@param view itlua.report.view
---@param record itlua.report.record
---@param names string[]
---@return string
function failure_view.short(view, record, names)
  local parts = header(view, record, names)
  local said = anatomy.cause(record) or anatomy.message(record)
  parts[#parts + 1] = view.paint("dim", "  as above (all of it with -v): ") .. text.clip(said[1] or "", math.max(8,
    view.columns - 33))
  return table.concat(parts, "\n") .. "\n\n"
end

return failure_view
