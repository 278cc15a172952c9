--- The command line: `main` takes the program's arguments and returns its exit code.
--
-- 0 all passed; 1 failures, errors, or nothing was run; 2 usage or configuration error; 3 interrupted.

local commands = require "itlua.cli.commands"
local nearest = require "itlua.cli.nearest"

local cli = {}

--- Says what is wrong with the command line or a configuration file.
---@param message string
---@return integer exit_code    2
function cli.refuse(message)
  io.stdout:flush()
  io.stderr:write("itlua: ", message, "\n")
  return 2
end

--- The command that was probably meant by a path that does not exist.
---@param word string
---@return string hint
function cli.command_hint(word) return nearest.hint(word, commands.names(), "the command '%s'") end

--- Whether --help stands among the arguments of a command, in front of what belongs to a script.
---@param args string[]
---@return boolean
local function asks_for_help(args)
  for _, text in ipairs(args) do
    if text == "--" then return false end
    if text == "--help" or text == "-h" then return true end
  end
  return false
end

---@param args string[]    args[0] is the program
---@return integer exit_code
function cli.main(args)
  if args[1] == "--reaper" then return require("itlua.cli.reap").run() end -- ours alone
  local name = args[1]
  local rest = { table.unpack(args, 2) }
  if name == "--version" then name = "version" end
  if not commands.named(name) then
    name, rest = "run", { table.unpack(args) }
  end
  if name ~= "exec" and asks_for_help(rest) then
    io.stdout:write(commands.help(name))
    return 0
  end
  return commands.load(name).run(rest, args)
end

return cli
