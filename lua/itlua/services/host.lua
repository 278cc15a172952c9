--- The process that runs the services of a run: `itlua services host`, started by the supervisor (link.lua) or by
--- `itlua services up`. It gets the plan on its stdin, listens on a unix socket, starts what is asked for, and ends
--- everything on SIGTERM, which also comes (from process_guard.c) when whoever started it was killed.
--
--     GET  /services              all of them
--     GET  /services/NAME         starts it with what it needs, and answers when it is ready, or why it is not
--     GET  /services/NAME/lines   the same as [{"at", "text"}]
--     GET  /services/NAME/after   what it prints after the first ?n lines: waits a while for {n, lines, lost}; without n, n
--     POST /services/NAME/DO      start, stop, restart, wait {"timeout"}, signal {"signal"}; what its kind has in `requests`
--     GET  /services/NAME/choice  whether it can be had here: {available, text}; starts nothing
--     GET  /services/NAME/logs    what it has printed; ?since=seconds&last=lines
--     POST /stop                  ends the host

local Entry = require "itlua.services.entry"
local core = require "itlua.core"
local current_run = require "itlua.run"
local fs = require "itlua.fs"
local json = require "itlua.json"
local native = require "itlua.services.native"
local server = require "itlua.server"
local system = require "itlua.cli.core"

local host = {}

local GRACE = 0.6 -- seconds between TERM and KILL at the end: the guard gives us one

local POLL = 5 -- seconds that who follows a log waits for an answer

local NAME = "itlua-services-"

-- ---- folders

local function own_pid()
  local f = assert(io.open "/proc/self/stat")
  local text = f:read "a"
  f:close()
  return text:match "^%d+"
end

-- What hosts that were killed have left.
local function sweep(place)
  for _, entry in ipairs(fs.list(place)) do
    local pid = entry:match("^" .. NAME:gsub("%p", "%%%0") .. "(%d+)%-")
    if pid and not fs.exists("/proc/" .. pid) then
      pcall(fs.remove, fs.join(place, entry), { recursive = true, force = true })
    end
  end
end

-- A folder in memory, made when the first service needs one.
local function lazy_folder()
  local made
  return function()
    if not made then
      for _, place in ipairs(native.scratch_places()) do sweep(place) end
      made = native.scratch(NAME .. own_pid() .. "-")
    end
    return made.path
  end, function() if made then made:close() end end
end

-- ---- answers

local function failure_of(err)
  return { code = core.is_error(err) and err.code or "FAILED", message = core.is_error(err) and err.message or tostring(err) }
end

local function answer(entry)
  return { status = entry.failure and 503 or 200, json = entry:status() }
end

local actions = {}

function actions.start(entry) entry:start() end

function actions.stop(entry, options) entry:stop(options.timeout) end

function actions.restart(entry, options)
  entry:restart(options.timeout)
end

function actions.wait(entry, options) entry:wait_exit(options.timeout) end

function actions.signal(entry, options) entry:signal(options.signal) end

