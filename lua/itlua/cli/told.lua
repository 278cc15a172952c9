--- What has been told of a file, so that it can run again when its worker has died, and nothing is told twice.
--
-- A file that runs again does so from its beginning, since its tests may build on each other; but a test that had ended has
-- been told of, and what it does this time is nobody's news. What was told is known again by its place: its block, its
-- name, its line, and how many like it came before. So an order that is another one this time does no harm; what was
-- not there before is told. All get the ids that they had.
--
-- A test that took its worker along may have been told of as an attempt that failed (--retries): what comes of it now is
-- its next attempt, and no more attempts are told of than there may be.

---@class itlua.cli.told
---@field began? number      when the file started first, on the wall clock; nil: nothing was told yet
---@field list table[]       blocks, their ends, and problems outside tests that were told of, in order
---@field tests table        tests that were told of to their end or spent: id, block, own name and line of each in turn
---@field count integer      how many values are in it
---@field start? table       the test_start told last
---@field spent table<integer, integer>    by test: attempts that ended with the worker, and those before them
---@field relapses? integer    tries that ended with the worker at a test that had been told of
---@field try? table         the present one, where it is not the first
local Told = {}
Told.__index = Told

local told = {}

---@return itlua.cli.told
function told.new() return setmetatable({ list = {}, tests = {}, count = 0, spent = {} }, Told) end

-- Most files never run again: as little as possible is done for that here, and kept.
local function note_test(self, ev)
  local tests, count = self.tests, self.count
  tests[count + 1], tests[count + 2], tests[count + 3], tests[count + 4] = ev.id, ev.block, ev.own, ev.line
  self.count = count + 4
end

