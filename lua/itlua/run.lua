--- The run that this state is part of, as the spec engine says: what is random draws from its seed.

---@class itlua.run
---@field seed integer    the run's seed (`--seed`)
---@field file string     the spec file or script
local run = { seed = 0, file = "" }

return run
