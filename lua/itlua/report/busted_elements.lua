--- Rebuilds busted's tree of elements (suite, files, blocks, tests, hooks) from events, for custom output handlers.
-- Times are seconds on the wall clock, as the events have them; ticks count from the run's start.

local tally = require "itlua.report.tally"

local elements = {}

local Elements = {}
Elements.__index = Elements

function elements.new()
  local self = setmetatable({ parents = setmetatable({}, { __mode = "k" }), now = 0 }, Elements)
  self:begin_suite()
  return self
end

function Elements:begin_suite()
  self.suite = { descriptor = "suite", attributes = {}, file = {} }
  self.files = {} -- path -> {element, blocks = {id -> element}, tests = {id -> element}}
end

-- Where an element was defined, as busted.getTrace tells it.
local function trace_of(file, line, name)
  if not file or not line or line == 0 then return nil end
  return {
    short_src = tally.short_src(file), source = "@" .. file, currentline = line, linedefined = 0, lastlinedefined = 0,
    what = "main", message = tostring(name),
    traceback = "\nstack traceback:\n\t" .. tally.short_src(file) .. ":" .. line
      .. ": in main chunk\n",
  }
end

function Elements:attach(element, parent)
  self.parents[element] = parent
  element.attributes = element.attributes or {}
  return element
end

function Elements:start(element, at)
  self.epoch = self.epoch or at or 0
  if at then self.now = math.max(self.now, at - self.epoch) end
  element.starttick = at and at - self.epoch or self.now
  element.starttime = element.starttick + self.epoch
  return element
end

function Elements:stop(element, seconds)
  element.duration = seconds or 0
  element.endtick = (element.starttick or self.now) + element.duration
  element.endtime = element.endtick + (self.epoch or 0)
  self.now = math.max(self.now, element.endtick)
  return element
end

function Elements:file(path)
  local entry = self.files[path]
  if not entry then
    local element = self:attach({ descriptor = "file", name = path, attributes = { envmode = "insulate" } }, self.suite)
    entry = { element = element, blocks = { [0] = element }, tests = {} }
    self.files[path] = entry
    table.insert(self.suite.file, element)
  end
  return entry
end

local envmodes = { insulate = "insulate", expose = "expose" }

function Elements:block(ev)
  local entry = self:file(ev.file)
  local parent = entry.blocks[ev.parent or 0] or entry.element
  local element = self:attach({
    descriptor = "describe", name = ev.name, trace = trace_of(ev.source or ev.file, ev.line, ev.name),
    attributes = { envmode = envmodes[ev.kind] }, randomseed = ev.randomseed,
  }, parent)
  entry.blocks[ev.id] = element
  return element, parent
end

function Elements:test(ev)
  local entry = self:file(ev.file)
  local parent = entry.blocks[ev.block or 0] or entry.element
  if ev.randomseed then parent.randomseed = ev.randomseed end
  local element = self:attach({
    descriptor = ev.kind or "it", name = ev.own or ev.name, trace = trace_of(ev.source or ev.file, ev.line, ev.own),
  }, parent)
  entry.tests[ev.id] = element
  return element, parent
end

--- The element that a problem belongs to, and its parent.
---@param ev table     the problem event
function Elements:of_problem(ev)
  if not ev.file then return {}, nil end
  local entry = self:file(ev.file)
  local test = ev.id and entry.tests[ev.id]
  if test then return test, self.parents[test] end
  local block = entry.blocks[ev.block or 0] or entry.element
  if ev.where == "file" or ev.where == "worker" or not ev.where then
    -- Without a place it could not even be loaded: busted has no parent for it then.
    if tally.unloadable(ev) then return { descriptor = "file", name = ev.file, attributes = {} }, nil end
    return entry.element, self.suite
  end
  if ev.where == "describe" then return block, self.parents[block] end
  if ev.randomseed then block.randomseed = ev.randomseed end
  local hook = self:attach({
    descriptor = ev.where, name = ev.own ~= ev.where and ev.own or nil,
    trace = trace_of(ev.at_source or ev.file, ev.at_line, ev.where),
    attributes = { envmode = "unwrap" },
  }, block)
  return hook, block
end

--- A problem's own trace: where the message came from.
---@param ev table
---@return table
function elements.trace_of_problem(ev)
  if tally.unloadable(ev) then return {} end
  return {
    short_src = ev.source, source = "@" .. ev.source, currentline = ev.line, linedefined = 0, lastlinedefined = 0,
    what = "Lua", message = ev.message, traceback = ev.traceback and tally.traceback(ev.traceback) or nil,
  }
end

return elements
