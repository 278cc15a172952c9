package.path = "tests/specs/services/?.lua;" .. package.path
local container = require "itlua.container"
local project = require "support.project"

-- The same through a container engine, with the images it has.

local images = { "postgres:16-alpine", "redis:7-alpine", "busybox" }

local function missing()
  local ok, why = container.available()
  if not ok then return why:match "[^\n]*" end
  for _, image in ipairs(images) do
    if not container.image(image) then return "the engine has no " .. image end
  end
end

describe("services in containers", function()
  local why = missing()
  if why then
    pending("cannot be tried here: " .. why)
    return
  end
  local engine = { DOCKER_HOST = os.getenv "DOCKER_HOST" or false }

  it("are those of the installed programs", function()
    local dir = project.new {
      ["itlua.lua"] = project.settings [[
        db = { kind = "postgres", version = 16, provider = "docker", migrations = "db" },
        cache = { kind = "redis", provider = "docker" },
        web = { kind = "container", image = "busybox", port = 8080, command = "httpd -f -v -p 8080 -h /etc",
          ready = { http = "/hostname" } }]],
      ["db/001_orders.up.sql"] = "CREATE TABLE orders (id serial PRIMARY KEY);\n",
      ["specs/b_spec.lua"] = [[
        local services = require "itlua.services"
        it("has a database of the file's own", function()
          local db = services.db:connect()
          assert.equal(0, db:value "SELECT count(*) FROM orders")
        end)
      ]],
      ["specs/a_spec.lua"] = [[
        -- itlua: alone
        local services, sql = require "itlua.services", require "itlua.sql"
        local http = require "itlua.http"
        it("has a database", function()
          assert.equal("docker", services.db.provider)
          local db <close> = services.db:connect { by = false }
          assert.equal(0, db:value "SELECT count(*) FROM orders")
          assert.equal("16", db:value("SHOW server_version"):match "^%d+")
        end)
        it("has what it prints", function()
          local log <close> = services.web:capture()
          http.get(services.web.url .. "/nothing")
          log:wait_for("response:404", { timeout = 20 })
        end)
        it("has keys", function()
          local r = services.cache:connect()
          r:set("k", "v")
          assert.equal("v", r:get "k")
        end)
        it("restarts and pauses, at the same place", function()
          local url = services.db.url
          services.db:restart()
          assert.equal(url, services.db.url)
          services.db:pause()
          assert.has_error(function() sql.connect { url = url, timeout = 0.3 } end)
          services.db:resume()
          local db <close> = sql.connect(url)
          assert.equal(0, db:value "SELECT count(*) FROM orders")
          assert.is_truthy(services.db:logs():find "database system is ready")
        end)
        it("has any image", function()
          assert.equal(200, http.get(services.web.url .. "/hostname").status)
          assert.is_truthy(services.cache:logs():find "Ready to accept connections")
        end)
      ]],
    }
    project.passes(dir, { "-j", "1", "-v" }, engine)
  end)

  it("say why they do not get ready", function()
    local dir = project.new {
      ["itlua.lua"] = project.settings [[web = { kind = "container", image = "busybox", port = 8080,
        command = "echo cannot begin; exit 3" }]],
      ["specs/a_spec.lua"] = [[it("is told", function() return require("itlua.services").web.url end)]],
    }
    local result = project.run(dir, { "-o", "TAP" }, engine)
    assert.equal(1, result.code)
    assert.is_truthy(result.stdout:find("service web: busybox", 1, true), result.stdout)
    assert.is_truthy(result.stdout:find("with code 3", 1, true), result.stdout)
    assert.is_truthy(result.stdout:find("cannot begin", 1, true), result.stdout)
  end)
end)
