--- What a spec or a helper gets when it requires busted's modules, luassert's or say: ours, the same instances that
-- run it.

local core = require "itlua.core"
local environment = require "itlua.spec.environment"
local mediator = require "itlua.mediator"
local shuffle = require "itlua.spec.shuffle"

local compat = {}

local globals = core.globals()
local loaded = package.loaded

-- Like a part of ours that is loaded when it is first called.
local function later(name, key)
  return function(...) return require(name)[key](...) end
end

local function split(text, separator)
  local parts, from = {}, 1
  if separator == nil or separator == "" then
    for word in text:gmatch("%S+") do parts[#parts + 1] = word end
    return parts
  end
  while true do
    local first, last = text:find(separator, from)
    if not first then break end
    parts[#parts + 1] = text:sub(from, first - 1)
    from = last + 1
  end
  local rest = text:sub(from)
  if rest ~= "" or #parts > 0 then parts[#parts + 1] = rest end
  return parts
end

local function copy_interpreter_args(arguments)
  local line = rawget(globals, "arg")
  local i = 0
  while arguments and line and line[i] do
    arguments[i] = line[i]
    i = i - 1
  end
end

local function execute(command)
  local ok, what, code = os.execute(command)
  if what == "exit" or what == nil then return ok and true or false, code end
  return false, code
end

-- getfenv and setfenv take a function or a level, 1 being the caller.
local function target(of)
  return type(of) == "function" and of or debug.getinfo(of + 2, "f").func
end

local function busted_modules(busted, suite)
  local WHITE_BOX = "itlua.spec.compat.core"
  return {
    ["busted"] = busted,
    ["busted.init"] = busted,
    ["busted.runner"] = function() return function() end end,
    ["busted.options"] = { standalone = false },
    ["busted.status"] = suite.status,
    ["busted.fixtures"] = setmetatable({}, {
      __index = function(_, key) return require("itlua.spec.compat.fixtures")[key] end,
    }),
    ["busted.utils"] = {
      split = split, shuffle = shuffle.shuffle, urandom = shuffle.seed, copy_interpreter_args = copy_interpreter_args,
    },
    ["busted.compatibility"] = {
      loadstring = load, unpack = table.unpack, execute = execute,
      getfenv = function(of) return environment.get(target(of)) end,
      setfenv = function(of, env) return environment.set(target(of), env) end,
      exit = function(code) return globals.os.exit(code ~= 0 and 1 or 0, true) end,
    },
    ["busted.core"] = later(WHITE_BOX, "new"),
    ["busted.block"] = later(WHITE_BOX, "block"),
    ["busted.context"] = later(WHITE_BOX, "context"),
    ["busted.environment"] = later(WHITE_BOX, "environment"),
    ["busted.execute"] = later(WHITE_BOX, "execute"),
    ["busted.outputHandlers.base"] = function()
      local base = require("itlua.report.busted_base").factory(busted, compat.speak)
      return base()
    end,
  }
end

local luassert_modules = {
  "luassert", "luassert.assert", "luassert.util", "luassert.state", "luassert.namespaces", "luassert.assertions",
  "luassert.modifiers", "luassert.array", "luassert.spy", "luassert.stub", "luassert.mock", "luassert.match",
  "luassert.matchers", "luassert.matchers.core", "luassert.matchers.composite", "luassert.formatters",
  "luassert.languages.en", "say",
}

-- The `busted` table: what is exported, read-only. Calling it with a white-box instance gives that its words.
local function api_of(suite)
  local busted = {}
  return setmetatable(busted, {
    __index = function(_, key) return suite.api[key] end,
    __newindex = function() error("Attempt to modify busted") end,
    __call = function(_, other) return require("itlua.spec.compat.core").init(busted, other) end,
  })
end

--- Selects the language of busted's texts, and of what specs give to `say` from now on.
---@param code? string
function compat.speak(code)
  require("itlua.language").install(require "say", code)
end

-- `require "busted.languages.de"` selects the language and gives what busted's handlers say at the end.
local function language_of(name)
  local code = name:match("^busted%.languages%.(.+)$")
  local language = code and require "itlua.language"
  if not language or not language.known(code) then return nil end
  compat.speak(code)
  local texts = language.texts(code)
  return { failure_messages = { texts.failure }, success_messages = { texts.success } }
end

-- The last of the user's searchers: what a project's path does not have, the program has.
local function bundled(modules)
  return function(name)
    local module = modules[name]
    if module == nil then module = language_of(name) end
    if module == nil and name:find("^luassert%.") then
      local ok, found = pcall(require, name)
      if ok then module = found end
    end
    if module == nil then return nil end
    return function() return module end, ":itlua:"
  end
end

--- Makes the modules available to the user's require.
---@param suite itlua.spec.suite
function compat.install(suite)
  local modules = busted_modules(api_of(suite), suite)
  for _, name in ipairs(luassert_modules) do modules[name] = require(name) end
  for name, module in pairs(modules) do loaded[name] = module end
  modules["mediator"] = mediator
  local searchers = rawget(globals, "package").searchers
  searchers[#searchers + 1] = bundled(modules)
end

return compat
