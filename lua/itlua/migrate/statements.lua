--- Splits SQL text into its statements, each with the line it begins on. Quotes, dollar quotes, nested comments and
--- BEGIN ATOMIC bodies are passed over, as psql does (PostgreSQL manual, 4.1 "Lexical Structure").

local statements = {}

-- The position after the quoted thing that begins at `at`.
local function skip_quoted(text, at, quote, escapes)
  local i = at + 1
  while true do
    local found = text:find(escapes and "[\\" .. quote .. "]" or quote, i)
    if not found then return #text + 1 end
    local c = text:sub(found, found)
    if c == "\\" then
      i = found + 2
    elseif text:sub(found + 1, found + 1) == quote then
      i = found + 2
    else
      return found + 1
    end
  end
end

local function skip_comment(text, at)
  local depth, i = 1, at + 2
  while depth > 0 do
    local found = text:find("[/*]", i)
    if not found then return #text + 1 end
    local two = text:sub(found, found + 1)
    if two == "/*" then
      depth, i = depth + 1, found + 2
    elseif two == "*/" then
      depth, i = depth - 1, found + 2
    else
      i = found + 1
    end
  end
  return i
end

-- Where the next thing that matters is, and where to go on after it; nil at a character of no meaning.
local function special(text, at)
  local c = text:sub(at, at)
  if c == "'" then
    local before = text:sub(math.max(1, at - 2), at - 1)
    return skip_quoted(text, at, "'", before:find("^[^%w_]?[eE]$") ~= nil)
  elseif c == '"' then
    return skip_quoted(text, at, '"', false)
  elseif c == "-" and text:sub(at, at + 1) == "--" then
    return (text:find("\n", at, true) or #text) + 1
  elseif c == "/" and text:sub(at, at + 1) == "/*" then
    return skip_comment(text, at)
  elseif c == "$" and not text:sub(at - 1, at - 1):find("[%w_$]") then
    local tag = text:match("^%$[%a_\128-\255]?[%w_\128-\255]*%$", at)
    if tag then
      local _, last = text:find(tag, at + #tag, true)
      return (last or #text) + 1
    end
  end
end

-- Counts BEGIN ATOMIC … END, whose body has semicolons of its own.
local function nesting(word, previous, depth)
  local upper = word:upper()
  if upper == "ATOMIC" and previous == "BEGIN" then return depth + 1 end
  if depth > 0 and upper == "CASE" then return depth + 1 end
  if depth > 0 and upper == "END" then return depth - 1 end
  return depth
end

local function blank(text)
  text = text:gsub("/%*.-%*/", ""):gsub("%-%-[^\n]*", "")
  return not text:find("%S")
end

--- The statements of the text, without their semicolons.
---@param text string
---@return { text: string, line: integer }[]
function statements.split(text)
  local list, from, at, depth, previous = {}, 1, 1, 0, nil
  local function add(last)
    local piece = text:sub(from, last)
    if blank(piece) then return end
    local lead = piece:match("^%s*")
    local _, lines = text:sub(1, from - 1 + #lead):gsub("\n", "")
    list[#list + 1] = { text = piece:sub(#lead + 1):match("^(.-)%s*$"), line = lines + 1 }
  end
  while at <= #text do
    local after = special(text, at)
    local word = not after and text:match("^[%a_][%w_$]*", at)
    if after then
      at = after
    elseif word then
      depth = nesting(word, previous, depth)
      previous, at = word:upper(), at + #word
    elseif depth == 0 and text:sub(at, at) == ";" then
      add(at - 1)
      at, from = at + 1, at + 1
    else
      at = at + 1
    end
  end
  add(#text)
  return list
end

return statements
