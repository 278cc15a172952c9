--- The engine's heart: runs user code for an element under its deadline, and says what came of it. A suite is also the
-- `busted` object that helpers and plugins get, so its functions are called with a dot and the names of its public
-- ones are busted's; compat/core.lua adds those that only they use.
--
-- What happens is published on a bus. As long as nobody but the recorder subscribed to it (`observed` is false) the
-- recorder is called directly, and what only subscribers look at (traces, times) is not collected.

local blame = require "itlua.spec.blame"
local core = require "itlua.core"
local declare = require "itlua.spec.declare"
local environment = require "itlua.spec.environment"
local mediator = require "itlua.mediator"
local outcome = require "itlua.spec.outcome"
local tree_of = require "itlua.spec.tree"

---@class itlua.spec.suite
---@field tree itlua.spec.tree
---@field environment itlua.spec.environment
---@field recorder table          what happens becomes events here
---@field limits table            seconds: test, hook, body, cleanup
---@field filter? fun(descriptor: string, name: any): boolean    which declarations count
---@field selection? table        path:line, see lines.lua
---@field file? table             {name, getTrace, rewriteMessage, source, plain}: the file that runs
---@field observed boolean        somebody besides the recorder listens
---@field simple boolean          of a declaration only function and line need to be known
---@field hooks integer           how many before_each and after_each were declared so far
---@field skipAll boolean         nothing more starts
---@field on_fault? fun(element: table, raised: any)   told of what failed while its stack is still there
---@field randomize boolean       --shuffle-tests
---@field randomseed integer
---@field sort boolean
---@field retries integer        how often a test that fails runs again
---@field run_by table             by descriptor or word: the function that runs an element
---@field trusted table          executors of ours, which guard themselves
---@field api table               what `require "busted"` offers
---@field executors table         the declaring functions, by word

local enter, leave = core.enter, core.leave

local NO_ATTRIBUTES = {}

local function new(recorder, limits)
  local tree = tree_of.new()
  local bus = mediator.new()
  local suite = {
    tree = tree, bus = bus, recorder = recorder, limits = limits, environment = environment.new(tree),
    api = {}, executors = {}, run_by = {}, trusted = {}, observed = false, simple = true, skipAll = false, hooks = 0,
    retries = 0,
    version = "2.3.0", gettime = core.clock, monotime = core.now, sleep = core.sleep,
    status = require "itlua.spec.status", fail = outcome.fail, pending = outcome.pending,
  }

  -- == the bus ==

  --- Publishes to a channel, {"test", "end"} for one.
  function suite.publish(channel, ...)
    if channel[1] == "register" and suite.filter and not suite.filter(channel[2], (...)) then return {} end
    return bus:publish(channel, ...)
  end

  --- Subscribes to a channel: fn(…) returns nil, true to let others hear it too.
  function suite.subscribe(...)
    suite.observed, suite.simple = true, false
    return bus:subscribe(...)
  end

  function suite.unsubscribe(...)
    return bus:removeSubscriber(...)
  end

  -- == running user code ==

  -- What the last error was: filled where it was raised, while its stack was still there.
  local fault

  local function examine(raised)
    local file = suite.file
    local trace = blame.trace(2, file, tree.current.run)
    trace.message = tostring(raised)
    fault = { status = outcome.of(raised), raised = raised, trace = trace }
    fault.message = blame.message(raised, trace, file)
    if suite.on_fault and fault.status ~= "pending" then
      local found = fault
      suite.on_fault(tree.current, raised) -- may wait, and run code that fails in its own way
      fault = found
    end
  end

  --- Before what was begun since the mark is swept: a debugger is told of the tasks that failed.
  ---@param element itlua.spec.element
  ---@param since integer
  function suite.examine_tasks(element, since)
    if not suite.on_fault then return end
    for _, raised in ipairs(core.unjoined(since)) do suite.on_fault(element, raised) end
  end

  local function fault_of(raised, expired)
    local found = fault
    fault = nil
    if found then return found end
    local trace = blame.trace(2, suite.file, tree.current.run)
    if expired then raised = core.error_new("timeout", nil, ("went on after its deadline of %g s"):format(expired)) end
    return { status = "error", raised = raised, trace = trace, message = blame.message(raised, trace, suite.file) }
  end

  --- A failure, an error or a pending call becomes known.
  ---@param element itlua.spec.element
  ---@param found table    {status, message, trace, raised, what}
  function suite.problem(element, found)
    suite.fault = found
    if suite.observed then
      bus:publish({ found.status, element.descriptor }, element, tree.parents[element], found.message, found.trace)
    else
      recorder:problem(found.status, element, found.message, found.trace)
    end
    suite.fault = nil
  end

  --- Runs user code for an element, in its context and under a deadline; an error is made known.
  ---@param what string              "it", "finally", "before_each", …
  ---@param run function|table
  ---@param element itlua.spec.element
  ---@param seconds? number          none without it
  ---@param shield? boolean          outer deadlines that have passed are not felt
  ---@return "success"|"pending"|"failure"|"error"
  function suite.attempt(what, run, element, seconds, shield)
    local previous = tree.current
    if previous ~= element then tree:enter(element) end
    local scope = seconds and enter(seconds, shield)
    local ok, raised = xpcall(run, examine)
    local expired = scope and leave(scope)
    local status = "success"
    if not ok or expired then
      local found = fault_of(raised, expired and ok and seconds)
      -- Only a test can fail. A failure anywhere else is an error outside the tests.
      status = found.status == "failure" and what ~= "it" and "error" or found.status
      found.status, found.what = status, what
      suite.problem(element, found)
    end
    if previous ~= element then tree:leave(previous) end
    return status
  end

  --- Tells subscribers, whose errors are the element's.
  ---@return boolean
  function suite.announce(what, channel, element, ...)
    if not suite.observed then
      recorder:told(channel, element, ...)
      return true
    end
    local more = table.pack(...)
    if channel[2] == "start" then
      element.starttick, element.starttime = core.now(), core.clock()
      blame.declared(element)
    elseif channel[2] == "end" then
      element.endtick, element.endtime = core.now(), core.clock()
      element.duration = element.starttick and element.endtick - element.starttick
    end
    local function publish() bus:publish(channel, element, table.unpack(more, 1, more.n)) end
    return suite.attempt(what, publish, element) == "success"
  end

  local run_by = suite.run_by

  --- Gives one element its turn, unless the run is over or it was not chosen.
  ---@param element itlua.spec.element
  function suite.run(element)
    local executor, selection = run_by[element.descriptor], suite.selection
    if not executor or suite.skipAll or (selection and not selection:includes(element)) then return end
    if suite.trusted[executor] then
      local previous = tree:enter(element)
      executor(element)
      tree:leave(previous)
    else
      suite.attempt(element.descriptor, function() executor(element) end, element)
    end
  end

  --- Runs an element's children, in order.
  ---@param current? itlua.spec.element
  function suite.execute(current)
    for _, child in ipairs(tree.children[current or tree.current] or NO_ATTRIBUTES) do suite.run(child) end
  end

  declare.install(suite)
  recorder:listen(bus, suite)
  return suite
end

return { new = new }
