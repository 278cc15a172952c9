local brokers = require "tests.specs.kafka.support.brokers"

local failure = brokers.failure
local patient = { timeout = 30 }

brokers.each("topics", { "real" }, function(connect)
  local k
  setup(function() k = connect() end)

  it("are created with partitions and settings, described and deleted", function()
    local name = k:topic("made", { create = false })
    k:create_topic(name, { partitions = 3, config = { ["cleanup.policy"] = "compact", ["retention.ms"] = 60000 } })
    k:publish_all(name, { { id = 1 }, { id = 2 } }, { key = "id", partition = 1 })
    local topic = k:describe_topic(name)
    assert.equal(3, #topic.partitions)
    assert.equal(0, topic.partitions[2].first)
    assert.equal(2, topic.partitions[2].end_offset)
    assert.equal("compact", topic.config["cleanup.policy"])
    assert.matches("compacted takes none without a key", brokers.failure(k.publish, k, name, "no key").message)
    assert.same({ ["cleanup.policy"] = "compact", ["retention.ms"] = "60000" },
      { ["cleanup.policy"] = topic.set["cleanup.policy"], ["retention.ms"] = topic.set["retention.ms"] })
    local err = failure(k.create_topic, k, name)
    assert.equal("TOPIC_ALREADY_EXISTS", err.code)
    k:add_partitions(name, 5)
    assert.equal(5, #k:describe_topic(name).partitions)
    assert.equal("INVALID_PARTITIONS", failure(k.add_partitions, k, name, 2).code)
    assert.is_true(k:has_topic(name))
    local listed = {}
    for _, one in ipairs(k:topics()) do listed[one] = true end
    assert.is_true(listed[name])
    k:delete_topic(name)
    require("itlua.task").eventually(function() return not k:has_topic(name) end, patient)
    assert.equal("UNKNOWN_TOPIC_OR_PART", failure(k.delete_topic, k, name).code)
    assert.equal("UNKNOWN_TOPIC_OR_PART", failure(k.describe_topic, k, name).code)
  end)

  it("that cannot be are refused", function()
    assert.equal("TOPIC_EXCEPTION", failure(k.create_topic, k, "no/such name").code)
    assert.equal("INVALID_CONFIG", failure(k.create_topic, k, k:topic("odd", { create = false }),
      { config = { ["cleanup.policy"] = "odd" } }).code)
    assert.matches("no option \"partition\"", failure(k.create_topic, k, "a", { partition = 1 }))
    assert.matches("must be a string", failure(k.create_topic, k, nil))
  end)

  it("of a file's own have the same name all the time, and no other's", function()
    local name = k:topic("own", { partitions = 2 })
    assert.equal(name, k:topic "own")
    assert.matches("^own%.%w+$", name)
    assert.not_equal("own", name)
    assert.equal(2, #k:describe_topic(name).partitions)
  end)

  it("that get more partitions are captured whole", function()
    local name = k:topic("grows", { partitions = 1 })
    local cap <close> = k:capture(name)
    k:add_partitions(name, 3)
    local other <close> = require("itlua.kafka").connect(k.brokers)
    other:publish(name, "new", { partition = 2 })
    cap:expect_none("never", { fence = true, timeout = 30 })
    assert.equal(2, cap:wait_for("new", patient).partition)
    k:publish(name, "known", { partition = 0 })
    k:add_partitions(name, 4)
    assert.equal(0, select(2, k:publish(name, "newest", { partition = 3 })))
    cap:wait_for("newest", patient)
  end)

  it("that are deleted end their captures", function()
    local name = k:topic("goes", { create = false })
    k:create_topic(name)
    local cap <close> = k:capture(name)
    k:publish(name, "before")
    cap:wait_for("before", patient)
    k:delete_topic(name)
    local err = failure(cap.wait_for, cap, "after", { timeout = 30 })
    assert.equal("kafka", err.kind)
    assert.matches("was deleted during the capture", err.message)
  end)

  it("that are made anew are captured anew", function()
    local name = k:topic("anew", { create = false })
    k:create_topic(name)
    local old <close> = k:capture(name)
    k:publish_all(name, { 1, 2, 3, 4 })
    old:wait_for_count(4, patient)
    for round = 1, 2 do
      k:delete_topic(name)
      k:create_topic(name)
      k:publish(name, "before")
      local cap <close> = k:capture(name)
      k:publish(name, "after")
      assert.equal(1, cap:wait_for("after", patient).offset)
      cap:expect_none("before", { fence = true, timeout = 30 })
      if round == 1 then assert.equal("kafka", failure(old.wait_for, old, "after", patient).kind) end
    end
  end)
end)

brokers.each("a transaction", { "real" }, function(connect)
  local k
  setup(function() k = connect() end)

  it("is seen as a whole once it is committed", function()
    local topic = k:topic "committed"
    local cap <close> = k:capture(topic)
    local early <close> = k:capture(topic, { isolation = "read_uncommitted" })
    local value = k:transaction(function(tx)
      tx:publish(topic, { id = 1 })
      tx:publish_all(topic, { { id = 2 }, { id = 3 } })
      early:wait_for({ id = 3 }, patient)
      assert.equal(0, #cap:events())
      return "done"
    end)
    assert.equal("done", value)
    assert.equal(3, #cap:wait_for_count(3, patient))
    k:transaction(function(tx) tx:publish(topic, { id = 4 }) end)
    cap:wait_for({ id = 4 }, patient)
  end)

  it("that fails is never seen, and its error is raised", function()
    local topic = k:topic "aborted"
    local cap <close> = k:capture(topic)
    local early <close> = k:capture(topic, { isolation = "read_uncommitted" })
    local err = failure(k.transaction, k, function(tx)
      tx:publish(topic, "never")
      error("changed my mind", 0)
    end)
    assert.equal("changed my mind", err)
    early:wait_for("never", patient)
    cap:expect_none(nil, { fence = true, timeout = 30 })
    k:transaction(function(tx) tx:publish(topic, "then") end)
    cap:wait_for("then", patient)
  end)

  it("that is open holds a fence back, which says how far it is", function()
    local topic = k:topic "open"
    local cap <close> = k:capture(topic)
    k:transaction(function(tx)
      tx:publish(topic, "inside")
      local err = failure(cap.expect_none, cap, "inside", { fence = true, timeout = 2 })
      assert.equal("NO_FENCE", err.code)
      assert.matches("read up to 0 of 1", err.message)
    end)
    cap:wait_for("inside", patient)
  end)

  it("takes a consumer's progress with it", function()
    local input, output, group = k:topic("input", { partitions = 1 }), k:topic "output", "transform-" .. k.id
    k:publish_all(input, { { n = 1 }, { n = 2 } })
    local c <close> = k:consumer { group = group, topics = input }
    local cap <close> = k:capture(output)
    k:transaction(function(tx)
      for _ = 1, 2 do tx:publish(output, { n = c:next(patient).value.n * 10 }) end
      tx:commit_offsets(c)
    end)
    cap:wait_for({ n = 20 }, patient)
    assert.equal(0, k:group_lag(group, input).total)
  end)
end)
