--- The words of the DSL and what they do: describe, it, pending, the hooks, and their other names.

local blocks_of = require "itlua.spec.blocks"
local core = require "itlua.core"
local env = require "itlua.spec.environment"
local evidence = require "itlua.evidence"
local leftover = require "itlua.spec.leftover"
local surroundings = require "itlua.spec.surroundings"

local mark, forget_data = core.mark, core.forget_data

local HOOK = { envmode = "unwrap" }

local function executors(suite)
  local tree, recorder, limits = suite.tree, suite.recorder, suite.limits
  local attempt, announce, environment = suite.attempt, suite.announce, suite.environment
  local blocks = blocks_of.new(suite)
  local run = {}

  local TEST_START, TEST_END = { "test", "start" }, { "test", "end" }

  function run.file(file)
    local mt = debug.getmetatable(file.run)
    env.set(mt and mt.__call or file.run, environment.proxy)
    local left
    if announce("file", { "file", "start" }, file) then left = blocks.run_and_sweep("file", file) end
    announce("file", { "file", "end" }, file)
    suite.left = left
  end

  function run.describe(block)
    local parent = tree.parents[block]
    local left
    if announce("describe", { "describe", "start" }, block, parent) then
      left = blocks.run_and_sweep("describe", block)
    end
    announce("describe", { "describe", "end" }, block, parent)
    recorder:block_end(block, left)
  end

  -- The body, then what it gave to `finally`. The first of the two that goes wrong decides.
  local function run_test(test)
    local status = attempt("it", test.run, test, limits.test)
    local finalizer = environment.finalizers[test]
    if finalizer then
      environment.finalizers[test] = nil
      environment.finalizing = test
      local after = attempt("finally", finalizer, test, limits.cleanup, true)
      environment.finalizing = nil
      if status == "success" or (status == "pending" and after ~= "success") then status = after end
    end
    return status
  end

  local function begin_test(test, parent)
    if suite.observed then return announce("test", TEST_START, test, parent) end
    recorder:test_start(test, parent)
    return true
  end

  local function end_test(test, parent, status)
    if suite.observed then
      announce("test", TEST_END, test, parent, status)
    else
      recorder:test_end(test, parent, status)
    end
  end

  -- One go at a test: what modules registered, hooks, body, cleanup.
  local function go(test, parent)
    local since = mark()
    recorder.since, recorder.due = since, test
    local around = surroundings.before(suite, test)
    if evidence.any then
      evidence.forget()
      forget_data()
    end
    local hooked = blocks.hooked(parent)
    local fine, deepest = true, parent
    if hooked then fine, deepest = blocks.before_each(parent) end
    if around == "broken" then fine = false end
    recorder.due = nil
    if fine then end_test(test, parent, begin_test(test, parent) and run_test(test) or "error") end
    suite.examine_tasks(test, since)
    if hooked then blocks.after_each(deepest) end
    suite.examine_tasks(test, since)
    surroundings.after(suite, recorder)
    -- The test's end has been told by now, but its event still waits for what is found here.
    if mark() ~= since then
      local left, failed = leftover.sweep(since, limits.cleanup)
      if left or failed[1] then recorder:add_to_test(left, failed) end
    end
  end

  function run.it(test)
    local parent = tree.parents[test]
    if recorder.listing then return recorder:listed(test, parent) end
    if not blocks.lazy_setup(parent) then return end
    local before, retries = recorder.since, suite.retries
    if retries == 0 then
      go(test, parent)
      recorder:release()
    else
      local number = 0
      repeat
        number = number + 1
        recorder.attempt, recorder.held = number, {}
        go(test, parent)
      until not recorder:end_attempt(number <= retries)
    end
    recorder.since = before
    pcall(core.breathe) -- an interruption that comes now is no fault of the block: whatever waits next meets it
  end

  function run.pending(test)
    local parent = tree.parents[test]
    if recorder.listing then
      if not recorder.options["suppress-pending"] then recorder:listed(test, parent) end
      return
    end
    local status = announce("it", TEST_START, test, parent) and "pending" or "error"
    announce("it", TEST_END, test, parent, status)
    recorder:release()
  end

  return run, blocks
end

local words = {}

--- Gives a suite its words.
---@param suite itlua.spec.suite
---@param options { lazy?: boolean, insulate?: boolean }
function words.install(suite, options)
  local run, blocks = executors(suite)
  suite.blocks = blocks
  suite.trusted[run.it], suite.trusted[run.pending] = true, true

  suite.register("file", run.file, options.insulate ~= false and { envmode = "insulate" } or {})
  suite.register("describe", run.describe)
  suite.register("insulate", "describe", { envmode = "insulate" })
  suite.register("expose", "describe", { envmode = "expose" })
  suite.register("it", run.it)
  suite.register("pending", run.pending, { default_fn = function() end })
  for _, hook in ipairs {
    "before_each", "after_each", "lazy_setup", "lazy_teardown", "strict_setup", "strict_teardown",
  } do
    suite.register(hook, HOOK)
  end
  suite.register("setup", options.lazy and "lazy_setup" or "strict_setup")
  suite.register("teardown", options.lazy and "lazy_teardown" or "strict_teardown")
  suite.register("context", "describe")
  suite.register("spec", "it")
  suite.register("test", "it")
  suite.hide("file")
end

return words
