--- The spec engine: runs spec files written for busted 2.x, one after the other in one Lua state, and emits what
-- happens as the events of ../event.lua. The worker makes a session, hands it files, and ends it.

local api = require "itlua.spec.api"
local assertions = require "itlua.spec.assertions"
local chosen_of = require "itlua.spec.chosen"
local compat = require "itlua.spec.compat"
local core = require "itlua.core"
local exit = require "itlua.spec.exit"
local filter = require "itlua.spec.filter"
local helper = require "itlua.spec.helper"
local leftover = require "itlua.spec.leftover"
local lines = require "itlua.spec.lines"
local loader = require "itlua.spec.loader"
local recorder_of = require "itlua.spec.recorder"
local current_run = require "itlua.run"
local shuffle = require "itlua.spec.shuffle"
local suite_of = require "itlua.spec.suite"
local words = require "itlua.spec.words"

local spec = {}

--- Long names of the command line, as in busted, and some of our own.
---@class itlua.spec.options
---@field timeout? number             seconds a test may take; 30, 0 for no limit
---@field file_timeout? number        seconds the body of a file or block, or a hook may take; 60
---@field cleanup_timeout? number     seconds for `finally`, after_each or a teardown, each; 10
---@field arg? table                  the command line, the specs' `arg`
---@field list? boolean               name the tests instead of running them
---@field lines? table<string, integer[]>    by path: run only what is at these lines
---@field chosen? table<string, { name: string, whole?: boolean }[]>   by path: only the tests with these full names
---@field max_failures? integer       nothing more starts after so many failures and errors
---@field retries? integer            a test that fails runs so often again
---@field seed? integer
---@field run? integer                which repetition this is,
---@field runs? integer               of how many

---@class itlua.spec.session
---@field broken? string    why nothing can run: the helper or a -e statement failed, and was reported
local Session = {}
Session.__index = Session

local function limits_of(options)
  local body = options.file_timeout or 60
  return { test = options.timeout or 30, body = body, hook = body, cleanup = options.cleanup_timeout or 10 }
end

