--- The timeline of a test for its events: the spans since a mark, with their data as plain values of bounded size, as JSON.

local core = require "itlua.core"
local evidence = require "itlua.evidence"
local json = require "itlua.json"

local timeline = {}

local null = json.null

-- Bytes of one text, and of all data of a timeline.
local limits = { failed = { text = 64 << 10, all = 1 << 20 }, fine = { text = 4 << 10, all = 64 << 10 } }
local DEPTH, WIDTH = 8, 100 -- of tables; a list goes on after that many with a word about it

local function escape(bad) return ("\\x%02X"):format(bad:byte()) end

-- Valid UTF-8: what is none is shown byte by byte.
local function valid(s)
  local length, bad = utf8.len(s)
  if length then return s end
  local parts, from = {}, 1
  while not length do
    parts[#parts + 1] = s:sub(from, bad - 1)
    parts[#parts + 1] = escape(s:sub(bad, bad))
    from = bad + 1
    length, bad = utf8.len(s, from)
  end
  parts[#parts + 1] = s:sub(from)
  return table.concat(parts)
end

local function text_of(s, budget)
  local kept = s
  if #s > budget.text then
    local at = budget.text
    while at > 0 and (s:byte(at + 1) or 0) & 0xC0 == 0x80 do at = at - 1 end
    kept = ("%s… [%d of %d bytes]"):format(valid(s:sub(1, at)), at, #s)
  else
    kept = valid(kept)
  end
  budget.used = budget.used + #kept
  return kept
end

local plain

local function plain_list(value, n, budget, depth)
  local list = {}
  for i = 1, math.min(n, WIDTH) do
    local item = plain(value[i], budget, depth)
    list[i] = item == nil and null or item
  end
  if n > WIDTH then list[WIDTH + 1] = ("… %d more"):format(n - WIDTH) end
  return json.array(list)
end

local function plain_table(value, budget, depth)
  if depth > DEPTH then return "…" end
  local n = rawlen(value)
  if n > 0 then return plain_list(value, n, budget, depth + 1) end
  if json.is_array(value) then return json.array {} end
  local object, fields = {}, 0
  for key, item in next, value do
    local kind = type(key)
    if kind == "string" or kind == "number" then
      fields = fields + 1
      if fields > WIDTH then
        object["…"] = "and more"
        break
      end
      object[text_of(tostring(key), budget)] = plain(item, budget, depth + 1)
    end
  end
  return object
end

function plain(value, budget, depth)
  local kind = type(value)
  if kind == "string" then return text_of(value, budget) end
  if kind == "boolean" then return value end
  if kind == "number" then
    if value ~= value or value == math.huge or value == -math.huge then return tostring(value) end
    return value
  end
  if value == null then return null end
  if budget.used > budget.all then return "[left out: too much data]" end
  if kind == "table" then
    local mt = debug.getmetatable(value)
    if mt and mt.__tostring and rawlen(value) == 0 then return text_of(tostring(value), budget) end
    return plain_table(value, budget, depth)
  end
  if kind == "userdata" then return text_of(tostring(value), budget) end
end

--- As JSON: an array of {at, seconds, what, detail, outcome, data}; nil where nothing happened.
---@param since? integer     of core.mark
---@param fine? integer      of a test that passed: less is kept, and no data where this is not above 0
---@return string?
function timeline.json(since, fine)
  local spans = core.timeline(since)
  if not fine then -- what has to be asked for is for failures
    for _, span in ipairs(evidence.spans()) do spans[#spans + 1] = span end
  end
  spans = evidence.own(spans)
  if not spans[1] then return nil end
  spans = require("itlua.timeline").without_echoes(spans)
  local limit = fine and limits.fine or limits.failed
  local budget = { text = limit.text, all = limit.all, used = 0 }
  -- What came last is what a failure is about: the bytes are its own first.
  for i = #spans, 1, -1 do
    local span = spans[i]
    local data
    if not fine or fine > 0 then data = evidence.data_of(span, fine ~= nil) end
    span.echoes = nil
    span.data = data and plain(data, budget, 1)
    span.detail, span.outcome = valid(tostring(span.detail or "")), valid(tostring(span.outcome or ""))
  end
  local ok, text = pcall(json.encode, spans)
  return ok and text or nil
end

return timeline
