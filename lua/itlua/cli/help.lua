--- itlua help [COMMAND]

local commands = require "itlua.cli.commands"
local nearest = require "itlua.cli.nearest"

local help = {}

local WIDTH = 36

---@return string
function help.help()
  local lines = { "Usage: itlua [options] [paths...]", "", "Commands:" }
  for _, command in ipairs(commands.list) do
    local name = command.name == "run" and "[run]" or command.name
    local left = ("  itlua %s %s"):format(name, command.args):gsub("%s+$", "")
    lines[#lines + 1] = left .. (" "):rep(math.max(2, WIDTH - #left)) .. command.says
  end
  return table.concat(lines, "\n") .. "\n"
end

---@param args string[]
---@return integer exit_code
function help.run(args)
  local name = args[1]
  if not name then
    io.stdout:write(help.help())
    return 0
  end
  if commands.named(name) then
    io.stdout:write(commands.help(name))
    return 0
  end
  local hint = nearest.hint(name, commands.names())
  return require("itlua.cli").refuse(("help: there is no command '%s'%s"):format(name, hint))
end

return help
