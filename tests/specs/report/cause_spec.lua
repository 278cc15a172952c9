-- The likely cause of a failure: what the rules conclude from events, and what they keep quiet about.
local cause = require "itlua.report.cause"
local json = require "itlua.json"
local report = require "itlua.report"

local services = json.encode {
  { name = "db", kind = "postgres", state = "ready", host = "127.0.0.1", port = 5432 },
  { name = "cache", kind = "redis", state = "stopped", host = "127.0.0.1", port = 6379 },
  { name = "shop", kind = "process", state = "ended", exit = 3, url = "http://127.0.0.1:8080" },
}

local function http(status, more)
  local request = { method = "GET", url = "http://127.0.0.1:8080/orders", headers = { Authorization = "***" } }
  local response = { status = status, headers = { date = "Fri, 20 Nov 2026 17:00:00 GMT" }, body = "" }
  for key, value in pairs(more or {}) do
    if key == "token" or key == "url" or key == "method" then request[key] = value else response[key] = value end
    if key == "no_credentials" then request.headers = {} end
  end
  return { at = 1, seconds = 0.01, what = "http.request", detail = request.method .. " " .. request.url,
    outcome = tostring(status), data = { request = request, response = response } }
end

local function of(problem)
  problem.ev, problem.kind, problem.message = "problem", problem.kind or "error", problem.message or ""
  if type(problem.timeline) == "table" then problem.timeline = json.encode(problem.timeline) end
  if type(problem.waits) == "table" then problem.waits = json.encode(problem.waits) end
  return cause.of(cause.facts(problem))
end

