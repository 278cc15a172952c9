--- What only logs of CI servers have: groups that fold (GitHub Actions, GitLab), and a word now and then about a test that is
-- silent for long, or a file that takes long, so that nobody takes the run for dead.

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
---@field running table<string, table>    by file: {told, test, waits}
---@field files table<string, table>      by file: {began, told, tests, failed}
local Heartbeat = {}
Heartbeat.__index = Heartbeat

---@param say fun(line: string)
---@param every? number      seconds, 30
---@param each? boolean      a line a test is printed anyway: nothing of files
function log.heartbeat(say, every, each)
  return setmetatable({ say = say, every = every or SILENT, each = each, running = {}, files = {} }, Heartbeat)
end

local on = {}

function on.file_start(self, ev) self.files[ev.file] = { began = ev.at, told = ev.at, tests = 0, failed = 0 } end

function on.test_start(self, ev) self.running[ev.file] = { test = ev, told = ev.at } end

function on.waiting(self, ev)
  local entry = self.running[ev.file]
  if entry then entry.waits = ev.what end
end

function on.test_end(self, ev)
  self.running[ev.file] = nil
  local file = self.files[ev.file]
  if not file or ev.retried then return end
  file.tests = file.tests + 1
  if ev.status == "failure" or ev.status == "error" then file.failed = file.failed + 1 end
end

function on.file_end(self, ev) self.running[ev.file], self.files[ev.file] = nil, nil end
on.file_again = on.file_end

--- Something happens in a worker.
function Heartbeat:glimpse(ev)
  local handler = on[ev.ev]
  if handler then handler(self, ev) end
end

local function tell_of_test(self, file, entry, now)
  entry.told = now
  if self.files[file] then self.files[file].told = now end
  local test = entry.test
  self.say(("… %s:%d %s, for %s%s\n"):format(file, test.line, text.one_line(test.name), text.duration(now - test.at),
    entry.waits and ": waits for " .. text.one_line(entry.waits) or ""))
end

local function tell_of_file(self, file, entry, now)
  entry.told = now
  self.say(("… %s, for %s: %s so far%s\n"):format(file, text.duration(now - entry.began), text.count(entry.tests, "test"),
    entry.failed > 0 and (", %d failed"):format(entry.failed) or ""))
end

--- Time has passed.
---@param now number
function Heartbeat:tick(now)
  for file, entry in pairs(self.running) do
    if now - entry.told >= self.every then tell_of_test(self, file, entry, now) end
  end
  if self.each then return end
  for file, entry in pairs(self.files) do
    if now - entry.told >= self.every then tell_of_file(self, file, entry, now) end
  end
end

return log
