local core = require "itlua.core"
local http = require "itlua.http"
local json = require "itlua.json"
local servers = dofile("tests/specs/http/servers.lua")

describe("itlua.http", function()
  local odd, base, api

  setup(function()
    odd, base = servers.odd()
    api = http.client { base_url = base, timeout = 30 }
  end)

  teardown(function() odd:close() end)

  describe("methods", function()
    for _, method in ipairs { "get", "post", "put", "patch", "delete", "options" } do
      it(method, function()
        local r = api[method](api, "/echo")
        assert.equal(200, r.status)
        assert.equal(method:upper(), r:json().method)
        assert.equal(method:upper(), r.method)
      end)
    end

    it("head has headers and no body", function()
      local r = api:head("/echo")
      assert.equal("", r.body)
      assert.equal("yes", r.headers["x-head"])
      assert.equal("5", r.headers["Content-Length"])
    end)

    it("others by request()", function()
      assert.equal("TRACE", api:request("TRACE", "/echo"):json().method)
      assert.equal("PROPFIND", api:request("PROPFIND", "/echo"):json().method)
      assert.equal("GET", api:request("get", "/echo"):json().method)
      assert.equal("QUERY", api:request("QUERY", "/echo", { body = "x" }):json().method)
    end)

    it("without a client", function()
      assert.equal("GET", http.get(base .. "/echo"):json().method)
      assert.equal("PUT", http.put(base .. "/echo", { body = "x" }):json().method)
      assert.equal("DELETE", http.request("DELETE", base .. "/echo"):json().method)
    end)

    it("a body may go with any of them", function()
      for _, method in ipairs { "GET", "DELETE", "PATCH", "PUT" } do
        local r = api:request(method, "/echo", { body = "content" }):json()
        assert.equal(method, r.method)
        assert.equal("content", r.body)
      end
    end)

    it("a POST without a body says so", function()
      local seen = api:post("/echo"):json()
      local headers = {}
      for _, h in ipairs(seen.headers) do headers[h[1]:lower()] = h[2] end
      assert.equal("0", headers["content-length"])
      assert.is_nil(headers["content-type"])
    end)
  end)

  describe("a URL", function()
    it("is base_url and path", function()
      local function target(prefix, path)
        return http.client({ base_url = base .. prefix }):get(path):json().target
      end
      assert.equal("/echo", target("", "/echo"))
      assert.equal("/echo", target("/", "/echo"))
      assert.equal("/echo/v1/x", target("/echo/v1", "/x"))
      assert.equal("/echo/v1/x", target("/echo/v1/", "x"))
      assert.equal("/echo/v1", target("/echo/v1", ""))
      assert.equal("/echo?a=1", target("/echo", "?a=1"))
      assert.equal("/echo/abs", target("/nowhere", base .. "/echo/abs"))
    end)

    it("keeps dots, and escapes what a URL may not contain", function()
      assert.equal("/echo/../a/./b", api:get("/echo/../a/./b"):json().target)
      assert.equal("/echo/a%20b/%C3%A4", api:get("/echo/a b/ä"):json().target)
      assert.equal("/echo/a%2Fb", api:get("/echo/a%2Fb"):json().target)
    end)

    it("has a query: sorted, escaped, lists repeated", function()
      local function query(q, path) return api:get(path or "/echo", { query = q }):json().target end
      assert.equal("/echo?a=1&b=x%20y&c=1&c=2&d=true", query { d = true, b = "x y", a = 1, c = { 1, 2 } })
      assert.equal("/echo?z=1&a=2&z=3", query { { "z", 1 }, { "a", 2 }, { "z", 3 } })
      assert.equal("/echo?raw=%26", query "raw=%26")
      assert.equal("/echo?x=1&a=%26%3D", query({ a = "&=" }, "/echo?x=1"))
      assert.equal("/echo?k=%C3%BC", query({ k = "ü" }, "/echo#part"))
      assert.equal("/echo", query {})
    end)

    it("has a client's own query with every request", function()
      local c = http.client { base_url = base, query = { key = "k" } }
      assert.equal("/echo?key=k", c:get("/echo"):json().target)
      assert.equal("/echo?key=k&a=1", c:get("/echo", { query = { a = 1 } }):json().target)
    end)
  end)

  describe("headers", function()
    local function sent(client, given)
      local list = {}
      for _, h in ipairs(client:get("/echo", { headers = given }):json().headers) do
        list[#list + 1] = h[1] .. ": " .. h[2]
      end
      return list
    end

    local function count(list, wanted)
      local n = 0
      for _, line in ipairs(list) do
        if line == wanted then n = n + 1 end
      end
      return n
    end

    it("are sent: strings, numbers, lists, empty, as named", function()
      local list = sent(api, { ["X-One"] = "a", ["x-Num"] = 7, ["X-Many"] = { "1", "2" }, ["X-Empty"] = "" })
      assert.equal(1, count(list, "X-One: a"))
      assert.equal(1, count(list, "x-Num: 7"))
      assert.equal(1, count(list, "X-Many: 1"))
      assert.equal(1, count(list, "X-Many: 2"))
      assert.equal(1, count(list, "X-Empty: "))
    end)

    it("of a request replace those of the client, whatever the case; false removes", function()
      local c = http.client { base_url = base, headers = { ["X-A"] = "client", ["X-B"] = "client", Accept = "a/b" } }
      local list = sent(c, { ["x-a"] = "request", ["X-B"] = false })
      assert.equal(0, count(list, "X-A: client"))
      assert.equal(1, count(list, "x-a: request"))
      assert.equal(0, count(list, "X-B: client"))
      assert.equal(1, count(list, "Accept: a/b"))
      assert.equal(1, count(sent(c), "X-B: client"))
      assert.equal(1, count(sent(c), "User-Agent: itlua"))
      assert.equal(0, count(sent(c, { ["User-Agent"] = false, Accept = false }), "User-Agent: itlua"))
    end)

    it("keep their order as a list", function()
      local list = sent(api, { { "X-B", "1" }, { "X-A", "2" }, { "X-B", "3" } })
      local order = {}
      for _, line in ipairs(list) do
        if line:find("^X%-") then order[#order + 1] = line end
      end
      assert.same({ "X-B: 1", "X-A: 2", "X-B: 3" }, order)
    end)

    it("of the response are found by any case, repeated ones too", function()
      local h = api:get("/headers").headers
      assert.equal("a, b", h["X-TWICE"])
      assert.same({ "a", "b" }, h:all("x-twice"))
      assert.same({}, h:all("x-none"))
      assert.is_nil(h["x-none"])
      assert.equal("", h["X-Empty"])
      assert.equal("everything", h:get("All"))
      assert.same({ "a=1; Path=/", "b=2; HttpOnly" }, h:all("Set-Cookie"))
      assert.equal("1,2", h:table()["x-comma"])
      local names = {}
      for name in pairs(h) do names[#names + 1] = name end
      assert.equal("X-Twice", names[1])
      assert.equal("x-twice", names[2])
      assert.equal(#names, #h)
      assert.is_truthy(tostring(h):find("X-Comma: 1,2", 1, true))
    end)

    it("after a chunked body are trailers", function()
      local r = api:get("/trailers")
      assert.equal("abc", r.body)
      assert.equal("42", r.trailers["x-sum"])
      assert.is_nil(r.headers["x-sum"])
    end)

    it("of early hints are not those of the response", function()
      local r = api:get("/hints")
      assert.equal(200, r.status)
      assert.equal("after hints", r.body)
      assert.is_nil(r.headers.link)
    end)
  end)

  describe("a body", function()
    local function sent(given)
      local r = api:post("/echo", given):json()
      local type
      for _, h in ipairs(r.headers) do
        if h[1]:lower() == "content-type" then type = h[2] end
      end
      return r.body, type
    end

    it("is JSON", function()
      local body, type = sent { json = { a = { 1, 2 }, b = json.null, c = 9007199254740993 } }
      assert.equal('{"a":[1,2],"b":null,"c":9007199254740993}', body)
      assert.equal("application/json", type)
      assert.equal("false", (sent { json = false }))
      assert.equal("null", (sent { json = json.null }))
      assert.equal("[]", (sent { json = json.array() }))
      local _, other = sent { json = {}, headers = { ["content-type"] = "application/vnd.api+json" } }
      assert.equal("application/vnd.api+json", other)
    end)

    it("is a form", function()
      local body, type = sent { form = { a = "x y&z", b = { 1, 2 } } }
      assert.equal("a=x+y%26z&b=1&b=2", body)
      assert.equal("application/x-www-form-urlencoded", type)
    end)

    it("is bytes, of no type unless it is given", function()
      local body, type = sent { body = "a\0b\r\n\255" }
      assert.equal("a\0b\r\n\195\191", body) -- the echo is JSON: byte 255 as U+00FF
      assert.is_nil(type)
      local _, given = sent { body = "x", headers = { ["Content-Type"] = "text/csv" } }
      assert.equal("text/csv", given)
      assert.equal("", (sent { body = "" }))
    end)

    it("is multipart, with files", function()
      local folder = servers.folder()
      finally(function() servers.remove(folder) end)
      local f <close> = assert(io.open(folder .. "/a.txt", "w"))
      f:write("file contents")
      f:flush()
      local body, type = sent { multipart = {
        name = "Ann",
        tags = { "x", "y" },
        file = { file = folder .. "/a.txt", type = "text/plain" },
        data = {
          data = "\0\1bytes", filename = "b.bin", type = "application/octet-stream", headers = { ["X-Part"] = "1" },
        },
      } }
      assert.is_truthy(type:find("^multipart/form%-data; boundary="))
      for _, expected in ipairs {
        'name="name"\r\n\r\nAnn\r\n', 'name="tags"\r\n\r\nx\r\n', 'name="tags"\r\n\r\ny\r\n',
        'name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nfile contents\r\n',
        'name="data"; filename="b.bin"\r\nContent-Type: application/octet-stream\r\nX-Part: 1\r\n\r\n\0\1bytes\r\n',
      } do
        assert.is_truthy(body:find(expected, 1, true), expected)
      end
    end)

    it("is multipart in a given order", function()
      local body = sent { multipart = { { name = "z", data = "1" }, { name = "a", data = 2 } } }
      assert.is_true(body:find('name="z"', 1, true) < body:find('name="a"', 1, true))
    end)

    it("of several megabytes arrives whole", function()
      local text = ("0123456789abcdef"):rep(200000)
      local r = api:put("/echo", { body = text })
      assert.equal(#text, r:json().size)
    end)
  end)

  describe("a response", function()
    it("says what came", function()
      local r = api:get("/status/404")
      assert.equal(404, r.status)
      assert.equal("Because", r.reason)
      assert.is_false(r.ok)
      assert.equal("status 404", r.body)
      assert.equal("1.1", r.version)
      assert.equal(base .. "/status/404", r.url)
      assert.equal(1, r.attempts)
      assert.equal("GET " .. base .. "/status/404 -> 404 Because (10 B)", tostring(r))
    end)

    it("of 500 is a response, of which check() makes an error", function()
      local r = api:get("/status/500")
      assert.equal(500, r.status)
      local ok, err = pcall(r.check, r)
      assert.is_false(ok)
      assert.equal("http", err.kind)
      assert.equal("STATUS", err.code)
      assert.equal(500, err.status)
      assert.is_truthy(err.message:find("500 Because: status 500", 1, true))
      assert.equal(200, api:get("/status/200"):check().status)
    end)

    it("may have no body", function()
      assert.equal("", api:get("/status/204").body)
      assert.equal("", api:get("/status/304").body)
    end)

    it("tells times in seconds", function()
      local c = http.client { base_url = base, keep_alive = false }
      local t = c:get("/slow?50").timings
      for _, name in ipairs { "dns", "connect", "tls", "first_byte", "total" } do
        assert.is_true(t[name] >= 0 and t[name] < 20, name)
      end
      assert.is_true(t.connect > 0)
      assert.equal(0, t.tls)
      assert.is_true(t.first_byte >= 0.049 and t.total >= t.first_byte)
    end)

    it("is JSON, decoded once", function()
      local r = api:get("/echo")
      assert.equal(r:json(), r:json())
      assert.equal("application/json", r.content_type)
    end)

    it("of HTTP/1.0 ends with the connection", function()
      local r = api:get("/http10")
      assert.equal("1.0", r.version)
      assert.equal("until the end", r.body)
      assert.equal("Fine", r.reason)
    end)

    it("is any bytes", function()
      local r = api:get("/binary")
      assert.equal(256, #r.body)
      assert.equal("\0\1\2", r.body:sub(1, 3))
    end)

    it("is unpacked when that was asked for", function()
      assert.is_false(api:get("/compressed"):json().packed)
      local r = api:get("/compressed", { decompress = true })
      assert.is_true(r:json().packed)
      assert.equal("gzip", r.headers["content-encoding"])
      local ok, err = pcall(function() return api:get("/compressed?force"):json() end)
      assert.is_false(ok)
      assert.is_truthy(err.message:find("decompress = true", 1, true))
    end)

    it("that is not JSON says where and what", function()
      local ok, err = pcall(function() return api:get("/notjson"):json() end)
      assert.is_false(ok)
      assert.equal("json", err.kind)
      assert.equal(1, err.line)
      assert.is_truthy(err.message:find("/notjson (200, application/json)", 1, true))
      assert.equal(14, err.column)
    end)

    it("of 100,000 nested brackets is an error, not a crash", function()
      local ok, err = pcall(function() return api:get("/nested"):json() end)
      assert.is_false(ok)
      assert.equal("json", err.kind)
      assert.equal("depth", err.code)
    end)
  end)

  describe("connections", function()
    it("are used again", function()
      local a, b = api:get("/echo"):json().connection, api:get("/echo"):json().connection
      assert.equal(a, b)
    end)

    it("are not, without keep_alive", function()
      local c = http.client { base_url = base, keep_alive = false }
      local a, b = c:get("/echo"):json().connection, c:get("/echo"):json().connection
      assert.not_equal(a, b)
    end)

    it("serve several requests at once", function()
      local task = require "itlua.task"
      local from = core.now()
      local function one() return api:get("/slow?3000").body end
      local results = table.pack(task.all { one, one, one, one, one })
      assert.is_true(core.now() - from < 14)
      local list = type(results[1]) == "table" and results[1] or results
      for i = 1, 5 do assert.equal("at last", list[i]) end
    end)

    it("work from inside callbacks of C", function()
      local list = { 3, 1, 2 }
      table.sort(list, function(a, b)
        assert.equal(200, api:get("/echo").status)
        return a < b
      end)
      assert.same({ 1, 2, 3 }, list)
      assert.equal("at last!", (("x"):gsub("x", function() return api:get("/slow?10").body .. "!" end)))
      local co = coroutine.wrap(function() coroutine.yield(api:get("/slow?10").body) end)
      assert.equal("at last", co())
    end)
  end)

  describe("wrong use", function()
    local function complaint(fn, ...)
      local ok, err = pcall(fn, ...)
      assert.is_false(ok)
      assert.equal("string", type(err), tostring(err))
      assert.is_truthy(err:find("request_spec.lua:%d+: "), err)
      return err
    end

    it("is named with its place", function()
      assert.is_truthy(complaint(api.get, api, "/echo", { jsn = {} }):find("did you mean 'json'?", 1, true))
      assert.is_truthy(complaint(http.client, { baseurl = "x" }):find("did you mean 'base_url'?", 1, true))
      assert.is_truthy(complaint(api.get, api, "/echo", { timeout = "1" }):find("'timeout' is a number", 1, true))
      assert.is_truthy(complaint(api.get, api, "/echo", { timeout = -1 }):find("positive", 1, true))
      assert.is_truthy(complaint(api.get, api, nil):find("needs a path or a URL", 1, true))
      assert.is_truthy(complaint(api.get, api, "/echo", "x"):find("a table, not a string", 1, true))
      assert.is_truthy(complaint(http.get, "/echo"):find("no base_url", 1, true))
      assert.is_truthy(complaint(http.client, { base_url = "no url" }):find("is no URL", 1, true))
      assert.is_truthy(complaint(http.get, "http://a b/"):find("is no URL", 1, true))
      assert.is_truthy(complaint(http.get, "http://[::1/"):find("is no URL", 1, true))
      assert.is_truthy(complaint(api.request, api, "GE T", "/"):find("no HTTP method", 1, true))
      assert.is_truthy(complaint(api.post, api, "/", { json = 1, body = "x" }):find("two bodies", 1, true))
      assert.is_truthy(complaint(api.head, api, "/", { body = "x" }):find("no body", 1, true))
      local odd_query = { a = {}, b = print }
      assert.is_truthy(complaint(api.get, api, "/", { query = odd_query }):find("'b' is a function", 1, true))
      assert.is_truthy(complaint(api.get, api, "/", { bearer = "a", basic = { "b", "c" } }):find("exclude", 1, true))
      assert.is_truthy(complaint(api.get, api, "/", { tls = { verfy = false } }):find("'verify'", 1, true))
      assert.is_truthy(complaint(api.get, api, "/", { version = "7" }):find("'version'", 1, true))
      assert.is_truthy(complaint(api.post, api, "/", { multipart = { a = {} } }):find("either data or file", 1, true))
    end)

    it("of headers that would break the request", function()
      local function refused(given, text)
        assert.is_truthy(complaint(api.get, api, "/", { headers = given }):find(text, 1, true))
      end
      refused({ ["X-A"] = "a\r\nX-B: b" }, "line break")
      refused({ ["X A"] = "a" }, "no name")
      refused({ ["X-A"] = {}, ["X-B"] = print }, "function")
    end)

    it("of a closed client", function()
      local c = http.client { base_url = base }
      assert.equal(200, c:get("/echo").status)
      c:close()
      c:close()
      assert.is_truthy(complaint(c.get, c, "/echo"):find("closed", 1, true))
    end)
  end)
end)