local function note(self, ev) self.list[#self.list + 1] = ev end

local add = { block_start = note, block_end = note }

function add.file_start(self, ev) self.began = self.began or ev.at end

function add.test_start(self, ev) self.start = ev end

function add.test_end(self, ev)
  if not ev.retried then note_test(self, self.start) end
end

function add.problem(self, ev)
  if ev.id then return end
  -- The rest of it may be large.
  note(self, { ev = "problem", block = ev.block, where = ev.where, own = ev.own, at_line = ev.at_line })
end

--- An event of the file was told.
---@param ev table
function Told:add(ev)
  local handler = add[ev.ev]
  if handler then handler(self, ev) end
end

--- Whether a test that has taken its worker along may run again. One that was told of already may be the undoing of its
--- file's later tries as often as a test may be repeated.
---@param test table          its test_start
---@param retries integer
---@return boolean
function Told:may_repeat(test, retries)
  if not self:repeats() then return (test.attempt or 1) <= retries end
  self.relapses = (self.relapses or 0) + 1
  return self.relapses <= retries
end

--- A test ended with its worker, and has been told of as an attempt that failed.
---@param test table       its test_start
function Told:spend(test)
  if not self.spent[test.id] then note_test(self, test) end
  self.spent[test.id] = test.attempt or 1
end

-- ---- another try

local place = {}

function place.block_start(ev) return ("b\0%s\0%s\0%s"):format(ev.parent, ev.name, ev.line) end
function place.test_start(ev) return ("t\0%s\0%s\0%s"):format(ev.block, ev.own, ev.line) end
function place.problem(ev) return ("p\0%s\0%s\0%s\0%s"):format(ev.block, ev.where, ev.own, ev.at_line) end

-- Where it is among those of its kind, as a key.
local function key_of(seen, ev)
  local key = place[ev.ev](ev)
  seen[key] = (seen[key] or 0) + 1
  return key .. "\0" .. seen[key]
end

--- The file starts again.
---@param retries? integer     attempts that a test has besides its first
function Told:again(retries)
  local known, seen, ended, last, tests = {}, {}, {}, 0, self.tests
  for _, ev in ipairs(self.list) do
    if ev.ev == "block_end" then ended[ev.id] = true else known[key_of(seen, ev)] = ev end
    last = math.max(last, ev.id or 0)
  end
  for i = 1, self.count, 4 do
    local ev = { ev = "test_start", id = tests[i], block = tests[i + 1], own = tests[i + 2], line = tests[i + 3] }
    if ended[ev.id] ~= nil then -- it was spent at first
      ended[ev.id] = true
    else
      known[key_of(seen, ev)], ended[ev.id] = ev, not self.spent[ev.id]
    end
    last = math.max(last, ev.id)
  end
  self.try = {
    known = known, seen = {}, ended = ended, ids = { [0] = 0 }, last = last, printed = {}, most = (retries or 0) + 1,
  }
end

--- Whether the test that runs was told of.
---@return boolean
function Told:repeats() return self.try ~= nil and self.try.test ~= nil and not self.try.test.news end

-- Gives what is new an id of its own, what is known the one that it had.
local function identify(self, ev)
  local try = self.try
  local before = try.known[key_of(try.seen, ev)]
  if before then
    try.ids[ev.id], ev.id = before.id, before.id
  else
    try.last = try.last + 1
    try.ids[ev.id], ev.id = try.last, try.last
  end
  return before ~= nil
end

-- Tells something that stands outside the tests, and what was printed before it.
local function tell_outside(self, ev, tell)
  for _, output in ipairs(self.try.printed) do tell(output) end
  self.try.printed = {}
  tell(ev)
end

local pass = {}

function pass.file_start() end

function pass.block_start(self, ev, tell)
  ev.parent = self.try.ids[ev.parent] or ev.parent
  if identify(self, ev) then self.try.printed = {} else tell_outside(self, ev, tell) end
end

function pass.block_end(self, ev, tell)
  ev.id = self.try.ids[ev.id] or ev.id
  if self.try.ended[ev.id] then self.try.printed = {} else tell_outside(self, ev, tell) end
end

function pass.test_start(self, ev, tell)
  local try = self.try
  ev.block = try.ids[ev.block] or ev.block
  local raw = ev.id
  local id = ev.attempt and try.ids[raw]
  if id then ev.id = id else identify(self, ev) end
  local spent = self.spent[ev.id] or 0
  local number = spent + (ev.attempt or 1)
  try.test = { id = raw, news = not try.ended[ev.id] and number <= try.most, number = number, last = number == try.most }
  ev.attempt = number > 1 and number or nil
  if try.test.news then tell_outside(self, ev, tell) else try.printed = {} end
end

function pass.test_end(self, ev, tell)
  local test = self.try.test
  self.try.test = nil
  ev.id = self.try.ids[ev.id] or ev.id
  if not test or not test.news then return end
  if test.last then ev.retried = nil end
  if not ev.retried and (self.spent[ev.id] or 0) > 0 then
    ev.flaky = ev.flaky or not ev.attempts and ev.status == "success" or nil
    ev.attempts = test.number
  end
  tell(ev)
end

function pass.problem(self, ev, tell)
  local try = self.try
  ev.block = ev.block and try.ids[ev.block] or ev.block
  if ev.id then
    ev.id = try.ids[ev.id] or ev.id
    if try.test and not try.test.news then return end
    if try.test and try.test.last then ev.retried = nil end
    return tell(ev)
  end
  if not try.known[key_of(try.seen, ev)] then tell_outside(self, ev, tell) else try.printed = {} end
end

function pass.output(self, ev, tell)
  local try = self.try
  if not ev.id then
    -- Known by what comes after it.
    try.printed[#try.printed + 1] = ev
  elseif not try.test or try.test.news then
    ev.id = try.ids[ev.id] or ev.id
    tell(ev)
  end
end

function pass.file_end(self, ev, tell)
  ev.seconds = math.max(ev.seconds, require("itlua.core").clock() - self.began)
  tell_outside(self, ev, tell)
end

--- An event of the present try: is told if it is news.
---@param ev table          changed in place
---@param tell fun(ev: table)
function Told:pass(ev, tell)
  local handler = pass[ev.ev]
  if handler then handler(self, ev, tell) else tell(ev) end
end

return told
