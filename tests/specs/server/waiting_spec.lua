local http = require "itlua.http"
local server = require "itlua.server"
local task = require "itlua.task"

local function soon(fn)
  task.eventually(fn, { timeout = 20 })
end

describe("server handlers that wait", function()
  local srv, api

  before_each(function()
    srv = server.listen()
    api = http.client { base_url = srv.url }
  end)

  after_each(function() srv:close() end)

  local function get_many(n, path)
    local calls = {}
    for i = 1, n do
      calls[i] = function() return api:get(path).body end
    end
    return task.all(calls)
  end

  it("run at the same time", function()
    local running, most = 0, 0
    srv:get("/slow", function()
      running = running + 1
      most = math.max(most, running)
      task.eventually(function() return most == 50 end, { timeout = 20 })
      running = running - 1
      return "slept"
    end)
    local bodies = get_many(50, "/slow")
    assert.equal(50, most)
    assert.equal(50, bodies.n)
    for i = 1, 50 do assert.equal("slept", bodies[i]) end
  end)

  it("hold nobody up that does not wait", function()
    local order = {}
    srv:get("/slow", function()
      task.eventually(function() return #order == 20 end, { timeout = 20 })
      return "slow"
    end)
    srv:get("/quick", function() return "quick" end)
    local function get(path)
      local body = api:get(path).body
      order[#order + 1] = body
    end
    task.all(
      function() get "/slow" end,
      function()
        for _ = 1, 20 do get "/quick" end
      end)
    assert.equal("slow", order[21])
  end)

  it("may call other servers, and themselves", function()
    local inner <close> = server.listen()
    inner:get("/value", function()
      task.sleep(0.01)
      return "17"
    end)
    srv:get("/outer", function() return "the value is " .. http.get(inner.url .. "/value").body end)
    srv:get("/count/{n:int}", function(req)
      local n = req.params.n
      return n == 0 and "0" or n .. " " .. http.get(("%s/count/%d"):format(srv.url, n - 1)).body
    end)
    assert.equal("the value is 17", api:get("/outer").body)
    assert.equal("12 11 10 9 8 7 6 5 4 3 2 1 0", api:get("/count/12").body)
  end)

  it("may be called from where a coroutine cannot yield", function()
    srv:get("/value", function()
      task.sleep(0.01)
      return "x"
    end)
    local list = { 3, 1, 2 }
    table.sort(list, function(a, b)
      assert.equal("x", api:get("/value").body)
      return a < b
    end)
    assert.same({ 1, 2, 3 }, list)
  end)

  it("are cancelled when their client leaves", function()
    local began, outcome = false, nil
    srv:get("/long", function()
      began = true
      local ok, err = pcall(task.sleep, 60)
      outcome = ok and "slept" or err.kind
      return ""
    end)
    for _, limit in ipairs { 0.1, 1, 10 } do -- as much as it takes to get there
      local ok, err = pcall(api.get, api, "/long", { timeout = limit })
      assert.is_false(ok)
      assert.equal("timeout", err.kind)
      if began then break end
    end
    soon(function() return outcome end)
    assert.equal("cancelled", outcome)
    assert.is_nil(srv:requests()[#srv:requests()].status)
  end)

  it("are cancelled one by one, and others take their place", function()
    local started, cancelled = 0, 0
    srv:get("/long", function()
      started = started + 1
      local _ <close> = setmetatable({}, { __close = function() cancelled = cancelled + 1 end })
      task.sleep(20)
      return ""
    end)
    srv:get("/quick", function() return "quick" end)
    repeat
      pcall(api.get, api, "/long", { timeout = 0.05 })
      assert.equal("quick", api:get("/quick").body)
    until started == 20
    soon(function() return cancelled == 20 end)
  end)

  it("are cancelled when the server is closed", function()
    local outcome
    srv:get("/long", function()
      local ok, err = pcall(task.sleep, 20)
      outcome = ok and "slept" or err.kind
      return ""
    end)
    local client = task.spawn(function() return pcall(api.get, api, "/long") end)
    soon(function() return srv:requests()[1] end)
    srv:close()
    local ok, err = client:join(10)
    assert.is_false(ok)
    assert.equal("http", err.kind)
    assert.equal("cancelled", outcome)
  end)

  it("may close their server", function()
    srv:get("/stop", function()
      srv:close()
      return "never sent"
    end)
    local ok = pcall(api.get, api, "/stop")
    assert.is_false(ok)
    assert.equal("EADDRINUSE", select(2, pcall(function()
      local again <close> = server.listen { port = srv.port }
      return server.listen { port = again.port }
    end)).code)
  end)

  it("may limit their time", function()
    srv:get("/", function()
      local ok, err = pcall(task.timeout, 0.05, function() task.sleep(5) end)
      return ok and "?" or err.kind
    end)
    srv:get("/busy", function()
      local ok, err = pcall(task.timeout, 0.05, function()
        while true do end -- luacheck: ignore
      end)
      return ok and "?" or err.kind
    end)
    assert.equal("timeout", api:get("/").body)
    assert.equal("timeout", api:get("/busy").body)
  end)

  it("may start tasks of their own", function()
    srv:get("/sum", function()
      local parts = task.all(
        function()
          task.sleep(0.02)
          return 1
        end,
        function() return 2 end)
      return tostring(parts[1] + parts[2])
    end)
    assert.equal("3", api:get("/sum").body)
  end)

  it("survive a storm", function()
    srv:get("/mixed/{n:int}", function(req)
      if req.params.n % 3 == 0 then task.sleep(0.001) end
      if req.params.n % 7 == 0 then error { status = 418, text = "teapot" } end
      return tostring(req.params.n)
    end)
    local plain = http.burst { url = srv.url .. "/mixed/1", requests = 2000, concurrency = 32 }
    assert.equal(2000, plain.status[200])
    local waiting = http.burst { url = srv.url .. "/mixed/3", requests = 500, concurrency = 64 }
    assert.equal(500, waiting.status[200])
    assert.equal(100, http.burst({ url = srv.url .. "/mixed/21", requests = 100, concurrency = 10 }).status[418])
  end)
end)
