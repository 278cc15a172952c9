--- itlua's assertions on top of luassert's. The spec engine installs them into a state's luassert:
--
--     assert.response(r).has.status(201)                          see assert/response.lua
--     assert.row(db, "SELECT …").has { status = "pending" }       see assert/sql.lua
--     assert.happened({ "POST /orders", "orders.created" }).in_order()     see assert/happened.lua
--     assert.subset({ id = 7 }, value)                            what is not named does not matter
--     assert.eventually(function() return done() end, { timeout = 5, interval = 0.1 })
--     local err = assert.raises({ kind = "http", code = "ECONNREFUSED" }, function() api:get "/" end)
--
-- What failing `same` and `equal` compared can be noted, so that reports show a readable difference (itlua.diff)
-- beside luassert's own message, which stays as it is.

local blame = require "itlua.assert.blame"
local diff = require "itlua.diff"
local happened = require "itlua.assert.happened"
local match = require "itlua.match"
local migrations = require "itlua.assert.migrations"
local redis = require "itlua.assert.redis"
local response = require "itlua.assert.response"
local show = require "itlua.show"
local sql = require "itlua.assert.sql"

local assertions = {}

local TEXT = "assertion.itlua.text"

-- The one argument that luassert prints is the whole text.
local function say_instead(args, text)
  for i = args.n, 1, -1 do args[i] = nil end
  args[1], args.n, args.nofmt = text, 1, { true }
end

-- ---- what failed comparisons are about

local function noting(namespaces, name, note)
  local entry = namespaces.assertion[name]
  local original = entry and entry.callback
  if not original then return end
  entry.callback = function(state, args, level)
    local expected, got, n = args[1], args[2], args.n
    local ok, returned = original(state, args, (level or 1) + 1)
    if not ok and state.mod and n > 1 then note { assertion = name, positive = true, n = n, expected, got } end
    return ok, returned
  end
end

-- ---- subset

local function subset(matcher)
  return function(state, args)
    if args.n < 2 then blame.usage "assert.subset needs what is expected and what came" end
    local expected, got = args[1], args[2]
    if args[3] ~= nil then state.failure_message = args[3] end
    local text = diff.text(diff.partial(expected, got, matcher))
    if text and state.mod then
      say_instead(args, "Expected the first to be part of the second.\n\n  " .. text:gsub("\n", "\n  "))
    elseif not text and not state.mod then
      say_instead(args, ("Expected %s not to be part of %s."):format(show.value(expected, 200), show.value(got, 200)))
    end
    return text == nil
  end
end

-- ---- eventually

local function callable(value)
  local mt = debug.getmetatable(value)
  return type(value) == "function" or mt ~= nil and mt.__call ~= nil
end

