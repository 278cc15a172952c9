--- Reports: what a run looks like to people and to CI servers. Every reporter is a function of events (see
-- itlua.event). The supervisor makes one a `-o`, gives each every event, and calls finish() once no more will come:
--
--   local reporter, why = report.new("junit", { args = {} }, function(text) file:write(text) end)
--   for each event: reporter:event(ev)
--   reporter:finish()

local masking = require "itlua.mask"
local paint = require "itlua.report.paint"

local report = {}

local modules = {
  terminal = "terminal", plainTerminal = "plain_terminal", utfTerminal = "utf_terminal", TAP = "tap", json = "json",
  junit = "junit", gtest = "gtest", sound = "sound", jsonl = "jsonl", html = "html",
  tap14 = "tap14", ctrf = "ctrf", github = "github", gitlab = "gitlab", markdown = "markdown",
}

--- What `-o` takes besides the name of a custom busted handler, with a word about each.
report.kinds = {
  { name = "terminal", says = "for people: every failure explained (default in an itlua project)" },
  { name = "html", says = "one page with everything: diffs, timelines, requests, trend (report.html on a terminal)" },
  { name = "junit", says = "JUnit XML for CI servers" },
  { name = "jsonl", says = "the events as they come, one JSON object a line" },
  { name = "github", says = "annotations and a step summary, beside the report for people" },
  { name = "gitlab", says = "Code Quality JSON: failures in the merge request" },
  { name = "markdown", says = "a page for a comment or a job's summary" },
  { name = "ctrf", says = "Common Test Report Format JSON" },
  { name = "tap14", says = "Test Anything Protocol 14" },
  { name = "utfTerminal", says = "busted's: a sign a test, in colour (default on a terminal)" },
  { name = "plainTerminal", says = "busted's: the same in ASCII (default otherwise)" },
  { name = "gtest", says = "busted's: Google Test's look" },
  { name = "TAP", says = "busted's: Test Anything Protocol" },
  { name = "json", says = "busted's: one JSON document at the end" },
  { name = "sound", says = "busted's: says aloud how it went" },
}