local function words_of(list, otherwise)
  if list == nil then return otherwise end
  if type(list) == "table" and #list > 1 then return list end
  local all = {}
  for word in (type(list) == "table" and list[1] or list or ""):gmatch("[^,%s]+") do all[#all + 1] = word end
  return all
end

--- Reports what went wrong outside any file.
local function report(session, where, name, problem, traceback)
  session.broken = tostring(problem)
  local source, line = session.broken:match("^(.-):(%d+): ")
  session.emit {
    ev = "problem", kind = "error", where = where, name = name, message = session.broken, source = source or name,
    line = tonumber(line) or 0, at_line = tonumber(line) or 0, traceback = traceback,
  }
end

local function prepare(options)
  helper.load_moonscript()
  helper.add_paths(options)
  if options.coverage then helper.start_coverage(options["coverage-config-file"]) end
  helper.run_statements(options.e)
end

local function run_helper(session, options)
  local name = options.helper
  if not name or name == "" then return end
  local scope = core.enter(session.suite.limits.body)
  local ok, problem, traceback = helper.run(name, options, function()
    return require("itlua.spec.compat.core").complete(session.suite)
  end)
  core.leave(scope)
  if not ok then report(session, "helper", name, problem, traceback) end
end

local function new_suite(options, recorder)
  local suite = suite_of.new(recorder, limits_of(options))
  suite.sort = options["sort-tests"] or options.sort or false
  suite.randomize = options["shuffle-tests"] or options.shuffle or false
  suite.retries = options.retries or 0
  suite.randomseed = math.tointeger(tonumber(options.seed)) or shuffle.seed()
  words.install(suite, { lazy = options.lazy, insulate = options["auto-insulate"] })
  assertions.install(suite)
  api.export(suite)
  return suite
end

--- A session in this state.
---@param options itlua.spec.options
---@param emit fun(event: table)
---@return itlua.spec.session
function spec.new(options, emit)
  local recorder = recorder_of.new(emit, options)
  local session = setmetatable({
    options = options, emit = emit, recorder = recorder, suite = new_suite(options, recorder),
    loaders = words_of(options.loaders, { "lua", "moonscript" }), mark = core.mark(),
  }, Session)
  if options.heartbeat then require("itlua.spec.heartbeat").start(recorder, options.heartbeat, emit) end
  helper.set_arguments(options.arg)
  compat.install(session.suite)
  if options.lang and options.lang ~= "en" then compat.speak(options.lang) end
  exit.guard()
  local ok, problem = pcall(prepare, options)
  if not ok then
    report(session, "-e", "", problem)
  else
    run_helper(session, options)
  end
  local fine, made = pcall(filter.new, options, session.suite.tree)
  if fine then
    session.suite.filter = made
  else
    report(session, "filter", "", made)
  end
  return session
end

-- The suite's own hooks, which a helper may have declared, run before the first file and after the last.
local function begin(session)
  if session.begun then return session.fine end
  session.begun = true
  local suite, options = session.suite, session.options
  local root = suite.tree.root
  session.fine = suite.announce("suite", { "suite", "start" }, root, options.run or 1, options.runs or 1,
    suite.randomize and suite.randomseed or nil) and (options.list or suite.blocks.setup(root))
  return session.fine
end

local function run_chunk(session, path, found)
  local suite = session.suite
  local getTrace, rewriteMessage = found.getTrace, found.rewriteMessage
  local run = setmetatable({ getTrace = getTrace, rewriteMessage = rewriteMessage }, { __call = found.chunk })
  local options = session.options
  local wanted, chosen = options.lines and options.lines[path], options.chosen and options.chosen[path]
  suite.file = { name = path, source = "@" .. path, getTrace = getTrace, rewriteMessage = rewriteMessage }
  suite.simple = not suite.observed and found.plain and not wanted and not chosen or false
  suite.executors.file(path, run)
  local root = suite.tree.root
  local siblings = suite.tree.children[root]
  local file = siblings and siblings[#siblings]
  if file and file.run == run then
    suite.selection = wanted and lines.new("@" .. path, wanted, file) or nil
    if chosen then suite.selection = chosen_of.new(chosen, suite.tree, suite.selection) end
    suite.run(file)
    suite.selection = nil
    if not suite.observed then suite.tree:forget(file) end
  end
  suite.file = nil
  return suite.left
end

--- Runs a file in the running task, from its file_start to its file_end. Never raises.
---@param path string
function Session:run(path)
  local recorder, suite = self.recorder, self.suite
  recorder:open_file(path)
  current_run.begin(path)
  current_run.seed, current_run.audit = suite.randomseed, self.options.audit or false
  local left, skipped
  if self.broken then
    skipped = self.broken
  elseif suite.skipAll then
    skipped = "stopped after the first failure"
  elseif begin(self) then
    local scope = core.enter(suite.limits.body)
    local found = loader.load(path, self.loaders)
    core.leave(scope)
    if found.chunk then
      left = run_chunk(self, path, found)
    elseif found.problem then
      recorder:unloadable(path, found.problem)
    else
      skipped = found.skipped
    end
  end
  recorder:close_file(left, skipped)
end

--- Nothing more starts: the file that runs ends after its running test.
function Session:stop() self.suite.skipAll = true end

--- The suite ends: what a helper declared for its end runs, and what is still open is closed and named.
---@return string? left     what was left open outside any file, a line each
function Session:finish()
  local suite, options, recorder = self.suite, self.options, self.recorder
  local root = suite.tree.root
  if self.begun then
    suite.blocks.lazy_teardown(root)
    suite.blocks.teardown(root)
    suite.announce("suite", { "suite", "end" }, root, options.run or 1, options.runs or 1)
    suite.publish({ "exit" })
  end
  recorder.file = nil
  local left, failed = leftover.sweep(self.mark, suite.limits.cleanup)
  for _, task in ipairs(failed) do recorder:send(recorder:task_failed(task, "")) end
  if left then
    self.emit { ev = "left", left = left }
    if options["fail-on-left"] then recorder:left_behind(left, "outside any file", nil, 0) end
  end
  return left
end

return spec
