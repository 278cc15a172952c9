--- JSON text, indented and coloured; everything in it stays as it was written.

local text = require "itlua.report.text"

local json_view = {}

local MAX_BYTES, MAX_LINES = 1 << 20, 5000

local literals = { ["true"] = "magenta", ["false"] = "magenta", null = "dim" }

-- {kind, text}…: a string is one token, quotes and all.
local function tokens(source)
  local at = 1
  return function()
    at = source:find("[^%s]", at)
    if not at then return nil end
    local from, c = at, source:sub(at, at)
    if c == '"' then
      repeat
        at = source:find('["\\]', at + 1)
        if not at then return nil end
        local closes = source:sub(at, at) == '"'
        if not closes then at = at + 1 end -- what follows a backslash means nothing here
      until closes
      at = at + 1
      return "string", source:sub(from, at - 1)
    end
    if c:find "[%[%]{},:]" then
      at = at + 1
      return c, c
    end
    at = source:find("[%s%[%]{},:]", at) or #source + 1
    return "literal", source:sub(from, at - 1)
  end
end

local function painted(view, kind, token, is_key)
  if kind == "string" then return view.paint(is_key and "cyan" or "green", text.visible(token)) end
  if kind == "literal" then return view.paint(literals[token] or "yellow", token) end
  return token
end

-- Puts the tokens on lines; `emit(line)` says whether there is room for more.
local function lay_out(view, source, emit)
  local line, indent = {}, 0
  local next_token = tokens(source)
  local kind, token = next_token()
  local function flush()
    local more = emit(table.concat(line))
    line = { ("  "):rep(indent) }
    return more
  end
  while kind do
    local following, after = next_token()
    if (kind == "{" or kind == "[") and (following == "}" or following == "]") then
      line[#line + 1] = token .. after
      following, after = next_token()
    elseif kind == "{" or kind == "[" then
      line[#line + 1] = token
      indent = indent + 1
      if not flush() then return end
    elseif kind == "}" or kind == "]" then
      indent = indent - 1
      if not flush() then return end
      line[#line + 1] = token
    elseif kind == "," then
      line[#line + 1] = ","
      if not flush() then return end
    else
      line[#line + 1] = kind == ":" and ": " or painted(view, kind, token, following == ":")
    end
    kind, token = following, after
  end
  emit(table.concat(line))
end

--- Adds its lines. False where the text is no JSON.
---@param view itlua.repl.View
---@param out string[]
---@param source string
---@return boolean
function json_view.add(view, out, source)
  if #source > MAX_BYTES then return false end
  local ok, minified = pcall(require("itlua.json").minify, source)
  if not ok then return false end
  local first = #out
  lay_out(view, minified, function(line)
    out[#out + 1] = line
    if #out - first < MAX_LINES then return true end
    out[#out + 1] = view.paint("dim", "… and more")
    return false
  end)
  return true
end

return json_view
