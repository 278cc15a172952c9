local brokers = require "tests.specs.kafka.support.brokers"
local fs = require "itlua.fs"
local json = require "itlua.json"
local kafka = require "itlua.kafka"
local task = require "itlua.task"

local failure = brokers.failure

brokers.each("publish", { "real", "embedded" }, function(connect, kind)
  local k
  setup(function() k = connect() end)

  it("returns partition and offset once acknowledged", function()
    local topic = k:topic "acknowledged"
    local cap <close> = k:capture(topic)
    local partition, offset = k:publish(topic, "first", { partition = 0 })
    assert.equal(0, partition)
    assert.equal(0, offset)
    assert.equal(1, select(2, k:publish(topic, "second", { partition = 0 })))
    assert.equal(1, cap:wait_for("second", { timeout = 20 }).offset)
  end)

  it("sends tables as JSON, strings as they are, nothing as a tombstone", function()
    local topic = k:topic "values"
    local cap <close> = k:capture(topic)
    k:publish(topic, { id = 9007199254740993 }, { partition = 0 })
    k:publish(topic, "plain text", { partition = 0 })
    k:publish(topic, "", { partition = 0 })
    k:publish(topic, nil, { key = "gone", partition = 0 })
    local records = cap:wait_for_count(4, { timeout = 20 })
    assert.same({ id = 9007199254740993 }, records[1].value)
    assert.equal('{"id":9007199254740993}', records[1].payload)
    assert.equal("plain text", records[2].value)
    assert.equal("", records[3].value)
    assert.equal(kafka.null, records[4].value)
    assert.is_true(records[4].tombstone)
    assert.is_nil(records[4].payload)
    assert.equal("gone", records[4].key)
  end)

  it("carries keys, headers of any bytes and the time", function()
    local topic = k:topic "carried"
    local cap <close> = k:capture(topic)
    local bytes = "\0\1\255 binary \r\n"
    k:publish(topic, { a = 1 }, { key = bytes, headers = { trace = bytes, kind = "x" }, timestamp = 1700000000.25 })
    k:publish(topic, { a = 2 }, { headers = { { "twice", "1" }, { "twice", "2" }, { "empty", false } } })
    local first = cap:wait_for({ a = 1 }, { timeout = 20 })
    assert.equal(bytes, first.key)
    assert.same({ trace = bytes, kind = "x" }, first.headers)
    assert.equal(1700000000.25, first.timestamp)
    local second = cap:wait_for({ a = 2 }, { timeout = 20 })
    assert.equal("2", second.headers.twice)
    assert.same({ { "twice", "1" }, { "twice", "2" }, { "empty", false } }, second.header_list)
    assert.is_nil(second.key)
  end)

  it("keeps records of a key in one partition", function()
    local topic = k:topic("keyed", { partitions = 4 })
    local seen = {}
    for i = 1, 8 do seen[k:publish(topic, { i = i }, { key = "c-1" })] = true end
    local partition = next(seen)
    assert.is_nil(next(seen, partition))
  end)

  it("sends many at once, each with its acknowledgement, in order", function()
    local topic = k:topic "many"
    local cap <close> = k:capture(topic)
    local values = {}
    for i = 1, 2000 do values[i] = { i = i } end
    local acks = k:publish_all(topic, values, { partition = 0 })
    assert.equal(2000, #acks)
    assert.same({ partition = 0, offset = 0 }, acks[1])
    assert.same({ partition = 0, offset = 1999 }, acks[2000])
    local records = cap:wait_for_count(2000, { timeout = 30 })
    for i = 1, 2000 do assert.equal(i, records[i].value.i) end
    k:publish_all {
      { topic = topic, value = "x", key = "k", partition = 0 }, { topic = topic, value = { y = 1 }, partition = 0 },
    }
    assert.equal("k", cap:wait_for("x", { timeout = 20 }).key)
    assert.same({}, k:publish_all(topic, {}))
  end)

  it("sends more than librdkafka's queue holds, and keeps their order among others", function()
    local own <close> = kafka.connect { brokers = k.own.brokers, config = { ["queue.buffering.max.messages"] = 100 } }
    local topics, list = { own:topic "odd", own:topic "even" }, {}
    local cap <close> = own:capture(topics[1], topics[2])
    for i = 1, 3000 do
      list[i] = {
        topic = i > 1000 and topics[1] or topics[i % 2 + 1], value = i % 7 > 0 and { i = i } or nil, key = tostring(i),
        partition = 0, headers = i % 5 == 0 and { five = "yes" } or nil, timestamp = i % 3 == 0 and 1700000000 + i or nil,
      }
    end
    local acks, last = own:publish_all(list), {}
    assert.equal(3000, #acks)
    local found = {}
    for _, record in ipairs(cap:wait_for_count(3000, { timeout = 30 })) do found[record.topic .. record.offset] = record end
    for i, ack in ipairs(acks) do
      local topic = list[i].topic
      assert.equal(last[topic] or 0, ack.offset)
      last[topic] = ack.offset + 1
      local record = found[topic .. ack.offset]
      assert.same({ tostring(i), i % 7 == 0, i % 5 == 0 and "yes" or nil },
        { record.key, record.tombstone or false, record.headers and record.headers.five })
    end
  end)

  it("waits where librdkafka's queue is full of what others send, and tells what never fits into it", function()
    local own <close> = kafka.connect {
      brokers = k.own.brokers, config = { ["queue.buffering.max.messages"] = 20, ["queue.buffering.max.kbytes"] = 100 },
    }
    local topic = own:topic "crowded"
    local cap <close> = own:capture(topic)
    own:publish(topic, "first")
    local senders = {}
    for i = 1, 2 do
      senders[i] = function()
        local list = {}
        for n = 1, 300 do list[n] = { sender = i, n = n } end
        return own:publish_all(topic, list, { partition = 0 })
      end
    end
    for i = 3, 60 do
      senders[i] = function() return own:publish(topic, { sender = i, n = 1 }) end
    end
    task.all(senders)
    local last = {}
    for _, record in ipairs(cap:wait_for_count(659, { timeout = 30 })) do
      local value = record.value
      if value ~= "first" then
        assert.equal((last[value.sender] or 0) + 1, value.n)
        last[value.sender] = value.n
      end
    end
    local large = ("x"):rep(200000)
    local err = failure(own.publish, own, topic, large)
    assert.equal("_QUEUE_FULL", err.code)
    assert.matches("queue%.buffering%.max%.kbytes", err.message)
    assert.matches("1 of 3 records.*number 2", failure(own.publish_all, own, topic, { "a", large, "b" }).message)
    assert.equal(661, #cap:wait_for_count(661, { timeout = 30 }))
  end)

  it("takes keys from the values of a list", function()
    local topic = k:topic "keys"
    local cap <close> = k:capture(topic)
    k:publish_all(topic, { { id = "a" }, { id = "b" } }, { key = "id" })
    k:publish_all(topic, { { id = "c" } }, { key = function(value) return value.id .. "!" end })
    assert.equal("b", cap:wait_for({ id = "b" }, { timeout = 20 }).key)
    assert.equal("c!", cap:wait_for({ id = "c" }, { timeout = 20 }).key)
  end)

  it("uses the codec of a topic", function()
    local topic = k:topic "coded"
    k:codec(topic, {
      name = "reversed", encode = function(value) return json.encode(value):reverse() end,
      decode = function(bytes) return json.decode(bytes:reverse()) end,
    })
    local cap <close> = k:capture(topic)
    k:publish(topic, { id = 1 })
    local record = cap:wait_for({ id = 1 }, { timeout = 20 })
    assert.equal('}1:"di"{', record.payload)
    k:publish(topic, "as it is", { codec = "string" })
    local err = failure(cap.wait_for, cap, "as it is", { timeout = 20 })
    assert.equal("contract", err.kind)
    assert.matches("no value of the codec reversed", err.message)
    assert.matches("as it is", err.message)
  end)

  it("of a record that is too large says so", function()
    local topic = k:topic "large"
    local err = failure(k.publish, k, topic, ("x"):rep(2000000))
    assert.equal("kafka", err.kind)
    assert.equal("MSG_SIZE_TOO_LARGE", err.code)
    assert.matches("2000000 bytes", err.message)
    assert.matches("message%.max%.bytes", err.message)
    local list = failure(k.publish_all, k, topic, { "a", ("x"):rep(2000000), "b" })
    assert.equal("MSG_SIZE_TOO_LARGE", list.code)
    assert.matches("1 of 3 records.*number 2", list.message)
  end)

  it("refuses what it cannot send before anything is sent", function()
    assert.matches("a topic's name must be a string", failure(k.publish, k, nil, "x"))
    assert.matches("a key must be a string", failure(k.publish, k, "t", "x", { key = {} }))
    assert.matches("the header h must be a string", failure(k.publish, k, "t", "x", { headers = { h = {} } }))
    assert.matches("no option \"keys\"", failure(k.publish, k, "t", "x", { keys = "a" }))
    assert.matches("seconds since 1970", failure(k.publish, k, "t", "x", { timestamp = "now" }))
    assert.matches("record 2 is \"b\"", failure(k.publish_all, k, { { topic = "t", value = 1 }, "b" }))
    assert.matches("a codec is", failure(k.publish, k, "t", "x", { codec = "avro" }))
    assert.matches("partition is the number of one, from 0 on, not 4294967296",
      failure(k.publish, k, "t", "x", { partition = 4294967296 }))
    assert.matches("partition is the number of one, from 0 on, not \"x\"",
      failure(k.publish_all, k, "t", { "x" }, { partition = "x" }))
    assert.matches("seconds since 1970, not 1e%+300", failure(k.publish, k, "t", "x", { timestamp = 1e300 }))
    assert.matches("this begins with none: { id = 1 }", failure(k.publish_all, k, "t", { id = 1 }))
    assert.matches("this begins with none: { topic = \"t\" }", failure(k.publish_all, k, { topic = "t" }))
    assert.matches("number 2 of the list is nil; a tombstone is kafka.null", failure(k.publish_all, k, "t", { "a", nil, "c" }))
    assert.matches("publish_all of records has no options", failure(k.publish_all, k, { { topic = "t" } }, { key = "id" }))
    assert.matches("record 1 has no field \"id\", it is null", failure(k.publish_all, k, "t", { kafka.null }, { key = "id" }))
    assert.matches("a function has no JSON form", tostring(failure(k.publish, k, "t", { f = print })))
  end)

  it("says that a partition does not exist", function()
    local topic = k:topic "few"
    k:publish(topic, "x")
    local err = failure(k.publish, k, topic, "x", { partition = 77 })
    assert.matches("_?UNKNOWN_PARTITION", err.code)
    assert.matches("no such partition", err.message)
    local own <close> = kafka.connect { brokers = k.own.brokers, config = { ["queue.buffering.max.messages"] = 20 } }
    local list = {}
    for n = 1, 60 do list[n] = { topic = topic, value = "y", partition = n % 2 == 0 and 77 or nil } end
    assert.matches("^30 of 60 records were not acknowledged; the first is number 2: .*no such partition",
      failure(own.publish_all, own, list).message)
    own:publish(topic, "room again")
  end)

  it("is read again from a file", function()
    local topic, copy = k:topic "recorded", k:topic "replayed"
    local cap <close> = k:capture(topic)
    k:publish(topic, { id = 1, list = { 1, 2 } },
      { key = "a", headers = { { "h", "1" }, { "b", "\0\1" } }, timestamp = 1700000000 })
    k:publish(topic, "text")
    k:publish(topic, "\0\255")
    k:publish(topic, nil, { key = "\200" })
    cap:wait_for_count(4, { timeout = 20 })
    local dir <close> = fs.tempdir()
    local path = dir:join "events.jsonl"
    assert.equal(4, cap:save(path))
    local again <close> = k:capture(copy)
    local acks = k:replay(path, { topic = copy, timestamps = true })
    assert.equal(4, #acks)
    local records = again:wait_for_count(4, { timeout = 20 })
    local found = {}
    for _, record in ipairs(records) do found[record.payload or "none"] = record end
    local first = found['{"id":1,"list":[1,2]}']
    assert.equal("a", first.key)
    assert.same({ { "h", "1" }, { "b", "\0\1" } }, first.header_list)
    assert.equal(1700000000, first.timestamp)
    assert.is_table(found["text"])
    assert.is_table(found["\0\255"])
    assert.equal("\200", found.none.key)
    assert.equal(4, #k:replay(cap:events(), { topic = { [topic] = copy } }))
    dir:write("bad.jsonl", '{"topic":"a","value":1}\n{"value":2}\n')
    assert.matches("bad.jsonl:2 is no record of events", failure(k.replay, k, dir:join "bad.jsonl").message)
  end)

  if kind == "embedded" then
    it("says what an embedded broker cannot do", function()
      assert.is_true(k.embedded)
      for _, what in ipairs { "create_topic", "delete_topic", "add_partitions", "groups", "transaction", "describe_group",
        "delete_group", "group_lag" } do
        local err = failure(k[what], k, what == "transaction" and function() end or "name")
        assert.equal("EMBEDDED", err.code)
        assert.matches("needs a real broker", err.message)
      end
    end)
  end
end)

describe("connect", function()
  it("to a port where nothing listens fails at once and says why", function()
    local err = failure(kafka.connect, "127.0.0.1:1")
    assert.equal("kafka", err.kind)
    assert.matches("cannot connect to Kafka at 127.0.0.1:1", err.message)
    assert.matches("Connection refused", err.message)
  end)

  it("to a host that does not exist says why", function()
    local err = failure(kafka.connect, { brokers = "nowhere.invalid:9092", timeout = 20 })
    assert.matches("resolve", err.message)
  end)

  it("to something that is no broker says why", function()
    local server <close> = require("itlua.server").listen()
    local err = failure(kafka.connect, { brokers = "127.0.0.1:" .. server.port, timeout = 2 })
    assert.equal("kafka", err.kind)
    assert.matches("cannot connect to Kafka", err.message)
  end)

  it("takes librdkafka's properties and names the one that is wrong", function()
    assert.matches('config%["no.such.thing"%]: librdkafka %S+ has no such property',
      failure(kafka.connect, { brokers = "a:1", config = { ["no.such.thing"] = 1 } }))
    assert.matches('config%["linger.ms"%]', failure(function()
      local cluster <close> = require("itlua.kafka.mock").start {}
      local k <close> = kafka.connect { brokers = cluster:addresses(), config = { ["linger.ms"] = "soon" } }
      k:publish("t", "x")
    end))
    assert.matches("must be a string, a number or a boolean",
      failure(kafka.connect, { brokers = "a:1", config = { debug = {} } }))
    assert.matches("no option \"broker\"", failure(kafka.connect, { broker = "a:1" }))
    assert.matches("needs brokers", failure(kafka.connect, {}))
    assert.matches("needs brokers", failure(kafka.connect, nil))
  end)

  it("closes once, and says that it is closed", function()
    local cluster <close> = require("itlua.kafka.mock").start {}
    local k = kafka.connect(cluster:addresses())
    assert.matches("^kafka 127.0.0.1:%d+", tostring(k))
    k:close()
    k:close()
    assert.matches("is closed", tostring(k))
    assert.matches("closed", tostring(failure(k.publish, k, "t", "x")))
    assert.matches("closed", tostring(failure(k.capture, k, "t")))
  end)
end)
