--- Causes outside of what is tested: nothing listens, a name is unknown, TLS, a port is taken, a service did not start.

local cause = require "itlua.report.cause"

-- "host:port" that a message or the last operation names.
local function target(facts)
  local address = facts.message:match "nothing listens on (%S+)" or facts.message:match "Redis at ([^%s:]+:%d+)"
    or facts.message:match "(postgres%a*://%S+)" or facts.message:match "(%a+://[^%s\"']+)"
  if address then return cause.address((address:gsub("[,:;)]+$", ""))) end
  for span in facts:back "." do
    local url = not span.log and span.detail:match "(%a+://[^%s\"']+)"
    if url then return cause.address(url) end
  end
end

local function known_ports(facts)
  local list = {}
  for _, service in ipairs(facts.services) do
    if service.port then list[#list + 1] = ("%s %s"):format(service.name, service.port) end
  end
  return table.concat(list, ", ")
end

local function refused(facts)
  local so = facts.code == "ECONNREFUSED" or facts:says "ECONNREFUSED" or facts:says "[Cc]onnection refused"
  if not so or facts.kind == "service" then return nil end
  local host, port = target(facts)
  if not port then return nil end
  local at = ("%s:%d"):format(host, port)
  local service = facts:service_at(host, port)
  if service then
    local lines = { ("nothing listens on %s. Service %s (%s) of itlua.lua would: %s"):format(at, service.name, service.kind,
      cause.state_of(service)) }
    local words = facts:last_words(service.name)
    if words then lines[2] = ("its last words in this test: %s"):format(words) end
    return lines, "refused " .. at
  end
  local ports = known_ports(facts)
  if ports ~= "" then
    return { ("nothing listens on %s, and no service of itlua.lua has that port (%s)"):format(at, ports),
      "look at where the address comes from: services.NAME.url is always right" }, "refused " .. at
  end
  return { ("nothing listens on %s"):format(at),
    "is the program under test started, and is that its port? As a service in itlua.lua it would be started for the run" },
    "refused " .. at
end

local function unresolved(facts)
  if facts.kind ~= "dns" and not facts:says "could not translate host name" then return nil end
  local host = facts.message:match "host name \"([^\"]+)\"" or facts.message:match "name of ([^%s:]+)"
    or facts.message:match "([%w.-]+) cannot be resolved" or facts.message:match "%a+://([^/:%s]+)" or "?"
  host = host:gsub(":%d+$", "")
  if host:find(".", 1, true) then
    return { ("no name server knows %s"):format(host), "a misspelt name, a missing line in /etc/hosts, or no VPN" },
      "dns " .. host
  end
  local lines = { ("%s is a single word, and no name server knows it"):format(host) }
  for _, service in ipairs(facts.services) do
    if service.name == host then
      lines[2] = ("service %s of itlua.lua is reached by services.%s.url%s"):format(host, host,
        service.url and " (" .. service.url .. ")" or "")
      return lines, "dns " .. host
    end
  end
  lines[2] = "names of containers and compose services are known inside their network only: from here use the published port"
  return lines, "dns " .. host
end

local tls = {
  CERT_EXPIRED = "the server's certificate has expired: renew it; the clock of this machine may be wrong, too",
  CERT_NOT_YET_VALID = "the server's certificate is not valid yet: is the clock of this machine right?",
  CERT_SELF_SIGNED = "the server's certificate is signed by itself, as in tests: give it to the client as tls.ca",
  CERT_UNTRUSTED = "the server's certificate is signed by a CA that this machine does not trust: give that CA as tls.ca",
  CERT_HOSTNAME = "the server's certificate is for another name than the URL has: use the name that it is for, or "
    .. "make one for this name",
  CERT_REVOKED = "the server's certificate was revoked",
  HANDSHAKE = "no TLS could be agreed: does the port speak TLS at all (http:// instead of https://), and which versions?",
  CLIENT_CERT = "the client's certificate or key cannot be used: tls.cert and tls.key",
  CA_FILE = "the file of option tls.ca cannot be read",
}

local function untrusted(facts)
  local code = (facts.code or ""):match "^TLS/(.*)$"
  if not code then return nil end
  local host, port = target(facts)
  local lines = { tls[code] or "TLS failed before anything was sent" }
  if code:find "^CERT_" then lines[2] = "to look at it: openssl s_client -connect " .. ("%s:%s"):format(host or "HOST",
    port or 443) end
  return lines, ("tls %s %s:%s"):format(code, host, port)
end

local function port_taken(facts)
  if facts.code ~= "EADDRINUSE" and not facts:says "[Aa]ddress already in use" or facts.kind == "service" then
    return nil
  end
  local port = facts.message:match "port (%d+)" or facts.message:match ":(%d+)"
  return { ("another program listens on port %s: one left from an earlier run, or another test that runs "
    .. "now"):format(port or "?"),
    "port 0 takes a free one each time; `ss -ltnp` names who has it" }, "port " .. (port or "?")
end

-- Words with which programs say that a setting is missing; what is captured is its name.
local missing = {
  "%f[%w]([A-Z][A-Z0-9_]+) is not set", "%f[%w]([A-Z][A-Z0-9_]+) is not specified", "%f[%w]([A-Z][A-Z0-9_]+) is required",
  "%f[%w]([A-Z][A-Z0-9_]+) is missing", "%f[%w]([A-Z][A-Z0-9_]+) must be set", "%f[%w]([A-Z][A-Z0-9_]+) not set",
  "missing ([A-Z][A-Z0-9_]+)", "[Ee]nvironment variable '?\"?([A-Z][A-Z0-9_]+)", "KeyError: '([A-Z][A-Z0-9_]+)'",
  "specify ([A-Z][A-Z0-9_]+)", "%f[%w]([A-Z][A-Z0-9_]+): parameter not set", "%f[%w]([A-Z][A-Z0-9_]+): unbound variable",
  "%f[%w]([A-Z][A-Z0-9_]+): [%w ]*is not set",
}

-- The setting that last words say is missing.
local function missing_setting(message)
  for _, pattern in ipairs(missing) do
    local variable = message:match(pattern)
    if variable and variable:find "_" then return variable end
  end
end

-- Another service that its last words speak of, where that one is no more.
local function needed(facts, name)
  for host, port in facts.message:gmatch "([%w.%-]+):(%d+)" do
    local service = facts:service_at(host, math.tointeger(tonumber(port)))
    if service and service.name ~= name and service.state ~= "ready" and service.state ~= "starting" then return service end
  end
end

local function no_service(facts)
  if facts.kind ~= "service" then return nil end
  local name = facts.message:match "service ([%w_-]+)" or "?"
  local key = "service " .. name
  if facts.code == "NO_PROVIDER" then
    return { ("this machine has nothing that could be service %s; what was tried is above"):format(name),
      "`itlua doctor` says what there is; the service's provider, image or url in itlua.lua says what is wanted" }, key
  end
  local variable = missing_setting(facts.message)
  if variable then
    return { ("the environment variable %s is missing"):format(variable),
      ("look at services.%s.env in itlua.lua"):format(name) }, key
  end
  if facts.code == "EXITED" or facts.code == "NOT_READY" or facts.code == "NEEDS" or facts.code == "PREPARE"
    or facts.code == "START" then
    local other = needed(facts, name)
    if other then
      return { ("service %s needs service %s (%s): %s"):format(name, other.name, other.kind, cause.state_of(other)) },
        "service " .. other.name .. " is gone"
    end
    local hint = facts.message:match "likely%s+([^\n]+)"
    return { hint or ("service %s of itlua.lua did not get ready: what it said last is above"):format(name) }, key
  end
end

local function no_engine(facts)
  if facts.kind ~= "container" then return nil end
  local text = facts.message
  local line = text:match "likely%s+([^\n]+)"
  if line then return { line }, "container " .. line end
  local variable = facts.code == "EXITED" and missing_setting(text)
  if variable then
    return { ("the environment variable %s is missing"):format(variable), "look at option env of what starts the container" },
      "container " .. variable
  end
  local image = text:match "^the image (%S+) is not here, and cannot be pulled"
  if image and (text:find "no such host" or text:find "dial tcp" or text:find "connection refused") then
    return { ("the registry of %s cannot be reached, and the image is not on this machine"):format(image),
      "a network, or the image built or pulled here before: docker pull " .. image }, "registry"
  end
  if facts.code == "PORT" and text:find "it does not run" then
    local last
    for span in facts:back "^container$" do
      if not last and (span.detail:find "^kill" or span.detail:find "^stop") then last = span end
    end
    return { "the container has ended" .. (last and (", by what the test did before: %s"):format(last.detail) or
      ": its log and its exit code are in the timeline") }, "container ended"
  end
  if text:find "[Nn]o such image" or text:find "manifest unknown" or text:find "pull access denied" then
    return { "the image is neither here nor to be had from its registry: a misspelt name or tag, or `docker login`" }, "image"
  end
end

return { no_service, refused, unresolved, untrusted, port_taken, no_engine }
