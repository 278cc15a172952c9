local here = debug.getinfo(1, "S").source:match "^@(.*)[/\\]" or "."
local replay = dofile(here .. "/replay.lua")

local function run(command)
  local pipe = assert(io.popen(command .. " 2>&1; echo $?"))
  local output = pipe:read "a"
  pipe:close()
  local text, code = output:match "^(.-)(%d+)%s*$"
  return tonumber(code), text
end

local has_xmllint = run "command -v xmllint" == 0

local function validate(document)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(document)
  file:close()
  local code, why = run(("xmllint --noout --schema %sjunit.xsd %s"):format(replay.fixtures, path))
  os.remove(path)
  assert.equal(0, code, why)
end

local function junit(events, opts) return replay.print("junit", events, opts) end

describe("junit", function()
  for _, name in ipairs { "plain", "verbose", "deferred", "shuffled", "syntax" } do
    it("is valid for the recorded run: " .. name, function()
      if not has_xmllint then pending "xmllint is not installed" end
      local events, opts = replay.recorded(name)
      opts.args = {}
      validate(junit(events, opts))
    end)
  end

  it("has a suite a file with counts, and a case a test with place, time and what went wrong", function()
    local document = junit(replay.run {
      { name = "stores", status = "success", seconds = 0.0314 },
      { name = "ships", status = "failure", message = "spec/orders_spec.lua:21: Expected 1.", output = "hello\n",
        problem = { traceback = "\nstack traceback:\n\tspec/orders_spec.lua:21: in function" } },
      { name = "asks", status = "error", message = "spec/orders_spec.lua:31: refused",
        problem = { error_kind = "http", error_code = "ECONNREFUSED" } },
      { name = "waits", status = "pending", message = "later" },
    })
    local function has(text) assert.is_truthy(document:find(text, 1, true), text .. " is not in\n" .. document) end
    has '<testsuite name="spec/orders_spec.lua" tests="4" failures="1" errors="1" skipped="1" time="0.250"'
    has 'timestamp="2026-11-20T14:54:09" file="spec/orders_spec.lua"'
    has '<property name="itlua.seed" value="81733"/>'
    has '<testcase name="orders stores" classname="spec.orders_spec" time="0.031"'
    has ' file="spec/orders_spec.lua" line="10"/>'
    has '<failure type="assertion" message="spec/orders_spec.lua:21: Expected 1.">spec/orders_spec.lua:21: Expected 1.'
    has "stack traceback:"
    has "again: itlua spec/orders_spec.lua:20"
    has "<system-out>hello\n</system-out>"
    has '<error type="http:ECONNREFUSED"'
    has '<skipped message="later"/>'
  end)

  it("makes a case of an error outside the tests, and one element of a test's several problems", function()
    local file = "spec/orders_spec.lua"
    local events = replay.run({
      { name = "a", status = "error", message = file .. ":12: first", problem = { kind = "failure" } },
    }, {
      events = {
        { ev = "problem", file = file, block = 1, kind = "error", where = "teardown", name = "orders",
          source = file, line = 3,
          at_line = 2, message = file .. ":3: gone" },
      },
    })
    table.insert(events, 6, { ev = "problem", file = file, id = 2, kind = "error", where = "it",
      name = "orders a", source = file,
      line = 14, at_line = 10, message = file .. ":14: second" })
    local document = junit(events)
    assert.matches('<testsuite name="spec/orders_spec.lua" tests="2" failures="0" errors="2"', document)
    assert.matches('message="spec/orders_spec.lua:14: second">spec/orders_spec.lua:12: first', document)
    assert.matches('<testcase name="orders teardown"', document)
    local _, elements = document:gsub("</error>", "")
    assert.equal(2, elements)
    if has_xmllint then validate(document) end
  end)

  it("is valid for any bytes in names, messages and output, and keeps what XML can hold", function()
    if not has_xmllint then pending "xmllint is not installed" end
    local all = {}
    for byte = 0, 255 do all[#all + 1] = string.char(byte) end
    local bytes = table.concat(all)
    local nasty = {
      bytes, "\0", "]]>", "<![CDATA[", "&amp;<>\"'", "\xED\xA0\x80", "\xEF\xBF\xBE\xEF\xBF\xBF",
      "\xF4\x90\x80\x80", "\xC0\x80",
      "ünï→😀", "\27[31mred\27[0m", "\r\n\r", "\xC2\x85\xC2\x9B", "<?xml?>", "<!--", "\u{FDD0}\u{1FFFE}",
    }
    math.randomseed(7)
    for _ = 1, 40 do
      local random = {}
      for i = 1, math.random(0, 60) do random[i] = string.char(math.random(0, 255)) end
      nasty[#nasty + 1] = table.concat(random)
    end
    local tests = {}
    for i, text in ipairs(nasty) do
      tests[i] = { name = text, status = ({ "failure", "error", "pending", "success" })[i % 4 + 1],
        message = i % 4 ~= 3 and text or nil, output = text, left = text,
        problem = { traceback = text, diff = text, curl = text, error_kind = text, error_code = text, source = text } }
    end
    validate(junit(replay.run(tests, { file = "spec/" .. bytes:gsub("/", "") .. ".lua" })))
    local document = junit(replay.run { { name = "ü→😀 <&>", status = "success" } })
    assert.is_truthy(document:find('name="orders ü→😀 &lt;&amp;&gt;"', 1, true))
  end)

  it("bounds what a test printed, and says so", function()
    local document = junit(replay.run { { name = "prints", status = "success",
      output = ("x"):rep(5 * 1024 * 1024) .. "END" } })
    assert.is_true(#document < 1024 * 1024)
    assert.matches("%[%d+ bytes left out%]", document)
    assert.matches("xEND</system%-out>", document)
  end)

  it("writes at the end of the last repetition only, and when a run was interrupted", function()
    local first, second = replay.run { { status = "success" } }, replay.run { { status = "success" } }
    first[1].runs, second[1].runs, second[1].run = 2, 2, 2
    local all = table.move(second, 1, #second, #first + 1, table.move(first, 1, #first, 1, {}))
    local _, documents = junit(all):gsub("<%?xml", "")
    assert.equal(1, documents)
    local interrupted = replay.run({ { status = "success" } }, { interrupted = "SIGINT" })
    assert.matches("<testcase", junit(interrupted))
    -- No run_end at all.
    interrupted[#interrupted] = nil
    assert.matches("<testcase", junit(interrupted))
  end)

  it("leaves out what Jenkins' xUnit plugin does not know, if strict", function()
    local document = junit(replay.run { { status = "success" } }, { args = { "report.xml", "strict" } })
    assert.is_nil(document:match "<testcase[^>]*line=")
    local report = require "itlua.report"
    assert.equal("report.xml", report.file("junit", { "strict", "report.xml" }))
    assert.is_nil(report.file("junit", { "strict" }))
  end)

  it("writes a document beside each spec file with -Xoutput true", function()
    local written = {}
    local printed = junit(replay.run { { status = "success" } }, {
      args = { "true" }, write_file = function(path, content) written[path] = content end,
    })
    assert.equal("", printed)
    assert.matches('<testsuites name="itlua" tests="1"', written["spec/orders_spec.xml"])
  end)
end)
