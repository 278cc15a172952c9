local http = require "itlua.http"
local server = require "itlua.server"

describe("server requests", function()
  local srv, api

  before_each(function()
    srv = server.listen()
    api = http.client { base_url = srv.url }
  end)

  after_each(function() srv:close() end)

  -- What `read` makes of the request that `send` sends.
  local function seen(read, send)
    local value
    srv:any("/{path*}", function(req)
      value = table.pack(read(req))
      return ""
    end)
    local r = send()
    assert.equal(200, r.status, r.body)
    return table.unpack(value, 1, value.n)
  end

  it("have a method, a decoded path and the target as it was sent", function()
    local req = seen(function(req) return req end, function() return api:put("/a%20b/c?x=1&y") end)
    assert.equal("PUT", req.method)
    assert.equal("/a b/c", req.path)
    assert.equal("/a%20b/c?x=1&y", req.target)
    assert.equal("PUT /a%20b/c?x=1&y (200)", tostring(req))
  end)

  it("have a query: the first value, and all", function()
    local query, all, none = seen(function(req)
      return req.query, req:query_values "tag", req:query_values "no"
    end, function() return api:get("/?tag=a&tag=b+c&empty=&bare&sp%20ace=%C3%A9&odd=a=b&bad=%zz") end)
    assert.same({ tag = "a", empty = "", bare = "", ["sp ace"] = "é", odd = "a=b", bad = "%zz" }, query)
    assert.same({ "a", "b c" }, all)
    assert.same({}, none)
  end)

  it("have an empty query where there is none", function()
    assert.same({}, (seen(function(req) return req.query end, function() return api:get("/") end)))
  end)

  it("have headers in any case, repeated ones joined", function()
    local any, all, one, missing = seen(function(req)
      return req.headers["X-THING"], req.headers:all "x-thing", req:header "x-Thing", req.headers["x-none"]
    end, function() return api:get("/", { headers = { ["X-Thing"] = { "a", "b" } } }) end)
    assert.equal("a, b", any)
    assert.same({ "a", "b" }, all)
    assert.equal("a", one)
    assert.is_nil(missing)
  end)

  it("have cookies", function()
    local cookies = seen(function(req) return req.cookies end, function()
      return api:get("/", { headers = { Cookie = 'session=abc; theme="dark"; a=b=c; session=later' } })
    end)
    assert.same({ session = "abc", theme = "dark", a = "b=c" }, cookies)
  end)

  it("have a body, of any bytes and none", function()
    local bytes = {}
    for i = 0, 255 do bytes[#bytes + 1] = string.char(i) end
    local all = table.concat(bytes):rep(1000)
    local body = seen(function(req) return req.body end, function() return api:post("/", { body = all }) end)
    assert.is_true(body == all)
    assert.equal("", (seen(function(req) return req.body end, function() return api:post("/") end)))
  end)

  it("have a body that came in chunks", function()
    local pieces = { "one ", "two ", ("x"):rep(100000), nil }
    local i = 0
    local body = seen(function(req) return req.body end, function()
      return api:post("/", { body = function()
        i = i + 1
        return pieces[i]
      end })
    end)
    assert.equal("one two " .. ("x"):rep(100000), body)
  end)

  it("have a JSON body", function()
    local value = seen(function(req) return req:json() end, function()
      return api:post("/", { json = { id = 9007199254740993, list = { 1, 2 } } })
    end)
    assert.same({ id = 9007199254740993, list = { 1, 2 } }, value)
  end)

  it("are answered with 400 when their JSON is none", function()
    srv:post("/", function(req) return { json = req:json() } end)
    local r = api:post("/", { body = '{"a": nope}' })
    assert.equal(400, r.status)
    assert.equal("bad request", r:json().error)
    assert.is_string(r:json().message)
    assert.equal(400, api:post("/").status)
  end)

  it("have urlencoded fields", function()
    local first, all = seen(function(req) return req:form() end, function()
      return api:post("/", { form = "a=1&b=x+y%26z&a=2" })
    end)
    assert.same({ a = "1", b = "x y&z" }, first)
    assert.same({ "1", "2" }, all.a)
  end)

  it("have multipart fields and files", function()
    local fields, files, parts = seen(function(req) return req:form(), req:files(), req:multipart() end, function()
      return api:post("/", { multipart = {
        { name = "note", data = "two\r\nlines" },
        { name = "empty", data = "" },
        { name = "doc", data = "\0\1\r\n--not the boundary\r\n", filename = 'a "b".bin', type = "application/x-thing" },
      } })
    end)
    assert.equal("two\r\nlines", fields.note)
    assert.equal("", fields.empty)
    assert.equal("\0\1\r\n--not the boundary\r\n", files.doc.body)
    assert.equal("application/x-thing", files.doc.type)
    assert.is_nil(files.note)
    assert.equal(3, #parts)
    assert.same({ "note", "empty", "doc" }, { parts[1].name, parts[2].name, parts[3].name })
  end)

  it("are answered with 400 when their form is malformed", function()
    srv:post("/form", function(req) return { json = req:form() } end)
    local function status_of(kind, body)
      return api:post("/form", { headers = { ["Content-Type"] = kind }, body = body }).status
    end
    assert.equal(400, status_of("application/json", "{}"))
    assert.equal(400, status_of("multipart/form-data", "no boundary"))
    assert.equal(400, status_of("multipart/form-data; boundary=x", "nothing of it"))
    assert.equal(400, status_of("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1"))
    assert.equal(400, status_of("multipart/form-data; boundary=x", "--x\r\n\r\nno name\r\n--x--\r\n"))
    assert.equal(400, status_of("multipart/form-data; boundary=x", "--xgarbage"))
    assert.equal(200, status_of("multipart/form-data; boundary=x", "--x--\r\n"))
    assert.equal(200, status_of('Multipart/Form-Data; Boundary="a b"',
      'preamble\r\n--a b \r\ncontent-disposition: form-data; name="a;\\"b"\r\n\r\n1\r\n--a b--'))
  end)

  it("know their client and their time", function()
    local req = seen(function(req) return req end, function() return api:get("/") end)
    assert.is_true(math.abs(req.at - os.time()) < 20)
    assert.is_true(req.seconds >= 0 and req.seconds < 20)
    assert.equal("127.0.0.1", (seen(function(r) return r.client end, function() return api:get("/") end)))
  end)

  it("can carry what middleware finds out", function()
    srv:use(function(req, next)
      req.user = "ada"
      return next()
    end)
    assert.equal("ada", (seen(function(req) return req.user end, function() return api:get("/") end)))
  end)

  it("can be read after they were answered", function()
    local req = seen(function(req) return req end, function()
      return api:post("/x?y=1", { body = "late", headers = { ["X-A"] = "b" } })
    end)
    srv:close()
    assert.equal("late", req.body)
    assert.equal("b", req.headers["x-a"])
    assert.equal("1", req.query.y)
    assert.equal(200, req.status)
    assert.is_nil(req.client)
  end)

  it("with too large a body are answered with 413", function()
    local small <close> = server.listen { max_body = 1000 }
    small:post("/", function(req) return tostring(#req.body) end)
    local function send(size, options)
      options = options or {}
      options.body = ("x"):rep(size)
      return http.post(small.url, options)
    end
    assert.equal("1000", send(1000).body)
    assert.equal(413, send(1001).status)
    assert.equal(413, send(5000000).status)
    assert.equal(413, send(5000000, { headers = { Expect = "100-continue" } }).status)
    local sent = 0
    local r = http.post(small.url, { body = function()
      sent = sent + 1
      return sent <= 100 and ("x"):rep(1000) or nil
    end })
    assert.equal(413, r.status)
    assert.equal("10", send(10).body)
  end)
end)
