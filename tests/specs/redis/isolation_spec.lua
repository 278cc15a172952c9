local fs = require "itlua.fs"
local process = require "itlua.process"
local redis = require "itlua.redis"
local servers = require "tests.specs.redis.server"

local function run_specs(url, files, options)
  local folder <close> = fs.tempdir()
  for name, text in pairs(files) do fs.write(fs.join(folder.path, name), (text:gsub("$URL", url))) end
  local command = { process.self(), folder.path, "-o", "plainTerminal" }
  for _, word in ipairs(options or {}) do command[#command + 1] = word end
  return process.run { command = command, merge = true, timeout = 100 }
end

describe("redis isolation", function()
  local server, r

  setup(function()
    server = servers.start()
    r = redis.connect(server.url)
  end)
  teardown(function()
    r:close()
    server.process:close()
  end)

  it("by database: a number for each file, empty for each test, let go in the end", function()
    local text = [[
      local r = require("itlua.redis").connect "$URL"
      r:isolate { by = "database" }
      for i = 1, 3 do
        it("finds nothing " .. i, function()
          assert.is_true(r.database > 0)
          assert.redis(r, "key").is_not.exists()
          r:set("key", i)
          r:incr "key"
          assert.redis(r, "key").equals(i + 1)
        end)
      end]]
    r:set("key", "mine")
    local files = {}
    for i = 1, 6 do files["f" .. i .. "_spec.lua"] = text end
    local result = run_specs(server.url, files, { "-j", "2", "--concurrency", "3" })
    assert.equal(0, result.code, result.stdout)
    assert.matches("18 successes", result.stdout)
    assert.same({ "key" }, r:keys_matching "*")
  end)

  it("by database: empties no other, whatever a test has selected or left open", function()
    r:set("key", "mine")
    r:select(9)
    r:set("key", "theirs")
    local result = run_specs(server.url, { ["a_spec.lua"] = [[
      local r = require("itlua.redis").connect "$URL"
      r:isolate { by = "database" }
      local own = r.database
      for i = 1, 3 do
        it("is this file's " .. i, function()
          assert.equal(own, r.database)
          assert.is_nil(r:get "key")
          r:set("key", "ours")
          if i == 1 then r:select(9) elseif i == 2 then r:call "MULTI" else r:pipeline(function(p) p:select(9) end) end
        end)
      end]] }, { "--audit", "-o", "terminal" })
    assert.equal(0, result.code, result.stdout)
    assert.matches('by "is this file\'s 2"[^\n]*\n +a transaction that is open', result.stdout)
    assert.equal("theirs", r:get "key")
    r:flushdb()
    r:select(0)
    assert.same({ "key" }, r:keys_matching "*")
    r:flushdb()
  end)

  it("goes on where the connection was lost or closed, and does not complain of a server that is gone", function()
    local text = [[
      local redis, servers = require "itlua.redis", require "tests.specs.redis.server"
      local own = servers.start()
      local other = redis.connect(own.url)
      for _, by in ipairs { "database", "prefix" } do
        describe(by, function()
          local r
          setup(function() r = redis.connect(own.url):isolate { by = by } end)
          teardown(function() r:close() end)
          it("loses it", function()
            r:set(r:key "a", 1)
            pcall(r.client_kill, r, "ID", r:client_id(), "SKIPME", "no")
          end)
          it("has another", function()
            assert.same({}, r:keys_matching(r:key "*"))
            r:set(r:key "a", 1)
            if by == "database" then other:flushall() end -- as a restart would
            r:close()
          end)
          it("has another again", function()
            assert.same({}, r:keys_matching(r:key "*"))
            assert.equal(by == "database", r.database > 0)
          end)
        end)
      end
      teardown(function() $END end)]]
    local result = run_specs(server.url, {
      ["a_spec.lua"] = text:gsub("$END", "own.process:close()"),
      ["b_spec.lua"] = text:gsub("$END", [[assert.same({ "itlua:database:1" }, other:keys_matching "*")]]),
    })
    assert.equal(0, result.code, result.stdout)
    assert.matches("12 successes / 0 failures / 0 errors", result.stdout, 1, true)
  end)

  it("by prefix: keys of the file's own, removed after each test", function()
    local result = run_specs(server.url, { ["a_spec.lua"] = [[
      local r = require("itlua.redis").connect "$URL"
      r:isolate { by = "prefix" }
      for i = 1, 2 do
        it("finds nothing " .. i, function()
          assert.equal(0, r:exists(r:key "a"))
          r:set(r:key "a", 1)
        end)
      end]] })
    assert.equal(0, result.code, result.stdout)
    assert.same({}, r:keys_matching "itlua:*")
  end)

  it("audits which test left which keys", function()
    local result = run_specs(server.url, { ["a_spec.lua"] = [[
      local r = require("itlua.redis").connect "$URL"
      r:isolate { by = "database" }
      it("is tidy", function() r:set("a", 1) r:del("a") end)
      it("leaves a list", function() r:rpush("jobs", 1) end)]] }, { "--audit", "-o", "terminal" })
    assert.matches('key jobs (list)   by "leaves a list"', result.stdout, 1, true)
    assert.not_matches('by "is tidy"', result.stdout, 1, true)
  end)
end)

describe("assert.redis", function()
  local server, r

  setup(function()
    server = servers.start()
    r = redis.connect(server.url)
    r:set("text", "hello")
    r:set("soon", 1, "EX", 60)
    r:hset("user", { name = "Ada", tier = "gold" })
    r:rpush("list", { 1, 2 })
    r:sadd("set", { "b", "a" })
    r:zadd("ranks", 1, "ada", 2.5, "grace")
  end)
  teardown(function()
    r:close()
    server.process:close()
  end)

  local function message(fn)
    local ok, err = pcall(fn)
    assert.is_false(ok)
    return tostring(err)
  end

  it("compares values of every type", function()
    assert.redis(r, "text").equals "hello"
    assert.redis(r, "text").does_not.equal "bye"
    assert.redis(r, "user").equals { name = "Ada", tier = "gold" }
    assert.redis(r, "user").has { tier = "gold" }
    assert.redis(r, "list").equals { 1, 2 }
    assert.redis(r, "set").equals { "a", "b" }
    assert.redis(r, "ranks").equals { ada = 1.0, grace = 2.5 }
    assert.matches("The hash at user differs.*name.*expected \"Grace\"",
      message(function() assert.redis(r, "user").equals { name = "Grace", tier = "gold" } end))
    assert.matches("there is no such key", message(function() assert.redis(r, "none").equals(1) end))
  end)

  it("knows members, in any order", function()
    assert.redis(r, "set").members { "b", "a" }
    assert.redis(r, "list").members { 2, 1 }
    assert.redis(r, "ranks").members { "grace", "ada" }
    assert.redis(r, "user").members { "tier", "name" }
    assert.redis(r, "set").does_not.members { "a" }
    assert.matches('The members of set differ.*%[1%].*missing', (message(function()
      assert.redis(r, "set").members { "0", "a", "b" }
    end):gsub("\27%[[%d;]*m", "")))
    assert.matches("there is no such key", message(function() assert.redis(r, "none").members { "a" } end))
    assert.matches("at text there is a string", message(function() assert.redis(r, "text").members { "a" } end))
    assert.matches("members needs a list", message(function() assert.redis(r, "set").members "a" end))
  end)

  it("knows existence, type and time to live", function()
    assert.redis(r, "text").exists().type "string"
    assert.redis(r, "none").is_not.exists()
    assert.redis(r, "soon").ttl(50, 60)
    assert.redis(r, "text").is_not.ttl(0, 60)
    assert.matches("Expected text to live for another 1 to 2 s; it never expires",
      message(function() assert.redis(r, "text").ttl(1, 2) end), 1, true)
    assert.matches("Expected a list at text; there is a string",
      message(function() assert.redis(r, "text").type "list" end), 1, true)
    assert.matches("there is no 'shines' for a key", message(function() assert.redis(r, "text").shines() end), 1, true)
  end)
end)
