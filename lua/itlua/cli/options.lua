--- The options of the command line: one table that the parser, the help and the configuration files share.
--
-- Names, meaning and ways of writing are busted's (2.3) where busted has the option: any number of dashes, `--x=v`,
-- `--x v`, `-xv`, `--no-x` for flags, comma lists, repetition.

local nearest = require "itlua.cli.nearest"

---@class itlua.cli.option
---@field long string           its name in options tables and configuration files
---@field short? string
---@field arg? string           what its value is called; a flag has none
---@field kind string           a key of `convert` below, or "flag"
---@field negatable? boolean    `--no-x` is allowed
---@field default? any
---@field help string
---@field group string          the section of the help
---@field sets? string[]        a flag that stands for others
---@field to? any               and the value it gives them
---@field config? boolean       false: not in configuration files

local options = {}

---@type itlua.cli.option[]
options.run = {}

local group

local function add(list, names, arg, kind, help, more)
  local short, long = names:match("^(%S+) (%S+)$")
  local o = { long = long or names, short = short, arg = arg, kind = kind, help = help, group = group }
  for k, v in pairs(more or {}) do o[k] = v end
  list[#list + 1] = o
end

local run = options.run

group = "What runs"
add(run, "p pattern", "PATTERN", "list", "in a folder, take the files whose names match this Lua pattern",
  { default = { "_spec" } })
add(run, "exclude-pattern", "PATTERN", "list", "but not those that match this one")
add(run, "R recursive", nil, "flag", "look in folders below a folder", { negatable = true, default = true })
add(run, "t tags", "TAGS", "commas", "only tests with one of these #tags")
add(run, "exclude-tags", "TAGS", "commas", "no test with one of these #tags")
add(run, "filter", "PATTERN", "list", "only tests whose full name matches this Lua pattern")
add(run, "filter-out", "PATTERN", "list", "no test whose full name matches this Lua pattern")
add(run, "name", "NAME", "list", "only the test with this full name")
add(run, "exclude-names-file", "FILE", "string", "no test whose full name is a line of FILE")
add(run, "last-failed", nil, "flag", "only what failed when it last ran; everything if nothing did", { config = false })
add(run, "only-changed", "REF", "optional",
  "only specs that changed, or that use what changed, since the last commit, or since REF (a branch: since it was left)",
  { config = false })
add(run, "shard", "I/N", "string",
  "the Ith of N parts of the files, balanced by .itlua/times.json where it is: the same on all machines",
  { config = false })
add(run, "l list", nil, "flag", "name the tests instead of running them", { config = false })

group = "How it runs"
add(run, "j jobs", "N", "count", "worker processes (default: one per core; 1 without an itlua.lua)")
add(run, "concurrency", "N", "count", "files at a time in each worker (default: 8; 1 without an itlua.lua)")
add(run, "timeout", "SECONDS", "number", "what a test may take; 0: for ever (default: 30)")
add(run, "file-timeout", "SECONDS", "number", "what a file's body, a block's or a hook may take (default: 60)")
add(run, "heartbeat", "SECONDS", "number", "how long a test or file may be silent in a log until it is mentioned (default: 30)")
add(run, "x fail-fast", nil, "flag", "stop after the first failure or error")
add(run, "max-failures", "N", "count", "stop after N failures and errors")
add(run, "k keep-going", nil, "flag", "go on after a failure or error", { negatable = true, default = true })
add(run, "failed-first", nil, "flag", "first the files with what failed last time; in a file the order stays",
  { negatable = true })
add(run, "seed", "N", "integer", "seed of the random order and of math.random (default: another one each run)")
add(run, "shuffle", nil, "flag", "random order of files and of the tests in each",
  { negatable = true, sets = { "shuffle-files", "shuffle-tests" } })
add(run, "shuffle-files", nil, "flag", "random order of files", { negatable = true })
add(run, "shuffle-tests", nil, "flag", "random order of the tests in a file", { negatable = true })
add(run, "sort", nil, "flag", "files and tests by name", { negatable = true, sets = { "sort-files", "sort-tests" } })
add(run, "sort-files", nil, "flag", "files by name", { negatable = true })
add(run, "sort-tests", nil, "flag", "tests of a file by name", { negatable = true })
add(run, "lazy", nil, "flag", "setup and teardown only where a test needs them", { negatable = true })
add(run, "auto-insulate", nil, "flag", "each file has globals and loaded modules of its own",
  { negatable = true, default = true })
add(run, "in-process", nil, "flag", "run in this one process, for a debugger", { config = false })

group = "Again"
add(run, "watch", nil, "flag", "run again what each change touches; keys: Enter, f, p, t, q", { config = false })
add(run, "retries", "N", "whole", "a test that fails or crashes runs up to N times again; one that passes then is flaky")
add(run, "repeat", "N", "count", "run everything N times", { default = 1 })
add(run, "repeat-until-failure", nil, "flag", "run everything until something fails (--repeat N: N times at most)",
  { config = false })
add(run, "bisect", "FILE:LINE", "optional",
  "find the earlier test that makes one fail: the first that fails, or the one at FILE:LINE", { config = false })
add(run, "debug", nil, "flag", "where a test fails, open the REPL in its scope (one process, one file at a time)",
  { config = false })

group = "How strict it is"
add(run, "profile", "NAME", "string", "how strict the run is, see Profiles below", { config = false })
add(run, "fail-on-flaky", nil, "flag", "a run with flaky tests is a failure", { negatable = true })
add(run, "fail-on-left", nil, "flag", "what a test, block or file leaves behind is an error", { negatable = true })
add(run, "fail-on-pending", nil, "flag", "a run with pending tests is a failure", { negatable = true })
add(run, "audit", nil, "flag", "name the tests that leave rows, keys or open transactions behind", { negatable = true })
add(run, "no-tests-ok", nil, "flag", "a run in which no test ran is no failure")
add(run, "hints", nil, "flag", "after a failure say which commands may help", { negatable = true })

group = "What the specs see"
add(run, "e", "STATEMENT", "list", "run this Lua statement first", { short = "e" })
add(run, "helper", "FILE", "string", "run this script (or module) before the tests")
add(run, "Xhelper", "OPTIONS", "commas", "options for the helper")
add(run, "m lpath", "PATH", "path", "put in front of package.path",
  { default = "./src/?.lua;./src/?/?.lua;./src/?/init.lua" })
add(run, "cpath", "PATH", "path", "put in front of package.cpath", { default = "./csrc/?.so;./csrc/?/?.so;" })
add(run, "loaders", "NAMES", "commas", "languages of spec files", { default = { "lua", "moonscript" } })
add(run, "lang", "LANG", "string", "language of messages", { default = "en" })
add(run, "c coverage", nil, "flag", "measure coverage (needs LuaCov)", { negatable = true })
add(run, "coverage-config-file", "FILE", "string", "LuaCov's settings")

group = "What comes out"
add(run, "o output", "KIND[:FILE]", "list",
  "how to report, and where; several at once, see Reports below. Or a busted handler's file or module")
add(run, "Xoutput", "OPTIONS", "commas", "options for the output handler")
add(run, "v verbose", nil, "flag", "errors with their tracebacks", { negatable = true })
add(run, "defer-print", nil, "flag", "print results when all is done", { negatable = true })
add(run, "suppress-pending", nil, "flag", "say nothing of pending tests", { negatable = true })
add(run, "s enable-sound", nil, "flag", "say the result aloud, where `say` can", { negatable = true })
add(run, "log-success", "FILE", "string", "append the full name of each test that succeeds to FILE")
add(run, "history", nil, "flag", "keep times and results in .itlua/ (default: in a project with an itlua.lua)",
  { negatable = true })

group = "Settings"
add(run, "C directory", "DIR", "directory", "go to DIR first", { config = false })
add(run, "f config-file", "FILE", "string", "read FILE instead of .busted", { config = false })
add(run, "r run", "TASK", "string", "the task of .busted to take", { config = false })
add(run, "lua", "LUA", "string", "accepted for busted's sake: itlua has its own Lua")
add(run, "ignore-lua", nil, "flag", "accepted for busted's sake")
add(run, "version", nil, "flag", "print the version", { config = false })
add(run, "h help", nil, "flag", "print this", { config = false })

options.help_only = { { long = "help", short = "h", kind = "flag", help = "print this", group = "Options" } }

-- Names of both forms, for the parser and for hints.
local function index(list)
  local by, names = {}, {}
  for _, o in ipairs(list) do
    by[o.long] = o
    names[#names + 1] = (#o.long > 1 and "--" or "-") .. o.long
    if o.negatable then names[#names + 1] = "--no-" .. o.long end
    if o.short then by[o.short] = o end
  end
  return by, names
end

local function split(text)
  local parts = {}
  for part in (text .. ","):gmatch("(.-),") do parts[#parts + 1] = part end
  return parts
end

local convert = {}
function convert.string(v) return v end
function convert.list(v, before)
  local list = before or {}
  list[#list + 1] = v
  return list
end
function convert.commas(v, before)
  local list = before or {}
  for _, part in ipairs(split(v)) do
    if part ~= "" then list[#list + 1] = part end
  end
  return list
end
function convert.path(v, before) return before and (before .. ";" .. v) or v end
function convert.directory(v, before) return (before and v:sub(1, 1) ~= "/") and (before .. "/" .. v) or v end
function convert.number(v)
  local n = tonumber(v)
  if not n or n < 0 or n ~= n then return nil, "must be a number of seconds" end
  return n
end
function convert.integer(v)
  local n = math.tointeger(tonumber(v))
  if not n then return nil, "must be a whole number" end
  return n
end
function convert.count(v)
  local n = math.tointeger(tonumber(v))
  if not n or n < 1 then return nil, "must be a whole number above 0" end
  return n
end

function convert.whole(v)
  local n = math.tointeger(tonumber(v))
  if not n or n < 0 then return nil, "must be a whole number" end
  return n
end

-- What `text` (an argument that begins with a dash) says: the option, whether it is negated, its attached value.
local function read(text, by, names)
  local key, value = text:match("^%-+([^=]*)=(.*)$")
  key = key or text:match("^%-+(.*)$")
  if by[key] then return by[key], false, value end
  local negated = key:match("^no%-(.+)$")
  if negated and by[negated] then
    if by[negated].kind ~= "flag" then return nil, ("--no-%s: --%s is no flag"):format(negated, negated) end
    if not by[negated].negatable then return nil, ("--%s cannot be negated"):format(negated) end
    return by[negated], true, value
  end
  local letter, rest = text:match("^%-([^-])(.+)$")
  local o = letter and by[letter]
  if o and o.short == letter and o.arg and #key > 1 then return o, false, rest end
  return nil, ("unknown option %s%s"):format(text, nearest.hint(text:match("^[^=]*"), names))
end

-- "-vc": several one-letter flags in one argument.
local function letters(text, by)
  local flags = {}
  for letter in (text:match("^%-(%w+)$") or ""):gmatch(".") do
    local o = by[letter]
    if not o or o.kind ~= "flag" or o.short ~= letter then return nil end
    flags[#flags + 1] = o
  end
  return flags[1] and flags or nil
end

--- Reads a command line.
---@param args string[]
---@param list itlua.cli.option[]
---@param first_only? boolean    stop at the first argument that is no option (what follows belongs to a script)
---@return table? given          long names to values, only what was given
---@return string[]|string rest  the other arguments; or the message that says what is wrong
function options.parse(args, list, first_only)
  local by, names = index(list)
  local given, rest, i, only_rest = {}, {}, 1, false
  local function set(o, value)
    given[o.long] = value
    for _, name in ipairs(o.sets or {}) do given[name] = value end
  end
  while i <= #args do
    local text = args[i]
    i = i + 1
    if only_rest or text == "-" or text:sub(1, 1) ~= "-" then
      rest[#rest + 1] = text
      only_rest = only_rest or first_only
    elseif text == "--" then
      only_rest = true
    else
      local o, negated, value = read(text, by, names)
      local several = not o and letters(text, by)
      if several then
        for _, flag in ipairs(several) do set(flag, true) end
      elseif not o then
        return nil, negated --[[@as string]]
      elseif o.kind == "optional" then
        set(o, value and value ~= "" and value or true)
      elseif o.kind == "flag" then
        if value then return nil, ("--%s takes no value"):format(o.long) end
        set(o, not negated)
      else
        if not value then
          value = args[i]
          i = i + 1
          if not value then return nil, ("%s needs a value: %s"):format(text, o.arg) end
        end
        local v, why = convert[o.kind](value, given[o.long])
        if why then return nil, ("%s: %s, not '%s'"):format(text:match("^[^=]*"), why, value) end
        set(o, v)
      end
    end
  end
  return given, rest
end

--- What was given, as words of a command line again.
---@param given table
---@param skip table<string, boolean>    long names that are left out
---@return string[]
function options.write(given, skip)
  local words = {}
  local covered = {}
  for _, o in ipairs(run) do
    for _, name in ipairs(o.sets or {}) do
      covered[name] = covered[name] or (given[o.long] ~= nil and given[o.long] == given[name])
    end
  end
  for _, o in ipairs(run) do
    local value = given[o.long]
    local name = (#o.long > 1 and "--" or "-") .. o.long
    if value ~= nil and not skip[o.long] and not covered[o.long] then
      for _, item in ipairs(o.kind == "list" and value or { value }) do
        if o.kind == "commas" then item = table.concat(item, ",") end
        if item == false then words[#words + 1] = "--no-" .. o.long
        else words[#words + 1] = item == true and name or ("%s=%s"):format(name, item) end
      end
    end
  end
  return words
end

local expected = {
  flag = "true or false", string = "a string", number = "a number of seconds", integer = "a whole number",
  count = "a whole number above 0", whole = "a whole number, not below 0",
  list = "a string or a list of strings", commas = "a string or a list of strings",
  path = "a string or a list of strings",
}

local function strings(value)
  if type(value) ~= "table" then return nil end
  for _, v in ipairs(value) do
    if type(v) ~= "string" then return nil end
  end
  return true
end

--- A value from a configuration file, as the command line would have given it.
---@param o itlua.cli.option
---@param value any
---@return any value     nil when it has the wrong type
---@return string? what  what it should have been
function options.coerce(o, value)
  local kind = o.kind
  if kind == "flag" then
    if type(value) == "boolean" then return value end
  elseif kind == "list" or kind == "commas" then
    if type(value) == "string" then value = { value } end
    if strings(value) then
      local out = {}
      for _, v in ipairs(value) do convert[kind](v, out) end
      return out
    end
  elseif kind == "path" and strings(value) then
    return table.concat(value, ";")
  elseif kind == "string" or kind == "path" then
    if type(value) == "string" then return value end
  elseif type(value) == "number" or type(value) == "string" then
    local v = convert[kind](value)
    if v then return v end
  end
  return nil, expected[kind]
end

--- The option of that name in a configuration file.
---@param name string
---@return itlua.cli.option?
function options.named(name)
  for _, o in ipairs(run) do
    if o.long == name and o.config ~= false then return o end
  end
end

--- The built-in values.
---@return table
function options.defaults()
  local values = {}
  for _, o in ipairs(run) do
    if o.default ~= nil then values[o.long] = o.default
    elseif o.kind == "list" or o.kind == "commas" then values[o.long] = {} end
  end
  return values
end

-- The help's right column, wrapped.
local function wrap(text, width, indent)
  local lines, line = {}, ""
  for word in text:gmatch("%S+") do
    if #line > 0 and #line + 1 + #word > width then
      lines[#lines + 1], line = line, word
    else
      line = #line > 0 and (line .. " " .. word) or word
    end
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n" .. (" "):rep(indent))
end

--- The options, for a `--help`.
---@param list itlua.cli.option[]
---@return string
function options.describe(list)
  local out, current = {}, nil
  for _, o in ipairs(list) do
    if o.group ~= current then
      current = o.group
      out[#out + 1] = ("\n%s:\n"):format(current)
    end
    local dashes = #o.long > 1 and not o.long:find("^X") and "--" or "-"
    local name = dashes .. (o.negatable and "[no-]" or "") .. o.long
    if o.kind == "optional" then name = name .. "[=" .. o.arg .. "]"
    elseif o.arg then name = name .. (dashes == "--" and "=" or " ") .. o.arg end
    local left = ("  %-3s %s"):format((o.short and o.short ~= o.long) and ("-" .. o.short .. ",") or "", name)
    if #left > 31 then left = left .. "\n" .. (" "):rep(32)
    else left = ("%-32s"):format(left) end
    local help = o.help
    if o.kind == "flag" and o.default then help = help .. " (default: on)" end
    if type(o.default) == "string" then help = help .. " (default: " .. o.default .. ")" end
    if type(o.default) == "table" then help = help .. " (default: " .. table.concat(o.default, ",") .. ")" end
    out[#out + 1] = left .. wrap(help, 68, 32) .. "\n"
  end
  return table.concat(out)
end

return options
