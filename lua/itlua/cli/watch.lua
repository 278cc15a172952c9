--- --watch: runs, and runs again what is touched by each change, until it is told to stop.
--
-- Runs happen in this process, each with new workers; services that are up stay up, until something changes of which it
-- cannot be told who uses it. Keys: Enter runs everything, f what failed, p asks for a pattern of files, t for one of
-- names, q quits. Without a terminal to read keys from it goes by changes alone.

local core = require "itlua.core"
local changed = require "itlua.cli.changed"
local folders = require "itlua.cli.folders"
local fs = require "itlua.fs"
local options = require "itlua.cli.options"
local paint = require "itlua.report.paint"
local system = require "itlua.cli.core"

local watch = {}

local QUIET, LONGEST = 0.1, 2 -- seconds: changes that follow each other so closely are one, but not for ever
local AFTERMATH = 0.3         -- seconds after a run in which what it wrote may still be told of

---@class itlua.cli.watch
---@field events table[]      what happened and was not looked at: {kind = "key"|"change"|"signal", …}
---@field waiter? userdata
---@field running boolean
---@field stop? string        the run that is under way is to end: why
---@field ended number        when the last run ended
---@field pattern? string     only files whose paths match
---@field filter? string      only tests whose names match
---@field prompt? table       a line is being typed: {label, text, take}
---@field code integer        of the last run

local function out(text)
  io.stdout:write(text)
  io.stdout:flush()
end

-- == what happens ==

