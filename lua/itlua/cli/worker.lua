--- What a worker's state runs: takes files one after the other and tells what comes of them.
-- A state of its own per file is the worker's business (src/app/worker.c): then `take` has one file and no more.

local core = require "itlua.core"
local current_run = require "itlua.run"

local function is_partial(settings)
  for _, name in ipairs { "name", "filter", "tags" } do
    local wanted = settings[name]
    if type(wanted) == "table" and wanted[1] or type(wanted) == "string" and wanted ~= "" then return true end
  end
  return settings.lines ~= nil or settings.chosen ~= nil
end

---@param settings table              the settings of the run, see itlua.spec
---@param take fun(): string?         waits for the next file; nil when there are no more
---@param emit fun(event: table)
---@param stopped fun()               waits until nothing more is to start
return function(settings, take, emit, stopped)
  local path = take()
  if not path then return end
  current_run.services, current_run.guard = settings.services, settings.guard
  if settings.services then require("itlua.services.states").offer(settings.services.socket) end
  current_run.partial = is_partial(settings)
  if settings.read_only then require("itlua.policy").read_only = settings.profile end
  if settings.network == "declared" then
    require("itlua.policy.network").begin(settings.profile, settings.hosts)
  end
  local session = require("itlua.spec").new(settings, emit)
  if settings.debug then require("itlua.repl.debug").install(session, settings.debug) end
  core.daemon(function()
    stopped()
    session:stop()
  end)
  while path do
    session:run(path)
    path = take()
  end
  session:finish()
end
