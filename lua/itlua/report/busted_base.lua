--- What `require "busted.outputHandlers.base"` gives custom output handlers: busted's counters, lists and formatting.
-- The same fields and functions as busted's, since handlers read them, override them and compare with them.

local busted_base = {}

-- A copy that can be encoded and kept: no functions, no environment.
local function copy_element(element)
  local copy = {}
  for key, value in next, element do
    if type(value) ~= "function" and key ~= "env" then copy[key] = value end
  end
  return copy
end

local lists = { success = "successes", pending = "pendings", failure = "failures", error = "errors" }

local function formatting(handler, busted)
  function handler.getFullName(context)
    local names = { context.name or context.descriptor }
    local parent = busted.parent(context)
    while parent and (parent.name or parent.descriptor) and parent.descriptor ~= "file" do
      table.insert(names, 1, parent.name or parent.descriptor)
      parent = busted.parent(parent)
    end
    return table.concat(names, " ")
  end

  function handler.format(element, parent, message, debug, is_error)
    local formatted = {
      trace = debug or element.trace, element = copy_element(element), name = handler.getFullName(element),
      message = message, randomseed = parent and parent.randomseed, isError = is_error,
    }
    formatted.element.trace = element.trace or debug
    return formatted
  end

  function handler.getDuration()
    if not handler.endTick or not handler.startTick then return 0 end
    return handler.endTick - handler.startTick
  end
end

local function counting(handler)
  local function add(list, formatted)
    list[#list + 1] = formatted
  end

  function handler.baseSuiteStart(suite)
    handler.startTick, handler.startTime = suite.starttick, suite.starttime
    return nil, true
  end

  function handler.baseSuiteReset()
    for _, list in pairs(lists) do
      handler[list] = {}
      handler[list .. "Count"] = 0
    end
    handler.inProgress = {}
    return nil, true
  end

  function handler.baseSuiteEnd(suite)
    handler.endTick, handler.endTime = suite.endtick, suite.endtime
    return nil, true
  end

  function handler.baseTestStart(element)
    handler.inProgress[tostring(element)] = {}
    return nil, true
  end

  function handler.baseTestEnd(element, parent, status, debug)
    -- Failures and errors were kept when they happened; an error was counted then, too.
    if status == "failure" then handler.failuresCount = handler.failuresCount + 1 end
    if status ~= "success" and status ~= "pending" then return nil, true end
    local list = lists[status]
    handler[list .. "Count"] = handler[list .. "Count"] + 1
    local formatted = handler.format(element, parent, element.message, debug)
    local id = tostring(element)
    for key, value in pairs(handler.inProgress[id] or {}) do formatted[key] = value end
    handler.inProgress[id] = nil
    add(handler[list], formatted)
    return nil, true
  end

  function handler.basePending(element, _, message, debug)
    local id = tostring(element)
    local progress = handler.inProgress[id] or {}
    handler.inProgress[id] = progress
    progress.message, progress.trace = message, debug
    return nil, true
  end

  function handler.baseTestFailure(element, parent, message, debug)
    add(handler.failures, handler.format(element, parent, message, debug))
    return nil, true
  end

  function handler.baseTestError(element, parent, message, debug)
    handler.errorsCount = handler.errorsCount + 1
    add(handler.errors, handler.format(element, parent, message, debug, true))
    return nil, true
  end

  function handler.baseError(element, parent, message, debug)
    if element.descriptor ~= "it" then handler.baseTestError(element, parent, message, debug) end
    return nil, true
  end
end

--- The factory that the module returns: each call makes a handler.
---@param busted table     subscribe and parent
---@param languages fun(code: string)   selects the language of `say`
---@return fun(): table
function busted_base.factory(busted, languages)
  return function()
    local handler = {}
    formatting(handler, busted)
    counting(handler)
    handler.baseSuiteReset()

    function handler.cancelOnPending(element, _, status)
      return not ((element.descriptor == "pending" or status == "pending") and handler.options.suppressPending)
    end

    function handler.subscribe(self, options)
      languages(options.language)
      self.options = options
      handler.options = options
      local first = { priority = 1 }
      local unless_pending = { priority = 1, predicate = handler.cancelOnPending }
      busted.subscribe({ "suite", "reset" }, handler.baseSuiteReset, first)
      busted.subscribe({ "suite", "start" }, handler.baseSuiteStart, first)
      busted.subscribe({ "suite", "end" }, handler.baseSuiteEnd, first)
      busted.subscribe({ "test", "start" }, handler.baseTestStart, unless_pending)
      busted.subscribe({ "test", "end" }, handler.baseTestEnd, unless_pending)
      busted.subscribe({ "pending" }, handler.basePending, unless_pending)
      busted.subscribe({ "failure", "it" }, handler.baseTestFailure, first)
      busted.subscribe({ "error", "it" }, handler.baseTestError, first)
      busted.subscribe({ "failure" }, handler.baseError, first)
      busted.subscribe({ "error" }, handler.baseError, first)
    end

    return handler
  end
end

return busted_base
