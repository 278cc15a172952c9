--- Captures: what a source of events has sent since the capture began, and proof of what it has not sent. Every source
-- (Kafka, Redis, NOTIFY, server-sent events, webhooks, log lines, the changes of a table) makes its captures here:
--
--     local created <close> = bus:capture "orders.created"      -- from now on: never an older record
--     local event = created:wait_for({ order_id = 7 }, { timeout = 5 })
--     created:expect_none({ order_id = 8 }, { fence = true })
--
-- A match is a part of the record's value (a table; its fields may be matchers and functions), a scalar that the value
-- or its text equals (of a line that was printed, a Lua pattern), a luassert matcher of the value, or a function of the
-- record; capture.record{…} is a part of the whole record (its key, headers, topic). A source pushes records, or is read
-- by a task of the capture's own, so that what comes is seen, and stands in the timeline, when it comes.

local closing = require "itlua.closing"
local core = require "itlua.core"
local json = require "itlua.json"
local match = require "itlua.match"
local matching = require "itlua.capture.matching"
local order = require "itlua.capture.order"
local show = require "itlua.show"
local story = require "itlua.capture.story"
local trace = require "itlua.capture.trace"
local wait = require "itlua.capture.wait"

local capture = {}

local DEFAULT_LIMIT <const> = 200000 -- records held
local DEFAULT_BYTES <const> = 256 << 20 -- of their texts

---@class itlua.capture.Record
---@field value any         decoded
---@field at number         when it was seen, in seconds of the timeline's clock
---@field n integer         its number in the capture
---@field topic? string     these and others are the source's
---@field partition? integer
---@field offset? integer
---@field key? string
---@field headers? table
---@field channel? string
---@field id? string
---@field payload? string   the bytes that the value was made of
---@field line? string      of something printed: strings that it is to match are patterns

---@class itlua.capture.Source   what a source of events provides: a name, the rest as it can
---@field name string       "orders.created": in messages, in the timeline
---@field what? string      "kafka": whose it is
---@field receive? fun(source: table): table?   waits for the next record, or a list of them; nil: nothing will ever come
---    again. Called by a task of the capture's. Without it the source calls capture:push(record)
---@field readers? (fun(source: table): table?)[]   instead, where it has several ends to read: each in a task
---@field progress? fun(source: table): string[]   how far each partition or stream was read, a line each
---@field fence? fun(source: table, point: any): string   waits until all that was sent before now has been read and
---    pushed, and says up to where that was. `point` is what expect_none was given, true where it is left to the source
---@field close? fun(source: table)
---@field capture? itlua.capture   set by capture.new

---@class itlua.capture.Options
---@field filter? any       a match: what does not is not kept
---@field check? fun(value: any, record: itlua.capture.Record): any, string?   of every value kept: raises, or returns
---    false and what is wrong with it
---@field name? string     in messages, instead of the source's
---@field limit? integer    records held at most, 200,000: one more is an error
---@field max_bytes? integer    that their texts may have together, 256 MiB

---@class itlua.capture
---@field source itlua.capture.Source
---@field name string
---@field private records itlua.capture.Record[]
local Capture = { __name = "itlua.capture" }
Capture.__index = Capture

--- What is expected of a whole record instead of its value: capture.record { key = "c-1", value = { … } }.
capture.record = matching.record

--- The value of a text: what its JSON says, else the text. For sources.
---@param text string
---@return any
function capture.decode(text)
  if not text:find "^%s*[%[{\"%d%-tfn]" then return text end
  local ok, value = pcall(json.decode, text)
  if ok then return value end
  return text
end

-- ---- what comes

local checks = {}

