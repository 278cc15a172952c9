--- The words that begin with a colon.

local core = require "itlua.core"
local nearest = require "itlua.cli.nearest"
local show = require "itlua.show"
local text = require "itlua.report.text"

local commands = {}

---@class itlua.repl.Command
---@field takes? string     what stands behind it
---@field says string
---@field run fun(talk: itlua.repl.Talk, rest: string)

---@type table<string, itlua.repl.Command>
local known = {}
commands.known = known

-- In the order of the help.
local order = {
  "help", "time", "timeline", "load", "edit", "save", "services", "history", "continue", "locals", "quit",
}

local function dim(talk, line) talk:say(talk.view.paint("dim", line)) end

local function refuse(talk, message)
  talk.failed = true
  talk:complain { talk.view.paint("red", "✗ ") .. talk.view.paint("bright", message) }
end
commands.refuse = refuse

-- ---- help

local function overview(talk)
  local p = talk.view.paint
  talk:say "Lua, a line or several. An expression shows its value; _ is the last one."
  talk:say "Tab completes, also tables, columns, keys and topics; Ctrl-C interrupts what waits."
  talk:say ""
  for _, name in ipairs(order) do
    local command = known[name]
    if not command.only or command.only(talk) then
      local left = ":" .. name .. (command.takes and " " .. command.takes or "")
      talk:say(("  %s  %s"):format(p("cyan", text.pad(left, 22)), command.says))
    end
  end
  if not talk.world then return end
  talk:say ""
  talk:say "Globals that are there when they are named:"
  local line = " "
  for _, name in ipairs(talk.world:names()) do
    if #line + #name + 1 > math.min(talk:size(), 90) - 1 then
      talk:say(p("cyan", line))
      line = " "
    end
    line = line .. " " .. name
  end
  talk:say(p("cyan", line))
end

known.help = { takes = "[NAME]", says = "this; or what http.client, redis or :save is", run = function(talk, rest)
  if rest == "" then return overview(talk) end
  local name = rest:gsub("^:", "")
  if rest:find "^:" and known[name] then
    return talk:say((":%s %s  %s"):format(name, known[name].takes or "", known[name].says))
  end
  local lines, hint = require("itlua.repl.manual").lines(talk, rest)
  if not lines then return refuse(talk, ("no help on '%s'%s"):format(rest, hint or "")) end
  talk:show(lines)
end }

-- ---- time

known.time = { takes = "[LUA]", says = "say what this takes; alone: what every chunk takes, or not any more",
  run = function(talk, rest)
    if rest == "" then
      talk.timing = not talk.timing
      return dim(talk, talk.timing and "what chunks take is said" or "what chunks take is not said any more")
    end
    local before = talk.timing
    talk.timing = true
    talk:take(rest)
    talk.timing = before
  end }

-- ---- timeline

local function timeline_lines(talk, spans)
  local out, p = {}, talk.view.paint
  local from = spans[1] and spans[1].at or 0
  local columns = talk:size()
  for _, span in ipairs(spans) do
    local tail = span.outcome ~= "" and " → " .. text.one_line(span.outcome) or ""
    local room = math.max(10, columns - 34)
    local words = text.clip(text.one_line(span.detail) .. tail, room)
    out[#out + 1] = talk.view.hide(("%s  %s  %s  %s"):format(p("dim", text.pad(text.duration(span.at - from), 9, true)),
      text.pad(text.clip(span.what:match "^[^.]*", 10), 10), text.pad(words, room), p("dim", text.duration(span.seconds))))
  end
  return out
end

known.timeline = { takes = "[all]", says = "the operations of the last chunk, or all", run = function(talk, rest)
  local entries = talk.session.entries
  local since = talk.session.began
  if rest ~= "all" and #entries > 0 then since = entries[#entries].mark end
  if talk.session.scope and #entries == 0 then since = talk.session.scope.mark or since end
  local spans = core.timeline(since)
  if #spans == 0 then return dim(talk, "no operations") end
  talk:show(timeline_lines(talk, spans))
end }

-- ---- files

local function read_file(talk, path)
  local file, why = io.open(path, "rb")
  local content
  if file then
    content, why = file:read "a"
    file:close()
  end
  if not content then refuse(talk, why) end
  return content
end

local function expand(path)
  local home = os.getenv "HOME"
  return home and path:gsub("^~/", home .. "/") or path
