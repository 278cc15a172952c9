-- What is secret leaves the process nowhere: a project that does all it can to let it out, and a search of everything that
-- comes of it, in every form that a value can take.
local encode = require "itlua.encode"
local fs = require "itlua.fs"
local process = require "itlua.process"

local SECRET <const> = 'pä/ss"word+7é&x'
local PLAIN <const> = "sesame-open-4711"
local PASSWORD <const> = "urlpassw0rd"
local TOKEN <const> = "bearer-t0ken-value"

local SPEC <const> = [==[
local encode, http, json = require "itlua.encode", require "itlua.http", require "itlua.json"
local server, services = require "itlua.server", require "itlua.services"
local secret, plain = os.getenv "SHOP_SECRET", os.getenv "SHOP_PLAIN"

local function urlencoded(s) return (s:gsub("[^%w]", function(c) return ("%%%02X"):format(c:byte()) end)) end

local function forms(s)
  return { s, json.encode(s), json.encode(json.encode { a = s }), json.encode(s, { ascii = true }), urlencoded(s),
    urlencoded(s):lower(), encode.base64(s), encode.base64("x" .. s), encode.base64("xx" .. s .. "y"), encode.hex(s),
    encode.hex(s):upper() }
end

describe("a shop with " .. plain, function()
  local srv
  setup(function()
    srv = server.listen { on_error = function() end }
    srv:any("/{path*}", function(req) return { status = 418, json = { echo = req.body, all = forms(secret) },
      headers = { ["Set-Cookie"] = "sid=" .. plain, ["X-Secret"] = plain } } end)
  end)
  teardown(function() srv:close() end)

  it("says " .. secret, function() print(secret) end)

  for i, form in ipairs(forms(secret)) do
    it("fails with form " .. i, function()
      print(form)
      io.write(plain:sub(1, 5)) io.stdout:flush()
      require("itlua.task").sleep(0.02) -- the rest comes in a piece of its own
      io.write(plain:sub(6), "\n")
      error("it was " .. form)
    end)
  end

  it("sends it", function()
    local api = http.client { base_url = srv.url, bearer = "bearer-t0ken-value", headers = { ["X-Plain"] = plain } }
    local r = api:post("/login?key=" .. urlencoded(secret), { json = { password = secret, again = json.encode {
      p = secret } },
      cookies = { sid = plain } })
    assert.response(r).has.status(200)
  end)

  it("compares it", function() assert.same({ a = secret, b = { plain } }, { a = plain, b = { secret } }) end)

  it("connects with it", function()
    http.get("http://shop:urlpassw0rd@127.0.0.1:1/" .. plain)
  end)

  it("hears it from a service", function()
    services.talker:start()
    require("itlua.task").sleep(0.3)
    error "look at the log"
  end)
end)
]==]

local CONFIG <const> = [==[
local itlua = require("itlua.process").self()
return { secrets = { "SHOP_SECRET", "SHOP_PLAIN" }, services = {
  talker = { kind = "process", command = { itlua, "exec", "talker.lua" }, env = { SECRET = os.getenv "SHOP_SECRET" } },
} }
]==]

local TALKER <const> = [==[
for _ = 1, 3 do print("the key is " .. os.getenv "SECRET", "http://u:urlpassw0rd@host/") end
io.stdout:flush()
require("itlua.task").sleep(60)
]==]

-- What must be found nowhere: the value as it is and as others write it; of base64 what depends on the value alone.
local function traces()
  local list = { [PASSWORD] = "the password of a URL", [TOKEN] = "a bearer token" }
  for name, value in pairs { SECRET = SECRET, PLAIN = PLAIN } do
    local json = value:gsub('["\\]', "\\%0")
    list[value], list[json] = name, name .. " in JSON"
    list[(json:gsub('["\\]', "\\%0"))] = name .. " in JSON in JSON"
    list[(value:gsub("[\xC3].", { ["ä"] = "\\u00e4", ["é"] = "\\u00e9" }):gsub('"', '\\"'))] = name .. " in ASCII JSON"
    list[(value:gsub("[^%w]", function(c) return ("%%%02X"):format(c:byte()) end))] = name .. " in a URL"
    list[(value:gsub("&", "&amp;"):gsub('"', "&quot;"))] = name .. " in XML"
    list[encode.hex(value)], list[encode.hex(value):upper()] = name .. " in hex", name .. " in hex"
    for offset = 0, 2 do
      local all = encode.base64(("\0"):rep(offset) .. value .. "\0\0\0")
      local first, last = (offset * 8 + 5) // 6 + 1, (offset + #value) * 8 // 6
      list[all:sub(first, last)] = ("%s in base64, shifted by %d"):format(name, offset)
    end
  end
  return list
