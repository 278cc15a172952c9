--- itlua services up|down|status|logs: keeps the services of itlua.lua running between runs.

local config = require "itlua.cli.config"
local core = require "itlua.core"
local mask = require "itlua.mask"
local nearest = require "itlua.cli.nearest"
local show = require "itlua.show"
local system = require "itlua.cli.core"

local services = {}

services.help = [[
Usage: itlua services up [NAME...]      start them, with what they need, and leave them running
       itlua services down              end what was left running
       itlua services status            what runs, and where
       itlua services logs NAME [-n N]  what one has printed (the last N lines)

The services are those of itlua.lua in this folder. A run that finds them running
uses them as they are. Exit code: 0; 1 a service did not get ready, or nothing
runs; 2 wrong usage or settings.
]]

local function refuse(message) return require("itlua.cli").refuse(message) end

local function link() return require "itlua.services.link" end

local hide = mask.text -- with the secrets of itlua.lua, once that is read

local function load_plan()
  local settings, wrong = config.load({}, {})
  if not settings then return nil, wrong end
  hide = mask.of(settings.secrets)
  if not settings.services then
    return nil, settings.project and "itlua.lua declares no services" or "there is no itlua.lua here"
  end
  return settings.services, nil, settings.guard
end

-- ---- output

local function line_of(one)
  local text = ("  %-10s %-8s %s"):format(one.name, one.state, one.title)
  if one.fields and one.fields.url then text = text .. "  " .. one.fields.url end
  if one.pid then text = text .. ("  pid %d"):format(one.pid) end
  if one.seconds then text = text .. ("  (%.2f s)"):format(one.seconds) end
  return hide(text)
end

local function print_status(answer)
  for _, one in ipairs(answer.services) do print(line_of(one)) end
end

-- ---- commands

local commands = {}

local function names_of(args, plan)
  if #args == 0 then return show.keys(plan) end
  for _, name in ipairs(args) do
    if not plan[name] then
      return nil, ("there is no service '%s' in itlua.lua%s"):format(name, nearest.hint(name, show.keys(plan)))
    end
  end
  return args
end

function commands.up(args)
  local plan, wrong, guard = load_plan()
  if not plan then return refuse(wrong) end
  local names
  names, wrong = names_of(args, plan)
  if not names then return refuse(wrong) end
  local socket, fingerprint = link().kept()
  if socket and fingerprint ~= link().fingerprint(plan) then
    return refuse "services of an earlier itlua.lua are running: itlua services down"
  end
  local host = link().to(socket or link().keep(plan, guard))
  local failed = false
  local tasks = {}
  for i, name in ipairs(names) do
    tasks[i] = core.spawn(function()
      local ok, err = pcall(host.ask, host, "GET", "/services/" .. name)
      return ok or err
    end)
  end
  for _, task in ipairs(tasks) do
    local _, result = core.join(task)
    if result ~= true then
      failed = true
      io.stderr:write("✗ ", core.is_error(result) and result.message or tostring(result), "\n")
    end
  end
  local ok, answer = pcall(host.ask, host, "GET", "/services")
  if ok then print_status(answer) end
  return (failed or not ok) and 1 or 0
end

-- Whether the process has not ended; one that nobody has asked for yet (a zombie) has.
local function lives(pid)
  local f = io.open(("/proc/%s/stat"):format(pid))
  local text = f and f:read "a"
  if f then f:close() end
  return text and not text:find "^%d+ %(.*%) [ZX]"
end

function commands.down()
  local socket = link().kept()
  if not socket then
    print "no services were left running"
    return 0
  end
  local host = link().to(socket)
  local pid = host:ask("GET", "/services").pid
  host:ask("POST", "/stop")
  local deadline = core.now() + 70 -- the compose tool takes its time
  while system.connects(socket) and core.now() < deadline do core.sleep(0.02) end
  while lives(pid) and core.now() < deadline do core.sleep(0.02) end
  require("itlua.fs").remove(link().kept_folder(), { recursive = true, force = true })
  return 0
end

function commands.status()
  local socket, fingerprint = link().kept()
  if not socket then
    print "no services were left running"
    return 1
  end
  print_status(link().to(socket):ask("GET", "/services"))
  local plan = load_plan()
  if plan and fingerprint ~= link().fingerprint(plan) then
    print "itlua.lua, or itlua itself, has changed since: runs do not use these"
  end
  return 0
end

function commands.logs(args)
  local name, last
  local i = 1
  while args[i] do
    if args[i] == "-n" then
      last = math.tointeger(tonumber(args[i + 1]))
      if not last then return refuse "logs: -n needs a number" end
      i = i + 1
    else
      name = args[i]
    end
    i = i + 1
  end
  if not name then return refuse "logs: of which service?" end
  local socket = link().kept()
  if not socket then
    print "no services were left running"
    return 1
  end
  local ok, text = pcall(link().to(socket).ask, link().to(socket), "GET",
    ("/services/%s/logs%s"):format(name, last and "?last=" .. last or ""))
  if not ok then return refuse(core.is_error(text) and text.message or tostring(text)) end
  hide = mask.of(config.secrets())
  io.stdout:write(hide(text), text ~= "" and "\n" or "")
  return 0
end

-- The host itself; the plan is on its stdin.
function commands.host()
  local given = require("itlua.json").decode(io.read "a")
  require("itlua.services.host").run(given)
  return 0
end

-- A broker for services of kind "kafka".
function commands.broker()
  require("itlua.services.kafka.mock").run()
  return 0
end

---@param args string[]
---@return integer exit_code
function services.run(args)
  local command = commands[args[1] or ""]
  if not command then
    local names = { "up", "down", "status", "logs" }
    if not args[1] then return refuse "services: up, down, status or logs? (itlua services --help)" end
    return refuse(("services: there is no '%s'%s"):format(args[1], nearest.hint(args[1], names)))
  end
  return command({ table.unpack(args, 2) })
end

return services