describe("the likely cause", function()
  local cases = {
    { "a refused connection, and the service that would listen",
      { error_kind = "redis", error_code = "ECONNREFUSED", services = services,
        message = "cannot connect to Redis at 127.0.0.1:6379: Connection refused" },
      "nothing listens on 127.0.0.1:6379. Service cache (redis) of itlua.lua would: it was stopped",
        "refused 127.0.0.1:6379" },
    { "a refused connection to a service that has ended, by its URL",
      { error_kind = "http", error_code = "ECONNREFUSED", services = services,
        message = "GET http://localhost:8080/x: nothing listens on localhost:8080 (connection refused)" },
      "Service shop (process) of itlua.lua would: its process has ended with code 3" },
    { "a refused connection to no service of the project",
      { error_kind = "http", error_code = "ECONNREFUSED", services = services,
        message = "GET http://127.0.0.1:9999/x: nothing listens on 127.0.0.1:9999 (connection refused)" },
      "no service of itlua.lua has that port %(db 5432, cache 6379%)" },
    { "a refused connection where there are no services",
      { error_kind = "sql", error_code = "ECONNREFUSED",
        message = "cannot connect to postgresql://app@10.0.0.7/app: Connection refused (ECONNREFUSED)" },
      "nothing listens on 10.0.0.7:5432\n" },
    { "a name of one word", { error_kind = "dns", error_code = "ENOTFOUND", services = services,
      message = "GET http://shop:8080/: the name of shop:8080 cannot be resolved" },
      "service shop of itlua.lua is reached by services.shop.url", "dns shop" },
    { "a certificate", { error_kind = "http", error_code = "TLS/CERT_EXPIRED", message = "https://api.test:8443/x" },
      "certificate has expired.*openssl s_client %-connect api.test:8443" },
    { "a port that is taken", { error_kind = "http", error_code = "EADDRINUSE", message = "cannot listen on port 8080" },
      "another program listens on port 8080" },
    { "an expired token", { kind = "failure", message = "Expected status 200, got 401 Unauthorized.",
      timeline = { http(401, { token = { exp = 1795190400 - 600 } }) } },
        "the token expired at 2026%-11%-20 15:50:00 UTC, 70 min before" },
    { "a token that is refused", { kind = "failure", message = "got 401", timeline = { http(401, { token = { exp = 2e9,
      alg = "HS256" } }) } },
      "does not accept the token, which is valid until 2033" },
    { "no credentials", { kind = "failure", message = "got 401", timeline = { http(401, { no_credentials = true }) } },
      "had neither an Authorization header nor a cookie" },
    { "a forbidden thing", { kind = "failure", message = "got 403", timeline = { http(403) } }, "may not GET /orders" },
    { "a missing route", { kind = "failure", message = "got 404", timeline = { http(404, {
      body = "no route for GET /orders" }) } },
      "has no route for GET /orders" },
    { "a method that is not allowed", { kind = "failure", message = "got 405",
      timeline = { http(405, { headers = { allow = "GET, HEAD" } }) } }, "it allows GET, HEAD" },
    { "a server that fails, by its log", { kind = "failure", message = "got 500", services = services, timeline = { http(500),
      { at = 2, seconds = 0, what = "shop", detail = "INFO fine", log = true },
      { at = 3, seconds = 0, what = "shop", detail = "ERROR no stock", log = true },
      { at = 4, seconds = 0, what = "shop", detail = "INFO next", log = true } } },
      "service shop failed while it handled GET /orders %(500%)\nits log: ERROR no stock" },
    { "what a server says of what was sent", { kind = "failure", message = "got 422",
      timeline = { http(422, { body = '{"message":"quantity must be positive"}' }) } }, "quantity must be positive" },
    { "an answer that is no JSON", { error_kind = "json", error_code = "syntax",
      timeline = { http(502, { headers = { ["content-type"] = "text/html" }, body = "<h1>Bad gateway" }) } },
      "failed while it handled" },
    { "a service that has gone away under a connection, by its address", { error_kind = "redis", error_code = "CLOSED",
      services = services, message = "the connection to Redis at 127.0.0.1:6379 was lost: Connection reset by peer" },
      "^the other side has ended: service cache: it was stopped" },
    { "no service where the one at the address still runs", { error_kind = "sql", error_code = "57P01",
      services = services, message = "terminating connection of postgresql://postgres@127.0.0.1:5432/app" },
      "^the other side closed the connection while it was used" },
    { "another service that the one which did not start needs", { error_kind = "service", error_code = "EXITED",
      services = services, message = "service bill (itlua exec bill.lua) did not get ready: its process exited\n"
        .. "  its last words\n    cannot connect to Redis at 127.0.0.1:6379: Connection refused\n  likely  not reached" },
      "^service bill needs service cache %(redis%): it was stopped", "service cache is gone" },
    { "a setting that a container misses", { error_kind = "container", error_code = "EXITED",
      message = "app did not get ready: the container exited with code 3\n  its last words\n    Error: APP_KEY is not set" },
      "^the environment variable APP_KEY is missing\nlook at option env" },
    { "a registry out of reach", { error_kind = "container", error_code = "IMAGE",
      message = "the image app:1 is not here, and cannot be pulled: dial tcp: lookup r.io: no such host" },
      "^the registry of app:1 cannot be reached" },
    { "what ended a container", { error_kind = "container", error_code = "PORT",
      message = "app does not publish port 8080/tcp: it does not run", timeline = {
        { at = 1, seconds = 0, what = "container", detail = "kill app", outcome = "" },
        { at = 2, seconds = 0, what = "container", detail = "remove app", outcome = "" } } }, "did before: kill app" },
    { "a row that is there already", { error_kind = "sql", error_code = "23505", error_table = "customers",
      message = "duplicate key value\n  detail: Key (id)=(7) already exists." },
        "table customers has that row already: %(id%)=%(7%)" },
    { "a table that is missing", { error_kind = "sql", error_code = "42P01", services = services,
      message = 'relation "invoices" does not exist (42P01)' }, "invoices is not in the database.*services.db.migrations" },
    { "a failed migration", { error_kind = "migration", error_code = "FAILED",
      message = "migrations/2_x.sql:7: syntax error\n  nothing of this migration was kept" }, "migrations/2_x.sql:7",
        "migration migrations/2_x.sql" },
    { "an aborted transaction", { error_kind = "sql", error_code = "25P02", timeline = {
      { at = 1, seconds = 0, what = "sql.exec", detail = "INSERT INTO x", outcome = "null value 23502" },
      { at = 2, seconds = 0, what = "sql.exec", detail = "SELECT 1", outcome = "current transaction is aborted 25P02" } } },
      "INSERT INTO x → null value 23502" },
    { "a pool without a free connection", { error_kind = "timeout", error_code = "POOL",
      message = "no connection was free\n  taken at specs/a.lua:7\n  taken at specs/a.lua:7" },
        "%(2%), and none was given back.*specs/a.lua:7" },
    { "a wrong type of key", { error_kind = "redis", error_code = "WRONGTYPE", timeline = {
      { at = 1, seconds = 0, what = "redis", detail = "LPUSH name 1", outcome = "WRONGTYPE" } } },
        "the command: LPUSH name 1" },
    { "an event that nobody sent, for the request was refused", { error_kind = "timeout", error_code = "NO_EVENT",
      message = "nothing came on orders within 5 s\n  nothing came at all", timeline = { http(422) } },
      "GET /orders was answered with 422, so nothing was announced" },
    { "a setting that a service misses", { error_kind = "service", error_code = "EXITED",
      message = "service db (postgres) did not get ready: …\nYou must specify POSTGRES_PASSWORD to a value" },
      "the environment variable POSTGRES_PASSWORD is missing\nlook at services.db.env" },
    { "a loop that does not end", { error_kind = "timeout", message = "specs/a.lua:7: stopped after 1.5 s",
      source = "specs/a.lua", line = 7 }, "^it waited for nothing.*the loop at specs/a.lua:7", "computing specs/a.lua:7" },
    { "what the longest wait was for", { error_kind = "timeout", message = "stopped after 30 s",
      waits = { { where = "a:1", what = "task.join", detail = "spawned at a:2", seconds = 29 },
        { where = "a:2", what = "sql.exec", detail = "UPDATE x", seconds = 28, spawned = "a:2" } },
      transactions = json.encode { { pid = 4711, query = "UPDATE x SET y = 1", seconds = 29.5 } } },
      "waited for sql UPDATE x, for 28.0 s\nsession 4711 has stood idle in a transaction for 29.5 s" },
    { "a module that is not there", { message = "a.lua:1: module 'shop' not found:\n\tno field" }, "no module shop" },
  }
  for _, case in ipairs(cases) do
    it("names " .. case[1], function()
      local text, key = of(case[2])
      assert.is_string(text)
      local found = text:find(case[3]) or text:find(case[3], 1, true)
      assert.is_truthy(found, text)
      if case[4] then assert.equal(case[4], key) end
    end)
  end

  it("is not guessed where nothing is known", function()
    assert.is_nil((of { kind = "failure", message = "Expected 1, got 2" }))
    -- An earlier answer that the test wanted is no cause.
    assert.is_nil((of { kind = "failure", message = "Expected objects to be equal", timeline = { http(404) } }))
    assert.is_nil((of { message = "a.lua:1: attempt to index a nil value", timeline = "no json" }))
  end)

  it("says who has left a row, where an audit saw it", function()
    local seen = {}
    local group = report.group({ { event = function(_, ev) seen[#seen + 1] = ev end } })
    local file = "specs/a_spec.lua"
    for _, ev in ipairs {
      { ev = "run_start" }, { ev = "file_start", file = file },
      { ev = "test_start", file = file, id = 1, name = "customers are stored", own = "are stored", line = 7 },
      { ev = "test_end", file = file, id = 1, status = "success", left = "2 rows in public.customers" },
      { ev = "problem", file = file, id = 2, kind = "error", error_kind = "sql", error_code = "23505",
        error_table = "customers",
        message = "duplicate key value violates unique constraint" },
    } do group:event(ev) end
    assert.matches('left by "are stored" %(specs/a_spec.lua:7%): 2 rows', seen[5].cause)
    assert.equal("23505 customers", seen[5].cause_key)
  end)

  it("says which test of the file put a row there", function()
    local seen = {}
    local group = report.group({ { event = function(_, ev) seen[#seen + 1] = ev end } })
    local file = "specs/a_spec.lua"
    local function failing(rows, key)
      for _, ev in ipairs {
        { ev = "run_start" }, { ev = "file_start", file = file },
        { ev = "test_start", file = file, id = 1, name = "customers are stored", own = "are stored", line = 7, at = 1000 },
        { ev = "test_end", file = file, id = 1, status = "success", seconds = 1 },
        { ev = "test_start", file = file, id = 2, name = "customers are many", own = "are many", line = 12, at = 1002 },
        { ev = "test_end", file = file, id = 2, status = "success", seconds = 1 },
        { ev = "problem", file = file, id = 3, kind = "error", error_kind = "sql", error_code = "23505",
          error_table = "customers", earlier_rows = json.encode(rows),
          message = "duplicate key value\n  detail: Key (email)=(" .. key .. ") already exists." },
      } do group:event(ev) end
      return seen[#seen].cause
    end
    local rows = {
      { at = 1002.5, statement = "INSERT INTO customers VALUES ('b@x')" },
      { at = 1000.5, statement = "INSERT INTO customers VALUES ('a@x')" },
      { at = 999, statement = "INSERT INTO customers VALUES ('s@x')" },
    }
    assert.matches("\nput there by \"are stored\" %(specs/a_spec.lua:7%): INSERT INTO customers VALUES %('a@x'%)",
      failing(rows, "a@x"))
    assert.matches("\nput there by a setup or another hook: INSERT INTO customers VALUES %('s@x'%)", failing(rows, "s@x"))
    assert.matches('\nthe last rows were put there by "are many" %(specs/a_spec.lua:12%)', failing(rows, "z@x"))
  end)

  it("is the recorded one where there is one", function()
    local seen
    local group = report.group({ { event = function(_, ev) seen = ev end } })
    group:event { ev = "problem", kind = "error", error_kind = "dns", message = "x", cause = "known", cause_key = "k" }
    assert.equal("known", seen.cause)
  end)
end)
