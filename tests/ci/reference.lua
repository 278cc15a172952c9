-- Writes the reference manual out of the annotations in lua/itlua.    itlua exec tests/ci/reference.lua FOLDER
--
-- A page a public module (FOLDER/itlua.http.md), and README.md, the list of them. A page is what the comments say: the text at
-- the head of the file, the functions of the table that it returns, and the classes of that module (also those in the files
-- of its folder): their fields and methods. What has no comment is in no page; it is listed, for one may have been forgotten.

local folder = arg[1] or "build/docs"

-- Modules that are no one's business but ours, or that have a page elsewhere.
local internal = {
  blame = true, cli = true, closing = true, diff = true, event = true, evidence = true, language = true,
  mask = true, match = true, mediator = true, policy = true, report = true, show = true, spec = true,
}

local function lines_of(path)
  local list = {}
  for line in io.lines(path) do list[#list + 1] = line end
  return list
end

local function files_in(path)
  local pipe = io.popen(("find %s -name '*.lua' 2>/dev/null | LC_ALL=C sort"):format(path))
  local list = {}
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  return list
end

-- ---- reading

-- "name? type text" -> name, type, text. A type may hold blanks inside brackets, and after a comma or "fun(…):".
local function split_type(text)
  local depth, i = 0, 1
  while i <= #text do
    local c = text:sub(i, i)
    if c:find "[%(%[{<]" then depth = depth + 1
    elseif c:find "[%)%]}>]" then depth = depth - 1
    elseif c == '"' then i = text:find('"', i + 1, true) or #text
    elseif c == " " and depth == 0 and not text:sub(1, i - 1):find "[:|,]$" and not text:find("^%s*[|]", i) then break end
    i = i + 1
  end
  return text:sub(1, i - 1), (text:sub(i):gsub("^[%s#]+", ""))
end

local function tag_of(doc, line)
  local tag, rest = line:match "^%-%-%-@(%w+)%s*(.*)$"
  if not tag then return false end
  local entry
  if tag == "param" or tag == "field" then
    local name, after = rest:match "^(%S+)%s+(.*)$"
    if rest:find "^%[" then name, after = rest:match "^(%b[])%s+(.*)$" end
    if not name then name, after = rest, "" end
    local type_, text = split_type(after)
    entry = { name = name, type = type_, text = text }
  elseif tag == "return" then
    local type_, text = split_type(rest)
    entry = { type = type_, text = text }
  else
    entry = { text = rest }
  end
  doc[tag] = doc[tag] or {}
  table.insert(doc[tag], entry)
  doc.last = entry
  return true
end

-- Comments and the line of code that they stand above, one after the other.
local function blocks(list)
  local found, doc = {}, nil
  for i, line in ipairs(list) do
    if line:find "^%-%-%-" then
      doc = doc or { text = {}, line = i }
      if not tag_of(doc, line) then
        local text = line:match "^%-%-%- ?(.*)$"
        -- Below a tag a text goes on with it.
        if doc.last then doc.last.text = doc.last.text .. " " .. text:gsub("^%s+", "")
        else table.insert(doc.text, text) end
      end
    elseif line:find "^%-%-" and doc and not doc.last then
      table.insert(doc.text, (line:match "^%-%- ?(.*)$")) -- a text that began with three dashes
    else
      if doc then
        doc.code = line
        found[#found + 1] = doc
      elseif line:find "^function " then
        found[#found + 1] = { text = {}, code = line, line = i, bare = true }
      end
      doc = nil
    end
  end
  return found
end

-- ---- what is in a module

local undocumented = {}

local function method_of(class, table_name, block, path)
  local owner, sign, name, arguments = block.code:match "^function ([%w_]+)([.:])([%w_]+)%((.*)%)"
  if not owner then
    owner, name = block.code:match "^([%w_]+)%.([%w_]+)%s*="
    sign = "."
  end
  if owner ~= table_name or name:find "^_" then return end
  local is_function = arguments ~= nil
  local signature = block.type and block.type[1].text:match "^fun(%b())"
  if not arguments and signature then
    local names = {}
    for argument in signature:sub(2, -2):gmatch "([%w_.]+%??)%s*:" do
      if argument == "self" then sign = ":" else names[#names + 1] = argument end
    end
    arguments, is_function = table.concat(names, ", "), true
  end
  if block.bare then
    undocumented[#undocumented + 1] = ("%s:%d: %s%s%s has no comment"):format(path, block.line, owner, sign, name)
    return
  end
  table.insert(class.members, { sign = sign, name = name, arguments = arguments, is_function = is_function, doc = block })
end

local function read_module(name, path, sub_files)
  local list = lines_of(path)
  local module = { name = name, text = {}, members = {}, classes = {} }
  for _, line in ipairs(list) do
    if not line:find "^%-%-" then break end
    table.insert(module.text, (line:gsub("^%-%-%-? ?", "")))
  end
  local returned
  for _, line in ipairs(list) do returned = line:match "^return ([%w_]+)%s*$" or returned end
  local function read(file, own)
    local tables = {} -- the local table that a class's methods are in
    local first = true
    for _, block in ipairs(blocks(lines_of(file))) do
      if block.class then
        local title, text = block.class[1].text:match "^(%S+)%s*(.*)$"
        if title:find ":$" then text = "Also what is in " .. text:gsub("^(%S+)%s+", "%1, ") end
        local class = { name = title:gsub(":$", ""), text = text, doc = block, members = {} }
        if not class.name:find "^itlua%.[%w.]+$" then goto continue end
        table.insert(module.classes, class)
        local variable = block.code:match "^local ([%w_]+)%s*=" or block.code:match "^([%w_]+)%s*="
        if variable then tables[variable] = class end
      elseif block.alias then
        table.insert(module.classes, { name = block.alias[1].text:match "^%S+", doc = block, members = {},
          text = block.alias[1].text:gsub("^%S+%s*", "") })
      elseif not (first and block.line == 1) then
        for variable, class in pairs(tables) do method_of(class, variable, block, file) end
        if own and returned and not tables[returned] then method_of(module, returned, block, file) end
      end
      first = false
      ::continue::
    end
  end
  read(path, true)
  for _, file in ipairs(sub_files) do read(file, false) end
  return module
end

-- ---- writing

local function cell(text) return (text:gsub("|", "\\|"):gsub("%s+", " ")) end
local function code(text) return text == "" and "" or "`" .. cell(text) .. "`" end

local function paragraph(out, text)
  if #text == 0 then return end
  for _, line in ipairs(text) do out[#out + 1] = line end
  out[#out + 1] = ""
end

local function write_table(out, first, entries)
  out[#out + 1] = ("| %s | type | |"):format(first)
  out[#out + 1] = "|---|---|---|"
  for _, e in ipairs(entries) do
    out[#out + 1] = ("| %s | %s | %s |"):format(code(e.name), code(e.type), cell(e.text))
  end
  out[#out + 1] = ""
end

local function write_member(out, owner, member, level)
  local title = owner .. member.sign .. member.name
  if member.is_function then title = title .. "(" .. member.arguments .. ")" end
  out[#out + 1] = ("%s `%s`"):format(("#"):rep(level), title)
  out[#out + 1] = ""
  local doc = member.doc
  paragraph(out, doc.text)
  if doc.type then
    out[#out + 1] = "Type: " .. code(doc.type[1].text)
    out[#out + 1] = ""
  end
  if doc.param then write_table(out, "parameter", doc.param) end
  for _, r in ipairs(doc["return"] or {}) do
    out[#out + 1] = ("Returns %s%s"):format(code(r.type), r.text ~= "" and " " .. cell(r.text) or "")
    out[#out + 1] = ""
  end
end

local function write_class(out, class)
  out[#out + 1] = "## " .. class.name
  out[#out + 1] = ""
  paragraph(out, class.doc.text)
  if class.text ~= "" then paragraph(out, { class.doc.alias and code(class.text) or class.text }) end
  if class.doc.field then write_table(out, "field", class.doc.field) end
  local short = class.name:match "[^.]+$"
  for _, member in ipairs(class.members) do write_member(out, short:lower(), member, 3) end
end

local function write_page(module)
  local out = { "# " .. module.name, "" }
  paragraph(out, module.text)
  local short = module.name:match "[^.]+$"
  for _, member in ipairs(module.members) do write_member(out, short, member, 2) end
  for _, class in ipairs(module.classes) do write_class(out, class) end
  local file = assert(io.open(("%s/%s.md"):format(folder, module.name), "w"))
  file:write(table.concat(out, "\n"), "\n")
  file:close()
  local functions = #module.members
  for _, class in ipairs(module.classes) do functions = functions + #class.members end
  return functions
end

os.execute("mkdir -p " .. folder)
local index, total = { "# Reference", "", "Made from the annotations in lua/itlua; `make docs` writes it again.", "" }, 0
for _, path in ipairs(files_in "lua/itlua -maxdepth 1") do
  local short = path:match "([%w_]+)%.lua$"
  if not internal[short] then
    local module = read_module("itlua." .. short, path, files_in("lua/itlua/" .. short))
    total = total + write_page(module)
    local text = (module.text[1] or ""):gsub("%s*$", "")
    index[#index + 1] = ("- [%s](%s.md): %s"):format(module.name, module.name, text)
  end
end
local file = assert(io.open(folder .. "/README.md", "w"))
file:write(table.concat(index, "\n"), "\n")
file:close()
for _, line in ipairs(undocumented) do print(line) end
print(("%s/README.md: %d functions, values and methods in %d modules"):format(folder, total, #index - 4))
print(("%d passed, 0 failed, 0 skipped"):format(#index - 4))
