local brokers = require "tests.specs.kafka.support.brokers"
local capture = require "itlua.capture"
local core = require "itlua.core"
local task = require "itlua.task"

local failure = brokers.failure
local patient = { timeout = 20 }

brokers.each("a capture", { "real", "embedded" }, function(connect, kind)
  local k
  setup(function() k = connect() end)

  it("sees every later record and no earlier one", function()
    local topic = k:topic("orders", { partitions = 3 })
    for i = 1, 20 do k:publish(topic, { i = i }, { key = "k" .. i }) end
    local cap <close> = k:capture(topic)
    for i = 21, 40 do k:publish(topic, { i = i }, { key = "k" .. i }) end
    local records = cap:wait_for_count(20, patient)
    cap:expect_none(function(record) return record.value.i <= 20 end, { fence = true, timeout = 20 })
    assert.equal(20, #records)
    local seen = {}
    for _, record in ipairs(cap:events()) do seen[record.value.i] = true end
    for i = 21, 40 do assert.is_true(seen[i]) end
  end)

  it("waits for a part of the value, for a predicate, for a matcher, for the whole record", function()
    local topic = k:topic "matches"
    local cap <close> = k:capture(topic)
    k:publish(topic, { order = { id = 7, lines = { { sku = "a" } } }, total = 12.5 }, { key = "c-7" })
    k:publish(topic, { order = { id = 8 } }, { key = "c-8", headers = { trace = "t" } })
    assert.equal("c-7", cap:wait_for({ order = { id = 7, lines = { { sku = "a" } } } }, patient).key)
    assert.equal("c-8", cap:wait_for(function(record) return record.key == "c-8" end, patient).key)
    assert.equal(2, #cap:events { order = { id = match.is_number() } })
    assert.equal(1, #cap:events(capture.record { key = "c-8", headers = { trace = "t" } }))
  end)

  it("of a topic that does not exist gets all of it once it does", function()
    local topic = k:topic("later", { create = false })
    local cap <close> = k:capture(topic)
    if kind == "real" then k:create_topic(topic, { partitions = 2 }) end
    local other <close> = require("itlua.kafka").connect(k.brokers)
    for i = 1, 10 do other:publish(topic, { i = i }, { key = tostring(i) }) end
    assert.equal(10, #cap:wait_for_count(10, patient))
    cap:expect_none({ i = 11 }, { fence = true, timeout = 20 })
  end)

  it("shares its consumer with others, each from its own beginning", function()
    local topic, second = k:topic "shared", k:topic "second"
    local first <close> = k:capture(topic)
    k:publish(topic, "one")
    local both <close> = k:capture(topic, second)
    k:publish(topic, "two")
    k:publish(second, "three")
    both:wait_for_count(2, patient)
    assert.same({ "one", "two" }, { first:wait_for("one", patient).value, first:wait_for("two", patient).value })
    local values = {}
    for _, record in ipairs(both:events()) do values[record.value] = true end
    assert.same({ two = true, three = true }, values)
    first:close()
    k:publish(topic, "four")
    both:wait_for("four", patient)
    both:close()
    k:publish(topic, "five")
    local again <close> = k:capture(topic)
    k:publish(topic, "six")
    assert.equal(1, again:wait_for("six", patient).n)
  end)

  it("is waited for by several tasks", function()
    local topic = k:topic "tasks"
    local caps = {}
    for i = 1, 5 do caps[i] = k:capture(topic) end
    local fns = {}
    for i, cap in ipairs(caps) do
      fns[i] = function() return cap:wait_for({ i = i }, patient).value.i end
    end
    fns[6] = function()
      for i = 5, 1, -1 do k:publish(topic, { i = i }) end
    end
    local got = task.all(fns)
    for i = 1, 5 do assert.equal(i, got[i]) end
    for _, cap in ipairs(caps) do cap:close() end
  end)

  it("proves by a fence that nothing was sent", function()
    local topic = k:topic("fenced", { partitions = 3 })
    local cap <close> = k:capture(topic)
    for i = 1, 30 do k:publish(topic, { i = i }, { key = "k" .. i }) end
    local how = cap:expect_none({ i = 31 }, { fence = true, timeout = 20 })
    assert.matches("up to .*fenced", how)
    assert.equal(30, #cap:events()) -- read to the end, not to the first record
    k:publish(topic, { i = 31 })
    local err = failure(cap.expect_none, cap, { i = 31 }, { fence = true, timeout = 20 })
    assert.equal("UNEXPECTED_EVENT", err.code)
    local partition, offset = k:publish(topic, "marker")
    cap:expect_none({ i = 32 }, { fence = { topic = topic, partition = partition, offset = offset }, timeout = 20 })
    cap:expect_none({ i = 32 }, { fence = { marker = "marker" }, timeout = 20 })
    assert.matches("a window of time, no fence", cap:expect_none({ i = 32 }, { within = 0.05 }))
    assert.matches("a fence is", failure(cap.expect_none, cap, "x", { fence = { offset = "7" } }))
  end)

  it("keeps order by key and by partition, and finds duplicates", function()
    local topic = k:topic("ordered", { partitions = 3 })
    local cap <close> = k:capture(topic)
    for _, key in ipairs { "a", "b" } do
      for _, state in ipairs { "created", "paid", "shipped" } do k:publish(topic, { state = state }, { key = key }) end
    end
    cap:wait_for_count(6, patient) -- partitions are read each at its own time: one key may be complete before the other begins
    local found = cap:expect_order({ { state = "created" }, { state = "paid" }, { state = "shipped" } },
      { by = "key", groups = { "a", "b" }, timeout = 20 })
    assert.equal(3, #found.a)
    assert.equal(3, #found.b)
    k:publish(topic, { once = 1 })
    cap:expect_once({ once = 1 }, patient)
    k:publish(topic, { once = 1 })
    assert.equal("DUPLICATE_EVENT", failure(cap.expect_once, cap, { once = 1 }, patient).code)
  end)

  it("that waited in vain tells what came, the nearest, and how far it has read", function()
    local topic = k:topic("told", { partitions = 1 })
    local cap <close> = k:capture(topic)
    k:publish(topic, { order_id = 7, status = "paid", total = 3 }, { key = "c-1", partition = 0 })
    cap:expect_none({ never = 1 }, { fence = true, timeout = 20 })
    local err = failure(cap.wait_for, cap, { order_id = 7, status = "shipped" }, { timeout = 0.2 })
    assert.equal("timeout", err.kind)
    local text = err.message
    assert.matches("nothing that matches", text)
    assert.matches("1 came:", text)
    assert.matches("%[0%]@0 key=c%-1", text)
    assert.matches("the nearest is record 1", text)
    assert.matches('status +expected "shipped" +got "paid"', text)
    assert.matches("told[^\n]*%[0%]: from offset 0, read up to 1, its end", text)
  end)

  it("says that its topic does not exist, when it waits in vain", function()
    local cap <close> = k:capture "no.such.topic.anywhere"
    local err = failure(cap.wait_for, cap, nil, { timeout = 0.2 })
    if kind == "real" then assert.matches("the topic no.such.topic.anywhere does not exist", err.message) end
    assert.matches("nothing came at all", err.message)
  end)

  it("shows a record that is not JSON where JSON is expected", function()
    local topic = k:topic "strict"
    local cap <close> = k:capture(topic, { codec = "json", filter = { id = 1 } })
    k:publish(topic, "{\"id\": oops", { key = "bad" })
    local err = failure(cap.wait_for, cap, { id = 1 }, patient)
    assert.equal("contract", err.kind)
    assert.matches("no JSON", err.message)
    assert.matches("key=bad", err.message)
    assert.matches("oops", err.message)
    k:publish(topic, { id = 1 })
    cap:wait_for({ id = 1 }, patient) -- it goes on
    local text <close> = k:capture(topic, { codec = "string" })
    k:publish(topic, { id = 2 })
    assert.equal('{"id":2}', text:wait_for(nil, patient).value)
  end)

  it("keeps only what its filter lets through", function()
    local topic = k:topic "filtered"
    local cap <close> = k:capture(topic, { filter = { keep = true } })
    for i = 1, 50 do k:publish(topic, { i = i, keep = i % 10 == 0 }) end
    assert.equal(5, #cap:wait_for_count(5, patient))
    cap:expect_none({ keep = false }, { fence = true, timeout = 20 })
    assert.equal(5, #cap:events())
  end)

  it("lets through what its filter means, however JSON has written it", function()
    local topic = k:topic "escaped"
    local cap <close> = k:capture(topic, { filter = { status = "paid" } })
    k:publish(topic, '{"status": "pai\\u0064", "n": 1}', { partition = 0 })
    k:publish(topic, '{"st\\u0061tus": "paid", "n": 2}', { partition = 0 })
    k:publish(topic, '{"other": "paid", "status": 3}', { partition = 0 })
    k:publish(topic, 'status paid', { partition = 0 })
    k:publish(topic, nil, { key = "paid", partition = 0 })
    k:publish(topic, '{"status":"paid","n":3}', { partition = 0 })
    local n = {}
    for i, record in ipairs(cap:wait_for_count(3, patient)) do n[i] = record.value.n end
    assert.same({ 1, 2, 3 }, n)
    cap:expect_none(function(record) return record.value.n == nil end, { fence = true, timeout = 20 })
  end)

  it("does not keep from others what its filter leaves out", function()
    local topic = k:topic "others"
    local paid <close> = k:capture(topic, { filter = { status = "paid" } })
    k:publish(topic, { status = "new", n = 1 }, { partition = 0 })
    paid:expect_none(nil, { fence = true, timeout = 20 }) -- it waits for more
    local all = k:capture(topic)
    k:publish(topic, { status = "new", n = 2 }, { partition = 0 })
    k:publish(topic, { status = "paid", n = 3 }, { partition = 0 })
    assert.equal(2, #all:wait_for_count(2, patient))
    assert.equal(1, #paid:wait_for_count(1, patient))
    all:close()
    k:publish(topic, { status = "new", n = 4 }, { partition = 0 })
    k:publish(topic, { status = "paid", n = 5 }, { partition = 0 })
    paid:wait_for({ n = 5 }, patient)
    paid:expect_none({ status = "new" }, { fence = true, timeout = 20 })
    local err = failure(paid.wait_for, paid, { n = 6 }, { timeout = 0.05 })
    assert.matches("the filter left out 3 more", err.message)
  end)

  it("hands every value to the checks", function()
    local topic = k:topic "checked"
    local own <close> = require("itlua.kafka").connect(k.brokers)
    own:check(topic, function(record)
      if type(record.value.id) ~= "number" then error("id is no number", 0) end
    end)
    local cap <close> = own:capture(topic)
    own:publish(topic, { id = 1 })
    cap:wait_for({ id = 1 }, patient)
    own:publish(topic, { id = "two" })
    cap:wait_for({ id = "two" }, patient)
    local err = failure(cap.events, cap)
    assert.equal("contract", err.kind)
    assert.matches("id is no number", err.message)
  end)

  it("takes a name and limits, and no option that there is not", function()
    local topic = k:topic "limited"
    local cap <close> = k:capture(topic, { name = "my own", max_bytes = 1000 })
    assert.matches("^capture of my own", tostring(cap))
    k:publish(topic, ("x"):rep(2000))
    assert.raises({ code = "LIMIT", message = "raise the option max_bytes" }, function() cap:wait_for(nil, patient) end)
    assert.matches('capture has no option "filer"', brokers.failure(k.capture, k, topic, { filer = { id = 1 } }))
  end)

  it("from the beginning sees what is there, too", function()
    local topic = k:topic "old"
    for i = 1, 5 do k:publish(topic, { i = i }, { partition = 0 }) end
    local cap <close> = k:capture(topic, { from = "beginning" })
    local records = cap:wait_for_count(5, patient)
    for i = 1, 5 do assert.equal(i, records[i].value.i) end
    local since = core.clock() + 100
    if kind == "embedded" then -- it would give all of them
      assert.equal("EMBEDDED", failure(k.capture, k, topic, { from = since }).code)
      return
    end
    k:publish(topic, "new", { timestamp = since + 1 })
    local late <close> = k:capture(topic, { from = since })
    assert.equal("new", late:wait_for(nil, patient).value)
  end)

  it("reads dead letters with what their headers say", function()
    local letters = k:topic "payments.dlt"
    local cap <close> = k:capture(letters)
    k:publish(letters, "{poison", { key = "p-1", headers = {
      ["kafka_dlt-original-topic"] = "payments", ["kafka_dlt-original-partition"] = string.pack(">i4", 2),
      ["kafka_dlt-original-offset"] = string.pack(">i8", 41), ["kafka_dlt-exception-message"] = "unexpected character",
    } })
    local letter = cap:wait_for_dead_letter("{poison", { timeout = 20, of = "payments" })
    assert.equal("payments", letter.topic)
    assert.equal(2, letter.partition)
    assert.equal(41, letter.offset)
    assert.equal("unexpected character", letter.reason)
    assert.equal("p-1", letter.key)
    assert.equal(1, #cap:dead_letters())
    assert.equal(0, #cap:dead_letters { of = "orders" })
  end)

  it("refuses what is no topic", function()
    assert.matches("capture needs a topic", failure(k.capture, k))
    assert.matches("argument 2 of capture must be a topic's name", failure(k.capture, k, "a", 2))
    assert.matches("isolation is", failure(k.capture, k, "a", { isolation = "none" }))
    assert.matches("a codec is", failure(k.capture, k, "a", { codec = "avro" }))
  end)

  it("outlives the tasks of a test that read for it", function()
    local topic = k:topic "outlives"
    local first = k:capture(topic)
    local second <close> = k:capture(topic)
    k:publish(topic, "one")
    first:wait_for("one", patient)
    second:wait_for("one", patient)
    first:close() -- whichever of them read from the consumer
    k:publish(topic, "two")
    second:wait_for("two", patient)
  end)
end)

describe("captures of a file", function()
  -- The first test's end cancels its tasks; the capture of the whole file goes on.
  local cluster, k, cap
  setup(function()
    cluster = require("itlua.kafka.mock").start {}
    k = require("itlua.kafka").connect(cluster:addresses())
    cap = k:capture "all"
  end)
  teardown(function()
    cap:close()
    k:close()
    cluster:close()
  end)
  for i = 1, 3 do
    it(("get what test %d sends"):format(i), function()
      local own = k:capture "all" -- left open
      k:publish("all", { i = i })
      own:wait_for({ i = i }, patient)
      cap:wait_for({ i = i }, patient)
    end)
  end
end)
