--- `require "busted.fixtures"`: files beside the spec that asks.

local core = require "itlua.core"

local fixtures = {}

local function check(name, value, optional)
  if type(value) == "string" or (optional and value == nil) then return end
  local wanted = "a string (relative filename)" .. (optional and " or nil" or "")
  error(("bad argument to '%s' expected %s, got: %s"):format(name, wanted, type(value)), 3)
end

-- The folder of the innermost file on the stack that is not this one.
local function calling_folder()
  local own = debug.getinfo(1, "S").source
  local level = 2
  local info = debug.getinfo(level, "S")
  while info and (info.source == own or info.what == "C") do
    level = level + 1
    info = debug.getinfo(level, "S")
  end
  local source = info and info.source:gsub("^@", "") or ""
  return source:match("^(.*)/[^/]*$") or "."
end

local function working_folder()
  local pwd = io.popen("pwd")
  local folder = pwd and pwd:read("l")
  if pwd then pwd:close() end
  return folder or "."
end

local function normal(path)
  local parts = {}
  for part in path:gmatch("[^/]+") do
    if part == ".." then
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return "/" .. table.concat(parts, "/")
end

local function absolute(relative)
  local folder = calling_folder()
  if folder:sub(1, 1) ~= "/" then folder = working_folder() .. "/" .. folder end
  if relative and relative:sub(1, 1) == "/" then return normal(relative) end
  return normal(folder .. "/" .. (relative or ""))
end

--- The absolute path of a file named relative to the calling spec's folder.
---@param relative? string
---@return string
function fixtures.path(relative)
  check("path", relative, true)
  return absolute(relative)
end

local function read(relative, binary)
  local path = absolute(relative)
  local file, reason = io.open(path, binary and "rb" or "r")
  if not file then error(("Error reading file '%s': %s"):format(path, reason), 3) end
  local contents = file:read("a")
  file:close()
  return contents
end

--- The file's contents; raises when it cannot be read.
---@param relative string
---@param binary? boolean
---@return string
function fixtures.read(relative, binary)
  check("read", relative)
  local contents = read(relative, binary)
  return contents
end

--- Runs a Lua file and returns what it returns; the extension may be left out.
---@param relative string
---@return any
function fixtures.load(relative)
  check("load", relative)
  if not relative:find("%.lua$") then relative = relative .. ".lua" end
  local code = read(relative)
  local chunk, problem = load(code, relative, "bt", core.globals())
  if not chunk then error(("Error loading code from '%s': %s"):format(relative, problem), 2) end
  return chunk()
end

return fixtures
