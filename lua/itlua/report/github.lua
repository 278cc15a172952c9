--- `github`: for a GitHub workflow, beside the report for people: an annotation for each failure at the line that
-- failed, and the run in Markdown appended to the job's summary ($GITHUB_STEP_SUMMARY).

local anatomy = require "itlua.report.anatomy"
local markdown = require "itlua.report.markdown"
local plain_text = require "itlua.report.plain_text"
local results = require "itlua.report.results"
local text = require "itlua.report.text"

local github = {}

local max_annotations = 50          -- GitHub shows ten a step, and the rest nowhere
local max_summary = 1000 * 1000     -- bytes; GitHub refuses a summary above 1 MiB

local function data(s) return (s:gsub("[%%\r\n]", { ["%"] = "%25", ["\r"] = "%0D", ["\n"] = "%0A" })) end
local function property(s) return (data(s):gsub("[:,]", { [":"] = "%3A", [","] = "%2C" })) end

local function annotation(self, result, record, command)
  self.count = self.count + 1
  if self.count > max_annotations then return end
  local file, line = anatomy.place(record)
  file = file or result.file
  local properties = { "title=" .. property(text.one_line(results.title(result))) }
  if file then table.insert(properties, 1, "file=" .. property((text.visible(file):gsub("^%./", "")))) end
  if file and line then table.insert(properties, 2, "line=" .. line) end
  local message, diff = anatomy.message(record)
  local lines = { table.concat(message, "\n") }
  if diff then lines[2] = "\n" .. table.concat(diff, "\n") end
  local cause = record.event and record.event.cause
  if cause then lines[#lines + 1] = "\nlikely cause: " .. text.visible(cause) end
  local again = anatomy.again(record, self.run, self.program)
  if again then lines[#lines + 1] = "\nagain: " .. text.visible(again) end
  local whole = table.concat(lines, "\n")
  if #whole > 4000 then whole = text.utf8(whole:sub(1, 4000):gsub("[\xC0-\xFF][\x80-\xBF]*$", "")) .. " …" end
  self.annotations[#self.annotations + 1] = ("::%s %s::%s\n"):format(command, table.concat(properties, ","), data(whole))
end

local Reporter = {}
Reporter.__index = Reporter

function Reporter:event(ev)
  self.page:event(ev)
  local result = self.results:event(ev)
  if ev.ev == "run_start" then self.run = ev end
  if not result or (ev.ev ~= "test_end" and ev.ev ~= "problem") then return end
  if results.failed(result) then
    annotation(self, result, results.first(result) or { message = "no details", test = result.start }, "error")
  elseif result.flaky then
    local record = results.first(result.attempts[1]) or { message = "failed at first", test = result.start }
    annotation(self, result, setmetatable({ message = "flaky: " .. plain_text.summary(record) },
      { __index = record }), "warning")
  end
end

--- Writes the annotations, which must begin lines of their own, and the summary.
function Reporter:finish()
  if self.finished then return end
  self.finished = true
  self.out(table.concat(self.annotations))
  if self.count > max_annotations then
    self.out(("::notice::%d more failures are in the log and in the summary\n"):format(self.count - max_annotations))
  end
  if not self.summary then return end
  local parts, size = {}, 0
  self.page:write(function(part)
    if size + #part <= max_summary then parts[#parts + 1] = part end
    size = size + #part
  end)
  local ok, why = self.append(self.summary, table.concat(parts))
  if not ok then self.warn(("the summary %s could not be written: %s"):format(self.summary, why)) end
end

local function append(path, content)
  local file, why = io.open(path, "ab")
  if not file then return nil, why end
  local ok, problem = file:write(content)
  local closed, late = file:close()
  return ok and closed, problem or late
end

---@param opts table           see report.new; opts.env reads the environment, opts.append(path, content) appends to a file
---@param out fun(text: string)
function github.new(opts, out)
  local shared = results.of(opts)
  local page_opts = setmetatable({ results = shared }, { __index = opts })
  local path = (opts.env or os.getenv) "GITHUB_STEP_SUMMARY"
  return setmetatable({
    out = out, results = shared, page = markdown.new(page_opts, function() end), count = 0, annotations = {},
      program = opts.program,
    summary = path ~= "" and path or nil, append = opts.append or append, warn = opts.warn or function() end,
  }, Reporter)
end

return github
