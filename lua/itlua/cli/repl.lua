--- itlua repl: exploring live services, line by line.

local closing = require "itlua.closing"
local config = require "itlua.cli.config"
local core = require "itlua.core"
local nearest = require "itlua.cli.nearest"
local options = require "itlua.cli.options"
local show = require "itlua.show"
local system = require "itlua.cli.core"

local repl = {}

local known = {
  { long = "profile", arg = "NAME", kind = "string", help = "the profile to take: its services, connections, secrets" },
  { long = "service", short = "s", arg = "NAME", kind = "commas", help = "start this service first; again for more" },
  { long = "write", kind = "flag", help = "changes are allowed under a profile that is read-only" },
  { long = "e", short = "e", arg = "LUA", kind = "list", help = "run this and end; again for more" },
  { long = "interactive", short = "i", kind = "flag", help = "go on with the prompt after -e" },
  { long = "keep-going", short = "k", kind = "flag", help = "in a script: go on after an error" },
  { long = "history", kind = "flag", negatable = true, default = true, help = "keep what was typed for the next session" },
  { long = "directory", short = "C", arg = "DIR", kind = "directory", help = "go to DIR first" },
  { long = "help", short = "h", kind = "flag", help = "print this" },
}
for _, o in ipairs(known) do o.group = "Options" end
repl.options = known

--- Its options, for completion.
repl.options = known

function repl.help()
  return [[
Usage: itlua repl [options]

Explores live services: Lua line by line, with every itlua module, the services of
itlua.lua and the connections of the profile as globals. Tab completes names,
tables, columns, keys; Ctrl-C interrupts what waits; :help says more.
  itlua repl --service db              db:query "SELECT * FROM orders"
  itlua repl --profile production      read-only, unless --write is given
  itlua repl -e 'db:value "SELECT 1"'  one answer, for a script
Without a terminal it reads a script from its input, shows no prompt, and ends
with exit code 1 at the first error.
]] .. options.describe(known) .. [[

What was typed is kept in $XDG_STATE_HOME/itlua/history (~/.local/state/itlua).
Exit code: 0; 1 an error in a script; 2 wrong usage or settings; of a session that a
signal ended: the signal's.
]]
end

local function refuse(message) return require("itlua.cli").refuse(message) end

-- Settings, or what is wrong.
local function prepare(args)
  local given, rest = options.parse(args, known)
  if not given then return nil, "repl: " .. rest .. " (itlua repl --help)" end
  if rest[1] then return nil, ("repl: what is '%s'? (itlua repl --help)"):format(rest[1]) end
  if given.directory then
    local ok, why = system.chdir(given.directory)
    if not ok then return nil, ("-C %s: %s"):format(given.directory, why) end
  end
  local settings, wrong = config.load({ profile = given.profile }, {})
  if not settings then return nil, wrong end
  for _, name in ipairs(given.service or {}) do
    if not (settings.services or {})[name] then
      return nil, ("there is no service '%s' in itlua.lua%s"):format(name,
        nearest.hint(name, show.keys(settings.services or {})))
    end
  end
  return given, settings
end

