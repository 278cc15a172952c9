--- What probably caused a failure and where to look, for the usual suspects: a function of the events so far. Asked once a
-- problem, before any reporter sees it (report.group), which then has `cause`, text ready to print, and `cause_key`: failures
-- with the same key are one story.
--
-- The rules are in cause/*.lua: a list each of functions that take the facts and return lines and a key, or nothing. The
-- first that says something is believed.

local json = require "itlua.json"
local text = require "itlua.report.text"

local cause = {}

local groups = { "world", "http", "data", "spec" }

---@class itlua.report.facts       what a rule may look at
---@field problem itlua.event.problem
---@field kind? string             of an itlua error
---@field code? string
---@field message string
---@field spans table[]            the timeline, in order of time
---@field services table[]         {name, kind, state, exit?, host?, port?, url?}
---@field asked? table             the last HTTP request's span with data
---@field waits table[]            what tasks waited for when the deadline came
---@field transactions table[]     {pid, name, database, query, seconds}: sessions that stand idle in a transaction
---@field left table<string, { name: string, place: string, line: string }>   what earlier tests have left, by table or key
---@field earlier { at: number, statement: string, name?: string, place?: string }[]   statements that put rows into the table
---of a row that is there already, the latest first, and the tests that sent them
---@field printed string           what the test has printed, as far as known
local Facts = {}
Facts.__index = Facts

local function decoded(field)
  if not field then return {} end
  local ok, value = pcall(json.decode, field)
  return ok and type(value) == "table" and value or {}
end

---@param problem itlua.event.problem
---@param left? table
---@param printed? string
---@return itlua.report.facts
function cause.facts(problem, left, printed)
  local self = setmetatable({
    problem = problem, kind = problem.error_kind, code = problem.error_code,
    message = (problem.message or ""):gsub("^[^%s:]-%.lua:%d+: ", "", 1), -- without the position in front
    spans = decoded(problem.timeline), services = decoded(problem.services), waits = decoded(problem.waits),
    transactions = decoded(problem.transactions), earlier = decoded(problem.earlier_rows),
    left = left or {}, printed = printed or "",
  }, Facts)
  table.sort(self.spans, function(a, b) return (a.at or 0) < (b.at or 0) end)
  for _, span in ipairs(self.spans) do
    if span.what == "http.request" and type(span.data) == "table" and span.data.request then self.asked = span end
  end
  return self
end

--- What an error's message matches; what an assertion compared proves nothing.
---@param pattern string
---@return string?
function Facts:says(pattern)
  return self.problem.kind == "error" and self.message:match(pattern) or nil
end

local loopback = { ["127.0.0.1"] = true, ["localhost"] = true, ["::1"] = true, ["[::1]"] = true, ["0.0.0.0"] = true }

local default_ports = { http = 80, https = 443, postgresql = 5432, postgres = 5432, redis = 6379 }

--- Host and port of an URL, or of "host:port".
---@param url string
---@return string? host, integer? port
function cause.address(url)
  local scheme, rest = url:match "^(%a[%w+.-]*)://([^/?#%s]+)"
  rest = (rest or url):gsub("^.*@", "")
  local host, port = rest:match "^(%[[^%]]+%]):?(%d*)$"
  if not host then host, port = rest:match "^([^:/%s]+):?(%d*)$" end
  if not host then return nil end
  return host, math.tointeger(tonumber(port)) or default_ports[scheme or ""]
end

--- The service of itlua.lua at an address.
---@param host? string
---@param port? integer
---@return table?
function Facts:service_at(host, port)
  if not port then return nil end
  for _, service in ipairs(self.services) do
    local its_host, its_port = service.host, math.tointeger(tonumber(service.port))
    if service.url and not its_port then its_host, its_port = cause.address(service.url) end
    local same_host = not host or not its_host or host == its_host or loopback[host] and loopback[its_host]
    if its_port == port and same_host then return service end
  end
end

--- The last line that a service printed in this test, one that speaks of an error where there is one.
---@param name string
---@return string?
function Facts:last_words(name)
  local last, worst
  for _, span in ipairs(self.spans) do
    if span.log and span.what == name and span.detail ~= "" then
      last = span.detail
      local lower = last:lower()
      if lower:find "error" or lower:find "exception" or lower:find "fatal" or lower:find "panic" or lower:find "failed" then
        worst = last
      end
    end
  end
  local line = worst or last
  return line and text.clip(text.one_line(line), 200) or nil
end

--- The session that probably holds what a statement waits for.
---@return string?
function Facts:holder()
  local one = self.transactions[1]
  if not one then return nil end
  return ("session %s has stood idle in a transaction for %s; its last statement: %s"):format(tostring(one.pid),
    text.duration(tonumber(one.seconds) or 0), text.clip(text.one_line(tostring(one.query)), 120))
end

--- The operations of a kind, the last first.
---@param what string     a pattern
---@return fun(): table?
function Facts:back(what)
  local i = #self.spans + 1
  return function()
    repeat i = i - 1 until i < 1 or self.spans[i].what:find(what)
    return self.spans[i]
  end
end

local states = {
  idle = "it was never asked for, so it was not started", starting = "it is still starting",
  failed = "it did not get ready", stopped = "it was stopped", ready = "by now it runs: it was restarted, or came up late",
}

--- What has become of a service, in words.
---@param service table
---@return string
function cause.state_of(service)
  local signal = service.signal or math.tointeger(service.exit) and service.exit > 128 and service.exit - 128
  if service.state == "ended" and signal then return ("its process was ended by signal %s"):format(signal) end
  if service.state == "ended" then
    return service.exit and ("its process has ended with code %d"):format(service.exit) or "its process has ended"
  end
  return states[service.state] or "it is " .. tostring(service.state)
end

-- ---- the watcher: what earlier events tell of later ones

local Watch = {}
Watch.__index = Watch

local PRINTED = 16 << 10 -- bytes of a test's output looked at

local function remember_left(self, ev)
  local start = self.running[ev.file] and self.running[ev.file][ev.id]
  if not start then return end
  for line in ev.left:gmatch "[^\n]+" do
    local where = line:match "^%d+ rows? in ([%w_.\"]+)" or line:match "^%d+ keys?[^:]*: (.*)$"
    if where then
      self.left[where] = { name = start.own or start.name, place = ("%s:%d"):format(ev.file, start.line), line = line }
    end
  end
end

-- Most tests are never asked for: their values lie one after the other, and are put into words when they are.
local WIDTH <const> = 5

local function remember_test(ran, start, seconds)
  local n = #ran
  ran[n + 1], ran[n + 2], ran[n + 3] = start.at, seconds, start.own or start.name or "?"
  ran[n + 4], ran[n + 5] = start.source or start.file, start.line or 0
end

-- The name and the place of the test of a file that ran at a time; nil where none did.
local function test_at(self, file, at)
  local ran = self.ran[file] or {}
  for i = 1, #ran, WIDTH do
    if at >= ran[i] - 0.002 and at <= ran[i] + ran[i + 1] + 0.002 then
      return ran[i + 2], ("%s:%d"):format(ran[i + 3], ran[i + 4])
    end
  end
end

local on = {}

function on.run_start(self) self.left, self.running, self.printed, self.ran = {}, {}, {}, {} end

function on.file_start(self, ev) self.running[ev.file], self.printed[ev.file], self.ran[ev.file] = {}, nil, {} end

function on.test_start(self, ev)
  local running = self.running[ev.file]
  if running then running[ev.id] = ev end
end

function on.output(self, ev)
  if not ev.file then return end
  local so_far = self.printed[ev.file] or ""
  if #so_far < PRINTED then self.printed[ev.file] = so_far .. ev.text:sub(1, PRINTED) end
end

function on.test_end(self, ev)
  if ev.left then remember_left(self, ev) end
  local running, ran = self.running[ev.file], self.ran[ev.file]
  local start = running and running[ev.id]
  if start and ran and start.at then remember_test(ran, start, ev.seconds or 0) end
  if running then running[ev.id] = nil end
  self.printed[ev.file] = nil
end

function on.file_end(self, ev) self.running[ev.file], self.printed[ev.file], self.ran[ev.file] = nil, nil, nil end

-- ---- the rules

local loaded

local function rules()
  if not loaded then
    loaded = {}
    for _, group in ipairs(groups) do
      for _, rule in ipairs(require("itlua.report.cause." .. group)) do loaded[#loaded + 1] = rule end
    end
  end
  return loaded
end

--- What the facts look like: text of a line or several, and the key of its story; nil where nothing is known.
---@param facts itlua.report.facts
---@return string? text, string? key
function cause.of(facts)
  for _, rule in ipairs(rules()) do
    local ok, said, key = pcall(rule, facts)
    if ok and said then
      if type(said) == "table" then said = table.concat(said, "\n") end
      return said, key
    end
  end
end

--- Takes an event in; a failure gets its cause, unless it has one already.
---@param ev table
---@return table ev     the same one, or a copy with more fields
function Watch:event(ev)
  local handler = on[ev.ev]
  if handler then handler(self, ev) end
  if ev.ev ~= "problem" or ev.kind == "pending" or ev.cause then return ev end
  local facts = cause.facts(ev, self.left, self.printed[ev.file or ""])
  for _, statement in ipairs(facts.earlier) do
    statement.name, statement.place = test_at(self, ev.file, tonumber(statement.at) or 0)
  end
  local said, key = cause.of(facts)
  if not said then return ev end
  local copy = {}
  for name, value in pairs(ev) do copy[name] = value end
  copy.cause, copy.cause_key = said, key
  return copy
end

--- One that watches the events of a run.
function cause.watch()
  return setmetatable({ left = {}, running = {}, printed = {}, ran = {} }, Watch)
end

return cause
