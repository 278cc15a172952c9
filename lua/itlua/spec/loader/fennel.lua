--- Spec files in Fennel, by the user's own fennel module. Lines are mapped back through the compiler's source map.

local core = require "itlua.core"
local loader = require "itlua.spec.loader"

local fennel = {}

local function file_name(name)
  return name:match('string "(.+)"') or name
end

---@param path string
---@return itlua.spec.loaded
function fennel.load(path)
  local compiler, missing = loader.find "fennel"
  if not compiler then return { skipped = "Fennel cannot be loaded: " .. missing } end
  local file, reason = io.open(path)
  if not file then return { problem = reason } end
  local text = file:read("a")
  file:close()
  local ok, lua, source_map = pcall(compiler.compileString, text, { filename = path })
  if not ok then return { problem = tostring(lua) } end
  local chunk, problem = load(lua, "@" .. path, "t", core.globals())
  local function map(line)
    local entry = source_map and source_map[line]
    return entry and entry[2] or line
  end
  return {
    chunk = chunk, problem = problem,
    getTrace = function(name, trace)
      trace = loader.trim(name, trace)
      trace.short_src = file_name(trace.short_src)
      trace.linedefined, trace.currentline = map(trace.linedefined), map(trace.currentline)
      return trace
    end,
    rewriteMessage = function(_, message)
      local source, line, rest = message:match("^([^\n]-):(%d+): (.*)")
      if not source then return message end
      return ("%s:%d: %s"):format(file_name(source), map(tonumber(line)), rest)
    end,
  }
end

return fennel
