--- Assertions about the order of what happened in a test, across HTTP, databases, events and logs:
--
--     assert.happened({ "POST /orders", "orders.created", { what = "sql.query", detail = "UPDATE stock" } }).in_order()
--     assert.happened({ "orders.created", "mails.sent" }, { timeout = 5 }).any_order()
--     assert.happened({ "orders.created" }).times(1)          .at_least(1)
--
-- Each is matched against the entries of task.timeline(): "METHOD /path" an HTTP request (the path as a whole, or a Lua
-- pattern for it), another string anything whose line has it (or matches it as a Lua pattern), a table a part of an
-- entry (texts are looked for inside), a function is asked. The test's own waits are no happenings.

local blame = require "itlua.assert.blame"
local core = require "itlua.core"
local match = require "itlua.match"
local show = require "itlua.show"

local happened = {}

local TEXT <const> = "assertion.itlua.text"
local SHOWN <const> = 15 -- entries: reports show the whole timeline below
local PAUSE <const> = 0.02 -- seconds between two looks

-- ---- whether an entry is meant

local function line_of(entry)
  return ("%s  %s%s"):format(entry.what, entry.detail, entry.outcome ~= "" and " → " .. entry.outcome or "")
end

local function found_in(text, wanted)
  if text:find(wanted, 1, true) then return true end
  local ok, found = pcall(string.find, text, wanted)
  return ok and found ~= nil
end

local function is_request(entry, method, path)
  if entry.method ~= method then return false end
  if entry.path == path then return true end
  local ok, found = pcall(string.find, entry.path, "^" .. path .. "$")
  return ok and found ~= nil
end

-- Texts of an entry are looked for inside, all else is a part.
local function is_part(entry, wanted)
  for key, expected in pairs(wanted) do
    local got = entry[key]
    if (key == "detail" or key == "outcome" or key == "what") and type(expected) == "string" then
      if not found_in(got, expected) then return false end
    elseif not match.subset(expected, got) then
      return false
    end
  end
  return true
end

local function fits(entry, wanted)
  if entry.waits then return false end
  if match.is_callable(wanted) then return not not wanted(entry) end
  if type(wanted) == "table" then return is_part(entry, wanted) end
  local method, path = wanted:match "^(%u+) (/%S*)$"
  if method and entry.method then return is_request(entry, method, path) end
  return found_in(line_of(entry), wanted)
end

-- ---- what a failure shows

local function clock(seconds)
  return seconds < 10 and ("%d ms"):format(math.floor(seconds * 1000 + 0.5)) or ("%.1f s"):format(seconds)
end

