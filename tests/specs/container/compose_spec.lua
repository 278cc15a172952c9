local container = require "itlua.container"
local engine = require "tests.specs.container.engine"
local fs = require "itlua.fs"
local identity = require "itlua.identity"
local owner = require "itlua.container.owner"
local process = require "itlua.process"
local redis = require "itlua.redis"

local missing = engine.missing("busybox:latest", "redis:7-alpine")
local failure = engine.failure

local function has_tool()
  for _, command in ipairs { { "docker", "compose", "version" }, { "docker-compose", "version" } } do
    local ok, result = pcall(process.run, command)
    if ok and result.code == 0 then return true end
  end
end

if not missing and not has_tool() then missing = "no compose tool here" end
if missing then
  pending(missing)
  return
end

describe("container.compose #heavy", function()
  local dir

  before_each(function() dir = fs.tempdir() end)
  after_each(function() dir:close() end)

  local function gone(project)
    local list = container.engine():ask("GET", "/containers/json", "list", { query = { all = "true",
      filters = { label = { "com.docker.compose.project=" .. project.name } } } })
    return #list == 0
  end

  it("brings services up, hands them out, takes everything down", function()
    local file = dir:write("compose.yml", [[
version: "2.4"
services:
  cache:
    image: redis:7-alpine
    ports: ["127.0.0.1::6379"]
  app:
    image: busybox
    command: sh -c "echo hello ${WHO}; exec sleep 1000"
    depends_on: [cache]
    volumes: ["data:/data"]
  extra:
    image: busybox
    profiles: ["more"]
volumes:
  data: {}
]])
    local project = container.compose { file = file, env = { WHO = "there" },
      wait = { cache = container.wait.redis(), app = container.wait.log "hello" } }
    assert.same({ "app", "cache" }, project:services())
    local r <close> = redis.connect(project:service("cache"):url(6379, "redis"))
    assert.equal("PONG", r:ping())
    assert.equal("hello there\n", project:logs "app")
    assert.equal("PONG\n", project:service("cache"):exec("redis-cli ping").stdout)
    assert.matches("no service 'db' %(there is app, cache%)", failure(project.service, project, "db").message)
    project:down()
    assert.is_true(gone(project))
    assert.matches("was taken down", failure(project.service, project, "app"))
  end)

  it("says when a file is not valid, or not there", function()
    local file = dir:write("compose.yml", "services:\n  app:\n    imgae: busybox\n")
    local err = failure(container.compose, { file = file })
    assert.equal("COMPOSE_INVALID", err.code)
    assert.matches("imgae", err.message)
    assert.equal("COMPOSE_INVALID", failure(container.compose, { file = "/no/such.yml" }).code)
  end)

  it("waits for its services by itself, and for those that are done not at all", function()
    local file = dir:write("compose.yml", [[
version: "2.4"
services:
  cache:
    image: redis:7-alpine
    ports: ["127.0.0.1::6379"]
  once:
    image: busybox
    command: echo done
]])
    local project <close> = container.compose { file = file }
    local cache = project:published().cache
    local r <close> = redis.connect { host = cache.host, port = cache.port }
    assert.equal("PONG", r:ping())
    assert.equal(cache.port, cache.ports["6379"])
    project:stop { timeout = 1 }
    assert.equal("exited", project:service("cache"):status())
    project:start()
    local again <close> = redis.connect { host = cache.host, port = project:published().cache.port }
    assert.equal("PONG", again:ping())
  end)

  it("says which service has ended, and why", function()
    local file = dir:write("compose.yml", "version: '2.4'\nservices:\n  app:\n    image: busybox\n" ..
      "    command: sh -c 'echo no settings; exit 3'\n    ports: ['127.0.0.1::80']\n")
    local err = failure(container.compose, { file = file })
    assert.matches("no settings", err.message)
    assert.matches("3", err.message)
    assert.equal("SERVICE", failure(container.compose, { file = file, wait = { ap = false } }).code)
  end)

  it("leaves a project of somebody else alone, and removes one of a process that is gone", function()
    local e = container.engine()
    local function foreign(name)
      e:ask("POST", "/containers/create", "create", { json = { Image = "busybox",
        Labels = { ["com.docker.compose.project"] = name, ["com.docker.compose.service"] = "app" } } })
    end
    local file = dir:write("compose.yml", "version: '2.4'\nservices:\n  app:\n    image: busybox\n" ..
      "    command: sleep 1000\n")
    local name = "theirs" .. identity.current().pid
    foreign(name)
    local err = failure(container.compose, { file = file, project = name })
    assert.equal("NAME", err.code)
    assert.matches("already, of somebody else", err.message)
    assert.is_false(gone { name = name })
    -- the same, but with the mark of a process that is gone
    e:ask("POST", "/volumes/create", "create", { json = { Name = name .. "-of-itlua", Labels = {
      [owner.LABEL] = (identity.current().text:gsub("%d+$", "1")), [owner.MARKS] = name } } })
    local project <close> = container.compose { file = file, project = name }
    assert.same({ "app" }, project:services())
    project:down()
    assert.is_true(gone(project))
    assert.is_nil(e:find("/volumes/" .. name .. "-of-itlua", "look"))
  end)

  it("leaves nothing behind when it cannot come up", function()
    local file = dir:write("compose.yml", "version: '2.4'\nservices:\n  app:\n    image: busybox\n" ..
      "    command: ['no-such-program']\n")
    local err = failure(container.compose, { file = file, project = "itlua-broken" })
    assert.equal("COMPOSE", err.code)
    assert.matches("no%-such%-program", err.message)
    assert.is_true(gone { name = "itlua-broken" })
  end)
end)
