--- `markdown`: a run on one page for a merge request or a job's summary: counts, causes that failures share, each failure
-- folded with its anatomy, flaky and slow tests. GitHub's and GitLab's Markdown.

local anatomy = require "itlua.report.anatomy"
local plain_text = require "itlua.report.plain_text"
local results = require "itlua.report.results"
local text = require "itlua.report.text"

local markdown = {}

local max_failures, max_body, max_slow = 50, 6000, 5

-- Text that is nothing but text, also in a table.
local function escape(s)
  s = text.one_line(s):gsub("[\\`*_{}%[%]()#+!|~>@:/-]", function(c)
    return c:find "[%-():/+!#.]" and c or "\\" .. c
  end)
  return (s:gsub("&", "&amp;"):gsub("<", "&lt;"):gsub("@", "@\u{200b}"))
end

local function html(s)
  return (text.one_line(s):gsub("[&<>]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }))
end

-- A code block that its text cannot end.
local function fenced(s)
  local longest = 2
  for ticks in s:gmatch "`+" do longest = math.max(longest, #ticks) end
  local fence = ("`"):rep(longest + 1)
  return fence .. "text\n" .. s .. (s:find "\n$" and "" or "\n") .. fence .. "\n"
end

local function code(s)
  s = text.one_line(s)
  local longest = 0
  for ticks in s:gmatch "`+" do longest = math.max(longest, #ticks) end
  local fence = ("`"):rep(longest + 1)
  local pad = longest > 0 and " " or ""
  return fence .. pad .. (s:gsub("|", "\\|")) .. pad .. fence
end

local function place(result)
  local file = result.place or result.file
  return file and file .. (result.line and result.line > 0 and ":" .. result.line or "") or "run"
end

local function cut(s)
  if #s <= max_body then return s end
  local first, last = s:sub(1, max_body // 2), s:sub(-max_body // 2)
  return text.utf8(first:gsub("[\xC0-\xFF][\x80-\xBF]*$", "")) .. ("\n… %d bytes left out …\n"):format(#s - max_body) ..
    text.utf8(last:gsub("^[\x80-\xBF]+", ""))
end

local function keep_failure(self, result)
  local first = results.first(result) or { message = "no details", test = result.start }
  local event = first.event or {}
  local summary = plain_text.summary(first)
  local key = anatomy.story(first) or result
  local group = self.causes[key]
  if not group then
    group = { says = event.cause and text.one_line(event.cause:match "^[^\n]*") or summary, count = 0, files = {},
      file_count = 0 }
    self.causes[key] = group
    self.cause_order[#self.cause_order + 1] = group
  end
  group.count = group.count + 1
  if not group.files[result.file or ""] then
    group.files[result.file or ""] = true
    group.file_count = group.file_count + 1
  end
  if #self.failures >= max_failures then return end
  local parts = { ("<details><summary>✗ <b>%s</b> &nbsp; %s%s</summary>\n\n"):format(html(results.title(result)),
    html(place(result)),
    result.seconds and " &nbsp; " .. text.duration(result.seconds) or "") }
  parts[2] = fenced(cut(plain_text.body(result, self, true)))
  parts[#parts + 1] = "\n</details>\n"
  self.failures[#self.failures + 1] = table.concat(parts)
end

local function keep_slow(self, result)
  local slow = self.slow
  local n = #slow
  if not result.seconds or result.seconds < 0.1 or (n >= max_slow and result.seconds <= slow[n].seconds) then return end
  local at = n + 1
  while at > 1 and slow[at - 1].seconds < result.seconds do at = at - 1 end
  table.insert(slow, at, { seconds = result.seconds, title = results.title(result), place = place(result) })
  slow[max_slow + 1] = nil
end

local function forget(self)
  self.counts = { tests = 0, passed = 0, failed = 0, outside = 0, pending = 0 }
  self.causes, self.cause_order, self.failures, self.flaky, self.slow, self.seconds = {}, {}, {}, {}, {}, 0
end

local Reporter = {}
Reporter.__index = Reporter

function Reporter:event(ev)
  local result = self.results:event(ev)
  local kind = ev.ev
  if kind == "run_start" then
    -- Repeated until something fails: what passed before is of no interest.
    if ev.runs == 0 and (ev.run or 1) > 1 then forget(self) end
    self.run = ev
  elseif kind == "run_end" then
    self.ended = ev
    self.seconds = self.seconds + (ev.seconds or 0)
  elseif result and (kind == "test_end" or kind == "problem") then
    local counts = self.counts
    if result.is_test then counts.tests = counts.tests + 1 end
    if results.failed(result) then
      local field = result.is_test and "failed" or "outside"
      counts[field] = counts[field] + 1
      keep_failure(self, result)
    elseif result.status == "pending" then
      counts.pending = counts.pending + 1
    else
      counts.passed = counts.passed + 1
      if result.flaky then self.flaky[#self.flaky + 1] = ("- %s — %s\n"):format(escape(results.title(result)),
        code(place(result))) end
    end
    keep_slow(self, result)
  end
end

local function headline(self)
  local counts, ended = self.counts, self.ended or {}
  if ended.interrupted then return "⏹ Interrupted by " .. escape(ended.interrupted) end
  if counts.failed + counts.outside > 0 then
    local parts = {}
    if counts.failed > 0 then parts[1] = ("%d of %s failed"):format(counts.failed, text.count(counts.tests, "test")) end
    if counts.outside > 0 then parts[#parts + 1] = text.count(counts.outside, "error") .. " outside tests" end
    return "✗ " .. table.concat(parts, ", ")
  end
  if counts.tests == 0 then return "◌ No test ran" .. (ended.nothing and ": " .. escape(ended.nothing) or "") end
  return "✓ " .. text.count(counts.passed, "test") .. " passed"
end

local function causes(self, out)
  table.sort(self.cause_order, function(a, b) return a.count > b.count end)
  local shown = {}
  for _, group in ipairs(self.cause_order) do
    if group.count > 1 and #shown < 10 then
      shown[#shown + 1] = ("- **%d failures** in %s: %s\n"):format(group.count, text.count(group.file_count, "file"),
        escape(group.says))
    end
  end
  if #shown > 0 then out("\n### Causes\n\n" .. table.concat(shown)) end
end

--- The whole page.
---@param out fun(text: string)
function Reporter:write(out)
  local counts, run = self.counts, self.run or {}
  out(("## %s\n\n| tests | passed | failed | flaky | pending | time |\n|--:|--:|--:|--:|--:|--:|\n"):format(headline(self)))
  out(("| %d | %d | %d | %d | %d | %s |\n"):format(counts.tests, counts.passed, counts.failed + counts.outside, #self.flaky,
    counts.pending, text.duration(self.seconds)))
  causes(self, out)
  local failed = counts.failed + counts.outside
  if failed > 0 then
    out "\n### Failures\n\n"
    for _, failure in ipairs(self.failures) do out(failure) end
    if failed > #self.failures then out(("\nand %d more\n"):format(failed - #self.failures)) end
  end
  if #self.flaky > 0 then out("\n### Flaky\n\n" .. table.concat(self.flaky, "", 1, math.min(#self.flaky, max_failures))) end
  if #self.slow > 0 then
    out "\n### Slowest\n\n"
    for _, one in ipairs(self.slow) do out(("- %s — %s %s\n"):format(text.duration(one.seconds), escape(one.title),
      code(one.place))) end
  end
  local facts = { "itlua " .. escape(tostring(run.version or "")) }
  if run.seed then facts[#facts + 1] = "seed " .. run.seed end
  if run.jobs then facts[#facts + 1] = text.count(run.jobs, "worker") end
  out("\n<sub>" .. table.concat(facts, " · ") .. "</sub>\n")
end

function Reporter:finish()
  if self.finished then return end
  self.finished = true
  self:write(self.out)
end

---@param opts table           see report.new
---@param out fun(text: string)
function markdown.new(opts, out)
  local self = setmetatable({
    out = out, results = results.of(opts), program = opts.program, sources = anatomy.sources(opts.read, opts.mask),
  }, Reporter)
  forget(self)
  return self
end

return markdown
