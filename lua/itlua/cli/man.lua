--- itlua man: the manual page, in the language of man(1), made of the tables of commands, options and profiles.

local commands = require "itlua.cli.commands"
local options = require "itlua.cli.options"
local profile = require "itlua.cli.profile"

local man = {}

man.help = [[
Usage: itlua man

Prints the manual page of itlua, for `man`: itlua man >itlua.1; man ./itlua.1
`make install` puts it where man looks.
]]

local function escape(text)
  text = text:gsub("\\", "\\e"):gsub("%-", "\\-"):gsub("–", "\\(en"):gsub("…", "..."):gsub("·", "\\(bu")
  return (text:gsub("^([.'])", "\\&%1"):gsub("\n([.'])", "\n\\&%1"))
end

local function bold(text) return "\\fB" .. escape(text) .. "\\fR" end
local function italic(text) return "\\fI" .. escape(text) .. "\\fR" end

-- `code` in bold.
local function prose(text)
  local out, at = {}, 1
  while true do
    local first, last, code = text:find("`([^`]+)`", at)
    if not first then break end
    out[#out + 1] = escape(text:sub(at, first - 1)) .. bold(code)
    at = last + 1
  end
  out[#out + 1] = escape(text:sub(at))
  return table.concat(out)
end

local function option_names(option)
  local names = {}
  if option.short and option.short ~= option.long then names[1] = bold("-" .. option.short) end
  local long = (#option.long > 1 and not option.long:find("^X") and "--" or "-") .. option.long
  local name = bold(long)
  if option.kind == "optional" then name = name .. "[=" .. italic(option.arg) .. "]"
  elseif option.arg then name = name .. (long:sub(1, 2) == "--" and "=" or " ") .. italic(option.arg) end
  names[#names + 1] = name
  if option.negatable then names[#names + 1] = bold("--no-" .. option.long) end
  return table.concat(names, ", ")
end

local function entry(out, term, text)
  out[#out + 1] = ".TP"
  out[#out + 1] = term
  out[#out + 1] = prose(text)
end

local function write_options(out, list)
  local group
  for _, option in ipairs(list) do
    if option.group ~= group and option.group ~= "Options" then
      group = option.group
      out[#out + 1] = ".SS " .. escape(group)
    end
    local help = option.help:sub(1, 1):upper() .. option.help:sub(2)
    if option.kind == "flag" and option.default then help = help .. " (default: on)" end
    if type(option.default) == "string" then help = help .. " (default: " .. option.default .. ")" end
    if type(option.default) == "table" then help = help .. " (default: " .. table.concat(option.default, ",") .. ")" end
    entry(out, option_names(option), help .. ".")
  end
end

local files = {
  { "itlua.lua", "The project's settings: a Lua file that returns a table of options by their long names, `services`, " ..
    "`profiles`, `secrets`. A folder that has one is an itlua project: its files run side by side, each in a world " ..
    "of its own." },
  { ".busted", "The settings of a project that has no itlua.lua; read as busted does." },
  { "specs/, spec/", "Where specs are looked for when no path is given." },
  { ".itlua/", "What is kept of runs: `history.jsonl` (a line a run), `times.json` (how long files and tests took; the " ..
    "order of files, and shards, are made from it), `last.json` (what failed). Git is told to ignore it." },
}

local environment = {
  { "DATABASE_URL, REDIS_URL, KAFKA_BROKERS", "Servers that services of itlua.lua take where they are set." },
  { "DOCKER_HOST", "The container engine." },
  { "NO_COLOR, CLICOLOR_FORCE, TERM", "Whether reports are coloured." },
  { "TMPDIR", "Where temporary folders and files are made." },
}

local codes = {
  { "0", "All tests passed." },
  { "1", "There were failures or errors, or no test ran." },
  { "2", "The command line or the settings are wrong: nothing ran." },
  { "3", "A signal ended the run." },
}

local examples = {
  { "itlua specs/orders_spec.lua:42", "The test at line 42." },
  { "itlua -o terminal -o junit:report.xml", "Two reports." },
  { "itlua --last-failed", "What failed when it last ran." },
  { "itlua --only-changed=main", "What is touched by the changes of this branch." },
  { "itlua --shuffle --seed 42", "A random order, the same again." },
  { "itlua --bisect", "Which earlier test makes the first that fails fail." },
  { "itlua --shard 2/4 -o jsonl:shard2.jsonl", "The second quarter of the files; `itlua report shard*.jsonl` makes one " ..
    "report of all." },
  { "itlua --watch", "Again with each change." },
}

local function section(out, title, entries)
  out[#out + 1] = ".SH " .. title
  for _, e in ipairs(entries) do entry(out, bold(e[1]), e[2]) end
end

--- The manual page.
---@param version string
---@return string
function man.page(version)
  local out = {
    ('.TH ITLUA 1 "" "itlua %s" "User Commands"'):format(version:match("^[%w.]+")), ".nh", ".ad l", ".SH NAME",
    "itlua \\- runs integration tests", ".SH SYNOPSIS", ".B itlua",
    "[" .. italic("options") .. "] [" .. italic("paths") .. "...]",
  }
  for _, command in ipairs(commands.list) do
    if command.name ~= "run" then
      out[#out + 1] = ".br"
      out[#out + 1] = bold("itlua " .. command.name) .. " " .. escape(command.args)
    end
  end
  out[#out + 1] = ".SH DESCRIPTION"
  out[#out + 1] = prose [[
itlua runs specs written in Lua, in the words of busted: describe, it, before_each, assert. A spec reads as if every call
blocked, while many files run side by side under hard deadlines. A path is a file, a folder, or `file:line` for the test at
that line; without one it is specs/, else spec/.]]
  out[#out + 1] = ".SH COMMANDS"
  for _, command in ipairs(commands.list) do
    entry(out, bold("itlua " .. command.name) .. " " .. escape(command.args),
      command.says:sub(1, 1):upper() .. command.says:sub(2) .. ".")
  end
  out[#out + 1] = ".SH OPTIONS"
  write_options(out, options.run)
  for _, command in ipairs(commands.list) do
    local list = commands.options(command)
    if list[1] and list ~= options.run then
      out[#out + 1] = ".SS " .. escape("Of itlua " .. command.name)
      write_options(out, list)
    end
  end
  local profiles = {}
  for i, one in ipairs(profile.built_in) do
    profiles[i] = { one.name, one.says:sub(1, 1):upper() .. one.says:sub(2) .. "." }
  end
  section(out, "PROFILES", profiles)
  section(out, "FILES", files)
  section(out, "ENVIRONMENT", environment)
  section(out, '"EXIT STATUS"', codes)
  section(out, "EXAMPLES", examples)
  out[#out + 1] = ".SH SEE ALSO"
  out[#out + 1] = ".BR busted (1)"
  return table.concat(out, "\n") .. "\n"
end

---@return integer exit_code
function man.run()
  io.stdout:write(man.page(require("itlua.cli.core").version))
  return 0
end

return man
