--- The globals of a spec file. Its functions share one proxy for `_ENV`: reads look at the current element's own
-- globals, then at those of the elements around it, then at `_G`; writes go to the current element. So the scope is
-- dynamic: what a describe body assigns is seen by its tests and gone after it, what a test assigns is gone after the
-- test, and what a hook assigns belongs to its block.

local core = require "itlua.core"
local outcome = require "itlua.spec.outcome"

local globals = core.globals()
local getmetatable = debug.getmetatable

local environment = {}

--- The environment of a function, `_G` for one that uses no globals.
function environment.get(fn)
  local up = 0
  repeat
    up = up + 1
    local name, value = debug.getupvalue(fn, up)
    if name == "_ENV" then return value end
  until name == nil
  return globals
end

--- Gives a function an environment of its own: others that shared its old one keep that.
function environment.set(fn, env)
  local up = 0
  repeat
    up = up + 1
    local name = debug.getupvalue(fn, up)
    if name == "_ENV" then
      debug.upvaluejoin(fn, up, function() return name end, 1)
      debug.setupvalue(fn, up, env)
      break
    end
  until name == nil
  return fn
end

--- From `_G`, honouring a metatable there. As a tail call, so that a "strict" complaint points at the spec's line.
local function global(key)
  local value = rawget(globals, key)
  if value ~= nil then return value end
  local mt = getmetatable(globals)
  local index = mt and mt.__index
  if type(index) == "function" then return index(globals, key) end
  if index ~= nil then return index[key] end
end

-- In what is no block, words of the DSL mean something else: inside a test `pending` ends it and `finally` exists, and
-- everything that would declare is refused.
local inside = {
  it = "test",
  before_each = "hook", after_each = "hook",
  lazy_setup = "hook", lazy_teardown = "hook", strict_setup = "hook", strict_teardown = "hook",
}

local refusals = setmetatable({}, {
  __index = function(refusals, word)
    local function refuse()
      error("'" .. word .. "' not supported inside current context block", 2)
    end
    refusals[word] = refuse
    return refuse
  end,
})

---@class itlua.spec.environment
---@field proxy table
---@field words table<string, boolean>     the declaring words
---@field finalizers table                 what `finally` was given, by test
---@field finalizing? itlua.spec.element   the test whose finalizer runs
local Environment = {}
Environment.__index = Environment

---@param tree itlua.spec.tree
function environment.new(tree)
  local self = setmetatable({ words = { randomize = true, finally = true }, finalizers = {} }, Environment)
  local words = self.words

  local function refused(element, word)
    local run = element.run
    if type(run) ~= "function" then return true end
    local env = environment.get(run)
    return env == self.proxy or (env ~= globals and env[word]) or rawget(env, word)
  end

  local function word_inside(element, kind, word)
    if word == "finally" then
      return kind == "test" and function(fn) self.finalizers[element] = fn end
    elseif word == "pending" and kind == "test" and self.finalizing ~= element then
      return outcome.pending
    end
    return (word == "randomize" or refused(element, word)) and refusals[word]
  end

  local function index(_, key)
    local element = tree.current
    local env = element.env
    local value = env and env[key]
    if value then return value end
    if words[key] and inside[element.descriptor] then
      value = word_inside(element, inside[element.descriptor], key)
      if value then return value end
    end
    element = tree.parents[element]
    while element do
      env = element.env
      value = env and env[key]
      if value then return value end
      element = tree.parents[element]
    end
    return global(key)
  end

  local function assign(element, key, value)
    local env, mode = element.env, element.attributes.envmode
    local known = env and env[key] ~= nil or mode == "unwrap" and words[key]
    local up = not known and (mode == "unwrap" and 1 or mode == "expose" and 2)
    if not up then
      if not env then
        env = {}
        element.env = env
      end
      env[key] = value
      return
    end
    local target = element
    for _ = 1, up do target = target and tree.parents[target] end
    if target then assign(target, key, value) else globals[key] = value end
  end

  self.proxy = setmetatable({}, {
    __index = index,
    __newindex = function(_, key, value) assign(tree.current, key, value) end,
  })
  return self
end

return environment
