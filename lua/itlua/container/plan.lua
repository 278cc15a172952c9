--- From the options of container.run to the body of the engine's create request: checked, with our defaults.

local core = require "itlua.core"
local fs = require "itlua.fs"
local json = require "itlua.json"
local show = require "itlua.show"

local plan = {}

---@class itlua.container.RunOptions
---@field image string              "redis:7-alpine"
---@field name? string              a name of its own; else one is made up
---@field env? table<string, string|number|boolean>
---@field ports? (integer|string)[]|false   of the container: 6379, "53/udp"; each is published on a free port of
---127.0.0.1. "8080:80" asks for one. Without it, what the image exposes; false: none
---@field command? string[]|string  a string is given to /bin/sh -c
---@field entrypoint? string[]|string|false   false: none
---@field files? table<string, string|table>  by path in the container: the content, or {content=|source=, mode=, uid=,
---gid=}; `source` may be a folder
---@field mounts? (string|table)[]  "/host:/inside:ro", {source=path or volume, target=, readonly=}
---@field tmpfs? string[]|table<string, string>   paths in memory; {["/data"] = "size=64m"}
---@field network? string|table     a network's name or handle; "host", "none"
---@field aliases? string[]         names in that network
---@field labels? table<string, string>
---@field user? string
---@field workdir? string
---@field hostname? string
---@field privileged? boolean
---@field read_only? boolean        its file system
---@field init? boolean             a small init as its first process
---@field tty? boolean
---@field memory? integer|string    bytes, "256m"
---@field shm_size? integer|string
---@field cpus? number              1.5
---@field cap_add? string[]
---@field extra_hosts? string[]     "host.docker.internal:host-gateway"
---@field platform? string          "linux/arm64"
---@field health? table|false       {command=, interval=, timeout=, retries=, start_period=}; false: none
---@field wait? table               a condition of container.wait; by default healthy where there is a health check,
---else the published TCP ports
---@field startup_timeout? number   seconds for the condition, 60
---@field stop_timeout? number      seconds from the stop signal to the kill
---@field reuse? boolean            leave it running for later runs that ask for the same
---@field cache? boolean            a database: initialise it once, and start from its kept state from then on
---@field guard? boolean|"end"     what the engine does to it when this whole tree of processes is killed at once, the reaper
---too (a CI job's container): true: removes it, and also as soon as it ends for another reason; "end": ends it; false:
---nothing. Without: what itlua.lua says, else "end" where this program runs in a container of the same engine
---@field pull? "missing"|"always"|"never"   "missing"
---@field auth? { username: string, password: string }   of the registry, instead of the Docker configuration's

local KNOWN = {
  image = "string", name = "string", env = "table", ports = "table boolean", command = "table string",
  entrypoint = "table string boolean", files = "table", mounts = "table", tmpfs = "table", network = "string table",
  aliases = "table", labels = "table", user = "string number", workdir = "string", hostname = "string",
  privileged = "boolean", read_only = "boolean", init = "boolean", tty = "boolean", memory = "number string",
  shm_size = "number string", cpus = "number", cap_add = "table", extra_hosts = "table", platform = "string",
  health = "table boolean", wait = "table", startup_timeout = "number", stop_timeout = "number", reuse = "boolean",
  pull = "string", auth = "table", cache = "boolean", guard = "boolean string",
}

local function usage(...)
  core.usage(string.format(...))
end

--- Refuses what is unknown or of another type.
---@param options any
---@param known table<string, string>   by name: the types, with blanks between
---@param what string
function plan.check(options, known, what)
  if type(options) ~= "table" then usage("%s needs a table of options, not a %s", what, type(options)) end
  for name, value in pairs(options) do
    local types = known[name]
    if not types then
      usage("%s: unknown option '%s' (there is %s)", what, tostring(name), table.concat(show.keys(known), ", "))
    end
    if not (" " .. types .. " "):find(" " .. type(value) .. " ", 1, true) then
      usage("%s: option '%s' must be a %s, not a %s", what, name, types:gsub(" ", " or a "), type(value))
    end
  end
end

local UNITS = { [""] = 1, b = 1, k = 1 << 10, m = 1 << 20, g = 1 << 30 }

local function bytes(value, name)
  if value == nil then return nil end
  if math.type(value) == "integer" and value > 0 then return value end
  local digits, unit = tostring(value):lower():match "^(%d+)([bkmg]?)b?$"
  if not digits then usage("option '%s': '%s' is no size (\"256m\", or bytes)", name, tostring(value)) end
  return tonumber(digits) * UNITS[unit]
end

local function words(value, name)
  if type(value) == "string" then return { "/bin/sh", "-c", value } end
  local list = json.array {}
  for i, word in ipairs(value) do
    if type(word) ~= "string" and type(word) ~= "number" then
      usage("option '%s': word %d is a %s, not a string", name, i, type(word))
    end
    list[i] = tostring(word)
  end
  return list
end
plan.words = words

--- NAME=value lines, sorted.
function plan.environment(env)
  local list = json.array {}
  for name, value in pairs(env or {}) do
    if type(name) ~= "string" or name == "" or name:find "[=\0]" then
      usage("option 'env': '%s' is no name for an environment variable", tostring(name))
    end
    if type(value) == "table" then usage("option 'env': %s is a table, not a string", name) end
    list[#list + 1] = value == false and name or ("%s=%s"):format(name, tostring(value))
  end
  table.sort(list)
  return list
end

-- ---- ports

---@class itlua.container.Port
---@field key string      "6379/tcp"
---@field host string     the port asked for, "" for any
---@field ip string?      the address asked for

--- What an entry of `ports` says.
---@return itlua.container.Port
function plan.port(value)
  local rest, protocol = tostring(value):match "^(.-)/(%a+)$"
  rest, protocol = rest or tostring(value), protocol or "tcp"
  local ip, host, inside = rest:match "^([%d.]+):(%d*):(%d+)$"
  if not inside then host, inside = rest:match "^(%d*):(%d+)$" end
  inside = inside or rest:match "^(%d+)$"
  local n = tonumber(inside)
  if not n or n < 1 or n > 65535 then usage("option 'ports': '%s' is no port (6379, \"53/udp\", \"8080:80\")",
    tostring(value)) end
  return { key = ("%d/%s"):format(n, protocol), host = host or "", ip = ip }
end

local function published(options, exposed)
  local list = {}
  if options.ports == nil then
    for key in pairs(exposed or {}) do list[#list + 1] = { key = key, host = "" } end
  elseif options.ports then
    for _, value in ipairs(options.ports) do list[#list + 1] = plan.port(value) end
  end
  return list
end

-- ---- mounts

local function mount(value, i)
  if type(value) == "string" then
    local source, target, mode = value:match "^([^:]+):([^:]+):?(%a*)$"
    if not source then usage("option 'mounts': '%s' is not source:target or source:target:ro", value) end
    value = { source = source, target = target, readonly = mode == "ro" }
  end
  local source, target = value.source, value.target
  if type(source) == "table" then source = source.name end
  if type(target) ~= "string" or not target:find "^/" then
    usage("option 'mounts': number %d needs an absolute target", i)
  end
  if type(source) ~= "string" then usage("option 'mounts': number %d needs a source", i) end
  local bind = source:find "^[/.]" ~= nil
  if bind and not fs.exists(source) then
    core.raise("container", "MOUNT", ("option 'mounts': there is no %s to mount at %s"):format(source, target))
  end
  return {
    Type = bind and "bind" or "volume", Source = bind and fs.realpath(source) or source, Target = target,
    ReadOnly = value.readonly or false,
  }
end

local function mounts(options)
  if not options.mounts then return nil end
  local list = json.array {}
  for i, value in ipairs(options.mounts) do list[i] = mount(value, i) end
  return list
end

local function tmpfs(options)
  if not options.tmpfs then return nil end
  local map = {}
  for key, value in pairs(options.tmpfs) do
    if type(key) == "number" then map[value] = "" else map[key] = tostring(value) end
  end
  return map
end

-- ---- health

local HEALTH = { command = "table string", interval = "number", timeout = "number", retries = "number",
  start_period = "number" }

local function nanoseconds(seconds)
  return seconds and math.max(1000000, math.floor(seconds * 1e9)) or nil
end

local function health(given)
  if given == nil then return nil end
  if given == false then return { Test = { "NONE" } } end
  plan.check(given, HEALTH, "option 'health'")
  if not given.command then usage "option 'health' needs a command" end
  local test = { "CMD-SHELL", given.command }
  if type(given.command) == "table" then
    test = words(given.command, "health")
    table.insert(test, 1, "CMD")
  end
  return {
    Test = test, Interval = nanoseconds(given.interval or 0.5), Timeout = nanoseconds(given.timeout or 5),
    Retries = given.retries or 10, StartPeriod = nanoseconds(given.start_period),
  }
end

-- ---- networks

local BUILT_IN = { host = true, none = true, bridge = true, default = true }

local function network(options)
  local name = options.network
  if type(name) == "table" then name = name.name end
  if not name then
    if options.aliases then usage "option 'aliases' needs a network of its own (option 'network')" end
    return nil
  end
  if options.aliases and (BUILT_IN[name] or name:find "^container:") then
    usage("option 'aliases': the network '%s' knows no names", name)
  end
  return name
end

--- Checks the options of container.run.
function plan.check_run(options)
  plan.check(options, KNOWN, "container.run")
  if not options.image or options.image == "" then usage "container.run needs an image" end
  if options.pull and not ({ missing = true, always = true, never = true })[options.pull] then
    usage("option 'pull' is \"missing\", \"always\" or \"never\", not '%s'", options.pull)
  end
  if type(options.guard) == "string" and options.guard ~= "end" then
    usage("option 'guard' is true, false or \"end\", not '%s'", options.guard)
  end
  if options.cpus and options.cpus <= 0 then usage "option 'cpus' must be positive" end
  for _, value in ipairs(options.ports or {}) do plan.port(value) end
  bytes(options.memory, "memory")
end

--- The body of the create request.
---@param options itlua.container.RunOptions
---@param labels table<string, string>
---@param image table        what the engine says of the image
---@return table body
---@return itlua.container.Port[] ports
function plan.create(options, labels, image)
  local exposed = (image.Config or {}).ExposedPorts or {}
  local net = network(options)
  local ports = (net == "host" or net == "none") and {} or published(options, exposed)
  local body = {
    Image = options._image or options.image, Env = plan.environment(options.env), Labels = {}, ExposedPorts = {},
    Tty = options.tty,
    User = options.user and tostring(options.user), WorkingDir = options.workdir, Hostname = options.hostname,
    Healthcheck = health(options.health), StopTimeout = options.stop_timeout and math.ceil(options.stop_timeout),
    HostConfig = {
      PortBindings = {}, Mounts = mounts(options), Tmpfs = tmpfs(options), Privileged = options.privileged,
      ReadonlyRootfs = options.read_only, Init = options.init, Memory = bytes(options.memory, "memory"),
      ShmSize = bytes(options.shm_size, "shm_size"), CapAdd = options.cap_add, ExtraHosts = options.extra_hosts,
      PidMode = options._guard and "container:" .. options._guard.name,
      AutoRemove = options._guard and options._guard.remove or nil,
      NanoCpus = options.cpus and math.floor(options.cpus * 1e9), NetworkMode = net,
    },
  }
  -- More than the limit as swap would let a container that outgrows it live on.
  body.HostConfig.MemorySwap = body.HostConfig.Memory
  for name, value in pairs(options.labels or {}) do body.Labels[name] = tostring(value) end
  for name, value in pairs(labels) do body.Labels[name] = value end
  for _, port in ipairs(ports) do
    body.ExposedPorts[port.key] = json.object {}
    local binding = body.HostConfig.PortBindings[port.key] or json.array {}
    binding[#binding + 1] = { HostIp = port.ip or options._ip or "127.0.0.1", HostPort = port.host }
    body.HostConfig.PortBindings[port.key] = binding
  end
  if options.command then body.Cmd = words(options.command, "command") end
  if options.entrypoint == false then
    body.Entrypoint = { "" }
  elseif type(options.entrypoint) == "string" then
    body.Entrypoint = { options.entrypoint }
  elseif options.entrypoint then
    body.Entrypoint = words(options.entrypoint, "entrypoint")
  end
  if net and not BUILT_IN[net] and not net:find "^container:" then
    body.NetworkingConfig = { EndpointsConfig = { [net] = { Aliases = options.aliases } } }
  end
  return body, ports
end

return plan
