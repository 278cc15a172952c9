--- Which of the files that were found run, and in which order: what changed, this shard's, what failed last time; first
--- what failed, or what takes longest.

local find = require "itlua.cli.find"
local history = require "itlua.cli.history"
local shard = require "itlua.cli.shard"

local select = {}

local function say(text) io.stderr:write("itlua: ", text, "\n") end

local function only_changed(job, ref)
  local files, says = require("itlua.cli.changed").select(job.files, job.settings, ref == true and "HEAD" or ref)
  if not files then return ("--only-changed: %s"):format(says) end
  say("--only-changed: " .. says)
  job.files = files
  if #files == 0 then job.idle = true end
end

local function only_shard(job, past)
  local text = job.settings.shard
  local index, count = shard.parse(text)
  if not index then return ("--shard: %s, not '%s'"):format(count, text) end
  local cut = shard.cut(job.files, index, count --[[@as integer]], past and past:times() or {})
  job.files, job.shard = cut.files, text
  job.shard_plan = cut.plan
  local expected = cut.timed and (", expected to take %.1f s"):format(cut.seconds) or ", no times are kept: cut by number"
  say(("--shard %s: %d of %d files%s (plan %s)"):format(text, #cut.files, cut.of, expected, cut.plan))
  if #cut.files == 0 and cut.of > 0 then job.idle = true end
end

local function counted(n, word) return ("%d %s%s"):format(n, word, n == 1 and "" or "s") end

local function only_failed(job, past)
  local settings = job.settings
  local failed, kept = past:failed()
  local only = settings["last-failed"] == "only" -- --watch: nothing rather than everything
  if not next(failed) and not only then
    say(kept and "--last-failed: nothing failed last time: everything runs"
      or "--last-failed: no results are kept yet: everything runs")
    return
  end
  local files, known, all = {}, 0, 0
  for _, entries in pairs(failed) do all = all + #entries end
  for _, file in ipairs(job.files) do
    local entries = failed[history.key(file.path)]
    if entries then
      known = known + #entries
      files[#files + 1] = { path = file.path, lines = file.lines, chosen = entries }
    end
  end
  if #files == 0 and not only then
    return ("--last-failed: nothing of what failed (%s) is in what was asked for"):format(counted(all, "test"))
  end
  if not only then say(("--last-failed: %s of %s"):format(counted(known, "test"), counted(#files, "file"))) end
  job.files = files
end

local function failed_first(job, past)
  local failed = past:failed()
  local first, then_ = {}, {}
  for _, file in ipairs(job.files) do
    table.insert(failed[history.key(file.path)] and first or then_, file)
  end
  if #first > 0 and #then_ > 0 then say(("--failed-first: %s"):format(counted(#first, "file"))) end
  job.files = table.move(then_, 1, #then_, #first + 1, first)
end

--- Chooses among the files of a job and orders them.
---@param job { files: itlua.cli.file[], settings: table, idle?: boolean, shard?: string, shard_plan?: string }
---@param past? itlua.cli.history
---@return string? wrong
function select.apply(job, past)
  local settings = job.settings
  local wrong = settings["only-changed"] and only_changed(job, settings["only-changed"])
  wrong = wrong or settings.shard and only_shard(job, past)
  wrong = wrong or settings["last-failed"] and only_failed(job, past)
  if wrong then return wrong end
  find.order(job.files, settings)
  if settings["failed-first"] then failed_first(job, past) end
end

--- What takes longest starts first, where files run at the same time and no other order was asked for.
---@param files itlua.cli.file[]
---@param settings table
---@param past? itlua.cli.history
function select.slowest_first(files, settings, past)
  if not past or #files < 2 or settings["shuffle-files"] or settings["sort-files"] or settings["failed-first"] then return end
  local seconds, known = shard.estimates(files, past:times())
  if known then shard.slowest_first(files, seconds) end
end

-- Options that make no sense together, and why.
local contradictions = {
  { "repeat-until-failure", "list", "a list is the same every time" },
  { "watch", "list", "it runs tests" },
  { "watch", "bisect", "one looks for changes, the other for a test" },
  { "watch", "debug", "both read what is typed" },
  { "bisect", "debug", "it runs tests that nobody looks at" },
  { "watch", "in-process", "what runs there is not loaded again" },
  { "bisect", "list", "it runs tests" },
  { "bisect", "last-failed", "what ran before the failure is what it looks for" },
  { "bisect", "shard", "what ran before the failure is what it looks for" },
  { "bisect", "repeat-until-failure", "it runs as often as it has to" },
  { "last-failed", "history=false", "what failed is what is kept" },
  { "failed-first", "history=false", "what failed is what is kept" },
  { "fail-on-flaky", "retries=0", "only a test that runs again can be flaky" },
}

local function holds(settings, given, text)
  local name, value = text:match("^(.-)=(.*)$")
  if not name then return settings[text] and settings[text] ~= "" end
  return given[name] ~= nil and tostring(given[name]) == value
end

--- What is wrong with the options as a whole.
---@param settings table
---@param given table     what the command line said
---@return string? wrong
function select.check(settings, given)
  for _, rule in ipairs(contradictions) do
    if holds(settings, given, rule[1]) and holds(settings, given, rule[2]) then
      local other = rule[2]:gsub("^(.-)=false$", "no-%1"):gsub("=", " ")
      return ("--%s and --%s: %s"):format(rule[1], other, rule[3])
    end
  end
end

return select
