--- A database for each test: the next test's is fetched, and the last one's dropped, beside the test that runs. What a test
-- waits for is that its handle turns to another connection.

local core = require "itlua.core"
local run = require "itlua.run"
local task = require "itlua.task"

local renewal = {}

local PATIENCE <const> = 30 -- seconds that are left to what stays where it is ended halfway, when its block ends

---@class itlua.sql.Renewal
---@field private source itlua.sql.Clones
---@field private own itlua.sql.Connection     the handle that tests have
---@field private next? itlua.sql.Connection   for the test after this one
---@field private seen boolean                 a test has had the database that `own` is connected to
---@field private used string[]                databases that are to be dropped
local Renewal = {}
Renewal.__index = Renewal

local function fetch_next(self, beside)
  self.fetching = true
  local ok, fresh = pcall(task.shield, PATIENCE, beside.fetch, beside, "test")
  self.next, self.fetching = ok and fresh or nil, false -- what failed is told by the test that needs one
end

local function drop_used(self, source)
  while self.used[1] do
    source:discard(self.used[1])
    table.remove(self.used, 1)
  end
end

local function tend(self, beside)
  if not self.next then fetch_next(self, beside) end
  task.shield(PATIENCE, drop_used, self, beside)
  beside:fill()
end

-- Goes on from test to test, in the block that has asked for it.
local function keep_tending(self)
  core.silence(true)
  local there, beside = pcall(self.source.beside, self.source)
  if not there then return end
  pcall(function()
    while not self.ended do
      self.wanted = false
      pcall(tend, self, beside)
      while not self.wanted and not self.ended do self.bell:wait() end
    end
  end)
  -- A session whose CREATE DATABASE was cancelled may miss that a DROP DATABASE waits for it, until it hears from us
  -- (PostgreSQL 15, ProcSignalBarrier); what is closed is not waited for.
  beside:close()
end

--- Databases of `source`, one after the other under the handle `own`, for the tests of the block or file that asks.
---@param source itlua.sql.Clones
---@param own itlua.sql.Connection   to the first of them
---@return itlua.sql.Renewal
function renewal.of(source, own)
  local self = setmetatable({ source = source, own = own, used = {}, bell = core.bell(), seen = run.in_test }, Renewal)
  self.tending = core.daemon(keep_tending, self)
  return self
end

-- The one that was fetched; another where there is none, or it was lost, as when the server was restarted.
local function next_of(self)
  while self.fetching do core.sleep(0.001) end
  local fresh = self.next
  self.next = nil
  if fresh and fresh:lives() then return fresh end
  if fresh then
    fresh:close()
    table.insert(self.used, fresh.database_name)
  end
  return self.source:fetch "test"
end

--- Before a test: the handle has a database that no test has seen.
function Renewal:before_test()
  if not self.seen then
    self.seen = true
    return
  end
  local own = self.own
  local ok, fresh = pcall(next_of, self)
  if not ok then
    if not own:lives() then return end -- the server is gone: told by who needs it, perhaps the test starts it again
    error(fresh, 0)
  end
  own:close()
  table.insert(self.used, own.database_name)
  own:become(fresh)
  if core.status(self.tending) == "running" then
    self.wanted = true
    self.bell:ring()
  else
    drop_used(self, self.source)
  end
end

--- No test follows: all of them are gone.
function Renewal:finish()
  self.ended = true
  core.cancel(self.tending)
  core.join(self.tending)
  if self.next then self.source:put_back(self.next) end
  self.source:give_back(self.own)
  drop_used(self, self.source)
end

return renewal
