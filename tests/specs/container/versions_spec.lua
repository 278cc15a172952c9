-- Engines of other versions, and engines that are restarted: the engine of this machine behind a front that speaks as they do.

local container = require "itlua.container"
local engine = require "tests.specs.container.engine"
local http = require "itlua.http"
local json = require "itlua.json"
local redis = require "itlua.redis"
local server = require "itlua.server"

local failure = engine.failure
local missing = engine.missing("busybox:latest", "redis:7-alpine")
if missing then
  pending(missing)
  return
end
local path = container.engine().endpoint.path
if not path then
  pending "the engine has no socket"
  return
end

local function number_of(version)
  local major, minor = version:match "^(%d+)%.(%d+)$"
  return tonumber(major) * 1000 + tonumber(minor)
end

-- What newer engines leave out.
local function as_newer(value, newest)
  if type(value) ~= "table" then return value end
  for key, field in pairs(value) do
    if field == json.null then value[key] = nil else as_newer(field, newest) end
  end
  local net = value.NetworkSettings
  if net and net.Networks and newest >= 1052 then
    for _, name in ipairs { "IPAddress", "Gateway", "MacAddress", "Bridge", "EndpointID", "IPPrefixLen" } do net[name] = nil end
    if net.Ports and not next(net.Ports) then net.Ports = nil end
  end
  if value.RepoTags and value.Config and newest >= 1050 then -- an image: what is not set is not there
    for key, field in pairs(value.Config) do
      if field == "" or field == false or type(field) == "table" and not next(field) then value.Config[key] = nil end
    end
    value.ContainerConfig, value.VirtualSize = nil, nil
  end
  return value
end

-- A front that takes versions of the API from `oldest` to `newest`, on a port of one's choice.
local function front(oldest, newest, port)
  local behind = http.client { base_url = "http://docker", unix_socket = path, cookies = false }
  local spoken = {}
  local srv = server.listen {
    port = port,
    handler = function(req)
      local version, rest = req.target:match "^/v([%d.]+)(/.*)$"
      if req.path == "/_ping" then
        return { text = "OK", headers = { ["api-version"] = newest, server = "Docker/29.0 (linux)" } }
      end
      spoken[version or "none"] = true
      if version and number_of(version) < number_of(oldest) then
        return { status = 400, json = { message = ("client version %s is too old. Minimum supported API version is %s, " ..
          "please upgrade your client to a newer version"):format(version, oldest) } }
      elseif version and number_of(version) > number_of(newest) then
        return { status = 400, json = { message = ("client version %s is too new. Maximum supported API version is %s"):format(
          version, newest) } }
      end
      local sends = req.method == "POST" or req.method == "PUT"
      local r = behind:request(req.method, "/v1.41" .. rest, { body = sends and req.body or nil, timeout = 60,
        headers = { ["Content-Type"] = req.headers["content-type"], ["X-Registry-Auth"] = req.headers["x-registry-auth"] } })
      local body, kind = r.body, r.headers["content-type"]
      if (kind or ""):find("application/json", 1, true) and r.body ~= "" and r.status < 300 then
        local ok, value = pcall(json.decode, r.body) -- streams of documents go through as they are
        if ok then body = json.encode(as_newer(value, number_of(newest))) end
      elseif kind == "application/vnd.docker.raw-stream" then
        kind = "application/vnd.docker.multiplexed-stream"
      end
      if r.status == 204 or r.status == 304 then return { status = r.status } end
      return { status = r.status, body = body, headers = { ["content-type"] = kind, ["api-version"] = newest,
        ["x-docker-container-path-stat"] = r.headers["x-docker-container-path-stat"] } }
    end,
  }
  return srv, spoken
end

local function connect(srv, version)
  return container.connect { DOCKER_HOST = srv.url:gsub("http", "tcp"), DOCKER_API_VERSION = version }
end

local function only(spoken)
  local list = {}
  for version in pairs(spoken) do list[#list + 1] = version end
  table.sort(list)
  return table.concat(list, " ")
end

describe("an engine that speaks API", function()
  -- What a test does with containers.
  local function use(c)
    local r <close> = c.run { image = "redis:7-alpine" }
    local client <close> = redis.connect(r:url(6379, "redis"))
    assert.equal("PONG", client:ping())
    assert.equal("PONG\n", r:exec("redis-cli ping").stdout)
    assert.matches("Ready to accept connections", r:logs())
    assert.is_string(r:ip())
    r:write_file("/tmp/x", "there")
    assert.equal("there", r:read_file "/tmp/x")
    r:stop { timeout = 1 }
    assert.matches("it does not run", failure(r.port, r, 6379).message)
    r:start()
    local net <close> = c.network()
    local other <close> = c.run { image = "busybox", command = { "sleep", "100" }, network = net, aliases = { "it" } }
    other:disconnect()
    other:connect()
    assert.equal("it", other:inspect().NetworkSettings.Networks[net.name].Aliases[1])
    local err = failure(c.run, { image = "busybox", command = "echo reason; exit 3", ports = { 80 } })
    assert.equal("EXITED", err.code)
    assert.matches("reason", err.message)
  end

  for _, case in ipairs {
    { "1.40", "1.43", "1.43" }, { "1.24", "1.44", "1.44" }, { "1.40", "1.48", "1.48" }, { "1.44", "1.52", "1.51" },
  } do
    local oldest, newest, agreed = table.unpack(case)
    it(("%s to %s is spoken to in %s"):format(oldest, newest, agreed), function()
      local srv <close>, spoken = front(oldest, newest)
      use(connect(srv))
      assert.equal(agreed, only(spoken))
    end)
  end

  it("that is newer than all that is known here names its oldest", function()
    local srv <close>, spoken = front("1.60", "1.70")
    local c = connect(srv)
    assert.equal("redis:7-alpine", c.image("redis:7-alpine").RepoTags[1])
    assert.equal("1.51 1.60", only(spoken))
  end)

  it("and is too old for what is forced names its newest", function()
    local srv <close>, spoken = front("1.24", "1.41")
    assert.is_table(connect(srv, "1.45").image "redis:7-alpine")
    assert.equal("1.41 1.45", only(spoken))
  end)
end)

describe("an engine that is restarted during a run", function()
  it("is lost, and found again; what was started is removed", function()
    local srv = front("1.40", "1.41")
    local port = srv.port
    local c = connect(srv)
    local sleeper = c.run { image = "busybox", command = { "sleep", "1000" } }
    srv:close()
    local err = failure(sleeper.status, sleeper)
    assert.equal("ENGINE_LOST", err.code)
    assert.matches("does not answer any more", err.message)
    local again <close> = front("1.40", "1.41", port) -- luacheck: ignore again
    assert.equal("running", sleeper:status())
    sleeper:remove()
    assert.is_false(engine.has(sleeper.name))
  end)
end)
