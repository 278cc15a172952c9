--- Assertions about HTTP responses:
--
--     assert.response(r).has.status(201)              -- also (200, 201), ("2xx")
--     assert.response(r).has.header("Location")       -- returns the value
--     assert.response(r).has.header("Location", "/orders/%d+")    -- exact, or a Lua pattern for the whole value
--     assert.response(r).has.json("items[1].sku", "a")
--     assert.response(r).has.json("id")               -- is there; returns the value
--     assert.response(r).has.content_type("json")
--     assert.response(r).is.faster_than(0.5)
--     assert.response(r).matches { status = "pending", items = { { sku = "a" } } }  -- nothing else matters
--     assert.response(r).has.no.header("X-Debug")
--     assert.response(r).has.status(200).has.content_type("json").has.json("total", 2)    -- in a chain
--
-- Knows a response by its fields only: status, headers (any case), body, json(), timings.total, as_curl().

local blame = require "itlua.assert.blame"
local diff = require "itlua.diff"
local mask = require "itlua.mask"
local path = require "itlua.assert.path"
local show = require "itlua.show"

local response = {}

local KEY, TEXT = "__itlua_response", "assertion.itlua.text"
local max_body_lines, max_body_bytes, body_width = 30, 4000, 88

-- ---- how a response is shown

local function try(fn, ...)
  local ok, value = pcall(fn, ...)
  if ok then return value end
  return nil, value
end

local function indented(text, prefix)
  return (prefix .. text:gsub("\n", "\n" .. prefix):gsub("\n%s+\n", "\n\n"))
end

-- JSON for people: indented, what is short on one line.
local function pretty_json(value)
  local pretty = value ~= nil and try(require("itlua.json").encode, value, { pretty = true })
  return pretty and show.folded(pretty, body_width)
end

