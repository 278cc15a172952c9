local here = debug.getinfo(1, "S").source:match "^@(.*)[/\\]" or "."
local replay = dofile(here .. "/replay.lua")
local made_up = dofile(here .. "/made_up.lua")
local json = require "itlua.json"

local function html(events, opts) return replay.print("html", events, opts) end

-- The page's data, as its program reads it.
local function data(page)
  return json.decode((page:match '<script type="application/json" id="data">(.-)</script>'))
end

describe("html", function()
  it("is one file that asks the network for nothing", function()
    local page = html(made_up.run())
    assert.matches("^<!doctype html>", page)
    local program = page:gsub('<script type="application/json".-</script>', "")
    assert.is_nil(program:match "src%s*=")
    assert.is_nil(program:match "@import")
    assert.is_nil(program:match "https?://")
    assert.is_nil(program:match "{{%l+}}")
    assert.matches("Content%-Security%-Policy\" content=\"default%-src 'none'", page)
  end)

  it("has a row a test, and one for each problem outside tests", function()
    local d = data(html(made_up.run()))
    assert.equal(34, #d.name)
    assert.equal(34, #d.status)
    local _, failed = d.status:gsub("[fe]", "")
    local _, outside = d.status:gsub("o", "")
    local _, flaky = d.status:gsub("k", "")
    assert.same({ 17, 2, 1 }, { failed, outside, flaky })
    assert.same({ "orders", "lifecycle" }, d.paths[d.path[1] + 1])
    assert.equal("announces a created order #slow", d.name[1])
    assert.equal("specs/orders/lifecycle_spec.lua", d.files[d.file[1] + 1].path)
    assert.equal(5040, d.ms[1])
  end)

  it("has the whole anatomy of a failure", function()
    local source = ("  -- code\n"):rep(53) .. "  wait_for(order)\nend\n"
    local d = data(html(made_up.run(), { program = "itlua", read = function() return source end }))
    local problem, timeline = d.details["0"].p[1], d.details["0"].tl
    assert.equal("No event on orders.created matched within 5 s.", problem.m)
    assert.matches('customer +expected "c%-1" +got "C%-1"', problem.f)
    assert.matches("another customer", problem.c)
    assert.equal("itlua specs/orders/lifecycle_spec.lua:53 --seed 81733", problem.again)
    assert.equal("specs/orders/lifecycle_spec.lua:54", problem.at)
    assert.same({ 54, "  wait_for(order)", 1 }, problem.src[6])
    assert.matches("lifecycle_spec.lua:57", problem.tb)
    assert.matches("^curl %-X POST", problem.curl)
    assert.equal(8, #timeline)
    assert.equal("http.request", d.strings[timeline[2][3] + 1])
    assert.equal("c-1", json.decode(timeline[2][6].request.body).customer)
    assert.matches("stored", d.details["0"].out)
  end)

  it("keeps every attempt of a flaky test, and what services printed", function()
    local d = data(html(made_up.run()))
    local flaky = d.details[tostring(d.status:find "k" - 1)]
    assert.equal(1, #flaky.att)
    assert.equal("Expected status 200, got 503.", flaky.att[1].d.p[1].m)
    assert.matches("cache is gone", d.logs.app)
    assert.matches("PostgreSQL 16", d.run.services)
  end)

  it("holds any bytes, and none of them ends its script", function()
    local page = html(made_up.run { hostile = true })
    assert.truthy(utf8.len(page))
    local block = page:match '<script type="application/json" id="data">(.-)\n?</script>\n<script>'
    assert.is_nil(block:find("<", 1, true))
    assert.is_nil(block:find("\u{2028}", 1, true))
    assert.is_nil(block:find("\u{202e}", 1, true))
    assert.equal(made_up.hostile[1], data(page).name[35])
  end)

  it("shows the runs before, without those of a part", function()
    local history = {
      { at = 1, seconds = 2, successes = 3, failures = 1 }, { at = 2, seconds = 1, successes = 1, partial = true },
      { at = 3, seconds = 2.5, successes = 4, flaky = 1 }, "damaged", { at = "no" },
    }
    local d = data(html(made_up.run(), { history = history }))
    assert.same({ 1, 3 }, { d.history[1].at, d.history[2].at })
    assert.equal(2, #d.history)
  end)

  it("stays small with 10,000 tests: of those that passed bodies are left out, then timelines #heavy", function()
    local events = made_up.run { tests = 10000 }
    local page = html(events)
    assert.is_true(#page < 5 * 1024 * 1024, #page .. " bytes")
    local d = data(page)
    assert.equal(10034, #d.name)
    assert.is_table(d.details["100"].tl[1][6])
    assert.same({ 2, 5 }, { #d.details["10000"].tl, #d.details["10000"].tl[1] })
    for i = 1, #d.status do
      if d.status:sub(i, i):find "[feok]" then
        assert.truthy(d.details[tostring(i - 1)], "the detail of failure " .. i)
      end
    end
    made_up.short = json.encode { { at = 1, seconds = 1, what = "http.request", detail = ("x"):rep(3000), outcome = "" } }
    local wide = made_up.run { tests = 4000 }
    made_up.short = nil
    for i, ev in ipairs(wide) do
      if ev.timeline then ev.timeline = ev.timeline:gsub("xxx", i, 1) end
    end
    page = html(wide)
    assert.is_true(#page < 5 * 1024 * 1024, #page .. " bytes")
    assert.is_true(data(page).run.cut > 0)
  end)

  it("has the first line of what failed where there is no room for all of it", function()
    local big = ("x"):rep(10000)
    local tests = {}
    for i = 1, 40 do tests[i] = { status = "failure", message = "spec/orders_spec.lua:9: no " .. i .. "\n" .. big } end
    local d = data(html(replay.run(tests), { room = 100000 }))
    assert.equal(#big + 29, #d.details["0"].p[1].m)
    assert.equal(1, d.details["39"].cut)
    assert.matches("no 40$", d.details["39"].p[1].m)
    assert.is_true(d.run.cut > 0)
  end)

  it("draws recordings of several machines from their own beginnings", function()
    local events = made_up.run()
    for _, ev in ipairs(events) do
      if ev.ev == "file_start" then
        ev.began = ev.file:find "crash" and events[1].at + 86400 or events[1].at
        if ev.file:find "crash" then ev.at = ev.at + 86400 end
      end
    end
    local d = data(html(events))
    for _, file in ipairs(d.files) do assert.is_true(file.at < 10000, file.path .. " at " .. file.at) end
  end)

  it("is written for a run that ran nothing, and for one that was cut off", function()
    local events = made_up.run()
    events[#events] = nil
    assert.is_true(data(html(events)).run.unfinished)
    assert.equal(0, #data(html {}).name)
  end)
end)
