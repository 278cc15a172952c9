--- The services of a run: what `services` in itlua.lua describes, started when it is first used, once for all files.
--
--     local services = require "itlua.services"
--     local db = services.db:connect()                       -- a database of this file's own, migrated
--     local api = http.client { base_url = services.app.url }
--     services.app:restart()
--
-- Fields: url, host, port, … as its kind has them; pid, name, kind, provider, state. Errors have kind "service":
-- NOT_READY, EXITED, NO_PROVIDER (with the verdict), NOT_RUNNING, NOT_OURS, UNKNOWN, NO_HOST.

local core = require "itlua.core"
local evidence = require "itlua.evidence"
local nearest = require "itlua.cli.nearest"
local policy = require "itlua.policy"
local show = require "itlua.show"

local current_run = require "itlua.run"

---@class itlua.services.Service
---@field name string
---@field kind string
---@field spec table             what itlua.lua says of it
---@field url string
---@field pid integer
local Service = {}

local link -- to the host, once it is asked

local function host()
  if not link then link = require("itlua.services.link").to(current_run.services.socket) end
  return link
end

-- A script (itlua exec) has those that `itlua services up` has left running.
local function kept()
  local settings = require("itlua.cli.config").load({}, {})
  local declared = settings and settings.services
  if not declared then core.raise("service", "UNKNOWN", "there are no services here: no itlua.lua declares any") end
  local way = require "itlua.services.link"
  local socket, fingerprint = way.kept()
  if not socket then
    core.raise("service", "NO_HOST", "no services are running: this is no run of specs, and `itlua services up` has left none")
  end
  if fingerprint ~= way.fingerprint(declared) then
    core.raise("service", "NO_HOST", "itlua.lua, or itlua itself, has changed since `itlua services up`")
  end
  return { socket = socket, plan = declared }
end

local function plan()
  if not current_run.services then current_run.services = kept() end
  return current_run.services.plan
end

-- ---- what programs of the project print, for the timelines of tests that fail

local LINES = 10 -- of each

local handles = {}

local watched, test_began = nil, 0

