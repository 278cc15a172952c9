--- An HTTP response: status and times, headers dimmed, the body as what it is.

local json_view = require "itlua.repl.render.json"
local mask = require "itlua.mask"
local text = require "itlua.report.text"

local response_view = {}

local MAX_BODY, MAX_LINES = 256 * 1024, 2000

---@param value any
---@return boolean
function response_view.fits(value)
  local mt = type(value) == "table" and debug.getmetatable(value)
  return mt and rawget(mt, "__name") == "itlua.http.response" or false
end

local function size_of(bytes)
  if bytes < 10000 then return bytes .. " B" end
  if bytes < 10 * 1024 * 1024 then return ("%.0f KiB"):format(bytes / 1024) end
  return ("%.0f MiB"):format(bytes / 1024 / 1024)
end

local function status_colour(status)
  return status < 300 and "green" or status < 400 and "cyan" or status < 500 and "yellow" or "red"
end

local function times_of(r)
  local t, parts = r.timings, {}
  for _, part in ipairs { { "dns", t.dns }, { "connect", t.connect }, { "tls", t.tls }, { "first byte", t.first_byte } } do
    if part[2] and part[2] >= 0.0005 then parts[#parts + 1] = part[1] .. " " .. text.duration(part[2]) end
  end
  return text.duration(t.total) .. (#parts > 0 and (" (%s)"):format(table.concat(parts, ", ")) or "")
end

local function hex_dump(view, out, body)
  for from = 1, math.min(#body, 256), 16 do
    local piece = body:sub(from, from + 15)
    out[#out + 1] = ("%s  %-47s  %s"):format(view.paint("dim", ("%08x"):format(from - 1)),
      piece:gsub(".", function(c) return ("%02x "):format(c:byte()) end):sub(1, -2),
      view.paint("green", (piece:gsub("[^\32-\126]", "."))))
  end
  if #body > 256 then out[#out + 1] = view.paint("dim", ("… %s more"):format(size_of(#body - 256))) end
end

local function body_lines(view, out, r, body)
  if body == "" then return end
  out[#out + 1] = ""
  if body:find "^%s*[{%[\"%d]" and json_view.add(view, out, body) then return end
  if not utf8.len(body:sub(1, 4096)) and body:sub(1, 4096):find "[\0-\8\14-\31]" then
    return hex_dump(view, out, body)
  end
  local lines = text.lines(text.visible(body:sub(1, MAX_BODY)))
  for i, line in ipairs(lines) do
    if i > MAX_LINES then break end
    out[#out + 1] = line
  end
  if #body > MAX_BODY or #lines > MAX_LINES then
    out[#out + 1] = view.paint("dim", ("… cut; r.body has %s"):format(size_of(#r.body)))
  end
end

--- Adds its lines.
---@param view itlua.repl.View
---@param out string[]
---@param r itlua.http.Response
function response_view.add(view, out, r)
  local p = view.paint
  local body = rawget(r, "body")
  local facts = { r.method .. " " .. r.url, times_of(r) }
  if body then facts[#facts + 1] = size_of(#body) else facts[#facts + 1] = "streamed" end
  if (r.attempts or 1) > 1 then facts[#facts + 1] = r.attempts .. " tries" end
  local reason = r.reason ~= "" and " " .. r.reason or ""
  out[#out + 1] = p(status_colour(r.status), r.status .. reason) .. "  " .. p("dim", table.concat(facts, " · "))
  for name, value in pairs(r.headers) do
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      out[#out + 1] = p("dim", text.one_line(("%s: %s"):format(name, mask.header(name, one))))
    end
  end
  if body then body_lines(view, out, r, body) end
end

return response_view
