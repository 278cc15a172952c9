--- What reports for programs (junit, ctrf, tap14, markdown) say of a failure: its anatomy as plain text.

local anatomy = require "itlua.report.anatomy"
local exchange = require "itlua.report.exchange"
local repeats = require "itlua.report.repeats"
local tally = require "itlua.report.tally"
local text = require "itlua.report.text"

local plain_text = {
  max_output = 20, -- lines of what a test printed, its last
}

local function add_message(lines, record)
  local message, diff, _, curl = anatomy.message(record)
  if record.randomseed then lines[1] = "Random seed: " .. record.randomseed end
  local whole = record.message and text.visible(record.message)
  -- The message as it was raised, with its position; where a diff stands in for a part of it, without that.
  if not whole or diff or curl then
    local position = whole and whole:match "^[^%s:]+:%d+: " or ""
    whole = position .. table.concat(message, "\n")
  end
  lines[#lines + 1] = whole
  if diff then
    lines[#lines + 1] = ""
    for _, line in ipairs(diff) do lines[#lines + 1] = "  " .. line end
  end
  return curl
end

-- When its time was over: what each of its tasks waited for.
local function add_waits(lines, record)
  for i, wait in ipairs(anatomy.waits(record)) do
    if i == 1 then lines[#lines + 1] = "\nit waited:" end
    lines[#lines + 1] = ("  %s  %s %s  (%s%s)"):format(wait.where, wait.what, wait.detail, text.duration(wait.seconds),
      wait.spawned and wait.spawned ~= wait.where and ", in a task spawned at " .. wait.spawned or "")
  end
end

local function add_source(lines, record, sources)
  local source = anatomy.source(record, sources)
  if not source then return end
  lines[#lines + 1] = ""
  for _, line in ipairs(source) do
    lines[#lines + 1] = ("  %s %d │ %s"):format(line.here and "▸" or " ", line.number, line.code)
  end
end

local function add_timeline(lines, record)
  for i, span in ipairs(repeats.folded(anatomy.timeline(record))) do
    if i == 1 then lines[#lines + 1] = "\ntimeline:" end
    if span.times then
      lines[#lines + 1] = ("  %8.1f ms  %s"):format(span.at * 1000, repeats.words(span))
    else
      lines[#lines + 1] = ("  %8.1f ms  %-8s %s%s%s"):format(span.at * 1000, span.what, span.detail,
        span.outcome ~= "" and " → " .. span.outcome or "", span.log and "" or "  (" .. text.duration(span.seconds) .. ")")
      local short = exchange.short(span)
      if short then lines[#lines + 1] = "                        " .. text.clip(short, 200) end
    end
  end
end

local function add_output(lines, printed)
  if not printed or printed:empty() then return end
  local all = text.lines(text.captured(printed:text(), false))
  local first = math.max(1, #all - plain_text.max_output + 1)
  lines[#lines + 1] = "\noutput:" .. (first > 1 and ("   (%s before it)"):format(text.count(first - 1, "line")) or "")
  for i = first, #all do lines[#lines + 1] = "  " .. text.clip(all[i], 2000) end
end

local function add_footer(lines, record, report, curl)
  local event = record.event or {}
  if event.cause and event.cause ~= "" then lines[#lines + 1] = "\nlikely cause: " .. text.visible(event.cause) end
  if event.not_run then lines[#lines + 1] = "\nnot run: " .. event.not_run end
  local again = anatomy.again(record, report.run, report.program)
  if again then lines[#lines + 1] = "\nagain: " .. again end
  curl = curl or event.curl
  if curl and curl ~= "" then lines[#lines + 1] = "\nrequest: " .. text.visible(curl) end
end

--- Everything known about the problems of one test, as text, in the order in which the terminal says it.
---@param result itlua.report.result
---@param report {run?: table, program?: string, sources?: fun(path: string): string[]?}
---@param with_output? boolean     the end of what it printed, for formats that have no place of their own for it
---@return string
function plain_text.body(result, report, with_output)
  local parts = {}
  for i, record in ipairs(result.records) do
    local lines = {}
    local curl = add_message(lines, record)
    add_waits(lines, record)
    if report.sources then add_source(lines, record, report.sources) end
    add_timeline(lines, record)
    if with_output and i == 1 then add_output(lines, result.printed) end
    if record.traceback then lines[#lines + 1] = text.visible(tally.traceback(record.traceback):gsub("\n$", "")) end
    add_footer(lines, record, report, curl)
    if i == #result.records and with_output and result.left then
      lines[#lines + 1] = "\nleft open: " .. text.visible(result.left):gsub("\n", "\n           ")
    end
    parts[i] = table.concat(lines, "\n")
  end
  return table.concat(parts, "\n\n")
end

--- What went wrong in a word: "assertion", "http:ECONNREFUSED".
---@param record itlua.report.record
---@return string
function plain_text.kind(record)
  local problem = record.event or {}
  if record.kind == "failure" then return "assertion" end
  if problem.error_kind then
    return problem.error_code and problem.error_kind .. ":" .. problem.error_code or problem.error_kind
  end
  return "error"
end

--- The first line of its message.
---@param record itlua.report.record
---@return string
function plain_text.first_line(record)
  return text.clip(text.one_line((record.message or "Nil error"):match "^[^\n]*"), 400)
end

--- The same without the position in front.
---@param record itlua.report.record
---@return string
function plain_text.summary(record)
  local message, _, _, _ = anatomy.message(record)
  return text.clip(text.one_line(message[1] or "failed"), 400)
end

return plain_text