local function routes(srv, self)
  local function entry_of(req)
    local entry = self.entries[req.params.name]
    if entry then return entry end
    error { status = 404, json = { failure = { code = "UNKNOWN", message = "there is no such service" } } }
  end
  srv:get("/services", function()
    local list = {}
    for _, entry in pairs(self.entries) do list[#list + 1] = entry:status() end
    table.sort(list, function(a, b) return a.name < b.name end)
    return { json = { fingerprint = self.fingerprint, pid = own_pid(), services = json.array(list) } }
  end)
  srv:get("/services/{name}", function(req)
    local entry = entry_of(req)
    if entry.state == "idle" or entry.state == "starting" then entry:start() end
    return answer(entry)
  end)
  srv:get("/services/{name}/choice", function(req)
    return { json = entry_of(req):choice() }
  end)
  srv:get("/services/{name}/lines", function(req)
    return { json = json.array(entry_of(req):lines_since(tonumber(req.query.since) or 0, tonumber(req.query.last) or 10)) }
  end)
  srv:get("/services/{name}/after", function(req)
    local found = entry_of(req):lines_after(math.tointeger(tonumber(req.query.n)), POLL)
    found.lines = json.array(found.lines)
    return { json = found }
  end)
  srv:get("/services/{name}/logs", function(req)
    return { text = entry_of(req):log(tonumber(req.query.since), tonumber(req.query.last)) }
  end)
  srv:post("/services/{name}/{action}", function(req)
    local entry, action = entry_of(req), actions[req.params.action]
    local request = not action and entry.kind.requests and entry.kind.requests[req.params.action]
    if not action and not request then return { status = 404 } end
    local options = req.body ~= "" and req:json() or {}
    local ok, result = pcall(function()
      if action then return action(entry, options) end
      return entry:request(request, options)
    end)
    if not ok then return { status = 409, json = { failure = failure_of(result) } } end
    return request and { json = result or json.object {} } or answer(entry)
  end)
  srv:post("/stop", function()
    core.daemon(self.finish)
    return { status = 202 }
  end)
end

-- ---- its life

-- For the report of the run: whoever started the host reads its output (link.lua).
local function tell(entry)
  if entry.state == "starting" then
    io.stdout:write(("starting %s\n"):format(entry.name))
    io.stdout:flush()
  end
  if entry.state ~= "ready" or entry.told then return end
  entry.told = true
  io.stdout:write(("started %s  %s (%s, %.2f s)\n"):format(entry.name, entry.title, entry.provider, entry.seconds))
  io.stdout:flush()
end

-- What uses others ends before them, the last that was made first.
local function discard_users(self)
  local list = {}
  for _, entry in pairs(self.entries) do
    if entry.kind.ends_first and entry.began then list[#list + 1] = entry end
  end
  table.sort(list, function(a, b) return a.began > b.began end)
  for _, entry in ipairs(list) do entry:discard(GRACE) end
end

-- For whoever closes the host (link.lua).
local function complain(_, text)
  io.stdout:write(("failed %s\n"):format((text:gsub("\n", "\1"))))
  io.stdout:flush()
end

local function discard_all(self)
  discard_users(self)
  local tasks = {}
  for _, entry in pairs(self.entries) do
    if not entry.kind.ends_first then
      tasks[#tasks + 1] = core.spawn(function() entry:discard(GRACE) end)
    end
  end
  for _, task in ipairs(tasks) do core.join(task) end
end

-- Waits until it is to end: when it is told to, and when its socket is gone, for nobody could tell it any more.
local function wait_for_end(self, socket)
  local over = false
  local sleeper = core.spawn(function() core.sleep(math.huge) end)
  function self.finish()
    if over then return end
    over = true
    core.sleep(0.01) -- the answer to POST /stop
    core.cancel(sleeper)
  end
  core.daemon(function()
    system.signal()
    self.finish()
  end)
  core.daemon(function()
    local watch <close> = fs.watch(socket)
    repeat watch:next() until not fs.exists(socket)
    self.finish()
  end)
  return function() core.join(sleeper) end
end

--- Runs it. Returns when everything has ended.
---@param given { socket: string, plan: itlua.services.Plan, fingerprint: string, folder?: string, guard?: boolean|"end" }
---    the folder is to be removed at the end, for whoever made it may have been killed
function host.run(given)
  local folder, remove = lazy_folder()
  current_run.guard = given.guard
  local self = { entries = {}, folder = folder, fingerprint = given.fingerprint, tell = tell, complain = complain }
  for name, spec in pairs(given.plan) do self.entries[name] = Entry.new(self, name, spec) end
  local _ <close> = system.watch_signals(false)
  local srv = server.listen { unix = given.socket, journal = 1, idle_timeout = 0 }
  local wait = wait_for_end(self, given.socket)
  routes(srv, self)
  print "ready"
  io.stdout:flush()
  wait()
  srv:close()
  discard_all(self)
  remove()
  pcall(fs.remove, given.socket, { force = true })
  if given.folder then pcall(fs.remove, given.folder, { recursive = true, force = true }) end
end

return host
