--- itlua help [COMMAND]

local nearest = require "itlua.cli.nearest"

local help = {}

local summary = [[
Usage: itlua [options] [paths...]

Commands:
  itlua [run] [options] [paths...]  run specs (default: specs/, else spec/)
  itlua exec FILE [arguments...]    run a Lua script on the same runtime
  itlua list [options] [paths...]   name the tests that would run
  itlua repl [options]              explore live services, line by line
  itlua services up|down|status|logs  keep what a run needs running between runs
  itlua report FILE...              recorded events to any report
  itlua doctor                      what this machine offers to tests
  itlua version                     the versions of itlua and its libraries
  itlua help COMMAND                what a command takes
]]

help.help = summary

---@param args string[]
---@return integer exit_code
function help.run(args)
  local cli = require "itlua.cli"
  local name = args[1]
  if not name then
    io.stdout:write(summary)
    return 0
  end
  for _, known in ipairs(cli.commands) do
    if known == name then
      local text = require("itlua.cli." .. name).help
      io.stdout:write(type(text) == "function" and text() or text)
      return 0
    end
  end
  return cli.refuse(("help: there is no command '%s'%s"):format(name, nearest.hint(name, cli.commands)))
end

return help
