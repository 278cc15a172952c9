local brokers = require "tests.specs.kafka.support.brokers"

local failure = brokers.failure
local patient = { timeout = 30 }

brokers.each("a consumer group", { "real", "embedded" }, function(connect, kind)
  local k, named = nil, 0
  setup(function() k = connect() end)
  -- Of an embedded broker nobody joins a group twice.
  local function group()
    named = named + 1
    return ("group-%s-%d"):format(k.id, named)
  end

  it("reads, commits, and goes on where it was", function()
    local topic, name = k:topic("jobs", { partitions = 1 }), group()
    for i = 1, 5 do k:publish(topic, { i = i }, { partition = 0 }) end
    local c = k:consumer { group = name, topics = topic }
    assert.is_true(#c:wait_for_assignment(patient) >= 1)
    for i = 1, 3 do assert.equal(i, c:next(patient).value.i) end
    c:commit()
    assert.equal(2, k:group_lag(name, topic).total)
    assert.equal(2, c:lag())
    local position
    for _, p in ipairs(c:committed()) do
      if p.partition == 0 then position = p.offset end
    end
    assert.equal(3, position)
    c:close()
    if kind == "embedded" then
      assert.equal("EMBEDDED", failure(k.consumer, k, { group = name, topics = topic }).code)
      return
    end
    local again <close> = k:consumer { group = name, topics = { topic } }
    local records = again:poll(2, patient)
    assert.equal(4, records[1].value.i)
    assert.equal(5, records[2].value.i)
    again:commit(records[1])
    assert.equal(1, k:group_lag(name).total)
  end)

  it("says what it has when nothing comes", function()
    local topic = k:topic("silent", { partitions = 1 })
    k:publish(topic, "x")
    local c <close> = k:consumer { group = group(), topics = topic }
    c:next(patient)
    c:commit() -- else a group that is shared out anew reads it again, as it may at any time
    local err = failure(c.next, c, { timeout = 0.1 })
    assert.equal("timeout", err.kind)
    assert.matches("no record came to the consumer of silent", err.message)
    assert.matches("it reads silent%S+%[%d%] at", err.message)
    assert.same({}, c:poll(1, { timeout = 0.05 }))
  end)

  it("refuses what is no consumer", function()
    assert.matches("consumer needs", failure(k.consumer, k, {}))
    assert.matches("consumer needs topics", failure(k.consumer, k, { group = "a" }))
    assert.matches('no option "topic"', failure(k.consumer, k, { group = "a", topic = "b" }))
    assert.matches("a group's name must be", failure(k.group_lag, k, 7))
  end)

  if kind == "embedded" then return end

  it("shares partitions between its members, and gives them back", function()
    local topic, name = k:topic("shared", { partitions = 4 }), group()
    local a <close> = k:consumer { group = name, topics = topic }
    assert.equal(4, #a:wait_for_assignment { count = 4, timeout = 30 })
    local b = k:consumer { group = name, topics = topic }
    assert.equal(2, #b:wait_for_assignment { count = 2, timeout = 30 })
    assert.equal(2, #a:wait_for_assignment { count = 2, timeout = 30 })
    local described = k:describe_group(name)
    assert.equal("Stable", described.state)
    assert.equal(2, #described.members)
    b:close()
    assert.equal(4, #a:wait_for_assignment { count = 4, timeout = 30 })
    a:poll(1, { timeout = 0.05 })
    local kinds = {}
    for i, event in ipairs(a.rebalances) do kinds[i] = event.rebalance end
    assert.equal("assigned", kinds[1])
    assert.is_true(#kinds >= 4, table.concat(kinds, " "))
  end)

  it("pauses, resumes and reads again", function()
    local topic = k:topic("paused", { partitions = 1 })
    local c <close> = k:consumer { group = group(), topics = topic }
    c:wait_for_assignment(patient)
    k:publish(topic, "one")
    assert.equal("one", c:next(patient).value)
    c:pause()
    k:publish(topic, "two")
    assert.same({}, c:poll(1, { timeout = 0.3 }))
    c:resume()
    assert.equal("two", c:next(patient).value)
    c:seek { topic = topic, partition = 0, offset = 0 }
    assert.equal("one", c:next(patient).value)
  end)

  it("has caught up when it has committed what was there", function()
    local topic, name = k:topic("worked", { partitions = 2 }), group()
    for i = 1, 10 do k:publish(topic, { i = i }, { key = tostring(i) }) end
    local task = require "itlua.task"
    local c <close> = k:consumer { group = name, topics = topic }
    task.all {
      function()
        for _ = 1, 10 do c:commit(c:next(patient)) end
      end,
      function() k:wait_until_consumed(name, topic, patient) end,
    }
    assert.equal(0, k:group_lag(name, topic).total)
    assert.equal(2, #k:group_lag(name, topic).partitions)
  end)

  it("that is stuck is told of: what is left, and who its members are", function()
    local topic, name = k:topic("stuck", { partitions = 1 }), group()
    k:publish_all(topic, { "a", "b", "c" })
    local err = failure(k.wait_until_consumed, k, name, topic, { timeout = 2 })
    assert.equal("timeout", err.kind)
    assert.equal("NOT_CONSUMED", err.code)
    assert.matches("has not consumed stuck", err.message)
    assert.matches("committed nothing of 3", err.message)
    assert.matches("has no members", err.message)
    local c <close> = k:consumer { group = name, topics = topic }
    c:commit(c:next(patient))
    err = failure(k.wait_until_consumed, k, name, topic, { timeout = 2 })
    assert.matches("committed 1 of 3", err.message)
    assert.matches("is Stable: itlua at /?127.0.0.1 has 1 partitions", err.message)
  end)

  it("has caught up with transactions, too", function()
    local topic, name = k:topic("transacted", { partitions = 1 }), group()
    k:transaction(function(tx) tx:publish(topic, "x") end)
    local c <close> = k:consumer { group = name, topics = topic }
    c:commit(c:next(patient))
    k:wait_until_consumed(name, topic, patient) -- what ends a transaction is no record
  end)

  it("is listed and deleted", function()
    local topic, name = k:topic "listed", group()
    k:publish(topic, "x")
    local c = k:consumer { group = name, topics = topic }
    c:commit(c:next(patient))
    local found = false
    for _, one in ipairs(k:groups()) do found = found or one == name end
    assert.is_true(found)
    assert.equal("NON_EMPTY_GROUP", failure(k.delete_group, k, name).code)
    c:close()
    require("itlua.task").eventually(function() k:delete_group(name) return true end, { timeout = 30 })
    assert.equal(0, #k:group_lag(name).partitions)
  end)
end)