local function mask_of(settings)
  local values = {}
  for _, name in ipairs(settings.secrets or {}) do values[#values + 1] = os.getenv(name) end
  for _, url in pairs(settings.connections or {}) do values[#values + 1] = url:match "://[^/@]*:([^/]*)@" end
  return require("itlua.mask").new { values = values }
end

-- What specs can require can be required here.
local function add_paths(settings)
  local package = core.globals().package
  if settings.lpath and settings.lpath ~= "" then package.path = settings.lpath .. ";" .. package.path end
  if settings.cpath and settings.cpath ~= "" then package.cpath = settings.cpath .. ";" .. package.cpath end
end

local function view_of(terminal, hide)
  local paint = require "itlua.report.paint"
  local on = paint.wanted { tty = terminal }
  return {
    paint = paint.new(on), columns = terminal and system.columns() or 100, max_rows = terminal and 10000 or 1000, hide = hide,
  }
end

local function new_talk(given, settings)
  local reader = require "itlua.repl.reader"
  local terminal = not given.e and reader.is_terminal() or given.interactive and reader.is_terminal() or false
  local hide = mask_of(settings)
  local talk = require("itlua.repl.talk").new {
    view = view_of(terminal, hide), terminal = terminal, stop_on_error = not terminal and not given["keep-going"],
    prompt = given.profile or "", prompt_colour = settings.read_only and (given.write and "red" or "yellow") or nil,
    read_only = settings.read_only and not given.write or false,
  }
  function talk.hide(text) return hide(text) end
  return talk
end

local function tell_start(talk)
  return function(reach, what)
    local name, service = rawget(reach, "name"), rawget(reach, "service")
    if not talk.terminal then return end
    local p = talk.view.paint
    if what == "starts" then return talk:say(p("dim", ("starting %s …"):format(name))) end
    local known_of = rawget(service, "known") or {}
    talk:say(p("dim", ("%s is ready: %s%s"):format(name, known_of.title or "",
      known_of.seconds and (" (%.2f s)"):format(known_of.seconds) or "")))
  end
end

local function open_history(talk, given)
  if not talk.terminal or given.history == false then return end
  local silent = core.silence(true)
  talk.history = require("itlua.repl.history").open(talk.view.hide)
  core.silence(silent)
  for _, entry in ipairs(talk.history.entries) do talk.reader:remember(entry) end
  if talk.history.wrong then
    talk:say(talk.view.paint("yellow", "what you type is not kept: " .. talk.history.wrong))
  end
end

-- The services named on the command line. False: one did not start.
local function start_services(talk, names)
  local fine = true
  for _, name in ipairs(names or {}) do
    local entry = talk.session:run({ expression = false, run = function()
      require("itlua.services.reach").start(talk.world:find(name))
    end }, "")
    table.remove(talk.session.entries)
    if not entry.ok then
      fine = false
      entry.traceback = {}
      talk:complain(require("itlua.repl.problem").lines(talk.view, entry))
    end
  end
  return fine
end

local function converse(talk, given, settings)
  talk.reader = require("itlua.repl.reader").new(talk.terminal)
  open_history(talk, given)
  if talk.terminal then
    require("itlua.repl.banner").say(talk, settings)
    require("itlua.repl.follow").start(talk)
    talk.reader.complete = function(...) return require("itlua.repl.complete").answer(talk, ...) end
  end
  require("itlua.repl.output").take_over(talk)
  if start_services(talk, given.service) or talk.terminal then talk:run() else talk.failed = true end
end

local function run_statements(talk, given)
  if not start_services(talk, given.service) then
    talk.failed = true
    return
  end
  for _, statement in ipairs(given.e) do
    talk:take(statement)
    if talk.over or talk.failed and talk.stop_on_error then return end
  end
end

-- Closes everything, also what takes a while.
local function clean_up(talk)
  system.on_interrupt(nil)
  local failed = closing.finish(5)
  local scope = core.enter(10, true)
  if talk.reader then pcall(talk.reader.close, talk.reader) end
  pcall(core.sweep, talk.session.began)
  local failures = closing.run()
  pcall(talk.world.close, talk.world)
  core.leave(scope)
  table.move(failed, 1, #failed, #failures + 1, failures)
  for _, line in ipairs(failures) do io.stderr:write("itlua: ", tostring(line), "\n") end
end

local function work(talk, given, settings)
  if given.e then run_statements(talk, given) end
  if not given.e or given.interactive and not talk.over then converse(talk, given, settings) end
end

---@param args string[]
---@return integer exit_code
function repl.run(args)
  local given, settings = prepare(args)
  if not given then return refuse(settings) end
  if given.e and not given.interactive then given.history = false end
  local talk = new_talk(given, settings)
  if talk.read_only then require("itlua.policy").read_only = settings.profile or "read-only" end
  if settings.network == "declared" then
    local network = require "itlua.policy.network"
    network.begin(settings.profile, network.hosts(settings))
  end
  local function say(line) io.stderr:write("itlua: ", line, "\n") end
  local world, wrong = require("itlua.repl.world").new(settings, say, tell_start(talk))
  if not world then return refuse(wrong) end
  talk.world = world
  local name = given.e and "-e" or not talk.terminal and "stdin" or nil
  add_paths(settings)
  require("itlua.repl.output").bring_assertions(core.globals())
  talk.session = require("itlua.repl.session").new(world:install(core.globals()), name)
  local ended_by
  local _ <close> = system.watch_signals(false)
  local main = core.spawn(work, talk, given, settings)
  core.daemon(function()
    repeat ended_by = system.signal() until ended_by ~= "SIGINT"
    core.cancel(main, "ended by " .. ended_by)
  end)
  local ok, err, traceback = core.join(main)
  clean_up(talk)
  if ended_by and ended_by ~= "SIGINT" then system.end_by(ended_by) end
  if not ok then error(tostring(err) .. "\n" .. tostring(traceback), 0) end
  return talk.failed and not talk.terminal and 1 or 0
end

return repl
