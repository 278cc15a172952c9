--- Kafka brokers to throw away: one process in KRaft mode, its data a copy of a template that was formatted once, in memory
-- where possible; Java starts with the classes of an earlier start (AppCDS), which takes half of the time off.

local core = require "itlua.core"
local encode = require "itlua.encode"
local fs = require "itlua.fs"
local home = require "itlua.services.kafka.home"
local native = require "itlua.services.native"
local process = require "itlua.process"
local show = require "itlua.show"

local broker = {}

local FORMAT = 1 -- of the template: counts up when it is made otherwise

local CLUSTER <const> = "aXRsdWEtb25lLWJyb2tlcg" -- 22 characters that are the base64 of a UUID

--- Settings of one broker that is alone: one partition of each of its own topics, no replicas, no waiting for others.
---@type table<string, string|number>
broker.settings = {
  ["process.roles"] = "broker,controller", ["node.id"] = 1, ["controller.listener.names"] = "CONTROLLER",
  ["inter.broker.listener.name"] = "PLAINTEXT",
  ["listener.security.protocol.map"] = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
  ["group.initial.rebalance.delay.ms"] = 0, ["num.partitions"] = 1, ["default.replication.factor"] = 1,
  ["min.insync.replicas"] = 1, ["offsets.topic.num.partitions"] = 1, ["offsets.topic.replication.factor"] = 1,
  ["transaction.state.log.num.partitions"] = 1, ["transaction.state.log.replication.factor"] = 1,
  ["transaction.state.log.min.isr"] = 1, ["share.coordinator.state.topic.num.partitions"] = 1,
  ["share.coordinator.state.topic.replication.factor"] = 1, ["share.coordinator.state.topic.min.isr"] = 1,
  ["auto.create.topics.enable"] = "true",
  ["log.cleaner.dedupe.buffer.size"] = 4 << 20, ["log.segment.bytes"] = 64 << 20, ["log.index.size.max.bytes"] = 1 << 20,
  ["num.network.threads"] = 2, ["num.io.threads"] = 4, ["group.min.session.timeout.ms"] = 100,
  ["log.retention.ms"] = -1, ["log.initial.task.delay.ms"] = 30000,
}

local jvm = {
  "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xlog:cds=off", "-Xlog:cds+dynamic=off",
  "-XX:-UsePerfData", "-Djava.awt.headless=true",
  "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showThreadName=false",
  "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
}

-- ---- its settings

