local http = require "itlua.http"
local process = require "itlua.process"
local servers = dofile("tests/specs/http/servers.lua")

describe("as_curl", function()
  local odd, base, api

  setup(function()
    odd, base = servers.odd()
    api = http.client { base_url = base, timeout = 5, headers = { ["X-Client"] = "it's" } }
  end)

  teardown(function() odd:close() end)

  -- curl does not know the length of what comes through a pipe.
  local ignored = { ["user-agent"] = true, ["content-length"] = true, ["transfer-encoding"] = true, expect = true }

  -- What the server saw, without what the two programs send of their own.
  local function seen(r)
    local t = { method = r.method, target = r.target, headers = {} }
    local boundary
    for _, h in ipairs(r.headers) do
      local name, value = h[1]:lower(), h[2]
      boundary = boundary or (name == "content-type" and value:match("boundary=(.*)"))
      if not ignored[name] then
        value = boundary and value:gsub(boundary:gsub("%p", "%%%0"), "B") or value
        t.headers[#t.headers + 1] = name .. ": " .. value
      end
    end
    table.sort(t.headers)
    t.body = boundary and r.body:gsub(boundary:gsub("%p", "%%%0"), "B") or r.body
    return t
  end

  local function run(line)
    local r = process.run { "bash", "-s", input = line:gsub("curl %-i", "curl -s", 1) }
    assert.equal(0, r.code, line .. "\n" .. r.stderr)
    return require("itlua.json").decode(r.stdout)
  end

  -- Sends it, runs its curl line, and compares what the server saw of both.
  local function same(method, path, given)
    local r = api:request(method, path, given)
    local line = r:as_curl()
    assert.same(seen(r:json()), seen(run(line)), line)
    return line
  end

  it("is short for a plain request", function()
    local r = http.get(base .. "/echo")
    assert.equal("curl -i -L " .. base .. "/echo", r:as_curl())
    assert.equal(r:as_curl(), http.last_curl())
    assert.equal("curl -i " .. base .. "/echo", http.get(base .. "/echo", { redirects = false }):as_curl())
    assert.equal("curl -I -L " .. base .. "/echo", http.head(base .. "/echo"):as_curl())
  end)

  it("does the same", function()
    same("GET", "/echo")
    same("GET", "/echo", { query = { a = "x y", ["b'c"] = "&" } })
    same("GET", "/echo/../a/[1]/{2}?x=[]")
    same("DELETE", "/echo")
    same("POST", "/echo")
    same("PUT", "/echo", { body = "plain" })
    same("PATCH", "/echo", { json = { text = "it's $HOME `id` \"x\" \\ ü\n", n = 1 } })
    same("POST", "/echo", { form = { a = "1 2", b = "@file" } })
    same("POST", "/echo", { body = "@not-a-file\r\nline" })
    same("POST", "/echo", { body = "" })
    same("GET", "/echo", { body = "a GET with a body" })
    same("GET", "/echo", { headers = { ["X-A"] = "1", ["X-Empty"] = "", Accept = false, ["X-L"] = { "a", "b" } } })
    same("GET", "/echo", { bearer = "to'ken" })
    same("GET", "/echo", { basic = { "ann", "p'w" } })
    same("GET", "/echo", { cookies = { a = "1", b = "2" } })
    same("GET", "/echo", { decompress = true, headers = { ["Accept-Encoding"] = "gzip" } })
    same("GET", "http://else.where/x", { proxy = base })
    same("GET", "http://else.where/echo", { resolve = { ["else.where"] = base:match("//(.*)") } })
  end)

  it("does the same with bytes that no argument can hold, and more than one can", function()
    local all = {}
    for i = 0, 255 do all[#all + 1] = string.char(i) end
    same("POST", "/echo", { body = table.concat(all) })
    same("PUT", "/echo", { body = ("%s'\\%"):rep(40000) })
  end)

  it("does the same with parts", function()
    local folder = servers.folder()
    finally(function() servers.remove(folder) end)
    local f <close> = assert(io.open(folder .. "/a b.txt", "w"))
    f:write("file")
    f:flush()
    same("POST", "/echo", { multipart = { a = "1;type=x", b = "@b", c = "<c" } })
    same("POST", "/echo", { multipart = { a = { data = '@"q" \\ {1}', type = "application/json" } } })
    same("PUT", "/echo", { multipart = { f = { file = folder .. "/a b.txt", type = "text/plain" } } })
    same("POST", "/echo", { multipart = {
      x = { data = "zero\0byte", filename = 'n"ame.bin', type = "application/octet-stream" },
      y = { data = '{"a": 1}', type = "application/json" },
    } })
  end)

  it("sends the cookies that were sent then", function()
    local c = http.client { base_url = base }
    local first = c:get("/login")
    assert.is_nil(first:as_curl():find("session", 1, true))
    local r = c:get("/echo")
    c:clear_cookies()
    assert.same(seen(r:json()), seen(run(r:as_curl())))
    assert.is_truthy(r:as_curl():find("-b 'session=s3cret; theme=dark'", 1, true) or
      r:as_curl():find("-b 'theme=dark; session=s3cret'", 1, true), r:as_curl())
    assert.is_nil(c:get("/echo"):as_curl():find("-b", 1, true))
  end)

  it("follows redirects, and digests", function()
    local r = api:get("/redirect/302?/echo")
    assert.equal("/echo", run(r:as_curl()).target)
    assert.is_truthy(r:as_curl():find("/redirect/302?/echo", 1, true))
    r = api:get("/digest", { digest = { "ann", "secret" } })
    local out = process.run { "bash", "-c", r:as_curl():gsub("curl %-i", "curl -s", 1) }
    assert.equal("welcome ", out.stdout)
  end)

  it("says that a body was streamed", function()
    local n = 0
    local r = api:post("/echo", { body = function()
      n = n + 1
      return n == 1 and "x" or nil
    end })
    assert.is_truthy(r:as_curl():find("-T - ", 1, true))
    assert.is_truthy(r:as_curl():find("# the body is not here", 1, true))
    assert.equal("y", run("echo -n y | " .. r:as_curl()).body)
  end)

  it("exists for what failed, and for what was never sent", function()
    pcall(api.post, api, "http://127.0.0.1:1/x", { json = { 1 } })
    assert.equal("curl -i -L http://127.0.0.1:1/x -H 'X-Client: it'\\''s' -H 'Content-Type: application/json' " ..
      "--data-raw '[1]'", http.last_curl())
    http.forget_last()
    assert.is_nil(http.last_curl())
    assert.equal("curl -i -X DELETE -L " .. base .. "/echo -H 'X-Client: it'\\''s'", api:as_curl("DELETE", "/echo"))
    assert.is_nil(http.last_curl())
  end)
end)
