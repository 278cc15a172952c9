--- `:save FILE`: the session as a spec, with assertions on what was seen. It is run before it is kept: what comes out
--- differently the second time (and a few things that are known to: times, tokens, ports) is not asserted.

local core = require "itlua.core"
local literal = require "itlua.repl.save.literal"
local null = require "itlua.null"
local rows_view = require "itlua.repl.render.rows"
local response_view = require "itlua.repl.render.response"
local text = require "itlua.report.text"

local save = {}

local MAX_FIELDS, MAX_ROWS, WIDTH = 30, 50, 110
local PATIENCE = 120 -- seconds for a run

-- ---- what was seen, as assertions, a line each

local function add(out, line, ...)
  out[#out + 1] = { text = "    " .. line:format(...), assertion = true }
end

-- What a capture has caught: where it lies in its source is another matter every time.
local function of_record(record)
  return { value = record.value, key = record.key, topic = record.topic, channel = record.channel, headers = record.headers }
end

local function subset_of(out, what, value)
  if type(value) ~= "table" then
    if literal.is_stable(value) then add(out, "assert.equal(%s, %s)", literal.of(value), what) end
    return
  end
  local n = 0
  if type(value.at) == "number" and type(value.n) == "number" and value.value ~= nil then value = of_record(value) end
  if #value > 0 then
    if #value > MAX_ROWS then return add(out, "assert.equal(%d, #%s)", #value, what) end
    local stable = literal.stable_part(value)
    if stable ~= nil then add(out, "assert.subset(%s, %s)", literal.of(stable), what) end
    return
  end
  for _, key in ipairs(require("itlua.show").keys(value)) do
    local stable = literal.stable_part(value[key], key)
    if stable ~= nil and n < MAX_FIELDS then
      n = n + 1
      add(out, "assert.subset(%s, %s)", literal.of { [key] = stable }, what)
      out[#out].key, out[#out].value, out[#out].what = key, stable, what
    end
  end
end

local function of_response(out, r)
  add(out, "assert.equal(%d, _.status)", r.status)
  if r.content_type ~= "" then add(out, "assert.equal(%s, _.content_type)", literal.of(r.content_type)) end
  local body = rawget(r, "body")
  if not body then return end
  local ok, value = pcall(r.json, r)
  if ok then subset_of(out, "_:json()", value)
  elseif literal.is_stable(body) then add(out, "assert.equal(%s, _.body)", literal.of(body)) end
end

local function of_rows(out, rows)
  add(out, "assert.equal(%d, #_)", #rows)
  for i = 1, math.min(#rows, MAX_ROWS) do
    local stable = literal.stable_part(rows[i])
    if stable ~= nil and next(stable) ~= nil then add(out, "assert.subset(%s, _[%d])", literal.of(stable), i) end
  end
end

local function of_value(out, value, what)
  if response_view.fits(value) and what == "_" then return of_response(out, value) end
  if rows_view.fits(value) and what == "_" then return of_rows(out, value) end
  local kind = type(value)
  if value == null or kind == "nil" or kind == "string" or kind == "number" or kind == "boolean" then
    if literal.is_stable(value) then add(out, "assert.equal(%s, %s)", literal.of(value), what) end
  elseif kind == "table" and not debug.getmetatable(value) then
    subset_of(out, what, value)
  end
end

-- Assertions on fields of the same value become one.
local function join_fields(lines)
  local out, last, fields = {}, nil, nil
  for _, line in ipairs(lines) do
    local joined
    if last and line.assertion and line.key ~= nil and line.what == last.what then
      fields[line.key] = line.value
      joined = ("    assert.subset(%s, %s)"):format(literal.of(fields), line.what)
      if #joined <= WIDTH then last.text = joined else fields[line.key], joined = nil, nil end
    end
    if not joined then
      out[#out + 1] = line
      last = line.assertion and line.key ~= nil and line or nil
      fields = last and { [line.key] = line.value }
    end
  end
  return out
end

-- ---- the chunks

local function add_text(out, source)
  for line in (source .. "\n"):gmatch "([^\n]*)\n" do out[#out + 1] = { text = line ~= "" and "    " .. line or "" } end
end

local function expression_of(source)
  local plain = source:gsub("^%s*=?%s*", ""):gsub("[%s;]+$", "")
  if load("return " .. plain, "=", "t") then return plain end
  local returned = plain:match "^return%s+(.*)$"
  if returned and load("return " .. returned, "=", "t") then return returned end
  return "(function() " .. plain .. "\nend)()" -- statements, and then what they return
end

local function add_failure(out, entry)
  local kind = core.is_error(entry.error)
  local source = entry.expression and "return " .. expression_of(entry.text) or entry.text
  if entry.interrupted or not kind or entry.error.code == "READ_ONLY" or entry.file then
    out[#out + 1] = { text = "    -- left out, it failed: " .. text.one_line(entry.text) }
    return
  end
  local code = type(entry.error.code) == "string" and (", code = %q"):format(entry.error.code) or ""
  out[#out + 1] = { text = ("    assert.raises({ kind = %q%s }, function()"):format(kind, code) }
  add_text(out, "  " .. source:gsub("\n", "\n  "))
  out[#out + 1] = { text = "    end)" }
end

local function of_entry(out, entry, i, what)
  local count = entry.counts and entry.counts[i]
  if count then return add(out, "assert.equal(%d, #%s)", count, what) end
  of_value(out, entry.values[i], what)
end

-- Where a record lands is not what matters of it.
local function publishes(source) return source:find "^%s*=?%s*[%w_.]+:publish[_%w]*%s*[%({]" ~= nil end

local function add_entry(out, entry)
  if not entry.ok then return add_failure(out, entry) end
  if entry.file then
    out[#out + 1] = { text = ("    assert(loadfile(%q, \"t\", _ENV))()"):format(entry.file) }
  elseif not entry.expression or publishes(entry.text) then
    add_text(out, entry.expression and expression_of(entry.text) or entry.text)
  elseif entry.values.n <= 1 then
    add_text(out, "_ = " .. expression_of(entry.text))
    of_entry(out, entry, 1, "_")
  else
    add_text(out, "all = table.pack(" .. expression_of(entry.text) .. ")")
    out[#out + 1] = { text = "    _ = all[1]" }
    for i = 1, entry.values.n do of_entry(out, entry, i, ("all[%d]"):format(i)) end
  end
end

-- ---- the whole

-- Names of the session's world that the chunks mention.
local function mentioned(talk)
  local sources, names = {}, {}
  for _, entry in ipairs(talk.session.entries) do sources[#sources + 1] = entry.text end
  local all = " " .. table.concat(sources, "\n") .. "\n"
  for _, name in ipairs(talk.world:names()) do
    local at = 1
    while at do -- as a name, not as a field
      local from, to = all:find("[^%w_.:]" .. name .. "%f[^%w_]", at)
      at = to
      if from and not all:find("^%s*=[^=]", to + 1) then
        names[#names + 1] = name
        break
      end
    end
  end
  return names
end

local function declarations(talk, out, names)
  local world, closing = talk.world, {}
  local outside = false
  for _, name in ipairs(names) do
    local line
    if world.connections[name] then
      outside = true
      line = ("reach.url(%q, %q)"):format(name, talk.view.hide(world.connections[name]))
    elseif world.services and world.services[name] then line = ("reach.service %q"):format(name)
    elseif name == "null" then line = 'require "itlua.null"'
    else line = ("require %q"):format("itlua." .. name) end
    if line:find "^reach" then closing[#closing + 1] = name end
    out[#out + 1] = { text = ("local %s = %s"):format(name, line) }
  end
  if closing[1] then table.insert(out, 2, { text = 'local reach = require "itlua.services.reach"' }) end
  return closing, outside
end

local function spec_of(talk)
  local out, names = {}, mentioned(talk)
  out[1] = { text = ("-- A session of itlua repl, saved on %s. What was seen is asserted."):format(os.date "%Y-%m-%d") }
  local closing, outside = declarations(talk, out, names)
  local head = #out
  out[#out + 1] = { text = "" }
  out[#out + 1] = { text = 'describe("a session", function()' }
  out[#out + 1] = { text = '  it("comes to what was seen", function()' }
  out[#out + 1] = { text = "    local _, all -- luacheck: ignore" }
  if closing[1] then
    local calls = {}
    for i, name in ipairs(closing) do calls[i] = ("reach.close(%s)"):format(name) end
    out[#out + 1] = { text = ("    finally(function() %s end)"):format(table.concat(calls, " ")) }
  end
  local steps = 0
  for _, entry in ipairs(talk.session.entries) do
    if entry.text:find "%S" then
      add_entry(out, entry)
      steps = steps + 1
    end
  end
  out[#out + 1] = { text = "  end)" }
  out[#out + 1] = { text = "end)" }
  local declared, needed = false, false
  for i, line in ipairs(out) do
    declared = declared or line.text:find "^local null" ~= nil
    needed = needed or i > head and line.assertion and line.text:find "%f[%w_]null%f[^%w_]" ~= nil
  end
  if needed and not declared then table.insert(out, head + 1, { text = 'local null = require "itlua.null"' }) end
  return out, steps, outside
end

local function written(lines)
  local parts = {}
  for i, line in ipairs(lines) do parts[i] = line.text .. "\n" end
  return table.concat(parts)
end

-- The same with assertions that only note where they do not hold.
local function probing(lines, path)
  local parts = { ("local function holds(n, check) if not pcall(check) then local f = io.open(%q, \"a\") f:write(n, \"\\n\") "
    .. "f:close() end end\n"):format(path) }
  for i, line in ipairs(lines) do
    parts[#parts + 1] = (line.assertion and ("holds(%d, function() %s end)"):format(i, line.text) or line.text) .. "\n"
  end
  return table.concat(parts)
end

local function run_spec(path)
  local process = require "itlua.process"
  return process.run { command = { process.self(), "-o", "TAP", path }, timeout = PATIENCE, merge = true }
end

-- Takes away what does not hold the second time; why it does not pass, if it does not.
local function settle(lines)
  local fs = require "itlua.fs"
  local folder <close> = fs.tempdir { prefix = "itlua-save-" }
  local noted = folder:join "differs"
  run_spec(folder:write("probe_spec.lua", probing(lines, noted)))
  local differing = 0
  for number in (fs.exists(noted) and fs.read(noted) or ""):gmatch "%d+" do
    local line = lines[tonumber(number)]
    line.text, line.assertion = "    -- differs from run to run: " .. line.text:gsub("^%s+", ""), false
    differing = differing + 1
  end
  local result = run_spec(folder:write("session_spec.lua", written(lines)))
  if result.code == 0 then return nil, differing end
  return result.stdout:match "message: ([^\n]+)" or result.stdout:match "\n# ([^\n]+)" or
    ("exit code %d"):format(result.code), differing
end

local function count_assertions(lines)
  local n = 0
  for _, line in ipairs(lines) do if line.assertion then n = n + 1 end end
  return n
end

--- Writes it.
---@param talk itlua.repl.Talk
---@param path string
function save.run(talk, path)
  local p = talk.view.paint
  if #talk.session.entries == 0 then core.raise("usage", nil, "nothing was run yet: there is nothing to save") end
  local lines, steps, outside = spec_of(talk)
  local file, why = io.open(path, "wb") -- before the time is spent
  if not file then core.raise("fs", nil, why) end
  file:close()
  local failed, differing, verdict
  if outside or talk.read_only then
    verdict = p("yellow", "not run: it talks to what the profile names")
  else
    if talk.terminal then talk:say(p("dim", "running it, to see what stays the same …")) end
    local results = require("itlua.repl.session").interruptible(function() return settle(lines) end)
    if not results[1] then error(results[2], 0) end
    failed, differing = results[2], results[3]
    verdict = failed and p("red", "it does not pass: ") .. text.one_line(failed) or p("green", "it passes")
    if differing > 0 then
      verdict = verdict .. p("dim", (" (%s not the same twice)"):format(text.count(differing, "value")))
    end
  end
  lines = join_fields(lines)
  require("itlua.fs").write(path, talk.view.hide(written(lines)))
  local assertions = text.count(count_assertions(lines), "assertion")
  talk:say(("%s: %s, %s; %s"):format(path, text.count(steps, "step"), assertions, verdict))
  if failed then talk.failed = true end
end

return save
