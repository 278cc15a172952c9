-- Writes the reference manual out of the annotations in lua/itlua.    itlua exec tests/ci/reference.lua FOLDER
--
-- A page a public module (FOLDER/itlua.http.md), the pages of reference_pages.lua, and README.md, the list of them. A page
-- is what the comments say: the text at the head of the file, the functions of the table that it returns, and the classes of
-- that module (also those in the files of its folder): their fields and methods. What has no comment is in no page; it is
-- listed, for one may have been forgotten. A link that leads nowhere is a failure, a class that is described nowhere too.

local folder = arg[1] or "build/docs"

-- Modules that are no one's business but ours, or that have a page elsewhere.
local internal = {
  blame = true, cli = true, closing = true, diff = true, event = true, evidence = true, identity = true, language = true,
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

-- Fields that are no one's business but the class's own.
local not_public = { private = true, protected = true, package = true }

local function tag_of(doc, line)
  local tag, rest = line:match "^%-%-%-@(%w+)%s*(.*)$"
  if not tag then return false end
  if tag == "field" and not_public[rest:match "^(%S+)%s+%S+%s+%S"] then
    doc.last = { text = "" }
    return true
  end
  local entry
  if tag == "param" or tag == "field" then
    local name, after = rest:match "^(%S+)%s+(.*)$"
    if rest:find "^%[" then name, after = rest:match "^(%b[])%s+(.*)$" end
    name = name and (name:match '^%["([%a_][%w_]*)"%]$' or name) -- a name that is a word of the annotations, too
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

-- A tag's line, with those below it that its type goes on in.
local function whole(list, i)
  local line = list[i]
  local function open() return select(2, line:gsub("[%({]", "")) > select(2, line:gsub("[%)}]", "")) end
  while line:find "^%-%-%-@[pf]" and open() and (list[i + 1] or ""):find "^%-%-%- " do
    i = i + 1
    line = line .. " " .. list[i]:gsub("^%-%-%-%s*", "")
  end
  return line, i
end

-- Comments and the line of code that they stand above, one after the other.
local function blocks(list)
  local found, doc = {}, nil
  local read = 0
  for i = 1, #list do
    if i <= read then goto continue end
    local line
    line, read = whole(list, i)
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
    ::continue::
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
  if block.bare and name == "close" then
    block.text = { "Closes it; once more does nothing." }
  elseif block.bare then
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

local page_of = {}  -- by class: the module whose page has it
local missing = {}  -- classes that annotations name and no page has

local function anchor(title) return (title:lower():gsub("[^%w_ -]", ""):gsub(" ", "-")) end

-- Links to the classes that a type names.
local function links(kind, here)
  local list, seen = {}, {}
  for class in kind:gmatch "itlua%.[%w_.]+" do
    class = class:gsub("%.$", "")
    local page = page_of[class]
    if not page then missing[class] = true end
    if page and not seen[class] then
      seen[class] = true
      list[#list + 1] = ("[%s](%s#%s)"):format(class:match "[^.]+$", page == here and "" or page .. ".md", anchor(class))
    end
  end
  return #list > 0 and " → " .. table.concat(list, ", ") or ""
end

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
    out[#out + 1] = ("| %s | %s%s | %s |"):format(code(e.name), code(e.type), links(e.type, out.page), cell(e.text))
  end
  out[#out + 1] = ""
end

local function title_of(owner, member)
  local title = owner .. member.sign .. member.name
  return member.is_function and title .. "(" .. member.arguments .. ")" or title
end

local function write_member(out, owner, member, level)
  out[#out + 1] = ("%s `%s`"):format(("#"):rep(level), title_of(owner, member))
  out[#out + 1] = ""
  local doc = member.doc
  paragraph(out, doc.text)
  if doc.type then
    out[#out + 1] = "Type: " .. code(doc.type[1].text)
    out[#out + 1] = ""
  end
  if doc.param then write_table(out, "parameter", doc.param) end
  for _, r in ipairs(doc["return"] or {}) do
    local text = r.text ~= "" and " " .. cell(r.text) or ""
    out[#out + 1] = ("Returns %s%s%s"):format(code(r.type), text, links(r.type, out.page))
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

-- What is on the page: functions, then classes with their methods.
local function write_contents(out, module, short)
  if #module.members + #module.classes < 4 then return end
  local all = {}
  for _, member in ipairs(module.members) do
    all[#all + 1] = ("[%s](#%s)"):format(short .. member.sign .. member.name, anchor(title_of(short, member)))
  end
  if #all > 0 then out[#out + 1] = "**Functions** " .. table.concat(all, " · ") .. "  " end
  for _, class in ipairs(module.classes) do
    local methods = {}
    local owner = class.name:match "[^.]+$"
    for i, member in ipairs(class.members) do
      methods[i] = ("[%s](#%s)"):format(member.name, anchor(title_of(owner:lower(), member)))
    end
    out[#out + 1] = ("**[%s](#%s)** %s  "):format(class.name, anchor(class.name), table.concat(methods, " · "))
  end
  out[#out + 1] = ""
end

local written = {}

local function write_file(name, lines)
  written[name] = lines
  local file = assert(io.open(("%s/%s.md"):format(folder, name), "w"))
  file:write(table.concat(lines, "\n"), "\n")
  file:close()
end

local function write_page(module)
  local out = { "# " .. module.name, "", "[Reference](README.md)", "", page = module.name }
  paragraph(out, module.text)
  local short = module.name:match "[^.]+$"
  write_contents(out, module, short)
  for _, member in ipairs(module.members) do write_member(out, short, member, 2) end
  for _, class in ipairs(module.classes) do write_class(out, class) end
  write_file(module.name, out)
  local functions = #module.members
  for _, class in ipairs(module.classes) do functions = functions + #class.members end
  return functions
end

-- The first sentence of a text.
local function first_sentence(text)
  local all = table.concat(text, " ")
  all = all:match "^(.-)%s%s%s" or all -- up to an example
  return all:match "^(.-%.)%s" or all:match "^(.-):?$" or ""
end

local sections = {
  { "Protocols", { "http", "server", "sql", "redis", "kafka", "dns" } },
  { "Captures and time", { "capture", "task", "timeline", "time" } },
  { "The world of a test", { "services", "container", "process", "fs", "fixture", "factory", "fake", "migrate", "run" } },
  { "Formats", { "json", "yaml", "jwt", "encode", "null" } },
  { "Assertions", { "assert" } },
}

os.execute("mkdir -p " .. folder)
local modules, names, count, total = {}, {}, 0, 0
for _, path in ipairs(files_in "lua/itlua -maxdepth 1") do
  local short = path:match "([%w_]+)%.lua$"
  if not internal[short] then
    local module = read_module("itlua." .. short, path, files_in("lua/itlua/" .. short))
    modules[short], names[#names + 1], count = module, short, count + 1
    for _, class in ipairs(module.classes) do page_of[class.name] = module.name end
  end
end
for _, short in ipairs(names) do total = total + write_page(modules[short]) end

local index = { "# Reference of itlua", "", "Made from the annotations in lua/itlua; `make docs` writes it again.", "" }
local function list(title, shorts)
  index[#index + 1] = "## " .. title
  index[#index + 1] = ""
  for _, short in ipairs(shorts) do
    local module = modules[short]
    if module then
      local says = first_sentence(module.text):gsub(":$", ".")
      index[#index + 1] = ("- [%s](%s.md): %s"):format(module.name, module.name, says)
    end
    modules[short] = nil
  end
  index[#index + 1] = ""
end
index[#index + 1] = "## Using it"
index[#index + 1] = ""
local pages = dofile "tests/ci/reference_pages.lua"
for _, page in ipairs(pages.order) do
  pages[page](function(name, title, says, lines)
    write_file(name, lines)
    index[#index + 1] = ("- [%s](%s.md): %s"):format(title, name, says)
    count = count + 1
  end)
end
index[#index + 1] = ""
for _, section in ipairs(sections) do list(section[1], section[2]) end
local rest = {}
for short in pairs(modules) do rest[#rest + 1] = short end
table.sort(rest)
if rest[1] then list("More", rest) end
write_file("README", index)

-- Every link leads to a page and a title that is there.
local titles = {}
for name, lines in pairs(written) do
  titles[name] = {}
  for _, line in ipairs(lines) do
    local title = line:match "^#+ (.*)$"
    if title then titles[name][anchor(title)] = true end
  end
end
local broken = {}
for name, lines in pairs(written) do
  for target in table.concat(lines, "\n"):gmatch "%]%(([%w_.-]*#?[%w_-]*)%)" do
    local page, where = target:match "^([^#]*)#?(.*)$"
    page = page == "" and name or page:gsub("%.md$", "")
    if not titles[page] or (where ~= "" and not titles[page][where]) then
      broken[#broken + 1] = ("%s.md: the link to %s leads nowhere"):format(name, target)
    end
  end
end
for class in pairs(missing) do broken[#broken + 1] = ("%s is named and described nowhere"):format(class) end
table.sort(broken)
for _, line in ipairs(broken) do print("not ok " .. line) end

for _, line in ipairs(undocumented) do print(line) end
print(("%s/README.md: %d functions, values and methods, %d pages"):format(folder, total, count))
print(("%d passed, %d failed, 0 skipped"):format(count, #broken))
os.exit(#broken == 0 and 0 or 1)
