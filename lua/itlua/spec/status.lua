--- A status that only gets worse: success, pending, failure, error. What `busted.status` gives to executors and
-- plugins.

local words = {
  success = "success", pending = "pending", failure = "failure", error = "error",
  ["true"] = "success", ["false"] = "failure", ["nil"] = "error",
}

local function word(status)
  return words[tostring(status)] or "error"
end

local Status = {}
Status.__index = Status

function Status:success() return self.word == "success" end
function Status:pending() return self.word == "pending" end
function Status:failure() return self.word == "failure" end
function Status:error() return self.word == "error" end
function Status:get() return self.word end
function Status:set(status) self.word = word(status) end

--- Takes over a new status unless the present one is already a failure or an error.
function Status:update(status)
  local new = word(status)
  if self.word == "success" or (self.word == "pending" and new ~= "success") then self.word = new end
end

function Status:__tostring() return self.word end

---@param initial any    a status, its word, or true, false, nil for success, failure, error
return function(initial)
  return setmetatable({ word = word(initial) }, Status)
end