--- Calls `fn(record, capture)` for every record that any capture keeps: the place for contracts of events. What it
--- raises, the capture's next method raises.
---@param fn fun(record: itlua.capture.Record, capture: itlua.capture)
function capture.on_record(fn)
  checks[#checks + 1] = fn
end

local function check(self, record)
  local own = self.check
  if own then
    local ok, problem = own(record.value, record)
    if ok == false then error(problem or "the check said no", 0) end
  end
  for _, fn in ipairs(checks) do fn(record, self) end
end

--- Nothing more will come, for a reason: what waits raises it.
---@param err any
function Capture:fail(err)
  if self.failure == nil and not self.closed then self.failure = err end
  self.bell:ring()
end

--- Nothing more will come, as it should be: the program has ended, the stream is over.
function Capture:finish()
  self.complete = true
  self.bell:ring()
end

--- Something was read that is no record: for sources, where a fence waits for it.
function Capture:advance()
  self.bell:ring()
end

--- Waits, as long as the caller may, until `look()` is true; it is asked again after each record and each advance. For
--- fences of sources.
---@param look fun(): any
---@return any what look returned
function Capture:await(look)
  while true do
    local found = look()
    if found then return found end
    wait.check_source(self)
    if self.complete then return nil end
    self.bell:wait()
  end
end

--- Adds a record: for sources.
---@param record itlua.capture.Record     at least a value
function Capture:push(record)
  if self.closed or self.failure ~= nil then return end
  record.at = record.at or core.now()
  if self.filter ~= nil then
    local ok, wanted = pcall(matching.fits, self.filter, record)
    if not ok then return self:fail(wanted) end
    if not wanted then
      self.passed = self.passed + 1
      return self.bell:ring()
    end
  end
  local records, bytes = self.records, self.bytes + #(record.payload or record.line or "")
  if #records >= self.limit or bytes > self.max_bytes then
    return self:fail(core.error_new("usage", "LIMIT", ("the capture of %s holds %d records (%d bytes), its limit, and more "
      .. "came: give it a filter, call clear() between steps, or raise the option %s"):format(self.name, #records,
      self.bytes, bytes > self.max_bytes and "max_bytes" or "limit")))
  end
  self.bytes = bytes
  self.count = self.count + 1
  record.n = self.count
  records[#records + 1] = record
  trace.add(self, record)
  if self.check or checks[1] then
    local ok, problem = pcall(check, self, record)
    if not ok and self.refused == nil then
      self.refused = { record = record, problem = problem }
    end
  end
  self.bell:ring()
end

local function pump(self, receive)
  local source = self.source
  local ok, err = pcall(function()
    while not self.closed do
      local before = core.silence(true) -- what it waits for is nothing that a test did
      local came = receive(source)
      core.silence(before)
      if came == nil then
        self.reading = self.reading - 1
        return self.reading == 0 and self:finish()
      end
      if came.value ~= nil then
        self:push(came)
      else
        for _, record in ipairs(came) do self:push(record) end
      end
      if self.failure ~= nil then return end
    end
  end)
  if ok or self.closed then return end
  if core.is_error(err) == "cancelled" then return self:close() end -- its test has ended
  self:fail(err)
end

--- A capture of a source.
---@param source itlua.capture.Source
---@param options? itlua.capture.Options
---@return itlua.capture
function capture.new(source, options)
  options = options or {}
  local limit, max_bytes = options.limit or DEFAULT_LIMIT, options.max_bytes or DEFAULT_BYTES
  for name, value in pairs { limit = limit, max_bytes = max_bytes } do
    if math.type(value) ~= "integer" or value < 1 then
      core.usage(("%s is how much a capture may hold, not %s"):format(name, show.value(value)))
    end
  end
  if options.check ~= nil and not match.is_callable(options.check) then
    core.usage("check is a function of the value, not " .. show.value(options.check))
  end
  matching.check("filter", options.filter)
  local self = setmetatable({
    source = source, name = options.name or source.name, filter = options.filter, check = options.check, limit = limit,
    max_bytes = max_bytes, bytes = 0,
    tasks = {}, records = {}, taken = {}, marker = {}, head = 1, count = 0, passed = 0, spans = 0,
    bell = core.bell(), began = core.now(),
  }, Capture)
  source.capture = self
  trace.began(self)
  self.lease = closing.add("capture of " .. self.name, 1, function() self:close() end, true)
  local readers = source.readers or { source.receive }
  self.reading = #readers
  for i, receive in ipairs(readers) do self.tasks[i] = core.daemon(pump, self, receive) end
  return self
end

-- ---- waiting

local function check_call(self, name, options)
  if self.closed then core.usage(("the capture of %s is closed"):format(self.name)) end
  wait.check_options(options, name)
end

--- Waits for a record that matches and that no earlier wait_for has returned, and returns it. A timeout shows what did
--- arrive, how the nearest of it differs, and how far the source was read.
---@param wanted any     a match (see the head of this file); nil: any
---@param options? { timeout?: number } seconds; 5
---@return itlua.capture.Record
function Capture:wait_for(wanted, options)
  check_call(self, "wait_for", options)
  matching.check("wait_for", wanted)
  local timeout = wait.seconds(options, "timeout", 5, "wait_for")
  return (wait.spanned(self, "wait_for", matching.words(wanted), function()
    local next_record = wait.unseen(self, true)
    local record = wait.await(self, timeout, function()
      for record in next_record do
        if not self.taken[record] and matching.fits(wanted, record) and not self.taken[record] then return record end
      end
    end)
    if not record then story.none_came(self, wanted, timeout) end
    self.taken[record] = true
    return record
  end))
end

--- Waits until `count` records that match have come, counted from the beginning, and returns all that match.
---@param count integer
---@param options? { timeout?: number, match?: any } seconds; 5
---@return itlua.capture.Record[]
function Capture:wait_for_count(count, options)
  check_call(self, "wait_for_count", options)
  if math.type(count) ~= "integer" or count < 0 then
    core.usage("wait_for_count needs how many, not " .. show.value(count))
  end
  local wanted, timeout = options and options.match, wait.seconds(options, "timeout", 5, "wait_for_count")
  matching.check("wait_for_count", wanted)
  return (wait.spanned(self, "wait_for_count", ("%d × %s"):format(count, matching.words(wanted)), function()
    local next_record, list, all = wait.unseen(self), {}, nil
    local enough = wait.await(self, timeout, function()
      if all ~= self.records then list, all = {}, self.records end
      for record in next_record do
        if matching.fits(wanted, record) then list[#list + 1] = record end
      end
      return #list >= count
    end)
    if not enough then story.too_few(self, wanted, timeout, #list, count) end
    return list, #list .. " came"
  end))
end

--- The records that have come and match, in order.
---@param wanted? any     all if nil
---@return itlua.capture.Record[]
function Capture:events(wanted)
  matching.check("events", wanted)
  wait.check_records(self)
  local list = {}
  for _, record in ipairs(self.records) do
    if matching.fits(wanted, record) then list[#list + 1] = record end
  end
  return list
end

--- Forgets what has come so far.
function Capture:clear()
  wait.check_records(self)
  self.records, self.taken, self.marker, self.head, self.bytes = {}, {}, {}, 1, 0
end

-- ---- what is not to come

--- Makes sure that nothing that matches has come. With a fence it ends when the source has been read up to a point that
--- lies after everything sent before: true is the source's own fence, a function is called first (its result may be
--- the point), { marker = match } is a record that is sent after the action. Without, a source that can makes a fence,
--- and any other is watched for a time, which the timeline says and a failure, too.
---@param wanted? any
---@param options? { fence?: any, within?: number, timeout?: number } seconds; 1, and 10 for the fence
---@return string how     it is known
function Capture:expect_none(wanted, options)
  check_call(self, "expect_none", options)
  matching.check("expect_none", wanted)
  return (wait.spanned(self, "expect_none", matching.words(wanted), function()
    local next_record, found = wait.unseen(self), nil
    local function hit()
      for record in next_record do
        if not self.marker[record] and matching.fits(wanted, record) then
          found = record
          return true
        end
      end
    end
    local how = not hit() and wait.settle(self, "expect_none", options, hit)
    if not found then hit() end
    wait.check_source(self)
    if found then story.some_came(self, wanted, found) end
    return how, "none " .. how
  end))
end

--- Makes sure that exactly one record that matches has come: waits for it, then looks for duplicates as far as
--- expect_none would.
---@param wanted any
---@param options? { timeout?: number, fence?: any, within?: number } seconds; 5 (for the first), 1
---@return itlua.capture.Record
function Capture:expect_once(wanted, options)
  check_call(self, "expect_once", options)
  matching.check("expect_once", wanted)
  local timeout = wait.seconds(options, "timeout", 5, "expect_once")
  return (wait.spanned(self, "expect_once", matching.words(wanted), function()
    local next_record, list = wait.unseen(self), {}
    local function look(enough)
      return function()
        for record in next_record do
          if not self.marker[record] and matching.fits(wanted, record) then list[#list + 1] = record end
        end
        return #list >= enough
      end
    end
    if not wait.await(self, timeout, look(1)) then story.none_came(self, wanted, timeout) end
    local how = wait.settle(self, "expect_once", { fence = options and options.fence, within = options and options.within },
      look(2))
    look(2)()
    if #list > 1 then story.duplicates(self, wanted, list) end
    self.taken[list[1]] = true
    return list[1], "once " .. how
  end))
end

--- Waits until records that match have come in this order, others between them allowed: over all (by nil), or for every
--- key or partition by itself (by "key", "partition", or a function of the record). A later one that comes too early
--- fails at once. By key it waits for the rest of every key that has begun, and for those that `groups` names.
---@param list any[]     matches
---@param options? { by?: string|fun(record: itlua.capture.Record): any, groups?: any[], timeout?: number } seconds; 5
---@return itlua.capture.Record[]|table<any, itlua.capture.Record[]>     those that matched; by key where `by` is given
function Capture:expect_order(list, options)
  check_call(self, "expect_order", options)
  local groups = options and options.groups
  local by = order.check(list, options and options.by, groups)
  for _, wanted in ipairs(list) do matching.check("expect_order", wanted) end
  local timeout = wait.seconds(options, "timeout", 5, "expect_order")
  return (wait.spanned(self, "expect_order", ("%d in a row"):format(#list), function()
    local next_record, progress = wait.unseen(self), order.new(list, by, groups)
    local done = wait.await(self, timeout, function()
      for record in next_record do
        if progress:see(record) then return "broken" end
      end
      return progress:complete()
    end)
    if done ~= true then story.out_of_order(self, progress, timeout) end
    return progress:result(), "in order"
  end))
end

-- ---- the end

--- Ends it; what has come can still be read by events().
function Capture:close()
  if self.closed then return end
  self.closed = true
  closing.done(self.lease)
  for _, handle in ipairs(self.tasks) do core.cancel(handle, "the capture was closed") end
  if self.source.close then self.source:close() end
  self.bell:ring()
  wait.check_records(self)
end

Capture.__close = Capture.close

function Capture:__tostring()
  return ("capture of %s, %d record%s%s"):format(self.name, #self.records, #self.records == 1 and "" or "s",
    self.closed and " (closed)" or self.failure ~= nil and " (lost)" or self.complete and " (ended)" or "")
end

return capture
