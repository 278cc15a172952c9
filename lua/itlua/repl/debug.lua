--- `--debug`: where a test fails, a REPL in its scope, while everything of the test is still there: its variables, its
--- connections, the services. The run stands still meanwhile, and so do its deadlines.

local core = require "itlua.core"
local current_run = require "itlua.run"
local problem = require "itlua.repl.problem"
local scope_of = require "itlua.repl.scope"
local text = require "itlua.report.text"

local debugger = {}

local AROUND = 3 -- lines of the source above and below

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
  talk:say(p("red", "✗ ") .. p("bright", text.one_line(about.name)) .. p("dim", ("  %s:%d"):format(talk.session.scope.source,
    talk.session.scope.line)))
  local lines = problem.lines(view, { error = about.raised, traceback = {} })
  lines[1] = lines[1]:gsub("✗ ", "", 1)
  for _, line in ipairs(lines) do talk:say("  " .. line) end
  for _, line in ipairs(source_lines(view, talk.session.scope)) do talk:say(line) end
  for _, line in ipairs(talk.session.scope:describe(view)) do talk:say(line) end
  talk:say(p("dim", "the test stands still: its variables can be read and assigned · :timeline · :continue · :quit"))
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
  talk.reader.complete = function(source, line) return require("itlua.repl.complete").answer(talk, source, line) end
  announce(talk, about)
  talk:run()
  talk.reader:close()
end

--- Opens the REPL in the scope of what has failed. To be called where it was raised, with its stack still there.
---@param about { name: string, raised: any, mark?: integer }
---@param given { secrets?: string[] }
---@return "continue"|"quit" what
function debugger.open(about, given)
  local co = coroutine.running()
  io.stdout:flush()
  local talk
  -- In a task of its own: it looks at this coroutine from outside.
  local silent = core.silence(true)
  local task = core.spawn(function()
    local scope = scope_of.of(co)
    if not scope then return end
    scope.mark = about.mark
    talk = new_talk(scope, given)
    converse(talk, about)
    talk.world:disconnect()
  end)
  local shield = core.enter(nil, true)
  local ok, err, traceback = core.join(task)
  core.leave(shield)
  core.silence(silent)
  require("itlua.cli.core").on_interrupt(nil)
  if not ok then io.stderr:write("itlua: --debug: ", tostring(err), "\n", tostring(traceback), "\n") end
  return talk and talk.over == "continue" and "continue" or talk and "quit" or "continue"
end

--- Has every failure of a session's tests open it.
---@param session itlua.spec.session
---@param given { secrets?: string[] }
function debugger.install(session, given)
  local over = false
  session.suite.on_fault = function(element, raised)
    if over then return end
    local about = { name = tostring(element.name or element.descriptor), raised = raised, mark = session.recorder.since }
    local ok, what = pcall(debugger.open, about, given)
    if ok and what == "quit" or not ok then
      over = true
      session:stop()
    end
  end
end

return debugger
