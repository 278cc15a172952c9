--- What has happened in a test so far, on one clock: requests, statements, commands, captured events, lines of logs, in the
-- order in which they began. task.timeline() gives it, assert.happened asserts on it.

local core = require "itlua.core"
local evidence = require "itlua.evidence"
local run = require "itlua.run"
local trace = require "itlua.capture.trace"

local timeline = {}

timeline.HELD = 1024 -- operations that the core remembers (IT_SPANS)

---@class itlua.timeline.Entry
---@field at number         seconds since the test began
---@field seconds number    that it took
---@field what string       "http.request", "sql.query", "redis", "server", "events", a service's name, …
---@field detail string     to whom: "POST http://127.0.0.1:4711/orders"
---@field outcome string    what came of it: "201 (64 B)"
---@field data? table       what was sent and what came back, see itlua.event
---@field method? string    of HTTP
---@field path? string      of HTTP, without the query
---@field status? integer   of HTTP
---@field value any         of a captured event
---@field name? string      of a captured event: its capture's
---@field waits? boolean    the test's own waiting, nothing that happened

local waits = {
  wait_for = true, wait_for_count = true, expect_none = true, expect_once = true, expect_order = true,
  eventually = true, sleep = true, wait = true, ["task.join"] = true, ["task.first"] = true, ["task.drain"] = true,
}

-- ---- requests to a server of the test's own

-- Those that this very test sent are there already, as what it sent.
---@param spans table[]
---@return table[]
function timeline.without_echoes(spans)
  local sent = {}
  for _, span in ipairs(spans) do
    if span.what == "http.request" then sent[#sent + 1] = span end
  end
  if not sent[1] then return spans end
  local kept = {}
  for _, span in ipairs(spans) do
    local echo = false
    -- But not that a handler raised, or has not answered.
    for _, own in ipairs(span.echoes and tonumber(span.outcome) and sent or {}) do
      echo = echo or (own.detail == span.echoes and span.at >= own.at - 0.001 and span.at <= own.at + own.seconds + 0.001)
    end
    if not echo then kept[#kept + 1] = span end
  end
  return kept
end

-- ---- entries

local function request_of(entry)
  local method, target = entry.detail:match "^(%u+) %a+://[^/ ]*(%S*)"
  if not method then return end
  entry.method, entry.path = method, target:match "^[^?#]*"
  if entry.path == "" then entry.path = "/" end
  local response = entry.data and entry.data.response
  entry.status = response and response.status or math.tointeger(tonumber(entry.outcome:match "^%d%d%d"))
end

local function entry_of(span, began, order)
  local entry = {
    at = math.max(0, span.at - began), seconds = span.seconds, what = span.what, detail = tostring(span.detail or ""),
    data = evidence.data_of(span), waits = waits[span.what], order = order,
  }
  entry.outcome = tostring(span.outcome or "")
  if span.what == "http.request" or span.what == "server" then request_of(entry) end
  if span.what == "events" and entry.data then
    entry.value, entry.name = entry.data.value, entry.data.name
  end
  return entry
end

-- Records that are in no span: of a busy capture only the first are.
local function add_records(spans)
  local there = {}
  for _, span in ipairs(spans) do
    if span.what == "events" and span.data then there[span.data.name .. "\0" .. span.data.n] = true end
  end
  for _, one in ipairs(trace.captures()) do
    for _, record in ipairs(one.records) do
      if not there[one.name .. "\0" .. record.n] and record.at >= (run.began or 0) then
        spans[#spans + 1] = trace.span(one, record)
      end
    end
  end
end

--- All of the running test, in order; outside of a test all that is remembered.
---@return itlua.timeline.Entry[] entries, boolean whole     whole: nothing of the beginning is forgotten
function timeline.entries()
  local spans = core.timeline(run.since)
  local whole = #spans < timeline.HELD
  for _, span in ipairs(evidence.spans()) do spans[#spans + 1] = span end
  add_records(spans)
  spans = timeline.without_echoes(spans)
  local began = run.began
  for _, span in ipairs(not began and spans or {}) do began = math.min(began or math.huge, span.at) end
  local entries = {}
  for i, span in ipairs(spans) do entries[i] = entry_of(span, began or 0, i) end
  table.sort(entries, function(a, b)
    if a.at ~= b.at then return a.at < b.at end
    return a.order < b.order
  end)
  return entries, whole
end

return timeline
