-- itlua: lock=kafka-trouble
local brokers = require "tests.specs.kafka.support.brokers"
local kafka = require "itlua.kafka"
local task = require "itlua.task"

local failure = brokers.failure
local patient = { timeout = 60 }

-- What becomes of connections and captures when a broker is not as it should be.

describe("an embedded broker that goes away", function()
  local cluster, k
  before_each(function()
    cluster = require("itlua.kafka.mock").start {}
    k = kafka.connect { brokers = cluster:addresses(), config = { ["message.timeout.ms"] = 6000 } }
  end)
  after_each(function()
    k:close()
    cluster:close()
  end)

  it("and comes back during a wait goes unnoticed", function()
    local cap <close> = k:capture "orders"
    k:publish("orders", "before")
    cap:wait_for("before", patient)
    cluster:set(false)
    local sent = task.spawn(function()
      task.sleep(0.3)
      cluster:set(true)
      return task.eventually(function() return k:publish("orders", "after") end, patient)
    end)
    cap:wait_for("after", patient)
    sent:join()
  end)

  it("is told of: why a record was not acknowledged, why nothing came", function()
    local cap <close> = k:capture "orders"
    k:publish("orders", "before")
    cap:wait_for("before", patient)
    cluster:set(false)
    local err = failure(k.publish, k, "orders", "lost")
    assert.equal("_MSG_TIMED_OUT", err.code)
    assert.matches("cannot publish to orders", err.message)
    err = failure(cap.wait_for, cap, "lost", { timeout = 0.3 })
    assert.equal("timeout", err.kind)
    assert.matches("1 came", err.message)
    err = failure(k.wait_until_consumed, k, "nobody", "orders", { timeout = 0.3 })
    assert.equal("NOT_CONSUMED", err.code)
    assert.matches("has not consumed orders within 0.3 s\nno broker answers: ", err.message)
    assert.matches('has no option "timout"', failure(k.wait_until_consumed, k, "nobody", "orders", { timout = 1 }))
    task.eventually(function() return #k:logs() > 0 end, patient)
  end)

  it("while a full queue is waited for: the end of the test's time says for what", function()
    local small <close> = kafka.connect {
      brokers = cluster:addresses(), config = { ["message.timeout.ms"] = 2000, ["queue.buffering.max.messages"] = 10 },
    }
    small:publish("orders", "before")
    cluster:set(false)
    local values = {}
    for i = 1, 15 do values[i] = tostring(i) end
    local many = task.spawn(pcall, small.publish_all, small, "orders", values)
    task.sleep(0)
    local err = failure(task.timeout, 0.5, small.publish, small, "orders", "one more")
    assert.matches("stopped after 0.5 s, waiting for room in librdkafka's queue", err.message)
    local ok, lost = many:join()
    assert.is_false(ok)
    assert.equal("_MSG_TIMED_OUT", lost.code)
    assert.matches("^15 of 15 records", lost.message)
  end)
end)

local services = require "itlua.services"

describe("a broker of our own", function()
  local available, why = services.kafka:available()
  if not available then
    pending("cannot be tried here: " .. why)
    return
  end
  if why:find "KAFKA_BROKERS" then
    pending "there is one already, in KAFKA_BROKERS"
    return
  end

  local own
  setup(function() own = brokers.own() end)
  teardown(function() if own then own:close() end end)

  it("does not make topics by itself, which a publisher is told", function()
    local k <close> = kafka.connect(own.brokers)
    local err = failure(k.publish, k, "unknown", "x")
    assert.equal("kafka", err.kind)
    assert.matches("UNKNOWN_TOPIC", err.code)
    assert.matches("the broker makes none by itself: create_topic", err.message)
    local list = failure(k.publish_all, k, "unknown", { "a", "b" })
    assert.matches("2 of 2 records were not acknowledged", list.message)
    local cap <close> = k:capture "unknown"
    assert.matches("the topic unknown does not exist", failure(cap.wait_for, cap, nil, { timeout = 0.2 }).message)
    k:create_topic "unknown"
    k:publish("unknown", "x")
    cap:wait_for("x", patient)
  end)

  it("lets in who knows the password", function()
    local k <close> = kafka.connect { brokers = own.sasl, sasl = { username = "ada", password = "a password of ada" } }
    k:create_topic "by-ada"
    k:publish("by-ada", "hello")
  end)

  it("keeps others out, and their passwords out of every message", function()
    local secret = "wrong password 4711"
    local err = failure(kafka.connect, { brokers = own.sasl, timeout = 20, sasl = { username = "ada", password = secret } })
    assert.equal("kafka", err.kind)
    assert.equal("_AUTHENTICATION", err.code)
    assert.matches("Authentication failed", err.message)
    assert.is_nil(err.message:find(secret, 1, true))
    err = failure(kafka.connect, { brokers = own.brokers, config = { ["sasl.password"] = secret, ["sasl.mechanism"] = "NONE",
      ["security.protocol"] = "sasl_plaintext" } })
    assert.is_nil(tostring(err):find(secret, 1, true))
    local sasl = { mechanism = "NONE-4711", username = "ada", password = "NONE-4711" }
    err = failure(kafka.connect, { brokers = own.brokers, sasl = sasl })
    assert.matches("Unsupported SASL mechanism: ***", err.message, 1, true)
  end)

  it("speaks TLS with who trusts its certificate", function()
    local k <close> = kafka.connect { brokers = own.tls, tls = { ca = own.ca } }
    k:create_topic "over-tls"
    local cap <close> = k:capture "over-tls"
    k:publish("over-tls", "hello")
    cap:wait_for("hello", patient)
    local careless <close> = kafka.connect { brokers = own.tls, tls = { verify = false } }
    careless:publish("over-tls", "hello")
    local err = failure(kafka.connect, { brokers = own.tls, timeout = 20, tls = true })
    assert.equal("_SSL", err.code)
    assert.matches("certificate", err.message)
    err = failure(kafka.connect, { brokers = own.tls, tls = { ca = "/nowhere/ca.pem" } })
    assert.equal("kafka", err.kind)
    assert.matches('tls has no "authority"', failure(kafka.connect, { brokers = "a:1", tls = { authority = "x" } }))
  end)

  it("may stop and start again during a wait", function()
    local k <close> = kafka.connect(own.brokers)
    k:create_topic "survives"
    local cap <close> = k:capture "survives"
    k:publish("survives", "before")
    cap:wait_for("before", patient)
    own:stop()
    task.eventually(function() -- it has to be tried again to be refused
      local err = failure(cap.wait_for, cap, "after", { timeout = 0.5 })
      assert.matches("no broker answers: .*[Rr]efused", err.message)
    end, patient)
    local started = task.spawn(function()
      own:start()
      task.eventually(function() return k:publish("survives", "after") end, patient)
    end)
    assert.equal(1, cap:wait_for("after", patient).offset)
    started:join()
    cap:expect_none("lost", { fence = true, timeout = 60 })
    own:stop()
  end)
end)
