package.path = "tests/specs/services/?.lua;" .. package.path
local container = require "itlua.container"
local project = require "support.project"

-- A broker of the official image, on a real engine.

local IMAGE <const> = "apache/kafka:4.3.1"

local function missing()
  local ok, why = container.available()
  if not ok then return why:match "[^\n]*" end
  if not container.image(IMAGE) then return "the engine has no " .. IMAGE end
end

describe("a broker in a container", function()
  local why = missing()
  if why then
    pending("cannot be tried here: " .. why)
    return
  end
  local engine = { DOCKER_HOST = os.getenv "DOCKER_HOST" or false, KAFKA_BROKERS = false }

  it("is reached at the place that it names, stops, dies and comes back with its records", function()
    local dir = project.new {
      ["itlua.lua"] = project.settings [[bus = { kind = "kafka", provider = "docker", version = "4.3",
        settings = { ["num.partitions"] = 3, ["message.max.bytes"] = 5000 }, startup_timeout = 120 }]],
      ["specs/a_spec.lua"] = [[
        local services, process = require "itlua.services", require "itlua.process"
        local bus, probe = services.bus, require("itlua.kafka.mock").probe
        local function kcat(...)
          return process.run { command = { "kcat", "-b", bus.brokers, ... }, check = true, input = "one\n", timeout = 60 }
            .stdout
        end
        it("works", function()
          assert.equal("docker", bus.provider)
          local place = bus.brokers
          local metadata = kcat("-L")
          assert.is_truthy(metadata:find("broker 1 at " .. place, 1, true), metadata)
          do
            local k <close> = bus:connect()
            k:transaction(function(tx) tx:publish("paid", "x") end)
            assert.has_error(function() k:transaction(function(tx) tx:publish("paid", "y") error("no", 0) end) end)
            local paid <close> = k:capture("paid", { from = "beginning" })
            paid:expect_once("x", { timeout = 20, fence = true })
            paid:expect_none("y", { fence = true })
          end
          kcat("-P", "-t", "t", "-p", "2")
          assert.equal("one\n", kcat("-C", "-t", "t", "-e", "-q"))
          bus:restart()
          assert.equal(place, bus.brokers)
          assert.equal("one\n", kcat("-C", "-t", "t", "-e", "-q"))
          bus:signal "KILL"
          bus:restart()
          assert.equal("one\n", kcat("-C", "-t", "t", "-e", "-q"))
          bus:pause()
          assert.has_error(function() probe(place, 0.3) end)
          bus:resume()
          probe(place, 20)
          assert.is_truthy(bus:logs():find "Kafka Server started")
        end)
      ]],
    }
    local text = project.passes(dir, { "-j", "1", "--timeout=200" }, engine)
    assert.is_truthy(text:find("bus  container " .. IMAGE .. " (docker", 1, true), text)
  end)

  it("says why it did not get ready", function()
    local dir = project.new {
      ["itlua.lua"] = project.settings [[bus = { kind = "kafka", provider = "docker",
        settings = { ["num.partitions"] = "many" } }]],
      ["specs/a_spec.lua"] = [[it("is told", function() return require("itlua.services").bus.url end)]],
    }
    local result = project.run(dir, { "--timeout=100" }, engine)
    assert.equal(1, result.code, result.stdout)
    assert.is_truthy(result.stdout:find("Invalid value many for configuration num.partitions", 1, true), result.stdout)
    assert.is_truthy(result.stdout:find("the container exited after", 1, true), result.stdout)
  end)

  it("is not one of a version that nobody has", function()
    local dir = project.new {
      ["itlua.lua"] = project.settings [[bus = { kind = "kafka", provider = "docker", version = "0.1" }]],
      ["specs/a_spec.lua"] = [[it("is told", function() return require("itlua.services").bus.url end)]],
    }
    local result = project.run(dir, { "--timeout=100" }, engine)
    assert.equal(1, result.code, result.stdout)
    assert.is_truthy(result.stdout:find("apache/kafka:0.1", 1, true), result.stdout)
  end)
end)
