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

local MOST <const> = 8000 -- bytes of an anatomy

-- What a merge request shows of it: one line, so the first difference and the likely cause have to be in it.
local function describe(result, record, check)
  local _, diff = anatomy.message(record)
  local likely = anatomy.cause(record)
  local parts = { text.one_line(results.title(result)), check == "flaky" and "is flaky: " or ": ", plain_text.summary(record) }
  if diff then parts[#parts + 1] = " " .. text.one_line(table.concat(diff, " ", math.min(2, #diff), math.min(3, #diff))) end
  if likely then parts[#parts + 1] = " — likely: " .. likely[1] end
  return text.clip(table.concat(parts), 1000)
end

-- The anatomy, for readers of the document itself: `content` is Code Climate's, GitLab passes it over.
local function content(self, failed)
  local body = plain_text.body(failed, self, true)
  if #body > MOST then body = text.utf8(body:sub(1, MOST):gsub("[\xC0-\xFF][\x80-\xBF]*$", "")) .. "\n…" end
  return { body = body }
end

local function entry(self, result, record, severity, check)
  local file, line = anatomy.place(record)
  file = file or result.file or "."
  return {
    description = describe(result, record, check), content = content(self, check == "flaky" and result.attempts[1] or result),
    check_name = "itlua." .. check, severity = severity,
    fingerprint = fingerprint(result.file or "", result.name, check),
    location = { path = path_of(file), lines = { begin = math.max(1, line or result.line or 1) } },
  }
end

local order = { "description", "check_name", "fingerprint", "severity", "location", "path", "lines", "begin", "content" }

local Reporter = {}
Reporter.__index = Reporter

function Reporter:event(ev)
  local result = self.results:event(ev)
  if ev.ev == "run_start" then self.run = ev end
  if not result or (ev.ev ~= "test_end" and ev.ev ~= "problem") then return end
  if results.failed(result) then
    local record = results.first(result) or { message = "no details", test = result.start }
    self:add(entry(self, result, record, result.status == "failure" and "major" or "critical", result.status))
  elseif result.flaky then
    local attempt = result.attempts[1]
    self:add(entry(self, result, results.first(attempt) or { message = "failed at first", test = result.start }, "minor",
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
  return setmetatable({ out = out, results = results.of(opts), entries = {}, seen = {}, program = opts.program,
    sources = anatomy.sources(opts.read, opts.mask) }, Reporter)
end

return gitlab
