--- Rows about running tests: starting, many tests, many files, waiting, memory. See tests/bench/bench.lua for what a row is.

local fs = require "itlua.fs"
local peers = require "tests.bench.peers"

local function spec_of(tests)
  local lines = { 'describe("many", function()' }
  for i = 1, tests do
    lines[#lines + 1] = ('  it("test %d", function() assert.are.equal(%d, %d + 0) end)'):format(i, i, i)
  end
  lines[#lines + 1] = "end)\n"
  return table.concat(lines, "\n")
end

local function folder(files, tests)
  local dir = fs.tempdir()
  for i = 1, files do dir:write(("spec/file_%03d_spec.lua"):format(i), spec_of(tests)) end
  return dir
end

local function against_busted(files, tests, ...)
  local options = { ... }
  return function(compare)
    local dir <close> = folder(files, tests)
    return compare(function()
      return peers.timed({ peers.itlua, "spec", table.unpack(options) }, { cwd = dir.path })
    end, function()
      return peers.timed({ "lua5.4", "/usr/bin/busted", "spec" }, { cwd = dir.path })
    end)
  end
end

local busted = { "lua5.4", "/usr/bin/busted" }

return {
  { key = "empty", what = "one empty spec, whole process", against = "busted under Lua 5.4", as = "time", reach = 1,
    times = 3, needs = busted, run = against_busted(1, 1) },
  { key = "tests", what = "10,000 one-assert tests in one file", against = "busted under Lua 5.4", as = "faster",
    reach = 15, needs = busted, run = against_busted(1, 10000) },
  { key = "files", what = "200 files of 50 tests, -j 2", against = "busted under Lua 5.4", as = "faster", reach = 8,
    needs = busted, run = against_busted(200, 50, "-j2") },
  { key = "waits", what = "100 files each waiting 1 s on a slow server, -j 2 --concurrency 50", against = "ideal (1 s)",
    as = "seconds", reach = 1.5, run = function(compare)
      local slow <close> = peers.service [[
        local core = require "itlua.core"
        local srv = require("itlua.server").listen()
        srv:get("/", function() core.sleep(1) return { text = "late" } end)
        io.stdout:setvbuf "line"
        print(srv.url .. "/")
        srv:serve()
      ]]
      local dir <close> = fs.tempdir()
      dir:write("itlua.lua", "return {}\n")
      for i = 1, 100 do
        dir:write(("specs/slow_%03d_spec.lua"):format(i), ([[
          local http = require "itlua.http"
          it("waits", function() assert.are.equal(200, http.get(%q).status) end)
        ]]):format(slow.url))
      end
      return compare(function()
        return peers.timed({ peers.itlua, "specs", "-j2", "--concurrency=50" }, { cwd = dir.path })
      end)
    end },
  { key = "repl", what = "itlua repl in a project with services: from its start to the prompt", against = "-", as = "seconds",
    reach = 0.05, times = 3, needs = { "python3" }, run = function(compare)
      local dir <close> = fs.tempdir()
      dir:write("itlua.lua", 'return { services = { db = { kind = "postgres" }, cache = { kind = "redis" } } }\n')
      local script = fs.realpath "tests/bench/prompt.py"
      return compare(function()
        return tonumber(peers.output({ "python3", script, peers.itlua, "repl" }, { cwd = dir.path }))
      end)
    end },
  { key = "memory", what = "memory, peak, all processes: empty run", against = "-", as = "MB", reach = 30,
    run = function(compare)
      local dir <close> = folder(1, 1)
      return compare(function()
        local _, kilobytes = peers.timed({ peers.itlua, "spec" }, { cwd = dir.path, memory = true })
        return kilobytes / 1024
      end)
    end },
}
