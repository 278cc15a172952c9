--- What runs before the first file: module paths, statements of -e, the helper script, coverage.

local core = require "itlua.core"

local helper = {}

local globals = core.globals()

local LPATH = "./src/?.lua;./src/?/?.lua;./src/?/init.lua"
local CPATH = "./csrc/?.so;./csrc/?/?.so;"

--- Loads moonscript where it is installed, as busted does: from then on `require` finds .moon modules, on the path as
-- it is before --lpath.
function helper.load_moonscript()
  local package = rawget(globals, "package")
  if package.searchpath("moonscript", package.path) then pcall(core.user_require, "moonscript") end
end

--- Puts --lpath and --cpath, or what busted has for them, in front of the user's module paths.
---@param options { lpath?: string, cpath?: string }
function helper.add_paths(options)
  local package = rawget(globals, "package")
  local function prefix(key, path)
    if path ~= "" then package[key] = (path .. ";" .. package[key]):gsub(";;", ";") end
  end
  prefix("path", options.lpath or LPATH)
  prefix("cpath", options.cpath or CPATH)
end

local function on_path(name)
  for folder in (os.getenv("PATH") or ""):gmatch("[^:]+") do
    local file = io.open(folder .. "/" .. name)
    if file then
      file:close()
      return true
    end
  end
end

--- Gives the specs their `arg`: the command line. Specs that start a Lua of their own look for the interpreter in
-- front of it, where busted has it; so that is found when it is asked for.
---@param line? string[]
function helper.set_arguments(line)
  line = line or rawget(globals, "arg") or {}
  if line[-1] == nil and getmetatable(line) == nil then
    setmetatable(line, {
      __index = function(_, key)
        if key ~= -1 then return nil end
        local name = on_path("lua5.4") and "lua5.4" or "lua"
        rawset(line, key, name)
        return name
      end,
    })
  end
  rawset(globals, "arg", line)
end

--- Runs the statements of -e.
---@param statements? string[]|string
function helper.run_statements(statements)
  if type(statements) == "string" then statements = { statements } end
  for _, statement in ipairs(statements or {}) do
    assert(load(statement, statement, "t", globals))()
  end
end

--- Starts luacov, which must be installed.
---@param config? string     its configuration file
function helper.start_coverage(config)
  local ok, luacov = pcall(core.user_require, "luacov.runner")
  if not ok then error("--coverage needs LuaCov, which is not installed: " .. tostring(luacov):match("^[^\n]*"), 0) end
  luacov(config)
  local exclude = luacov.configuration.exclude
  for _, pattern in ipairs { "busted_bootstrap$", "busted%.", "luassert%.", "say%.", "pl%.", "^itlua:" } do
    table.insert(exclude, pattern)
  end
end

-- The command line that a helper sees: its own arguments, and what stands before the first one.
local function helper_arguments(arguments)
  local arg = {}
  for i, argument in ipairs(arguments or {}) do arg[i] = argument end
  local line = rawget(globals, "arg")
  local i = 0
  while type(line) == "table" and line[i] do
    arg[i] = line[i]
    i = i - 1
  end
  return arg
end

local function load_helper(name)
  if name:find("%.lua$") then return assert(loadfile(name, "bt", globals))() end
  if name:find("%.moon$") then return core.user_require("moonscript").dofile(name) end
  return core.user_require(name)
end

--- Runs the helper. It may return a function, which gets the `busted` object and must return true.
---@param name string          a .lua file, or a module
---@param options table        verbose, lang, Xhelper
---@param busted fun(): table  makes the object when it is needed
---@return boolean ok
---@return any problem
---@return string? traceback
function helper.run(name, options, busted)
  local line = rawget(globals, "arg")
  local arguments = helper_arguments(options.Xhelper)
  rawset(globals, "arg", arguments)
  local traceback
  local ok, problem = xpcall(function()
    local fn = load_helper(name)
    if type(fn) ~= "function" then return end
    local about = { verbose = options.verbose, language = options.lang, arguments = arguments }
    local result, why = fn(busted(), name, about)
    if not result then error(why or "assertion failed!", 0) end
  end, function(raised)
    traceback = core.traceback("", 2)
    return raised
  end)
  rawset(globals, "arg", line)
  return ok, problem, traceback
end

return helper
