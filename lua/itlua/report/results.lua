--- What became of each test, out of events: the reports that list results (html, ctrf, markdown, github, gitlab, tap14)
-- are functions of these. Several of them share one collector: it does the work once an event.

local capture = require "itlua.report.capture"
local tally = require "itlua.report.tally"

local results = {}

---@class itlua.report.result
---@field is_test boolean           false: a problem of a hook, a file, a worker
---@field file? string              the file that ran
---@field place? string             the file of `line`: another one for a shared example
---@field line? integer
---@field name string               full name
---@field own string                its own name
---@field blocks string[]           names of the blocks around it, outermost first
---@field where string              "it", or the hook's, block's or file's descriptor
---@field status "success"|"failure"|"error"|"pending"
---@field seconds? number
---@field at? number                seconds on the wall clock
---@field records itlua.report.record[]   its problems
---@field printed? table            its capture
---@field logs? table<string, table>      what services printed meanwhile, a capture each
---@field left? string
---@field pending? string           why it is pending
---@field timeline? string          JSON, where the run was asked for timelines of tests that pass
---@field attempts? itlua.report.result[]   earlier ones, each of which failed
---@field flaky boolean             passed after it had failed
---@field worker? integer
---@field start? table              the test_start event

local Collector = {}
Collector.__index = Collector

---@param opts? {suppress_pending?: boolean}
function results.new(opts)
  return setmetatable({ suppress = opts and opts.suppress_pending or false, files = {}, shared = {} }, Collector)
end

--- The collector that the reporters of a run share, or one of its own.
---@param opts table     see report.new
function results.of(opts)
  return opts.results or results.new { suppress_pending = opts.suppress_pending }
end

local function file_of(self, ev)
  local key = ev.file or ""
  local file = self.files[key]
  if not file then
    file = { blocks = {}, running = {}, attempts = {} }
    self.files[key] = file
  end
  return file
end

-- The names around a block's children, outermost first; one table a block.
local function path_of(file, id)
  local block = file.blocks[id or 0]
  if not block then return {} end
  if not block.path then
    local path = { table.unpack(path_of(file, block.parent)) }
    if id ~= 0 then path[#path + 1] = block.name end
    block.path = path
  end
  return block.path
end

local function keep_output(file, ev)
  local into = ev.id and file.running[ev.id] or file
  if ev.service then
    into.logs = into.logs or {}
    local log = into.logs[ev.service] or capture.new()
    into.logs[ev.service] = log
    log:add(ev.text)
  else
    into.printed = into.printed or capture.new()
    into.printed:add(ev.text)
  end
end

local function record_of(ev, start, file)
  local block = file.blocks[start and start.block or ev.block or 0]
  return {
    kind = ev.kind, where = ev.where, is_test = start ~= nil, message = ev.message, traceback = ev.traceback, test = start,
    event = ev, raised_source = ev.source, raised_line = ev.line,
    randomseed = ev.randomseed or start and start.randomseed or block and block.randomseed,
  }
end

local on = {}

function on.run_start(self, ev)
  if (ev.run or 1) > 1 then self.files = {} end
  self.run = ev
end

function on.file_start(self, ev)
  self.files[ev.file] = { blocks = {}, running = {}, attempts = {}, worker = ev.worker, at = ev.at }
end

function on.block_start(self, ev)
  file_of(self, ev).blocks[ev.id] = { name = ev.name, parent = ev.parent, randomseed = ev.randomseed }
end

function on.test_start(self, ev)
  file_of(self, ev).running[ev.id] = { start = ev }
end

function on.output(self, ev) keep_output(file_of(self, ev), ev) end

-- A problem outside any test: a result of its own.
local function outside(self, ev, file)
  local record = record_of(ev, nil, file)
  record.kind = "error"
  local name, source, line = tally.outside(ev)
  record.name, record.source, record.line = name, source, line
  local path = path_of(file, ev.block)
  return {
    is_test = false, file = ev.file, place = ev.at_source or ev.file or ev.source, line = line, name = name,
    own = ev.own or ev.where or name, blocks = path, where = ev.where or "run", status = "error", records = { record },
    flaky = false, worker = file.worker, at = ev.at, run = self.run,
  }
end

function on.problem(self, ev)
  local file = file_of(self, ev)
  local entry = ev.id and file.running[ev.id]
  if ev.kind == "pending" then
    if entry then entry.pending = ev.message or "" end
    return nil
  end
  if not entry then return outside(self, ev, file) end
  entry.records = entry.records or {}
  entry.records[#entry.records + 1] = record_of(ev, entry.start, file)
end

function on.test_end(self, ev)
  local file = file_of(self, ev)
  local entry = file.running[ev.id] or {}
  file.running[ev.id] = nil
  local start = entry.start or { name = "?", own = "?", line = 0, file = ev.file }
  if self.suppress and ev.status == "pending" then return nil end
  local result = {
    is_test = true, file = ev.file, place = start.source or ev.file, line = start.line, name = start.name,
    own = start.own or start.name, blocks = path_of(file, start.block), where = start.kind or "it", status = ev.status,
    seconds = ev.seconds, at = start.at, records = entry.records or {}, printed = entry.printed, logs = entry.logs,
    left = ev.left, pending = entry.pending, timeline = ev.timeline, worker = file.worker, start = start, flaky = false,
    run = self.run,
  }
  if ev.retried then
    local list = file.attempts[ev.id] or {}
    file.attempts[ev.id] = list
    list[#list + 1] = result
    return nil
  end
  result.attempts = file.attempts[ev.id]
  file.attempts[ev.id] = nil
  result.flaky = result.attempts ~= nil and ev.status == "success"
  for _, record in ipairs(result.records) do record.seconds = ev.seconds end
  return result
end

function on.file_end(self, ev)
  local file = file_of(self, ev)
  self.files[ev.file] = nil
  return file
end

--- Takes an event in.
---@param ev table
---@return itlua.report.result|table|nil     a result at a test's last test_end and at a problem outside tests; what is
---                                          known of the file at its file_end: printed, logs, worker, at
function Collector:event(ev)
  if self.latest ~= ev then
    local handler = on[ev.ev]
    self.latest, self.outcome = ev, handler and handler(self, ev) or nil
  end
  return self.outcome
end

--- The problem that names a failed result: the first of the kind that its status says.
---@param result itlua.report.result
---@return itlua.report.record?
function results.first(result)
  for _, record in ipairs(result.records) do
    if record.kind == result.status then return record end
  end
  return result.records[1]
end

--- Its title for people: "orders · api · creates an order".
---@param result itlua.report.result
---@return string
function results.title(result)
  local names = { table.unpack(result.blocks) }
  if not result.is_test and #names == 0 and (result.where == "file" or result.where == "worker") then
    return (result.file or "run") .. " (outside any test)"
  end
  names[#names + 1] = result.own
  return table.concat(names, " · ")
end

--- A test's tags: the words of its full name that begin with "#".
---@param name string
---@return string[]
function results.tags(name)
  local tags = {}
  if name:find("#", 1, true) then
    for tag in name:gmatch "#([%w_-]+)" do tags[#tags + 1] = tag end
  end
  return tags
end

--- Whether it failed.
---@param result itlua.report.result
function results.failed(result) return result.status == "failure" or result.status == "error" end

return results
