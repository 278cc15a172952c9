package.path = "tests/specs/services/?.lua;" .. package.path
local fs = require "itlua.fs"
local project = require "support.project"
local server = require "itlua.server"

-- Brokers as services. What a broker does is in tests/specs/kafka.

local own = { KAFKA_BROKERS = false, KAFKA_HOME = false, JAVA_HOME = false }

local function environment(more)
  local env = {}
  for _, list in ipairs { own, more or {} } do
    for name, value in pairs(list) do env[name] = value end
  end
  return env
end

-- A project with a spec that uses `bus`, described by this Lua.
local function using(description, spec)
  return project.new {
    ["itlua.lua"] = project.settings("bus = " .. description),
    ["specs/a_spec.lua"] = spec or [[it("is told", function() return require("itlua.services").bus.url end)]],
  }
end

local function told(dir, env)
  local result = project.run(dir, { "--timeout=100" }, environment(env))
  assert.equal(1, result.code, result.stdout)
  return result.stdout
end

-- Something in the place of Java.
local function java(script)
  local dir = fs.tempdir { prefix = "itlua-java-" }
  fs.chmod(dir:write("bin/java", "#!/bin/sh\n" .. script), "755")
  return dir.path
end

-- A folder that looks like a Kafka.
local function looks_like(version)
  local dir = fs.tempdir { prefix = "itlua-kafka-" }
  dir:write(("libs/kafka_2.13-%s.jar"):format(version), "")
  return dir.path
end

