--- Captures: a record on one line, and in the timeline.

local core = require "itlua.core"
local run = require "itlua.run"
local show = require "itlua.show"

local trace = {}

local SPANS <const> = 40 -- of one capture in the core's timeline, which is small

--- Where it stood: "orders[0]@17 key=c-1".
---@return string
function trace.place(record)
  if record.place then return record.place end
  local parts = {}
  if record.topic then
    parts[1] = record.partition and ("%s[%d]"):format(record.topic, record.partition) or record.topic
    if record.offset then parts[1] = parts[1] .. "@" .. record.offset end
  elseif record.channel then
    parts[1] = record.channel
  end
  if record.id and record.id ~= "" then parts[#parts + 1] = tostring(record.id) end
  if record.key ~= nil then parts[#parts + 1] = "key=" .. show.cut(show.escape(tostring(record.key)), 60) end
  return table.concat(parts, " ")
end

-- What it says, on one line.
local function content(record, limit)
  if record.line then
    local text = show.escape(show.cut(record.line, limit)):gsub('\\(["\\])', "%1") .. (#record.line > limit and "…" or "")
    return (record.stream == "stderr" and "stderr  " or "") .. text
  end
  return show.value(record.value, limit)
end

--- A record on one line, with the capture's name where the record does not say where it comes from.
---@param self itlua.capture
---@param record itlua.capture.Record
---@param limit integer     bytes of the value
---@return string
function trace.line(self, record, limit)
  local where = trace.place(record)
  if where == "" then
    where = self.name
  elseif not record.place and not record.topic and not record.channel then
    where = self.name .. " " .. where
  end
  return where .. "  " .. content(record, limit)
end

--- What reports show of a record beside its line.
function trace.data(self, record)
  local data = { source = self.source.what, name = self.name, n = record.n, value = record.value }
  for _, field in ipairs { "topic", "partition", "offset", "key", "headers", "channel", "id", "line", "stream" } do
    local value = record[field]
    if type(value) ~= "userdata" then data[field] = value end
  end
  return data
end

--- The same among others of its capture.
function trace.short_line(record, limit)
  local where = trace.place(record)
  return (where ~= "" and where .. "  " or "") .. content(record, limit)
end

-- ---- the timeline

local function outcome(self)
  return self.spans == SPANS and "captured; the next are not shown here" or "captured"
end

--- Puts a record into the timeline; of a busy capture only the first.
function trace.add(self, record)
  if self.spans > SPANS then return end
  local span = core.span("events", trace.line(self, record, 120), trace.data(self, record))
  core.span_end(span, outcome(self))
  self.spans = self.spans + 1
end

--- A record as a line of a timeline, for those that trace.add left out.
function trace.span(self, record)
  return { at = record.at, seconds = 0, what = "events", detail = trace.line(self, record, 120), outcome = "captured",
    data = trace.data(self, record) }
end

local captures = {} -- those of the running test, and those that are open

--- A capture begins.
function trace.began(self)
  local kept = { self }
  for _, one in ipairs(captures) do
    if not one.closed or one.test == run.since then kept[#kept + 1] = one end
  end
  self.test, captures = run.since, kept
end

--- The captures that may have seen something during the running test.
---@return itlua.capture[]
function trace.captures()
  return captures
end

return trace
