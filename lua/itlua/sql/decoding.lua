--- What PostgreSQL's output plugin test_decoding prints of a change, read back:
--
--     table public.orders: UPDATE: old-key: id[integer]:1 new-tuple: id[integer]:2 note[text]:'it''s' paid[numeric]:null

local decoding = {}

local ABSENT = {} -- a large value that the change did not touch: the log does not have it

-- A name that may be quoted, from `at` on; returns it as it is written, what it means, and where it ends.
local function name(text, at)
  local plain, stop = text:match("^([^%s\".:,%[]+)()", at)
  if plain then return plain, plain, stop end
  local from = at
  if text:sub(at, at) ~= '"' then return nil end
  at = at + 1
  while true do
    local close = text:find('"', at, true)
    if not close then return nil end
    if text:sub(close + 1, close + 1) ~= '"' then
      return text:sub(from, close), (text:sub(from + 1, close - 1):gsub('""', '"')), close + 1
    end
    at = close + 2
  end
end

-- A literal: 'text', B'01', a number, true, null.
local function literal(text, at)
  local quote = text:match("^B?'()", at)
  if quote then
    local from = quote
    while true do
      local close = text:find("'", quote, true)
      if not close then return nil end
      if text:sub(close + 1, close + 1) ~= "'" then return (text:sub(from, close - 1):gsub("''", "'")), close + 1 end
      quote = close + 2
    end
  end
  local word, stop = text:match("^(%S+)()", at)
  if word == "null" then return nil, stop end
  if word == "unchanged-toast-datum" then return ABSENT, stop end
  return word, stop
end

---@class itlua.sql.Column
---@field name string       as SQL writes it
---@field type string
---@field text? string      nil: NULL

-- Columns until what is none: "new-tuple:", the end.
local function columns(text, at)
  local list = {}
  while true do
    at = text:match("^ *()", at)
    local written, _, stop = name(text, at)
    local kind, after = nil, nil
    if written then kind, after = text:match("^%[(.-)%]:()", stop) end
    if not kind then return list, at end
    local value
    value, at = literal(text, after)
    if not at then return list, after end
    if value ~= ABSENT then list[#list + 1] = { name = written, type = kind, text = value } end
  end
end

---@class itlua.sql.Change
---@field schema string
---@field table string
---@field operation "insert"|"update"|"delete"|"truncate"
---@field new itlua.sql.Column[]
---@field old? itlua.sql.Column[]

--- A change, or nil where the text is none (BEGIN, COMMIT, a message).
---@param text string
---@return itlua.sql.Change[]? changes     more than one of a TRUNCATE of several tables
function decoding.parse(text)
  if text:sub(1, 6) ~= "table " then return nil end
  local changes, at = {}, 7
  repeat
    local _, schema, dot = name(text, at)
    local _, tab, stop = name(text, dot + 1)
    changes[#changes + 1] = { schema = schema, table = tab, new = {} }
    at = text:match("^, ()", stop) or stop
  until text:sub(at, at) == ":"
  local operation, rest = text:match("^: (%u+):()", at)
  for _, change in ipairs(changes) do change.operation = operation:lower() end
  local first = changes[1]
  if operation == "TRUNCATE" then return changes end
  local old = text:match("^ old%-key:()", rest)
  if old then first.old, rest = columns(text, old) end
  rest = text:match("^ ?new%-tuple:()", rest) or rest
  first.new = columns(text, rest)
  if operation == "DELETE" then first.old = first.new end
  return changes
end

--- What was sent by pg_logical_emit_message, and by whom.
---@param text string
---@return string? prefix, string? content
function decoding.message(text)
  return text:match "^message: transactional: %d prefix: (.-), sz: %d+ content:(.*)$"
end

return decoding
