-- Fixtures of a run: made once, by whichever file asks first, undone when the run ends.
package.path = "tests/specs/services/?.lua;" .. package.path
local fs = require "itlua.fs"
local project = require "support.project"

local MAKE = [[
local fs = require "itlua.fs"
return function(f, with)
  fs.append("log", "up " .. (with.greeting or "") .. "\n")
  f:teardown(function() fs.append("log", "first down\n") end)
  f:teardown(function() fs.append("log", "second down\n") end)
  require("itlua.task").sleep(0.2)
  return { sku = "b-17", stock = 9007199254740993, tags = { "x", "y" }, none = require("itlua.json").null }
end
]]

local SPEC = [[
local fixture = require "itlua.fixture"
it("is the one", function()
  local catalogue = fixture.use "catalogue"
  assert.equal("b-17", catalogue.sku)
  assert.equal(9007199254740993, catalogue.stock)
  assert.same({ "x", "y" }, catalogue.tags)
  assert.equal(require("itlua.json").null, catalogue.none)
  catalogue.sku = "mine"
end)
it("is nobody's to change", function()
  assert.equal("b-17", fixture.use("catalogue").sku)
  assert.equal("b-17", require("itlua.services").catalogue.value.sku)
end)
]]

local function log_of(dir) return fs.read(dir:join "log") end

local DECLARED = [[catalogue = { kind = "fixture", file = "make.lua", with = { greeting = "hello" } }]]

describe("a fixture of the run", function()
  it("is made once for all workers and files, and undone in reverse", function()
    local files = { ["itlua.lua"] = project.settings(DECLARED), ["make.lua"] = MAKE }
    for i = 1, 6 do files[("specs/%d_spec.lua"):format(i)] = SPEC end
    local dir = project.new(files)
    project.passes(dir, { "-j", "2", "--concurrency", "3", "-o", "TAP" })
    assert.equal("up hello\nsecond down\nfirst down\n", log_of(dir))
  end)

  it("is not made when nobody asks", function()
    local dir = project.new { ["itlua.lua"] = project.settings(DECLARED), ["make.lua"] = MAKE,
      ["specs/a_spec.lua"] = [[it("passes", function() end)]] }
    project.passes(dir)
    assert.is_false(fs.exists(dir:join "log"))
  end)

  it("is undone also when tests fail, a worker dies, or the run is stopped", function()
    local dir = project.new { ["itlua.lua"] = project.settings(DECLARED), ["make.lua"] = MAKE,
      ["specs/a_spec.lua"] = SPEC .. [[
        it("fails", function() error "no" end)
        it("dies", function() require("itlua.process").run { "/bin/sh", "-c", "kill -KILL $PPID" } end)
      ]] }
    assert.equal(1, project.run(dir, { "-o", "TAP" }).code)
    assert.equal("up hello\nsecond down\nfirst down\n", log_of(dir))
    dir:write("log", "")
    dir:write("specs/a_spec.lua", SPEC .. [[
      it("stops the run", function()
        require("itlua.process").run { "/bin/sh", "-c", "kill -INT $(ps -o ppid= -p $PPID)" }
        require("itlua.task").sleep(60)
      end)
    ]])
    assert.equal(3, project.run(dir, { "-o", "TAP" }).code)
    assert.equal("up hello\nsecond down\nfirst down\n", log_of(dir))
  end)

  it("that cannot be made is told to all, and what was begun is undone", function()
    local dir = project.new { ["itlua.lua"] = project.settings(DECLARED), ["make.lua"] = [[
      return function(f)
        f:teardown(function() require("itlua.fs").append("log", "down\n") end)
        error("no luck", 0)
      end]],
      ["specs/a_spec.lua"] = SPEC, ["specs/b_spec.lua"] = SPEC }
    local text = project.run(dir, { "-o", "TAP" }).stdout
    local _, times = text:gsub("no luck", "")
    assert.is_true(times >= 4, text)
    assert.equal("down\n", log_of(dir))
  end)

  it("says what is wrong with it", function()
    local function told(declared, make)
      local dir = project.new { ["itlua.lua"] = project.settings(declared), ["make.lua"] = make or MAKE,
        ["specs/a_spec.lua"] = SPEC }
      local result = project.run(dir, { "-o", "TAP" })
      assert.is_not.equal(0, result.code)
      return result.stdout
    end
    assert.matches("option 'file' is missing", told [[catalogue = { kind = "fixture" }]], 1, true)
    assert.matches("there is no file nowhere.lua", told [[catalogue = { kind = "fixture", file = "nowhere.lua" }]], 1, true)
    assert.matches("returns no function(f, with), but a nil", told(DECLARED, "local x"), 1, true)
    assert.matches("has to be plain data", told(DECLARED, "return function() return { print } end"), 1, true)
    assert.matches("make.lua:1:", told(DECLARED, "return function( end"), 1, true)
    assert.matches("there is no fixture 'catalogue'", told([[other = { kind = "fixture", file = "make.lua" }]]), 1, true)
  end)

  it("that cannot be undone is told at the end", function()
    local dir = project.new { ["itlua.lua"] = project.settings(DECLARED), ["make.lua"] = [[
      return function(f)
        f:teardown(function() require("itlua.fs").append("log", "down\n") end)
        f:teardown(function() error("it is stuck", 0) end)
        return 1
      end]],
      ["specs/a_spec.lua"] = [[it("is one", function() assert.equal(1, require("itlua.fixture").use "catalogue") end)]] }
    assert.matches("itlua: catalogue  its teardown: it is stuck", project.passes(dir), 1, true)
    assert.equal("down\n", log_of(dir))
  end)

  it("is for other services to refer to, and refers to others", function()
    local dir = project.new { ["itlua.lua"] = project.settings([[
      catalogue = { kind = "fixture", file = "make.lua" },
      other = { kind = "fixture", file = "other.lua",
        with = { sku = "${catalogue.value.sku}", tag = "${catalogue.value.tags.2}" } },
      app = ]] .. project.app [[env = { PORT = "${app.port}", SKU = "${catalogue.value.sku}" }, ready = { http = "/health" }]]),
      ["make.lua"] = MAKE, ["other.lua"] = [[
        return function(f, with)
          f:teardown(function() require("itlua.fs").append("log", "other down\n") end)
          return with.sku .. with.tag
        end]],
      ["specs/a_spec.lua"] = [[
        local services, http, fixture = require "itlua.services", require "itlua.http", require "itlua.fixture"
        it("is passed on", function()
          local api <close> = http.client { base_url = services.app.url }
          assert.equal("b-17", api:get("/env/SKU").body)
          assert.equal("b-17y", fixture.use "other")
        end)]] }
    project.passes(dir)
    assert.equal("up \nother down\nsecond down\nfirst down\n", log_of(dir))
  end)
end)
