local null = require "itlua.null"
local redis = require "itlua.redis"
local servers = require "tests.specs.redis.server"
local task = require "itlua.task"

local function failure(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok, "it should have failed")
  return err
end

describe("redis pipelines and transactions", function()
  local server, r

  setup(function()
    server = servers.start()
    r = redis.connect(server.url)
  end)
  before_each(function() r:flushall() end)
  teardown(function()
    r:close()
    server.process:close()
  end)

  it("send many commands at once; an error is an object in its place", function()
    local replies = r:pipeline(function(p)
      p:set("a", 1)
      p:get("a")
      p:lpush("a", 2)
      p:get("none")
      p:config_get("maxmemory")
    end)
    assert.same({ "OK", "1" }, { replies[1], replies[2] })
    assert.equal("WRONGTYPE", replies[3].code)
    assert.equal(null, replies[4])
    assert.same({ maxmemory = "0" }, replies[5])
    assert.same({}, r:pipeline(function() end))
    assert.same({ "PONG" }, r:pipeline(function(p) p:ping() end))
  end)

  it("send bytes as they are, numbers, and what tables hold", function()
    local bytes = "\0\r\n$3\r\n*1\255" .. ("x"):rep(100000)
    local replies = r:pipeline(function(p)
      p:set("bytes", bytes):get("bytes")
      p:mset { one = 1.5 }
      p:rpush("list", { "a", 2 }, true)
      p:lrange("list", 0, -1)
      p:get "one"
    end)
    assert.same({ "OK", bytes, "OK", 3, { "a", "2", "1" }, "1.5" }, replies)
  end)

  it("send nothing where queueing fails", function()
    local kept
    assert.matches("argument 1 of SET is nil", tostring(failure(r.pipeline, r, function(p)
      p:set("n", 1)
      p:set(nil, 1)
    end)))
    assert.equal("no", failure(r.pipeline, r, function(p)
      p:set("n", 1)
      error("no", 0)
    end))
    assert.is_nil(r:get("n"))
    assert.same({ "OK", "1" }, r:pipeline(function(p)
      kept = p
      pcall(p.set, p, "n", print) -- half of it would be part of the next command
      p:set("n", 1):get("n")
    end))
    assert.matches("pipeline_spec.lua:%d+: the commands were sent already", tostring(failure(function() kept:get("n") end)))
  end)

  it("wait on a connection of their own where a command may wait", function()
    local err = failure(task.timeout, 0.2, function()
      r:pipeline(function(p) p:set("n", 1):blpop("nothing", 0) end)
    end)
    assert.equal("timeout", err.kind)
    assert.equal("timeout", failure(task.timeout, 0.2, r.pipeline, r, function(p)
      p:call("xread", "BLOCK", 0, "STREAMS", "none", "$")
    end).kind)
    assert.equal("1", task.timeout(10, r.get, r, "n"))
    r:select(3)
    assert.same({ 1, { "jobs", "a" } }, r:pipeline(function(p) p:rpush("jobs", "a"):blpop("jobs", 0) end))
    r:select(0)
  end)

  it("take commands by call too", function()
    assert.same({ "OK", "v", { maxmemory = "0" } }, r:pipeline(function(p)
      p:call("SET", "k", "v"):call("get", "k"):call("CONFIG", "GET", "maxmemory")
    end))
  end)

  it("say how they are used", function()
    assert.matches("pipeline_spec.lua:%d+: commands are queued with a colon", tostring(failure(r.pipeline, r, function(p)
      p.set("k", "v")
    end)))
    assert.matches("pipeline_spec.lua:%d+: it needs a function", tostring(failure(function() r:multi() end)))
    assert.matches("SUBSCRIBE takes its connection for itself: r:capture", tostring(failure(r.pipeline, r, function(p)
      p:subscribe "news"
    end)))
    assert.matches("pipeline_spec.lua:%d+: PSUBSCRIBE takes", tostring(failure(function() r:psubscribe "news" end)))
    assert.matches("MONITOR takes", tostring(failure(r.call, r, "monitor")))
    assert.matches("pipeline_spec.lua:%d+: CLIENT REPLY takes", tostring(failure(function() r:client_reply "off" end)))
    assert.matches("pipeline_spec.lua:%d+: watch needs", tostring(failure(function() r:watch "k" end)))
    assert.equal("PONG", r:ping())
  end)

  it("run as one transaction", function()
    assert.same({ 1, 2 }, r:multi(function(t)
      t:incr("n")
      t:incr("n")
    end))
  end)

  it("are refused as a whole when a command is none", function()
    assert.matches("unknown command", tostring(failure(r.multi, r, function(t)
      t:set("n", 1)
      t:nosuch()
    end)))
    assert.is_nil(r:get("n"))
  end)

  it("are tried again when a watched key was changed by another", function()
    local other, disturbed = redis.connect(server.url), false
    r:set("n", 1)
    r:watch("n", function()
      local n = tonumber(r:get("n"))
      if not disturbed then
        disturbed = true
        other:set("n", 10)
      end
      return r:multi(function(t) t:set("n", n + 1) end)
    end)
    other:close()
    assert.equal("11", r:get("n"))
  end)
end)
