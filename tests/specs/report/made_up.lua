-- A run that holds a bit of everything, for looking at reports and for testing them: failures that share a cause, a
-- flaky test, a crash, timelines across protocols, logs of services. made_up.run { tests = 10000 } is a big one.
local json = require "itlua.json"

local made_up = {}

local BEGAN = 1795186449.25

local function http(method, path, status, at, seconds, body, reply)
  return {
    at = at, seconds = seconds, what = "http.request", detail = method .. " http://127.0.0.1:40123" .. path,
    outcome = ("%d (%d B)"):format(status, #(reply or "")),
    data = {
      request = { method = method, url = "http://127.0.0.1:40123" .. path, body = body,
        headers = { ["Content-Type"] = "application/json", Authorization = "***" } },
      response = { status = status, body = reply, headers = { ["Content-Type"] = "application/json",
        ["X-Request-Id"] = "8d1f" } },
    },
  }
end

--- A timeline across all protocols.
function made_up.timeline()
  return json.encode {
    { at = 100.000, seconds = 0.003, what = "kafka.capture", detail = "orders.created from offset 8", outcome = "" },
    http("POST", "/orders", 201, 100.003, 0.024, '{"customer":"c-1","items":[{"sku":"a","quantity":2}]}',
      '{"id":"o-118","status":"pending","total":12.50,"big":9007199254740993}'),
    { at = 100.008, seconds = 0.012, what = "container.exec", detail = "postgres:16-alpine psql -c …",
      outcome = "exit 0" },
    { at = 100.028, seconds = 0.0021, what = "sql.query", detail = "SELECT id, status FROM orders WHERE id = $1",
      outcome = "1 row",
      data = { statement = "SELECT id, status FROM orders WHERE id = $1", parameters = { "o-118" },
        rows = { { id = "o-118", status = "pending", note = json.null } } } },
    { at = 100.031, seconds = 0.0002, what = "redis.command", detail = "GET order:o-118", outcome = "nil",
      data = { command = { "GET", "order:o-118" }, reply = json.null } },
    { at = 100.034, seconds = 0, what = "kafka.event",
      detail = 'orders.created/0@9 {"order_id":"o-118","customer":"C-1"}', outcome = "",
      data = { topic = "orders.created", partition = 0, offset = 9, key = "o-118", value = { order_id = "o-118",
        customer = "C-1" } } },
    { at = 100.035, seconds = 0, what = "app", detail = "INFO order o-118 stored", outcome = "", log = true },
    { at = 100.036, seconds = 4.964, what = "kafka.wait", detail = "orders.created", outcome = "timeout" },
  }
end

local function add_file(events, path, worker, at)
  events[#events + 1] = { ev = "file_start", file = path, at = at, worker = worker }
end

local function add_test(events, file, id, own, test)
  local name = (test.blocks or "orders") .. " " .. own
  for attempt = 1, test.attempts or 1 do
    local last = attempt == (test.attempts or 1)
    events[#events + 1] = { ev = "test_start", file = file, id = id, block = test.block or 1, name = name, own = own,
      line = test.line or id * 7, last = id * 7 + 5, kind = "it", at = test.at or BEGAN, attempt = attempt }
    if test.output then events[#events + 1] = { ev = "output", file = file, id = id, text = test.output } end
    local status = last and test.status or "failure"
    if status ~= "success" and (test.message or not last) then
      local problem = { ev = "problem", file = file, id = id, block = test.block or 1, kind = status, where = "it",
        name = name,
        message = ("%s:%d: %s"):format(file, (test.line or id * 7) + 1, test.message or "Expected 1, got 2."),
          source = file,
        line = (test.line or id * 7) + 1, at_line = test.line or id * 7 }
      for key, value in pairs(test.problem or {}) do problem[key] = value end
      events[#events + 1] = problem
    end
    events[#events + 1] = { ev = "test_end", file = file, id = id, status = status, seconds = test.seconds or 0.012,
      retried = not last or nil, left = test.left, timeline = status == "success" and test.timeline or nil }
  end
end

local function block(events, file, id, parent, name)
  events[#events + 1] = { ev = "block_start", file = file, id = id, parent = parent, name = name, kind = "describe",
    line = id }
end

local function lifecycle(events)
  local file = "specs/orders/lifecycle_spec.lua"
  add_file(events, file, 1, BEGAN + 0.1)
  block(events, file, 1, 0, "orders")
  block(events, file, 2, 1, "lifecycle")
  add_test(events, file, 3, "announces a created order #slow", {
    block = 2, blocks = "orders lifecycle", status = "failure", seconds = 5.04, at = BEGAN + 0.2, line = 53,
    message = "No event on orders.created matched within 5 s.",
    output = "posting the order\n\27[32mstored\27[0m o-118\n",
    problem = {
      timeline = made_up.timeline(), curl = "curl -X POST http://127.0.0.1:40123/orders -d '{}'", error_kind = "timeout",
      diff = '1 of 4 values differs\n  customer   expected "c-1"   got "C-1"\n  shipped_at   expected null   missing',
      waits = json.encode {
        { where = "specs/orders/lifecycle_spec.lua:57", what = "kafka.wait", detail = "orders.created", seconds = 5 },
        { where = "specs/orders/lifecycle_spec.lua:51", what = "sql.query", detail = "SELECT pg_sleep(60)", seconds = 4.9,
          spawned = "specs/orders/lifecycle_spec.lua:50" },
      },
      cause = "The event arrived with another customer: \"C-1\" instead of \"c-1\".\nLook at what POST /orders publishes.",
      cause_key = "event",
        traceback = "\nstack traceback:\n\tspecs/orders/lifecycle_spec.lua:57: in function <x>\n\t" ..
          "specs/orders/lifecycle_spec.lua:50: in f",
    },
  })
  add_test(events, file, 4, "assigns a technician", { block = 2, blocks = "orders lifecycle", status = "success",
    seconds = 1.2,
    at = BEGAN + 5.3, timeline = made_up.timeline(), output = "a word\n" })
  add_test(events, file, 5, "settles after a retry", { block = 2, blocks = "orders lifecycle", status = "success",
    seconds = 0.3,
    at = BEGAN + 6.5, attempts = 2, message = "Expected status 200, got 503." })
  add_test(events, file, 6, "is cancelled by its customer", { block = 2, blocks = "orders lifecycle", status = "pending",
    message = "waits for the new API", seconds = 0, problem = { kind = "pending", message = "waits for the new API" } })
  events[#events + 1] = { ev = "problem", file = file, block = 2, kind = "error", where = "teardown",
    name = "orders lifecycle",
    message = file .. ":90: the bus is closed", source = file, line = 90, at_line = 88 }
  events[#events + 1] = { ev = "block_end", file = file, id = 2, seconds = 6.8,
    left = "server 127.0.0.1:4711, opened at " .. file .. ":12" }
  events[#events + 1] = { ev = "output", file = file, text = "printed while loading\n" }
  events[#events + 1] = { ev = "file_end", file = file, seconds = 6.9 }
end

local function refused(events, n)
  local file = ("specs/cache/refused_%d_spec.lua"):format(n)
  local at = BEGAN + 0.15 + n * 1.1
  add_file(events, file, 2, at)
  block(events, file, 1, 0, "cache " .. n)
  for id = 2, 8 do
    local failed = id > 4
    add_test(events, file, id, "reads key " .. id, { blocks = "cache " .. n, status = failed and "error" or "success",
      seconds = 0.05 * id,
      at = at + id * 0.1, message = failed and "redis: 127.0.0.1:6379: connection refused" or nil,
      problem = failed and { error_kind = "redis", error_code = "ECONNREFUSED", cause_key = "refused 127.0.0.1:6379",
        cause = "Nothing listens on 127.0.0.1:6379, where the service cache would.\n" ..
          "It was killed by specs/faults_spec.lua:30." } or nil })
  end
  events[#events + 1] = { ev = "file_end", file = file, seconds = 1.0 }
end

-- Names that want to be markup, escapes, commands.
made_up.hostile = {
  "</script><script>document.title='owned'</script>", "<img src=x onerror=\"document.title='owned'\">",
    "quotes ' \" ` \\ end",
  "a\0b\27[31mred\7 bell", "invalid \xff\xfe UTF-8 \xc3", "line\nbreak\ttab\r", "\u{2028}\u{2029}\u{202e}reversed",
    "<!-- comment", "{{data}} %1 %%",
  "::error::x", "]]>", ("long "):rep(300), "",
}

local function hostile(events)
  local file = "specs/<b>&\"'\u{202e}_spec.lua"
  add_file(events, file, 1, BEGAN + 7.2)
  block(events, file, 1, 0, made_up.hostile[1])
  for i, name in ipairs(made_up.hostile) do
    add_test(events, file, i + 1, name, { status = i % 2 == 0 and "failure" or "success", at = BEGAN + 7.2 + i / 50,
      message = name, output = name,
      problem = { cause = name, cause_key = name, diff = "x   expected " .. name .. "   got " .. name,
        traceback = name, curl = name,
        timeline = json.encode { { at = 1, seconds = 1, what = "<b>x", detail = "</script><b>", outcome = "<i>" } } } })
  end
  events[#events + 1] = { ev = "file_end", file = file, seconds = 0.4, left = made_up.hostile[2] }
end

local counted = { success = "successes", failure = "failures", error = "errors", pending = "pendings" }

-- The counts of a run, as the supervisor makes them.
local function finish(events, seconds)
  local last = { ev = "run_end", seconds = seconds, successes = 0, failures = 0, errors = 0, pendings = 0, tests = 0,
    flaky = 0 }
  local retried = {}
  for _, ev in ipairs(events) do
    local key = ev.file and ev.id and ev.file .. "\0" .. ev.id
    if ev.ev == "test_end" and ev.retried then
      retried[key] = true
    elseif ev.ev == "test_end" then
      last.tests = last.tests + 1
      last[counted[ev.status]] = last[counted[ev.status]] + 1
      if retried[key] and ev.status == "success" then last.flaky = last.flaky + 1 end
    elseif ev.ev == "problem" and not ev.id then
      last.errors = last.errors + 1
    end
  end
  events[#events + 1] = last
end

---@param options? {tests?: integer, hostile?: boolean, plain?: boolean}    tests: so many more, in files of 100
function made_up.run(options)
  options = options or {}
  local events = { { ev = "run_start", version = "0.1.0", at = BEGAN, files = 8, jobs = 2, concurrency = 4,
    seed = 81733, run = 1,
    runs = 1, randomized = true } }
  if not options.plain then
    lifecycle(events)
    for n = 1, 4 do refused(events, n) end
    add_file(events, "specs/crash_spec.lua", 1, BEGAN + 7)
    events[#events + 1] = { ev = "problem", file = "specs/crash_spec.lua", kind = "error", where = "worker",
      name = "specs/crash_spec.lua",
      message = "specs/crash_spec.lua: the worker process ended with signal 11 (Segmentation fault)",
        source = "specs/crash_spec.lua", line = 1, at_line = 1 }
    events[#events + 1] = { ev = "file_end", file = "specs/crash_spec.lua", seconds = 0.2,
      crashed = "signal 11 (Segmentation fault)" }
    events[#events + 1] = { ev = "output", service = "app",
      text = "INFO listening on 40123\n\27[31mERROR\27[0m order o-118: cache is gone\n" }
  end
  if options.hostile then hostile(events) end
  local id, file, at = 0, nil, nil
  for i = 1, options.tests or 0 do
    if i % 100 == 1 then
      local n = (i - 1) // 100
      file, at, id = ("specs/area_%02d/part_%03d_spec.lua"):format(n % 12, n), BEGAN + 8 + n // 2 * 0.6, 1
      add_file(events, file, n % 2 + 1, at)
      block(events, file, 1, 0, "area " .. n % 12 .. (n % 5 == 0 and " #slow" or ""))
    end
    id = id + 1
    local failed = i % 499 == 0
    add_test(events, file, id, ("handles case %d of the %s"):format(i, ({ "orders", "payments", "invoices",
      "customers" })[i % 4 + 1]), {
      blocks = "area", status = failed and "failure" or "success", seconds = 0.001 + i % 37 / 4000, at = at + id * 0.005,
      message = failed and "Expected status 200, got 500 Internal Server Error." or nil,
      timeline = made_up.short or json.encode {
        http("GET", "/orders/" .. i % 20, 200, 1 + i, 0.004, nil, '{"id":' .. i .. '}'),
        { at = 1 + i + 0.005, seconds = 0.001, what = "sql.query", detail = "SELECT count(*) FROM orders",
          outcome = "1 row" },
      },
    })
    if i % 100 == 0 or i == options.tests then events[#events + 1] = { ev = "file_end", file = file, seconds = 0.55 } end
  end
  finish(events, options.tests and 8 + options.tests / 200 * 0.6 or 8.1)
  if not options.plain then
    events[#events].services = "db     PostgreSQL 16 (docker, 0.26 s)\n" ..
      "cache  Redis 7 (native, 8 ms)\napp    process 4711 (0.11 s)"
  end
  return events
end

return made_up
