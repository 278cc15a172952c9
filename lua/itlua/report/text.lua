--- Text as reports need it: any bytes made valid, measured in columns, cut and wrapped.

local text = {}

local function hex(byte) return ("\\x%02X"):format(byte:byte()) end

--- Valid UTF-8: a byte that is none is written as \xHH.
---@param s string
---@return string
function text.utf8(s)
  local length, bad = utf8.len(s)
  if length then return s end
  local parts, from = {}, 1
  while true do
    parts[#parts + 1] = s:sub(from, bad - 1)
    parts[#parts + 1] = hex(s:sub(bad, bad))
    from = bad + 1
    length, bad = utf8.len(s, from)
    if length then break end
  end
  parts[#parts + 1] = s:sub(from)
  return table.concat(parts)
end

-- Control characters as their Unicode pictures (U+2400 and on): visible, and harmless to a terminal or to XML.
local function picture(c)
  local byte = c:byte()
  return byte == 127 and "\u{2421}" or utf8.char(0x2400 + byte)
end

-- C1 controls (U+0080 to U+009F): some terminals take them for escapes.
local function c1(pair) return ("\\u00%02X"):format(pair:byte(2)) end

-- What turns the direction of the text after it (U+202A to U+202E, U+2066 to U+2069): code that reads otherwise than it is.
local function turned(third, fourth)
  if third == "\x80" and fourth >= "\xAA" and fourth <= "\xAE" or third == "\x81" and fourth >= "\xA6" and fourth <= "\xA9" then
    return ("\\u%04X"):format(utf8.codepoint("\xE2" .. third .. fourth))
  end
end

local function c1_and_turns(s)
  s = text.utf8(s):gsub("\xC2[\x80-\x9F]", c1)
  if s:find "\xE2[\x80\x81]" then s = s:gsub("\xE2([\x80\x81])([\x80-\xBF])", turned) end
  return s
end

--- Control characters other than newline and tab made visible; also valid UTF-8.
---@param s string
---@return string
function text.visible(s)
  if s:find "[\0-\8\11-\31\127]" then
    s = s:gsub("\r\n", "\n"):gsub("[\0-\8\11-\31\127]", picture)
  end
  if not s:find "[\128-\255]" then return s end
  return c1_and_turns(s)
end

--- What a program printed, made safe for a terminal: colours (SGR) stay if wanted, other escapes become visible.
-- Colours may still be on at the end.
---@param s string
---@param colours boolean
---@return string
function text.captured(s, colours)
  if not s:find "\27" then return text.visible(s) end
  local kept = {}
  s = s:gsub("\27%[([%d;]*)m", function(codes)
    if not colours then return "" end
    kept[#kept + 1] = "\27[" .. codes .. "m"
    return "\1"
  end)
  if not colours then return text.visible(s) end
  local at = 0
  s = s:gsub("\r\n", "\n"):gsub("[\0-\8\11-\31\127]", function(c)
    if c ~= "\1" then return picture(c) end
    at = at + 1
    return kept[at] or picture(c)
  end)
  return c1_and_turns(s)
end

-- Ranges of code points that take two columns, and of those that take none.
local wide = {
  { 0x1100, 0x115F }, { 0x2E80, 0x303E }, { 0x3041, 0x33FF }, { 0x3400, 0x4DBF }, { 0x4E00, 0x9FFF },
  { 0xA000, 0xA4CF },
  { 0xAC00, 0xD7A3 }, { 0xF900, 0xFAFF }, { 0xFE30, 0xFE6F }, { 0xFF00, 0xFF60 }, { 0xFFE0, 0xFFE6 },
  { 0x1F300, 0x1F64F }, { 0x1F680, 0x1F6FF }, { 0x1F900, 0x1F9FF }, { 0x20000, 0x3FFFD },
}
local none = {
  { 0x0300, 0x036F }, { 0x0483, 0x0489 }, { 0x0591, 0x05BD }, { 0x0610, 0x061A }, { 0x064B, 0x065F },
  { 0x0E31, 0x0E31 }, { 0x0E34, 0x0E3A }, { 0x0E47, 0x0E4E }, { 0x200B, 0x200F }, { 0x20D0, 0x20FF },
  { 0xFE00, 0xFE0F }, { 0xFE20, 0xFE2F },
}

local function within(ranges, code)
  for _, range in ipairs(ranges) do
    if code < range[1] then return false end
    if code <= range[2] then return true end
  end
  return false
end

local function columns_of(code)
  if code < 0x300 then return code < 32 and 0 or 1 end
  if within(none, code) then return 0 end
  return within(wide, code) and 2 or 1
end

--- How many columns it takes on a terminal. Escape sequences (SGR) take none.
---@param s string     valid UTF-8
---@return integer
function text.width(s)
  if s:find "\27" then s = s:gsub("\27%[[%d;]*m", "") end
  if not s:find "[\128-\255]" then return #s end
  local width = 0
  for _, code in utf8.codes(text.utf8(s)) do width = width + columns_of(code) end
  return width
end

--- Cut to a width, with "…" where something is missing.
---@param s string     valid UTF-8 without escapes
---@param width integer
---@return string
function text.clip(s, width)
  if text.width(s) <= width then return s end
  if width < 1 then return "" end
  local used, last = 0, 0
  for position, code in utf8.codes(s) do
    local columns = columns_of(code)
    if used + columns > width - 1 then break end
    used, last = used + columns, position + #utf8.char(code) - 1
  end
  return s:sub(1, last) .. "…"
end

--- Padded with blanks to a width.
---@param s string
---@param width integer
---@param right? boolean     the blanks go in front
---@return string
function text.pad(s, width, right)
  local missing = width - text.width(s)
  if missing <= 0 then return s end
  return right and (" "):rep(missing) .. s or s .. (" "):rep(missing)
end

--- The lines of a text, without a last empty one.
---@param s string
---@return string[]
function text.lines(s)
  local lines = {}
  for line in (s .. "\n"):gmatch "(.-)\r?\n" do lines[#lines + 1] = line end
  while #lines > 1 and lines[#lines] == "" do lines[#lines] = nil end
  return lines
end

--- One line: newlines and runs of blanks become a blank.
---@param s string
---@return string
function text.one_line(s)
  return (text.visible(s:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")))
end

--- A duration for people: "12 ms", "0.31 s", "2 min 5 s".
---@param seconds number
---@return string
function text.duration(seconds)
  if seconds < 0.00005 then return "0 ms" end
  if seconds < 0.0005 then return ("%.1f ms"):format(seconds * 1000) end
  if seconds < 0.1 then return ("%.0f ms"):format(seconds * 1000) end
  if seconds < 10 then return ("%.2f s"):format(seconds) end
  if seconds < 120 then return ("%.1f s"):format(seconds) end
  return ("%d min %d s"):format(seconds // 60, seconds % 60 // 1)
end

--- "1 test", "3 tests".
---@param n integer
---@param one string
---@param many? string
---@return string
function text.count(n, one, many)
  return n .. " " .. (n == 1 and one or many or one .. "s")
end

return text
