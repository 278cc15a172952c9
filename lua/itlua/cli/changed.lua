--- --only-changed: the specs that what changed since a commit can have touched.
--
-- git says which files changed (REF, by default HEAD, compared with what is in the folder now, new files too; of another
-- branch the commit where this one left it). A spec counts when it changed, when it requires what changed, however many
-- modules are between, or when it or such a module names the changed file. Of what nobody names or requires (itlua.lua,
-- a service's code, a helper) nobody can tell what depends on it: then everything runs, and it is said why.

local core = require "itlua.core"
local system = require "itlua.cli.core"

local changed = {}

-- Files that no test depends on.
local idle = {
  "%.md$", "%.rst$", "%.adoc$", "^LICENSE", "/LICENSE", "^COPYING", "^%.gitignore$", "/%.gitignore$", "^%.itlua/", "/%.itlua/",
  "^%.editorconfig$", "^%.luacheckrc$", "^%.luarc%.json$",
}

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

-- What git prints, nil and its words when it fails.
local function git(...)
  local words = { "git" }
  for _, word in ipairs { ... } do words[#words + 1] = quote(word) end
  local pipe <close> = assert(io.popen(table.concat(words, " ") .. " 2>&1"))
  local text = pipe:read("a")
  if pipe:close() then return text end
  return nil, (text:match("[^\n]*"):gsub("^fatal: ", ""))
end

local function split(text)
  local list = {}
  for name in (text or ""):gmatch("[^\0]+") do list[#list + 1] = name end
  return list
end

-- "a/./b/../c" -> "a/c"
local function tidy(path)
  local parts = {}
  for part in path:gmatch("[^/]+") do
    if part == ".." and #parts > 0 then parts[#parts] = nil
    elseif part ~= "." then parts[#parts + 1] = part end
  end
  return table.concat(parts, "/")
end

-- The commit to compare with: where this branch left REF, or REF itself.
local function base_of(ref)
  local commit, why = git("rev-parse", "--verify", "--quiet", "--end-of-options", ref .. "^{commit}")
  if not commit then
    if ref == "HEAD" then return nil end -- nothing was committed yet: every file is new
    return nil, ("git knows no commit '%s'%s"):format(ref, why and why ~= "" and " (" .. why .. ")" or "")
  end
  local base = ref ~= "HEAD" and git("merge-base", ref, "HEAD")
  return ((base or commit):match("%x+"))
end

--- Which files changed, relative to the repository's top.
---@param ref string
---@return table<string, boolean>? files
---@return string top_or_wrong    the repository's folder; or what is wrong
---@return string? prefix         the working folder in it, "" or with a "/" behind
local function since_commit(ref)
  local top, why = git("rev-parse", "--show-toplevel")
  if not top then
    return nil, (why:find("not found") and "needs git" or "this is no git repository: " .. why)
  end
  local prefix = git("rev-parse", "--show-prefix") or ""
  local base, wrong = base_of(ref)
  if wrong then return nil, wrong end
  local files = {}
  top, prefix = top:gsub("\n$", ""), prefix:gsub("\n$", "")
  local diff
  if base then
    diff, why = git("-C", top, "diff", "--name-only", "--no-renames", "-z", base, "--")
    if not diff then return nil, why end
  else
    diff = git("-C", top, "ls-files", "-z")
  end
  for _, name in ipairs(split(diff)) do files[name] = true end
  for _, name in ipairs(split(git("-C", top, "ls-files", "--others", "--exclude-standard", "-z"))) do files[name] = true end
  return files, top, prefix
end

local Tracer = {}
Tracer.__index = Tracer

-- A path as git would name it, nil where it is outside the repository.
function Tracer:name(path)
  if path:sub(1, 1) ~= "/" then return tidy(self.prefix .. path) end
  if path:sub(1, #self.top + 1) ~= self.top .. "/" then return nil end
  return tidy(path:sub(#self.top + 2))
end

function Tracer:text(name)
  local text = self.texts[name]
  if text == nil then
    local f = io.open(self.top .. "/" .. name, "rb")
    text = f and f:read("a") or false
    if f then f:close() end
    self.texts[name] = text
  end
  return text
end

-- The files that `require "module"` may mean, whether they are there (still) or not.
function Tracer:candidates(module)
  local list = {}
  for template in self.path:gmatch("[^;]+") do
    local name = self:name((template:gsub("%?", (module:gsub("%.", "/"):gsub("%%", "%%%%")))))
    if name then list[#list + 1] = name end
  end
  return list
end

-- The modules that a file requires by their names.
function Tracer:required(name)
  local list = {}
  local text = self:text(name)
  if not text then return list end
  for quoted, module in text:gmatch("require%s*%(?%s*([\"'])([%w_.%-/]+)%1") do
    list[#list + 1] = quoted and module
  end
  return list
end

-- What a spec touches: itself and what it requires, by name.
function Tracer:reach(start)
  local reached, todo = { [start] = true }, { start }
  while todo[1] do
    for _, module in ipairs(self:required(table.remove(todo))) do
      for _, name in ipairs(self:candidates(module)) do
        if not reached[name] and (self.changes[name] or self:text(name)) then
          reached[name] = true
          todo[#todo + 1] = name
        end
      end
    end
  end
  return reached
end

-- Whether one of these files names another one: "fixtures/orders.json", or just "orders.json".
function Tracer:mentions(reached, file)
  local base = file:match("[^/]*$")
  for name in pairs(reached) do
    local text = self:text(name)
    if text and text:find(base, 1, true) then return true end
  end
  return false
end

local function is_idle(name)
  for _, pattern in ipairs(idle) do
    if name:find(pattern) then return true end
  end
  return false
end

local function is_spec(name, settings)
  for _, pattern in ipairs(settings.pattern) do
    if name:match("[^/]*$"):find(pattern) then return true end
  end
  return false
end

-- Why everything has to run because of this file, nil where nothing depends on it.
local function untraceable(tracer, name, settings, helper)
  if name == tracer:name("itlua.lua") or name == tracer:name(".busted") then return "has the settings of all" end
  if name == helper then return "is the helper of all" end
  if is_idle(name) then return nil end
  if is_spec(name, settings) then return nil end -- not one of this run's, or it is gone
  return "is used by no spec that says so"
end

---@class itlua.cli.changes
---@field names table<string, boolean>    relative to `top`
---@field top string                      the folder that names are relative to
---@field prefix string                   the working folder in it, "" or with a "/" behind

--- Which files of a run are touched by changes.
---@param files itlua.cli.file[]
---@param settings table
---@param changes itlua.cli.changes
---@return itlua.cli.file[] touched
---@return table<string, string> untraced    changed files of which nobody can tell what depends on them: why
function changed.trace(files, settings, changes)
  local tracer = setmetatable({
    changes = changes.names, top = changes.top, prefix = changes.prefix, texts = {}, path = core.globals().package.path,
  }, Tracer)
  local touched, traced, untraced = {}, {}, {}
  local helper = settings.helper and tracer:name(settings.helper)
  for _, file in ipairs(files) do
    local name = tracer:name(file.path)
    local reach = name and tracer:reach(name) or {}
    for changed_name in pairs(changes.names) do
      if reach[changed_name] or (not is_idle(changed_name) and tracer:mentions(reach, changed_name)) then
        touched[file], traced[changed_name] = true, true
      end
    end
  end
  for name in pairs(changes.names) do
    untraced[name] = name == tracer:name("itlua.lua") and "has the settings of all"
      or not traced[name] and untraceable(tracer, name, settings, helper) or nil
  end
  local list = {}
  for _, file in ipairs(files) do
    if touched[file] then list[#list + 1] = file end
  end
  return list, untraced
end

--- The files of the run that are touched by what changed since a commit.
---@param files itlua.cli.file[]
---@param settings table
---@param ref string
---@return itlua.cli.file[]? touched    nil when something is wrong
---@return string says                 what to tell the user; or what is wrong
function changed.select(files, settings, ref)
  local names, top, prefix = since_commit(ref)
  if not names then return nil, top end
  local list, untraced = changed.trace(files, settings, { names = names, top = top, prefix = prefix })
  local since = ref == "HEAD" and "since the last commit" or "since " .. ref
  local sorted, count = {}, 0
  for _ in pairs(names) do count = count + 1 end
  for name in pairs(untraced) do sorted[#sorted + 1] = name end
  table.sort(sorted)
  if sorted[1] then
    return files, ("everything runs: %s has changed %s, and %s"):format(sorted[1], since, untraced[sorted[1]])
  end
  if count == 0 then return list, "nothing has changed " .. since end
  return list, ("%d of %d files, touched by what changed %s (%d %s)"):format(#list, #files, since, count,
    count == 1 and "file" or "files")
end

--- Whether git takes this word for a commit.
---@param word string
---@return boolean
function changed.is_ref(word)
  return system.kind(word) == nil and word:sub(1, 1) ~= "-" and
    git("rev-parse", "--verify", "--quiet", "--end-of-options", word .. "^{commit}") ~= nil
end

return changed
