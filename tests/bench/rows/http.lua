--- Rows about HTTP: the client against libcurl and wrk, the server against nginx.

local fs = require "itlua.fs"
local peers = require "tests.bench.peers"

local function requests_in_tests(url, count)
  local dir = fs.tempdir()
  dir:write("requests_spec.lua", ([[
    local http = require "itlua.http"
    describe("requests", function()
      local api = http.client { base_url = %q }
      for i = 1, %d do
        it("request " .. i, function() assert.are.equal(200, api:get("/").status) end)
      end
    end)
  ]]):format(url:gsub("/$", ""), count))
  return dir
end

return {
  { key = "requests", what = "500 tests of one request each, whole process, all on one CPU",
    against = "the same 500 requests by a libcurl loop in C", as = "time", reach = 2.5, times = 3, needs = { "nginx" },
    run = function(compare)
      local raw = peers.program("http_raw", "libcurl")
      local _ <close> = peers.on_one_cpu()
      local web <close> = peers.nginx()
      local dir <close> = requests_in_tests(web.url, 500)
      return compare(function()
        return peers.timed({ peers.itlua, "requests_spec.lua" }, { cwd = dir.path })
      end, function() return peers.timed { raw, web.url, "500" } end)
    end },
  { key = "gets", what = "sequential keep-alive GETs in one test", against = "a libcurl loop in C", as = "rate",
    per = 5000, reach = 0.85, times = 3, needs = { "nginx" }, run = function(compare)
      local raw = peers.program("http_raw", "libcurl")
      local web <close> = peers.nginx()
      return compare(function()
        return peers.in_test(('local api = require("itlua.http").client { base_url = %q }'):format(
          web.url:gsub("/$", "")), 'for _ = 1, 5000 do assert(api:get("/").status == 200) end')
      end, function() return tonumber(peers.output({ raw, web.url, "5000" }):match "in ([%d.]+) s") end)
    end },
  { key = "burst", what = "http.burst, 32 connections", against = "wrk -t1 -c32", as = "rate", per = 1, reach = 0.35,
    needs = { "nginx", "wrk" }, run = function(compare)
      local web <close> = peers.nginx()
      return compare(function()
        return peers.in_test('local http = require "itlua.http"', ([[
          local figures = http.burst { url = %q, requests = 50000, concurrency = 32 }
          assert(figures.status[200] == 50000, tostring(figures))
        ]]):format(web.url)) / 50000
      end, function() return peers.wrk(web.url) end)
    end },
  { key = "server", what = "itlua.server with a Lua handler under wrk -c32", against = "nginx returning the same bytes",
    as = "rate", per = 1, reach = 0.3, needs = { "nginx", "wrk" }, run = function(compare)
      local web <close> = peers.nginx()
      local ours <close> = peers.lua_server()
      return compare(function() return peers.wrk(ours.url) end, function() return peers.wrk(web.url) end)
    end },
}
