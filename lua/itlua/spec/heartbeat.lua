--- Tells, beside a test that takes long, what it waits for: events for whoever watches the run. A test that computes is not
-- told of; the supervisor knows it runs.

local core = require "itlua.core"

local heartbeat = {}

local function words(waits)
  local found = waits[1]
  for _, wait in ipairs(waits) do
    -- A wait for a task is explained by what that task waits for.
    if found.what:find "^task" and not wait.what:find "^task" then found = wait end
  end
  if not found then return nil end
  local what, detail = found.what:match "^[^.]*", found.detail:gsub("%s+", " ")
  if detail:sub(1, #what + 1) == what .. " " then return detail end
  return detail == "" and what or what .. " " .. detail
end

--- Begins; it ends with the state.
---@param recorder itlua.spec.recorder
---@param every number        seconds
---@param emit fun(event: table)
function heartbeat.start(recorder, every, emit)
  core.daemon(function()
    core.silence(true)
    while true do
      core.sleep(every)
      local id = recorder.running
      if id and core.now() - recorder.test_began >= every then
        local ok, what = pcall(function() return words(core.waits(recorder.since, true)) end)
        if ok and what then emit { ev = "waiting", file = recorder.file, id = id, what = what } end
      end
    end
  end)
end

return heartbeat
