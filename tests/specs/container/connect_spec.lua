local container = require "itlua.container"
local encode = require "itlua.encode"
local endpoint = require "itlua.container.endpoint"
local engine = require "tests.specs.container.engine"
local fs = require "itlua.fs"
local http = require "itlua.http"
local json = require "itlua.json"
local process = require "itlua.process"
local server = require "itlua.server"

local failure = engine.failure
local missing = engine.missing "busybox:latest"

-- A stand-in for what no engine here does: speak other versions, answer oddly.
local function fake(answers)
  return server.listen {
    handler = function(req)
      local path = req.path:gsub("^/v[%d.]+", "")
      local answer = answers[path]
      if type(answer) == "function" then answer = answer(req) end
      return answer or { status = 404, json = { message = "no such thing" } }
    end,
  }
end

local function ping(version)
  return { text = "OK", headers = { ["api-version"] = version, server = "Docker/99.0 (linux)" } }
end

local function connect(srv) return container.connect { DOCKER_HOST = srv.url:gsub("http", "tcp") } end

describe("the engine is found", function()
  local function first(environment)
    environment.HOME = environment.HOME or "/nowhere"
    local list = endpoint.candidates(environment)
    return list[1], list
  end

  it("by DOCKER_HOST", function()
    assert.equal("/x/y.sock", first({ DOCKER_HOST = "unix:///x/y.sock" }).path)
    assert.equal("http://build:2375", first({ DOCKER_HOST = "tcp://build" }).url)
    assert.equal("http://[::1]:99", first({ DOCKER_HOST = "tcp://[::1]:99" }).url)
    assert.equal("/p.sock", first({ CONTAINER_HOST = "unix:///p.sock" }).path)
    assert.matches("over ssh are not supported: forward", failure(first, { DOCKER_HOST = "ssh://me@there" }).message)
    assert.equal("HOST", failure(first, { DOCKER_HOST = "npipe:////./pipe/x" }).code)
  end)

  it("by DOCKER_HOST with TLS", function()
    local dir <close> = fs.tempdir()
    dir:write("ca.pem", "x")
    dir:write("cert.pem", "x")
    dir:write("key.pem", "x")
    local found = first { DOCKER_HOST = "tcp://build", DOCKER_TLS_VERIFY = "1", DOCKER_CERT_PATH = dir.path }
    assert.equal("https://build:2376", found.url)
    assert.same({ ca = dir:join "ca.pem", cert = dir:join "cert.pem", key = dir:join "key.pem", verify = true },
      found.tls)
  end)

  it("by a context, the current one or DOCKER_CONTEXT", function()
    local dir <close> = fs.tempdir()
    local id = encode.sha256 "work"
    dir:write("contexts/meta/" .. id .. "/meta.json", json.encode {
      Name = "work", Endpoints = { docker = { Host = "tcp://far:2376", SkipTLSVerify = true } },
    })
    dir:write("contexts/tls/" .. id .. "/docker/ca.pem", "x")
    dir:write("config.json", '{"currentContext": "work"}')
    local found = first { DOCKER_CONFIG = dir.path }
    assert.equal("https://far:2376", found.url)
    assert.same({ ca = dir:join("contexts/tls", id, "docker/ca.pem"), verify = false }, found.tls)
    assert.equal("https://far:2376", first({ DOCKER_CONFIG = dir.path, DOCKER_CONTEXT = "work" }).url)
    local err = failure(first, { DOCKER_CONFIG = dir.path, DOCKER_CONTEXT = "play" })
    assert.equal("CONTEXT", err.code)
    assert.matches("there is no context 'play' .*%(there is work%)", err.message)
    assert.equal("/var/run/docker.sock", first({ DOCKER_CONFIG = dir.path, DOCKER_CONTEXT = "default" }).path)
    dir:write("config.json", "{oops")
    assert.equal("CONFIG", failure(first, { DOCKER_CONFIG = dir.path }).code)
  end)

  it("at the usual places: Docker, rootless, Podman", function()
    local _, list = first { XDG_RUNTIME_DIR = "/run/user/7", HOME = "/home/me" }
    local paths = {}
    for i, found in ipairs(list) do paths[i] = found.path end
    assert.same({ "/var/run/docker.sock", "/run/user/7/docker.sock", "/home/me/.docker/run/docker.sock",
      "/home/me/.docker/desktop/docker.sock", "/home/me/.colima/default/docker.sock",
      "/run/user/7/podman/podman.sock", "/run/podman/podman.sock" }, paths)
  end)
end)

