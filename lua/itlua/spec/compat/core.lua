--- The parts of busted's inner objects that only helpers, plugins and white-box tests use, for a suite of ours.

local api = require "itlua.spec.api"
local assertions = require "itlua.spec.assertions"
local blame = require "itlua.spec.blame"
local outcome = require "itlua.spec.outcome"
local shuffle = require "itlua.spec.shuffle"
local suite_of = require "itlua.spec.suite"
local tree_of = require "itlua.spec.tree"
local words = require "itlua.spec.words"

local whitebox = {}

-- == the context ==

local function context_of(tree)
  local context, stack = {}, {}

  function context.get(key)
    if key then return tree.current[key] end
    return tree.current
  end

  function context.set(key, value) tree.current[key] = value end

  function context.clear()
    tree:clear()
    stack = {}
  end

  function context.attach(child) tree:attach(child) end
  function context.children(parent) return tree.children[parent] or {} end
  function context.parent(child) return tree.parents[child] end

  function context.push(element)
    stack[#stack + 1] = tree:enter(element)
  end

  function context.pop()
    if not stack[1] then error("Context stack empty. Cannot pop.") end
    tree:leave(table.remove(stack))
  end

  return context
end

-- == the busted object ==

local function file_of(suite)
  return function(element)
    local file = suite.tree:file_of(element)
    if not file then return nil end
    local run = type(file.run) == "table" and file.run or {}
    return { name = file.name, getTrace = run.getTrace, rewriteMessage = run.rewriteMessage }
  end
end

--- Completes a suite to what a helper's `busted` has. Idempotent.
---@param suite itlua.spec.suite
---@return table suite
function whitebox.complete(suite)
  if suite.context then return suite end
  suite.context = context_of(suite.tree)
  suite.getFile = file_of(suite)
  suite.bindfenv = assertions.bind

  function suite.getTrace(element, level, message)
    local trace = blame.trace((level or 3) - 1, suite.getFile(element), element and element.run)
    trace.message = tostring(message)
    return trace
  end

  function suite.rewriteMessage(element, message, trace)
    return blame.message(message, trace or suite.getTrace(element, 3, message), suite.getFile(element))
  end

  function suite.wrap(callable)
    if not outcome.callable(callable) then return end
    local mt = debug.getmetatable(callable)
    require("itlua.spec.environment").set(mt and mt.__call or callable, suite.environment.proxy)
  end

  function suite.safe(descriptor, run, element)
    local results = { n = 0 }
    local status = suite.attempt(descriptor, function() results = table.pack(run()) end, element)
    return suite.status(status), table.unpack(results, 1, results.n)
  end

  function suite.safe_publish(descriptor, channel, element, ...)
    suite.observed = true
    return suite.announce(descriptor, channel, element, ...)
  end

  return suite
end

-- == instances of one's own ==

local silent = setmetatable({ listen = function() end, blocks = {}, tests = {}, listing = false }, {
  __index = function() return function() end end,
})

--- `require "busted.core"()`: an instance that reports to its own subscribers only.
function whitebox.new()
  local suite = suite_of.new(silent, { cleanup = 10 })
  suite.observed = true
  suite.file = { name = "?", plain = true }
  return whitebox.complete(suite)
end

--- `require "busted"(instance)`: gives it its words and makes it what `require "busted"` shows.
function whitebox.init(busted, suite)
  whitebox.complete(suite)
  if not suite.executors.describe then words.install(suite, {}) end
  api.export(suite)
  assertions.install(suite)
  getmetatable(busted).__index = function(_, key) return suite.api[key] end
  return busted
end

--- `require "busted.context"()`
function whitebox.context()
  return { ref = function() return context_of(tree_of.new()) end }
end

--- `require "busted.environment"(context)`: only of use with a suite's own context.
function whitebox.environment()
  error("busted.environment cannot be had on its own here", 2)
end

--- `require "busted.block"(instance)`
function whitebox.block(suite)
  return suite.blocks or require("itlua.spec.blocks").new(suite)
end

--- `require "busted.execute"(instance)`: a function that runs what was declared.
function whitebox.execute(suite)
  return function(runs, options)
    options = options or {}
    local tree = suite.tree
    for run = 1, runs or 1 do
      suite.randomseed = tonumber(options.seed) or suite.randomseed or shuffle.seed()
      local children = tree.children[tree.root] or {}
      if options.sort then
        shuffle.sort(children)
      elseif options.shuffle then
        shuffle.shuffle(children, suite.randomseed)
      end
      if suite.announce("suite", { "suite", "start" }, tree.root, run, runs, suite.randomize and suite.randomseed) then
        local blocks = whitebox.block(suite)
        if blocks.setup(tree.root) then suite.execute(tree.root) end
        blocks.lazy_teardown(tree.root)
        blocks.teardown(tree.root)
      end
      suite.announce("suite", { "suite", "end" }, tree.root, run, runs)
      if suite.skipAll then break end
    end
  end
end

return whitebox
