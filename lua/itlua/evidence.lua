--- What a failure may tell beyond its message, from those who know: a protocol offers, the spec engine asks. Neither knows
--- the other.
---     evidence.offer("curl", last_request_as_curl, forget_it)

local core = require "itlua.core"

---@class itlua.evidence
---@field any boolean     whether anything is offered
local evidence = { any = false }

local offers = {}

local aside = {} -- { from, to } in seconds of core.now(): what somebody did at a debugger's prompt
local fields     -- of the problem, from before the first of them

--- Offers a field of the problem event (event.lua).
---@param field string              "curl"
---@param tell fun(event: table): string?     what it is since the last `forget`; nil: nothing. It is told the event so far
---@param forget? fun()             a test begins
function evidence.offer(field, tell, forget)
  offers[#offers + 1] = { field = field, tell = tell, forget = forget }
  evidence.any = true
end

local storytellers = {}

--- Offers lines of the timeline that come from elsewhere: what a service has printed.
---@param tell fun(): table[]   { at = seconds of core.now(), seconds = 0, what =, detail = } since the last `forget`
---@param forget fun()          a test begins
function evidence.offer_spans(tell, forget)
  storytellers[#storytellers + 1] = tell
  evidence.offer("", function() end, forget)
end

--- All that is offered of them now. What fails while it is asked stays away.
---@return table[]
function evidence.spans()
  local list = {}
  for _, tell in ipairs(storytellers) do
    local ok, spans = pcall(tell)
    for _, span in ipairs(ok and spans or {}) do list[#list + 1] = span end
  end
  return list
end


local describers = {}

--- Says how plain data is made of what the timeline keeps with spans of a kind: for operations the frame that waited, as a
--- list, and `result` (see itlua.h); for spans of Lua whatever core.span was given. Asked only for what is reported.
---@param what string                  "http.request"
---@param describe fun(kept: any, span: table, brief?: boolean): table?   may set span.outcome and span.detail; brief: of a
---                                                            test that passed, without what can be made of the rest
function evidence.describe(what, describe)
  describers[what] = describe
  evidence.any = true
end

--- The plain data of a span; nil where there is none. What fails while it is asked stays away.
---@param span table     of core.timeline
---@param brief? boolean of a test that passed
---@return table?
function evidence.data_of(span, brief)
  local kept = span.data
  if kept == nil then return nil end
  local describe = describers[span.what]
  if not describe then return type(kept) == "table" and kept or nil end
  local ok, data = pcall(describe, kept, span, brief)
  return ok and type(data) == "table" and data or nil
end

--- From now on somebody else acts in the test's place, who is no evidence: until `go_on`.
function evidence.stand_still()
  if not fields then
    local before = {}
    evidence.add_to(before)
    fields = before
  end
  aside[#aside + 1] = { from = core.now(), to = math.huge }
end

--- The test goes on.
function evidence.go_on()
  aside[#aside].to = core.now()
end

--- Those of the spans that are the test's own.
---@param spans table[]
---@return table[]
function evidence.own(spans)
  if not aside[1] then return spans end
  local list = {}
  for _, span in ipairs(spans) do
    local own = true
    for _, one in ipairs(aside) do own = own and not (span.at >= one.from and span.at < one.to) end
    if own then list[#list + 1] = span end
  end
  return list
end

--- A test begins: what was before is no evidence of what comes.
function evidence.forget()
  aside, fields = {}, nil
  for _, offer in ipairs(offers) do
    if offer.forget then offer.forget() end
  end
end

--- Sets the fields of an event. What fails while it is asked stays away.
---@param event table
function evidence.add_to(event)
  if fields then
    for field, text in pairs(fields) do event[field] = text end
    return
  end
  for _, offer in ipairs(offers) do
    local ok, text = pcall(offer.tell, event)
    if ok and type(text) == "string" then event[offer.field] = text end
  end
end

return evidence
