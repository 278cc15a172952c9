--- Declaring: the words of the DSL, which make elements of what they are given.

local blame = require "itlua.spec.blame"
local outcome = require "itlua.spec.outcome"

local declare = {}

local caller = blame.caller

local NO_ATTRIBUTES = {}
local is_hook = { before_each = true, after_each = true }

-- Makes an element and puts it below the current one.
local function attacher(suite)
  local tree = suite.tree
  return function(descriptor, name, run, attributes, origin, line)
    local element = {
      descriptor = descriptor, attributes = attributes or NO_ATTRIBUTES, name = name, run = run,
      origin = origin, line = line,
    }
    local parent = tree.current
    tree:attach(element)
    if is_hook[descriptor] then suite.hooks = suite.hooks + 1 end
    local same = parent[descriptor]
    if same then
      same[#same + 1] = element
    else
      parent[descriptor] = { element }
    end
    return element
  end
end

-- After a tail call nobody is left who used the word: its function is where it was, or the one around it.
local function place(element, run)
  if element.line or element.trace then return end
  element.origin = blame.origin(run)
  element.line = element.origin and element.origin.linedefined
end

-- The function that spec files call. What somebody listens to, what is mapped by a loader and what may be chosen by its
-- line goes the long way round.
local function word_for(suite, attach, descriptor, alias, attributes)
  local tree = suite.tree
  local default = attributes and attributes.default_fn

  local function written(run) return run ~= default and run or tree.current.run end

  local function trace_of(name, run)
    if not tree.parents[tree.current] then return nil end
    local trace = blame.trace(3, suite.file, written(run))
    trace.message = tostring(name)
    return trace
  end

  local function carefully(name, run, trace, here)
    if suite.filter and not suite.filter(descriptor, name) then return end
    if suite.observed then
      suite.bus:publish({ "register", descriptor }, name, run, trace, attributes)
      return
    end
    local element = attach(descriptor, name, run, attributes, nil, trace and trace.currentline)
    element.trace = trace
    if suite.selection then suite.selection:declared(element, here) end
  end

  return function(name, run)
    if not run then
      if type(name) == "function" then
        name, run = alias, name
      else
        run = default
      end
    end
    if run and suite.simple then
      if suite.filter and not suite.filter(descriptor, name) then return end
      local below_file = tree.parents[tree.current]
      local origin, line
      if below_file then origin, line = caller(2) end
      local element = attach(descriptor, name, run, attributes, origin, line)
      if below_file and not line then place(element, written(run)) end
      return
    end
    local trace = trace_of(name, run)
    local here = suite.selection and blame.line_in(2, suite.file.source)
    if not run then
      return function(given) carefully(name, given, trace, here) end
    end
    carefully(name, run, trace, here)
  end
end

--- Gives the suite register, export, exportApi, hide.
---@param suite itlua.spec.suite
function declare.install(suite)
  local tree = suite.tree
  local attach = attacher(suite)
  local run_by, attributes_of = suite.run_by, {}

  local function set_global(key, value)
    local env = tree.current.env
    if not env then
      env = {}
      tree.current.env = env
    end
    env[key] = value
  end

  function suite.exportApi(key, value)
    suite.api[key] = value
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

  --- Adds a word to the DSL, or with another word's name in place of the executor a second name for that.
  ---@param word string
  ---@param executor? function|table|string    runs an element; a table is taken for the attributes
  ---@param attributes? table
  function suite.register(word, executor, attributes)
    local descriptor, alias = word, nil
    if type(executor) == "string" then
      alias, descriptor = word, executor
      executor, attributes = run_by[descriptor], attributes or attributes_of[descriptor]
    elseif executor ~= nil and not outcome.callable(executor) then
      executor, attributes = nil, executor
    end
    run_by[word], attributes_of[word] = executor, attributes
    local publisher = word_for(suite, attach, descriptor, alias, attributes)
    suite.executors[word] = publisher
    suite.environment.words[word] = true
    suite.export(word, publisher)
    suite.bus:subscribe({ "register", descriptor }, function(name, run, trace, given)
      local element = attach(descriptor, name, run, given, nil, trace and trace.currentline)
      element.trace = trace
    end)
  end
end

return declare