end

describe("secrets", function()
  local folder, printed, env

  -- Everything that a command prints.
  local function run(...)
    local r = process.run { command = { process.self(), ... }, cwd = folder.path, merge = true, env = env, timeout = 100 }
    printed[#printed + 1] = { "itlua " .. table.concat({ ... }, " "), r.stdout }
    return r
  end

  setup(function()
    folder, printed = fs.tempdir(), {}
    env = { SHOP_SECRET = SECRET, SHOP_PLAIN = PLAIN, NO_COLOR = "1" }
    fs.mkdir(folder:join "specs")
    fs.mkdir(folder:join "out")
    fs.write(folder:join "specs/a_spec.lua", SPEC)
    fs.write(folder:join "itlua.lua", CONFIG)
    fs.write(folder:join "talker.lua", TALKER)
    fs.write(folder:join "script.lua", [[error("with " .. os.getenv "SHOP_SECRET" .. " http://u:urlpassw0rd@h/")]])
  end)
  teardown(function() folder:close() end)

  it("are in no report, log or message", function()
    local outputs = { "--log-success", "out/log", "-v", "-o", "terminal" }
    for _, kind in ipairs(require("itlua.report").names()) do
      if kind ~= "sound" and kind ~= "terminal" then
        table.insert(outputs, "-o")
        table.insert(outputs, kind .. ":out/" .. kind)
      end
    end
    local r = run(table.unpack(outputs))
    assert.equal(1, r.code, r.stdout)
    assert.matches("look at the log", r.stdout)
    run("-o", "plainTerminal")
    run "--list"
    run("report", "out/jsonl", "-o", "terminal", "-o", "html:out/again.html")
    run("exec", "script.lua")
    run("services", "up")
    run("services", "logs", "talker")
    run("services", "status")
    run("services", "down")

    local files = {}
    for _, place in ipairs { "out", ".itlua" } do
      for _, entry in ipairs(fs.list(folder:join(place))) do
        local path = folder:join(place, type(entry) == "table" and entry.name or entry)
        if fs.exists(path) == "file" then files[#files + 1] = { path, fs.read(path) } end
      end
    end
    assert.is_true(#files >= 12, #files .. " files")
    local found = {}
    for _, list in ipairs { printed, files } do
      for _, one in ipairs(list) do
        for trace, name in pairs(traces()) do
          local at = one[2]:find(trace, 1, true)
          if at then found[#found + 1] = ("%s: %s: …%s…"):format(one[1], name, one[2]:sub(math.max(1, at - 60),
            at + 40)) end
        end
      end
    end
    assert.equal("", table.concat(found, "\n"))
  end)

  it("are hidden also where they are printed in pieces", function()
    local mask, report = require "itlua.mask", require "itlua.report"
    for cut = 1, #PLAIN - 1 do
      local parts = {}
      local group = report.group({ { event = function(_, ev) parts[#parts + 1] = ev.text end, finish = function() end } },
        { mask = mask.new { PLAIN } })
      group:event { ev = "output", file = "a", id = 1, text = "it is " .. PLAIN:sub(1, cut) }
      group:event { ev = "output", file = "a", id = 1, text = PLAIN:sub(cut + 1) .. " now" }
      group:event { ev = "test_end", file = "a", id = 1 }
      assert.equal("it is *** now", table.concat(parts))
    end
  end)
end)