local function properties(list)
  local lines = {}
  for _, name in ipairs(show.keys(list)) do lines[#lines + 1] = ("%s=%s"):format(name, tostring(list[name])) end
  return table.concat(lines, "\n") .. "\n"
end

local function settings_for(folder, ports, more)
  local all = {}
  for name, value in pairs(broker.settings) do all[name] = value end
  all["listeners"] = ("PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d"):format(ports.broker, ports.controller)
  all["advertised.listeners"] = ("PLAINTEXT://127.0.0.1:%d"):format(ports.broker)
  all["controller.quorum.voters"] = ("1@127.0.0.1:%d"):format(ports.controller)
  all["log.dirs"] = folder .. "/data"
  for name, value in pairs(more or {}) do all[name] = value end
  return properties(all)
end

-- Of a Kafka as Apache packs it: warnings and errors to stderr. Without any they would go nowhere.
local logging = {
  { "config/tools-log4j2.yaml", "-Dlog4j2.configurationFile=%s" },
  { "config/tools-log4j.properties", "-Dlog4j.configuration=file:%s" },
}

local function java(offer, words)
  local command = { offer.java, table.unpack(jvm) }
  for _, way in ipairs(logging) do
    local path = fs.join(offer.path, way[1])
    if fs.exists(path) then command[#command + 1] = way[2]:format(path) end
  end
  table.move(words, 1, #words, #command + 1, command)
  return command
end

-- Nothing of the user's own Kafka may get into it.
local clean = { KAFKA_OPTS = false, KAFKA_HEAP_OPTS = false, CLASSPATH = false, JDK_JAVA_OPTIONS = false, LC_ALL = "C" }

-- ---- the template

local function format(offer, folder)
  fs.write(folder .. "/server.properties", settings_for(folder, { broker = 9092, controller = 9093 }))
  local result = process.run {
    command = java(offer, { "-Xmx128m", "-cp", offer.path .. "/libs/*", "kafka.tools.StorageTool", "format", "-t", CLUSTER,
      "-c", folder .. "/server.properties" }),
    check = true, merge = true, env = clean, timeout = 120,
  }
  if not fs.exists(folder .. "/data/meta.properties") then
    core.raise("service", "FORMAT", "Kafka's StorageTool has formatted nothing:\n" .. result.stdout)
  end
end

local function name_of(offer)
  local jar = fs.stat(("%s/libs/kafka_%s-%s.jar"):format(offer.path, offer.scala, offer.version))
  return encode.sha256(("%s\0%s\0%s\0%d\0%.6f\0%d"):format(offer.path, fs.realpath(offer.java), offer.java_version, jar.size,
    jar.modified, FORMAT)):sub(1, 16)
end

-- The folder of this Kafka under this Java: data/, and once a broker has run, classes.jsa.
local function template(offer)
  local path = ("%s/template-%s-%s"):format(home.cache(), offer.version, name_of(offer))
  if fs.exists(path) then return path end
  fs.mkdir(home.cache())
  local made <close> = fs.tempdir { within = home.cache(), prefix = "made-" }
  format(offer, made.path)
  pcall(fs.rename, made.path, path) -- another may have been first
  return path
end

-- ---- the classes of an earlier start

local function archives(offer) return tonumber(offer.java_version:match "^%d+") >= 13 end

-- A broker that starts, takes a record, ends, and leaves its classes.
local function train(offer, from, classes)
  local work <close> = fs.tempdir { prefix = "itlua-kafka-" }
  local made = work:join "classes.jsa"
  local folder = work:join "run"
  fs.mkdir(folder)
  local fields = { host = "127.0.0.1", port = native.port() }
  local p <close> = broker.launch(offer, from, folder, fields, { "-XX:ArchiveClassesAtExit=" .. made })
  local probe = require("itlua.kafka.mock").probe
  for _ = 1, 100 do
    if pcall(probe, "127.0.0.1:" .. fields.port, 0.5, "itlua-ready") or not p:running() then break end
  end
  p:stop { grace = 60 }
  if not fs.exists(made) then return end
  fs.copy(made, classes .. ".part")
  fs.rename(classes .. ".part", classes)
end

--- Makes what later starts are faster by, where it is not there: the formatted folder, the classes.
---@param offer itlua.services.KafkaHome
---@return string folder
---@return string? classes
function broker.prepare(offer)
  local from = template(offer)
  local classes = from .. "/classes.jsa"
  if not archives(offer) then return from end
  if not fs.exists(classes) then
    local ok = pcall(train, offer, from, classes)
    if not ok or not fs.exists(classes) then return from end
  end
  return from, classes
end

-- ---- a broker

-- One that was killed is thought to be alive until its session ends, and no other may take its place: 9 seconds.
local short_session = { ["broker.session.timeout.ms"] = 1500, ["broker.heartbeat.interval.ms"] = 250 }

local function settings_of(folder, more)
  local all = {}
  local killed = fs.exists(folder .. "/data") and not fs.exists(folder .. "/data/.kafka_cleanshutdown")
  for name, value in pairs(killed and short_session or {}) do all[name] = value end
  for name, value in pairs(more or {}) do all[name] = value end
  return all
end

--- Its process, on a folder that is filled from the template where it is empty.
---@param offer itlua.services.KafkaHome
---@param from string         the template
---@param folder string
---@param fields { port: integer }
---@param options string[]    for Java
---@param more? table<string, string|number|boolean>   settings
---@return itlua.Process
function broker.launch(offer, from, folder, fields, options, more)
  local own = settings_of(folder, more)
  if not fs.exists(folder .. "/data") then fs.copy(from .. "/data", folder .. "/data", { recursive = true }) end
  fs.write(folder .. "/server.properties",
    settings_for(folder, { broker = fields.port, controller = native.port() }, own))
  local words = { "-Xmx256m", table.unpack(options) }
  for _, word in ipairs { "-cp", offer.path .. "/libs/*", "kafka.Kafka", folder .. "/server.properties" } do
    words[#words + 1] = word
  end
  return process.start { command = java(offer, words), merge = true, env = clean, cwd = folder }
end

--- Starts one.
---@param context itlua.services.Context
---@param offer itlua.services.KafkaHome
---@return itlua.services.Instance
function broker.start(context, offer)
  local folder = context.folder()
  local from, classes = broker.prepare(offer)
  local fields = { host = "127.0.0.1", port = context.own_port or context.port(), version = offer.version }
  local instance = { fields = fields }
  local options = table.move(context.spec.jvm or {}, 1, #(context.spec.jvm or {}), 1, {})
  if classes then table.insert(options, 1, "-XX:SharedArchiveFile=" .. classes) end
  function instance:launch()
    self.process = broker.launch(offer, from, folder, fields, options, context.spec.settings)
  end
  instance:launch()
  return instance
end

return broker
