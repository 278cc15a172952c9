--- The anatomy of a failure as plain text, in the order of every report: the message and the diff, what its tasks waited for,
-- the spec's lines, the timeline, what was printed, the stack, the likely cause, the command that runs it again, the request.

local anatomy = require "itlua.report.anatomy"
local exchange = require "itlua.report.exchange"
local text = require "itlua.report.text"

local anatomy_text = {}

local function add(lines, title, list)
  if #list == 0 then return end
  lines[#lines + 1] = ""
  if title then lines[#lines + 1] = title end
  for _, line in ipairs(list) do lines[#lines + 1] = line end
end

local function source_lines(record, sources)
  local list = {}
  for _, entry in ipairs(sources and anatomy.source(record, sources) or {}) do
    list[#list + 1] = ("%s %5d │ %s"):format(entry.here and "▸" or " ", entry.number, entry.code)
  end
  return list
end

local function wait_lines(record)
  local list = {}
  for _, wait in ipairs(anatomy.waits(record)) do
    list[#list + 1] = ("  %s  %s %s  (%s)%s"):format(wait.where, wait.what, wait.detail, text.duration(wait.seconds),
      wait.spawned and ", in a task spawned at " .. wait.spawned or "")
  end
  return list
end

local function timeline_lines(record, whole)
  local list = {}
  for _, span in ipairs(anatomy.timeline(record)) do
    if span.log then
      list[#list + 1] = ("  %9s  %-8s %s"):format(text.duration(span.at), span.what, span.detail)
    else
      list[#list + 1] = ("  %9s  %-8s %s%s  (%s)"):format(text.duration(span.at), span.what, span.detail,
        span.outcome ~= "" and " → " .. span.outcome or "", text.duration(span.seconds))
      if whole then
        for _, line in ipairs(exchange.whole(span)) do list[#list + 1] = "                       " .. line end
      else
        local short = exchange.short(span)
        if short then list[#list + 1] = "                       " .. text.clip(short, 200) end
      end
    end
  end
  return list
end

---@class itlua.report.anatomy_options
---@field run? table           the run_start event
---@field program? string
---@field sources? fun(path: string): string[]?   see anatomy.sources; without, no source is shown
---@field printed? string      what the test printed
---@field whole? boolean       bodies, rows and headers in full

--- The anatomy, a line each.
---@param record itlua.report.record
---@param options? itlua.report.anatomy_options
---@return string[]
function anatomy_text.of(record, options)
  options = options or {}
  local problem = record.event or {}
  local message, diff, position, curl = anatomy.message(record, options.whole)
  local lines = {}
  for _, line in ipairs(message) do lines[#lines + 1] = line end
  add(lines, nil, diff or {})
  if position then add(lines, nil, { "raised at " .. position }) end
  add(lines, "it waited:", wait_lines(record))
  add(lines, nil, source_lines(record, options.sources))
  add(lines, "timeline:", timeline_lines(record, options.whole))
  if options.printed and options.printed ~= "" then
    add(lines, "output:", text.lines(text.captured(options.printed, false)))
  end
  if record.kind == "error" then add(lines, "stack:", anatomy.stack(record)) end
  local said = anatomy.cause(record)
  if said then add(lines, nil, { "likely: " .. table.concat(said, "\n        ") }) end
  local footer = {}
  if record.randomseed then footer[1] = "shuffled with seed " .. record.randomseed end
  local again = anatomy.again(record, options.run, options.program)
  if again then footer[#footer + 1] = "again: " .. again end
  curl = curl or problem.curl
  if curl and curl ~= "" then footer[#footer + 1] = "request: " .. text.one_line(curl) end
  add(lines, nil, footer)
  return lines
end

return anatomy_text
