--- The folders of a project, watched for changes: those below the working folder, without hidden ones, what is built or
-- installed there, and what git ignores. Folders that come later are watched, too.

local core = require "itlua.core"
local fs = require "itlua.fs"
local system = require "itlua.cli.core"

local folders = {}

local MOST = 4000 -- folders

local skipped = {
  node_modules = true, build = true, dist = true, target = true, vendor = true, lua_modules = true, __pycache__ = true,
}

-- What editors and others leave beside the files that they write.
local passing = { "^%.", "~$", "%.swp$", "%.swx$", "^4913$", "^#.*#$", "%.tmp$", "%.log$", "%.pid$" }

local function is_passing(name)
  for _, pattern in ipairs(passing) do
    if name:find(pattern) then return true end
  end
  return false
end

-- Folders that git ignores.
local function ignored_by_git()
  local ignored = {}
  local pipe <close> = io.popen("git ls-files -z --others --ignored --exclude-standard --directory 2>/dev/null")
  for name in (pipe and pipe:read("a") or ""):gmatch("[^\0]+") do
    if name:sub(-1) == "/" then ignored[name:sub(1, -2)] = true end
  end
  return ignored
end

---@class itlua.cli.folders
---@field known table<string, boolean>    by path
---@field seen table<string, boolean>     by identity, for links to folders above
---@field count integer
---@field ignored table<string, boolean>
---@field tell fun(path: string)
local Folders = {}
Folders.__index = Folders

local function inside(folder, name) return folder == "." and name or folder .. "/" .. name end

local add

local function changed(self, path)
  local name = path:match("[^/]*$")
  if system.kind(path) == "directory" then
    if not self.known[path] then add(self, path, true) end
  elseif not is_passing(name) then
    self.tell(path)
  end
end

local function attend(self, folder, watch)
  while true do
    local ok, change = pcall(watch.next, watch)
    if not ok then break end -- the folder is gone
    changed(self, (change.path:gsub("^%./", "")))
    if change.path == folder and system.kind(folder) ~= "directory" then break end
  end
  self.known[folder], self.count = nil, self.count - 1
  pcall(watch.close, watch)
end

-- Watches a folder and those in it. What is in a new one has changed.
function add(self, folder, new)
  local name = folder:match("[^/]*$")
  if self.known[folder] or self.ignored[folder] or skipped[name] or name:find("^build[-_]") then return end
  if name ~= "." and name:sub(1, 1) == "." then return end
  local identity = system.identity(folder)
  if not identity or self.seen[identity] and not new then return end
  if self.count >= MOST then
    self.full = true
    return
  end
  local ok, watch = pcall(fs.watch, folder)
  if not ok then
    self.problem = self.problem or tostring(watch)
    return
  end
  self.known[folder], self.seen[identity], self.count = true, true, self.count + 1
  core.daemon(attend, self, folder, watch)
  for _, entry in ipairs(system.scan(folder) or {}) do
    if entry:sub(-1) == "/" then add(self, inside(folder, entry:sub(1, -2)), new)
    elseif new and not is_passing(entry) then self.tell(inside(folder, entry)) end
  end
end

--- Watches the project; `tell(path)` is called for each file that came, changed or went.
---@param tell fun(path: string)
---@return itlua.cli.folders    count; full: there are too many; problem: why some cannot be watched
function folders.watch(tell)
  local self = setmetatable({
    known = {}, seen = {}, count = 0, ignored = ignored_by_git(), tell = tell,
  }, Folders)
  add(self, ".", false)
  return self
end

return folders
