-- The pages of the reference manual that are about no module: the command line, itlua.lua, what spec files can say, the
-- assertions, the events.    reference.lua calls each with a function that writes a page.

local commands = require "itlua.cli.commands"
local options = require "itlua.cli.options"
local profile = require "itlua.cli.profile"
local report = require "itlua.report"

local pages = {}

local function cell(text) return (text:gsub("|", "\\|"):gsub("%s+", " ")) end
local function sentence(text) return text:sub(1, 1):upper() .. text:sub(2) .. (text:find("[.!?]$") and "" or ".") end

-- The comment at the head of a file, as text.
local function head(path)
  local text = {}
  for line in io.lines(path) do
    if not line:find "^%-%-" then break end
    text[#text + 1] = (line:gsub("^%-%-%-? ?", ""))
  end
  return text
end

local function files_in(folder)
  local list = {}
  local pipe = io.popen("ls " .. folder .. "/*.lua")
  for path in pipe:lines() do list[#list + 1] = path end
  pipe:close()
  return list
end

local function default_of(o)
  if o.kind == "flag" and o.default then return "on" end
  if type(o.default) == "table" then return "`" .. table.concat(o.default, ",") .. "`" end
  return o.default ~= nil and "`" .. cell(tostring(o.default)) .. "`" or ""
end

local function names_of(o)
  local long = (#o.long > 1 and not o.long:find "^X" and "--" or "-") .. o.long
  local name = o.short and o.short ~= o.long and ("`-%s`, `%s`"):format(o.short, long) or "`" .. long .. "`"
  if o.kind == "optional" then return ("%s[=%s]"):format(name, o.arg) end
  return name .. (o.arg and " " .. o.arg or "") .. (o.negatable and (", `--no-%s`"):format(o.long) or "")
end

local function option_table(out, list)
  local group
  for _, o in ipairs(list) do
    if o.group ~= group then
      group = o.group
      if group ~= "Options" then table.move({ "", "### " .. group, "" }, 1, 3, #out + 1, out) end
      out[#out + 1] = "| option | default | |"
      out[#out + 1] = "|---|---|---|"
    end
    out[#out + 1] = ("| %s | %s | %s |"):format(cell(names_of(o)), default_of(o), cell(sentence(o.help)))
  end
  out[#out + 1] = ""
end

function pages.command_line(write)
  local out = {
    "# The command line", "",
    "`itlua [options] [paths…]` runs specs. A path is a file, a folder, or `file:line` for the test at that line; without one",
    "it is `specs/`, else `spec/`. Options are busted's, with busted's meaning, where busted has them: any number of dashes,",
    "`--x=v`, `--x v`, `-xv`, `--no-x` for flags, comma lists, repetition.", "",
    "| command | |", "|---|---|",
  }
  for _, command in ipairs(commands.list) do
    out[#out + 1] = ("| `itlua %s %s` | %s |"):format(command.name, cell(command.args), sentence(command.says))
  end
  table.move({ "",
    "Exit code: **0** all passed; **1** failures, errors, or no test ran; **2** wrong usage or settings; **3** interrupted.",
    "",
    "## Options of `itlua` and `itlua list`", "" }, 1, 5, #out + 1, out)
  option_table(out, options.run)
  for _, command in ipairs(commands.list) do
    local list = commands.options(command)
    if list[1] and list ~= options.run then
      table.move({ "## Options of `itlua " .. command.name .. "`", "" }, 1, 2, #out + 1, out)
      option_table(out, list)
    end
  end
  table.move({ "## Reports", "", "`-o KIND[:FILE]`, several at once; `-o FILE.lua` is a handler written for busted.", "",
    "| kind | |", "|---|---|" }, 1, 6, #out + 1, out)
  for _, kind in ipairs(report.kinds) do out[#out + 1] = ("| `%s` | %s |"):format(kind.name, sentence(kind.says)) end
  table.move({ "", "## Profiles", "", "`--profile NAME` takes one, and itlua.lua may have its own.", "", "| profile | |",
    "|---|---|" }, 1, 7, #out + 1, out)
  for _, one in ipairs(profile.built_in) do out[#out + 1] = ("| `%s` | %s |"):format(one.name, sentence(one.says)) end
  out[#out + 1] = ""
  out[#out + 1] = "## What is kept of runs"
  out[#out + 1] = ""
  local kept = head "lua/itlua/cli/history.lua"
  table.move(kept, 1, #kept, #out + 1, out)
  for _, part in ipairs {
    { "Parts of a run", "shard" }, { "What is touched by changes", "changed" }, { "Which test spoils another", "bisect" },
    { "Watching", "watch" },
  } do
    local text = head("lua/itlua/cli/" .. part[2] .. ".lua")
    table.move({ "", "## " .. part[1], "" }, 1, 3, #out + 1, out)
    table.move(text, 1, #text, #out + 1, out)
  end
  write("command-line", "The command line", "commands, options, profiles, exit codes; watching, bisecting, sharding.", out)
end

function pages.settings(write)
  local out = {
    "# itlua.lua", "",
    "A Lua file in the folder of the project that returns a table. It makes the folder an itlua project: spec files run side",
    "by side, each in a world of its own. What the command line says wins; before it counts the profile, then this file.", "",
    "    return {", '      lpath = "./specs/?.lua", timeout = 60, retries = 1,',
    '      services = { db = { kind = "postgres", migrations = "db/migrations" } },',
    '      profiles = { ci = { like = "polish", output = { "terminal", "junit:junit.xml" } } },',
    '      secrets = { "API_TOKEN" },', "    }", "", "## Words", "", "| word | |", "|---|---|",
    "| `services` | what the specs need, by name: see below |",
    "| `profiles` | sets of settings by name, for `--profile` |",
    "| `secrets` | names of environment variables whose values are hidden in everything that leaves the program |",
    "| `network` | \"declared\": hosts that are not declared are refused; \"any\" is the default |",
    "| `hosts` | names of hosts that may be talked to then: \"api.example\", \"*.example\", \"10.0.0.7:8080\" |",
    "| `ROOT` | the paths to run where the command line names none |", "",
    "## Settings", "", "Options of the command line by their long names.", "", "| setting | value | default | |",
    "|---|---|---|---|",
  }
  local values = {
    flag = "true, false", list = "text, or a list", commas = "text, or a list", path = "text, or a list", string = "text",
    number = "seconds", integer = "number", count = "number", whole = "number", optional = "true, text",
  }
  for _, o in ipairs(options.run) do
    if o.config ~= false then
      local name = o.long:find "%-" and ('["%s"]'):format(o.long) or o.long
      out[#out + 1] = ("| `%s` | %s | %s | %s |"):format(name, values[o.kind] or o.kind, default_of(o), cell(sentence(o.help)))
    end
  end
  out[#out + 1] = ""
  out[#out + 1] = "## Profiles"
  out[#out + 1] = ""
  local text = head "lua/itlua/cli/profile.lua"
  table.move(text, 1, #text, #out + 1, out)
  out[#out + 1] = ""
  out[#out + 1] = "## Services"
  out[#out + 1] = ""
  for _, path in ipairs(files_in "lua/itlua/services/kinds") do
    text = head(path)
    out[#out + 1] = "### " .. path:match "([%w_]+)%.lua$"
    out[#out + 1] = ""
    table.move(text, 1, #text, #out + 1, out)
    out[#out + 1] = ""
  end
  write("settings", "itlua.lua", "settings, profiles, and the kinds of services.", out)
end

local words = {
  { "describe, context", "a block of tests; blocks may stand in blocks" },
  { "it, spec, test", "a test: a name and a function, with a deadline of `--timeout` seconds" },
  { "pending", "a test that is to come; inside a test it ends it as pending" },
  { "before_each, after_each", "around every test of the block and of those in it; after_each also when the test failed" },
  { "setup, teardown", "before the first and after the last test of the block (strict_setup, strict_teardown; with " ..
    "`--lazy`, or as lazy_setup and lazy_teardown, only where a test runs)" },
  { "finally", "inside a test: what runs when it has ended, however it ended" },
  { "insulate, expose", "blocks with globals and loaded modules of their own, or whose are everybody's" },
  { "randomize", "random order of what is in the block" },
  { "assert, spy, stub, mock, match", "luassert's, and the [assertions](assertions.md) of itlua" },
}

function pages.specs(write)
  local out = { "# Spec files", "", "Spec files are Lua, in the words of busted.", "", "| word | |", "|---|---|" }
  for _, word in ipairs(words) do out[#out + 1] = ("| `%s` | %s |"):format(word[1], cell(word[2])) end
  table.move({
    "", "Tags are words in names: `it(\"is slow #slow\", …)`, `--tags=slow`, `--exclude-tags=slow`.", "",
    "## What a file claims of the run", "",
  }, 1, 5, #out + 1, out)
  local text = head "lua/itlua/spec/claims.lua"
  table.move(text, 1, #text, #out + 1, out)
  table.move({
    "", "## Tests that run again", "",
    "With `--retries N` a test that fails runs up to N times again: what modules prepared for it (a database of its own), its",
    "before_each and after_each hooks and `finally` run again, too; setup and teardown do not. One that passes then is",
    "*flaky*: it counts as passed, is listed, and with `--fail-on-flaky` makes the run a failure. The last attempt counts; the",
    "events of the others are marked `retried`. A test whose process died does not run again.", "",
    "## Left behind", "",
    "What a test opens and does not close (servers, connections, tasks, processes) is closed and named. `--audit` names rows,",
    "keys and transactions as well; with `--fail-on-left` all of it is an error of the test.",
  }, 1, 12, #out + 1, out)
  write("specs", "Spec files", "the words, tags, claims, tests that run again.", out)
end

function pages.assertions(write)
  local out = { "# Assertions", "", "Beside luassert's own; see also [itlua.assert](itlua.assert.md).", "" }
  for _, path in ipairs(files_in "lua/itlua/assert") do
    local text = head(path)
    if table.concat(text, "\n"):find "assert%." then
      out[#out + 1] = "## " .. path:match "([%w_]+)%.lua$"
      out[#out + 1] = ""
      table.move(text, 1, #text, #out + 1, out)
      out[#out + 1] = ""
    end
  end
  write("assertions", "Assertions", "about responses, rows, keys, migrations, what happened.", out)
end

function pages.events(write)
  local out = { "# Events", "" }
  local text = head "lua/itlua/event.lua"
  table.move(text, 1, #text, #out + 1, out)
  out[#out + 1] = ""
  local open = false
  for line in io.lines "lua/itlua/event.lua" do
    local name, says = line:match "^%-%-%-@class itlua%.event%.([%w_]+)%s*(.*)$"
    local field, rest = line:match "^%-%-%-@field ([%w_]+%??) (.*)$"
    if name then
      table.move({ "## " .. name, "", says ~= "" and sentence(says) or "", "", "| field | type | |", "|---|---|---|" }, 1, 6,
        #out + 1, out)
      open = true
    elseif field and open and field ~= "ev" then
      local kind, meaning = rest:match "^(%S+)%s*(.*)$"
      out[#out + 1] = ("| `%s` | `%s` | %s |"):format(field, cell(kind), cell(meaning))
    elseif open and not line:find "^%-%-" then
      out[#out + 1] = ""
      open = false
    end
  end
  write("events", "Events", "what a run tells, and `-o jsonl` prints.", out)
end

pages.order = { "command_line", "settings", "specs", "assertions", "events" }

return pages
