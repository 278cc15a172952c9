--- Rows about reports: 10,000 tests on one page, and what every report at once costs a run.

local chromium = require "tests.specs.report.chromium"
local core = require "itlua.core"
local fs = require "itlua.fs"
local made_up = require "tests.specs.report.made_up"
local peers = require "tests.bench.peers"
local report = require "itlua.report"

local function page_of(events)
  local parts = {}
  local began = core.now()
  local reporter = assert(report.new("html", { args = {}, program = "itlua" }, function(text) parts[#parts + 1] = text end))
  for _, ev in ipairs(events) do reporter:event(ev) end
  reporter:finish()
  return table.concat(parts), core.now() - began
end

-- Opens the page of 10,000 tests and asks it for a number, in milliseconds.
local function in_browser(expression)
  return function(compare)
    local dir <close> = fs.tempdir()
    local path = dir:write("report.html", (page_of(made_up.run { tests = 10000 })))
    local page <close> = chromium.start()
    return compare(function()
      page:open(path)
      return page:eval(expression) / 1000
    end)
  end
end

local PAINT = [[new Promise(resolve => requestAnimationFrame(() => setTimeout(() => resolve(Math.max(
  Number(document.documentElement.dataset.ready), ...performance.getEntriesByType("paint").map(e => e.startTime)))))) ]]

-- Each key of a word is a filter of its own; the slowest counts.
local FILTER = [[(() => {
  const search = document.getElementById("search"), box = document.getElementById("rows");
  let slowest = 0;
  for (const words of ["p", "pa", "pay", "pay 1", "pay 17", "#slow -invoices", ""]) {
    const began = performance.now();
    search.value = words;
    search.dispatchEvent(new Event("input"));
    box.getBoundingClientRect();
    slowest = Math.max(slowest, performance.now() - began);
  }
  return slowest;
})()]]

local ALL = {}
for _, kind in ipairs { "html", "junit", "jsonl", "ctrf", "gitlab", "markdown", "tap14" } do ALL[#ALL + 1] = "-o"
  .. kind .. ":r." .. kind end
ALL[#ALL + 1] = "-ogithub"

local SPEC = [[
  local http = require "itlua.http"
  describe("requests", function()
    local api = http.client { base_url = %q }
    for i = 1, 100 do
      it("answers number " .. i, function() assert.equal(200, api:get("/orders/" .. i).status) end)
    end
  end)
]]

local SERVICE = [[
  local srv = require("itlua.server").listen()
  local sleep = require("itlua.task").sleep
  srv:get("/orders/{id}", function(r) sleep(0.005) return { json = { id = r.params.id, status = "pending" } } end)
  io.stdout:setvbuf "line"
  print(srv.url)
  srv:serve()
]]

return {
  { key = "html-write", what = "10,000 tests to HTML: written", against = "-", as = "seconds", reach = 1,
    run = function(compare)
    local events = made_up.run { tests = 10000 }
    return compare(function()
      collectgarbage()
      return select(2, page_of(events))
    end)
  end },
  { key = "html-size", what = "10,000 tests to HTML: the file", against = "-", as = "MB", reach = 5, run = function(compare)
    local page = page_of(made_up.run { tests = 10000 })
    return compare(function() return #page / 1024 / 1024 end)
  end },
  { key = "html-paint", what = "10,000 tests in HTML: painted and ready in Chromium", against = "-", as = "seconds",
    reach = 1,
    needs = { "chromium" }, run = in_browser(PAINT) },
  { key = "html-filter", what = "10,000 tests in HTML: the slowest key typed into the filter", against = "-",
    as = "seconds",
    reach = 0.1, needs = { "chromium" }, run = in_browser(FILTER) },
  { key = "reports", what = "10,000 tests, each a request to a service that takes 5 ms: nine reports at once",
    against = "one, the terminal's", as = "time",
    reach = 1.1, run = function(compare)
      local service <close> = peers.service(SERVICE)
      local dir <close> = fs.tempdir()
      dir:write("itlua.lua", "return { history = false }\n")
      for i = 1, 100 do dir:write(("specs/requests_%03d_spec.lua"):format(i), SPEC:format(service.url)) end
      local function run(...)
        local words = { peers.itlua, "specs", "-j2", "-oterminal", ... }
        return function() return (peers.timed(words, { cwd = dir.path })) end
      end
      return compare(run(table.unpack(ALL)), run())
    end },
}
