--- Keeping one file's or block's doings from the next: the user's globals and loaded modules, remembered and put back.

local core = require "itlua.core"

local insulation = {}

local globals = core.globals()
local loaded = package.loaded

---@class itlua.spec.insulation
---@field metatable table?
---@field globals table
---@field loaded table

--- Everything in `_G`, its metatable, and everything in `package.loaded`.
---@return itlua.spec.insulation
function insulation.save()
  local saved = { metatable = debug.getmetatable(globals), globals = {}, loaded = {} }
  for key, value in next, globals do saved.globals[key] = value end
  for key, value in pairs(loaded) do saved.loaded[key] = value end
  return saved
end

--- Puts it back: what came goes, what went or changed is as it was. `package.loaded` may carry a metatable of the
-- project's own that watches its keys, so they are set one by one and not raw.
---@param saved itlua.spec.insulation
function insulation.restore(saved)
  debug.setmetatable(globals, saved.metatable)
  for key in next, globals do rawset(globals, key, saved.globals[key]) end
  for key, value in next, saved.globals do rawset(globals, key, value) end
  local changed = {}
  for key, value in pairs(loaded) do
    if saved.loaded[key] ~= value then changed[key] = true end
  end
  for key in pairs(changed) do loaded[key] = saved.loaded[key] end
  for key, value in pairs(saved.loaded) do
    if loaded[key] ~= value then loaded[key] = value end
  end
end

return insulation
