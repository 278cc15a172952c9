--- Spec files in Terra, by the user's own terra library.

local core = require "itlua.core"
local loader = require "itlua.spec.loader"

local terra = {}

---@param path string
---@return itlua.spec.loaded
function terra.load(path)
  local library = rawget(core.globals(), "terralib") or loader.find "terra"
  if not library then return { problem = "terra is not installed, and this is a Terra file" } end
  local chunk, problem = library.loadfile(path)
  return { chunk = chunk, problem = problem and tostring(problem), getTrace = loader.trim, plain = true }
end

return terra
