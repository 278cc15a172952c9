--- Loading a spec file, in whatever language it is written in: by its extension, if the loader for that is switched on.

local core = require "itlua.core"
local blame = require "itlua.spec.blame"

local loader = {}

---@class itlua.spec.loaded
---@field chunk? function        the file's main function
---@field getTrace? fun(file: string, trace: table): table         maps a place to the source as it was written
---@field rewriteMessage? fun(file: string, message: string): string
---@field plain boolean          Lua itself: nothing to map
---@field problem? string        why there is no chunk
---@field skipped? string        why the file is nobody's business, as busted sees it

local languages = { lua = "lua", moonscript = "moon", fennel = "fnl", terra = "t" }

--- Loads the file with the loader for its extension.
---@param path string
---@param names string[]     loaders in use: lua, moonscript, fennel, terra
---@return itlua.spec.loaded
function loader.load(path, names)
  local extension = path:match("%.([^./]*)$") or ""
  for _, name in ipairs(names) do
    if name ~= "lua" and languages[name] == extension then
      return require("itlua.spec.loader." .. name).load(path)
    elseif name == "lua" and extension == "lua" then
      local chunk, problem = loadfile(path, "bt", core.globals())
      return { chunk = chunk, problem = problem, plain = true, getTrace = loader.trim }
    elseif not languages[name] then
      return { problem = ("unknown loader '%s'"):format(name) }
    end
  end
  local in_use = table.concat(names, ",")
  return { skipped = ("no loader for '.%s' files is in use (--loaders=%s)"):format(extension, in_use) }
end

--- The getTrace of a language that needs no mapping.
function loader.trim(_, trace)
  trace.traceback = blame.trimmed(trace.traceback)
  return trace
end

--- A module that the user may have installed.
---@param name string
---@return any? module, string? problem     the first line of what require says
function loader.find(name)
  local ok, module = pcall(core.user_require, name)
  if ok then return module end
  return nil, (tostring(module):match("^[^\n]*"))
end

return loader
