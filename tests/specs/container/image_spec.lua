local container = require "itlua.container"
local encode = require "itlua.encode"
local engine = require "tests.specs.container.engine"
local fs = require "itlua.fs"
local json = require "itlua.json"
local registry = require "itlua.container.registry"
local server = require "itlua.server"
local tar = require "itlua.container.tar"
local wait = container.wait

local missing = engine.missing "busybox:latest"
local failure = engine.failure

describe("names of images", function()
  it("come apart into registry, repository, tag", function()
    assert.same({ repository = "redis", tag = "7" }, registry.parse "redis:7")
    assert.same({ registry = "ghcr.io", repository = "a/b" }, registry.parse "ghcr.io/a/b")
    assert.same({ registry = "localhost:5000", repository = "x", tag = "1" }, registry.parse "localhost:5000/x:1")
    assert.same({ repository = "a/b", digest = "sha256:0" }, registry.parse "a/b@sha256:0")
  end)
end)

describe("credentials", function()
  local dir

  before_each(function() dir = fs.tempdir() end)
  after_each(function() dir:close() end)

  local function credentials(image) return registry.credentials(image, { DOCKER_CONFIG = dir.path }) end

  it("are those of the Docker configuration", function()
    dir:write("config.json", json.encode { auths = {
      ["https://index.docker.io/v1/"] = { auth = encode.base64 "me:pass:word" },
      ["ghcr.io"] = { identitytoken = "tok" },
    } })
    assert.same({ username = "me", password = "pass:word", serveraddress = "https://index.docker.io/v1/" },
      credentials "redis:7")
    assert.equal("tok", credentials("ghcr.io/a/b").identitytoken)
    assert.is_nil(credentials "quay.io/x")
    dir:write("config.json", '{"auths": {"quay.io": {"auth": "!"}}}')
    assert.equal("CREDENTIALS", failure(credentials, "quay.io/x").code)
  end)

  it("may come from a helper, which may be missing", function()
    dir:write("config.json", '{"credHelpers": {"quay.io": "itlua-no-such-helper"}}')
    assert.matches("docker%-credential%-itlua%-no%-such%-helper, which cannot be asked",
      failure(credentials, "quay.io/x").message)
  end)

  it("are none where there is no configuration", function() assert.is_nil(credentials "redis") end)
end)

if missing then
  pending(missing)
  return
end

