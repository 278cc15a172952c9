--- `gitlab`: failures and flaky tests as a Code Quality report, which GitLab shows in a merge request at the line that
-- failed (artifacts: reports: codequality). One JSON array at the end; GitLab keeps an entry by its fingerprint.

local anatomy = require "itlua.report.anatomy"
local json_text = require "itlua.report.json_text"
local plain_text = require "itlua.report.plain_text"
local results = require "itlua.report.results"
local text = require "itlua.report.text"

local gitlab = {}

-- Stable between runs: a hash of what the failure is about, and not of where the line moved to (FNV-1a, 64 bits twice).
local function fingerprint(...)
  local s = table.concat({ ... }, "\0")
  local a, b = 0xcbf29ce484222325, 0x84222325cbf29ce4
  for i = 1, #s do
    local byte = s:byte(i)
    a, b = (a ~ byte) * 0x100000001b3, (b ~ byte ~ 0x5c) * 0x100000001b3
  end
  return ("%016x%016x"):format(a, b)
end

-- GitLab wants paths from the repository's top, without "./".
local function path_of(file) return (text.visible(file):gsub("^%./", "")) end

local function entry(result, record, severity, check)
  local file, line = anatomy.place(record)
  file = file or result.file or "."
  local what = check == "flaky" and "is flaky: " or ": "
  local description = text.one_line(results.title(result)) .. what .. plain_text.summary(record)
  return {
    description = text.clip(description, 1000), check_name = "itlua." .. check, severity = severity,
    fingerprint = fingerprint(result.file or "", result.name, check),
    location = { path = path_of(file), lines = { begin = math.max(1, line or result.line or 1) } },
  }
end

local order = { "description", "check_name", "fingerprint", "severity", "location", "path", "lines", "begin" }

local Reporter = {}
Reporter.__index = Reporter

function Reporter:event(ev)
  local result = self.results:event(ev)
  if not result or (ev.ev ~= "test_end" and ev.ev ~= "problem") then return end
  if results.failed(result) then
    local record = results.first(result) or { message = "no details", test = result.start }
    self:add(entry(result, record, result.status == "failure" and "major" or "critical", result.status))
  elseif result.flaky then
    local attempt = result.attempts[1]
    self:add(entry(result, results.first(attempt) or { message = "failed at first", test = result.start }, "minor",
      "flaky"))
  end
end

function Reporter:add(item)
  -- Two entries with one fingerprint would be shown as one.
  local n = (self.seen[item.fingerprint] or 0) + 1
  self.seen[item.fingerprint] = n
  if n > 1 then item.fingerprint = fingerprint(item.fingerprint, tostring(n)) end
  self.entries[#self.entries + 1] = json_text.encode(item, order)
end

--- Writes the document.
function Reporter:finish()
  if self.finished then return end
  self.finished = true
  self.out("[" .. table.concat(self.entries, ",\n") .. "]\n")
end

---@param opts table           see report.new
---@param out fun(text: string)
function gitlab.new(opts, out)
  return setmetatable({ out = out, results = results.of(opts), entries = {}, seen = {} }, Reporter)
end

return gitlab
