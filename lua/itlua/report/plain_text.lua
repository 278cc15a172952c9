--- What reports for programs (junit, ctrf, tap14, markdown) say of a failure: its anatomy as plain text.

local anatomy = require "itlua.report.anatomy"
local exchange = require "itlua.report.exchange"
local tally = require "itlua.report.tally"
local text = require "itlua.report.text"

local plain_text = {}

local function add_message(lines, record)
  local message, diff = anatomy.message(record, true)
  if record.randomseed then lines[1] = "Random seed: " .. record.randomseed end
  lines[#lines + 1] = record.message and text.visible(record.message) or table.concat(message, "\n")
  if diff then
    lines[#lines + 1] = ""
    for _, line in ipairs(diff) do lines[#lines + 1] = line end
  end
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
  for i, span in ipairs(anatomy.timeline(record)) do
    if i == 1 then lines[#lines + 1] = "\ntimeline:" end
    lines[#lines + 1] = ("  %8.1f ms  %-8s %s%s%s"):format(span.at * 1000, span.what, span.detail,
      span.outcome ~= "" and " → " .. span.outcome or "", span.log and "" or "  (" .. text.duration(span.seconds) .. ")")
    local short = exchange.short(span)
    if short then lines[#lines + 1] = "                        " .. text.clip(short, 200) end
  end
end

local function add_footer(lines, record, report)
  local event = record.event or {}
  if event.cause and event.cause ~= "" then lines[#lines + 1] = "\nlikely cause: " .. text.visible(event.cause) end
  local curl = event.curl
  if curl and curl ~= "" and not (record.message or ""):find(curl, 1, true) then
    lines[#lines + 1] = "\nrequest: " .. text.visible(curl)
  end
  local again = anatomy.again(record, report.run, report.program)
  if again then lines[#lines + 1] = "\nagain: " .. again end
end

--- Everything known about the problems of one test, as text.
---@param records itlua.report.record[]
---@param report {run?: table, program?: string, sources?: fun(path: string): string[]?}
---@return string
function plain_text.body(records, report)
  local parts = {}
  for i, record in ipairs(records) do
    local lines = {}
    add_message(lines, record)
    add_waits(lines, record)
    if report.sources then add_source(lines, record, report.sources) end
    add_timeline(lines, record)
    if record.traceback then lines[#lines + 1] = text.visible(tally.traceback(record.traceback):gsub("\n$", "")) end
    add_footer(lines, record, report)
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
