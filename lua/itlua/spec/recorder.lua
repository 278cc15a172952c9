--- What happens becomes events, see ../event.lua. It is called by the engine, or by the bus where others listen as
-- well.

local attempts = require "itlua.spec.attempts"
local blame = require "itlua.spec.blame"
local core = require "itlua.core"
local evidence = require "itlua.evidence"
local neighbours = require "itlua.spec.neighbours"

local now, clock, last_line = core.now, core.clock, core.last_line
local declared = neighbours.declared

local NO_BLOCK = { id = 0 }

---@class itlua.spec.recorder
---@field emit fun(event: table)
---@field file string         the file that runs
---@field listing boolean     names instead of everything that happens
---@field blocks table        by element: {id, name, began}; a file's has no name
---@field tests table         by element: its id
---@field running? integer   the id of the test that runs
---@field ending? table       a test_end that waits for what the test's cleanup brings
---@field told_timeline? boolean   the running test's timeline went out with a problem
---@field after? table[]      problems that came after it
---@field due? table         the test that is to run, while its before_each hooks do
---@field attempt? integer     under --retries: which go at the test this is
---@field held? table[]        and its problems, which wait for what becomes of it
local Recorder = {}
Recorder.__index = Recorder

local function new(emit, options)
  return setmetatable({
    emit = emit, options = options or {}, listing = options and options.list or false,
    blocks = {}, tests = {}, ids = 0,
  }, Recorder)
end

-- A name may be empty; only where there is none nothing is joined.
local function joined(block, own)
  return block.name and block.name .. " " .. own or own
end

local function own_name(element)
  local name = element.name
  if name == nil then return element.descriptor end
  return type(name) == "string" and name or tostring(name)
end

