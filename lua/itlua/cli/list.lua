--- itlua list [options] [paths…]: names the tests that would run.

local options = require "itlua.cli.options"
local run = require "itlua.cli.run"

local list = {}

---@return string
function list.help()
  return [[
Usage: itlua list [options] [paths...]

Names the tests that `itlua run` with the same arguments would run, a line each:
  file:line: full name
]] .. options.describe(options.run)
end

---@param args string[]
---@param all string[]
---@return integer exit_code
function list.run(args, all) return run.run(args, all, { list = true }) end

return list
