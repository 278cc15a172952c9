--- The modules that busted's output handlers are written against, for custom handlers on a machine without busted:
-- `busted` and its handlers always (they have to speak to this bridge), `pl.pretty`, `term`, `term.colors`,
-- `cliargs`, `say` and `luassert` only where none is installed.

local busted_base = require "itlua.report.busted_base"
local language = require "itlua.language"
local paint = require "itlua.report.paint"

local busted_modules = {}

-- Values as Penlight's pretty.write prints them, as far as failures need it.
local function pretty_write(value, indent)
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) ~= "table" then return tostring(value) end
  indent = indent or ""
  local inner, lines = indent .. "  ", {}
  for _, item in ipairs(value) do lines[#lines + 1] = inner .. pretty_write(item, inner) end
  local keys = {}
  for key in pairs(value) do
    if math.type(key) ~= "integer" or key < 1 or key > #value then keys[#keys + 1] = key end
  end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(keys) do
    local name = type(key) == "string" and key:find "^[%a_][%w_]*$" and key or "[" .. pretty_write(key, inner) .. "]"
    lines[#lines + 1] = inner .. name .. " = " .. pretty_write(value[key], inner)
  end
  if #lines == 0 then return "{}" end
  return "{\n" .. table.concat(lines, ",\n") .. "\n" .. indent .. "}"
end

local function colours()
  local p = paint.new(true)
  return setmetatable({}, { __index = function(_, colour) return function(text) return p(colour, text) end end })
end

-- The little of cliargs that handlers use: flags of their own in -Xoutput.
local function cliargs()
  local cli = { name = "", flags = {}, printer = { generate_help_and_usage = function() return "" end } }
  function cli.set_name(self, name) self.name = name end
  function cli.flag(self, flag) self.flags[flag:match "%-%-?(%w+)$" or flag] = true end
  function cli.parse(self, args)
    local values = {}
    for _, arg in ipairs(args or {}) do
      local name = arg:match "^%-%-?(%w+)$"
      if not name or not self.flags[name] then return nil, "unknown/bad option: " .. arg end
      values[name] = true
    end
    return values
  end
  return cli
end

local substitutes = {
  ["pl.pretty"] = function() return { write = pretty_write } end,
  ["term.colors"] = colours,
  term = function(tty) return { isatty = function() return tty or false end, colors = colours() } end,
  cliargs = cliargs,
  say = function() return require "say" end,
  luassert = function() return require "luassert" end,
}

local function installed(package, name)
  return package.loaded[name] or package.preload[name] or package.searchpath(name, package.path)
    or package.searchpath(name, package.cpath)
end

local built_in = { "plainTerminal", "utfTerminal", "TAP", "json", "junit", "gtest", "sound" }

--- Puts the modules into the user's `package`.
---@param package table      the user's package library
---@param busted table       the object for require "busted"
---@param native fun(kind: string, options: table)   adds a built-in reporter to the run
---@param opts table
function busted_modules.install(package, busted, native, opts)
  local loaded, preload = package.loaded, package.preload
  for name, make in pairs(substitutes) do
    if not installed(package, name) then
      preload[name] = function() return make(opts.tty) end
    end
  end
  local function select_language(code)
    local ok, say = pcall(opts.require, "say")
    if ok then language.install(say, code) end
  end
  loaded.busted = busted
  local base = busted_base.factory(busted, select_language)
  loaded["busted.outputHandlers.base"] = base
  for _, kind in ipairs(built_in) do
    loaded["busted.outputHandlers." .. kind] = function(options)
      native(kind, options)
      return base()
    end
  end
  for _, code in ipairs(language.codes()) do
    loaded["busted.languages." .. code] = {
      failure_messages = { language.texts(code).failure }, success_messages = { language.texts(code).success },
    }
  end
end

return busted_modules
