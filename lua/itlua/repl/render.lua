--- What a value looks like on the screen: rows as a table, JSON indented, responses with what matters first, tables as Lua
--- would write them. Bounded, whatever the value.

local json_view = require "itlua.repl.render.json"
local null = require "itlua.null"
local response_view = require "itlua.repl.render.response"
local rows_view = require "itlua.repl.render.rows"
local show = require "itlua.show"
local text = require "itlua.report.text"

local render = {}

---@class itlua.repl.View
---@field paint fun(colour: string, text: any): string
---@field columns integer
---@field max_rows integer       of a result that are shown
---@field hide fun(text: string): string

local MAX_DEPTH, MAX_ITEMS, MAX_STRING, MAX_LINES = 6, 200, 10000, 5000

local colours = { string = "green", number = "yellow", boolean = "magenta", ["nil"] = "dim" }

local function scalar(view, value, limit)
  if value == null then return view.paint("dim", "null") end
  local colour = colours[type(value)]
  local shown = show.value(value, limit or 200)
  return colour and view.paint(colour, shown) or shown
end

local function has_words(t)
  local mt = debug.getmetatable(t)
  return mt and rawget(mt, "__tostring") ~= nil and rawget(mt, "__jsontype") == nil
end

local function words_of(value)
  local ok, words = pcall(tostring, value)
  return text.one_line(ok and words or type(value))
end

local function key_text(key)
  if type(key) == "string" and key:find "^[%a_][%w_]*$" then return key end
  return "[" .. show.value(key, 80) .. "]"
end

local add_value

-- The table on one line, if it fits.
local function short_form(value, room)
  if room < 20 then return nil end
  local shown = show.value(value, room)
  if text.width(shown) > room or shown:find("…", 1, true) or shown:find "more }$" then return nil end
  return shown
end

-- Is there nothing in it that would be coloured?
local function flat(t)
  for _, value in next, t do
    if type(value) == "table" and next(value) ~= nil then return false end
  end
  return true
end

local function add_table(view, out, value, indent, prefix, depth, seen)
  if seen[value] then
    out[#out + 1] = prefix .. view.paint("dim", "{ … itself }")
    return
  end
  if next(value) == nil then
    out[#out + 1] = prefix .. "{}"
    return
  end
  local inner = ("  "):rep(indent + 1)
  local short = flat(value) and short_form(value, view.columns - text.width(prefix) - 4)
  if depth >= MAX_DEPTH or short and depth > 1 then
    out[#out + 1] = prefix .. (short or show.value(value, math.max(20, view.columns - text.width(prefix) - 20)))
    return
  end
  seen[value] = true
  out[#out + 1] = prefix .. "{"
  local array, shown, total = #value, 0, 0
  for _, key in ipairs(show.keys(value)) do
    total = total + 1
    if shown < MAX_ITEMS and #out < MAX_LINES then
      shown = shown + 1
      local name = ""
      if math.type(key) ~= "integer" or key < 1 or key > array then name = view.paint("cyan", key_text(key)) .. " = " end
      add_value(view, out, rawget(value, key), indent + 1, inner .. name, depth + 1, seen)
      out[#out] = out[#out] .. ","
    end
  end
  if shown < total then out[#out + 1] = inner .. view.paint("dim", ("… %d more"):format(total - shown)) end
  out[#out + 1] = ("  "):rep(indent) .. "}"
  seen[value] = nil
end

function add_value(view, out, value, indent, prefix, depth, seen)
  if type(value) == "table" and not has_words(value) then
    return add_table(view, out, value, indent, prefix, depth, seen)
  end
  if type(value) == "table" then
    out[#out + 1] = prefix .. words_of(value)
    return
  end
  out[#out + 1] = prefix .. scalar(view, value, math.max(40, math.min(MAX_STRING, view.columns * 2)))
end

-- Text of several lines is shown as it is, JSON as JSON.
local function add_string(view, out, value)
  if value:find "^%s*[{%[]" and json_view.add(view, out, value) then return end
  if not value:find "\n" or not utf8.len(value) then
    out[#out + 1] = scalar(view, value, MAX_STRING)
    return
  end
  local lines = text.lines(text.visible(value))
  for i, line in ipairs(lines) do
    if i > MAX_LINES then
      out[#out + 1] = view.paint("dim", ("… %d more lines"):format(#lines - MAX_LINES))
      return
    end
    out[#out + 1] = view.paint("green", line)
  end
end

--- The lines of a value.
---@param view itlua.repl.View
---@param value any
---@param seconds? number     what it took
---@return string[]
function render.lines(view, value, seconds)
  local out = {}
  if type(value) == "string" then add_string(view, out, value)
  elseif response_view.fits(value) then response_view.add(view, out, value)
  elseif rows_view.fits(value) then rows_view.add(view, out, value, seconds)
  else add_value(view, out, value, 0, "", 1, {}) end
  for i, line in ipairs(out) do out[i] = view.hide(line) end
  return out
end

return render
