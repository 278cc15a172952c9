local fs = require "itlua.fs"
local process = require "itlua.process"

-- Files of one worker share its loop: what one leaves there must not touch the connections of another.

local SETTINGS = "return {}\n"

local WAIT = [[
local core, fs, http = require "itlua.core", require "itlua.fs", require "itlua.http"
local server, task = require "itlua.server", require "itlua.task"
local function is_there(name)
  return function() return fs.exists(name) end
end
]]

-- Gives up while it connects, so that the socket's number is free again, and ends a little later.
local HASTY = WAIT .. [[
local srv = server.listen()
it("gives up", function()
  task.eventually(is_there "listening", { timeout = 25 })
  task.all {
    function() assert.has_error(function() http.get(srv.url, { timeout = 0.01 }) end) end,
    function() -- its time is over before the loop has seen it connected
      local till = core.now() + 0.05
      while core.now() < till do end
    end,
  }
  fs.write("gone", "")
  task.eventually(is_there "asked", { timeout = 20 })
end)
]]

-- Gets that number, and waits while the other ends.
local PATIENT = WAIT .. [[
local srv = server.listen()
srv:get("/late", function()
  fs.write("asked", "")
  task.sleep(0.5)
  return { text = "late" }
end)
it("waits", function()
  fs.write("listening", "")
  task.eventually(is_there "gone", { timeout = 20 })
  assert.equal("late", http.get(srv.url .. "/late", { timeout = 20 }).body)
end)
]]

describe("a connection", function()
  it("is not taken off the loop by a file that ends and had given up one of the same number", function()
    local dir = fs.tempdir()
    dir:write("itlua.lua", SETTINGS)
    dir:write("specs/hasty_spec.lua", HASTY)
    dir:write("specs/patient_spec.lua", PATIENT)
    local result = process.run {
      command = { process.self(), "-j", "1", "--concurrency", "2" }, cwd = dir.path, merge = true, timeout = 60,
    }
    assert.equal(0, result.code, result.stdout)
  end)
end)
