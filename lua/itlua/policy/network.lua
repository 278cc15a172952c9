--- Whom a run may talk to, under a profile with `network = "declared"`: hosts that itlua.lua names in `hosts` or
--- `connections`, its services, published ports of containers, and what listens on this machine as a part of the run: servers
--- of specs, processes that they started. Everything else is refused before a connection is made.
--
-- What a process of the run does by itself is not seen here, nor what an engine pulls.

local core = require "itlua.core"
local mask = require "itlua.mask"
local policy = require "itlua.policy"

local network = {}

local allowed      -- patterns of `hosts`: { host =, port = }
local own          -- "host:port" and "host" of services and containers

local DEFAULT_PORTS <const> = {
  http = 80, https = 443, postgres = 5432, postgresql = 5432, sql = 5432, redis = 6379, rediss = 6379, kafka = 9092,
}

-- ---- names

local function split(text)
  local host, port = text:match "^%[([^%]]*)%]:?(%d*)$"
  if not host then host, port = text:match "^([^:]*):(%d+)$" end
  return (host or text):lower(), tonumber(port)
end

local function joined(host, port)
  if host:find ":" then host = "[" .. host .. "]" end
  return port and ("%s:%d"):format(host, port) or host
end

--- Whether an entry of `hosts` can be one: "api.example", "*.example", "10.0.0.7:8080", "[fd00::7]:80".
---@param entry any
---@return boolean
function network.is_pattern(entry)
  return type(entry) == "string" and entry ~= "" and not entry:find "[/@%s,]"
end

local function is_loopback(host)
  return host == "localhost" or host:find "%.localhost$" ~= nil or host:find "^127%.%d+%.%d+%.%d+$" ~= nil or host == "::1"
    or host == "0.0.0.0" or host == "::" or host:find "^::ffff:127%." ~= nil
end

local function fits(pattern, host, port)
  if pattern.port and pattern.port ~= port then return false end
  local tail = pattern.host:match "^%*(%..+)$"
  if tail then return #host > #tail and host:sub(-#tail) == tail end
  return pattern.host == host or is_loopback(pattern.host) and is_loopback(host) or pattern.host == "*"
end

-- ---- what listens on this machine

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "a"
  if file then file:close() end
  return text
end

-- The inodes of the sockets that listen on a port; nil where that cannot be known.
local function listening(port)
  local found, known = {}, false
  local wanted = (":%04X"):format(port)
  for _, path in ipairs { "/proc/net/tcp", "/proc/net/tcp6" } do
    local text = read(path)
    known = known or text ~= nil
    for at, state, inode in (text or ""):gmatch
      "%d+: (%x+:%x+) %x+:%x+ (%x%x) %x+:%x+ %x+:%x+ %x+ +%d+ +%d+ (%d+)" do
      if state == "0A" and at:sub(-5) == wanted then found[tonumber(inode)] = true end
    end
  end
  return known and found or nil
end

local function parent_of(pid)
  local stat = read(("/proc/%s/stat"):format(pid))
  return stat and stat:match "^.*%) %a (%d+)"
end

-- The process that everything of the run descends from: whoever started this worker, or this one where it runs alone.
local function root()
  local me = (read "/proc/self/stat" or ""):match "^%d+"
  local parent = me and parent_of(me)
  local function program(pid)
    local words = read(("/proc/%s/cmdline"):format(pid)) or ""
    return words:match "([^/%z]*)%z"
  end
  return parent and program(parent) == program(me) and parent or me
end

local function descends(pid, ancestor)
  for _ = 1, 64 do
    if pid == ancestor then return true end
    if not pid or pid == "0" then return false end
    pid = parent_of(pid)
  end
  return false
end

local function holds(pid, sockets)
  local fs = require "itlua.fs"
  local folder = ("/proc/%s/fd/"):format(pid)
  for _, name in ipairs(require("itlua.cli.core").scan(folder) or {}) do
    local there, stat = pcall(fs.stat, folder .. name)
    if there and stat.type == "socket" and sockets[stat.inode] then return true end
  end
  return false
end