describe("no engine:", function()
  it("what was tried, and what to do", function()
    local err = failure(container.connect, { DOCKER_HOST = "unix:///no/such.sock" })
    assert.equal("container NO_ENGINE", err.kind .. " " .. err.code)
    assert.matches("Tried:\n +unix:///no/such.sock %(DOCKER_HOST%): there is no such socket\nDOCKER_HOST says where",
      err.message)
    local dir <close> = fs.tempdir()
    dir:write("docker.sock", "")
    err = failure(container.connect, { DOCKER_HOST = "unix://" .. dir:join "docker.sock" })
    assert.matches("nothing listens there", err.message)
    err = failure(container.connect, { DOCKER_HOST = "tcp://127.0.0.1:1" })
    assert.equal("NO_ENGINE", err.code)
  end)

  it("permission denied on the socket", function()
    if process.run({ "id", "-u" }).stdout ~= "0\n" then return pending "needs root, to be somebody else" end
    local dir <close> = fs.tempdir { within = "/tmp" }
    fs.chmod(dir.path, "755")
    local srv <close> = server.listen { -- luacheck: ignore srv
      unix = dir:join "docker.sock", handler = function() return ping "1.41" end,
    }
    fs.chmod(dir:join "docker.sock", "600")
    local script = dir:write("try.lua", ([[
      local ok, err = pcall(require "itlua.container".connect, { DOCKER_HOST = "unix://%s" })
      print(ok, err.code, err.message)]]):format(dir:join "docker.sock"))
    fs.chmod(script, "644")
    fs.copy(process.self(), dir:join "itlua") -- the program itself may lie where others may not look
    fs.chmod(dir:join "itlua", "755")
    local result = process.run { "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", dir:join "itlua",
      "exec", script, cwd = dir.path }
    assert.matches("^false\tPERMISSION\tno container engine can be used: this user may not open the socket .*usermod",
      result.stdout .. result.stderr)
  end)

  it("something else answers", function()
    local srv <close> = fake { ["/_ping"] = { status = 418, text = "teapot" } }
    assert.matches("answers /_ping with status 418: no container engine", failure(connect, srv).message)
  end)
end)

describe("the version of the API", function()
  it("is the engine's, or the newest that is known here", function()
    local srv <close> = fake { ["/_ping"] = ping "1.43" }
    assert.equal("1.43", connect(srv).engine.api)
    local newer <close> = fake { ["/_ping"] = ping "1.99" }
    assert.equal("1.51", connect(newer).engine.api)
    assert.matches("^Docker 99.0 at tcp://", tostring(connect(newer).engine))
  end)

  it("of an engine that is too old is said", function()
    local srv <close> = fake { ["/_ping"] = ping "1.24" }
    local err = failure(connect, srv)
    assert.equal("API_VERSION", err.code)
    assert.matches("speaks version 1.24 of the API; 1.40 is needed", err.message)
  end)

  it("follows an engine that refuses", function()
    local seen = {}
    local srv <close> = fake { ["/_ping"] = ping "1.99", ["/images/x/json"] = function(req)
      seen[#seen + 1] = req.path:match "^/v([%d.]+)"
      if seen[#seen] ~= "1.60" then
        return { status = 400, json = { message = "client version 1.51 is too old. Minimum supported API version is " ..
          "1.60, please upgrade" } }
      end
      return { json = { Id = "sha256:1" } }
    end }
    assert.equal("sha256:1", connect(srv).image("x").Id)
    assert.same({ "1.51", "1.60" }, seen)
  end)

  it("can be forced", function()
    local srv <close> = fake { ["/_ping"] = ping "1.43" }
    local c = container.connect { DOCKER_HOST = srv.url:gsub("http", "tcp"), DOCKER_API_VERSION = "1.41" }
    assert.equal("1.41", c.engine.api)
  end)
end)

describe("an engine that goes away", function()
  it("is said to be lost", function()
    local srv = fake { ["/_ping"] = ping "1.43" }
    local c = connect(srv)
    srv:close()
    local err = failure(c.image, "x")
    assert.equal("ENGINE_LOST", err.code)
    assert.matches("does not answer any more: nothing listens on 127.0.0.1", err.message)
  end)
end)

if missing then
  pending(missing)
  return
end

describe("a real engine", function()
  it("is reached over TCP with TLS", function()
    local dir <close> = fs.tempdir()
    process.run { "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
      "-keyout", dir:join "key.pem", "-out", dir:join "ca.pem", "-days", "2", "-subj", "/CN=127.0.0.1",
      "-addext", "subjectAltName=IP:127.0.0.1", check = true }
    local path = container.engine().endpoint.path
    if not path then return pending "the engine has no socket" end
    local behind = http.client { base_url = "http://docker", unix_socket = path, cookies = false }
    local srv <close> = server.listen {
      tls = { cert = dir:join "ca.pem", key = dir:join "key.pem" },
      handler = function(req)
        local r = behind:request(req.method, req.target, { body = req.method == "POST" and req.body or nil,
          headers = { ["Content-Type"] = req.headers["content-type"] } })
        return { status = r.status, body = r.body, headers = { ["content-type"] = r.headers["content-type"],
          ["api-version"] = r.headers["api-version"] } }
      end,
    }
    local far = container.connect { DOCKER_HOST = srv.url:gsub("https", "tcp"), DOCKER_TLS_VERIFY = "1",
      DOCKER_CERT_PATH = dir.path }
    local c <close> = far.run { image = "busybox", command = "echo over TLS", wait = container.wait.exit() }
    assert.equal("over TLS\n", c:logs())
    local wrong = failure(container.connect, { DOCKER_HOST = srv.url:gsub("https", "tcp"), DOCKER_TLS_VERIFY = "1",
      DOCKER_CERT_PATH = "/nowhere" })
    assert.is_true(wrong.code == "TLS" or wrong.code == "NO_ENGINE", tostring(wrong)) -- late, on a slow machine
  end)

  it("is asked nothing twice", function()
    assert.equal(container.engine(), container.engine())
    assert.is_true((container.available()))
  end)
end)