local function push(self, event)
  event.at, event.running = core.now(), self.running
  self.events[#self.events + 1] = event
  local ends = event.kind == "signal" or event.kind == "key" and event.key:find("[\r\nfptq]")
  if self.running and ends then self.stop = event.name or "a key" end
  if self.waiter then core.cancel(self.waiter) end
end

local function wait(self)
  while not self.events[1] do
    self.waiter = core.spawn(core.sleep, math.huge)
    core.join(self.waiter)
    self.waiter = nil
  end
  return table.remove(self.events, 1)
end

local function read_keys(self, keys)
  while true do
    local typed = keys:next()
    if not typed then break end
    if not typed:find("^\27.") then -- an arrow, a function key
      for key in typed:gmatch(utf8.charpattern) do
        push(self, { kind = "key", key = key == "\4" and "q" or key })
      end
    end
  end
  push(self, { kind = "signal", name = "SIGHUP" }) -- the terminal is gone
end

local function read_signals(self)
  while true do push(self, { kind = "signal", name = system.signal() }) end
end

-- Takes the changes that belong together off the queue: names of files.
local function gather(self, first)
  local names, began = { [first.path] = first }, core.now()
  repeat
    local seen = #self.events
    core.sleep(QUIET)
  until #self.events == seen or core.now() - began > LONGEST
  local rest = {}
  for _, event in ipairs(self.events) do
    if event.kind == "change" then names[event.path] = event
    else rest[#rest + 1] = event end
  end
  self.events = rest
  return names
end

local code_of = { lua = true, moon = true, fnl = true, t = true }

-- A run may write files, and that shall not start another one: of what changes meanwhile only code counts.
local function of_people(self, names)
  local kept, any = {}, false
  for name, event in pairs(names) do
    local late = event.running or event.at < self.ended + AFTERMATH
    if not late or code_of[name:match("%.(%w+)$") or ""] then kept[name], any = true, true end
  end
  return any and kept or nil
end

local function ignored_by_git(name)
  return os.execute("git check-ignore -q '" .. name:gsub("'", "'\\''") .. "' 2>/dev/null") == true
end

-- == running ==

local function clear(self)
  if self.tty then out("\27[2J\27[3J\27[H") end
end

local function first_of(names)
  local list = {}
  for name in pairs(names) do list[#list + 1] = name end
  table.sort(list)
  return list[1] .. (#list > 1 and (" and %d more"):format(#list - 1) or "")
end

-- Takes the files that changes have touched; false when there are none.
local function affected(self, job, names)
  local files, untraced = changed.trace(job.files, job.settings, { names = names, top = fs.realpath ".", prefix = "" })
  local why
  for name in pairs(untraced) do
    if not ignored_by_git(name) and (not why or name < why) then why = name end
  end
  if why then
    if self.services then -- they may be made of it
      self.services:close()
      self.services = nil
    end
    return true, ("%s changed, and %s: everything runs"):format(why, untraced[why])
  end
  job.files = files
  return #files > 0, ("%s changed"):format(first_of(names))
end

local function by_pattern(job, pattern)
  local files = {}
  for _, file in ipairs(job.files) do
    if file.path:find(pattern) then files[#files + 1] = file end
  end
  job.files = files
end

-- What a run asks about: see run.once.
local function hold_for(self, what)
  local hold = { signals = true, keep_services = self }
  function hold.restrict(job)
    local title = what.title
    if what.names then
      local any
      any, title = affected(self, job, what.names)
      if not any then
        self.quiet = title .. ": no spec uses it"
        return false
      end
    end
    if what.failed and #job.files == 0 then
      self.quiet = "nothing failed"
      return false
    end
    if self.pattern then by_pattern(job, self.pattern) end
    if self.pattern then title = ("%s · files with %s"):format(title, self.pattern) end
    if self.filter then title = ("%s · names with %s"):format(title, self.filter) end
    clear(self)
    out(self.paint("dim", "watch: " .. title) .. "\n")
    return true
  end
  function hold.signal()
    while not self.stop do core.sleep(0.05) end
    local name = self.stop
    self.stop = nil
    return name
  end
  function hold.on_interrupt() io.stdout:flush() end
  return hold
end

local function footer(self)
  if not self.keys then return end
  local words = { "Enter all", "f failed", "p files", "t names", "q quit" }
  out(self.paint("dim", "\nwatching · " .. table.concat(words, " · ")) .. "\n")
end

local function run_once(self, what)
  local given, rest = options.parse(self.args, options.run)
  given.watch, given.directory = nil, nil
  if what.failed then given["last-failed"] = "only" end
  if self.filter then
    given.filter = given.filter or {}
    table.insert(given.filter, self.filter)
  end
  self.running, self.stop, self.quiet = true, nil, nil
  local code = require("itlua.cli.run").once(given, rest, self.args, self.all, hold_for(self, what))
  self.running, self.ended = false, core.now()
  if self.quiet then
    out(self.paint("dim", self.quiet) .. "\n")
  else
    if code ~= 3 then self.code = code end
    footer(self)
  end
end

-- == keys ==

local function show_prompt(self)
  local p = self.prompt
  out(("%s%s (empty: all): %s"):format(self.tty and "\r\27[K" or "", p.label, p.text))
end

local function usable(pattern) return (pcall(string.find, "", pattern)) end

local function end_prompt(self)
  local p = self.prompt
  self.prompt = nil
  out("\n")
  if not usable(p.text) then
    out(("'%s' is no pattern\n"):format(p.text))
    return footer(self)
  end
  p.take(p.text ~= "" and p.text or nil)
  run_once(self, { title = "everything" })
end

local function type_on(self, key)
  local p = self.prompt
  if key == "\r" or key == "\n" then return end_prompt(self) end
  if key == "\27" then
    self.prompt = nil
    out("\n")
    return footer(self)
  end
  if key == "\127" or key == "\b" then p.text = p.text:sub(1, (utf8.offset(p.text, -1) or 1) - 1)
  elseif key == "\21" then p.text = ""
  elseif key:find("^[^%c]") then p.text = p.text .. key end
  show_prompt(self)
end

local press = {}
press["\n"] = function(self) run_once(self, { title = "everything" }) end
press["\r"] = press["\n"]
function press.f(self) run_once(self, { title = "what failed", failed = true }) end
function press.p(self)
  self.prompt = { label = "files with", text = "", take = function(text) self.pattern = text end }
  show_prompt(self)
end
function press.t(self)
  self.prompt = { label = "tests with", text = "", take = function(text) self.filter = text end }
  show_prompt(self)
end

-- == the whole ==

-- Returns the exit code when it is over.
local function heed(self, event)
  if event.kind == "signal" then return 3 end
  if event.kind == "key" then
    if self.prompt then type_on(self, event.key)
    elseif event.key == "q" then return self.code
    elseif press[event.key] then press[event.key](self) end
    return
  end
  local names = of_people(self, gather(self, event))
  if names and not self.prompt then run_once(self, { names = names }) end
end

local function loop(self)
  run_once(self, { title = "everything" })
  while true do
    local code = heed(self, wait(self))
    if code then return code end
  end
end

---@param args string[]
---@param all string[]
---@param given table     what the command line said
---@return integer exit_code    of the last run; 3 when a signal ended it
function watch.run(args, all, given)
  if given.directory then
    local ok, why = system.chdir(given.directory)
    if not ok then return require("itlua.cli").refuse(("-C %s: %s"):format(given.directory, why)) end
  end
  local tty = system.terminal(1)
  local self = {
    args = args, all = all, events = {}, running = false, ended = 0, code = 3, tty = tty,
    paint = paint.new(paint.wanted { tty = tty, args = {} }),
  }
  local keys <close> = system.keys()
  self.keys = keys
  local _ <close> = system.watch_signals(false)
  core.daemon(read_signals, self)
  if keys then core.daemon(read_keys, self, keys) end
  local watched = folders.watch(function(path) push(self, { kind = "change", path = path }) end)
  if watched.full then io.stderr:write("itlua: --watch: there are too many folders: some are not watched\n") end
  if watched.problem then io.stderr:write("itlua: --watch: ", watched.problem, "\n") end
  local code = loop(self)
  if self.services then self.services:close() end
  return code
end

return watch
