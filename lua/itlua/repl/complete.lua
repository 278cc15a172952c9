--- What Tab offers: names, fields and methods of what is before the cursor; inside a string what that string is for: tables
--- and columns, keys, channels and topics, files.

local commands = require "itlua.repl.commands"
local core = require "itlua.core"
local far = require "itlua.repl.complete.far"
local text = require "itlua.report.text"

local complete = {}

local MAX = 200      -- candidates that are listed
local PATIENCE = 1.5 -- seconds that a server may take

local keywords = {
  "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil", "not", "or",
  "repeat", "return", "then", "true", "until", "while",
}

-- ---- what is before the cursor

-- Whether the cursor is inside a string; then where the string's content begins.
local function open_string(source)
  local at, quote, from = 1, nil, nil
  while at <= #source do
    local c = source:sub(at, at)
    if quote then
      if c == "\\" then at = at + 1
      elseif #quote == 1 and c == quote then quote = nil
      elseif #quote > 1 and source:sub(at, at + #quote - 1) == quote then
        at, quote = at + #quote - 1, nil
      end
    elseif c == '"' or c == "'" then
      quote, from = c, at + 1
    elseif source:find("^%[=*%[", at) then
      local level = source:match("^%[(=*)%[", at)
      quote, from = "]" .. level .. "]", at + #level + 2
      at = from - 1
    elseif source:find("^%-%-", at) and not source:find("^%-%-%[=*%[", at) then
      at = source:find("\n", at, true) or #source
    end
    at = at + 1
  end
  if quote then return from, #quote == 1 and quote or nil end
end

-- The value of a chain of names, "a.b.c", without calling anything but our own lookups.
local function value_of(talk, chain)
  local value = talk.session.env
  for name in chain:gmatch "[%a_][%w_]*" do
    if value == nil then return nil end
    local ok, next_value = pcall(complete.field, value, name)
    if not ok then return nil end
    value = next_value
  end
  return value
end

--- A field, without making a service start for it.
function complete.field(value, name)
  local reach = require "itlua.services.reach"
  if reach.is(value) then
    local open = reach.peek(value)
    return open and open[name] or nil
  end
  if type(value) ~= "table" and type(value) ~= "userdata" and type(value) ~= "string" then return nil end
  return value[name]
end

local function add_keys(names, t)
  for key in next, t do
    if type(key) == "string" and key:find "^[%a_][%w_]*$" and not key:find "^_" then names[key] = true end
  end
end

local function is_callable(value)
  return type(value) == "function" or (debug.getmetatable(value) or {}).__call ~= nil
end

-- "sql", of a connection.
local function module_of(value)
  local mt = debug.getmetatable(value)
  local name = type(mt) == "table" and type(value) ~= "string" and rawget(mt, "__name")
  return type(name) == "string" and name:match "^itlua%.([%w_]+)" or nil
end

-- What a table has; of one of ours what its module's manual tells of.
local function add_members(names, t, module, methods)
  local found = {}
  add_keys(found, t)
  local documented = module and require("itlua.repl.manual").documented(module)
  for name in pairs(found) do
    if (not documented or documented[name]) and (not methods or is_callable(rawget(t, name))) then names[name] = true end
  end
end

-- Everything that can stand behind a point, or a colon.
local function fields_of(value, methods)
  local names, seen, module = {}, {}, nil
  local reach = require "itlua.services.reach"
  if reach.is(value) then
    if rawget(value, "service") then
      far.add_known(names, "itlua.service", methods)
    end
    local stand_in = far.stand_in(value)
    module = reach.kind(value)
    value = reach.peek(value)
    if stand_in and not debug.getmetatable(stand_in) then add_keys(names, stand_in) -- a list
    else value = value or stand_in end
  end
  while value ~= nil and not seen[value] do
    seen[value] = true
    module = module or module_of(value)
    if type(value) == "table" then add_members(names, value, module, methods) end
    local mt = debug.getmetatable(value)
    if type(mt) ~= "table" then break end
    local index = rawget(mt, "__index")
    if type(mt.__name) == "string" then far.add_known(names, mt.__name, methods) end
    value = type(index) == "table" and index or nil
    if type(index) == "function" and not seen[mt] then value = mt end
  end
  return names
end

-- ---- choosing