describe("a service of kind kafka", function()
  describe("that cannot be had says why:", function()
    local function refused(description, env)
      local text = told(using(description), env)
      assert.is_truthy(text:find("service bus (kafka", 1, true), text)
      assert.is_truthy(text:find("cannot be had here", 1, true), text)
      return text
    end
    local function says(expected, text) assert.is_truthy(text:find(expected, 1, true), text) end

    it("no Kafka in its folder", function()
      local empty = fs.tempdir()
      says(("option 'home' is %s, which has no libs/kafka_*.jar"):format(empty.path),
        refused(([[{ kind = "kafka", provider = "native", home = %q }]]):format(empty.path)))
      says("option 'home' is /nowhere/kafka, which is no folder",
        refused [[{ kind = "kafka", provider = "native", home = "/nowhere/kafka" }]])
      says("KAFKA_HOME is /nowhere, which is no folder",
        refused([[{ kind = "kafka", provider = "native" }]], { KAFKA_HOME = "/nowhere" }))
    end)

    it("another version", function()
      says("version 2.8 was asked for, there is 4.3.1",
        refused([[{ kind = "kafka", provider = "native", version = "2.8" }]], { KAFKA_HOME = looks_like "4.3.1" }))
      says("is too old: 3.3 is the first without ZooKeeper",
        refused([[{ kind = "kafka", provider = "native" }]], { KAFKA_HOME = looks_like "2.8.2" }))
    end)

    it("no Java", function()
      local kafka = looks_like "4.3.1"
      says("JAVA_HOME is /nowhere, which has no bin/java",
        refused([[{ kind = "kafka", provider = "native" }]], { KAFKA_HOME = kafka, JAVA_HOME = "/nowhere" }))
      says("there is no java in JAVA_HOME or PATH",
        refused([[{ kind = "kafka", provider = "native" }]], { KAFKA_HOME = kafka, PATH = "/nowhere" }))
    end)

    it("a Java that is too old", function()
      local folder = java [[echo 'openjdk version "11.0.22" 2024-01-16' >&2]]
      says(("Kafka 4.3.1 needs Java 17 or newer, %s/bin/java is 11.0.22"):format(folder),
        refused([[{ kind = "kafka", provider = "native" }]], { KAFKA_HOME = looks_like "4.3.1", JAVA_HOME = folder }))
    end)

    it("a Java that cannot be run", function()
      says("/bin/java cannot be run, or does not say its version",
        refused([[{ kind = "kafka", provider = "native" }]], { KAFKA_HOME = looks_like "4.3.1", JAVA_HOME = java "exit 3" }))
    end)

    it("KAFKA_BROKERS where none answers", function()
      local text = refused([[{ kind = "kafka", provider = "environment" }]], { KAFKA_BROKERS = "127.0.0.1:1" })
      says("KAFKA_BROKERS is set, but no broker answers: ", text)
      says("Connection refused", text)
    end)
  end)

  it("whose Java ends at once is shown with its last words", function()
    local folder = java [[
      case "$*" in
      -version) echo 'openjdk version "21.0.1"' >&2 ;;
      *StorageTool*) for last; do :; done
        data=$(sed -n 's/^log.dirs=//p' "$last"); mkdir -p "$data"; touch "$data/meta.properties" ;;
      *) echo "Error: could not begin"; exit 4 ;;
      esac]]
    local text = told(using [[{ kind = "kafka", provider = "native" }]],
      { KAFKA_HOME = looks_like "4.3.1", JAVA_HOME = folder, ITLUA_CACHE = fs.tempdir().path })
    assert.is_truthy(text:find("its process exited with code 4", 1, true), text)
    assert.is_truthy(text:find("Error: could not begin", 1, true), text)
    assert.is_truthy(text:find("✗ metadata with a broker", 1, true), text)
  end)

  describe("that is embedded", function()
    it("is librdkafka's mock cluster, which keeps its records when it is stopped", function()
      local dir = using([[{ kind = "kafka", provider = "embedded" }]], [[
        local services, task = require "itlua.services", require "itlua.task"
        local bus, probe = services.bus, require("itlua.kafka.mock").probe
        it("comes back", function()
          assert.equal("embedded", bus.provider)
          local place, pid = bus.brokers, bus.pid
          assert.is_truthy(probe(place, 20).cluster:find "^mockCluster")
          bus:stop()
          assert.has_error(function() probe(place, 1) end)
          assert.equal("stopped", bus.state)
          bus:start()
          assert.equal(pid, bus.pid)
          assert.equal(place, bus.brokers)
          probe(place, 20, "t")
          bus:pause()
          assert.has_error(function() probe(place, 0.3) end)
          bus:resume()
          probe(place, 20, "t")
        end)
        it("is another after its death", function()
          local pid = bus.pid
          bus:signal "KILL"
          task.eventually(function() return bus.state == "ended" end, { timeout = 20 })
          bus:restart()
          assert.are_not.equal(pid, bus.pid)
          probe(bus.brokers, 20, "t")
        end)
      ]])
      local text = project.passes(dir, { "-j", "1", "--timeout=100" }, environment())
      assert.is_truthy(text:find "bus  librdkafka [%d.]+'s mock cluster %(embedded, ", text)
    end)

    it("has the topics that are named", function()
      local dir = using([[{ kind = "kafka", provider = "embedded", topics = { "a", b = { partitions = 7 } } }]], [[
        it("has them", function()
          local bus = require("itlua.services").bus:connect()
          assert.same({ "a", "b" }, bus:topics())
          assert.equal(1, #bus:describe_topic("a").partitions)
          assert.equal(7, #bus:describe_topic("b").partitions)
        end)
      ]])
      project.passes(dir, {}, environment())
    end)

    it("lets nobody begin a transaction, for it would show what was aborted", function()
      local dir = using([[{ kind = "kafka", provider = "embedded" }]], [[
        it("is told", function()
          local bus = require("itlua.services").bus:connect()
          bus.embedded = false -- as another client, which does not know
          assert.raises({ kind = "kafka" }, bus.transaction, bus, function(tx) tx:publish("t", "x") end, { timeout = 10 })
          assert.raises({ kind = "kafka" }, bus.transaction, bus, function(tx)
            tx:commit_offsets({ group = "g" }, { { topic = "t", partition = 0, offset = 1 } })
          end, { timeout = 10 })
        end)
      ]])
      project.passes(dir, { "--timeout=60" }, environment())
    end)

    it("takes no settings of a broker", function()
      local text = told(using [[{ kind = "kafka", provider = "embedded", settings = { ["num.partitions"] = 2 } }]])
      assert.is_truthy(text:find("it is librdkafka's mock cluster, which takes no settings", 1, true), text)
    end)

    it("is what a machine with nothing else has, and says so", function()
      local text = project.run(using [[{ kind = "kafka" }]], { "doctor" },
        environment { JAVA_HOME = "/nowhere", KAFKA_HOME = looks_like "4.3.1" }).stdout
      assert.is_truthy(text:find("ok  bus            embedded: librdkafka", 1, true), text)
      assert.is_truthy(text:find("(not environment: KAFKA_BROKERS is not set; not ", 1, true), text)
      assert.is_truthy(text:find("not native: JAVA_HOME is /nowhere, which has no bin/java", 1, true), text)
    end)
  end)

  it("refuses what makes no sense before anything is started", function()
    for description, expected in pairs {
      [ [[settings = { a = {} }]] ] = "settings must be names and values",
      [ [[topics = { 7 }]] ] = "topics must be names, or names with a table",
      [ [[topics = { a = 7 }]] ] = "topics must be names, or names with a table",
      [ [[topics = { a = { partition = 7 } }]] ] = "topics.a has no 'partition' (there is partitions, config)",
      [ [[topics = "a"]] ] = "services.bus.topics must be a table, not a string",
      [ [[topic = {}]] ] = "services.bus has no option 'topic' (did you mean topics?)",
      [ [[provider = "podman"]] ] = "no provider 'podman' of kafka (there is environment, docker, native, embedded)",
    } do
      local result = project.run(using(("{ kind = 'kafka', %s }"):format(description)), {}, environment())
      assert.equal(2, result.code, result.stdout)
      assert.is_truthy(result.stdout:find(expected, 1, true), result.stdout)
    end
  end)

  it("is that of the environment, which is not ours to stop", function()
    local cluster <close> = require("itlua.kafka.mock").start {}
    local dir = using([[{ kind = "kafka" }]], [[
      it("is used", function()
        local services = require "itlua.services"
        assert.equal("environment", services.bus.provider)
        assert.equal(os.getenv "KAFKA_BROKERS", services.bus.brokers)
        local bus = services.bus:connect()
        bus:publish("t", "x")
        assert.raises({ kind = "service", code = "NOT_OURS" }, services.bus.stop, services.bus)
      end)
    ]])
    project.passes(dir, {}, environment { KAFKA_BROKERS = cluster:addresses() })
  end)

  local there, why = require("itlua.services.kafka.home").find {}
  if not there then
    pending("cannot be tried here: " .. tostring(why))
    return
  end

  it("is an Apache Kafka: one for all files, that stops, dies and comes back with its records", function()
    local dir = using([[{ kind = "kafka", provider = "native", settings = { ["num.partitions"] = 3 },
      topics = { "a", b = { partitions = 7, config = { ["cleanup.policy"] = "compact" } } }, jvm = { "-Xmx300m" } }]], [[
      local bus = require("itlua.services").bus
      it("takes records and keeps them", function()
        assert.equal("native", bus.provider)
        assert.equal("127.0.0.1:" .. bus.port, bus.brokers)
        assert.equal("kafka://" .. bus.brokers, bus.url)
        local k <close> = bus:connect()
        assert.same({ "a", "b" }, k:topics())
        assert.equal(3, #k:describe_topic("a").partitions)
        assert.equal(7, #k:describe_topic("b").partitions)
        assert.equal("compact", k:describe_topic("b").config["cleanup.policy"])
        k:publish("t", "one", { key = "k" })
        local place = bus.brokers
        bus:restart()
        assert.equal(place, bus.brokers)
        k:publish("t", "two", { key = "k" })
        bus:signal "KILL"
        bus:restart()
        local records <close> = k:capture("t", { from = "beginning" })
        records:expect_order({ "one", "two" }, { timeout = 20 })
        assert.is_truthy(bus:logs():find "Kafka Server started")
      end)
    ]])
    dir:write("specs/b_spec.lua", [[
      local services = require "itlua.services"
      it("is the same", function() require("itlua.fs").append("pids", services.bus.pid .. "\n") end)
    ]])
    local text = project.passes(dir, { "-j", "1", "--timeout=100" }, environment())
    assert.is_truthy(text:find("bus  Kafka " .. there.version, 1, true), text)
  end)

  it("says who has its port", function()
    local other <close> = server.listen()
    local text = told(using(([[{ kind = "kafka", provider = "native", port = %d }]]):format(other.port)))
    assert.is_truthy(text:find("ddress already in use", 1, true), text)
    assert.is_truthy(text:find("another program has its port", 1, true), text)
  end)

  it("shows a setting that its version does not take", function()
    local text = told(using [[{ kind = "kafka", provider = "native", settings = { ["num.partitions"] = "many" } }]])
    assert.is_truthy(text:find("Invalid value many for configuration num.partitions", 1, true), text)
    assert.is_truthy(text:find("one of its settings is not known to this version, or its value is none", 1, true), text)
  end)
end)