-- What happened, from an entry on.
local function timeline_lines(entries, whole, after, lines)
  lines[#lines + 1] = ""
  local list = {}
  for i = after + 1, #entries do
    if not entries[i].waits then list[#list + 1] = entries[i] end
  end
  lines[#lines + 1] = after > 0 and "after that came" or "the timeline"
  if not whole then lines[#lines + 1] = "    (a test's last 1024 operations: earlier ones are forgotten)" end
  if not list[1] then lines[#lines + 1] = "    nothing" end
  for i = 1, math.min(SHOWN, #list) do
    lines[#lines + 1] = ("  %9s  %s"):format(clock(list[i].at), show.cut(line_of(list[i]), 110))
  end
  if #list > SHOWN then lines[#lines + 1] = ("    … and %d more"):format(#list - SHOWN) end
end

local function wanted_lines(about, marks, lines)
  local width = 0
  for _, wanted in ipairs(about.list) do width = math.max(width, #match.words(wanted, 60)) end
  for i, wanted in ipairs(about.list) do
    local words = match.words(wanted, 60)
    lines[#lines + 1] = ("  %d. %s%s   %s"):format(i, words, (" "):rep(width - #words), marks[i] or "")
  end
end

local function when(entry)
  return ("%s  %s"):format(clock(entry.at), show.cut(line_of(entry), 80))
end

local function complaint(about, head, marks, after, entries, whole)
  local lines = { head, "" }
  wanted_lines(about, marks, lines)
  timeline_lines(entries, whole, after, lines)
  return table.concat(lines, "\n")
end

-- ---- the checks: true, or the first line of a complaint, what became of each, and after which entry nothing did

local checks = {}

function checks.in_order(about, _, entries)
  local at, marks, missing = 0, {}, nil
  for i, wanted in ipairs(about.list) do
    local found, earlier
    for j, entry in ipairs(entries) do
      if fits(entry, wanted) then
        if j > at then
          found = j
          break
        end
        earlier = j
      end
    end
    if not found then
      missing = i
      marks[i] = earlier and ("✗ not after that; it happened earlier, at %s"):format(when(entries[earlier]))
        or "✗ did not happen"
      break
    end
    at, marks[i] = found, "✓ " .. when(entries[found])
  end
  if not missing then return true end
  return false, ("Expected these to have happened in this order; number %d did not%s."):format(missing,
    missing > 1 and (" come after number %d"):format(missing - 1) or " happen"), marks, at
end

function checks.any_order(about, _, entries)
  local used, marks, missing = {}, {}, 0
  for i, wanted in ipairs(about.list) do
    marks[i] = "✗ did not happen"
    for j, entry in ipairs(entries) do
      if not used[j] and fits(entry, wanted) then
        used[j], marks[i] = true, "✓ " .. when(entry)
        break
      end
    end
    if not marks[i]:find "^✓" then missing = missing + 1 end
  end
  if missing == 0 then return true end
  return false, ("Expected all of these to have happened; %d did not."):format(missing), marks
end

local function counted(name, words, enough)
  return function(about, args, entries)
    local count = args[1]
    if math.type(count) ~= "integer" or count < 0 then
      blame.usage(("%s needs a number, not %s"):format(name, show.value(count)))
    end
    local marks, fine = {}, true
    for i, wanted in ipairs(about.list) do
      local n = 0
      for _, entry in ipairs(entries) do
        if fits(entry, wanted) then n = n + 1 end
      end
      local good = enough(n, count)
      fine = fine and good
      marks[i] = ("%s %d"):format(good and "✓" or "✗", n)
    end
    if fine then return true end
    return false, ("Expected each of these to have happened %s."):format(words:format(count)), marks
  end
end

checks.times = counted("times", "%d times", function(n, count) return n == count end)
checks.at_least = counted("at_least", "%d times at least", function(n, count) return n >= count end)

-- ---- registered with luassert

local function look(about, name, args)
  local timeline = require "itlua.timeline"
  local deadline = core.now() + about.timeout
  while true do
    local entries, whole = timeline.entries()
    local fine, head, marks, after = checks[name](about, args, entries)
    if fine or core.now() >= deadline then
      return fine, not fine and complaint(about, head, marks, after or 0, entries, whole) or nil
    end
    core.sleep(math.min(PAUSE, deadline - core.now() + 0.001))
  end
end

local Subject = {}

function Subject.__index(self, name)
  if not checks[name] then
    blame.usage(("there is no '%s' after happened (there is in_order, any_order, times, at_least)"):format(tostring(name)))
  end
  return function(...)
    local fine, text = look(self.about, name, { n = select("#", ...), ... })
    if not fine then self.luassert(false, text, self.luassert:level(2)) end
    return self
  end
end

local function check_arguments(list, options)
  if type(list) ~= "table" or #list == 0 or match.is_callable(list) then
    blame.usage("assert.happened needs a list of what happened, not " .. show.value(list))
  end
  for i, wanted in ipairs(list) do
    local kind = type(wanted)
    if kind ~= "string" and kind ~= "table" and kind ~= "function" then
      blame.usage(("assert.happened: number %d is %s, not a string, a table or a function"):format(i, show.value(wanted)))
    end
  end
  local timeout = type(options) == "table" and options.timeout or 0
  if options ~= nil and type(options) ~= "table" or type(timeout) ~= "number" or timeout < 0 then
    blame.usage "assert.happened: the options are a table { timeout = seconds }"
  end
  return timeout
end

---@param luassert table
function happened.install(luassert)
  luassert:register("assertion", "happened", function(_, args)
    local about = { list = args[1], timeout = check_arguments(args[1], args[2]) }
    return true, { setmetatable({ about = about, luassert = luassert }, Subject), n = 1 }
  end, TEXT, TEXT)
end

return happened