local function matching(names, prefix)
  local list = {}
  for name in pairs(names) do
    if name:sub(1, #prefix) == prefix then list[#list + 1] = name end
  end
  if #list == 0 then
    for name in pairs(names) do
      if name:sub(1, #prefix):lower() == prefix:lower() then list[#list + 1] = name end
    end
  end
  table.sort(list)
  return list
end

local function common(list)
  local prefix = list[1]
  for _, name in ipairs(list) do
    local n = 0
    while n < #prefix and prefix:byte(n + 1) == name:byte(n + 1) do n = n + 1 end
    prefix = prefix:sub(1, n)
  end
  while not utf8.len(prefix) do prefix = prefix:sub(1, -2) end
  return prefix
end

local function in_columns(talk, list)
  local columns, width = talk:size(), 0
  local shown = math.min(#list, MAX)
  for i = 1, shown do width = math.max(width, text.width(list[i])) end
  width = math.min(width + 2, columns)
  local across = math.max(1, columns // width)
  local down = (shown + across - 1) // across
  local lines = {}
  for row = 1, down do
    local parts = {}
    for i = row, shown, down do parts[#parts + 1] = text.pad(text.clip(text.one_line(list[i]), columns), width) end
    lines[#lines + 1] = talk.view.paint("dim", (table.concat(parts):gsub("%s+$", "")))
  end
  if shown < #list then lines[#lines + 1] = talk.view.paint("dim", ("… %d more"):format(#list - shown)) end
  return table.concat(lines, "\n")
end

-- What to insert, and what to list.
local function offer(talk, names, prefix, ending)
  local list = matching(names, prefix)
  if #list == 0 then return "", "" end
  if #list == 1 then
    local name = list[1]
    local tail = name:sub(1, #prefix) == prefix and name:sub(#prefix + 1) or ""
    return tail .. (ending and ending(name) or ""), ""
  end
  local prefix_of_all = common(list)
  local insert = prefix_of_all:sub(1, #prefix) == prefix and prefix_of_all:sub(#prefix + 1) or ""
  return insert, insert == "" and in_columns(talk, list) or ""
end

-- ---- the places where a cursor can be

local function in_command(talk, line)
  local word = line:match "^:(%a*)$"
  if word then
    local names = {}
    for _, name in ipairs(commands.names(talk)) do names[name] = true end
    return offer(talk, names, word, function() return " " end)
  end
  local name, rest = line:match "^:(%a+)%s+(.*)$"
  if name == "load" or name == "save" then return offer(talk, far.files(rest), rest) end
  if name == "help" then return offer(talk, require("itlua.repl.manual").names(rest), rest) end
  if name == "time" then return complete.answer(talk, rest, rest) end
end

-- "db:query(", 'cache:get "'
local function in_string(talk, source, from, quote, behind)
  local before, content = source:sub(1, from - 1), source:sub(from)
  local chain, method = before:match "([%a_][%w_.]*)[:.]([%a_][%w_]*)%s*%(?%s*[%['\"=]+$"
  if not chain then chain, method = before:match "([%a_][%w_.]*)[:.]([%a_][%w_]*)%s*%(.-['\"%[]$" end
  local target = chain and value_of(talk, chain)
  local scope = core.enter(PATIENCE)
  local ok, names, prefix, ending = pcall(far.of_string, target, method, content, behind:match "^[^\"'%]]*")
  core.leave(scope)
  if not ok then return "", "" end
  if not names then names, prefix = far.files(content), content end
  return offer(talk, names, prefix, function() return ending and quote and quote or "" end)
end

local function in_code(talk, source)
  local chain, sign, prefix = source:match "([%a_][%w_.]*)%s*([.:])%s*([%a_]?[%w_]*)$"
  if chain and not source:find("[%w_)%]\"']%s*[.:]%s*" .. chain:gsub("%p", "%%%0") .. "%s*[.:]") then
    local value = value_of(talk, chain)
    if value == nil then return "", "" end
    return offer(talk, fields_of(value, sign == ":"), prefix)
  end
  prefix = source:match "([%a_][%w_]*)$" or ""
  local names = {}
  if prefix == "" and source:find "[%w_)%]\"'}]%s*$" then return "", "" end
  for _, word in ipairs(keywords) do names[word] = true end
  add_keys(names, talk.session.env)
  local scope = talk.session.scope
  for _, name in ipairs(scope and scope:names() or {}) do names[name] = true end
  add_keys(names, core.globals())
  for _, name in ipairs(talk.world and talk.world:names() or {}) do names[name] = true end
  return offer(talk, names, prefix)
end

--- The name of a method that is nearly what was called, "db:query", of the last one called so in the source.
---@param talk itlua.repl.Talk
---@param source string
---@param name string
---@return string?
function complete.meant(talk, source, name)
  local chain, sign = source:match("^.*%f[%w_.]([%a_][%w_.]*)%s*([:.])%s*" .. name .. "%f[^%w_]")
  local value = chain and value_of(talk, chain)
  if value == nil then return nil end
  local list = {}
  for member in pairs(fields_of(value, sign == ":")) do list[#list + 1] = member end
  table.sort(list)
  local near = require("itlua.cli.nearest").of(name, list)
  return near and chain .. sign .. near
end

--- What Tab comes to.
---@param talk itlua.repl.Talk
---@param source string     all of the chunk up to the cursor
---@param line string       its last line up to the cursor
---@param behind? string    what stands behind the cursor
---@return string insert
---@return string listing
function complete.answer(talk, source, line, behind)
  if line:find "^%s*$" and source == line then return "", in_columns(talk, talk.world and talk.world:names() or {}) end
  if source:find "^:%a*" then return in_command(talk, source) end
  local from, quote = open_string(source)
  if from then return in_string(talk, source, from, quote, behind or "") end
  return in_code(talk, source)
end

return complete
