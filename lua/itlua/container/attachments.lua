--- Methods of a container: its networks, and what it uses.

local core = require "itlua.core"

---@class itlua.container.Container   more of it is in handle.lua
local Container = {}

-- ---- networks

local function name_of(network)
  if type(network) == "table" then return network.name end
  if type(network) ~= "string" then core.usage "this needs a network, or its name" end
  return network
end

--- Cuts it off from a network, or from all of them; its processes go on.
---@param network? string|table
function Container:disconnect(network)
  local settings = self:inspect().NetworkSettings.Networks
  local names = {}
  if network then
    names[1] = name_of(network)
  else
    for name in pairs(settings) do names[#names + 1] = name end
  end
  self._cut = self._cut or {}
  for _, name in ipairs(names) do
    self:_on_network(name, "disconnect", "cut off from " .. name, { Force = true })
    self._cut[name] = settings[name] or {}
  end
  self._info = nil
end

--- Connects it to a network; without one, to those that disconnect has cut it off from, under the names it had.
---@param network? string|table
---@param options? { aliases?: string[] }
function Container:connect(network, options)
  local wanted = {}
  if network then
    local name = name_of(network)
    wanted[name] = options and options.aliases or (self._cut and self._cut[name] or {}).Aliases
  else
    for name, settings in pairs(self._cut or {}) do
      wanted[name] = type(settings.Aliases) == "table" and settings.Aliases or false
    end
    if not next(wanted) then core.usage(("%s: connect to which network?"):format(self:label())) end
  end
  if network and wanted[name_of(network)] == nil then wanted[name_of(network)] = false end
  for name, aliases in pairs(wanted) do
    local endpoint = type(aliases) == "table" and { Aliases = aliases } or nil
    self:_on_network(name, "connect", "connect to " .. name, { EndpointConfig = endpoint })
    if self._cut then self._cut[name] = nil end
  end
  self._info = nil
end

function Container:_on_network(name, verb, what, body)
  local span = core.span("container", ("%s %s"):format(what, self:label()))
  body.Container = self.id
  local ok, err = pcall(self.engine.call, self.engine, "POST", ("/networks/%s/%s"):format(name, verb),
    ("%s: %s"):format(self:label(), what), { json = body })
  core.span_end(span)
  if not ok then error(err, 0) end
end

-- ---- figures

--- What it uses. It takes the engine a second or two to measure the processor.
---@return { cpu: number, memory: integer, memory_limit: integer, processes: integer, received: integer, sent: integer }
---cpu: how many processors are kept busy; bytes
function Container:stats()
  local s = self.engine:ask("GET", self:_path("/stats"), self:label() .. ": stats", { query = { stream = false } })
  local cpu, before = s.cpu_stats or {}, s.precpu_stats or {}
  local used = (cpu.cpu_usage or {}).total_usage or 0
  local whole = (cpu.system_cpu_usage or 0) - (before.system_cpu_usage or 0)
  local memory = s.memory_stats or {}
  local cache = (memory.stats or {}).inactive_file or (memory.stats or {}).total_inactive_file or 0
  local received, sent = 0, 0
  for _, interface in pairs(type(s.networks) == "table" and s.networks or {}) do
    received, sent = received + interface.rx_bytes, sent + interface.tx_bytes
  end
  return {
    cpu = whole > 0 and (used - ((before.cpu_usage or {}).total_usage or 0)) / whole * (cpu.online_cpus or 1) or 0,
    memory = (memory.usage or 0) - cache, memory_limit = memory.limit or 0,
    processes = (s.pids_stats or {}).current or 0, received = received, sent = sent,
  }
end


return Container
