--- While a run goes on: tells the reports that time passes and what becomes of services. Those that show a run while it
-- runs draw it; what they write is seen at once.

local core = require "itlua.core"
local history = require "itlua.cli.history"

local pulse = {}

local TICK <const> = 0.1 -- seconds

local Pulse = {}
Pulse.__index = Pulse

-- "starting db", "started db  PostgreSQL 15 … (native, 0.31 s)": what the host of the services has printed since last time.
local function services_news(self)
  local text = self.services:news()
  for state, name in text:gmatch "(start%a+) ([^%s]+)[^\n]*\n" do
    self.reports:glimpse { ev = "service", name = name, state = state == "started" and "ready" or state, at = core.clock() }
  end
end

--- Begins; closing it ends it.
---@param reports table       a report.group
---@param services? table     itlua.services.Running
function pulse.start(reports, services)
  local self = setmetatable({ reports = reports, services = services and services.news and services or nil }, Pulse)
  self.task = core.daemon(function()
    while true do
      core.sleep(TICK)
      if self.services then pcall(services_news, self) end
      reports:tick(core.clock())
      io.stdout:flush()
    end
  end)
  return self
end

function Pulse:__close() core.cancel(self.task) end

--- How long files took when they last ran, for estimates; asked only where somebody watches.
---@param job { files: table[], past?: itlua.cli.history }
---@return { files: table[], of: fun(path: string): number? }?
function pulse.expected(job)
  local past = job.past
  if not past then return nil end
  return {
    files = job.files,
    of = function(path)
      local known = past:times()[history.key(path)]
      return known and known.seconds
    end,
  }
end

return pulse
