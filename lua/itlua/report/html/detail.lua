--- What the page shows of one test beyond its row, as JSON: problems, timeline, output, earlier attempts.
-- Keys are short because there may be thousands; html/data.js names them.

local anatomy = require "itlua.report.anatomy"
local json_text = require "itlua.report.json_text"
local plain_text = require "itlua.report.plain_text"
local results = require "itlua.report.results"
local text = require "itlua.report.text"

local detail = {}

local quote = json_text.string

local function visible(s)
  if s:find "[\0-\8\11-\31\127-\255]" then return text.visible(s) end
  return s
end

local function shown(s) return quote(visible(s)) end

local function lines_of(lines) return quote(table.concat(lines, "\n")) end

local function decode(json)
  local ok, value = pcall(require("itlua.json").decode, json)
  return ok and type(value) == "table" and value or nil
end

-- Any value as JSON; itlua.json's null is no table of ours.
local function any(value)
  local kind = type(value)
  if kind == "string" then return shown(value) end
  if kind == "table" then
    local parts = {}
    if value[1] ~= nil or next(value) == nil then
      for i = 1, #value do parts[i] = any(value[i]) end
      return "[" .. table.concat(parts, ",") .. "]"
    end
    for key, one in pairs(value) do parts[#parts + 1] = shown(tostring(key)) .. ":" .. any(one) end
    table.sort(parts)
    return "{" .. table.concat(parts, ",") .. "}"
  end
  if math.type(value) == "integer" and (value > 9007199254740991 or value < -9007199254740991) then
    return quote(tostring(value)) -- a browser would round it
  end
  return json_text.encode(value)
end

local encode = require("itlua.json").encode

-- The same by the C encoder, where nothing in it needs our care: bytes that are no text, escapes, text that turns its
-- direction, numbers that a browser would round.
local function quickly(value)
  local ok, json = pcall(encode, value)
  if not ok or json:find("\\u", 1, true) or json:find "\xE2[\x80\x81]" or
    json:find "%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d" then
    return any(value)
  end
  return json
end

-- ---- the timeline

local function milliseconds(seconds)
  local n = (tonumber(seconds) or 0) * 1000
  return n > -1e15 and n < 1e15 and ("%.4g"):format(n) or "0"
end

-- What still went on when a test failed stands last in the events.
local function by_time(spans)
  local list = {}
  for i, span in ipairs(spans) do
    if type(span) == "table" then
      span.order = i
      list[#list + 1] = span
    end
  end
  table.sort(list, function(a, b)
    local a_at, b_at = tonumber(a.at) or 0, tonumber(b.at) or 0
    if a_at ~= b_at then return a_at < b_at end
    return a.order < b.order
  end)
  return list
end

-- Spans as arrays: at, took, what, detail, outcome, data (1: a line that a service printed); texts are numbers of
-- strings that many tests share.
---@param page table
---@param json string
---@param with_data boolean
---@return string?
function detail.timeline(page, json, with_data)
  local spans = decode(json)
  if not spans then return nil end
  local start, latest, in_order = math.huge, -math.huge, true
  for _, span in ipairs(spans) do
    local at = type(span) == "table" and tonumber(span.at)
    if at then
      if at < start then start = at end
      if at < latest then in_order = false end
      latest = at
    end
  end
  if not in_order then spans = by_time(spans) end
  local parts, n = {}, 0
  for _, span in ipairs(spans) do
    if type(span) == "table" then
      local data = span.log == true and "1"
      if not data and with_data and type(span.data) == "table" then data = quickly(span.data) end
      n = n + 1
      parts[n] = ("[%s,%s,%d,%d,%d%s]"):format(milliseconds((tonumber(span.at) or start) - start),
        milliseconds(span.seconds),
        page:shared(tostring(span.what or "")), page:shared(tostring(span.detail or "")),
        page:shared(tostring(span.outcome or "")), data and "," .. data or "")
    end
  end
  return n > 0 and "[" .. table.concat(parts, ",") .. "]" or nil
end

-- ---- problems

local function source_of(page, record)
  local lines = anatomy.source(record, page.sources, 5)
  if not lines then return nil end
  local parts = {}
  for i, line in ipairs(lines) do
    parts[i] = ("[%d,%s%s]"):format(line.number, quote(line.code), line.here and ",1" or "")
  end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function waits_of(record)
  local parts = {}
  for i, wait in ipairs(anatomy.waits(record)) do
    parts[i] = ("[%s,%s,%s,%s%s]"):format(quote(wait.where), quote(wait.what), quote(wait.detail),
      milliseconds(wait.seconds),
      wait.spawned and wait.spawned ~= wait.where and "," .. quote(wait.spawned) or "")
  end
  return #parts > 0 and "[" .. table.concat(parts, ",") .. "]"
end

local function problem(page, record, run)
  local event = record.event or {}
  local message, diff, position, curl = anatomy.message(record)
  local whole = visible(record.message or "")
  local said = table.concat(message, "\n")
  local stack = anatomy.stack(record)
  local again = anatomy.again(record, run, page.program)
  local file, line = anatomy.place(record)
  curl = event.curl or curl
  local parts = { '"k":' .. quote(record.kind), '"m":' .. quote(said) }
  local function add(key, value)
    if value and value ~= "" then parts[#parts + 1] = '"' .. key .. '":' .. value end
  end
  if record.is_test and record.where ~= "it" and record.where ~= "pending" then add("w", quote(record.where or "")) end
  add("f", diff and lines_of(diff))
  add("full", #whole > #said + 80 and quote(whole))
  add("pos", position and shown(position))
  add("at", file and line and shown(("%s:%d"):format(file, line)))
  add("wait", waits_of(record))
  add("src", source_of(page, record))
  add("tb", #stack > 0 and lines_of(stack))
  add("e", event.error_kind and shown(event.error_kind .. (event.error_code and " " .. event.error_code or "")))
  add("c", event.cause and shown(event.cause))
  add("ck", event.cause_key and shown(event.cause_key))
  add("curl", curl and curl ~= "" and shown(text.one_line(curl)))
  add("again", again and shown(again))
  add("nr", event.not_run and shown(event.not_run))
  add("seed", record.randomseed and tostring(record.randomseed))
  return "{" .. table.concat(parts, ",") .. "}"
end

local function logs_of(logs)
  local names, parts = {}, {}
  for name in pairs(logs) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do
    parts[i] = shown(name) .. ":" .. quote(text.captured(logs[name]:text(), true))
  end
  return "{" .. table.concat(parts, ",") .. "}"
end
detail.logs = logs_of

--- The detail of a result, or nil where the row says all of it.
---@param page table
---@param result itlua.report.result
---@param with_data boolean      bodies of requests and the like
---@return string?
function detail.of(page, result, with_data)
  local parts = {}
  local function add(key, value)
    if value then parts[#parts + 1] = '"' .. key .. '":' .. value end
  end
  local timeline = result.timeline
  if #result.records > 0 then
    local problems = {}
    for i, record in ipairs(result.records) do
      problems[i] = problem(page, record, result.run)
      local own = record.event and record.event.timeline
      if own and #own > #(timeline or "") then timeline = own end
    end
    add("p", "[" .. table.concat(problems, ",") .. "]")
  end
  if timeline and timeline ~= "" then add("tl", detail.timeline(page, timeline, with_data)) end
  if result.printed and not result.printed:empty() then
    add("out", quote(text.captured(result.printed:text(), true)))
  end
  if result.logs then add("logs", logs_of(result.logs)) end
  if result.left then add("left", shown(result.left)) end
  if result.pending and result.pending ~= "" then add("pend", shown(result.pending)) end
  if result.attempts then
    local list = {}
    for i, attempt in ipairs(result.attempts) do
      local said = detail.of(page, attempt, with_data) or "{}"
      list[i] = ('{"ms":%s,"s":%s,"d":%s}'):format(milliseconds(attempt.seconds), quote(attempt.status), said)
    end
    add("att", "[" .. table.concat(list, ",") .. "]")
  end
  if result.is_test and results.failed(result) and #result.records == 0 then add("p",
    '[{"k":"error","m":"no details"}]') end
  return #parts > 0 and "{" .. table.concat(parts, ",") .. "}" or nil
end

--- As little as there can be of a result that failed.
---@param result itlua.report.result
---@return string
function detail.short(result)
  local first = results.first(result) or results.first((result.attempts or {})[1] or result)
  local event = first and first.event or {}
  return ('{"p":[{"k":%s,"m":%s%s}],"cut":1}'):format(quote(first and first.kind or "error"),
    first and quote(plain_text.summary(first)) or '"no details"', event.cause_key and ',"ck":' .. shown(event.cause_key) or "")
end

return detail
