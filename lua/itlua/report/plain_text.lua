--- What reports for programs (junit, ctrf, tap14, markdown) say of a failure: its anatomy as plain text.

local anatomy = require "itlua.report.anatomy"
local tally = require "itlua.report.tally"
local text = require "itlua.report.text"

local plain_text = {}

--- Everything known about the problems of one test, as text.
---@param records itlua.report.record[]
---@param run? table         the run_start event
---@param program? string    for the command that runs it again
---@return string
function plain_text.body(records, run, program)
  local parts = {}
  for _, record in ipairs(records) do
    local message, diff = anatomy.message(record, true)
    local lines = { record.message and text.visible(record.message) or table.concat(message, "\n") }
    if record.randomseed then table.insert(lines, 1, "Random seed: " .. record.randomseed) end
    if diff then
      lines[#lines + 1] = ""
      for _, line in ipairs(diff) do lines[#lines + 1] = line end
    end
    if record.traceback then lines[#lines + 1] = text.visible(tally.traceback(record.traceback):gsub("\n$", "")) end
    local spans = anatomy.timeline(record)
    if #spans > 0 then
      lines[#lines + 1] = "\ntimeline:"
      for _, span in ipairs(spans) do
        lines[#lines + 1] = ("  %8.1f ms  %-8s %s%s  (%s)"):format(span.at * 1000, span.what, span.detail,
          span.outcome ~= "" and " → " .. span.outcome or "", text.duration(span.seconds))
      end
    end
    local cause = record.event and record.event.cause
    if cause and cause ~= "" then lines[#lines + 1] = "\nlikely cause: " .. text.visible(cause) end
    local curl = record.event and record.event.curl
    if curl and not (record.message or ""):find(curl, 1, true) then
      lines[#lines + 1] = "\nrequest: " .. text.visible(curl)
    end
    local again = anatomy.again(record, run, program)
    if again then lines[#lines + 1] = "\nagain: " .. again end
    parts[#parts + 1] = table.concat(lines, "\n")
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
