local http = require "itlua.http"
local server = require "itlua.server"
local task = require "itlua.task"

-- What a client does when a service is slow, gone or broken: errors are objects with a kind and a code.

describe("a client", function()
  local slow = server.listen()
  slow:get("/slow", function()
    task.sleep(5)
    return "too late"
  end)
  slow:get("/flaky", function() return #slow:requests { path = "/flaky" } < 3 and 503 or "at last" end)
  slow:get("/half", function(req)
    local out = req:stream { length = 1000 }
    out:write "half of it"
    out:abort()
  end)

  teardown(function() slow:close() end)

  it("gives up at its timeout", function()
    local err = assert.raises({ kind = "timeout" }, function() http.get(slow.url .. "/slow", { timeout = 0.05 }) end)
    assert.matches("/slow", tostring(err), 1, true)
  end)

  it("may have a deadline for several requests", function()
    assert.raises({ kind = "timeout" }, function()
      task.timeout(0.05, function()
        while true do http.get(slow.url .. "/nothing") end
      end)
    end)
  end)

  it("tries again where it is told to", function()
    local r = http.get(slow.url .. "/flaky", { retry = { times = 3, delay = 0.01, status = { 503 } } })
    assert.response(r).has.status(200)
    assert.equal(3, r.attempts)
  end)

  it("can tell that an answer is not complete", function()
    assert.raises({ kind = "http" }, function() http.get(slow.url .. "/half") end)
  end)

  it("says that nobody listens", function()
    local gone = server.listen()
    gone:close()
    assert.raises({ kind = "http", code = "ECONNREFUSED" }, function() http.get(gone.url) end)
  end)
end)
