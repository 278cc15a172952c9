--- What only logs of CI servers have: groups that fold (GitHub Actions, GitLab), and a word now and then about a test that is
-- silent for long, so that nobody takes the run for dead.

local text = require "itlua.report.text"

local log = {}

local SILENT = 30 -- seconds

---@param env fun(name: string): string?
---@return "github"|"gitlab"|nil
function log.host(env)
  if env "GITHUB_ACTIONS" == "true" then return "github" end
  if env "GITLAB_CI" == "true" then return "gitlab" end
end

local serial = 0

--- A text that is folded under a title; as it is where nothing folds.
---@param host? "github"|"gitlab"
---@param title string
---@param body string     ends with a newline
---@param at number       seconds on the wall clock
---@return string
function log.folded(host, title, body, at)
  title = text.one_line(title)
  if host == "github" then
    -- A line of the body that looks like a command of GitHub's would be one.
    return ("::group::%s\n%s::endgroup::\n"):format(title, (body:gsub("%f[^\n\0]::", " ::")))
  end
  if host == "gitlab" then
    serial = serial + 1
    local name, second = ("itlua_%d"):format(serial), math.floor(at)
    return ("\27[0Ksection_start:%d:%s[collapsed=true]\r\27[0K%s\n%s\27[0Ksection_end:%d:%s\r\27[0K\n"):format(second, name,
      title, body, second, name)
  end
  return body
end

-- ---- heartbeat

---@class itlua.report.heartbeat
local Heartbeat = {}
Heartbeat.__index = Heartbeat

---@param say fun(line: string)
---@param every? number     seconds, 30
function log.heartbeat(say, every)
  return setmetatable({ say = say, every = every or SILENT, running = {} }, Heartbeat)
end

--- Something happens in a worker.
function Heartbeat:glimpse(ev)
  local running = self.running
  if ev.ev == "test_start" then
    running[ev.file] = { test = ev, told = ev.at }
  elseif ev.ev == "test_end" or ev.ev == "file_end" then
    running[ev.file] = nil
  elseif ev.ev == "waiting" and running[ev.file] then
    running[ev.file].waits = ev.what
  end
end

--- Time has passed.
---@param now number
function Heartbeat:tick(now)
  for file, entry in pairs(self.running) do
    if now - entry.told >= self.every then
      entry.told = now
      local test = entry.test
      self.say(("… %s:%d %s, for %s%s\n"):format(file, test.line, text.one_line(test.name), text.duration(now - test.at),
        entry.waits and ": waits for " .. text.one_line(entry.waits) or ""))
    end
  end
end

return log
