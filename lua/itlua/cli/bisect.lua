--- --bisect: finds which earlier tests spoil one that passes alone.
--
-- Everything runs once, a file after the other, as far as the first failure (or the test that --bisect=FILE:LINE names).
-- Then subsets of what ran before it are tried, each in new worker processes, until none of those left can be spared:
-- delta debugging, over files first, then over their tests. Between tries the order of the tests stays as it was.

local core = require "itlua.core"
local pool = require "itlua.cli.pool"

local bisect = {}

---@class itlua.cli.bisect.unit    a test, or all that has its name in its file
---@field path string
---@field name string
---@field line integer
---@field whole? boolean           a block or file that failed as such

local function note(text) io.stderr:write("itlua: --bisect: ", text, "\n") end

local function count(n, word) return ("%d %s%s"):format(n, word, n == 1 and "" or "s") end

local function place(unit) return unit.line > 0 and ("%s:%d"):format(unit.path, unit.line) or unit.path end

local function describe(unit)
  return unit.name ~= "" and ("%s  %s"):format(place(unit), unit.name) or place(unit)
end

-- == running ==

-- Runs units, or where there are none all files. Calls each(unit, failed) for what ran, in order, until it returns true.
-- Returns the signal that interrupted it.
local function try(job, units, by_line, each)
  local plan, files, chosen, lines = job.plan, {}, {}, {}
  for _, unit in ipairs(units or {}) do
    chosen[unit.path] = chosen[unit.path] or {}
    lines[unit.path] = lines[unit.path] or {}
    table.insert(chosen[unit.path], { name = unit.name, whole = unit.whole })
    table.insert(lines[unit.path], unit.line)
  end
  for _, file in ipairs(job.files) do
    if not units or chosen[file.path] then files[#files + 1] = { path = file.path } end
  end
  plan.settings.chosen = units and not by_line and chosen or nil
  plan.settings.lines = units and by_line and lines or job.lines
  local running, failed, done, seen = nil, false, false, {}
  local function tell(unit, bad)
    local key = unit.path .. "\0" .. unit.name
    if bad or not seen[key] then done = done or each(unit, bad) end
    seen[key] = true
  end
  function plan.deliver(ev)
    if done then return end
    if ev.ev == "test_start" then
      running, failed = { path = ev.file, name = ev.name, line = ev.line }, false
    elseif ev.ev == "problem" and ev.kind ~= "pending" then
      failed = true
      if not ev.id then
        tell({ path = ev.file or "", name = ev.name or "", line = ev.at_line or 0, whole = true, where = ev.where }, true)
      end
    elseif ev.ev == "test_end" and running then
      tell(running, failed and ev.status ~= "success")
      running = nil
    end
  end
  return pool.run(files, plan)
end

-- Whether the victim fails after these units. Raises the name of a signal.
local function spoils(self, units, by_line)
  local all, failed = { table.unpack(units) }, false
  all[#all + 1] = self.victim
  self.tries = self.tries + 1
  local interrupted = try(self.job, all, by_line, function(unit, bad)
    failed = failed or (bad and unit.path == self.victim.path and unit.name == self.victim.name)
    return failed
  end)
  if interrupted then error({ interrupted = interrupted }, 0) end
  return failed
end

-- == delta debugging ==

local function without(list, from, to)
  local rest = { table.unpack(list, 1, from - 1) }
  return table.move(list, to + 1, #list, #rest + 1, rest)
end

--- The smallest part of `list` that still fails: no element of what is returned can be spared.
---@generic T
---@param list T[]
---@param fails fun(part: T[]): boolean    of the whole list it is true
---@return T[]
function bisect.minimize(list, fails)
  local parts = 2
  while #list > 1 do
    local size, smaller = (#list + parts - 1) // parts, nil
    for from = 1, #list, size do
      local to = math.min(#list, from + size - 1)
      local part = { table.unpack(list, from, to) }
      if fails(part) then
        smaller, parts = part, 2
        break
      end
    end
    if not smaller and parts > 2 then -- of two parts the rest is the other one
      for from = 1, #list, size do
        local rest = without(list, from, math.min(#list, from + size - 1))
        if #rest > 0 and fails(rest) then
          smaller, parts = rest, math.max(parts - 1, 2)
          break
        end
      end
    end
    if smaller then list = smaller
    elseif parts >= #list then return list
    else parts = math.min(parts * 2, #list) end
  end
  return list
end

-- The units of each file, one list a file; those of the victim's file that ran before it are the last.
local function by_file(units)
  local groups, of = {}, {}
  for _, unit in ipairs(units) do
    if not of[unit.path] then
      of[unit.path] = {}
      groups[#groups + 1] = of[unit.path]
    end
    table.insert(of[unit.path], unit)
  end
  return groups
end

local function flat(groups)
  local units = {}
  for _, group in ipairs(groups) do table.move(group, 1, #group, #units + 1, units) end
  return units
end

local function narrow(self, before)
  local groups = by_file(before)
  if #groups > 1 then
    groups = bisect.minimize(groups, function(part)
      local failed = spoils(self, flat(part))
      if failed then note(("it still fails after %s of %s"):format(count(#flat(part), "test"), count(#part, "file"))) end
      return failed
    end)
  end
  return bisect.minimize(flat(groups), function(part)
    local failed = spoils(self, part)
    if failed then note(("it still fails after %s"):format(count(#part, "test"))) end
    return failed
  end)
end

-- == what to say ==

-- Options that say how this run goes, not how its tests do.
local not_again = {
  bisect = true, jobs = true, concurrency = true, ["shuffle-files"] = true, shuffle = true, ["shuffle-tests"] = true,
  seed = true, output = true, Xoutput = true, retries = true, ["max-failures"] = true, ["fail-fast"] = true,
  filter = true, ["filter-out"] = true, name = true, tags = true, ["exclude-tags"] = true, ["only-changed"] = true,
  ["log-success"] = true, pattern = true, ["exclude-pattern"] = true, hints = true, history = true,
}

local function command(self, units)
  local settings, seen = self.job.settings, {}
  local words = { (settings.program or "itlua"):match("[^/]*$"), "-j", "1", "--concurrency", "1" }
  local given = require("itlua.cli.options").write(self.job.given, not_again)
  table.move(given, 1, #given, #words + 1, words)
  if settings["shuffle-tests"] then
    table.move({ "--shuffle-tests", "--seed", tostring(settings.seed) }, 1, 3, #words + 1, words)
  end
  for _, unit in ipairs(units) do
    if not seen[place(unit)] then words[#words + 1] = place(unit) end
    seen[place(unit)] = true
  end
  for i, word in ipairs(words) do
    words[i] = word:find("[^%w_./:=,%-]") and "'" .. word:gsub("'", "'\\''") .. "'" or word
  end
  return table.concat(words, " ")
end

local function print_result(self, spoilers)
  local all = { table.unpack(spoilers) }
  all[#all + 1] = self.victim
  local out = { describe(self.victim), "  fails only after" }
  for _, unit in ipairs(spoilers) do out[#out + 1] = "    " .. describe(unit) end
  if #spoilers > 1 then out[#out + 1] = "  after all of these, and not after fewer" end
  -- Several tests may be at one line: the command is tried before it is named.
  if spoils(self, spoilers, true) then
    out[#out + 1] = "again:  " .. command(self, all)
  else
    out[#out + 1] = "(no command can name just these tests: several are at one line)"
  end
  io.stdout:write(table.concat(out, "\n"), "\n")
end

-- The test to look at, and what ran before it.
local function find_victim(job)
  local wanted, path, line = job.settings.bisect, nil, nil
  if wanted ~= true then path, line = wanted:match("^(.-):(%d+)$") end
  local before, victim, at_line = {}, nil, false
  local interrupted = try(job, nil, false, function(unit, failed)
    local same = path and unit.path == path and unit.line == math.tointeger(tonumber(line))
    at_line = at_line or same
    if failed and (not path or same) then
      victim = unit
      return true
    end
    before[#before + 1] = unit
  end)
  if interrupted then error({ interrupted = interrupted }, 0) end
  return victim, before, at_line
end

local function without_victim(before, victim)
  local list = {}
  for _, unit in ipairs(before) do
    if unit.path ~= victim.path or unit.name ~= victim.name then list[#list + 1] = unit end
  end
  return list
end

local function search(job)
  local self = { job = job, tries = 0 }
  note(("running %s, one after the other"):format(count(#job.files, "file")))
  local victim, before, at_line = find_victim(job)
  local wanted = job.settings.bisect
  if not victim then
    if wanted ~= true and not at_line then
      note(("no test at %s ran"):format(wanted))
      return 2
    end
    note(wanted == true and "everything passes: there is nothing to look for"
      or ("%s passes: there is nothing to look for"):format(wanted))
    return 0
  end
  self.victim, before = victim, without_victim(before, victim)
  note(("%s fails, after %s"):format(describe(victim), count(#before, "test")))
  if #before == 0 or spoils(self, {}) then
    io.stdout:write(describe(victim), "\n  fails alone, too: no other test has a part in it\nagain:  ",
      command(self, { victim }), "\n")
    return 1
  end
  note "alone it passes"
  if not spoils(self, before) then
    io.stdout:write(describe(victim), "\n  failed once, but not again after the same tests: it is flaky, or depends on time\n",
      "  --repeat-until-failure may show it\n")
    return 1
  end
  local spoilers = narrow(self, before)
  print_result(self, spoilers)
  note(("found in %s"):format(count(self.tries, "run")))
  return 1
end

---@param job table     see run.lua: files in their order, plan, settings
---@return integer exit_code    0 nothing fails; 1 something was found out; 2 there is no such test; 3 interrupted
function bisect.run(job)
  local began = core.now()
  local ok, result = pcall(search, job)
  if ok then return result end
  if type(result) == "table" and result.interrupted then
    note(("interrupted by %s after %.0f s"):format(result.interrupted, core.now() - began))
    return 3
  end
  error(result, 0)
end

return bisect