end

known.load = { takes = "FILE", says = "run a Lua file here: its globals stay", run = function(talk, rest)
  if rest == "" then return refuse(talk, ":load which FILE?") end
  local path = expand(rest)
  local content = read_file(talk, path)
  if not content then return end
  local session = talk.session
  local run, why = load((content:gsub("^#[^\n]*", "")), "@" .. path, "t", session.env)
  if not run then
    talk.failed = true
    return talk:complain(require("itlua.repl.problem").syntax(talk.view, why))
  end
  local entry = session:run({ run = run, expression = false, names = false }, content)
  entry.file = path
  talk:tell(entry)
end }

known.edit = { says = "the last chunk in $EDITOR, then run it", run = function(talk)
  if not talk.terminal then return refuse(talk, ":edit needs a terminal") end
  local entries, fs = talk.session.entries, require "itlua.fs"
  local last = entries[#entries]
  local folder <close> = fs.tempdir { prefix = "itlua-edit-" }
  local path = folder:write("chunk.lua", last and last.text .. "\n" or "")
  local editor = "vi"
  for _, name in ipairs { "EDITOR", "VISUAL" } do
    if (os.getenv(name) or "") ~= "" then editor = os.getenv(name) end
  end
  local status = talk.reader:command(("%s '%s'"):format(editor, path:gsub("'", "'\\''")))
  if status ~= 0 then return refuse(talk, ("%s ended with exit code %d"):format(editor, status)) end
  local source = fs.read(path):gsub("%s+$", "")
  if source == "" then return dim(talk, "nothing to run") end
  for line in (source .. "\n"):gmatch "([^\n]*)\n" do dim(talk, "| " .. line) end
  talk.reader:remember(source)
  if talk.history then talk.history:add(source) end
  talk:take(source)
end }

known.save = { takes = "FILE", says = "the session as a spec that asserts what was seen", run = function(talk, rest)
  if rest == "" then return refuse(talk, ":save which FILE? (:save orders_spec.lua)") end
  require("itlua.repl.save").run(talk, expand(rest))
end }

-- ---- what there is

known.services = { says = "the services and connections, and their state", run = function(talk)
  local lines = require("itlua.repl.banner").services(talk)
  if #lines == 0 then return dim(talk, "no services and no connections: no itlua.lua here declares any") end
  talk:show(lines)
end }
known.services.only = function(talk) return talk.world ~= nil end

known.history = { takes = "[N]", says = "the last N entries, 20", run = function(talk, rest)
  local entries = talk.history and talk.history.entries or {}
  for i = math.max(1, #entries - (math.tointeger(tonumber(rest)) or 20) + 1), #entries do
    talk:say((entries[i]:gsub("\n", "\n  ")))
  end
end }
known.history.only = function(talk) return talk.history ~= nil end

known.locals = { says = "the variables in reach of the failing line", run = function(talk)
  for _, line in ipairs(talk.session.scope:describe(talk.view)) do talk:say(line) end
end }
known.locals.only = function(talk) return talk.session.scope ~= nil end

-- ---- the end

known.quit = { says = "end the session (Ctrl-D does the same)", run = function(talk) talk.over = "quit" end }
known.continue = { says = "go on with the run; :quit ends it", run = function(talk)
  if not talk.session.scope then return refuse(talk, "there is nothing to continue") end
  talk.over = "continue"
end }
known.continue.only = known.locals.only

--- The names of all that can be said here.
---@param talk itlua.repl.Talk
---@return string[]
function commands.names(talk)
  local names = {}
  for _, name in ipairs(show.keys(known)) do
    if not known[name].only or known[name].only(talk) then names[#names + 1] = name end
  end
  return names
end

--- Runs one.
---@param talk itlua.repl.Talk
---@param source string
function commands.run(talk, source)
  local name, rest = source:match "^%s*:(%a+)%s*(.-)%s*$"
  if name == "q" or name == "exit" then name = "quit" end
  local command = known[name]
  if not command then
    return refuse(talk, ("there is no :%s%s"):format(name, nearest.hint(name, commands.names(talk), ":%s")))
  end
  local ok, err = pcall(command.run, talk, rest)
  if ok then return end
  if core.is_error(err) == "cancelled" then error(err, 0) end
  refuse(talk, core.is_error(err) and err.message or tostring(err))
end

return commands
