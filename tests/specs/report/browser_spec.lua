-- The HTML report in a real browser. Nothing here depends on how fast anything is: figures are rows of `make bench`.
local here = debug.getinfo(1, "S").source:match "^@(.*)[/\\]" or "."
local replay = dofile(here .. "/replay.lua")
local made_up = dofile(here .. "/made_up.lua")
local chromium = dofile(here .. "/chromium.lua")
local fs = require "itlua.fs"
local task = require "itlua.task"

local LIFECYCLE = "/test/specs%2Forders%2Flifecycle_spec.lua%3A53"

describe("the HTML report in Chromium #heavy", function()
  local page, folder, files

  if not chromium.installed() then
    -- Ubuntu has it as a snap only, which needs a whole system around it.
    return pending "Chromium is not installed"
  end

  setup(function()
    folder, files = fs.tempdir(), {}
    local opts = { program = "itlua", read = function() return ("local x = 1\n"):rep(100) end, history = {} }
    for i = 1, 12 do
      opts.history[i] = { at = 1795000000 + i, seconds = i, successes = 30, failures = i % 3, flaky = i % 2 }
    end
    files.small = folder:write("small.html", replay.print("html", made_up.run(), opts))
    files.hostile = folder:write("hostile.html", replay.print("html", made_up.run { hostile = true }, opts))
    files.big = folder:write("big.html", replay.print("html", made_up.run { tests = 10000 }, opts))
    files.empty = folder:write("empty.html", replay.print("html", {
      { ev = "run_start", version = "1", at = 1, files = 0, jobs = 1, concurrency = 1, seed = 1, run = 1, runs = 1 },
      { ev = "run_end", seconds = 0.1, successes = 0, failures = 0, errors = 0, pendings = 0, tests = 0,
        nothing = "there is no test in specs" },
    }))
    page = chromium.start()
  end)

  teardown(function()
    if page then page:close() end
    if folder then folder:close() end
  end)

  local function text(selector)
    return page:eval(("document.querySelector(%q).innerText"):format(selector))
  end

  -- Keys and hashes take effect a little later.
  local function becomes(expected, expression)
    task.eventually(function() assert.equal(expected, page:eval(expression)) end, { timeout = 30 })
  end

  local function find(words)
    page:eval(([[(() => { const s = document.getElementById("search");
      s.value = %q; s.dispatchEvent(new Event("input")); })()]])
      :format(words))
  end

  local hash = "decodeURIComponent(location.hash)"

  -- Where the address leads to is drawn a little after it has changed.
  local function arrives(at)
    becomes(at, hash)
    local place = at:match "^#/test/(.*)"
    becomes(true, place and ("document.querySelector('main .place').textContent === %q"):format(place)
      or "document.querySelector('main .tiles') !== null")
  end

  local function quiet()
    assert.same({}, page.errors)
    for _, url in ipairs(page.requests) do assert.matches("^[fd][ia][lt][ea]:", url) end
  end

  it("opens without an error and without a request to any network", function()
    for _, name in ipairs { "small", "hostile", "big", "empty" } do
      page:open(files[name])
      assert.truthy(page:eval "document.documentElement.dataset.ready", name)
      quiet()
    end
    assert.matches("there is no test in specs", text "main")
  end)

  it("says first how it went and why", function()
    page:open(files.small)
    assert.equal("17 of 32 tests failed, 2 errors outside tests", text "main h1")
    assert.matches("^16 failures%s+in 4 files%s+redis ECONNREFUSED%s+Copy command%s+Nothing listens on 127.0.0.1:6379",
      text ".card")
    assert.matches("The last 13 runs", text "main")
    assert.equal("17 of 32 tests failed, 2 errors outside tests · itlua", page:eval "document.title")
  end)

  it("shows a failure in the order of the terminal", function()
    page:open(files.small, LIFECYCLE)
    local shown, at = text "main", 0
    for _, word in ipairs {
      "announces a created order", "No event on orders.created matched within 5 s.", '"c-1"', '"C-1"',
        "It waited, in 2 tasks, for", "SELECT pg_sleep(60)", "local x = 1",
        "Timeline",
      "POST http://127.0.0.1:40123/orders", "SELECT id, status", "GET order:o-118", "Output", "stored o-118",
        "Likely cause",
      "Run it again", "itlua specs/orders/lifecycle_spec.lua:53 --seed 81733", "curl -X POST",
    } do
      local found = shown:find(word, at + 1, true)
      assert.truthy(found, word .. " is not where it should be in\n" .. shown)
      at = found
    end
    assert.equal(8, page:eval "document.querySelectorAll('.waterfall > li').length")
    quiet()
  end)

  it("opens requests, statements and events, with numbers as they were", function()
    page:open(files.small, LIFECYCLE)
    page:eval "document.querySelectorAll('.opens').forEach(b => b.click())"
    local shown = text ".waterfall"
    assert.matches('"big": 9007199254740993', shown)
    assert.matches('"total": 12.50', shown)
    assert.matches("NULL", shown)
    assert.matches("orders%.created", shown)
    local copied = page:eval [[new Promise(resolve => {
      Object.defineProperty(navigator, "clipboard", { value: { writeText: async text => resolve(text) },
        configurable: true });
      Array.from(document.querySelectorAll(".copy")).find(b => b.innerText === "Copy as curl").click();
    })]]
    assert.matches("^curl %-i %-X POST http://127.0.0.1:40123/orders ", copied)
    assert.matches("%-%-data%-raw '{\"customer\":\"c%-1\"", copied)
    quiet()
  end)

  it("stretches what is short beside a long wait", function()
    page:open(files.small, LIFECYCLE)
    local width = "document.querySelectorAll('.waterfall .bar')[1].getBoundingClientRect().width"
    local before = page:eval(width)
    page:eval "document.querySelector('[aria-pressed=false].copy').click()"
    assert.is_true(page:eval(width) > before * 3)
    assert.equal("true", page:eval "document.querySelector('.wf-tools button').getAttribute('aria-pressed')")
    quiet()
  end)

  it("copies the command that runs all failures of a cause again", function()
    page:open(files.small)
    local copied = page:eval [[new Promise(resolve => {
      Object.defineProperty(navigator, "clipboard", { value: { writeText: async text => resolve(text) }, configurable: true });
      document.querySelector(".card .copy").click();
    })]]
    assert.matches("^itlua specs/cache/refused_1_spec.lua:35 specs/cache/refused_1_spec.lua:42 ", copied)
    assert.equal(16, select(2, copied:gsub("%.lua:", "")))
  end)

  it("filters by words, tags, what is not wanted and outcome", function()
    page:open(files.big)
    find "payments 4177"
    assert.equal("1 of 10,034 tests", text "#count")
    find "#slow handles"
    assert.equal("2,000 of 10,034 tests", text "#count")
    find "area_01 -invoices"
    assert.equal("675 of 10,034 tests", text "#count")
    find "connection refused"
    assert.equal("16 of 10,034 tests", text "#count")
    find ""
    page:eval "document.querySelector('[data-outcome=failed]').click()"
    assert.equal("39 of 10,034 tests", text "#count")
    find "no such test"
    assert.matches("No test fits", text "#rows")
    page:eval "document.querySelector('#rows button').click()"
    assert.equal("10,034 tests", text "#count")
  end)

  it("draws only the rows that are seen", function()
    page:open(files.big)
    assert.is_true(page:eval "document.querySelectorAll('.row').length" < 100)
    page:eval "document.getElementById('list').scrollTop = 200000"
    becomes(true, "Number(document.querySelector('.row').id.slice(4)) > 5000")
  end)

  it("is led by keys", function()
    page:open(files.small)
    page:press "/"
    becomes("search", "document.activeElement.id")
    page:type "teardown"
    becomes("1 of 34 tests", "document.getElementById('count').innerText")
    page:press "Enter"
    arrives "#/test/specs/orders/lifecycle_spec.lua:88"
    page:press "Escape"
    becomes("34 tests", "document.getElementById('count').innerText")
    page:press "Escape"
    arrives "#/"
    page:press "n"
    arrives "#/test/specs/cache/refused_1_spec.lua:35"
    page:press "p"
    arrives "#/test/specs/orders/lifecycle_spec.lua:88"
    page:press "p"
    arrives "#/test/specs/orders/lifecycle_spec.lua:53"
    page:press "j"
    page:press "j"
    page:press "j"
    page:press "k"
    page:press "Enter"
    becomes("settles after a retry", "document.querySelector('main h1').innerText")
    assert.matches("It failed once and then passed", text "main")
    page:press "?"
    becomes(true, "document.getElementById('help').open")
    page:press "Escape"
    becomes(false, "document.getElementById('help').open")
    quiet()
  end)

  it("is dark or light as the system is, and as one wants", function()
    local ground = "getComputedStyle(document.body).backgroundColor"
    page:size(1400, 900, true)
    page:open(files.small)
    assert.equal("rgb(18, 20, 23)", page:eval(ground))
    page:press "t"
    becomes("rgb(246, 246, 244)", ground)
    page:eval "try { localStorage.clear() } catch (_) {}"
    page:size(1400, 900)
  end)

  it("fits a telephone", function()
    page:size(380, 800)
    for _, where in ipairs { "/", "/tests", LIFECYCLE, "/workers", "/logs", "/file/0" } do
      page:open(files.small, where)
      assert.is_true(page:eval "document.documentElement.scrollWidth <= innerWidth", where)
      assert.is_true(page:eval "document.querySelector('main').scrollWidth <= innerWidth", where)
    end
    quiet()
    page:size(1400, 900)
  end)

  it("keeps its cards and tables within the page, however long what differs is", function()
    local long = ("lorem ipsum "):rep(30)
    local file = folder:write("long.html", replay.print("html", replay.run {
      { status = "failure", message = "spec/orders_spec.lua:11: Expected objects to be the same.", problem = {
        diff = "2 of 41 values differ\n  items[40]               unexpected { note = \"" .. long .. "\" }\n"
          .. "  items[17].quantity   expected 18   got 17",
        timeline = '[{"at":2,"seconds":1,"what":"redis","detail":"SECOND","outcome":""},'
          .. '{"at":1,"seconds":3,"what":"sql.query","detail":"FIRST","outcome":"still waiting"}]' } },
    }, { program = "itlua", read = function() end }))
    for _, width in ipairs { 380, 800, 1280 } do
      page:size(width, 900)
      for _, where in ipairs { "/", "/test/spec%2Forders_spec.lua%3A10" } do
        page:open(file, where)
        assert.equal("", page:eval [[(() => { const main = document.querySelector("main");
          const out = Array.from(main.querySelectorAll("*")).filter(n => !n.closest(".scroll, pre, table, .said") &&
            n.getBoundingClientRect().right > innerWidth + 1).map(n => n.outerHTML.slice(0, 80));
          return main.scrollWidth <= main.clientWidth + 1 ? "" : out[0] || "wide"; })()]], where .. " at " .. width)
      end
    end
    assert.equal("items[40]|nothing|items[17].quantity|18|17", page:eval [[
      Array.from(document.querySelectorAll(".differs tbody tr > *")).map(cell => cell.textContent)
        .filter(s => !s.startsWith("{")).join("|")]])
    assert.equal("FIRST|SECOND", page:eval [[
      Array.from(document.querySelectorAll(".target")).map(node => node.textContent).join("|")]])
    quiet()
    page:size(1400, 900)
  end)

  it("tells a screen reader what is what", function()
    page:open(files.small, LIFECYCLE)
    local seen = {}
    for _, node in ipairs(page:accessible()) do seen[#seen + 1] = node.role .. " " .. node.name end
    local tree = table.concat(seen, "\n") .. "\n"
    for _, want in ipairs {
      "banner \n", "navigation Views\n", "complementary Tests\n", "main \n", "search \n",
        "heading announces a created order",
      "searchbox Filter tests by name, file, message or #tag\n", "group Filter by outcome\n", "listbox Tests\n",
      "option failed orders · lifecycle · announces a created order #slow 5.04 s\n",
      "option specs/orders/lifecycle_spec.lua 2 failed 1 flaky 6.90 s", "region Timeline\n", "note Likely cause\n",
      "button Switch between light and dark\n", "status ",
    } do
      assert.truthy(tree:find(want, 1, true), want .. " is not in\n" .. tree)
    end
    -- Everything that can be used has a name.
    for _, node in ipairs(page:accessible()) do
      if node.role == "button" or node.role == "link" or node.role == "searchbox" or node.role == "combobox" then
        assert.is_true(node.name:find "%S" ~= nil, "a " .. node.role .. " without a name")
      end
    end
  end)

  it("has texts that stand out from their ground, in both themes", function()
    local contrast = fs.read(here .. "/contrast.js")
    for _, dark in ipairs { false, true } do
      page:size(1400, 900, dark)
      for _, where in ipairs { "/", LIFECYCLE, "/workers", "/file/0" } do
          page:open(files.small, where)
        page:eval "document.querySelectorAll('.opens').forEach(b => b.click())"
        assert.equal("", page:eval(contrast))
      end
    end
    page:size(1400, 900)
  end)

  it("takes names for text, whatever they hold", function()
    page:open(files.hostile)
    find "specs/<b>"
    assert.equal("13 of 47 tests", text "#count")
    for i = 1, 13 do
      page:eval(("document.getElementById('row-%d').click()"):format(i))
      becomes(true, "document.querySelector('main .test') !== null")
      page:eval "document.querySelectorAll('.opens, summary').forEach(b => b.click())"
    end
    assert.not_matches("^owned", page:eval "document.title")
    assert.equal(0, page:eval "document.querySelectorAll('main img, main script, main b > i, #rows img').length")
    quiet()
  end)

  it("shows a line that a service printed while several tests ran once", function()
    local function test(name, detail)
      return { name = name, status = "failure", message = "no", problem = { timeline = ([[
        [{"at":1,"seconds":0.1,"what":"sql.query","detail":"%s","outcome":""},
         {"at":1.01,"seconds":0,"what":"db","detail":"ERROR one","outcome":"","log":true}] ]]):format(detail) } }
    end
    local events = replay.run { test("first", "a"), test("second", "b") }
    for _, ev in ipairs(events) do
      if ev.ev == "test_start" then ev.at = 1795186450 end
    end
    page:open(folder:write("logs.html", replay.print("html", events, { program = "itlua", read = function() end })), "/logs")
    assert.equal("ERROR one|first and 1 other", page:eval [[Array.from(document.querySelectorAll(".log-lines li")).map(li =>
      li.children[1].textContent + "|" + li.children[2].textContent).join(";")]])
    quiet()
  end)

  it("says that a link is to a test that is not there", function()
    page:open(files.small, "/test/specs%2Fgone_spec.lua%3A3")
    assert.equal("There is no test at specs/gone_spec.lua:3 in this run.", text "[role=alert]")
    quiet()
  end)

  it("shows where the time went, and what a file came to", function()
    page:open(files.small, "/workers")
    assert.equal(6, page:eval "document.querySelectorAll('.gbar').length")
    page:eval "document.querySelector('.gbar').click()"
    becomes("specs/orders/lifecycle_spec.lua", "document.querySelector('main h1').innerText")
    assert.matches("printed while loading", text "main")
    page:open(files.small, "/logs")
    assert.matches("order o%-118: cache is gone", text "main")
    assert.matches("app while tests ran%s+235 ms%s+INFO order o%-118 stored%s+announces a created order", text "main")
    quiet()
  end)
end)
