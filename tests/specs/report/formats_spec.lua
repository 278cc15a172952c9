-- The reports for programs: tap14, ctrf, gitlab, github, markdown, and junit's attempts.
local here = debug.getinfo(1, "S").source:match "^@(.*)[/\\]" or "."
local replay = dofile(here .. "/replay.lua")
local made_up = dofile(here .. "/made_up.lua")
local fs = require "itlua.fs"
local json = require "itlua.json"
local process = require "itlua.process"

local runs = {
  plain = made_up.run(), hostile = made_up.run { hostile = true }, many = made_up.run { tests = 1000 }, none = {},
}

local function print_of(kind, run, opts)
  opts = opts or {}
  opts.program = opts.program or "itlua"
  opts.read = opts.read or function() return ("local x = 1\n"):rep(100) end
  return replay.print(kind, runs[run] or run, opts)
end

local function has(text, part) assert.truthy(text:find(part, 1, true), part .. "\nis not in\n" .. text:sub(1, 4000)) end

local function checked(command, document)
  local dir <close> = fs.tempdir()
  command[#command + 1] = dir:write("document", document)
  local result = process.run(command)
  assert.equal(0, result.code, result.stderr .. result.stdout)
end

-- A test that compared two values, polled before, printed and left something open.
local told = replay.run {
  { name = "compares", status = "failure", output = "a word of its own\n", left = "server 127.0.0.1:4711",
    message = "spec/orders_spec.lua:11: Expected objects to be the same.\nPassed in:\n(table: 0x1) {\n  [a] = 1 }\n"
      .. "Expected:\n(table: 0x2) {\n  [a] = 2 }",
    problem = { diff = "1 of 41 values differs\n  a   expected 2   got 1", cause = "it is one less", cause_key = "less",
      curl = "curl http://x/", timeline = json.encode((function()
        local spans = {}
        for i = 1, 30 do
          spans[i] = { at = i / 10, seconds = 0.01, what = "redis", outcome = "nil",
            detail = i % 2 == 1 and "GET state" or "PING" }
        end
        return spans
      end)()) } },
  { name = "compares others", status = "failure", message = "spec/orders_spec.lua:21: Expected objects to be the same.",
    problem = { diff = "1 of 7 values differs\n  b   expected 2   got 1" } },
}

describe("the anatomy of a failure", function()
  local parts = { "compares", "Expected objects to be the same.", "expected 2   got 1", "▸ 11 │ local x = 1",
    "GET state → nil", "PING → nil", "these 2, 14 times more", "it is one less", "itlua spec/orders_spec.lua:10 --seed 81733",
    "curl http://x/" }
  for _, kind in ipairs { "junit", "tap14", "ctrf", "markdown", "gitlab", "terminal" } do
    it("has its order, and the differing paths instead of both values: " .. kind, function()
      local printed, at = print_of(kind, told):gsub("\\n", "\n"), 1
      for _, part in ipairs(parts) do
        local found = printed:find(part, at, true)
        assert.truthy(found, part .. " is not where it should be in\n" .. printed)
        at = found + 1
      end
      assert.is_nil(printed:find("Passed in", 1, true), printed)
      has(printed, "a word of its own")
      has(printed, "server 127.0.0.1:4711")
      local _, gets = printed:gsub("GET state → nil", "")
      assert.equal(1, gets)
    end)
  end

  it("is in a line of GitLab's as far as that goes", function()
    assert.equal("orders · compares: Expected objects to be the same. a expected 2 got 1 — likely: it is one less",
      json.decode(print_of("gitlab", told))[1].description)
  end)

  it("makes no common cause of two assertions that found differences", function()
    assert.is_nil(print_of("markdown", told):find("### Causes", 1, true))
  end)
end)

describe("junit", function()
  it("has the attempts of a test that ran again", function()
    local document = print_of("junit", "plain")
    has(document,
      '<flakyFailure message="specs/orders/lifecycle_spec.lua:36: Expected status 200, got 503." type="assertion">' ..
      "<stackTrace>specs/orders/lifecycle_spec.lua:36: Expected status 200, got 503.")
    has(document, "▸ 54 │ local x = 1")
    has(document, "it waited:\n  specs/orders/lifecycle_spec.lua:57  kafka orders.created  (5.00 s)")
    has(document, "likely cause: Nothing listens on 127.0.0.1:6379, where the service cache would.")
    has(document, '<testsuite name="specs/orders/lifecycle_spec.lua" tests="5" failures="1" errors="1" skipped="1"')
    local again = made_up.run()
    for _, ev in ipairs(again) do
      if ev.ev == "test_end" and not ev.retried and ev.id == 5 and ev.file:find "lifecycle" then ev.status = "error" end
    end
    document = print_of("junit", again)
    has(document,
      '<rerunFailure message="specs/orders/lifecycle_spec.lua:36: Expected status 200, got 503." type="assertion">')
  end)

  for name, run in pairs(runs) do
    it("is valid: " .. name, function()
      checked({ "xmllint", "--noout", "--schema", replay.fixtures .. "junit.xsd" }, print_of("junit", run))
    end)
  end
end)

describe("tap14", function()
  -- The points of a stream, and what stands in its YAML blocks; fails where a line is none of TAP 14's.
  local function parse(document)
    local points, plan, inside = {}, nil, false
    for line in document:gmatch "([^\n]*)\n" do
      if inside then
        if line == "  ..." then inside = false else assert.matches("^  ", line) end
        points[#points].yaml = (points[#points].yaml or "") .. line:sub(3) .. "\n"
      elseif line == "  ---" then
        inside = true
      elseif line:find "^1%.%.%d+" then
        plan = tonumber(line:match "%d+$" or line:match "1%.%.(%d+)")
      elseif not line:find "^#" and line ~= "TAP version 14" then
        local ok, number, description = line:match "^(n?o?t? ?ok) (%d+) %- ?(.*)$"
        assert.truthy(ok, "no line of TAP: " .. line)
        assert.equal(#points + 1, tonumber(number))
        points[#points + 1] = { ok = ok == "ok", description = description }
      end
    end
    assert.is_false(inside)
    return points, plan
  end

  it("has a point a test and the plan last", function()
    local document = print_of("tap14", "plain")
    local points, plan = parse(document)
    assert.matches("^TAP version 14\n", document)
    assert.same({ 34, 34 }, { #points, plan })
    assert.is_false(points[1].ok)
    assert.equal("orders · lifecycle · announces a created order \\#slow", points[1].description)
    has(points[1].yaml, 'at: "specs/orders/lifecycle_spec.lua:54"')
    has(points[1].yaml,
      "detail: |2\n  specs/orders/lifecycle_spec.lua:54: No event on orders.created matched within 5 s.\n")
    has(points[3].yaml, "flaky: true\nattempts: 2")
    assert.equal("orders · lifecycle · is cancelled by its customer # SKIP waits for the new API", points[4].description)
  end)

  it("takes any name, and says why nothing ran", function()
    assert.equal(47, #parse(print_of("tap14", "hostile")))
    local document = print_of("tap14", {
      { ev = "run_start", version = "1", at = 1, files = 0, jobs = 1, seed = 1 },
      { ev = "run_end", seconds = 0, nothing = "there is no test in specs" },
    })
    assert.equal("TAP version 14\n1..0 # SKIP there is no test in specs\n", document)
  end)
end)

describe("ctrf", function()
  for name, run in pairs(runs) do
    it("is valid: " .. name, function()
      local schema = replay.fixtures .. "ctrf.schema.json"
      local code = "import json, sys, jsonschema; " ..
        "jsonschema.validate(json.load(open(sys.argv[2])), json.load(open(sys.argv[1])))"
      checked({ "python3", "-c", code, schema }, print_of("ctrf", run))
    end)
  end

  it("has each test with its story", function()
    local results = json.decode(print_of("ctrf", "plain")).results
    local s = results.summary
    assert.same({ 34, 14, 19, 1, 1, 6 }, { s.tests, s.passed, s.failed, s.pending, s.flaky, s.suites })
    local first, flaky = results.tests[1], results.tests[3]
    assert.same({ "specs/orders/lifecycle_spec.lua", "orders", "lifecycle" }, first.suite)
    assert.same({ "slow" }, first.tags)
    assert.equal(5040, first.duration)
    has(first.trace, "http     POST http://127.0.0.1:40123/orders")
    has(first.snippet, "▸ 54 │ local x = 1")
    assert.same({ true, 1, "failed" }, { flaky.flaky, flaky.retries, flaky.retryAttempts[1].status })
  end)
end)

describe("gitlab", function()
  it("is a list of failures with places and fingerprints of their own", function()
    local list = json.decode(print_of("gitlab", "hostile"))
    assert.equal(26, #list)
    local seen = {}
    for _, entry in ipairs(list) do
      assert.matches("^%x+$", entry.fingerprint)
      assert.is_nil(seen[entry.fingerprint])
      seen[entry.fingerprint] = true
      assert.is_true(entry.location.lines.begin >= 1 and #entry.location.path > 0 and #entry.description > 0)
    end
    local severities = { list[1].severity, list[2].severity, list[3].severity }
    assert.same({ "major", "minor", "critical" }, severities)
    assert.same({ path = "specs/orders/lifecycle_spec.lua", lines = { begin = 54 } }, list[1].location)
  end)

  it("keeps a failure's fingerprint when its line moves, and is empty for a run that passed", function()
    local moved = made_up.run()
    for _, ev in ipairs(moved) do
      if ev.line then ev.line = ev.line + 3 end
    end
    assert.equal(json.decode(print_of("gitlab", "plain"))[1].fingerprint, json.decode(print_of("gitlab",
      moved))[1].fingerprint)
    assert.equal("[]\n", print_of("gitlab", "none"))
  end)
end)

describe("github", function()
  local function run(events, opts)
    local appended = {}
    opts = opts or {}
    opts.env = opts.env or function(name) return name == "GITHUB_STEP_SUMMARY" and "/summary" or nil end
    opts.append = opts.append or function(path, content)
      appended.path, appended.content = path, content
      return true
    end
    return print_of("github", events, opts), appended
  end

  it("annotates the line that failed", function()
    local printed = run "plain"
    has(printed,
      "::error file=specs/orders/lifecycle_spec.lua,line=54," ..
      "title=orders · lifecycle · announces a created order #slow::" ..
      "No event on orders.created matched within 5 s.%0A%0A1 of 4 values differs%0A")
    has(printed,
      "::warning file=specs/orders/lifecycle_spec.lua,line=36,title=orders · lifecycle · settles after a retry::flaky: ")
    has(printed, "likely cause: Nothing listens on 127.0.0.1:6379")
  end)

  it("is one line a failure, whatever its name holds", function()
    for line in run("hostile"):gmatch "[^\n]+" do assert.matches("^::[enw]%a+ ?[^:]*::", line) end
    local _, lines = run("many"):gsub("\n", "")
    assert.equal(22, lines)
  end)

  it("appends the page to the job's summary, and says when it cannot", function()
    local _, appended = run "plain"
    assert.equal("/summary", appended.path)
    has(appended.content, "## ✗ 17 of 32 tests failed, 2 errors outside tests")
    local said
    run("plain", { append = function() return nil, "No space left on device" end, warn = function(text) said = text end })
    assert.equal("the summary /summary could not be written: No space left on device", said)
    local _, nothing = run("plain", { env = function() end })
    assert.same({}, nothing)
  end)
end)

describe("markdown", function()
  it("is a page: counts, causes, failures, what was slow", function()
    local page = print_of("markdown", "plain")
    has(page, "| 32 | 14 | 19 | 1 | 1 | 8.10 s |")
    has(page, "- **16 failures** in 4 files: Nothing listens on 127.0.0.1:6379, where the service cache would.")
    has(page, "<details><summary>✗ <b>orders · lifecycle · announces a created order #slow</b> &nbsp; " ..
      "specs/orders/lifecycle_spec.lua:53 &nbsp; 5.04 s</summary>")
    has(page, "▸ 54 │ local x = 1")
    has(page, "### Flaky\n\n- orders · lifecycle · settles after a retry — `specs/orders/lifecycle_spec.lua:35`")
    has(page, "### Slowest\n\n- 5.04 s — orders")
  end)

  it("lets no name be markup", function()
    local page = print_of("markdown", "hostile")
    assert.is_nil(page:gsub("```+text\n.-\n```+\n", ""):find("<script", 1, true))
    assert.is_nil(page:gsub("```+text\n.-\n```+\n", ""):find("<img", 1, true))
  end)

  it("stays short with many failures, and says what ran when none failed", function()
    local page = print_of("markdown", "many")
    assert.is_true(#page < 200000)
    has(print_of("markdown", replay.run { { status = "success" }, { status = "success" } }), "## ✓ 2 tests passed")
    has(print_of("markdown", "none"), "## ◌ No test ran")
  end)
end)

describe("jsonl", function()
  local function recorded(events, opts)
    local list = {}
    for line in replay.print("jsonl", events, opts):gmatch "[^\n]+" do list[#list + 1] = json.decode(line) end
    return list
  end

  it("takes the source along, so that a recording makes the same page on another machine", function()
    local source = ("\n"):rep(30) .. ("  local x = 1\n"):rep(100)
    local opts = { program = "itlua", read = function() return source end }
    local direct = print_of("html", "plain", opts)
    local list = recorded(runs.plain, opts)
    assert.equal(direct, print_of("html", list, { program = "itlua", read = function() end }))
    assert.equal(print_of("ctrf", "plain", opts), print_of("ctrf", list, { program = "itlua", read = function() end }))
  end)
end)

describe("a run repeated until something fails", function()
  for _, kind in ipairs { "html", "junit", "ctrf", "markdown" } do
    it("is its last repetition: " .. kind, function()
      local events = {}
      for n = 1, 3 do
        for _, ev in ipairs(replay.run { { name = n == 3 and "is the last" or "is earlier", status = "success" } }) do
          if ev.ev == "run_start" then ev.run, ev.runs = n, 0 end
          events[#events + 1] = ev
        end
      end
      local document = print_of(kind, events)
      assert.is_nil(document:find("is earlier", 1, true))
      if kind ~= "markdown" then has(document, "is the last") else has(document, "1 test passed") end
    end)
  end
end)
