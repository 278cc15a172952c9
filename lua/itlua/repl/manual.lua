--- `:help NAME`: what the comments in our own sources say of a module, a function or a method. They are packed into the
--- program as the module itlua.repl.texts (tests/ci/texts).

local nearest = require "itlua.cli.nearest"
local show = require "itlua.show"
local text = require "itlua.report.text"

local manual = {}

local MAX = 4 -- entries of the same name that are shown whole

-- Modules of no interest to those who ask here.
local internal = {
  blame = true, closing = true, event = true, evidence = true, language = true, mask = true, match = true, mediator = true,
  policy = true, run = true, show = true, diff = true,
}

---@class itlua.repl.manual.Entry
---@field module string      "http"
---@field owner? string      the class: "Client"
---@field name string
---@field sign string        "." or ":"
---@field arguments? string
---@field doc string[]

local modules, entries -- by short name: the lines at their heads; all members
local fields -- by short name: those of its classes that are nobody's secret

-- {doc lines, code} one after the other.
local function blocks(source)
  local list, doc = {}, nil
  for line in source:gmatch "([^\n]*)\n" do
    if line:find "^%-%-" then
      doc = doc or {}
      doc[#doc + 1] = line
    elseif doc then
      list[#list + 1] = { doc = doc, code = line }
      doc = nil
    end
  end
  if doc then list[#list + 1] = { doc = doc, code = "" } end
  return list
end

-- A table of options: `:help ClientOptions`.
local function add_class(short, block)
  local name = table.concat(block.doc, "\n"):match "@class ([%w_.]+)"
  local last = name and name:match "^itlua%..*%.(%u[%w_]*)$"
  if not last or not table.concat(block.doc):find "@field" then return end
  entries[#entries + 1] = { module = short, name = last, class = name, sign = ".", doc = block.doc }
end

local function add_fields(short, block)
  fields[short] = fields[short] or {}
  for _, line in ipairs(block.doc) do
    local name = line:match "^%-%-%-@field ([%a_][%w_]*)%??%s"
    if name and name ~= "private" then fields[short][name] = true end
  end
end

local function add_member(short, block, classes, own)
  local owner, sign, name, arguments = block.code:match "^function ([%w_]+)([.:])([%w_]+)%((.*)%)"
  if not owner then
    owner, name = block.code:match "^([%w_]+)%.([%w_]+)%s*="
    sign = "."
    for _, line in ipairs(block.doc) do
      local signature = line:match "^%-%-%-@type fun(%b())"
      if signature then
        local names = {}
        for argument in signature:sub(2, -2):gmatch "([%w_.]+%??)%s*:" do
          if argument == "self" then sign = ":" else names[#names + 1] = argument end
        end
        arguments = table.concat(names, ", ")
      end
    end
  end
  if not owner or name:find "^_" or not (own or classes[owner]) then return end
  entries[#entries + 1] = {
    module = short, owner = classes[owner] and owner or nil, name = name, sign = sign, arguments = arguments, doc = block.doc,
  }
end

local function read()
  if modules then return end
  modules, entries, fields = {}, {}, {}
  local ok, texts = pcall(require, "itlua.repl.texts")
  for _, file in ipairs(ok and texts or {}) do
    local short, below = file[1]:match "^itlua%.([%w_]+)(.*)$"
    if short and not internal[short] then
      local classes = {}
      for i, block in ipairs(blocks(file[2])) do
        if i == 1 and block.code == "" and below == "" then modules[short] = block.doc end
        if table.concat(block.doc, "\n"):find "@class" then classes[block.code:match "^local ([%w_]+)%s*=" or ""] = true end
        add_class(short, block)
        add_fields(short, block)
        add_member(short, block, classes, below == "")
      end
    end
  end
end

local function first_sentence(doc)
  local words = {}
  for _, line in ipairs(doc) do
    if line:find "^%-%-%-@" then break end
    words[#words + 1] = line:gsub("^%-%-%-?%s*", "")
  end
  local all = table.concat(words, " ")
  return (all:match "^(.-)[.;:]%s" or all:gsub("[.;:]$", ""))
end

local function title(entry)
  if entry.class then return entry.name end
  local name = entry.owner and entry.owner:lower() .. entry.sign .. entry.name or entry.module .. "." .. entry.name
  return name .. (entry.arguments and "(" .. entry.arguments .. ")" or "")
end

-- A comment as a person reads it: parameters aligned, no dashes.
local function add_doc(out, view, doc)
  local p, below = view.paint, "  "
  for _, line in ipairs(doc) do
    local tag, rest = line:match "^%-%-%-@(%w+)%s*(.*)$"
    if tag == "param" or tag == "field" then
      local name, after = rest:match "^(%S+)%s*(.*)$"
      out[#out + 1] = ("    %s  %s"):format(p("cyan", name or rest), after or "")
    elseif tag == "return" then
      out[#out + 1] = ("    %s %s"):format(p("dim", "returns"), rest)
    elseif not tag then
      out[#out + 1] = below .. line:gsub("^%-%-%-? ?", "")
    end
    if tag then below = "      " end
  end
end

local function add_entry(out, view, entry)
  out[#out + 1] = view.paint("bright", title(entry)) ..
    view.paint("dim", entry.owner and "  itlua." .. entry.module or "")
  add_doc(out, view, entry.doc)
end

local function module_lines(out, view, name)
  local p = view.paint
  out[#out + 1] = p("bright", "itlua." .. name)
  add_doc(out, view, modules[name])
  out[#out + 1] = ""
  for _, entry in ipairs(entries) do
    if entry.module == name and not entry.class then
      out[#out + 1] = ("  %s  %s"):format(p("cyan", text.pad(title(entry), 28)), p("dim", first_sentence(entry.doc)))
    end
  end
end

-- The module that a name of the session talks to: db:query is sql's.
local function module_of(talk, head)
  if modules[head] then return head end
  local reach = require "itlua.services.reach"
  local value = talk.world and talk.world:find(head)
  if value == nil then value = rawget(talk.session.env, head) end
  if reach.is(value) then
    local kind = reach.kind(value)
    if kind then return kind end
  end
  local mt = type(value) == "table" and debug.getmetatable(value)
  return mt and type(mt.__name) == "string" and mt.__name:match "^itlua%.([%w_]+)" or nil
end

-- Not for those who ask here.
local function is_inner(entry) return entry.doc[1]:find "^%-%-%- For %a+s%f[%W]" ~= nil end

-- The classes that one talks to.
local main = { Client = true, Connection = true, Database = true, Capture = true, Container = true, Server = true, Task = true }

-- A name of the session that is one of ours: what it is, and what it can.
local function value_lines(out, talk, name)
  local value = talk.world and talk.world:find(name)
  if value == nil then value = talk.session.env[name] end
  local module = value ~= nil and module_of(talk, name)
  if not module or not modules[module] then return false end
  local p = talk.view.paint
  local shown = text.clip(text.one_line(tostring(value)), 200)
  out[#out + 1] = p("bright", name) .. "  " .. (shown:find("^" .. name .. ": ") and shown:sub(#name + 3) or shown)
  out[#out + 1] = p("dim", ("  as itlua.%s; :help %s:NAME tells of one of these"):format(module, name))
  local seen = {}
  for _, entry in ipairs(entries) do
    local sign = name .. entry.sign .. entry.name
    if entry.module == module and main[entry.owner] and entry.sign == ":" and not seen[sign] and not is_inner(entry) then
      seen[sign] = true
      local left = text.pad(sign .. "(" .. (entry.arguments or "") .. ")", math.min(34, talk:size() // 2))
      out[#out + 1] = ("  %s  %s"):format(p("cyan", left),
        p("dim", text.clip(first_sentence(entry.doc), math.max(10, talk:size() - text.width(left) - 5))))
    end
  end
  return true
end

-- Those of the classes that one talks to, where some are.
local function important(list)
  local some = {}
  for _, entry in ipairs(list) do
    if main[entry.owner] then some[#some + 1] = entry end
  end
  return #some > 0 and some or list
end

local function found(talk, name)
  local head, member = name:match "^([%a_][%w_.]*)[.:]([%a_][%w_]*)$"
  local module = head and module_of(talk, head)
  member = member or name
  local list = {}
  for _, entry in ipairs(entries) do
    local owned = not head or entry.module == (module or head) or (entry.owner or ""):lower() == head:lower()
    if entry.name == member and owned then list[#list + 1] = entry end
  end
  if #list == 0 and head and not module then return found(talk, member) end
  return head and important(list) or list
end

-- What may have been meant.
local function hint(talk, name)
  local head = name:match "^([%a_][%w_.]*)[.:][%a_][%w_]*$"
  local module = head and module_of(talk, head)
  if not module then return nearest.hint(name, show.keys(manual.names(""))) end
  local names = {}
  for member_name in pairs(manual.documented(module) or {}) do names[#names + 1] = name:match "^.*[.:]" .. member_name end
  return nearest.hint(name, names)
end

--- The lines on a name, or nil and a hint.
---@param talk itlua.repl.Talk
---@param name string     "http", "http.client", "db:query", "eventually"
---@return string[]? lines
---@return string? hint
function manual.lines(talk, name)
  read()
  name = name:gsub("^itlua%.", ""):gsub("%(.*$", "")
  local out = {}
  if modules[name] then
    module_lines(out, talk.view, name)
    return out
  end
  if name:find "^[%a_][%w_]*$" and value_lines(out, talk, name) then return out end
  local list = found(talk, name)
  if #list == 0 then return nil, hint(talk, name) end
  for i, entry in ipairs(list) do
    if i > MAX then
      local more = {}
      for j = i, #list do more[#more + 1] = title(list[j]) end
      out[#out + 1] = talk.view.paint("dim", "also: " .. table.concat(more, ", "))
      break
    end
    if i > 1 then out[#out + 1] = "" end
    add_entry(out, talk.view, entry)
    local like = entry.doc[1]:match "^%-%-%- As ([%a_]+)%("
    for _, other in ipairs(like and i == #list and found(talk, entry.module .. "." .. like) or {}) do
      if other.owner == entry.owner then
        out[#out + 1] = ""
        add_entry(out, talk.view, other)
      end
    end
  end
  return out
end

--- The names of everything that a module's manual tells of: functions, methods, fields; nil where there is none.
---@param module string
---@return table<string, boolean>?
function manual.documented(module)
  read()
  if not modules[module] then return nil end
  local names = {}
  for name in pairs(fields[module] or {}) do names[name] = true end
  for _, entry in ipairs(entries) do
    if entry.module == module and not is_inner(entry) then names[entry.name] = true end
  end
  return names
end

--- What can be asked for.
---@param prefix string
---@return table<string, boolean>
function manual.names(prefix)
  read()
  local names = {}
  for name in pairs(modules) do names[name] = true end
  for _, entry in ipairs(entries) do
    local owner = entry.owner and entry.owner:lower() or entry.module
    names[entry.class and entry.name or owner .. entry.sign .. entry.name] = true
    if not prefix:find "[.:]" then names[entry.name] = true end
  end
  return names
end

return manual
