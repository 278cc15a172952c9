--- What busted's `outputHandlers.base` keeps, as a function of events: successes, pendings, failures, errors, counts.
-- Every reporter that prints busted's formats has one and asks it what an event came to.

local tally = {}

---@class itlua.report.record     one line of a report's lists
---@field kind "success"|"pending"|"failure"|"error"
---@field name string            full name, as busted prints it
---@field where string           "it", or the hook's, block's or file's descriptor
---@field is_test boolean        it belongs to a test
---@field source? string         short_src of "@ line"; nil where there is no place to name
---@field line? integer
---@field message? string
---@field traceback? string
---@field randomseed? integer    the children of the surrounding block were shuffled with it
---@field raised_source? string  where the message came from
---@field raised_line? integer
---@field test? table            the test_start event
---@field event? table           the problem event
---@field seconds? number
---@field before? table          the problem of an earlier attempt, of a test that is flaky

local Tally = {}
Tally.__index = Tally

-- The short form that Lua gives a file's name in messages (LUA_IDSIZE 60).
local function short_src(file)
  if #file > 59 then return "..." .. file:sub(-56) end
  return file
end
tally.short_src = short_src

--- A traceback as busted prints it behind a message: an empty line, then "stack traceback:".
---@param text string
---@return string
function tally.traceback(text)
  return "\n" .. text:gsub("^%s+", "")
end

---@param opts? {suppress_pending?: boolean, keep_successes?: boolean}
function tally.new(opts)
  opts = opts or {}
  local self = setmetatable({
    suppress_pending = opts.suppress_pending or opts["suppress-pending"] or false,
    keep_successes = opts.keep_successes or false,
  }, Tally)
  self:reset()
  return self
end

function Tally:reset()
  self.successes, self.pendings, self.failures, self.errors, self.flaky = {}, {}, {}, {}, {}
  self.success_count, self.pending_count, self.failure_count, self.error_count = 0, 0, 0, 0
  self.file_count = 0
  self.running = {} -- file -> id -> {start = test_start, pending = problem}
  self.blocks = {} -- file -> id -> block_start
  self.seconds = 0
end

local handlers = {}

function handlers.run_start(self, ev)
  if (ev.run or 1) > 1 then self:reset() end
  self.run = ev
end

function handlers.file_start(self, ev)
  self.running[ev.file], self.blocks[ev.file] = {}, {}
end

function handlers.block_start(self, ev)
  local blocks = self.blocks[ev.file]
  if blocks then blocks[ev.id] = ev end
end

-- The seed of the block around an element, where its children were shuffled.
local function seed_of(self, ev, start)
  if ev.randomseed then return ev.randomseed end
  if start and start.randomseed then return start.randomseed end
  local blocks = self.blocks[ev.file]
  local block = blocks and blocks[start and start.block or ev.block or 0]
  return block and block.randomseed
end

function handlers.test_start(self, ev)
  if self.suppress_pending and ev.kind == "pending" then return nil end
  local running = self.running[ev.file]
  if not running then
    running = {}
    self.running[ev.file] = running
  end
  local again = running[ev.id]
  if again then -- another attempt is still the same test
    again.start, again.pending = ev, nil
    return nil
  end
  running[ev.id] = { start = ev }
  return ev
end

