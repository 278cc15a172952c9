-- What README.md says is true: its spec runs, its links lead somewhere, its targets and folders are there.
local fs = require "itlua.fs"
local process = require "itlua.process"

describe("README.md", function()
  local text = fs.read "README.md"

  it("has a spec that runs as it is", function()
    local dir <close> = fs.tempdir()
    local path = dir:write("orders_spec.lua", (text:match "```lua\n(.-)```"))
    local ran = process.run { process.self(), "-o", "TAP", path }
    assert.equal("ok 1 - orders can be created by who is logged in\nok 2 - orders are refused without a token\n1..2\n",
      ran.stdout)
    assert.equal(0, ran.code)
  end)

  it("links to what is there", function()
    local headings = {}
    for heading in text:gmatch "\n#+ ([^\n]+)" do headings["#" .. heading:lower():gsub("%s", "-")] = true end
    for target in text:gmatch "%]%(([^)]+)%)" do
      if target:find "^#" then
        assert.is_true(headings[target], target)
      elseif not target:find "^https?:" then
        assert.is_truthy(fs.exists(target), target)
      end
    end
  end)

  it("names targets that the Makefile has", function()
    local help = process.run { "make", "--no-print-directory", "help" }.stdout
    for target in text:gmatch "`make (%l[%l-]*)`" do
      assert.is_truthy(help:find("\n  " .. target .. " ", 1, true), target)
    end
  end)

  it("names folders that are there", function()
    for path in text:match("## What is where\n\n```\n(.-)```"):gmatch "\n?([%w/.]+)%s%s+" do
      assert.is_truthy(fs.exists(path), path)
    end
  end)
end)
