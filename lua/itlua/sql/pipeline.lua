--- Many statements on their way at once: nothing waits for an answer until the end.

local core = require "itlua.core"
local failure = require "itlua.sql.failure"
local policy = require "itlua.policy"
local show = require "itlua.show"
local task = require "itlua.task"

---@class itlua.sql.Pipeline
local Pipeline = {}
Pipeline.__index = Pipeline

local function check(self, problem, sql)
  if problem == nil then return end
  failure.raise(problem, sql or self.texts[problem.index], "sql.pipeline")
end

-- Collects the answers so far and leaves pipeline mode.
local function pause(self)
  local db = self.db
  local results, problem = db.handle:pipeline_end()
  if problem ~= nil then
    if problem.index then problem.index = problem.index + #self.results end
    check(self, problem)
  end
  table.move(results, 1, #results, #self.results + 1, self.results)
end

local function statement_of(self, sql)
  local db = self.db
  local prepared = db.statements[sql]
  if prepared then return prepared.statement end
  -- Preparing needs an answer. The transaction is an explicit one, so nothing else changes meanwhile.
  pause(self)
  local statement, problem = db:prepare(sql)
  check(self, problem, sql)
  db.handle:pipeline_begin()
  return statement
end

local function queue(self, rows, sql, ...)
  if type(sql) ~= "string" then core.usage("a pipeline needs statements, not " .. show.kind(sql)) end
  if self.ended then core.usage "this pipeline has ended" end
  local handle = self.db.handle
  if policy.read_only then policy.sql(sql) end
  local full = handle:queue(statement_of(self, sql), rows, ...)
  local n = self.count + 1
  self.count, self.texts[n] = n, sql
  if full then handle:flush() end
  return n
end

--- Queues a statement; its result will be the number of rows it affected.
---@param sql string
---@param ... any     parameters
---@return integer index     where in the list of results it will be
function Pipeline:exec(sql, ...)
  return queue(self, false, sql, ...)
end

--- Queues a statement; its result will be its rows.
---@param sql string
---@param ... any     parameters
---@return integer index
function Pipeline:query(sql, ...)
  return queue(self, true, sql, ...)
end

local pipeline = {}

-- Leaves pipeline mode whatever has happened; the transaction is rolled back where it is ours.
local function give_up(db, own)
  pcall(task.shield, 5, function()
    if db.handle:state() == "pipeline" then db.handle:abort(false) end
    db.handle:settle()
    if own and db:transaction_status() ~= "none" then db:exec "ROLLBACK" end
  end)
end

--- Calls `fn(p)`, in which p:exec and p:query queue statements, sends them without waiting for answers, and returns the
--- results in order. All of it is one transaction: when one fails, nothing has happened, and its error (with `index`)
--- is raised.
---@param fn fun(p: itlua.sql.Pipeline)
---@return table results
function pipeline.run(self, fn)
  if type(fn) ~= "function" then core.usage("pipeline needs a function, not " .. show.kind(fn)) end
  local own = self:transaction_status() == "none"
  local handle = self.handle
  local p = setmetatable({ db = self, results = {}, texts = {}, count = 0 }, Pipeline)
  handle:pipeline_begin()
  handle:manage(true)
  local ok, err = pcall(function()
    if own then handle:queue_text(policy.read_only and "BEGIN READ ONLY" or "BEGIN") end
    fn(p)
    if own then handle:queue_text "COMMIT" end
    pause(p)
  end)
  p.ended = true
  if not ok then give_up(self, own) end
  if (self.transactions or 0) == 0 then handle:manage(false) end
  if not ok then error(err, 0) end
  return p.results
end

return pipeline