function handlers.test_end(self, ev)
  if ev.retried or (ev.status == "pending" and self.suppress_pending) then return nil end
  local running = self.running[ev.file]
  local entry = running and running[ev.id] or {}
  if running then running[ev.id] = nil end
  local start = entry.start or { name = "?", line = 0, file = ev.file }
  local record = {
    kind = ev.status, name = start.name, where = start.kind or "it", is_test = true,
    source = short_src(start.source or ev.file), line = start.line, seconds = ev.seconds,
    test = start, randomseed = seed_of(self, ev, start), ended = ev, before = entry.before,
  }
  if ev.status == "success" then
    self.success_count = self.success_count + 1
    if ev.flaky then self.flaky[#self.flaky + 1] = record end
    if self.keep_successes then self.successes[#self.successes + 1] = record end
  elseif ev.status == "pending" then
    self.pending_count = self.pending_count + 1
    local problem = entry.pending
    if problem then
      record.message, record.traceback, record.event = problem.message, problem.traceback, problem
      record.raised_source, record.raised_line = problem.source, problem.line
    end
    self.pendings[#self.pendings + 1] = record
  elseif ev.status == "failure" then
    self.failure_count = self.failure_count + 1
  end
  return record
end

-- What busted could load has a place and the suite around it in reports; a syntax error has neither.
local function unloadable(ev)
  return (ev.source or "") == "" or (ev.where == "file" and not ev.traceback)
end
tally.unloadable = unloadable

-- "@ line" of a problem outside a test: where the element was defined, or for a file where the error came from.
local function place(ev)
  if ev.where == "file" or not ev.at_line or ev.at_line == 0 then
    if unloadable(ev) then return nil end
    return ev.source, ev.line
  end
  return short_src(ev.at_source or ev.file or ev.source), ev.at_line
end

-- A hook's own name ("setup", or its descriptor) stands behind the block's.
local function full_name(ev)
  local name = ev.name or ""
  if ev.where == "file" and name == "" then
    return unloadable(ev) and (ev.file or "") or "suite " .. ev.file
  end
  if ev.where == "describe" or ev.where == "file" or ev.where == "worker" or not ev.where then return name end
  local own = ev.own or ev.where
  if name == "" then return own end
  return name .. " " .. own
end

--- What a problem outside tests is called, and where it is said to be.
---@param ev table
---@return string name, string? source, integer? line
function tally.outside(ev)
  return full_name(ev), place(ev)
end

function handlers.problem(self, ev)
  local running = self.running[ev.file]
  local entry = ev.id and running and running[ev.id]
  if ev.retried then
    if entry and ev.kind ~= "pending" then entry.before = ev end
    return nil
  end
  if ev.kind == "pending" then
    if entry then entry.pending = ev end
    return nil
  end
  local start = entry and entry.start
  local record = {
    kind = ev.kind, where = start and "it" or ev.where, is_test = start ~= nil, message = ev.message,
    traceback = ev.traceback,
    test = start, event = ev, randomseed = seed_of(self, ev, start), raised_source = ev.source, raised_line = ev.line,
  }
  if start then
    record.name, record.source, record.line = start.name, short_src(start.source or ev.file), start.line
  else
    record.name = full_name(ev)
    record.source, record.line = place(ev)
    record.kind = "error"
  end
  if record.kind == "failure" then
    self.failures[#self.failures + 1] = record
  else
    self.error_count = self.error_count + 1
    self.errors[#self.errors + 1] = record
  end
  return record
end

function handlers.file_end(self, ev)
  self.file_count = self.file_count + 1
  self.running[ev.file], self.blocks[ev.file] = nil, nil
end

function handlers.run_end(self, ev)
  self.seconds = ev.seconds
end

--- Takes an event in. Returns what it came to: the test_start event of a test that counts, a record for a problem or
--- an ended test (a success is its event unless successes are kept), nil for what busted's handlers do not see.
---@param ev table
---@return itlua.report.record|table|nil
function Tally:event(ev)
  local handler = handlers[ev.ev]
  if handler then return handler(self, ev) end
end

--- busted's line about the whole run: "2 successes / 1 failure / 0 errors / 1 pending : 0.01 seconds".
---@param texts table<string, string>     language.texts()
---@param paint? fun(colour: string, text: any): string
---@return string
function Tally:status(texts, paint)
  local function count(colour, n, word)
    local form = n == 0 and "_zero" or n == 1 and "_single" or "_plural"
    return (paint and paint(colour, n) or n) .. " " .. texts[word .. form]
  end
  local seconds = string.format("%.6f", self.seconds):gsub("([0-9])0+$", "%1")
  return table.concat({
    count("green", self.success_count, "success"), count("red", self.failure_count, "failure"),
    count("magenta", self.error_count, "error"), count("yellow", self.pending_count, "pending"),
    #self.flaky > 0 and (paint and paint("yellow", #self.flaky) or #self.flaky) .. " flaky" or nil,
  }, " / ") .. " : " .. (paint and paint("bright", seconds) or seconds) .. " " .. texts.seconds
end

return tally
