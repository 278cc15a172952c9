--- What one sees first: which itlua, what there is to talk to, what may be done.

local mask = require "itlua.mask"
local show = require "itlua.show"
local system = require "itlua.cli.core"
local text = require "itlua.report.text"

local banner = {}

local function state_of(talk, name)
  local reach = require "itlua.services.reach"
  local made = talk.world.made[name]
  if not reach.is(made) then return nil end
  local _, state = reach.peek(made)
  local service = rawget(made, "service")
  local known = service and rawget(service, "known")
  return state or known and known.state, known
end

local function line(talk, width, name, what, state, url)
  local p = talk.view.paint
  local mark = state and p("green", "●") or p("dim", "○")
  local shown = ("  %s %s  %s"):format(mark, p("cyan", text.pad(name, width)), what)
  if url then shown = shown .. "  " .. p("dim", mask.text(url)) end
  if state then shown = shown .. "  " .. p("dim", state) end
  return shown
end

local function width_of(names)
  local width = 0
  for _, name in ipairs(names) do width = math.max(width, #name) end
  return width
end

--- A line for each service and connection.
---@param talk itlua.repl.Talk
---@return string[]
function banner.services(talk)
  local world, lines = talk.world, {}
  local names, urls = show.keys(world.services or {}), show.keys(world.connections)
  local width = math.max(width_of(names), width_of(urls))
  for _, name in ipairs(names) do
    if not world.connections[name] then
      local state, known = state_of(talk, name)
      local url = known and known.fields and known.fields.url
      lines[#lines + 1] = line(talk, width, name, known and known.title or world.services[name].kind, state, url)
    end
  end
  for _, name in ipairs(urls) do
    local state = state_of(talk, name)
    local scheme, rest = world.connections[name]:match "^([^:]+)://(.*)$"
    lines[#lines + 1] = line(talk, width, name, scheme, state, mask.text(scheme .. "://" .. rest))
  end
  return lines
end

--- Says it all.
---@param talk itlua.repl.Talk
---@param settings table
function banner.say(talk, settings)
  local p = talk.view.paint
  talk:say(("%s %s"):format(p("bright", "itlua"), p("dim", ("%s · Lua %s · :help · Tab completes · Ctrl-D ends"):format(
    system.version, system.lua))))
  if settings.profile then
    local may = talk.read_only and p("yellow", "read-only") .. p("dim", ": --write allows changes")
      or settings.read_only and p("red", "changes allowed (--write)") or p("dim", "changes allowed")
    talk:say(("profile %s  %s"):format(p("bright", settings.profile), may))
  end
  local lines = banner.services(talk)
  for _, one in ipairs(lines) do talk:say(one) end
  if #lines > 0 and talk.world.services then
    talk:say(p("dim", "  services start when they are first used: " .. show.keys(talk.world.services)[1] .. ".url, :services"))
  end
end

return banner