--- The short name of a source is its path unless that is long.
local function same_file(path, short)
  return short == path or (#path > 50 and short:sub(1, 3) == "..." and path:sub(-#short + 3) == short:sub(4))
end

function Recorder:send(event)
  if not self.ending then
    if not self.held or event.ev ~= "problem" then return self.emit(event) end
    self.held[#self.held + 1] = event
    return
  end
  if event.ev == "problem" then
    self.after = self.after or {}
    table.insert(self.after, event)
  else
    self:release()
    self.emit(event)
  end
end

--- Lets go of a waiting test_end and what followed.
function Recorder:release()
  local ending = self.ending
  if not ending then return end
  self.ending = nil
  if self.options.timelines and not self.told_timeline then
    ending.timeline = require("itlua.spec.details").timeline(self.since, self.room)
    self.room = self.room - #(ending.timeline or "")
  end
  self.told_timeline = nil
  self.emit(ending)
  if not self.after then return end
  local after = self.after
  self.after = nil
  for _, event in ipairs(after) do self.emit(event) end
end

-- == files and blocks ==

function Recorder:open_file(path)
  self.file, self.ids, self.blocks, self.tests = path, 0, {}, {}
  self.room = self.options.timelines or 0 -- bytes for what passing tests sent and got
  self.known_origin, self.known_source = nil, nil
  self.file_began = core.now()
  self.emit { ev = "file_start", file = path, at = core.clock() }
end

---@param left? string        what it left open
---@param skipped? string     why it did not run
function Recorder:close_file(left, skipped)
  self:release()
  if left and self.options["fail-on-left"] then self:left_behind(left, "", 0, 0) end
  local seconds = now() - self.file_began
  self.emit { ev = "file_end", file = self.file, seconds = seconds, left = left, skipped = skipped }
  self.blocks, self.tests = {}, {}
end

function Recorder:file_start(element)
  self.blocks[element] = { id = 0 }
end

function Recorder:block_of(parent)
  return self.blocks[parent] or NO_BLOCK
end

function Recorder:block_start(element, parent)
  local around = self:block_of(parent)
  local own = own_name(element)
  self.ids = self.ids + 1
  self.blocks[element] = {
    id = self.ids, name = joined(around, own), began = core.now(),
  }
  if self.listing then return end
  self:send {
    ev = "block_start", file = self.file, id = self.ids, parent = around.id, name = own,
    kind = element.attributes.envmode or element.descriptor, line = declared(element) or 0,
  }
end

function Recorder:block_end(element, left)
  local block = self.blocks[element]
  if self.listing or not block then return end
  if left and self.options["fail-on-left"] then
    self:release()
    self:left_behind(left, block.name, block.id, declared(element) or 0)
  end
  self:send { ev = "block_end", file = self.file, id = block.id, seconds = core.now() - block.began, left = left }
end

-- == tests ==

-- Where its source is not the file that runs: a shared example. Asked for every test, mostly of one function.
function Recorder:foreign_source(element)
  local origin = element.trace or element.origin
  if origin == self.known_origin then return self.known_source end
  local _, source = declared(element)
  self.known_origin, self.known_source = origin, nil
  if source and not same_file(self.file, source) then self.known_source = source end
  return self.known_source
end

function Recorder:test_start(element, parent)
  local block = self.blocks[parent] or NO_BLOCK
  local own, run = element.name, element.run
  if type(own) ~= "string" then own = own_name(element) end
  local full = block.name and block.name .. " " .. own or own
  local attempt = self.attempt
  local id = attempt and self.tests[element]
  if not id then
    id = self.ids + 1
    self.ids, self.tests[element] = id, id
  end
  self.running = id
  local line = element.line or declared(element) or 0
  local last = type(run) == "function" and element.descriptor == "it" and last_line(run) or line
  self.test_began, self.test_name, self.test_block, self.test_line = now(), full, block.id, line
  self:send {
    ev = "test_start", file = self.file, id = id, block = block.id, name = full, own = own, line = line,
    last = last < line and line or last, kind = element.descriptor, at = clock(),
    randomseed = parent and parent.randomseed, source = self:foreign_source(element),
    attempt = attempt and attempt > 1 and attempt or nil,
  }
end

--- The test's result stands. Its event waits until `release`: cleanup may still find what the test left open.
function Recorder:test_end(element, _, status)
  local id = self.tests[element]
  self.running = nil
  if not id then return end
  self.ending = { ev = "test_end", file = self.file, id = id, status = status, seconds = now() - self.test_began }
end

--- What a test left behind; its end still waits. A task that failed makes it an error.
---@param left? string
---@param failed table[]     see leftover.lua
function Recorder:add_to_test(left, failed)
  local ending = self.ending
  for _, task in ipairs(failed) do
    local problem = self:task_failed(task, ending and self.test_name or "", ending and self.test_block)
    if ending then
      problem.id = ending.id
      if ending.status ~= "failure" then ending.status = "error" end
    end
    if self.held then self.held[#self.held + 1] = problem
    else self.emit(problem) end
  end
  if not ending or not left then return end
  ending.left = ending.left and ending.left .. "\n" .. left or left
  if not self.options["fail-on-left"] then return end
  self:left_behind(left, self.test_name, self.test_block, self.test_line, ending.id)
  if ending.status ~= "failure" then ending.status = "error" end
end

function Recorder:listed(element, parent)
  local line, source = declared(element)
  self.emit {
    ev = "listed", file = self.file, line = line or 0,
    name = joined(self:block_of(parent), own_name(element)),
    source = source and not same_file(self.file, source) and source or nil,
  }
end

-- == problems ==

-- The full name of a test, or of the block that anything else happened in; and the block's id.
local function name_of(recorder, element, tree)
  local block = recorder.blocks[element]
  if block then return block.name or "", block.id end
  block = recorder:block_of(tree.parents[element])
  if recorder.tests[element] or element.descriptor == "it" or element.descriptor == "pending" then
    return joined(block, own_name(element)), block.id
  end
  return block.name or "", block.id
end

-- What an itlua error object and an assertion tell beyond their message.
local told_of_errors = { "table", "constraint", "detail" }

local function add_details(event, found, since)
  local raised = found.raised
  local kind = raised ~= nil and core.is_error(raised)
  if kind then
    event.error_kind = kind
    event.error_code = type(raised.code) == "string" and raised.code or nil
    for _, name in ipairs(told_of_errors) do
      local value = raised[name]
      if type(value) == "string" then event["error_" .. name] = value end
    end
    if kind == "timeout" and raised.scope then event.waits = require("itlua.spec.details").waits(raised, since) end
  end
  local details = require "itlua.spec.details"
  event.diff = details.diff(raised)
  evidence.add_to(event)
end

--- A failure, an error or a pending call.
---@param status string
---@param element table
---@param message? any
---@param trace? table
function Recorder:problem(status, element, message, trace)
  local suite, found = self.suite, self.suite.fault or {}
  local at_line, at_source = declared(element)
  local name, block = name_of(self, element, suite.tree)
  trace = trace or {}
  local event = {
    ev = "problem", file = self.file, id = self.tests[element], block = block, kind = status,
    where = found.what or element.descriptor or "?", name = name, own = own_name(element),
    message = type(message) == "string" and message or message == nil and "Nil error" or
      require("itlua.spec.pretty").write(message),
    source = trace.short_src or self.file or "?", line = trace.currentline or 0,
    at_line = at_line or trace.currentline or 0,
    at_source = at_source and self.file and not same_file(self.file, at_source) and at_source or nil,
    traceback = trace.traceback, randomseed = element.randomseed,
  }
  local parent = suite.tree.parents[element]
  event.randomseed = parent and parent.randomseed
  if status ~= "pending" then
    event.twins = event.id and neighbours.has_twins(element, suite.tree)
    if event.where == "strict_setup" or event.where == "lazy_setup" then
      event.not_run = neighbours.left_out(parent or element, suite.tree)
    elseif event.where == "before_each" and self.due then
      event.not_run = ('"%s"'):format(own_name(self.due))
    end
    add_details(event, found, self.since)
    event.timeline = require("itlua.spec.details").timeline(self.since)
    self.told_timeline = event.id and event.timeline and true
  end
  self:count(status)
  self:send(event)
end

--- A file that could not be loaded.
function Recorder:unloadable(path, problem)
  local source, line = problem:match("^%[?(.-)%]?:(%d+): ")
  self:count("error")
  self:send {
    ev = "problem", file = path, block = 0, kind = "error", where = "file", name = "", own = path, message = problem,
    source = source or path, line = tonumber(line) or 0, at_line = tonumber(line) or 0,
  }
end

--- A spawned task that failed and that nobody waited for.
function Recorder:task_failed(leftover, name, block)
  local raised = leftover.error
  local source, line = tostring(leftover.where):match("^(.-):(%d+)$")
  local trace = { short_src = source or "?", currentline = tonumber(line) or 0 }
  local event = {
    ev = "problem", file = self.file, block = block, kind = "error", where = "task", name = name,
    message = ("%s\n(in a task spawned at %s that nobody joined)"):format(blame.message(raised, trace), leftover.where),
    source = trace.short_src, line = trace.currentline, at_line = trace.currentline, traceback = leftover.traceback,
  }
  add_details(event, { raised = raised }, self.since)
  event.timeline = require("itlua.spec.details").timeline(self.since)
  self:count("error")
  return event
end

--- Failures and errors so far, and whether they are enough.
function Recorder:count(status)
  if status == "pending" or self.held then return end
  local suite = self.suite
  suite.problems = (suite.problems or 0) + 1
  local enough = self.options.max_failures
  suite.skipAll = self.options["keep-going"] == false or (enough ~= nil and suite.problems >= enough) or suite.skipAll
end

-- == being told ==

local direct = {
  file = { start = Recorder.file_start },
  describe = { start = Recorder.block_start },
  test = { start = Recorder.test_start, ["end"] = Recorder.test_end },
}

--- Takes a publication where nobody else listens.
function Recorder:told(channel, ...)
  local method = direct[channel[1]] and direct[channel[1]][channel[2]]
  if method then method(self, ...) end
end

--- Subscribes to everything that becomes an event.
function Recorder:listen(bus, suite)
  self.suite = suite
  local function on(channel, method)
    bus:subscribe(channel, function(...)
      method(self, ...)
      return nil, true
    end)
  end
  on({ "file", "start" }, self.file_start)
  on({ "describe", "start" }, self.block_start)
  on({ "test", "start" }, self.test_start)
  on({ "test", "end" }, self.test_end)
  local function problem(status)
    return function(_, element, _, message, trace) self:problem(status, element, message, trace) end
  end
  local function elsewhere(status)
    return function(_, element, _, message, trace)
      if element.descriptor ~= "it" then self:problem(status, element, message, trace) end
    end
  end
  on({ "failure", "it" }, problem("failure"))
  on({ "error", "it" }, problem("error"))
  on({ "failure" }, elsewhere("error"))
  on({ "error" }, elsewhere("error"))
  on({ "pending" }, problem("pending"))
end

attempts.install(Recorder)

return { new = new }
