--- Which files a run consists of.

local system = require "itlua.cli.core"

local find = {}

local extension = { lua = "lua", moonscript = "moon", terra = "t", fennel = "fnl" }

---@class itlua.cli.file
---@field path string
---@field lines? integer[]    only the tests at these lines

local function wanted(name, settings, endings)
  if not endings[name:match("%.(%w+)$") or ""] then return false end
  for _, pattern in ipairs(settings["exclude-pattern"]) do
    if pattern ~= "" and name:find(pattern) then return false end
  end
  for _, pattern in ipairs(settings.pattern) do
    if name:find(pattern) then return true end
  end
  return #settings.pattern == 0
end

local function walk(folder, settings, endings, into, above)
  local names, why = system.scan(folder)
  if not names then return ("%s: %s"):format(folder, why) end
  local identity = system.identity(folder)
  for _, name in ipairs(names) do
    local path = folder:gsub("/+$", "") .. "/" .. name
    local hidden = name:sub(1, 1) == "."
    if not hidden and name:sub(-1) == "/" then
      path = path:sub(1, -2)
      if settings.recursive and not above[identity] then -- a link to a folder above would never end
        above[identity] = true
        local wrong = walk(path, settings, endings, into, above)
        above[identity] = nil
        if wrong then return wrong end
      end
    elseif not hidden and wanted(name, settings, endings) then
      into[#into + 1] = path
    end
  end
end

-- "orders_spec.lua:12" -> "orders_spec.lua", 12, where no file has that very name.
local function with_line(root)
  if system.kind(root) then return root end
  local path, line = root:match("^(.-):(%d+)$")
  if path and system.kind(path) == "file" then return path, math.tointeger(tonumber(line)) end
  return root
end

local function patterns_are_patterns(settings)
  for _, name in ipairs { "pattern", "exclude-pattern", "filter", "filter-out" } do
    for _, pattern in ipairs(settings[name]) do
      local ok, why = pcall(string.find, "", pattern)
      if not ok then return ("--%s=%s: %s"):format(name, pattern, (why:gsub("^.-:%d+: ", ""))) end
    end
  end
end

--- The files below `roots`, each root's in order of their names.
---@param roots string[]
---@param settings table
---@return itlua.cli.file[]? files
---@return string? wrong    what is wrong with a root
function find.files(roots, settings)
  local wrong = patterns_are_patterns(settings)
  if wrong then return nil, wrong end
  local files, by_path, endings = {}, {}, {}
  for _, loader in ipairs(settings.loaders) do endings[extension[loader] or loader] = true end
  local function add(path, line)
    local file = by_path[path]
    if not file then
      file = { path = path, lines = line and {} or nil }
      by_path[path] = file
      files[#files + 1] = file
    end
    if not line then file.lines = nil
    elseif file.lines then table.insert(file.lines, line) end
  end
  for _, root in ipairs(roots) do
    local path, line = with_line(root)
    local kind, why = system.kind(path)
    if kind == "directory" then
      local found = {}
      wrong = walk(path, settings, endings, found, {})
      if wrong then return nil, wrong end
      table.sort(found)
      for _, one in ipairs(found) do add(one) end
    elseif kind == "file" then
      local readable
      readable, why = system.readable(path)
      if not readable then return nil, ("%s: %s"):format(path, why) end
      add(path, line)
    else
      return nil, ("%s: %s"):format(root, why or "neither a file nor a folder")
    end
  end
  return files
end

--- Brings the files into the order that --sort-files or --shuffle-files ask for (busted's order for a seed).
---@param files itlua.cli.file[]
---@param settings table
function find.order(files, settings)
  if settings["shuffle-files"] then
    math.randomseed(settings.seed)
    for n = #files, 2, -1 do
      local k = math.random(n)
      files[n], files[k] = files[k], files[n]
    end
  elseif settings["sort-files"] then
    table.sort(files, function(a, b) return a.path < b.path end)
  end
end

return find
