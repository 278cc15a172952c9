local http = require "itlua.http"
local server = require "itlua.server"

describe("the server's journal", function()
  local function serve(options)
    local srv = server.listen(options)
    srv:any("/orders/{id}", function() return "" end)
    srv:get("/boom", function() error { status = 503 } end)
    return srv, http.client { base_url = srv.url }
  end

  it("has the requests in order, with what was asked and answered", function()
    local srv, api = serve()
    local _ <close> = srv
    assert.same({}, srv:requests())
    api:post("/orders/1?x=1", { json = { a = 1 }, headers = { ["X-A"] = "b" } })
    api:get("/boom")
    local list = srv:requests()
    assert.equal(2, #list)
    local first = list[1]
    assert.equal("POST", first.method)
    assert.equal("/orders/1", first.path)
    assert.equal("/orders/{id}", first.route)
    assert.same({ id = "1" }, first.params)
    assert.same({ x = "1" }, first.query)
    assert.equal("b", first.headers["x-a"])
    assert.same({ a = 1 }, first:json())
    assert.equal(200, first.status)
    assert.equal(503, list[2].status)
  end)

  it("can be filtered by method, path and route", function()
    local srv, api = serve()
    local _ <close> = srv
    api:get("/orders/1")
    api:get("/orders/2")
    api:delete("/orders/2")
    api:get("/unknown")
    assert.equal(4, #srv:requests())
    assert.equal(1, #srv:requests { method = "delete" })
    assert.equal(2, #srv:requests { path = "/orders/2" })
    assert.equal(3, #srv:requests { path = "/orders/{id}" })
    assert.equal(1, #srv:requests { method = "GET", path = "/orders/2" })
    assert.equal(404, srv:requests({ path = "/unknown" })[1].status)
  end)

  it("keeps the last ones only", function()
    local srv, api = serve { journal = 3 }
    local _ <close> = srv
    for i = 1, 10 do api:get("/orders/" .. i) end
    local paths = {}
    for i, req in ipairs(srv:requests()) do paths[i] = req.path end
    assert.same({ "/orders/8", "/orders/9", "/orders/10" }, paths)
  end)

  it("can be off, and forgotten", function()
    local off, api = serve { journal = 0 }
    local _ <close> = off
    api:get("/orders/1")
    assert.same({}, off:requests())
    local on, other = serve()
    local _ <close> = on
    other:get("/orders/1")
    on:clear()
    assert.same({}, on:requests())
    other:get("/orders/2")
    assert.equal("/orders/2", on:requests()[1].path)
  end)

  it("bounds the bodies that it keeps", function()
    local srv, api = serve()
    local _ <close> = srv
    local megabytes = ("x"):rep(10000000)
    for _ = 1, 9 do api:post("/orders/1", { body = megabytes }) end
    assert.equal(6, #srv:requests())
  end)

  it("can be read when the server is closed", function()
    local srv, api = serve()
    api:post("/orders/1", { body = "text" })
    srv:close()
    assert.equal("text", srv:requests()[1].body)
  end)
end)