-- "ours"; "nobody" listens there; or who does: "postgres, pid 812,".
local function listener(port)
  local sockets = listening(port)
  if not sockets then return "ours" end
  if next(sockets) == nil then return "nobody" end
  local ancestor, others = root(), {}
  for _, name in ipairs(require("itlua.cli.core").scan "/proc" or {}) do
    local pid = name:match "^(%d+)/$"
    if pid and not descends(pid, ancestor) then others[#others + 1] = pid
    elseif pid and holds(pid, sockets) then return "ours" end
  end
  for _, pid in ipairs(others) do
    if holds(pid, sockets) then
      return ("%s (pid %s)"):format((read(("/proc/%s/comm"):format(pid)) or "?"):gsub("%s+$", ""), pid)
    end
  end
  return "a process of somebody else"
end

-- ---- the question

local AS_SERVICE = {
  sql = 'services = { db = { kind = "postgres" } }', redis = 'services = { cache = { kind = "redis" } }',
  kafka = 'services = { bus = { kind = "kafka" } }', http = 'services = { api = { kind = "process", … } }',
}

local function refuse(kind, what, where, who)
  local reason = who and ("%s listens there and is no part of this run"):format(who)
    or "itlua.lua declares no such host"
  local function say(text) return mask.text(text) end
  core.raise(kind, "UNDECLARED", ([[%s was refused: %s forbids what is not declared, and %s.
    Declare it in itlua.lua, for all or in a profile:  hosts = { "%s" }
    or have the run start it:  %s]]):format(say(what), network.by, reason, where, AS_SERVICE[kind] or AS_SERVICE.http),
    { host = where })
end

-- true, or who listens there; false for a host elsewhere
local function declared(host, port)
  for _, pattern in ipairs(allowed) do
    if fits(pattern, host, port) then return true end
  end
  if own[joined(host, port)] or own[host] then return true end
  if not is_loopback(host) then return false end
  if port and own[joined("localhost", port)] then return true end
  local who = port and listener(port) or "ours"
  if who == "nobody" then return true, true end -- so it will be refused by itself, and may be ours the next time
  return who == "ours" or who
end

local answers = {}

local function check(kind, host, port, what)
  host = host:lower()
  local where = joined(host, port)
  if answers[where] then return end
  local silent = core.silence(true)
  local ok, answer, passing = pcall(declared, host, port)
  core.silence(silent)
  if not ok then error(answer, 0) end
  if answer ~= true then refuse(kind, what, is_loopback(host) and where or host, answer or nil) end
  answers[where] = not passing or nil
end

--- Refuses what is not declared.
---@param kind "http"|"sql"|"redis"|"kafka"
---@param host string      empty, or a path: a socket of this machine
---@param port? integer
---@param what string      "GET http://api.example/orders"
function network.check(kind, host, port, what)
  if host ~= "" and not host:find "^[/@]" then check(kind, host, port, what) end
end

--- As check, for the URL of a request of a client of itlua.http.
function network.check_url(client, method, url)
  if client._settings.quiet or client._settings.unix_socket then return end
  local scheme, authority = url:match "^(%a[%w+.-]*)://([^/?#]*)"
  if not authority then return end
  local host, port = split((authority:gsub("^.*@", "")))
  check("http", host, port or DEFAULT_PORTS[scheme:lower()], method .. " " .. url)
end

--- As check, for several hosts with commas: "a:9092,b:9092", or ports of their own.
---@param kind string
---@param hosts string
---@param ports? string
---@param what? string
function network.check_all(kind, hosts, ports, what)
  local list = {}
  for port in (ports or ""):gmatch "[^,]+" do list[#list + 1] = tonumber(port) end
  local i = 0
  for one in hosts:gmatch "[^,]+" do
    i = i + 1
    local host, port = one, list[i] or list[1]
    if not port then host, port = split(one) end
    network.check(kind, host, port or DEFAULT_PORTS[kind], what or ("%s %s"):format(kind, one))
  end
end

--- As check_url, for an answer that came from elsewhere: the request that led there cannot be undone.
function network.check_answer(client, method, asked, r)
  local url = r.url
  if type(url) == "string" and url:match "^[^?]*" ~= asked:match "^[^?]*" then
    local ok, err = pcall(network.check_url, client, "GET", url)
    if not ok then
      r:close()
      local why = err.message:gsub("^GET (%S+) was refused", "%1 may not be talked to", 1)
      core.raise("http", "UNDECLARED", ("%s %s led to another host: %s"):format(method, mask.text(asked), why))
    end
  end
end

--- Something of the run's own is there.
---@param host string
---@param port? integer
function network.add(host, port)
  if not own or type(host) ~= "string" then return end
  own[joined(is_loopback(host) and "localhost" or host:lower(), port)] = true
  own[joined(host:lower(), port)] = true
end

--- The same of a URL, or of several with commas; of other text it is nothing.
---@param text any
function network.add_url(text)
  if not own or type(text) ~= "string" then return end
  for one in text:gmatch "[^,]+" do
    local scheme, authority = one:match "^(%a[%w+.-]*)://([^/?#]*)"
    local host, port = split(((authority or one):gsub("^.*@", "")))
    port = port or scheme and DEFAULT_PORTS[scheme:lower()]
    if host ~= "" and (authority or port) then network.add(host, port) end
  end
end

-- What tables say, of a service for one: URLs, and a host with its ports.
local function add_fields(fields, host)
  if type(fields) ~= "table" then return end
  host = type(fields.host) == "string" and fields.host or host
  for key, value in pairs(fields) do
    if type(value) == "table" then add_fields(value, host)
    elseif type(value) == "string" and value:find "://" then network.add_url(value)
    elseif key == "brokers" then network.add_url(value)
    elseif host and math.type(value) == "integer" and tostring(key):find "port" then network.add(host, value) end
  end
end

--- Everything that a service says of where it is.
---@param fields any
function network.add_fields(fields) if own then add_fields(fields) end end

--- All hosts that itlua.lua names: those of its connections, too, without what else their URLs say.
---@param settings table     of config.load
---@return string[]
function network.hosts(settings)
  local list = { table.unpack(settings.hosts or {}) }
  for _, url in pairs(settings.connections or {}) do
    local scheme, authority = url:match "^(%a[%w+.-]*)://([^/?#]*)"
    for one in (authority or ""):gsub("^.*@", ""):gmatch "[^,]+" do
      local host, port = split(one)
      list[#list + 1] = joined(host, port or DEFAULT_PORTS[scheme:lower()])
    end
  end
  return list
end

--- From now on only what is declared may be talked to.
---@param profile? string     that says so; else itlua.lua does
---@param hosts? string[]
function network.begin(profile, hosts)
  network.by, allowed, own, answers = profile and ("the profile '%s'"):format(profile) or "itlua.lua", {}, {}, {}
  for i, entry in ipairs(hosts or {}) do
    local host, port = split(entry)
    allowed[i] = { host = host, port = port }
  end
  policy.network = network
end

return network