local function eventually(state, args)
  local fn, options = args[1], args[2]
  if not callable(fn) then blame.usage("assert.eventually needs a function, not " .. show.value(fn)) end
  if type(options) == "number" then options = { timeout = options } end
  if options ~= nil and type(options) ~= "table" then
    blame.usage("assert.eventually: the options are a table { timeout =, interval = }, not " .. show.value(options))
  end
  if args[3] ~= nil then state.failure_message = args[3] end
  local results = table.pack(pcall(require("itlua.task").eventually, fn, options))
  if results[1] then
    if not state.mod then say_instead(args, "Expected it never to become true; it did.") end
    return true, table.pack(table.unpack(results, 2, results.n))
  end
  local err = results[2]
  -- Anything but its own giving up (the test's deadline, a wrong option) is not for this assertion to report.
  if type(err) ~= "table" and type(err) ~= "userdata" or err.code ~= "EVENTUALLY" then error(err, 0) end
  say_instead(args, err.message or tostring(err))
  return false
end

-- ---- raises

local function field_of(err, name)
  local ok, value = pcall(function() return err[name] end)
  return ok and value or nil
end

local function error_text(err)
  if type(err) == "string" then return show.value(err, 400) end
  local parts = {}
  for _, name in ipairs { "kind", "code" } do
    local value = field_of(err, name)
    if value ~= nil then parts[#parts + 1] = name .. " " .. show.value(value) end
  end
  local message = field_of(err, "message")
  if message == nil and #parts == 0 then return show.value(err, 400) end
  parts[#parts + 1] = "message " .. show.value(message, 400)
  return table.concat(parts, ", ")
end

local function message_of(err)
  if type(err) == "string" then return err end
  local message = (type(err) == "table" or type(err) == "userdata") and field_of(err, "message")
  return type(message) == "string" and message or tostring(err)
end

local function message_fits(err, wanted)
  local message = message_of(err)
  if message:find(wanted, 1, true) then return true end
  local ok, found = pcall(string.find, message, wanted)
  return ok and found ~= nil
end

-- Says in words what is wanted, and which of it the error is not.
local function mismatches(wanted, err, matcher)
  local words, wrong = {}, {}
  for _, name in ipairs(show.keys(wanted)) do
    local value = wanted[name]
    local got = (type(err) == "table" or type(err) == "userdata") and field_of(err, name) or nil
    local is_matcher, accepts, said = matcher(value)
    local fine
    if is_matcher then
      fine = accepts(got)
    elseif name == "message" and type(value) == "string" then
      fine = message_fits(err, value)
    else
      fine = #diff.compare(value, got).entries == 0
    end
    words[#words + 1] = tostring(name) .. " " .. (is_matcher and said or show.value(value, 200))
    if not fine then wrong[#wrong + 1] = tostring(name) end
  end
  return #words > 0 and " with " .. table.concat(words, ", ") or "", wrong
end

local function raises(matcher)
  return function(state, args)
    local wanted, fn = args[1], args[2]
    if callable(wanted) and fn == nil then wanted, fn = {}, wanted end
    if type(wanted) == "string" then wanted = { message = wanted } end
    if type(wanted) ~= "table" then
      blame.usage("assert.raises needs { kind =, code =, message = } or a message, not " .. show.value(wanted))
    end
    if not callable(fn) then blame.usage("assert.raises needs a function, not " .. show.value(fn)) end
    local results = table.pack(pcall(fn, table.unpack(args, 3, args.n)))
    local err = results[2]
    local words, wrong = mismatches(wanted, not results[1] and err or nil, matcher)
    if results[1] then
      say_instead(args, ("Expected an error%s; nothing was raised."):format(words))
      return false
    end
    if #wrong > 0 then
      say_instead(args, ("Expected an error%s.\n  got      %s\n  differs  %s"):format(words, error_text(err),
        table.concat(wrong, ", ")))
      return false
    end
    if not state.mod then say_instead(args, ("Expected no error%s; got %s."):format(words, error_text(err))) end
    return true, { err, n = 1 }
  end
end

--- Registers everything with a luassert.
---@param luassert table                 what require "luassert" returns
---@param note? fun(evidence: table)     told, just before `same` or `equal` fails, what it compared; see
---                                      diff.of_failure. The spec engine notes by itself and gives none
---@return table luassert
function assertions.install(luassert, note)
  local namespaces = require "luassert.namespaces"
  local matcher = match.matcher
  -- English is where luassert looks for what another language lacks.
  require("say").en[TEXT] = "%s"

  if note then
    for _, name in ipairs { "same", "equal", "equals" } do noting(namespaces, name, note) end
  end
  response.install(luassert, matcher, namespaces)
  sql.install(luassert, matcher, namespaces)
  migrations.install(luassert)
  redis.install(luassert)
  happened.install(luassert)
  luassert:register("assertion", "subset", subset(matcher), TEXT, TEXT)
  luassert:register("assertion", "eventually", eventually, TEXT, TEXT)
  luassert:register("assertion", "raises", raises(matcher), TEXT, TEXT)
  return luassert
end

return assertions
