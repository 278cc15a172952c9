--- Rows about Kafka: itlua.kafka against loops over librdkafka in C, and kcat, at the same broker: that of KAFKA_BROKERS, or
-- one that is started for all of them, with the Kafka that tests/ci/kafka fetches.

local core = require "itlua.core"
local fs = require "itlua.fs"
local peers = require "tests.bench.peers"

local started -- kept for all rows

local function brokers()
  local given = os.getenv "KAFKA_BROKERS"
  if given and given ~= "" then return given end
  if started then return started.address end
  local home = require "itlua.services.kafka.home"
  local offer, why = home.find {}
  if not offer then error(why, 0) end
  local broker, native = require "itlua.services.kafka.broker", require "itlua.services.native"
  local dir = fs.tempdir { prefix = "itlua-bench-kafka-" }
  local from, classes = broker.prepare(offer)
  local port = native.port()
  local folder = dir:join "run"
  fs.mkdir(folder)
  started = { dir = dir, address = "127.0.0.1:" .. port }
  started.process = broker.launch(offer, from, folder, { port = port }, { classes and "-XX:SharedArchiveFile=" .. classes })
  local probe = require("itlua.kafka.mock").probe
  for _ = 1, 100 do
    if pcall(probe, started.address, 0.5, "itlua-ready") then return started.address end
    core.sleep(0.1)
  end
  error("the broker did not start: " .. started.process:output(), 0)
end

local made = 0

-- A new topic with one partition.
local function topic()
  made = made + 1
  local name = ("bench-%d-%d"):format(math.random(1 << 30), made)
  local k <close> = require("itlua.kafka").connect(brokers())
  k:create_topic(name, { partitions = 1 })
  return name
end

local connect = [[
  local kafka = require "itlua.kafka"
  local k = kafka.connect %q
  local topic = %q
]]

local function before(name, more)
  return connect:format(brokers(), name) .. (more or "")
end

local VALUE <const> = '{"id":1,"customer":"c-1","status":"pending"}'

local function one_at_a_time(compare)
  local raw, name = peers.program("kafka_raw", "rdkafka"), topic()
  return compare(function()
    return peers.in_test(before(name, ('k:publish(topic, %q, { partition = 0 })'):format(VALUE)),
      ('for _ = 1, 3000 do k:publish(topic, %q, { partition = 0 }) end'):format(VALUE))
  end, function()
    return tonumber(peers.output { raw, brokers(), name, "publish", "3000" })
  end)
end

local function arriving(compare)
  local raw, name = peers.program("kafka_raw", "rdkafka"), topic()
  return compare(function()
    return peers.in_test(before(name, [[
      local cap = k:capture(topic)
      k:publish(topic, { i = 0 }, { partition = 0 })
      cap:wait_for { i = 0 }]]),
      'for i = 1, 2000 do k:publish(topic, { i = i }, { partition = 0 }) cap:wait_for { i = i } end') / 2000
  end, function()
    return tonumber(peers.output { raw, brokers(), name, "arrive", "2000" }) / 2000
  end)
end

-- A file of 100,000 lines.
local function file_of_events(dir)
  local lines = {}
  for i = 1, 100000 do
    lines[i] = ('{"id":%d,"customer":"c-%d","status":"%s","total":12.5,"note":"a line of some length"}'):format(i, i % 1000,
      i % 100 == 0 and "paid" or "pending")
  end
  return dir:write("events", table.concat(lines, "\n") .. "\n")
end

local function all_at_once(compare)
  local dir <close> = fs.tempdir()
  local path = file_of_events(dir)
  return compare(function()
    return peers.in_test(('local name, address, path = %q, %q, %q'):format(topic(), brokers(), path), [[
      local k <close> = require("itlua.kafka").connect(address)
      local lines = {}
      for line in io.lines(path) do lines[#lines + 1] = line end
      assert(#k:publish_all(name, lines) == 100000)]])
  end, function()
    return (peers.timed { "kcat", "-P", "-b", brokers(), "-t", topic(), "-l", path })
  end)
end

local function filtered(compare)
  local dir <close> = fs.tempdir()
  local name = topic()
  peers.timed { "kcat", "-P", "-b", brokers(), "-t", name, "-l", file_of_events(dir) }
  return compare(function()
    return peers.in_test(('local name, address = %q, %q'):format(name, brokers()), [[
      local k <close> = require("itlua.kafka").connect(address)
      local cap <close> = k:capture(name, { from = "beginning", filter = { status = "paid" } })
      assert(#cap:wait_for_count(1000, { timeout = 100 }) == 1000)]])
  end, function()
    return (peers.timed { "kcat", "-C", "-b", brokers(), "-t", name, "-o", "beginning", "-e", "-q" })
  end)
end

local function ready(compare)
  local name = topic()
  return compare(function() return peers.in_test(before(name), "k:capture(topic)") end)
end

return {
  { key = "kafka-publish", what = "Kafka: publish, acknowledged, one at a time", against = "a librdkafka loop in C",
    as = "rate", per = 3000, reach = 0.8, run = one_at_a_time },
  { key = "kafka-all", what = "Kafka: publish_all of 100,000", against = "kcat producing the same file", as = "rate",
    per = 100000, reach = 0.6, needs = { "kcat" }, run = all_at_once },
  { key = "kafka-capture", what = "Kafka: capture of 100,000 with a filter", against = "kcat consuming them to /dev/null",
    as = "rate", per = 100000, reach = 0.4, needs = { "kcat" }, run = filtered },
  { key = "kafka-arrive", what = "Kafka: publish to wait_for returning", against = "a librdkafka loop in C, tuned",
    as = "time", reach = 1.3, run = arriving },
  { key = "kafka-ready", what = "Kafka: a capture ready to see", against = "-", as = "seconds", reach = 0.05, run = ready },
}