--- The kinds, for a `--help`.
---@param after? string     what follows the list
---@return string
function report.describe(after)
  local lines = { "\nReports (-o KIND[:FILE]; -o html:report.html -o junit:junit.xml -o terminal):" }
  for _, kind in ipairs(report.kinds) do lines[#lines + 1] = ("  %-14s %s"):format(kind.name, kind.says) end
  return table.concat(lines, "\n") .. "\n" .. (after or "")
end

--- Which report a run gets without `-o`.
---@param facts {project: boolean, tty: boolean}   project: there is an itlua.lua
---@return string
function report.default(facts)
  if facts.project then return "terminal" end
  return facts.tty and "utfTerminal" or "plainTerminal"
end

--- Whether a built-in reporter has this name.
---@param kind string
---@return boolean
function report.known(kind) return modules[kind] ~= nil end

--- Takes `-o`'s argument apart: "junit:report.xml" is a kind and a file. The file is nil where none is named.
---@param argument string
---@return string kind, string? file
function report.parse(argument)
  local kind, file = argument:match "^([%w_]+):(.+)$"
  if kind and modules[kind] then return kind, file end
  kind, file = argument:match "^(.-%.lua):(.+)$"
  if kind then return kind, file end
  return argument, nil
end

--- The names of the built-in kinds, for hints about misspelt ones.
---@return string[]
function report.names()
  local names = {}
  for i, entry in ipairs(report.kinds) do names[i] = entry.name end
  return names
end

--- The file that a kind's own arguments name (`-o junit -Xoutput report.xml`), or nil: the caller opens it as `out`.
---@param kind string
---@param args? string[]
---@return string?
function report.file(kind, args)
  local name = modules[kind]
  local module = name and require("itlua.report." .. name)
  return module and module.file and module.file(args or {}) or nil
end

--- Whether a kind wants to know what passing tests did, too.
---@param kind string
---@return boolean
function report.wants_timelines(kind)
  local name = modules[kind]
  return name ~= nil and require("itlua.report." .. name).wants_timelines == true
end

--- Whether a kind goes to the standard output beside a report for people.
---@param kind string
---@return boolean
function report.beside(kind) return kind == "github" end

local coloured = { terminal = true, utfTerminal = true, gtest = true }

---@class itlua.report.options
---@field args? string[]            `-Xoutput`
---@field verbose? boolean
---@field defer_print? boolean      print signs and failures only at the end (also as ["defer-print"])
---@field suppress_pending? boolean (also as ["suppress-pending"])
---@field lang? string              the language of busted's reports
---@field color? boolean            nil: by NO_COLOR and tty
---@field plain? boolean            no colour
---@field tty? boolean              `out` is a terminal
---@field columns? integer          its width
---@field dumb? boolean             a terminal that cannot redraw a line
---@field err? fun(text: string)    where `json` puts what specs print
---@field read? fun(path: string): string?        reads source files
---@field write_file? fun(path: string, content: string)
---@field mask? fun(text: string): string         hides secrets, see itlua.mask
---@field program? string           how the program was called, for commands to repeat
---@field history? table[]         earlier runs, the oldest first (html)
---@field results? table           a collector that reporters share, see itlua.report.results
---@field warn? fun(text: string)   told when a custom handler raises

local function normalised(kind, opts)
  local all = {}
  for key, value in pairs(opts or {}) do all[type(key) == "string" and key:gsub("-", "_") or key] = value end
  all.args = all.args or {}
  if coloured[kind] then all.color = paint.wanted(all) end
  return all
end

local Reporter = {}
Reporter.__index = Reporter

-- Whether a kind takes the events of files that run at the same time as they come, not a file's together.
local function interleaved(kind)
  local name = modules[kind]
  return name ~= nil and require("itlua.report." .. name).interleaved == true
end

--- Takes an event in. Call with every event of the run, in order.
---@param ev table
function Reporter:event(ev) self.inner:event(ev) end

--- No more events will come (also after an interrupted run): writes what is still to be written.
function Reporter:finish()
  if self.inner.finish then self.inner:finish() end
end

local flags = { ["--color"] = true, ["--plain"] = true }

--- A reporter. A name that is no built-in kind is a custom busted handler: a .lua file or a module.
---@param kind string
---@param opts? itlua.report.options
---@param out fun(text: string)     writes
---@return table? reporter, string? problem     nil and one message where there is no such reporter
function report.new(kind, opts, out)
  opts = normalised(kind, opts)
  local name = modules[kind]
  if not name then
    local custom = require "itlua.report.busted_handler"
    local inner, why = custom.new(kind, opts, out)
    if inner then return setmetatable({ inner = inner, kind = kind }, Reporter) end
    return nil, ("Cannot load output library: %s\n%s"):format(kind, why)
  end
  if coloured[kind] then
    for _, arg in ipairs(opts.args) do
      if not flags[arg] then
        return nil, ("%s output handler: unknown option %s (it has --color and --plain)"):format(kind, arg)
      end
    end
  end
  return setmetatable({ inner = require("itlua.report." .. name).new(opts, out), kind = kind }, Reporter)
end

-- What in an event holds no secret: words of ours, and the paths that events are told apart by.
local harmless = {
  ev = true, kind = true, status = true, where = true, file = true, source = true, at_source = true, error_kind = true,
  version = true,
}

local function masked(ev, mask)
  local copy
  local name = ev.name
  local harmless_name = name and mask(name) == name -- then its own name, the end of it, is so too
  for field, value in next, ev do
    if type(value) == "string" and #value > 3 and not harmless[field]
      and not (harmless_name and (field == "name" or field == "own")) then
      local hidden = mask(value)
      if hidden ~= value then
        if not copy then
          copy = {}
          for k, v in pairs(ev) do copy[k] = v end
        end
        copy[field] = hidden
      end
    end
  end
  return copy or ev
end

--- Several reporters as one; secrets are masked and causes looked for once, before any of them sees an event. A reporter
--- that raises is left out from then on and the others go on.
---@param reporters table[]
---@param opts? {mask?: fun(text: string): string, warn?: fun(text: string)}
---@return table reporter
function report.group(reporters, opts)
  local mask, warn = opts and opts.mask, opts and opts.warn or function(message) io.stderr:write(message, "\n") end
  local failed = {}
  -- Logs of services are shown by those that show all; busted's would take them for what a test printed.
  local function fits(reporter, ev)
    return not ev or not ev.service or (reporter.kind and report.wants_timelines(reporter.kind))
  end
  local at_once, together = {}, {} -- those that take events as they come, and those that want a file's together
  for i, reporter in ipairs(reporters) do
    local list = (not reporter.kind or interleaved(reporter.kind)) and at_once or together
    list[#list + 1] = i
  end
  local function each(list, method, ...)
    for _, i in ipairs(list) do
      local reporter = reporters[i]
      if not failed[i] and fits(reporter, ...) then
        local ok, err = pcall(reporter[method], reporter, ...)
        if not ok then
          failed[i] = true
          warn(("the %s report stopped: %s"):format(reporter.kind or "?", tostring(err)))
        end
      end
    end
  end
  local group = {}
  local by_file = together[1] and require("itlua.report.by_file").new(function(ev) each(together, "event", ev) end)
  local watch = require("itlua.report.cause").watch()
  -- What is printed comes in pieces: the end of one that may be the beginning of a secret waits for the next.
  local held = {}
  local function tell(ev)
    if mask then ev = masked(ev, mask) end
    ev = watch:event(ev)
    each(at_once, "event", ev)
    if by_file then by_file:event(ev) end
  end
  local function let_go(key)
    local ev = held[key]
    held[key] = nil
    if ev then tell(ev) end
  end
  local function output(ev)
    local key = ev.file or ""
    local before = held[key]
    if before and before.id ~= ev.id then
      let_go(key)
      before = nil
    end
    local all = before and before.text .. ev.text or ev.text
    local rest = masking.pending(mask, all)
    local function part(text)
      local copy = {}
      for name, value in next, ev do copy[name] = value end
      copy.text = text
      return copy
    end
    held[key] = rest > 0 and part(all:sub(-rest)) or nil
    if rest == 0 and not before then return tell(ev) end
    if rest < #all then tell(part(all:sub(1, #all - rest))) end
  end
  function group.event(_, ev)
    if mask and ev.ev == "output" then return output(ev) end
    if next(held) then
      if ev.file then let_go(ev.file) else for key in pairs(held) do let_go(key) end end
    end
    tell(ev)
  end
  function group.finish()
    for key in pairs(held) do let_go(key) end
    if by_file then by_file:release() end
    each(at_once, "finish")
    each(together, "finish")
  end
  local function shown(method, ...)
    for i, reporter in ipairs(reporters) do
      local inner = reporter.inner
      if not failed[i] and inner and inner[method] then pcall(inner[method], inner, ...) end
    end
  end
  --- Something happens in a worker, which `event` tells of when its test has ended: for what shows a run while it runs.
  function group.glimpse(_, ev, worker) shown("glimpse", mask and masked(ev, mask) or ev, worker) end
  --- Time has passed.
  function group.tick(_, now) shown("tick", now) end
  --- Somebody else is about to write to the terminal.
  function group.hush() shown "hush" end
  --- Whether a reporter had to be left out.
  function group.broken() return next(failed) ~= nil end
  return group
end

return report
