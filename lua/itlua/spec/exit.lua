--- `os.exit` in a spec: an error of the test that calls it. Under busted it ends the run, and no result is ever told.

local core = require "itlua.core"

local exit = {}

-- A spec may fork. In the child the process is to end, as it was asked to.
local function process_id()
  local stat = io.open("/proc/self/stat")
  local id = stat and stat:read("n")
  if stat then stat:close() end
  return id
end

--- Replaces the user's os.exit.
function exit.guard()
  local user_os = rawget(core.globals(), "os")
  if type(user_os) ~= "table" then return end
  local really, id = os.exit, process_id()
  user_os.exit = function(code, ...)
    if id and process_id() ~= id then really(code, ...) end
    local shown = code == nil and "" or tostring(code)
    core.raise("exit", shown ~= "" and shown or nil,
      ("os.exit(%s) was called; in a spec it ends the test, not the run"):format(shown))
  end
end

return exit
