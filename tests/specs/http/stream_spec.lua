local core = require "itlua.core"
local http = require "itlua.http"
local servers = dofile("tests/specs/http/servers.lua")

describe("itlua.http", function()
  local odd, base, api

  setup(function()
    odd, base = servers.odd()
    api = http.client { base_url = base, timeout = 30 }
  end)

  teardown(function() odd:close() end)

  describe("a streamed response", function()
    it("comes piece by piece", function()
      local r = api:get("/steps?5", { stream = true })
      assert.equal(200, r.status)
      assert.equal("chunked", r.headers["transfer-encoding"])
      local pieces = {}
      for chunk in r:chunks() do
        pieces[#pieces + 1] = chunk
        api:get "/step" -- the next one is sent after that
      end
      assert.same({ "chunk 0\n", "chunk 1\n", "chunk 2\n", "chunk 3\n", "chunk 4\n" }, pieces)
      for _ in r:chunks() do error("there is nothing left") end
    end)

    it("comes line by line", function()
      local lines = {}
      for line in api:get("/drip?3", { stream = true }):lines() do lines[#lines + 1] = line end
      assert.same({ "chunk 0", "chunk 1", "chunk 2" }, lines)
      lines = {}
      for line in api:get("/big?10", { stream = true }):lines() do lines[#lines + 1] = line end
      assert.same({ "xxxxxxxxxx" }, lines)
    end)

    it("can be read whole after all", function()
      local r = api:get("/echo", { stream = true, query = { a = 1 } })
      assert.equal("/echo?a=1", r:json().target)
      assert.equal(r.body, r.body)
      assert.equal("at last", api:get("/slow?50", { stream = true }).body)
    end)

    it("is released when the loop is left", function()
      local mark = core.mark()
      local n = 0
      for _ in api:get("/endless", { stream = true }):chunks() do
        n = n + 1
        if n == 3 then break end
      end
      assert.same({}, core.sweep(mark))
      assert.equal(200, api:get("/echo").status)
    end)

    it("is named when it is left open", function()
      local mark = core.mark()
      local r = api:get("/endless", { stream = true })
      local left = core.sweep(mark)
      assert.equal(1, #left)
      assert.equal("response of GET " .. base .. "/endless", left[1].label)
      assert.is_truthy(left[1].where:find("stream_spec.lua", 1, true))
      local ok, err = pcall(function() return r.body end)
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find("closed", 1, true))
    end)

    it("can be closed", function()
      local mark = core.mark()
      do
        local r <close> = api:get("/endless", { stream = true })
        assert.equal(200, r.status)
      end
      local r = api:get("/endless", { stream = true })
      r:close()
      r:close()
      assert.same({}, core.sweep(mark))
    end)

    it("waits for each piece no longer than its timeout, and goes on after that", function()
      local r <close> = api:get("/stalls", { stream = true, timeout = 1.5 })
      local chunks = r:chunks()
      assert.equal("12345", chunks())
      local ok, err = pcall(chunks)
      assert.is_false(ok)
      assert.equal("timeout", err.kind)
      assert.equal("TIMEOUT", err.code)
      assert.is_truthy(err.message:find("the server sent nothing for 1.5 s", 1, true), err.message)
      ok, err = pcall(chunks)
      assert.is_false(ok)
      assert.equal("timeout", err.kind)
    end)

    it("may take longer than its timeout altogether", function()
      assert.equal(800, #api:get("/drip?100", { stream = true, timeout = 1.8 }).body)
    end)

    it("waits for the head no longer than its timeout", function()
      local mark = core.mark()
      local ok, err = pcall(api.get, api, "/slow?20000", { stream = true, timeout = 0.1 })
      assert.is_false(ok)
      assert.equal("timeout", err.kind)
      assert.is_truthy(err.message:find("has not answered for 0.1 s", 1, true), err.message)
      assert.same({}, core.sweep(mark))
    end)

    it("that breaks raises where it is read, after what has come", function()
      local r <close> = api:get("/truncated", { stream = true })
      local chunks = r:chunks()
      assert.equal("only this", chunks())
      local ok, err = pcall(chunks)
      assert.is_false(ok)
      assert.equal("TRUNCATED", err.code)
      ok, err = pcall(api.get, api, "http://127.0.0.1:1/", { stream = true })
      assert.is_false(ok)
      assert.equal("ECONNREFUSED", err.code)
    end)

    it("holds the server back when it is not read", function()
      local r <close> = api:get("/big?50000000", { stream = true })
      core.sleep(0.2)
      local size = 0
      for chunk in r:chunks() do
        assert.is_true(#chunk <= 600000)
        size = size + #chunk
      end
      assert.equal(50000000, size)
    end)

    it("has a limit of size where one is asked for", function()
      local ok, err = pcall(function()
        return api:get("/big?2000000", { stream = true, max_size = 1000000 }).body
      end)
      assert.is_false(ok)
      assert.equal("TOO_LARGE", err.code)
    end)

    it("follows redirects first", function()
      local r = api:get("/redirect/302?/echo", { stream = true })
      assert.equal(200, r.status)
      assert.equal(base .. "/echo", r.url)
      assert.equal(1, #r.history)
      assert.equal("GET", r:json().method)
      r = api:get("/redirect/302?/echo", { stream = true, redirects = false })
      assert.equal("302 moved", r.status .. " " .. r.body)
      r = api:head("/echo", { stream = true })
      assert.equal("200 ", r.status .. " " .. r.body)
    end)

    it("of a plain request has one chunk", function()
      local n = 0
      for chunk in api:get("/echo"):chunks() do
        n = n + 1
        assert.is_true(#chunk > 10)
      end
      assert.equal(1, n)
    end)
  end)

  describe("a streamed body", function()
    local function header(r, name)
      for _, h in ipairs(r:json().headers) do
        if h[1]:lower() == name then return h[2] end
      end
    end

    it("comes from a function", function()
      local n = 0
      local r = api:post("/echo", { body = function()
        n = n + 1
        if n <= 3 then return "piece" .. n .. ";" end
      end })
      assert.equal("piece1;piece2;piece3;", r:json().body)
      assert.equal("POST", r:json().method)
      assert.equal("chunked", header(r, "transfer-encoding"))
      assert.is_nil(header(r, "expect"))
      assert.is_nil(header(r, "content-type"))
    end)

    it("comes from an iterator that waits", function()
      local r = api:put("/echo", { body = coroutine.wrap(function()
        for i = 1, 3 do
          coroutine.yield(tostring(i))
        end
      end), headers = { ["Content-Type"] = "text/plain" } })
      assert.equal("123", r:json().body)
      assert.equal("text/plain", header(r, "content-type"))
      local n = 0
      r = api:post("/echo", { body = function()
        n = n + 1
        core.sleep(0.02)
        return n <= 3 and api:get("/slow?10").body or nil
      end })
      assert.equal("at lastat lastat last", r:json().body)
    end)

    it("has a length where it is given", function()
      local said = false
      local r = api:post("/echo", { body_size = 5, body = function()
        if said then return nil end
        said = true
        return "hello"
      end })
      assert.equal("5", header(r, "content-length"))
      assert.equal("hello", r:json().body)
    end)

    it("comes from a file, by name or open", function()
      local folder = servers.folder()
      finally(function() servers.remove(folder) end)
      local path = folder .. "/upload"
      local text = ("line of a file\n"):rep(300000)
      local f = assert(io.open(path, "w"))
      f:write(text)
      f:close()
      local r = api:put("/echo", { file = path })
      assert.equal(#text, r:json().size)
      assert.equal(tostring(#text), header(r, "content-length"))
      f = assert(io.open(path))
      assert.equal(#text, api:put("/echo", { body = f }):json().size)
      f:close()
      r = api:post("/flaky/upload?1", { file = path, retry = { times = 1, delay = 0.01 } })
      assert.equal(200, r.status)
    end)

    it("of many megabytes stays in bounds", function()
      local n, block = 0, ("x"):rep(100000)
      local r = api:post("/echo", { body = function()
        n = n + 1
        return n <= 200 and block or nil
      end })
      assert.equal(20000000, r:json().size)
    end)

    it("ends when the server wants no more of it", function()
      local n, block = 0, ("x"):rep(100000)
      local r = api:post("/early", { body = function()
        n = n + 1
        return n <= 2000 and block or nil
      end })
      assert.equal(413, r.status)
      assert.is_true(n < 2000)
    end)

    it("that fails raises its error, and frees the request", function()
      local mark = core.mark()
      local ok, err = pcall(api.post, api, "/echo", { body = function() error("no more", 0) end })
      assert.is_false(ok)
      assert.equal("no more", err)
      ok, err = pcall(api.post, api, "/echo", { body = function() return {} end })
      assert.is_false(ok)
      assert.is_truthy(err:find("yields strings, not a table", 1, true))
      assert.same({}, core.sweep(mark))
      assert.equal(200, api:get("/echo").status)
    end)

    it("and a streamed response together", function()
      local n = 0
      local r = api:post("/echo", { stream = true, body = function()
        n = n + 1
        return n == 1 and "both" or nil
      end })
      assert.equal("both", r:json().body)
    end)

    it("of a long wait ends with the timeout", function()
      local ok, err = pcall(api.post, api, "/echo", { timeout = 0.2, body = function()
        core.sleep(0.05)
        return "x"
      end })
      assert.is_false(ok)
      assert.equal("timeout", err.kind)
    end)
  end)

  describe("server-sent events", function()
    it("come as the standard has them", function()
      local list = {}
      for event in api:events("/events") do list[#list + 1] = event end
      assert.same({ "one", "a\nb", "no blank", "", '{"n": 1}' }, (function()
        local t = {}
        for i, e in ipairs(list) do t[i] = e.data end
        return t
      end)())
      assert.equal("message", list[1].event)
      assert.equal("tick", list[2].event)
      assert.equal("7", list[2].id)
      assert.equal("7", list[3].id)
      assert.equal("", list[4].id)
      assert.equal("8", list[5].id)
      assert.equal(1, list[5]:json().n)
    end)

    it("can be waited for one by one", function()
      local events <close> = (api:events("/quiet"))
      assert.equal("hello", events:next().data)
      local from = core.now()
      local ok, err = pcall(events.next, events, 0.1)
      assert.is_false(ok)
      assert.equal("timeout", err.kind)
      assert.is_true(core.now() - from < 10)
      events:close()
      assert.is_nil(events:next())
    end)

    it("leave nothing behind when the loop is left", function()
      local mark = core.mark()
      for event in api:events("/quiet") do
        if event.data == "hello" then break end
      end
      assert.same({}, core.sweep(mark))
    end)

    it("go on where they stopped, when that is wanted", function()
      local n = 0
      local events = api:events("/events", { reconnect = true })
      for _ in events do n = n + 1 end -- the second time: "Last-Event-ID: 8", and the server says 204
      assert.equal(5, n)
      assert.equal("8", events.last_id)
      assert.equal(0.05, events.retry)
      assert.equal(204, events.response.status)
    end)

    it("need an event stream", function()
      local ok, err = pcall(api.events, api, "/status/500")
      assert.is_false(ok)
      assert.equal("NO_EVENTS", err.code)
      assert.equal(500, err.status)
      ok, err = pcall(api.events, api, "/echo")
      assert.is_false(ok)
      assert.is_truthy(err.message:find("status 200 with application/json", 1, true))
    end)

    it("are parsed however they are cut", function()
      local events = require "itlua.http.events"
      local text = "\239\187\191data: a\r\ndata:b\r\n\r\nid: 1\0\ndata: c\n\n"
        .. "event: x\rdata\rdata:  two\r\r: comment\n:\nfoo: bar\n\nevent: lost\n\ndata: d\nretry: 12\nretry: 1x\n\n"
      local function parse(step)
        local p, out = events.parser(), {}
        for i = 1, #text, step do
          p:push(text:sub(i, i + step - 1))
          for e in p.next, p do out[#out + 1] = e.event .. "|" .. e.data .. "|" .. e.id end
        end
        return table.concat(out, "\n") .. (p.retry or "")
      end
      local whole = parse(#text)
      assert.equal("message|a\nb|\nmessage|c|\nx|\n two|\nmessage|d|0.012", whole)
      for step = 1, 12 do assert.equal(whole, parse(step)) end
    end)
  end)

  describe("GraphQL", function()
    it("gives data", function()
      local r = api:graphql { query = "query Q { x }", variables = { a = 1 }, operation = "Q" }
      assert.equal(1, r:data().echo.a)
      assert.equal("Q", r:data().operation)
      assert.is_nil(r.errors)
    end)

    it("gives errors as data, and raises them when data is wanted", function()
      local r = api:graphql { query = "{ broken }" }
      assert.equal(200, r.status)
      assert.equal("no such field", r.errors[1].message)
      local ok, err = pcall(r.data, r)
      assert.is_false(ok)
      assert.equal("http", err.kind)
      assert.equal("BAD", err.code)
      assert.is_truthy(err.message:find("no such field (at user.0)", 1, true), err.message)
      assert.equal(r.errors, err.errors)
    end)

    it("over what is no GraphQL says so", function()
      local r = api:graphql { query = "{ plain }", path = "/graphql" }
      assert.equal(502, r.status)
      local ok, err = pcall(r.data, r)
      assert.is_false(ok)
      assert.equal("json", err.kind)
      ok, err = pcall(api.graphql, api, { qury = "x" })
      assert.is_false(ok)
      assert.is_truthy(err:find("did you mean 'query'", 1, true))
    end)
  end)
end)
