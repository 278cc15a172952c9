--- Files and folders. Nothing here blocks other tests: the work is done beside.
--
-- Paths are as the system has them, relative ones from where the program was started. Errors have kind "fs", the
-- system's code ("ENOENT", "EACCES", "EEXIST", …) and the field path.

local core = require "itlua.core"
local guard = require "itlua.process.core"
local native = require "itlua.fs.core"

local fs = {}

local function usage(...)
  core.usage(string.format(...))
end

local function with(options, more)
  if options == nil then return more end
  if type(options) ~= "table" then usage("fs: the options are a %s, not a table", type(options)) end
  for name, value in pairs(options) do
    if more[name] == nil then more[name] = value end
  end
  return more
end

-- ---- names

--- Joins the parts of a path with one slash between.
---@param ... string
---@return string
function fs.join(...)
  local path = ""
  for i = 1, select("#", ...) do
    local part = select(i, ...)
    if type(part) ~= "string" then usage("fs.join: part %d is a %s, not a string", i, type(part)) end
    if path == "" or part == "" then path = path .. part
    else path = path:gsub("/+$", "") .. "/" .. part:gsub("^/+", "") end
  end
  return path
end

--- The last part: "c.txt" of "/a/b/c.txt".
---@param path string
---@return string
function fs.basename(path)
  return path:match("([^/]+)/*$") or path
end

--- What is before it: "/a/b" of "/a/b/c.txt"; "." of a bare name.
---@param path string
---@return string
function fs.dirname(path)
  local folder = path:match("^(.-)/+[^/]+/*$")
  if folder == "" then return "/" end
  return folder or path:match("^/") or "."
end

--- The path without links, dots and double slashes; it has to exist.
---@param path string
---@return string
function fs.realpath(path)
  return native.realpath(path)
end

-- ---- files

--- The content of a file.
---@param path string
---@param options? { max_size?: integer } bytes; beyond 256 MiB it is an error
---@return string
function fs.read(path, options)
  return native.read(path, options)
end

--- Writes a file; one that is there is replaced.
---@param path string
---@param data string
---@param options? { atomic?: boolean, mode?: integer } atomic: nobody ever sees a part of it; mode: of a new file, 0644
function fs.write(path, data, options)
  if type(data) ~= "string" then usage("fs.write: the data is a %s, not a string", type(data)) end
  native.write(path, with(options, { data = data }))
end

--- Adds to the end of a file, which is made if it is not there.
---@param path string
---@param data string
function fs.append(path, data)
  if type(data) ~= "string" then usage("fs.append: the data is a %s, not a string", type(data)) end
  native.write(path, { data = data, append = true })
end

---@class itlua.fs.Stat
---@field type "file"|"folder"|"link"|"pipe"|"socket"|"device"|"other"
---@field size integer      bytes
---@field mode integer      permissions: 420 is 0644
---@field modified number   seconds since 1970; also accessed, changed
---@field accessed number
---@field changed number
---@field links integer
---@field uid integer
---@field gid integer
---@field inode integer
---@field device integer    of the file system; with the inode it tells a file from every other

--- What the system knows of a file or folder.
---@param path string
---@param options? { follow?: boolean } of a symbolic link what it leads to (the default), or the link itself
---@return itlua.fs.Stat
function fs.stat(path, options)
  return native.stat(path, options)
end

--- The type of what is there ("file", "folder", …), or false when nothing is.
---@param path string
---@return string|false
function fs.exists(path)
  local ok, result = pcall(native.stat, path)
  if ok then return result.type end
  if core.is_error(result) == "fs" and (result.code == "ENOENT" or result.code == "ENOTDIR") then return false end
  error(result, 0)
end

--- Changes the permissions.
---@param path string
---@param mode integer|string 420 or "644"
function fs.chmod(path, mode)
  if type(mode) == "string" then mode = tonumber(mode, 8) end
  if math.type(mode) ~= "integer" then usage("fs.chmod: the mode is an octal string or a whole number") end
  native.chmod(path, { mode = mode })
end

--- Makes a symbolic link at `path` that leads to `target`.
---@param target string
---@param path string
function fs.symlink(target, path)
  native.symlink(target, { to = path })
end

--- Gives it another name or place on the same file system; a file there is replaced.
---@param path string
---@param to string
function fs.rename(path, to)
  native.rename(path, { to = to })
end

--- Copies a file, or with `recursive` a folder with all that is in it (symbolic links stay links).
---@param path string
---@param to string the copy's own name
---@param options? { recursive?: boolean }
function fs.copy(path, to, options)
  native.copy(path, with(options, { to = to }))
end

--- Removes a file or an empty folder; with `recursive` all that is in it too, unless it is too near to the root, holds
--- the home folder or is where the program stands. That nothing is there is an error without `force`.
---@param path string
---@param options? { recursive?: boolean, force?: boolean }
function fs.remove(path, options)
  native.remove(path, options)
