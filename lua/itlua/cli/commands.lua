--- The commands of the command line: one table that `itlua help`, the completion of shells and the manual page share.
--- Each is a module of this folder with `run(args, all) -> exit code` and `help`.

local commands = {}

---@class itlua.cli.command
---@field name string
---@field args string          what it takes, for the help
---@field says string
---@field module? string       its module in this folder, where that has another name
---@field options? itlua.cli.option[]|fun(): itlua.cli.option[]
---@field words? string[]|fun(): string[]     what its first argument may be
---@field takes? "specs"|"files"              what else its arguments are

local function options_of(module, field)
  return function() return require("itlua.cli." .. module)[field or "options"] end
end

---@type itlua.cli.command[]
commands.list = {
  { name = "run", args = "[options] [paths...]", says = "run specs (default: specs/, else spec/)", takes = "specs",
    options = options_of("options", "run") },
  { name = "exec", args = "FILE [arguments...]", says = "run a Lua script on the same runtime", takes = "files" },
  { name = "list", args = "[options] [paths...]", says = "name the tests that would run", takes = "specs",
    options = options_of("options", "run") },
  { name = "repl", args = "[options]", says = "explore live services, line by line", options = options_of("repl") },
  { name = "services", args = "up|down|status|logs", says = "keep what a run needs running between runs",
    words = { "up", "down", "status", "logs" } },
  { name = "report", args = "FILE...", says = "recorded events to any report", takes = "files",
    options = options_of("report") },
  { name = "init", args = "[options]", says = "begin a project: settings, a first spec, CI", module = "scaffold",
    options = options_of("scaffold") },
  { name = "doctor", args = "", says = "what this machine offers to tests" },
  { name = "completion", args = "bash|zsh|fish", says = "the completion of a shell", words = { "bash", "zsh", "fish" } },
  { name = "man", args = "", says = "this manual, as a page for man(1)" },
  { name = "version", args = "", says = "the versions of itlua and its libraries" },
  { name = "help", args = "COMMAND", says = "what a command takes", words = function() return commands.names() end },
}

--- The names of all commands.
---@return string[]
function commands.names()
  local names = {}
  for i, command in ipairs(commands.list) do names[i] = command.name end
  return names
end

---@param name? string
---@return itlua.cli.command?
function commands.named(name)
  for _, command in ipairs(commands.list) do
    if command.name == name then return command end
  end
end

--- The module of a command.
---@param name string
---@return table
function commands.load(name)
  local command = commands.named(name)
  return require("itlua.cli." .. (command and command.module or name))
end

--- What a command's help says.
---@param name string
---@return string
function commands.help(name)
  local help = commands.load(name).help
  return type(help) == "function" and help() or help
end

local function value(given)
  if type(given) == "function" then return given() end
  return given or {}
end

---@param command itlua.cli.command
---@return itlua.cli.option[]
function commands.options(command) return value(command.options) end

---@param command itlua.cli.command
---@return string[]
function commands.words(command) return value(command.words) end

return commands