local function printed()
  local spans, ahead = {}, core.clock() - core.now()
  local scope = core.enter(1, true) -- also when the test's time is over
  local ok, err = pcall(function()
    for name in pairs(watched) do
      for _, line in ipairs(host():ask("GET", ("/services/%s/lines?since=%.6f&last=%d"):format(name, test_began, LINES))) do
        spans[#spans + 1] = { at = line.at - ahead, seconds = 0, what = name, detail = line.text, log = true }
      end
    end
  end)
  core.leave(scope)
  if not ok then error(err, 0) end
  return spans
end

local function watch(self)
  if not watched then
    watched, test_began = {}, core.clock()
    evidence.offer_spans(printed, function() test_began = core.clock() end)
  end
  watched[rawget(self, "name")] = true
end

-- ---- what it is

local function status(self, method, path, body)
  local answer = host():ask(method, path, body)
  rawset(self, "known", answer)
  if policy.network then policy.network.add_fields(answer.fields) end
  watch(self)
  return answer
end

local function where(self, action)
  return ("/services/%s%s"):format(rawget(self, "name"), action and "/" .. action or "")
end

-- Starts it where it is not started yet, which takes its time: a line of the timeline.
local function known(self)
  local answer = rawget(self, "known")
  if answer then return answer end
  local span = core.span("service", rawget(self, "name"))
  local ok, err = pcall(status, self, "GET", where(self))
  core.span_end(span, ok and tostring(err.state) or core.is_error(err) == "service" and err.code or "timeout")
  if not ok then error(err, 0) end
  return err
end

--- Whether it can be had here, and what it would be, or why not. Starts nothing; for specs that do without.
---@return boolean available
---@return string text
function Service:available()
  local answer = host():ask("GET", where(self, "choice"))
  return answer.available, answer.text
end

--- Waits until it is ready; what is asked of it does so by itself. One that was stopped, or whose process has ended without
--- being asked to, is started again.
---@return itlua.services.Service
function Service:start()
  local ready = known(self).state == "ready" and Service.status(self).state ~= "ended"
  if not ready then status(self, "POST", where(self, "start"), {}) end
  return self
end

--- Ends its process: TERM, then KILL. It stays away until start or restart.
---@param options? { timeout?: number } seconds between the two; 5
function Service:stop(options)
  known(self)
  status(self, "POST", where(self, "stop"), { timeout = options and options.timeout })
end

--- Ends it, starts it again, and waits until it is ready.
---@param options? { timeout?: number }
function Service:restart(options)
  known(self)
  status(self, "POST", where(self, "restart"), { timeout = options and options.timeout })
end

--- Waits until its process has ended by itself; raises where it does not, or not with the code of option `exit`.
---@param options? { timeout?: number } seconds; 10
---@return { code: integer?, signal: integer? }
function Service:wait_exit(options)
  known(self)
  local answer = status(self, "POST", where(self, "wait"), { timeout = options and options.timeout or 10 })
  return { code = answer.exit, signal = answer.signal }
end

--- Sends a signal to it and all that it started: "HUP", "KILL".
---@param name string
function Service:signal(name)
  if type(name) ~= "string" then core.usage "signal needs a name: \"HUP\"" end
  known(self)
  status(self, "POST", where(self, "signal"), { signal = (name:upper():gsub("^SIG", "")) })
end

--- Stops it in its tracks (SIGSTOP): it answers nobody, and its connections stay.
function Service:pause() Service.signal(self, "STOP") end

--- Lets it go on after pause.
function Service:resume() Service.signal(self, "CONT") end

--- For the methods of kinds: asks the process that runs it, where the kind's `requests` answer.
---@param name string
---@param body? table
---@return table
function Service:request(name, body)
  known(self)
  return host():ask("POST", where(self, name), body or {})
end

--- What it has printed.
---@param options? { since?: number, last?: integer } since: seconds on core's wall clock; last: so many lines
---@return string
function Service:logs(options)
  local query = {}
  if options and options.since then query[#query + 1] = ("since=%.6f"):format(options.since) end
  if options and options.last then query[#query + 1] = ("last=%d"):format(options.last) end
  known(self)
  return host():ask("GET", where(self, "logs") .. (query[1] and "?" .. table.concat(query, "&") or "")) --[[@as string]]
end

--- The lines it prints from now on, as a capture (itlua.capture): wait_for takes a Lua pattern, or a part of a line that
--- is a JSON object. It goes on when the service is restarted. There is no fence: expect_none watches for a time.
---@param options? itlua.capture.Options
---@return itlua.capture
function Service:capture(options)
  local container = known(self).container
  local function ask(query) return host():ask("GET", where(self, "after" .. query)) end
  return require("itlua.services.capture").open(rawget(self, "name"), container, ask, options)
end

--- What is known of it now: state ("ready", "stopped", "ended", …), title, provider, pid, exit, seconds, fields.
---@return table
function Service:status()
  known(self)
  return status(self, "GET", where(self))
end

local fresh = { pid = true, state = true, exit = true }

local function field(self, key)
  local answer = fresh[key] and Service.status(self) or known(self)
  local fields = answer.fields or {}
  if fields[key] ~= nil then return fields[key] end
  if fresh[key] or key == "provider" or key == "title" or key == "seconds" then return answer[key] end
  local name = rawget(self, "name")
  if answer.state ~= "ready" then
    core.raise("service", "NOT_RUNNING", ("%s does not run: it is %s"):format(name, answer.state))
  end
  local names = show.keys(fields)
  core.usage(("services.%s has no '%s'%s"):format(name, tostring(key), nearest.hint(tostring(key), names)))
end

-- Keys that somebody else asks every table for.
local function is_ours(key)
  return type(key) == "string" and not key:find "^__"
end

local metatable = { __name = "itlua.service" }

function metatable.__index(self, key)
  local method = Service[key] or rawget(self, "methods")[key]
  if method or not is_ours(key) then return method end
  return field(self, key)
end

function metatable.__tostring(self)
  local answer = rawget(self, "known")
  return ("service %s (%s)"):format(rawget(self, "name"), answer and answer.title or rawget(self, "kind"))
end

-- ---- all of them

local of_run

-- The services that the file names as `services.NAME`, but for those of which it asks whether they are available.
local function named_in(path)
  local f = io.open(path)
  local text = f and f:read "a" or ""
  if f then f:close() end
  local named, doubtful = {}, {}
  for line in text:gmatch "[^\n]+" do
    for name, after in line:gsub("%-%-.*$", ""):gmatch "%f[%w_]services%.([%a_][%w_]*)(:?%w*)" do
      named[name] = true
      if after == ":available" then doubtful[name] = true end
    end
  end
  for name in pairs(doubtful) do named[name] = nil end
  return named
end

-- They start at the same time: those that the file comes to later, while the first is waited for.
local function begin_others(first)
  if current_run.file == "" or current_run.partial then return end
  for name in pairs(named_in(current_run.file)) do
    if name ~= first and plan()[name] then
      core.daemon(function() pcall(host().ask, host(), "GET", "/services/" .. name) end)
    end
  end
end

local function handle(name)
  local spec, begin = plan()[name], nil
  if of_run ~= current_run.services then -- another run in the same state
    of_run, handles, link = current_run.services, {}, nil
    if watched then watched = {} end
    begin = spec and name
  end
  if not spec then
    core.raise("service", "UNKNOWN", ("there is no service '%s' in itlua.lua%s"):format(tostring(name),
      nearest.hint(tostring(name), show.keys(plan()))))
  end
  if not handles[name] then
    local kind = require("itlua.services.kinds").find(spec.kind)
    handles[name] = setmetatable({ name = name, kind = spec.kind, spec = spec, methods = kind.methods or {} }, metatable)
  end
  if begin then begin_others(begin) end
  return handles[name]
end

return setmetatable({}, {
  __name = "itlua.services",
  __index = function(_, name)
    if not is_ours(name) then return nil end
    return handle(name)
  end,
})
