--- Files and blocks: their bodies, their setups and teardowns, the order of what is in them.

local core = require "itlua.core"
local leftover = require "itlua.spec.leftover"
local surroundings = require "itlua.spec.surroundings"
local shuffle = require "itlua.spec.shuffle"

local NONE = {}

---@param suite itlua.spec.suite
local function new(suite)
  local blocks = {}
  local tree, recorder, limits = suite.tree, suite.recorder, suite.limits
  local attempt = suite.attempt

  -- Runs the element's own hooks of one kind, all of them also when one fails.
  local function run_hooks(kind, element, seconds, shield)
    local hooks = element[kind]
    local fine = true
    if hooks and not recorder.listing then
      for _, hook in ipairs(hooks) do
        if attempt(kind, hook.run, hook, seconds, shield) ~= "success" then fine = false end
      end
    end
    return fine
  end

  local asked, known, answer

  --- Whether there is any before_each or after_each for the tests of this block.
  function blocks.hooked(element)
    if asked == element and known == suite.hooks then return answer end
    asked, known, answer = element, suite.hooks, false
    repeat
      if element.before_each or element.after_each then answer = true end
      element = tree.parents[element]
    until answer or not element
    return answer
  end

  --- Runs before_each from the outermost block inwards, up to the level where one fails.
  ---@return boolean fine
  ---@return itlua.spec.element deepest    the level that was reached
  function blocks.before_each(element)
    local parent = tree.parents[element]
    if parent then
      local fine, deepest = blocks.before_each(parent)
      if not fine then return false, deepest end
    end
    return run_hooks("before_each", element, limits.hook), element
  end

  --- Runs after_each from this level outwards.
  function blocks.after_each(element)
    repeat
      run_hooks("after_each", element, limits.cleanup, true)
      element = tree.parents[element]
    until not element
  end

  --- Runs the lazy setups that have not run yet, from the outermost block inwards.
  ---@return boolean fine
  function blocks.lazy_setup(element)
    local hooks = element.lazy_setup
    if hooks and hooks.success ~= nil then return hooks.success end
    local parent = tree.parents[element]
    if parent and not blocks.lazy_setup(parent) then return false end
    if not hooks then
      hooks = {}
      element.lazy_setup = hooks
    end
    hooks.success = run_hooks("lazy_setup", element, limits.hook)
    return hooks.success
  end

  function blocks.lazy_teardown(element)
    local hooks = element.lazy_setup
    if not hooks or hooks.success == nil then return end
    run_hooks("lazy_teardown", element, limits.cleanup, true)
    hooks.success = nil
  end

  function blocks.setup(element)
    return run_hooks("strict_setup", element, limits.hook)
  end

  function blocks.teardown(element)
    return run_hooks("strict_teardown", element, limits.cleanup, true)
  end

  -- What `randomize` in the block's body asked for goes to `order`.
  local function run_body(what, element, order)
    local env = element.env or {}
    element.env = env
    env.randomize = function(...)
      local first, second = ...
      order.randomize = select("#", ...) == 0 or first
      if order.randomize then order.seed = tonumber(first) or tonumber(second) or order.seed end
    end
    return attempt(what, element.run, element, limits.body) == "success"
  end

  local function put_in_order(element, order)
    local children = tree.children[element] or NONE
    if suite.sort then
      shuffle.sort(children)
    elseif order.randomize then
      element.randomseed = order.seed
      shuffle.shuffle(children, order.seed)
    end
    if suite.selection then suite.selection:narrow(element, children) end
  end

  --- Runs a block: its body, and if that went well setups, children, teardowns.
  ---@param what "file"|"describe"
  ---@param element itlua.spec.element
  function blocks.run(what, element)
    local order = { randomize = suite.randomize, seed = suite.randomseed }
    if not run_body(what, element, order) then return end
    put_in_order(element, order)
    if blocks.setup(element) then suite.execute(element) end
    blocks.lazy_teardown(element)
    blocks.teardown(element)
  end

  --- Runs a file or block and closes what it left open.
  ---@return string? left
  function blocks.run_and_sweep(what, element)
    local mark, since = core.mark(), recorder.since
    recorder.since = mark
    blocks.run(what, element)
    if what == "file" then surroundings.finish(suite) end
    suite.examine_tasks(element, mark)
    local left, failed = leftover.sweep(mark, limits.cleanup)
    local block = recorder.blocks[element]
    for _, task in ipairs(failed) do
      recorder:send(recorder:task_failed(task, block and block.name or "", block and block.id))
    end
    recorder.since = since
    return left
  end

  return blocks
end

return { new = new }
