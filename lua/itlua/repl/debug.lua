--- `--debug`: where a test fails, a REPL in its scope, while everything of the test is still there: its variables, its
--- connections, the services. The run stands still meanwhile, and so do its deadlines. What failed in a task of the test is
--- looked at where it failed, once it has failed the test: until then somebody may still catch it.

local core = require "itlua.core"
local current_run = require "itlua.run"
local evidence = require "itlua.evidence"
local problem = require "itlua.repl.problem"
local scope_of = require "itlua.repl.scope"
local text = require "itlua.report.text"

local debugger = {}

local AROUND = 3 -- lines of the source above and below
local FRAMES = 100 -- of tasks that failed, whose variables are kept

local function source_lines(view, scope)
  local path = debug.getinfo(scope.run, "S").source:match "^@(.*)$"
  local file = path and io.open(path, "rb")
  if not file then return {} end
  local p, lines, number = view.paint, {}, 0
  for line in file:lines() do
    number = number + 1
    if number >= scope.line - AROUND and number <= scope.line + AROUND then
      local here = number == scope.line
      local shown = text.clip(text.visible(line:gsub("\t", "  ")), math.max(20, view.columns - 10))
      lines[#lines + 1] = (here and p("red", "▸ ") or "  ") .. p(here and "bright" or "dim", ("%4d"):format(number)) ..
        p("dim", " │ ") .. (here and shown or p("dim", shown))
    end
  end
  file:close()
  return lines
end

local function announce(talk, about)
  local p, view = talk.view.paint, talk.view
  talk:say ""
  talk:say(p("red", "✗ ") .. p("bright", text.one_line(about.name)) .. p("dim", ("  %s:%d%s"):format(talk.session.scope.source,
    talk.session.scope.line, talk.session.scope.task and ", in a task of it" or "")))
  local lines = problem.lines(view, { error = about.raised, traceback = {} })
  lines[1] = lines[1]:gsub("✗ ", "", 1)
  for _, line in ipairs(lines) do talk:say("  " .. line) end
  for _, line in ipairs(source_lines(view, talk.session.scope)) do talk:say(line) end
  for _, line in ipairs(talk.session.scope:describe(view)) do talk:say(line) end
  talk:say(p("dim", talk.session.scope.kept and "these are the variables as they were when it failed; deadlines stand still"
    or "the test stands still, its deadlines too: its variables can be read and assigned"))
  talk:say(p("dim", ":locals · :timeline · :continue · :quit"))
end

local function view_of(hide)
  local system = require "itlua.cli.core"
  local paint = require "itlua.report.paint"
  return {
    paint = paint.new(paint.wanted { tty = true }), columns = system.columns() or 80, max_rows = 10000, hide = hide,
  }
end

local function new_talk(scope, given)
  local talk = require("itlua.repl.talk").new {
    view = view_of(require("itlua.mask").of(given.secrets)), terminal = true, prompt = "debug", prompt_colour = "yellow",
  }
  local world = require("itlua.repl.world").new({ services = current_run.services and current_run.services.plan }, print)
  talk.world = world
  local session = require("itlua.repl.session").new(scope:environment(function(name) return world:find(name) end), "debug")
  session.scope = scope
  talk.session = session
  return talk
end

local function converse(talk, about)
  talk.reader = require("itlua.repl.reader").new(true)
  talk.history = require("itlua.repl.history").open(talk.view.hide)
  for _, entry in ipairs(talk.history.entries) do talk.reader:remember(entry) end
  talk.reader.complete = function(...) return require("itlua.repl.complete").answer(talk, ...) end
  announce(talk, about)
  talk:run()
  talk.reader:close()
end

-- ---- what failed in tasks

local kept = {} -- { raised, scope }, the latest last

local function kept_of(raised)
  for i = #kept, 1, -1 do
    if rawequal(kept[i].raised, raised) then return kept[i].scope end
  end
end

-- Raised again by a function of ours that had caught it.
local function is_on_its_way()
  for level = 3, 20 do
    local info = debug.getinfo(level, "S")
    if not info then return false end
    if info.what ~= "C" then return info.source == "=itlua:task" end
  end
end

-- Called where something was raised that may or may not fail the test.
local function keep(raised)
  if core.is_error(raised) == "cancelled" or is_on_its_way() and kept_of(raised) then return raised end
  local co = coroutine.running()
  local scope = coroutine.wrap(function() -- only from outside does a coroutine's stack stand still
    local found = scope_of.of(co)
    if found then found:keep() end
    return found
  end)()
  if scope then
    kept[#kept + 1] = { raised = raised, scope = scope }
    if #kept > FRAMES then table.remove(kept, 1) end
  end
  return raised
end

-- Where it failed: in the coroutine that stands here, unless what it raised came from somewhere deeper.
local function scope_for(co, raised)
  local standing, deeper = scope_of.of(co), kept_of(raised)
  if not deeper or deeper:is(standing) then return standing end
  deeper.task = deeper.co ~= co
  return deeper
end

--- Opens the REPL in the scope of what has failed. To be called where it was raised, with its stack still there.
---@param about { name: string, raised: any, mark?: integer }
---@param given { secrets?: string[] }
---@return "continue"|"quit" what
function debugger.open(about, given)
  local co = coroutine.running()
  io.stdout:flush()
  local talk
  -- In a task of its own: it looks at this coroutine from outside, and its deadlines are its own.
  local silent = core.silence(true)
  local task = core.spawn(function()
    local scope = scope_for(co, about.raised)
    if not scope then return end
    core.hold(true)
    scope.mark = about.mark
    talk = new_talk(scope, given)
    converse(talk, about)
    talk.world:disconnect()
  end)
  evidence.stand_still()
  local shield = core.enter(nil, true)
  local ok, err, traceback = core.join(task)
  core.hold(false)
  core.leave(shield)
  evidence.go_on()
  core.silence(silent)
  require("itlua.cli.core").on_interrupt(nil)
  if not ok then io.stderr:write("itlua: --debug: ", tostring(err), "\n", tostring(traceback), "\n") end
  return talk and talk.over == "continue" and "continue" or talk and "quit" or "continue"
end

--- Has every failure of a session's tests open it, also of what they do in tasks.
---@param session itlua.spec.session
---@param given { secrets?: string[] }
function debugger.install(session, given)
  local over, open, seen = false, false, {}
  local function look_at(name, raised)
    if over or open or raised == nil or seen[raised] then return end
    open, seen[raised] = true, true
    local about = { name = name, raised = raised, mark = session.recorder.since }
    local ok, what = pcall(debugger.open, about, given)
    open = false
    if ok and what == "quit" or not ok then
      over = true
      session:stop()
    end
  end
  local suite = session.suite
  local since
  local function begin() -- what an earlier test raised is no longer of interest
    if since ~= session.recorder.since then kept, seen, since = {}, {}, session.recorder.since end
  end
  function suite.on_fault(element, raised)
    begin()
    look_at(tostring(element.name or element.descriptor), raised)
  end
  local function note(raised)
    if over or open then return raised end
    begin()
    return keep(raised)
  end
  core.on_fault(note)
  current_run.on_fault = note
end

return debugger
