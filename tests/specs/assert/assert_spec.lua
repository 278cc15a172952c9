-- itlua's own assertions, as a spec uses them.
local luassert = require "luassert"
local match = require "luassert.match"
local null = require "itlua.null"
local json = require "itlua.json"

local function response(status, body, headers)
  local by_name = {}
  for name, value in pairs(headers or {}) do by_name[name:lower()] = value end
  return {
    status = status, body = body, url = "http://x/orders", method = "POST", timings = { dns = 0.001, total = 0.25 },
    headers = setmetatable({}, {
      __index = function(_, name) return by_name[name:lower()] end,
      __pairs = function() return pairs(headers or {}) end,
    }),
    json = function(self) return json.decode(self.body) end,
    as_curl = function() return "curl -X POST http://x/orders" end,
  }
end

local function failure(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok, "did not fail")
  return (tostring(err):gsub("^[^\n]-:%d+: ", ""))
end

local body = '{"error":"validation","details":[{"field":"items[0].quantity","value":0}],"none":null}'
local refused = response(422, body, { ["Content-Type"] = "application/json; charset=utf-8", Location = "/orders/17" })

describe("assert.response", function()
  it("knows the status, several of them, classes of them", function()
    assert.response(refused).has.status(422)
    assert.response(refused).has.status(201, 422)
    assert.response(refused).has.status("4xx")
    assert.response(refused).has.no.status(201)
    local text = failure(function() assert.response(refused).has.status(201) end)
    assert.matches("^Expected status 201, got 422 Unprocessable Entity%.\n\n  {\n", text)
    assert.matches('"field": ?"items%[0%]%.quantity"', text)
    assert.matches("\n\nrequest  curl %-X POST http://x/orders$", text)
    assert.matches("^Expected status 201, 202 or 5xx, got 422", failure(function()
      assert.response(refused).has.status(201, 202, "5xx")
    end))
    assert.matches("^Expected a status other than 422",
      failure(function() assert.response(refused).has.no.status(422) end))
  end)

  it("takes a message of one's own", function()
    assert.matches("^the order is refused\nExpected status 201", failure(function()
      assert.response(refused).has.status(201, "the order is refused")
    end))
    assert.matches("^while ordering\nExpected status 201", failure(function()
      assert.response(refused, "while ordering").has.status(201)
    end))
  end)

  it("knows headers, in any case, exactly or by a pattern for the whole value", function()
    assert.equal("/orders/17", assert.response(refused).has.header("location"))
    assert.response(refused).has.header("LOCATION", "/orders/17")
    assert.response(refused).has.header("Location", "/orders/%d+")
    assert.response(refused).has.header("Location", "^/orders")
    assert.response(refused).has.no.header("x-debug")
    assert.response(refused).has.header("Location", match.is_string())
    assert.matches('^Expected header Location to be "/orders/1", got "/orders/17"%.', failure(function()
      assert.response(refused).has.header("Location", "/orders/1")
    end))
    assert.matches("^Expected a header x%-debug: it has content%-type, location%.", failure(function()
      assert.response(refused).has.header("x-debug")
    end))
  end)

  it("does not print credentials of headers", function()
    local r = response(200, "", { ["Set-Cookie"] = "sid=s3cr3t; Path=/" })
    local text = failure(function() assert.response(r).has.no.header("set-cookie") end)
    assert.is_nil(text:find("s3cr3t", 1, true))
    assert.matches("sid=%*%*%*; Path=/", text)
  end)

  it("knows content types", function()
    assert.response(refused).has.content_type("application/json")
    assert.response(refused).has.content_type("json")
    assert.response(response(200, "", { ["content-type"] = "application/problem+json" })).has.content_type("json")
    assert.response(response(200, "", { ["content-type"] = "text/html" })).has.content_type("html")
    assert.response(response(200, "", { ["content-type"] = "text/csv" })).has.content_type("text")
    assert.response(refused).has.no.content_type("text/html")
    assert.matches("^Expected content type text/html, got application/json; charset=utf%-8%.", failure(function()
      assert.response(refused).has.content_type("text/html")
    end))
    assert.matches("got none%.", failure(function() assert.response(response(200, "")).has.content_type("json") end))
  end)

  it("knows the JSON body by path", function()
    assert.equal("validation", assert.response(refused).has.json("error"))
    assert.response(refused).has.json("details[1].value", 0)
    assert.response(refused).has.json("$.details[1]['field']", "items[0].quantity")
    assert.response(refused).has.json("details[-1].value", 0)
    assert.response(refused).has.json("details", { { field = "items[0].quantity", value = 0 } })
    assert.response(refused).has.json("details[1].value", match.is_number())
    assert.response(refused).has.json("none", null)
    assert.response(refused).has.no.json("id")
    assert.response(refused).has.no.json("error", "other")
    assert.equal("validation", assert.response(refused).is.json().error)
    assert.matches("^Expected details%[1%]%.value to be 1, got 0%.", failure(function()
      assert.response(refused).has.json("details[1].value", 1)
    end))
    assert.matches("^Expected details%[2%]%.value to be 1, but details has 1 element%.", failure(function()
      assert.response(refused).has.json("details[2].value", 1)
    end))
    assert.matches("^Expected id in the JSON body, but the document has details, error, none%.", failure(function()
      assert.response(refused).has.json("id")
    end))
    assert.matches("details%[1%]%.value   expected 1   got 0", failure(function()
      assert.response(refused).has.json("details", { { field = "items[0].quantity", value = 1 } })
    end))
    assert.matches("^Expected a JSON body: ", failure(function() assert.response(response(200,
      "<p>")).has.json("a") end))
  end)

  it("shows of a large document what is around the path", function()
    local items = {}
    for i = 1, 60 do items[i] = { sku = "chair-" .. i, quantity = i, tags = { "a", "b" }, note = ("lorem "):rep(8) } end
    local large = response(201, json.encode { items = items, state = "new" })
    local said = failure(function() assert.response(large).has.json("items[3].quantity", 4) end)
    assert.matches('items%[3%]: {\n +"note": ', said)
    assert.truthy(said:find('"tags": [ "a", "b" ]', 1, true), said)
    assert.is_nil(said:find("chair-4", 1, true), said)
    said = failure(function() assert.response(large).matches { state = "old" } end)
    assert.matches('state   expected "old"   got "new"', said)
    assert.matches("%(the body has %d+ bytes%)", said)
    assert.is_nil(said:find("chair", 1, true), said)
  end)

  it("matches a part of the body", function()
    assert.response(refused).matches { error = "validation", details = { { value = 0 } } }
    assert.response(refused).matches { details = { { value = match.is_number() } } }
    assert.response(refused).does_not.match { error = "x" }
    assert.response(refused).matches("valid%a+")
    local text = failure(function() assert.response(refused).matches { error = "x" } end)
    assert.matches('^The body does not match%.\n\n  1 of 1 value differs\n', text)
    assert.matches('    error   expected "x"   got "validation"\n', text)
  end)

  it("knows how long it took", function()
    assert.response(refused).is.faster_than(0.3)
    assert.response(refused).is_not.faster_than(0.1)
    assert.matches("^Expected a response within 0%.1 s, it took 0%.250 s %(dns 0%.001 s, total 0%.250 s%)%.",
      failure(function() assert.response(refused).is.faster_than(0.1) end))
  end)

  it("is a chain", function()
    assert.response(refused).has.status(422).has.content_type("json").has.no.header("x-debug").has.json("error")
    assert.matches("^Expected status 200", failure(function()
      assert.response(refused).has.content_type("json").has.status(200)
    end))
  end)

  it("shows bodies that are long, empty or not text within bounds", function()
    local function shown(text) return failure(function() assert.response(response(500, text)).has.status(200) end) end
    assert.matches("%(no body%)", shown "")
    assert.matches("%(3 bytes, not text%)", shown "\xFF\xFE\0")
    local long = shown(("a line of text\n"):rep(10000))
    assert.is_true(#long < 6000)
    assert.matches("… %(150000 bytes in all%)", long)
    assert.matches("… %(1000000 bytes in all%)", shown(("x"):rep(1000000)))
  end)

  it("says when it is used wrongly, on the line that did", function()
    local function wrong(fn)
      local ok, err = pcall(fn)
      assert.is_false(ok)
      assert.is_string(err)
      assert.matches("assert_spec%.lua:%d+: ", err)
      return err
    end
    assert.matches("needs a response, not nil", wrong(function() local x = assert.response(nil) return x end))
    assert.matches("needs a response", wrong(function() local x = assert.response({}) return x end))
    assert.matches('status needs a number or "2xx"',
      wrong(function() local x = assert.response(refused).has.status("x") return x end))
    assert.matches("must be chained after 'response%(r%)'",
      wrong(function() local x = assert.has.status(200) return x end))
    assert.matches("in the path", wrong(function() local x = assert.response(refused).has.json("a..b") return x end))
  end)

  it("leaves luassert's own matches alone", function()
    assert.equal("b", assert.matches("a(b)", "xab"))
    assert.matches("^Expected strings to match%.\nPassed in:\n%(string%) 'y'",
      failure(function() assert.matches("x", "y") end))
    assert.has_no.matches("x", "y")
  end)
end)

describe("assert.subset", function()
  it("holds where the first is part of the second", function()
    assert.subset({ a = { b = 1 } }, { a = { b = 1, c = 2 } })
    assert.subset({ { id = 2 } }, { { id = 1 }, { id = 2, x = 1 } })
    assert.subset({ id = match.is_number() }, { id = 7 })
    assert.is_not.subset({ a = 1 }, { a = 2 })
  end)

  it("says what is not", function()
    assert.equal("Expected the first to be part of the second.\n\n  1 of 1 value differs\n    a   expected 1   got 2",
      failure(function() assert.subset({ a = 1 }, { a = 2 }) end))
    assert.matches("^Expected { a = 1 } not to be part of", failure(function() assert.is_not.subset({ a = 1 },
      { a = 1 }) end))
    assert.matches("^because\n", failure(function() assert.subset({ a = 1 }, {}, "because") end))
  end)
end)

describe("assert.eventually", function()
  it("returns what the function returned in the end", function()
    local tries = 0
    assert.equal("done", assert.eventually(function()
      tries = tries + 1
      return tries > 2 and "done"
    end, { timeout = 20, interval = 0.001 }))
    assert.equal(3, tries)
  end)

  it("fails with the attempts when it gives up", function()
    assert.matches("^Still failing after .* tries%.", failure(function()
      assert.eventually(function() return false end, { timeout = 0.02, interval = 0.005 })
    end))
  end)

  it("says when it is used wrongly", function()
    assert.matches("needs a function", failure(function() assert.eventually(7) end))
  end)
end)

describe("assert.raises", function()
  local function refuse(code) error({ kind = "http", code = code or "ECONNREFUSED",
    message = "connect: refused" }, 0) end

  it("returns the error that was raised", function()
    local err = assert.raises({ kind = "http", code = "ETIMEDOUT", message = "conn%a+: ref" }, refuse, "ETIMEDOUT")
    assert.equal("ETIMEDOUT", err.code)
    assert.raises({}, refuse)
    assert.raises(refuse)
    assert.raises("boom", function() error "boom" end)
    assert.raises({ code = match.is_string() }, refuse)
  end)

  it("says what came instead", function()
    assert.equal('Expected an error with code "X", kind "http".\n'
      .. '  got      kind "http", code "ECONNREFUSED", message "connect: refused"\n  differs  code',
      failure(function() assert.raises({ kind = "http", code = "X" }, refuse) end))
    assert.equal('Expected an error with kind "http"; nothing was raised.',
      failure(function() assert.raises({ kind = "http" }, function() end) end))
    assert.matches('differs  kind', failure(function() assert.raises({ kind = "http" }, error, "text") end))
    assert.matches("^Expected no error", failure(function() assert.has_no.raises({ kind = "http" }, refuse) end))
  end)
end)

describe("failing comparisons", function()
  local notes, install = {}, require("itlua.assert").install

  it("look into objects that look their fields up, as headers do", function()
    local diff = require "itlua.diff"
    local headers = response(200, "", { ["X-Trace"] = "abc", ["Cache-Control"] = "no-store" }).headers
    local function of(expected) return diff.of_failure { assertion = "same", positive = true, n = 2, expected, headers } end
    local function lines_of(expected) return (of(expected):gsub(" +", " ")) end
    assert.equal('2 of 3 values differ\n cache-control unexpected "no-store"\n etag expected "1" missing',
      lines_of { ["x-trace"] = "abc", etag = "1" })
    assert.equal('1 of 2 values differs\n x-trace expected "abd" got "abc"',
      lines_of { ["x-trace"] = "abd", ["CACHE-control"] = "no-store" })
    assert.matches("no plain table", of { ["x-trace"] = "abc", ["cache-control"] = "no-store" })
  end)

  it("keep luassert's message and note what they compared", function()
    local namespaces = require "luassert.namespaces"
    local before = {}
    for name, entry in pairs(namespaces.assertion) do
      before[name] = { entry = entry, callback = entry.callback }
    end
    finally(function()
      for name, saved in pairs(before) do
        namespaces.assertion[name] = saved.entry
        saved.entry.callback = saved.callback
      end
    end)
    install(luassert, function(evidence) notes[#notes + 1] = evidence end)
    assert.matches("^Expected objects to be the same%.\nPassed in:\n%(table: 0x%x+%) {\n %*%[a%] = 2 }\nExpected:\n",
      failure(function() assert.same({ a = 1 }, { a = 2 }) end))
    assert.same({ assertion = "same", positive = true, n = 2, { a = 1 }, { a = 2 } }, notes[1])
    failure(function() assert.are.equals(1, 2) end)
    assert.same({ assertion = "equals", positive = true, n = 2, 1, 2 }, notes[2])
    local count = #notes
    assert.are_not.same({ a = 1 }, { a = 2 })
    assert.same({ a = 1 }, { a = 1 })
    failure(function() assert.are_not.same({ a = 1 }, { a = 1 }) end)
    assert.equal(count, #notes)
  end)
end)
