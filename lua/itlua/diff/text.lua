--- Lays the entries of a diff out: paths, both values in columns, long strings by the part that differs.

local show = require "itlua.show"

local diff_text = {}

local inline = 36 -- bytes of a value that still stands in a column
local context = 24 -- bytes shown before and after what differs in a string
local alone = 160 -- and of one where the other is empty

local function width(s) return utf8.len(s) or #s end

local function pad(s, to) return s .. (" "):rep(to - width(s)) end

-- Where two strings begin to differ, at a character's first byte.
local function first_difference(a, b)
  local low, high = 0, math.min(#a, #b)
  -- Halving instead of walking: strings of megabytes are compared in C.
  while low < high do
    local middle = (low + high + 1) // 2
    if a:sub(1, middle) == b:sub(1, middle) then low = middle else high = middle - 1 end
  end
  local at = low + 1
  while at > 1 and (a:byte(at) or b:byte(at) or 0) & 0xC0 == 0x80 do at = at - 1 end
  return at
end

local function around(s, at, after)
  local from = math.max(1, at - context)
  while from > 1 and s:byte(from) & 0xC0 == 0x80 do from = from - 1 end
  local part = show.cut(s:sub(from), at - from + after)
  return (from > 1 and '"…' or '"') .. show.escape(part) .. (from + #part - 1 < #s and '…"' or '"')
end

local function line_of(s, at)
  local _, newlines = s:sub(1, at - 1):gsub("\n", "")
  local start = s:sub(1, at - 1):match ".*()\n" or 0
  return newlines + 1, at - start
end

-- Two long strings: where they part, and the text around it.
local function strings(entry)
  local a, b = entry.expected, entry.got
  local at = first_difference(a, b)
  local where
  if a:find("\n", 1, true) or b:find("\n", 1, true) then
    where = ("line %d, column %d"):format(line_of(#a >= at and a or b, at))
  else
    where = ("character %d"):format((utf8.len(a:sub(1, at - 1)) or at - 1) + 1)
  end
  local lengths = #a == #b and ("both %d bytes"):format(#a) or ("%d bytes expected, got %d"):format(#a, #b)
  local after = (a == "" or b == "") and alone or context
  return { ("differs from %s on (%s)"):format(where, lengths), "expected  " .. around(a, at, after),
    "got       " .. around(b, at, after) }
end

local function expected_text(entry, limit)
  if entry.words then return entry.words end
  return show.value(entry.expected, limit)
end

local function types(entry)
  if entry.words or entry.missing or entry.unexpected then return "" end
  local a, b = show.kind(entry.expected), show.kind(entry.got)
  if a == b then return "" end
  return ("     (%s, %s)"):format(a, b)
end

local function is_long_string(entry)
  local a, b = entry.expected, entry.got
  if type(a) ~= "string" or type(b) ~= "string" then return false end
  return #a > inline or #b > inline or a:find("\n", 1, true) ~= nil or b:find("\n", 1, true) ~= nil
end

-- The two halves of an entry's line, or lines of their own where they are too long for columns.
local function halves(entry)
  if entry.note then return nil, { entry.note } end
  if is_long_string(entry) then return nil, strings(entry) end
  if entry.unexpected then return { "", "unexpected " .. show.value(entry.got, 2 * inline) } end
  local expected = expected_text(entry, 2 * inline)
  local got = entry.missing and "missing" or "got " .. show.value(entry.got, 2 * inline)
  if width(expected) > inline or width(got) > inline + 8 then
    local second = entry.missing and "missing" or "got       " .. show.value(entry.got, 160) .. types(entry)
    return nil, { "expected  " .. expected_text(entry, 160), second }
  end
  return { "expected " .. expected, got .. types(entry) }
end

-- One value at the root: no path to name.
local function root(entry)
  if entry.note then return entry.note end
  if is_long_string(entry) then return table.concat(strings(entry), "\n") end
  if entry.words or type(entry.expected) ~= "table" or type(entry.got) ~= "table" then
    return ("expected  %s\ngot       %s%s"):format(expected_text(entry, 400), show.value(entry.got, 400), types(entry))
  end
  return ("expected  %s\ngot       %s"):format(show.value(entry.expected, 400), show.value(entry.got, 400))
end

--- The text of a result that has entries.
---@param result itlua.diff.result
---@param max integer     entries shown
---@return string
function diff_text.of(result, max)
  local entries = result.entries
  if #entries == 1 and entries[1].path == "" then return root(entries[1]) end
  local total = math.max(result.total, #entries)
  local noun = total == 1 and "value differs" or #entries == 1 and "values differs" or "values differ"
  local count = result.cut and "at least %d of more than %d %s" or "%d of %d %s"
  local lines = { count:format(#entries, total, noun) }
  local rows, path_width, first_width = {}, 0, 0
  for i = 1, math.min(max, #entries) do
    local columns, own_lines = halves(entries[i])
    rows[i] = { path = show.cut(entries[i].path, 200), columns = columns, lines = own_lines }
    if columns and width(rows[i].path) <= 48 then
      path_width = math.max(path_width, width(rows[i].path))
      first_width = math.max(first_width, width(columns[1]))
    end
  end
  for _, row in ipairs(rows) do
    if row.columns then
      lines[#lines + 1] = ("  %s   %s"):format(pad(row.path, path_width),
        first_width > 0 and pad(row.columns[1], first_width) .. "   " .. row.columns[2] or row.columns[2])
    else
      lines[#lines + 1] = "  " .. pad(row.path, path_width) .. "   " .. (#row.lines == 2 and "" or row.lines[1])
      for i = #row.lines == 2 and 1 or 2, #row.lines do lines[#lines + 1] = "      " .. row.lines[i] end
    end
  end
  for i, line in ipairs(lines) do lines[i] = line:gsub("%s+$", "") end
  if #entries > max then lines[#lines + 1] = ("  … and %d more"):format(#entries - max) end
  return table.concat(lines, "\n")
end

return diff_text
