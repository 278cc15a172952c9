--- Spec files in MoonScript, by the user's own moonscript module. Lines are mapped back to the .moon file.

local loader = require "itlua.spec.loader"

local moonscript = {}

local texts = {}

local function line_at(util, path, position)
  if not texts[path] then
    local file = io.open(path)
    texts[path] = file and file:read("a") or ""
    if file then file:close() end
  end
  return util.pos_to_line(texts[path], position)
end

local function mapper(line_tables, util)
  return function(path, line)
    local positions = line_tables["@" .. path]
    for above = positions and line or -1, 0, -1 do
      if positions[above] then return line_at(util, path, positions[above]) end
    end
    return line
  end
end

-- MoonScript gives chunks names like [string "x.moon"].
local function file_name(name)
  return name:match('string "(.+)"') or name
end

local function map_stack(traceback, map)
  local function one(line, pattern, format)
    local path, number = line:match(pattern)
    local mapped = number and map(file_name(path), tonumber(number))
    if not mapped then return line end
    return (line:gsub(format:format(number), format:format(mapped)))
  end
  local lines = {}
  for line in traceback:gmatch("[^\r\n]+") do
    lines[#lines + 1] = one(one(line, "%s*(.-):(%d+): ", ":%d:"), "<(.*):(%d+)>", ":%d>")
  end
  return "\n" .. table.concat(lines, "\n") .. "\n"
end

---@param path string
---@return itlua.spec.loaded
function moonscript.load(path)
  local compiler, missing = loader.find "moonscript"
  local line_tables = compiler and loader.find "moonscript.line_tables"
  local util = line_tables and loader.find "moonscript.util"
  if not util then return { skipped = "MoonScript cannot be loaded: " .. (missing or "parts of it are missing") } end
  local chunk, problem = compiler.loadfile(path)
  local map = mapper(line_tables, util)
  return {
    chunk = chunk, problem = problem and tostring(problem),
    getTrace = function(name, trace)
      trace = loader.trim(name, trace)
      trace.short_src = file_name(trace.short_src)
      trace.traceback = map_stack(trace.traceback, map)
      trace.linedefined, trace.currentline = map(name, trace.linedefined), map(name, trace.currentline)
      return trace
    end,
    rewriteMessage = function(_, message)
      local source, line, rest = message:match("^([^\n]-):(%d+): (.*)")
      if not source then return message end
      source = file_name(source)
      return ("%s:%s: %s"):format(source, map(source, tonumber(line)), rest)
    end,
  }
end

return moonscript
