local here = debug.getinfo(1, "S").source:match "^@(.*)[/\\]" or "."
local replay = dofile(here .. "/replay.lua")
local json = require "itlua.json"
local json_text = require "itlua.report.json_text"

local function all_bytes()
  local all = {}
  for byte = 0, 255 do all[#all + 1] = string.char(byte) end
  return table.concat(all)
end

describe("json", function()
  it("is one valid document, also with pending blocks and output", function()
    local events, opts = replay.recorded "plain"
    local errors = {}
    opts.err = function(text) errors[#errors + 1] = text end
    local document = json.decode(replay.print("json", events, opts))
    assert.equal(4, #document.failures)
    assert.equal(13, #document.errors)
    assert.equal(2, #document.pendings)
    assert.equal("mixed is pending", document.pendings[1].name)
    assert.equal("mixed_spec.lua:7: later", document.pendings[2].message)
    assert.equal("mixed fails", document.failures[1].name)
    assert.equal("mixed_spec.lua", document.failures[1].element.trace.short_src)
    assert.equal(4, document.failures[1].element.trace.currentline)
    assert.is_true(document.errors[1].isError)
    assert.is_number(document.duration)
    assert.equal("hello from a test\nno newline", table.concat(errors))
  end)

  it("is valid for any bytes", function()
    local bytes = all_bytes()
    local document = replay.print("json", replay.run { { name = bytes, status = "failure", message = bytes } })
    assert.is_truthy(utf8.len(document))
    assert.is_truthy(json.decode(document).failures[1].message:find("\\xFF", 1, true))
  end)

  it("has empty lists where there is nothing", function()
    local document = replay.print("json", replay.run {})
    assert.matches('^{"pendings":%[%],"successes":%[%],"failures":%[%],"errors":%[%],"duration":', document)
  end)
end)

describe("jsonl", function()
  it("is the events, a line each, and reads back the same", function()
    local events = replay.recorded "plain"
    local lines, read = replay.print("jsonl", events), {}
    for line in lines:gmatch "[^\n]+" do read[#read + 1] = json.decode(line) end
    assert.same(events, read)
  end)

  it("is valid for any bytes", function()
    local lines = replay.print("jsonl", replay.run { { status = "success", output = all_bytes() .. "\u{2028}" } })
    for line in lines:gmatch "[^\n]+" do assert.is_table(json.decode(line)) end
  end)
end)

describe("the writer of JSON", function()
  it("writes numbers that read back equal, and null for those JSON lacks", function()
    for _, n in ipairs { 0, 1, -1, math.maxinteger, math.mininteger, 0.1, 1e300, 2 ^ 53, 1.5, -0.25, 1 / 3 } do
      assert.equal(n, json.decode(json_text.encode { n })[1])
    end
    assert.equal("[null,null]", json_text.encode { 1 / 0, 0 / 0 })
  end)

  it("puts the given keys first and sorts the others", function()
    assert.equal('{"z":1,"a":2,"b":3}', json_text.encode({ a = 2, b = 3, z = 1 }, { "z" }))
  end)
end)
