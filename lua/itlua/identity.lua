--- Which process this is, in words that name it for good, on every machine: what it makes elsewhere (containers, databases)
--- carries them, so that it can be told later whether who made it is gone.

local native = require "itlua.container.core"

local identity = {}

local function first_line(path)
  local f = io.open(path)
  local line = f and f:read "l"
  if f then f:close() end
  return line
end

-- When a process began, in ticks since the machine was started; nil where there is none, or only what nobody has asked for
-- yet (a zombie). With the process id it names a process for good.
local function began(pid)
  local stat = first_line("/proc/" .. pid .. "/stat")
  local rest = stat and stat:match "^.*%) (.*)$"
  if not rest or rest:find "^[ZX]" then return nil end
  local n = 2
  for word in rest:gmatch "%S+" do
    n = n + 1
    if n == 22 then return word end
  end
end

local function namespace()
  return (native.readlink "/proc/self/ns/pid" or ""):match "%d+" or "0"
end

local me

--- This process: "<machine>:<boot>:<pid namespace>:<pid>:<start>".
---@return { machine: string, boot: string, space: string, pid: string, start: string, text: string }
function identity.current()
  if me then return me end
  local stat = first_line "/proc/self/stat" or "0"
  local pid = stat:match "^%d+"
  me = {
    machine = (first_line "/etc/machine-id" or first_line "/etc/hostname" or "?"):gsub("[^%w]", ""):sub(1, 16),
    boot = (first_line "/proc/sys/kernel/random/boot_id" or "?"):gsub("[^%w]", ""):sub(1, 16),
    space = namespace(), pid = pid, start = began(pid) or "0",
  }
  me.text = table.concat({ me.machine, me.boot, me.space, me.pid, me.start }, ":")
  return me
end

--- Whether the process that made something is certainly gone: one of this boot and pid namespace that runs no more, or
--- one of this machine before it was started again.
---@param text string
---@return boolean
function identity.gone(text)
  local machine, boot, space, pid, start = tostring(text):match "^([^:]*):([^:]*):([^:]*):([^:]*):([^:]*)$"
  local own = identity.current()
  if machine ~= own.machine then return false end
  if boot ~= own.boot then return true end
  if space ~= own.space then return false end
  return began(pid) ~= start
end

return identity
