--- Whether the specs of containers can run here: an engine that answers, and the images they use.

local container = require "itlua.container"

local engine = {}

local asked, why

--- Why they cannot, or nil.
---@param ... string    images
---@return string?
function engine.missing(...)
  if not asked then
    asked = true
    local ok, reason = container.available()
    if not ok then why = "no container engine: " .. reason:match "[^\n]*" end
  end
  if why then return why end
  for i = 1, select("#", ...) do
    local image = select(i, ...)
    if not container.image(image) and not pcall(container.pull, image) then
      return ("the image %s is not here and cannot be pulled"):format(image)
    end
  end
end

--- The error that a function raises.
function engine.failure(fn, ...)
  local ok, err = pcall(fn, ...)
  assert(not ok, "it should have failed")
  return err
end

--- Whether the engine has a container of that name.
function engine.has(name)
  local r = container.engine():call("GET", "/containers/" .. name .. "/json", "look", { may = { [404] = true } })
  return r.status == 200
end

return engine