describe("container.build", function()
  it("builds from a folder without what .dockerignore leaves out", function()
    local dir <close> = fs.tempdir()
    dir:write("Dockerfile", "FROM busybox\nARG WHO=nobody\nCOPY . /ctx/\nRUN echo built for $WHO > /who\n")
    dir:write(".dockerignore", "*.log\nsecret\n!keep.log\n")
    dir:write("a.txt", "a")
    dir:write("b.log", "b")
    dir:write("keep.log", "k")
    dir:write("secret/s", "s")
    local lines = {}
    local image <close> = container.build { context = dir.path, args = { WHO = "tests" },
      progress = function(line) lines[#lines + 1] = line end }
    local c <close> = container.run { image = image.name, command = "cat /who; cd /ctx; find . -type f | sort",
      wait = wait.exit() }
    assert.equal("built for tests\n./.dockerignore\n./Dockerfile\n./a.txt\n./keep.log\n", c:logs())
    assert.matches("[Ss][Tt][Ee][Pp] 1/4 ?: FROM busybox", table.concat(lines, "\n"))
    c:close()
    image:close()
    assert.is_nil(container.image(image.name))
  end)

  it("builds from files that are given here", function()
    local image <close> = container.build { dockerfile = "FROM busybox\nCOPY x /x\nCMD cat /x\n", files = { x = "hello" } }
    local c <close> = container.run { image = image.name, wait = wait.exit() }
    assert.equal("hello", c:logs())
  end)

  it("says what went wrong", function()
    local err = failure(container.build, { dockerfile = "FROM busybox\nRUN echo the reason >&2; exit 5\n" })
    assert.equal("BUILD", err.code)
    assert.matches("returned a non%-zero code: 5", (err.message:gsub("exit status", "returned a non-zero code:")))
    assert.matches("the reason", err.message)
    assert.matches("unknown instruction", failure(container.build, { dockerfile = "FROM busybox\nRUM x\n" }).message)
    assert.equal("BUILD", failure(container.build, { context = "/no/such/folder" }).code)
    assert.matches("Cannot locate specified Dockerfile", failure(container.build, { files = { x = "" } }).message)
  end)
end)

describe("container.pull", function()
  -- A registry of one image, which wants a password.
  local function blobs()
    local layer = tar.encode { { name = "hello", content = "from the registry" } }
    local config = json.encode { architecture = "amd64", os = "linux", config = { Cmd = { "/hello" } },
      rootfs = { type = "layers", diff_ids = { "sha256:" .. encode.sha256(layer) } } }
    local manifest = json.encode {
      schemaVersion = 2, mediaType = "application/vnd.docker.distribution.manifest.v2+json",
      config = { mediaType = "application/vnd.docker.container.image.v1+json", size = #config,
        digest = "sha256:" .. encode.sha256(config) },
      layers = { { mediaType = "application/vnd.docker.image.rootfs.diff.tar", size = #layer,
        digest = "sha256:" .. encode.sha256(layer) } },
    }
    local list = {}
    for _, blob in ipairs { layer, config, manifest } do list["sha256:" .. encode.sha256(blob)] = blob end
    return list, manifest
  end

  local function registry_server(password)
    local list, manifest = blobs()
    local srv = server.listen()
    srv:use(function(req, next_)
      local wanted = "Basic " .. encode.base64("me:" .. password)
      if req.headers["authorization"] == wanted then return next_(req) end
      return { status = 401, headers = { ["www-authenticate"] = 'Basic realm="here"' },
        json = { errors = { { code = "UNAUTHORIZED", message = "authentication required" } } } }
    end)
    srv:get("/v2/", function() return { json = {} } end)
    local function answer(blob)
      if not blob then
        return { status = 404, json = { errors = { { code = "MANIFEST_UNKNOWN", message = "manifest unknown" } } } }
      end
      return { body = blob, headers = { ["docker-content-digest"] = "sha256:" .. encode.sha256(blob),
        ["content-type"] = blob == manifest and "application/vnd.docker.distribution.manifest.v2+json" or
          "application/octet-stream" } }
    end
    srv:get("/v2/app/manifests/{ref}", function(req)
      return answer(req.params.ref == "1" and manifest or list[req.params.ref])
    end)
    srv:get("/v2/app/blobs/{digest}", function(req) return answer(list[req.params.digest]) end)
    return srv
  end

  it("shows its progress, and takes the credentials", function()
    local srv <close> = registry_server "word"
    local name = ("127.0.0.1:%d/app:1"):format(srv.port)
    local steps = {}
    container.pull { image = name, auth = { username = "me", password = "word" }, progress = function(step)
      steps[#steps + 1] = step.status
    end }
    finally(function()
      container.engine():call("DELETE", "/images/" .. name, "remove", { may = { [404] = true } })
    end)
    assert.matches("Pulling from app", table.concat(steps, "\n"))
    assert.same({ "/hello" }, container.image(name).Config.Cmd)
  end)

  it("takes the credentials of the Docker configuration", function()
    local srv <close> = registry_server "word"
    local name = ("127.0.0.1:%d/app:1"):format(srv.port)
    local dir <close> = fs.tempdir()
    dir:write("config.json", json.encode { auths = {
      ["127.0.0.1:" .. srv.port] = { auth = encode.base64 "me:word" },
    } })
    local configured = container.connect {
      DOCKER_HOST = os.getenv "DOCKER_HOST", XDG_RUNTIME_DIR = os.getenv "XDG_RUNTIME_DIR", DOCKER_CONFIG = dir.path,
    }
    finally(function()
      container.engine():call("DELETE", "/images/" .. name, "remove", { may = { [404] = true } })
    end)
    local amount, whole
    configured.pull { image = name, progress = function(step)
      if step.total and step.total > 0 then amount, whole = step.current, step.total end
    end }
    assert.same({ "/hello" }, container.image(name).Config.Cmd)
    if whole then assert.is_true(amount <= whole) end -- a layer this small may have none
    dir:write("config.json", json.encode { auths = {
      ["127.0.0.1:" .. srv.port] = { auth = encode.base64 "me:another" },
    } })
    assert.matches("docker login, or option 'auth'", failure(configured.pull, name).message)
  end)

  it("is of the platform that was asked for", function()
    local info = container.image "busybox:latest"
    local other = info.Architecture == "arm64" and "linux/amd64" or "linux/arm64"
    local err = failure(container.run, { image = "busybox:latest", platform = other, pull = "never" })
    assert.equal("IMAGE", err.code)
    assert.matches("that is here is for linux/" .. info.Architecture .. ", not " .. other, err.message)
    local c <close> = container.run { image = "busybox:latest", platform = "linux/" .. info.Architecture,
      command = "echo here", wait = container.wait.exit() }
    assert.equal("here\n", c:logs())
    assert.matches("'arm' is no platform", failure(container.run, { image = "busybox:latest", platform = "arm" }))
  end)

  it("says why it cannot", function()
    local srv <close> = registry_server "word"
    local name = ("127.0.0.1:%d/app:"):format(srv.port)
    local err = failure(container.pull, name .. "1")
    assert.equal("IMAGE", err.code)
    assert.matches("docker login, or option 'auth'", err.message)
    err = failure(container.pull, { image = name .. "2", auth = { username = "me", password = "word" } })
    assert.matches("manifest unknown.*no such", err.message)
  end)
end)