end

-- ---- folders

--- The names in a folder, sorted; with `recursive` the paths below it of all that is in it.
---@param path? string "."
---@param options? { recursive?: boolean }
---@return string[]
function fs.list(path, options)
  local names = native.list(path or ".", options)
  table.sort(names)
  return names
end

--- Makes a folder and those above it; that it exists is fine.
---@param path string
---@param options? { mode?: integer } 0777 without what the umask forbids
function fs.mkdir(path, options)
  native.mkdir(path, options)
end

-- ---- temporary ones

---@class itlua.fs.Temporary   a temporary folder or file
---@field path string
local Temporary = {}
local metatable = native.temporary_metatable
local methods = metatable.__index

-- The handles until they are closed: with `fs.tempdir().path` the folder must not vanish before its test has ended.
local kept = {} -- luacheck: ignore 241

--- A path in the folder.
---@param ... string
---@return string
function Temporary:join(...)
  return fs.join(self.path, ...)
end

--- Writes a file in the folder, and the folders it needs; returns its path.
---@param name string
---@param data string
---@return string path
function Temporary:write(name, data)
  local path = fs.join(self.path, name)
  fs.mkdir(fs.dirname(path))
  fs.write(path, data)
  return path
end

--- Removes it now; `local dir <close> = …` does the same.
function Temporary:close()
  kept[self] = nil
  if not methods.forget(self) then return end
  local scope = core.enter(10, true) -- also when the test's time is over
  local ok, err = pcall(native.remove, methods.location(self), { own = true, recursive = true, force = true })
  core.leave(scope)
  if not ok then error(err, 0) end
  guard.guard_folder(methods.location(self), true)
end

function metatable.__index(self, name)
  if name == "path" then return methods.location(self) end
  return Temporary[name]
end
metatable.__close = Temporary.close

local function temporary(options, folder)
  options = options or {}
  local prefix = options.prefix or "itlua-"
  if type(prefix) ~= "string" or prefix:find("/") then usage("fs: the prefix of a name is a string without /") end
  local handle = native.temporary(fs.join(options.within or native.temporary_place(), prefix .. "XXXXXX"), folder)
  if options.keep then
    methods.forget(handle)
  else
    kept[handle] = true
    guard.guard_folder(methods.location(handle)) -- when the program is killed nobody else could remove it
  end
  return handle
end

---@class itlua.fs.TempOptions
---@field prefix? string    what its name begins with; "itlua-"
---@field within? string    the folder to make it in; the system's for temporary files ($TMPDIR, /tmp)
---@field keep? boolean     do not remove it

--- A new empty folder, removed with all that is in it when the test (or what else made it) ends.
---@param options? itlua.fs.TempOptions
---@return itlua.fs.Temporary
function fs.tempdir(options)
  return temporary(options, true)
end

--- A new file, removed likewise.
---@param data? string its content
---@param options? itlua.fs.TempOptions
---@return itlua.fs.Temporary
function fs.tempfile(data, options)
  local handle = temporary(options, false)
  if data then fs.write(handle.path, data) end
  return handle
end

-- ---- watching

---@class itlua.fs.Watch
---@field path string
---@field native userdata
---@field folder string
---@field name? string   of a file that is watched
local Watch = {}
Watch.__index = Watch
Watch.__name = "itlua.fs.Watch"

---@class itlua.fs.Change
---@field path string    of what has changed
---@field kind "rename"|"change"   rename: it has appeared, gone or got another name; change: its content or attributes

--- The next change; what changed since fs.watch is kept until it is taken.
---@param options? { timeout?: number } seconds; as long as it takes
---@return itlua.fs.Change
function Watch:next(options)
  local timeout = options and options.timeout
  local deadline = timeout and core.now() + timeout
  while true do
    local name, kind = self.native:take(deadline and math.max(0, deadline - core.now()), timeout)
    if not self.name or name == self.name then
      return { path = name and fs.join(self.folder, name) or self.folder, kind = kind }
    end
  end
end

--- The changes as they come: for change in watch:changes() do … end. The timeout is for each.
---@param options? { timeout?: number }
---@return fun(): itlua.fs.Change
function Watch:changes(options)
  return function() return self:next(options) end
end

--- Watches no longer.
function Watch:close()
  self.native:close()
end

Watch.__close = Watch.close

function Watch:__tostring()
  return "watch of " .. self.path
end

--- Watches a file, or what is directly in a folder. A file may come, go and be replaced meanwhile; its folder has to
--- exist.
---@param path string
---@return itlua.fs.Watch
function fs.watch(path)
  if fs.exists(path) == "folder" then
    return setmetatable({ path = path, folder = path, native = native.watch(path) }, Watch)
  end
  local folder = fs.dirname(path)
  return setmetatable({ path = path, folder = folder, name = fs.basename(path), native = native.watch(folder) }, Watch)
end

return fs
