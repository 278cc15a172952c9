--- The engine's heart: declares elements, runs user code for one under its deadline, and says what came of it.
-- A suite is also the `busted` object that helpers and plugins get, so its functions are called with a dot and the names of
-- its public ones are busted's; compat/core.lua adds those that only they use.
--
-- What happens is published on a bus. As long as nobody but the recorder subscribed to it (`observed` is false) the
-- recorder is called directly, and what only subscribers look at (traces, times) is not collected.

local blame = require "itlua.spec.blame"
local core = require "itlua.core"
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
---@field observed boolean
---@field skipAll boolean         nothing more starts
---@field randomize boolean       --shuffle-tests
---@field randomseed integer
---@field sort boolean
---@field trusted table          executors of ours, which guard themselves
---@field api table               what `require "busted"` offers
---@field executors table         the declaring functions, by word

local NO_ATTRIBUTES = {}

local function new(recorder, limits)
  local tree = tree_of.new()
  local bus = mediator.new()
  local suite = {
    tree = tree, bus = bus, recorder = recorder, limits = limits, environment = environment.new(tree),
    api = {}, executors = {}, trusted = {}, observed = false, skipAll = false,
    version = "2.3.0", gettime = core.clock, monotime = core.now, sleep = core.sleep,
    status = require "itlua.spec.status", fail = outcome.fail, pending = outcome.pending,
  }
  local run_by, attributes_of = {}, {} -- by descriptor: the executor, and what its elements get

  -- == the bus ==

  --- Publishes to a channel, {"test", "end"} for one.
  function suite.publish(channel, ...)
    if channel[1] == "register" and suite.filter and not suite.filter(channel[2], (...)) then return {} end
    return bus:publish(channel, ...)
  end

  --- Subscribes to a channel: fn(…) returns nil, true to let others hear it too.
  function suite.subscribe(...)
    suite.observed = true
    return bus:subscribe(...)
  end

  function suite.unsubscribe(...)
    return bus:removeSubscriber(...)
  end

  -- == words ==

  function suite.exportApi(key, value)
    suite.api[key] = value
  end

  local function set_global(key, value)
    local env = tree.current.env
    if not env then
      env = {}
      tree.current.env = env
    end
    env[key] = value
  end

  --- Makes something part of the api and a global of spec files.
  function suite.export(key, value)
    suite.api[key] = value
    set_global(key, value)
  end

  function suite.hide(key)
    suite.api[key] = nil
    set_global(key, nil)
    suite.environment.words[key] = nil
  end

  local function attach(descriptor, name, run, trace, attributes)
    local element = { descriptor = descriptor, attributes = attributes or NO_ATTRIBUTES, name = name, run = run, trace = trace }
    local parent = tree.current
    tree:attach(element)
    local same = parent[descriptor]
    if same then
      same[#same + 1] = element
    else
      parent[descriptor] = { element }
    end
    return element
  end

  -- Where a word was used: in full where somebody may look at it or a loader maps lines, else only function and line. The
  -- level is that of the word's caller, seen from the word.
  local function place_of(level, name, run)
    local place = {}
    if not tree.parents[tree.current] then return place end
    local file = suite.file
    if suite.observed or (file and not file.plain) then
      place.trace = blame.trace(level + 1, file, run)
      place.trace.message = tostring(name)
    else
      place.origin, place.line = blame.caller(level + 1)
    end
    if suite.selection then place.here = blame.line_in(level + 1, file.source) end
    return place
  end

  local function declare(descriptor, name, run, attributes, place)
    if suite.filter and not suite.filter(descriptor, name) then return end
    if suite.observed then
      bus:publish({ "register", descriptor }, name, run, place.trace, attributes)
      return
    end
    local element = attach(descriptor, name, run, place.trace, attributes)
    element.origin, element.line = place.origin, place.line
    if not place.line and not place.trace then
      element.origin = blame.origin(run)
      element.line = element.origin and element.origin.linedefined
    end
    if suite.selection then suite.selection:declared(element, place.here) end
  end

  --- Adds a word to the DSL, or with another word's name in place of the executor a second name for that.
  ---@param descriptor string
  ---@param executor? function|table|string    runs an element; a table is taken for the attributes
  ---@param attributes? table
  function suite.register(descriptor, executor, attributes)
    local word, alias = descriptor, nil
    if type(executor) == "string" then
      alias, descriptor = word, executor
      executor, attributes = run_by[descriptor], attributes or attributes_of[descriptor]
    elseif executor ~= nil and not outcome.callable(executor) then
      executor, attributes = nil, executor
    end
    run_by[word], attributes_of[word] = executor, attributes

    local function publisher(name, run)
      if not run then
        if type(name) == "function" then
          name, run = alias, name
        else
          run = attributes and attributes.default_fn
        end
      end
      local place = place_of(2, name, run)
      if not run then
        return function(given) declare(descriptor, name, given, attributes, place) end
      end
      declare(descriptor, name, run, attributes, place)
    end

    suite.executors[word] = publisher
    suite.environment.words[word] = true
    suite.export(word, publisher)
    bus:subscribe({ "register", descriptor }, function(name, run, trace, given)
      local element = attach(descriptor, name, run, trace, given)
      element.line = trace and trace.currentline
    end)
  end

  -- == running user code ==

  -- What the last error was: filled where it was raised, while its stack was still there.
  local fault

  local function examine(raised)
    local file = suite.file
    local trace = blame.trace(2, file, tree.current.run)
    trace.message = tostring(raised)
    fault = { status = outcome.of(raised), raised = raised, trace = trace, message = blame.message(raised, trace, file) }
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
    local previous = tree:enter(element)
    local scope = seconds and core.enter(seconds, shield)
    local ok, raised = xpcall(run, examine)
    local expired = scope and core.leave(scope)
    local status = "success"
    if not ok or expired then
      local found = fault_of(raised, expired and ok and seconds)
      -- Only a test can fail. A failure anywhere else is an error outside the tests.
      status = found.status == "failure" and what ~= "it" and "error" or found.status
      found.status, found.what = status, what
      suite.problem(element, found)
    end
    tree:leave(previous)
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
    return suite.attempt(what, function() bus:publish(channel, element, table.unpack(more, 1, more.n)) end, element) == "success"
  end

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

  recorder:listen(bus, suite)
  return suite
end

return { new = new }
