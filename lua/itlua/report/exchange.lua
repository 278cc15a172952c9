--- What went to and fro in an operation of the timeline (`data` of a span, see event.lua), as text: on one line, or whole.

local show = require "itlua.show"
local text = require "itlua.report.text"

local exchange = {}

local SHORT = 400 -- bytes of a part looked at for the one line
local WIDTH = 80 -- columns of a document's lines

local function json() return require "itlua.json" end

-- A value as a reader writes it, on one line.
local function shown(value, limit)
  if type(value) == "string" then
    if #value > limit then return text.one_line(value:sub(1, limit)) .. "…"
  end
    return text.one_line(value)
  end
  local ok, encoded = pcall(function() return json().encode(value) end)
  encoded = ok and encoded or tostring(value)
  return #encoded > limit and text.utf8(encoded:sub(1, limit)) .. "…" or encoded
end

local function filled(value)
  if type(value) == "string" then return value ~= "" end
  return type(value) == "table" and next(value) ~= nil
end

local function parameters(list)
  local parts = {}
  for i, value in ipairs(list) do
    parts[i] = ("$%d = %s"):format(i, type(value) == "string" and '"' .. shown(value, 60) .. '"' or shown(value, 60))
  end
  return table.concat(parts, ", ")
end

local function last_line(s)
  return type(s) == "string" and s:gsub("%s+$", ""):match "[^\n]*$" or ""
end

--- The gist on one line: bodies, parameters and the first row, the reply. Nil where the operation's own line has it all.
---@param span itlua.report.span
---@return string?
function exchange.short(span)
  local data, parts = span.data, {}
  if not data then return nil end
  local request, response = data.request, data.response
  if type(request) == "table" and filled(request.body) then parts[1] = "sent " .. shown(request.body, SHORT) end
  if type(response) == "table" and filled(response.body) then parts[#parts + 1] = "got " .. shown(response.body, SHORT) end
  if filled(data.parameters) then parts[#parts + 1] = parameters(data.parameters) end
  if filled(data.rows) then parts[#parts + 1] = shown(data.rows[1], SHORT) .. (data.rows[2] and " …" or "") end
  if data.value ~= nil and span.what == "sql" and span.outcome:find "row" then
    parts[#parts + 1] = shown(data.value, SHORT)
  end
  if span.what:find "^kafka" and data.topic and data.value ~= nil then
    parts[#parts + 1] = "sent " .. shown(data.value, SHORT)
  end
  if span.what == "redis" and type(data.reply) == "table" then parts[#parts + 1] = shown(data.reply, SHORT) end
  local printed = filled(data.stderr) and data.stderr or data.stdout
  if filled(printed) then parts[#parts + 1] = "printed " .. shown(last_line(printed), SHORT) end
  return parts[1] and table.concat(parts, "  ") or nil
end

local function add_text(lines, indent, s)
  if type(s) == "string" and s:find "^%s*[{%[]" then
    local ok, pretty = pcall(function() return json().encode(json().decode(s, { ordered = true }), { pretty = true }) end)
    if ok then s = show.folded(pretty, WIDTH) end
  end
  for _, line in ipairs(text.lines(text.visible(tostring(s)))) do lines[#lines + 1] = indent .. line end
end

local function add_message(lines, mark, first, message)
  lines[#lines + 1] = mark .. " " .. first
  local names = {}
  for name in pairs(type(message.headers) == "table" and message.headers or {}) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do lines[#lines + 1] = ("  %s: %s"):format(name, shown(message.headers[name], 2000)) end
  if filled(message.body) then add_text(lines, "  ", message.body) end
end

--- All of it, a line each.
---@param span itlua.report.span
---@return string[]
function exchange.whole(span)
  local data, lines = span.data, {}
  if not data then return lines end
  local request, response = data.request, data.response
  if type(request) == "table" then
    add_message(lines, "→", ("%s %s"):format(tostring(request.method), tostring(request.url)), request)
  end
  if type(response) == "table" and response.status then
    add_message(lines, "←", ("%s %s"):format(tostring(response.status), tostring(response.reason or "")), response)
  end
  if data.statement then add_text(lines, "", data.statement) end
  if filled(data.parameters) then lines[#lines + 1] = parameters(data.parameters) end
  for i, row in ipairs(type(data.rows) == "table" and data.rows or {}) do
    lines[#lines + 1] = ("row %d  %s"):format(i, shown(row, 4000))
  end
  if data.rows_left_out then lines[#lines + 1] = ("and %s more"):format(tostring(data.rows_left_out)) end
  if data.value ~= nil then add_text(lines, "value ", type(data.value) == "string" and data.value or shown(data.value,
    4000)) end
  for i, command in ipairs(type(data.commands) == "table" and data.commands or { data.command }) do
    local reply = data.reply
    if data.commands then reply = type(data.replies) == "table" and data.replies[i] or nil end
    local words = type(command) == "table" and table.concat(command, " ") or tostring(command)
    lines[#lines + 1] = ("%s → %s"):format(text.one_line(words), reply == nil and "nil" or shown(reply, 4000))
  end
  for _, name in ipairs { "stdout", "stderr" } do
    if filled(data[name]) then
      lines[#lines + 1] = name
      add_text(lines, "  ", data[name])
    end
  end
  if data.topic or data.channel then
    lines[#lines + 1] = ("%s %s"):format(tostring(data.topic or data.channel), data.key and "key " .. shown(data.key,
      200) or "")
  end
  if data.value ~= nil and type(data.value) == "table" and lines[1] == nil then add_text(lines, "", shown(data.value,
    4000)) end
  return lines
end

return exchange