-- The body, JSON pretty-printed, the beginning of what is long.
local function body_excerpt(r)
  -- Asking a stream for its body would wait for its end.
  if type(r) == "table" and rawget(r, "_stream") and rawget(r, "body") == nil then return "(a stream)" end
  local body = r.body
  if type(body) ~= "string" or body == "" then return "(no body)" end
  local ok, json = pcall(require, "itlua.json")
  if ok and body:find "^%s*[%[{]" then
    body = pretty_json((try(json.decode, body, { ordered = true }))) or body
  end
  if not utf8.len(body) or body:find "%z" then return ("(%d bytes, not text)"):format(#body) end
  body = body:gsub("\r\n", "\n"):gsub("\n$", "")
  local lines, cut = {}, false
  for line in (show.cut(body, max_body_bytes) .. "\n"):gmatch "(.-)\n" do
    if #lines == max_body_lines then
      cut = true
      break
    end
    lines[#lines + 1] = line
  end
  if cut or #body > max_body_bytes then lines[#lines + 1] = ("… (%d bytes in all)"):format(#r.body) end
  return table.concat(lines, "\n")
end

local reasons = {
  [200] = "OK", [201] = "Created", [202] = "Accepted", [204] = "No Content", [301] = "Moved Permanently",
  [302] = "Found",
  [303] = "See Other", [304] = "Not Modified", [307] = "Temporary Redirect", [308] = "Permanent Redirect",
  [400] = "Bad Request", [401] = "Unauthorized", [403] = "Forbidden", [404] = "Not Found", [405] = "Method Not Allowed",
  [406] = "Not Acceptable", [408] = "Request Timeout", [409] = "Conflict", [410] = "Gone", [411] = "Length Required",
  [412] = "Precondition Failed", [413] = "Content Too Large", [415] = "Unsupported Media Type", [418] = "I'm a Teapot",
  [422] = "Unprocessable Entity", [423] = "Locked", [425] = "Too Early", [428] = "Precondition Required",
  [429] = "Too Many Requests", [431] = "Request Header Fields Too Large", [451] = "Unavailable For Legal Reasons",
  [500] = "Internal Server Error", [501] = "Not Implemented", [502] = "Bad Gateway", [503] = "Service Unavailable",
  [504] = "Gateway Timeout",
}

local function status_text(r)
  local reason = type(r.reason) == "string" and r.reason ~= "" and r.reason or reasons[r.status]
  return reason and r.status .. " " .. reason or tostring(r.status)
end

-- Assertions that the body has no part in.
local about_head = { header = true, faster_than = true }

-- Of a large document what is around a path: the object or list that it leads into.
local function around(r, where)
  local keys = #r.body > max_body_bytes // 4 and path.parse(where)
  if not keys or #keys < 1 then return nil end
  local value = try(function() return require("itlua.json").decode(r.body, { ordered = true }) end)
  for n = #keys - 1, 0, -1 do
    local found = value ~= nil and path.get(value, table.move(keys, 1, n, 1, {}))
    if type(found) == "table" then
      local text = pretty_json(found)
      local _, breaks = (text or ""):gsub("\n", "")
      if not text or #text > max_body_bytes or breaks >= max_body_lines then return nil end
      return (n > 0 and path.written(keys, n) .. ": " or "") .. text
    end
  end
end

-- What follows the first sentence of a failure: the body and how to repeat the request.
local function appendix(r, name, where)
  local shown
  if type(r.body) == "string" and name == "json" and type(where) == "string" then shown = try(around, r, where) end
  -- Of what does not match the differing paths are named; the rest of a large body says nothing.
  if name == "matches" and type(where) == "table" and type(r.body) == "string" and #r.body > max_body_bytes then
    shown = ("(the body has %d bytes)"):format(#r.body)
  end
  local parts = { not about_head[name] and "\n\n" .. indented(shown or body_excerpt(r), "  ") or nil }
  local curl = r.as_curl and try(r.as_curl, r)
  if curl then parts[#parts + 1] = "\n\nrequest  " .. curl end
  return table.concat(parts)
end

-- ---- the assertions: each returns ok, what to say if it is not, what to say if it is (negated), a value to return

local assertions = {}

local function listed(values)
  if #values == 1 then return tostring(values[1]) end
  return table.concat(values, ", ", 1, #values - 1) .. " or " .. tostring(values[#values])
end

local function is_status(value)
  return math.type(value) == "integer" or type(value) == "string" and value:find "^[1-5][xX][xX]$" ~= nil
end

function assertions.status(r, args)
  local wanted = {}
  while is_status(args[#wanted + 1]) do wanted[#wanted + 1] = args[#wanted + 1] end
  if #wanted == 0 then blame.usage('status needs a number or "2xx", not ' .. show.value(args[1])) end
  args.message = args[#wanted + 1]
  local found = false
  for _, status in ipairs(wanted) do
    if type(status) == "string" then
      found = found or r.status // 100 == tonumber(status:sub(1, 1))
    else
      found = found or r.status == status
    end
  end
  return found, ("Expected status %s, got %s."):format(listed(wanted), status_text(r)),
    ("Expected a status other than %s, got %s."):format(listed(wanted), status_text(r))
end

local function header_of(r, name)
  local headers = r.headers
  if not headers then return nil end
  local value = headers[name]
  if type(value) == "function" and type(headers.get) == "function" then value = headers:get(name) end
  if type(value) == "table" then value = table.concat(value, ", ") end
  return value
end

local function header_names(r)
  local names, seen = {}, {}
  for name in pairs(r.headers or {}) do
    local lower = tostring(name):lower()
    if not seen[lower] then names[#names + 1] = lower end
    seen[lower] = true
  end
  table.sort(names)
  return #names > 0 and "it has " .. table.concat(names, ", ") or "it has none at all"
end

-- Exactly the text, or a Lua pattern for all of it; with anchors of its own a pattern is taken as it is.
local function fits(value, wanted)
  if value == wanted then return true end
  local pattern = wanted
  if not pattern:find "^%^" and not pattern:find "[^%%]%$$" then pattern = "^" .. pattern .. "$" end
  local ok, found = pcall(string.find, value, pattern)
  return ok and found ~= nil
end

function assertions.header(r, args, matcher)
  local name, wanted = args[1], args[2]
  if type(name) ~= "string" then blame.usage("header needs a name, not " .. show.value(name)) end
  args.message = args[3]
  local value = header_of(r, name)
  local shown = value and show.value(mask.header(name, tostring(value)), 200)
  if wanted == nil then
    return value ~= nil, ("Expected a header %s: %s."):format(name, header_names(r)),
      ("Expected no header %s, got %s."):format(name, shown), value
  end
  local is_matcher, accepts, words = matcher(wanted)
  local found, wish
  if is_matcher then
    found, wish = accepts(value), words
  else
    found, wish = value ~= nil and fits(tostring(value), tostring(wanted)), show.value(tostring(wanted), 200)
  end
  local got = value == nil and "there is none; " .. header_names(r) or "got " .. shown
  return found, ("Expected header %s to be %s, %s."):format(name, wish, got),
    ("Expected header %s not to be %s, got %s."):format(name, wish, shown)
end

function assertions.content_type(r, args)
  local wanted = args[1]
  if type(wanted) ~= "string" then blame.usage("content_type needs a type, not " .. show.value(wanted)) end
  args.message = args[2]
  local value = header_of(r, "content-type")
  local media = value and value:match("^%s*([^;]*)"):gsub("%s+$", ""):lower() or ""
  local found
  if wanted:find("/", 1, true) then
    found = wanted:find(";", 1, true) and value and value:lower() == wanted:lower() or media == wanted:lower()
  else
    found = media:match "[/+]([^/+]*)$" == wanted:lower() or media == "text/" .. wanted:lower()
      or wanted == "text" and media:find "^text/" ~= nil
  end
  return found, ("Expected content type %s, got %s."):format(wanted, value or "none"),
    ("Expected a content type other than %s, got %s."):format(wanted, tostring(value))
end

-- The body as a value, or nil and why not.
local function document(r)
  if type(r.json) ~= "function" then return nil, "it has no json()" end
  local ok, value = pcall(r.json, r)
  if not ok then return nil, tostring(type(value) == "table" and value.message or value) end
  return value
end

function assertions.json(r, args, matcher)
  local value, broken = document(r)
  if broken then return false, "Expected a JSON body: " .. broken, "", nil end
  if args.n == 0 then return true, "", "Expected no JSON body.", value end
  local keys, where, wanted, given = {}, "the document", args[1], true
  if type(args[1]) == "string" then
    local problem
    keys, problem = path.parse(args[1])
    if not keys then blame.usage(("json: %s in the path %q"):format(problem, args[1])) end
    where, wanted, given = args[1], args[2], args.n > 1
    args.message = args[3]
    if given and wanted == nil then
      blame.usage("json: to expect null use itlua.null, to expect nothing has.no.json(path)")
    end
  else
    args.message = args[2]
  end
  local got, why = path.get(value, keys)
  if not given then
    return got ~= nil, ("Expected %s in the JSON body, but %s."):format(where, why or ""),
      ("Expected no %s in the JSON body, got %s."):format(where, show.value(got, 200)), got
  end
  local is_matcher, accepts, words = matcher(wanted)
  if is_matcher then
    return accepts(got), ("Expected %s to be %s, got %s."):format(where, words, show.value(got, 200)),
      ("Expected %s not to be %s, got %s."):format(where, words, show.value(got, 200))
  end
  local result = diff.compare(wanted, got, where ~= "the document" and where or nil)
  local text
  if #result.entries > 0 and why then
    text = ("Expected %s to be %s, but %s."):format(where, show.value(wanted, 200), why)
  elseif #result.entries > 0 and type(wanted) == "table" and type(got) == "table" then
    text = ("Expected %s to be the same.\n\n%s"):format(where, indented(diff.text(result), "  "))
  else
    text = ("Expected %s to be %s, got %s."):format(where, show.value(wanted, 200), show.value(got, 200))
  end
  return #result.entries == 0, text, ("Expected %s not to be %s."):format(where, show.value(wanted, 200))
end

local phases = { "dns", "connect", "tls", "first_byte", "total" }

function assertions.faster_than(r, args)
  local limit = args[1]
  if type(limit) ~= "number" then blame.usage("faster_than needs seconds, not " .. show.value(limit)) end
  args.message = args[2]
  local timings = r.timings or {}
  if type(timings.total) ~= "number" then blame.usage("faster_than: this response has no timings.total") end
  local parts = {}
  for _, phase in ipairs(phases) do
    local seconds = timings[phase]
    if type(seconds) == "number" then parts[#parts + 1] = ("%s %.3f s"):format(phase:gsub("_", " "), seconds) end
  end
  return timings.total < limit,
    ("Expected a response within %.6g s, it took %.3f s (%s)."):format(limit, timings.total, table.concat(parts, ", ")),
    ("Expected a response slower than %.6g s, it took %.3f s."):format(limit, timings.total)
end

function assertions.matches(r, args, matcher)
  local wanted = args[1]
  if type(wanted) == "string" then
    -- As luassert's matches: a pattern, here for the body.
    args.message = args[2]
    return (r.body or ""):find(wanted) ~= nil, ("Expected a body that matches %s."):format(show.value(wanted, 200)),
      ("Expected a body that does not match %s."):format(show.value(wanted, 200))
  end
  if type(wanted) ~= "table" then blame.usage("matches needs a table or a pattern, not " .. show.value(wanted)) end
  args.message = args[2]
  local value, broken = document(r)
  if broken then return false, "Expected a JSON body: " .. broken, "" end
  local result = diff.partial(wanted, value, matcher)
  local text = diff.text(result)
  return text == nil, "The body does not match.\n\n" .. indented(text or "", "  "),
    "Expected a body that does not match " .. show.value(wanted, 200) .. "."
end

assertions.match = assertions.matches

-- ---- registered with luassert

local function check(r)
  local kind = type(r)
  if kind ~= "table" and kind ~= "userdata" then
    blame.usage("assert.response needs a response, not " .. show.value(r))
  end
  local ok, status = pcall(function() return r.status end)
  if not ok or math.type(status) ~= "integer" then
    blame.usage("assert.response needs a response (with a status), not " .. show.value(r))
  end
  return r
end

--- Registers the modifier `response` and its assertions.
---@param luassert table
---@param matcher fun(value: any): boolean, function?, string?
---@param namespaces table     luassert.namespaces
function response.install(luassert, matcher, namespaces)
  luassert:register("modifier", "response", function(state, args)
    if not args or args.n == 0 then blame.usage "assert.response needs a response: assert.response(r)" end
    rawset(state, KEY, check(args[1]))
    if args[2] ~= nil then state.failure_message = args[2] end
    return state
  end)

  for name, assertion in pairs(assertions) do
    local entry = namespaces.assertion[name]
    local before = entry and { callback = entry.callback, positive = entry.positive_message,
      negative = entry.negative_message }
    local function callback(state, args, level)
      local r = rawget(state, KEY)
      if r == nil then
        if not before then blame.usage(("'%s' must be chained after 'response(r)'"):format(name)) end
        -- Somebody else has this name, too, and this is not about a response: it stays what it was.
        entry.positive_message, entry.negative_message = before.positive, before.negative
        return before.callback(state, args, (level or 1) + 1)
      end
      local ok, expected, unexpected, value = assertion(r, args, matcher)
      local about = args[1]
      if args.message ~= nil then state.failure_message = args.message end
      -- luassert prints the arguments into its message: here the one argument is the whole text.
      if ok ~= state.mod then
        for i = args.n, 1, -1 do args[i] = nil end
        args[1], args.n, args.nofmt = (state.mod and expected or unexpected) .. appendix(r, name, about), 1, { true }
      end
      entry.positive_message, entry.negative_message = TEXT, TEXT
      local chain = luassert.state()
      rawset(chain, KEY, r)
      return ok, { ok and state.mod and value or chain, n = 1 }
    end
    if entry then
      -- In place: who holds on to luassert's entry sees both uses of the name.
      entry.callback = callback
    else
      luassert:register("assertion", name, callback, TEXT, TEXT)
      entry = namespaces.assertion[name]
    end
  end
end

return response
