package.path = "tests/specs/services/?.lua;" .. package.path
local container = require "itlua.container"
local fs = require "itlua.fs"
local process = require "itlua.process"
local project = require "support.project"
local task = require "itlua.task"

local function missing()
  local ok, why = container.available()
  if not ok then return why:match "[^\n]*" end
  for _, image in ipairs { "redis:7-alpine", "busybox" } do
    if not container.image(image) then return "the engine has no " .. image end
  end
  ok, why = pcall(require("itlua.container.compose").tool)
  if not ok then return why.message end
end

local FILE = [[
version: "2.4"
services:
  cache:
    image: redis:7-alpine
    ports: ["127.0.0.1::6379"]
  web:
    image: busybox
    command: sh -c "echo hello ${WHO}; mkdir /www; echo fine > /www/health; exec httpd -f -p 80 -h /www"
    ports: ["127.0.0.1::80", "127.0.0.1::81"]
    volumes: ["data:/data"]
  extra:
    image: busybox
    command: sleep 1000
    profiles: ["more"]
volumes:
  data: {}
]]

describe("a compose project as a service", function()
  local why = missing()
  if why then
    pending("cannot be tried here: " .. why)
    return
  end
  local engine = { DOCKER_HOST = os.getenv "DOCKER_HOST" or false }

  local function of_project(name)
    return container.engine():ask("GET", "/containers/json", "list", { query = { all = "true",
      filters = { label = { "com.docker.compose.project=" .. name } } } })
  end

  it("is up for all, others refer to its services, and it is taken down", function()
    local dir = project.new {
      ["compose.yml"] = FILE,
      ["itlua.lua"] = project.settings([[
        stack = { kind = "compose", file = "compose.yml", profiles = { "more" }, env = { WHO = "there" },
          ready = { web = { http = "/health", port = 80 } } },
        app = ]] .. project.app [[env = { PORT = "${app.port}", CACHE = "${stack.cache.url}", WEB = "${stack.web:80.url}" },
          ready = { http = "/health" }]]),
      ["specs/a_spec.lua"] = [[
        local services, http, redis = require "itlua.services", require "itlua.http", require "itlua.redis"
        local stack = services.stack
        it("answers", function()
          assert.equal(("http://127.0.0.1:%d"):format(stack.cache.port), stack.cache.url)
          local r <close> = redis.connect { host = stack.cache.host, port = stack.cache.port }
          assert.equal("PONG", r:ping())
          assert.equal("fine\n", http.get(("http://127.0.0.1:%d/health"):format(stack.web.ports["80"])).body)
          assert.is_truthy(stack:logs():find("web | hello there", 1, true))
          assert.equal(stack.cache.url, http.get(services.app.url .. "/env/CACHE").body)
          assert.is_truthy(http.get(services.app.url .. "/env/WEB").body:find(stack.web.ports["80"], 1, true))
        end)
        it("has containers", function()
          local c = stack:service "cache"
          assert.equal("PONG\n", c:exec("redis-cli ping").stdout)
          c:pause()
          c:unpause()
          assert.is_true(stack:service("extra"):running())
          assert.is_truthy(tostring(select(2, pcall(stack.service, stack, "cahe"))):find("did you mean cache", 1, true))
          require("itlua.fs").write("name", c:inspect().Config.Labels["com.docker.compose.project"])
        end)
        it("restarts", function()
          stack:restart { timeout = 1 }
          local r <close> = redis.connect { host = stack.cache.host, port = stack.cache.port }
          assert.equal("PONG", r:ping())
        end)
      ]],
    }
    project.passes(dir, { "-j", "1" }, engine)
    local name = fs.read(dir:join "name")
    assert.equal(0, #of_project(name))
    assert.is_nil(container.engine():find("/volumes/" .. name .. "_data", "look"))
  end)

  it("is kept between runs, until it is taken down", function()
    local dir = project.new {
      ["compose.yml"] = FILE,
      ["itlua.lua"] = project.settings [[stack = { kind = "compose", file = "compose.yml", services = { "cache" } }]],
      ["specs/a_spec.lua"] = [[
        it("finds it", function()
          local c = require("itlua.services").stack:service "cache"
          require("itlua.fs").write("name", c:inspect().Config.Labels["com.docker.compose.project"])
        end)
      ]],
    }
    assert.equal(0, project.run(dir, { "services", "up" }, engine).code)
    project.passes(dir, { "-j", "1" }, engine)
    local name = fs.read(dir:join "name")
    assert.equal(1, #of_project(name))
    assert.equal(0, project.run(dir, { "services", "down" }, engine).code)
    assert.equal(0, #of_project(name))
  end)

  it("is gone when the run is killed", function()
    local dir = project.new {
      ["compose.yml"] = FILE,
      ["itlua.lua"] = project.settings [[stack = { kind = "compose", file = "compose.yml", services = { "cache" } }]],
      ["specs/a_spec.lua"] = [[
        it("hangs", function()
          local c = require("itlua.services").stack:service "cache"
          require("itlua.fs").write("name", c:inspect().Config.Labels["com.docker.compose.project"], { atomic = true })
          require("itlua.task").sleep(60)
        end)
      ]],
    }
    local run = process.start { command = { process.self(), "-j", "1" }, cwd = dir.path, merge = true, env = engine }
    local name = task.eventually(function() return fs.read(dir:join "name") end, { timeout = 60 })
    assert.equal(1, #of_project(name))
    run:signal "KILL"
    run:wait()
    task.eventually(function()
      return #of_project(name) == 0 and not container.engine():find("/volumes/" .. name .. "-of-itlua", "look")
    end, { timeout = 30 })
  end)

  local function said(services, more, env)
    local files = { ["itlua.lua"] = project.settings(services),
      ["specs/a_spec.lua"] = [[it("is told", function() return require("itlua.services").stack.web end)]] }
    for path, text in pairs(more or {}) do files[path] = text end
    local all = { DOCKER_HOST = engine.DOCKER_HOST }
    for name, value in pairs(env or {}) do all[name] = value end
    local result = project.run(project.new(files), { "-o", "TAP" }, all)
    assert.equal(1, result.code)
    return result.stdout
  end

  local function has(text, part)
    if not text:find(part, 1, true) then error(("%q is not in\n%s"):format(part, text), 2) end
  end

  it("that is not valid, or not there, or of which no tool is there, says so", function()
    local stack = [[stack = { kind = "compose", file = "compose.yml" }]]
    local text = said(stack, { ["compose.yml"] = "services:\n  web:\n    imgae: busybox\n" })
    has(text, "service stack: container.compose: the compose file is not valid")
    has(text, "imgae")
    has(said(stack), "there is no file compose.yml")
    text = said(stack, { ["compose.yml"] = FILE }, { PATH = "/nowhere" })
    has(text, "service stack (compose) cannot be had here")
    has(text, "needs docker compose, docker-compose or podman compose")
    text = said([[stack = { kind = "process", command = "true", env = { URL = "${other.wbe.url}" } },
      other = { kind = "compose", file = "compose.yml", services = { "cache" } }]], { ["compose.yml"] = FILE })
    has(text, "the compose project has no service 'wbe' (there is cache)")
  end)
end)
