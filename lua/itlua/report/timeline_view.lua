--- Prints the timeline of a failure for a terminal: a line an operation, what it sent and got below; whole under -v.

local exchange = require "itlua.report.exchange"
local repeats = require "itlua.report.repeats"
local text = require "itlua.report.text"

local timeline_view = {}

local max_spans = 15
local max_whole = 400 -- lines of one exchange, under -v

-- Outcomes that are no good news: what stands in red.
local bad = {
  "timeout", "TIMEOUT", "error", "refused", "REFUSED", "violat", "denied", "cancelled", "^still ", "^[45]%d%d%f[%D]",
  "^failed", "^no answer",
}

local function is_bad(outcome)
  for _, pattern in ipairs(bad) do
    if outcome:find(pattern) then return true end
  end
  return false
end

-- What an operation sent and got, below its line.
local function exchange_lines(view, span, indent, lines)
  local p = view.paint
  if not view.verbose then
    local short = exchange.short(span)
    if short then lines[#lines + 1] = indent .. p("dim", text.clip(short, math.max(12, view.columns - #indent - 4))) end
    return
  end
  local whole = exchange.whole(span)
  for i, line in ipairs(whole) do
    if i > max_whole then
      lines[#lines + 1] = indent .. p("dim", ("… %s more"):format(text.count(#whole - i + 1, "line")))
      return
    end
    lines[#lines + 1] = indent .. p("dim", line)
  end
end

-- One operation on two or three lines, where there is no room for columns.
local function narrow_span(view, span, lines)
  local p = view.paint
  lines[#lines + 1] = ("  %s  %s  %s"):format(p("dim", text.duration(span.at)), span.what,
    span.log and "" or p("dim", text.duration(span.seconds)))
  lines[#lines + 1] = "    " .. text.clip(span.detail, math.max(8, view.columns - 7))
  if span.outcome ~= "" then lines[#lines + 1] = "    → " .. text.clip(span.outcome, math.max(8, view.columns - 9)) end
end

-- One operation on a line: when, what, to whom and what came of it in `room` columns, how long it took.
local function wide_span(view, span, what_width, room, lines)
  local p = view.paint
  local what = text.pad(text.clip(span.what, what_width), what_width)
  local at, took = text.pad(text.duration(span.at), 9, true), text.pad(text.duration(span.seconds), 8, true)
  if span.log then
    local said = view.verbose and span.detail or text.clip(span.detail, room + 9)
    lines[#lines + 1] = ("%s  %s  %s"):format(p("dim", at), p("cyan", what), said)
    return
  end
  local detail, tail = span.detail, span.outcome ~= "" and " → " .. span.outcome or ""
  -- What came of it matters more than the end of a long URL.
  detail = text.clip(detail, math.max(8, room // 2, room - text.width(tail)))
  tail = text.clip(tail, math.max(0, room - text.width(detail)))
  local shown = text.pad(detail .. tail, room)
  if tail ~= "" and is_bad(span.outcome) then shown = detail .. p("red", tail) .. shown:sub(#detail + #tail + 1) end
  lines[#lines + 1] = ("%s  %s  %s %s"):format(p("dim", at), what, shown, p("dim", took))
  exchange_lines(view, span, (" "):rep(11 + what_width + 2), lines)
end

--- Adds a timeline to the lines of a failure; nothing where nothing happened.
---@param view itlua.report.view
---@param spans itlua.report.span[]     see anatomy.timeline
---@param lines string[]
function timeline_view.add(view, spans, lines)
  local p = view.paint
  if #spans == 0 then return end
  if not view.verbose then spans = repeats.folded(spans) end
  local first = view.verbose and 1 or math.max(1, #spans - max_spans + 1)
  lines[#lines + 1] = ""
  local earlier = first > 1 and ("   (%d earlier, with -v)"):format(first - 1) or ""
  lines[#lines + 1] = p("dim", "timeline" .. earlier)
  local what_width = 4
  for i = first, #spans do what_width = math.max(what_width, math.min(12, text.width(spans[i].what or ""))) end
  local room = math.max(8, view.columns - 2 - 11 - what_width - 2 - 10)
  for i = first, #spans do
    local span = spans[i]
    if span.times then
      local at = view.columns < 44 and "  " or text.pad(text.duration(span.at), 9, true) .. "  "
      local took = view.columns < 44 and "" or " " .. text.pad(text.duration(span.seconds), 8, true)
      local words = repeats.words(span)
      lines[#lines + 1] = p("dim", at .. (took ~= "" and text.pad(words, what_width + 2 + room) or words) .. took)
    elseif view.columns < 44 then
      narrow_span(view, span, lines)
    else
      wide_span(view, span, what_width, room, lines)
    end
  end
end

return timeline_view
