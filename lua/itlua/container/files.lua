--- Methods of a container: files into it and out of it.

local core = require "itlua.core"
local fs = require "itlua.fs"
local tar = require "itlua.container.tar"

---@class itlua.container.Container   more of it is in handle.lua
local Container = {}

-- Folders are in the archive too, so that those that are missing are made.
local function with_folders(entries)
  local list, seen = {}, {}
  for _, entry in ipairs(entries) do
    local at = entry.name:match "^(.*)/[^/]*$"
    local missing = {}
    while at and at ~= "" and not seen[at] do
      seen[at] = true
      table.insert(missing, 1, at)
      at = at:match "^(.*)/[^/]*$"
    end
    entry.parents = missing
    list[#list + 1] = entry
  end
  return list
end

local function entries_for(target, value)
  if type(target) ~= "string" or not target:find "^/" then
    core.usage(("files: '%s' is no absolute path in the container"):format(tostring(target)))
  end
  local name = target:gsub("^/+", ""):gsub("/+$", "")
  if type(value) == "string" then value = { content = value } end
  if type(value) ~= "table" or (value.content == nil) == (value.source == nil) then
    core.usage(("files: '%s' needs a content or a source"):format(target))
  end
  local entries
  if value.source then
    if not fs.exists(value.source) then
      core.raise("container", "COPY", ("there is no %s to copy to %s"):format(value.source, target))
    end
    entries = tar.entries_of(value.source, name)
  else
    entries = { { name = name, content = value.content } }
  end
  for _, entry in ipairs(entries) do
    entry.uid, entry.gid = value.uid, value.gid
    if entry.type ~= "folder" and entry.type ~= "link" then entry.mode = value.mode or entry.mode end
  end
  return entries
end

--- Copies files into it, running or not; folders on the way are made.
---@param files table<string, string|table>|string   as option `files` of container.run; or the path of a file or folder
---here, with `target`
---@param target? string      its path in the container
function Container:copy_in(files, target)
  if type(files) == "string" then
    if type(target) ~= "string" then core.usage "copy_in needs a path in the container" end
    files = { [target] = { source = files } }
  end
  local names, all = {}, {}
  for name in pairs(files) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    for _, entry in ipairs(entries_for(name, files[name])) do all[#all + 1] = entry end
  end
  self:_put(with_folders(all))
end

-- A folder that is there keeps its owner and mode: only missing ones go into the archive.
local function missing_folders(self, entries)
  local list = {}
  for _, entry in ipairs(entries) do
    for _, folder in ipairs(entry.parents) do
      if not self:exists("/" .. folder) then list[#list + 1] = { name = folder, type = "folder" } end
    end
    list[#list + 1] = entry
  end
  return list
end

function Container:_put(entries)
  local pieces = tar.pieces(missing_folders(self, entries))
  self:_call("PUT", "/archive", "copy in", {
    query = { path = "/" }, body = pieces, headers = { ["Content-Type"] = "application/x-tar" }, timeout = false,
  })
end

--- Whether there is something at a path in it.
---@param where string
---@return boolean
function Container:exists(where)
  local r = self.engine:call("HEAD", self:_path("/archive"), self:label() .. ": look for " .. where,
    { query = { path = where }, may = { [404] = true } })
  return r.status ~= 404
end

local function archive(self, where)
  local r = self:_call("GET", "/archive", "copy out", { query = { path = where }, stream = true,
    may = { [404] = true } })
  if r.status == 404 then
    r:close()
    core.raise("container", "NOT_FOUND", ("%s: there is no %s in it"):format(self:label(), where), { path = where })
  end
  local pieces, stream = self.engine:pieces(r, self:label() .. ": copy out", false)
  return tar.reader(pieces), stream
end

--- The content of a file in it.
---@param where string
---@return string
function Container:read_file(where)
  local reader, stream <close> = archive(self, where) -- luacheck: ignore stream
  local entry = reader:next()
  if entry and entry.type == "link" and not entry.target:find "^/" then
    return self:read_file(fs.join(fs.dirname(where), entry.target))
  elseif entry and entry.type == "link" then
    return self:read_file(entry.target)
  end
  if not entry or entry.type ~= "file" then
    core.raise("container", "COPY", ("%s: %s is a %s, not a file"):format(self:label(), where,
      entry and entry.type or "nothing"))
  end
  return reader:content()
end

--- Writes one file in it.
---@param where string
---@param content string
function Container:write_file(where, content)
  self:copy_in { [where] = content }
end

local function safe(name)
  return not name:find "^/" and not ("/" .. name .. "/"):find("/../", 1, true)
end

local function unpack_entry(reader, entry, to)
  if entry.type == "folder" then
    fs.mkdir(to)
  elseif entry.type == "link" then
    fs.symlink(entry.target, to)
  elseif entry.type == "file" then
    fs.mkdir(fs.dirname(to))
    fs.write(to, reader:read() or "", { mode = entry.mode & 511 })
    for piece in function() return reader:read() end do fs.append(to, piece) end
  end
end

--- Copies a file or a folder out of it.
---@param where string     in the container
---@param to string        the copy's own path; what is there is replaced
function Container:copy_out(where, to)
  local reader, stream <close> = archive(self, where) -- luacheck: ignore stream
  local top
  for entry in function() return reader:next() end do
    top = top or entry.name
    local rest = entry.name == top and "" or entry.name:sub(#top + 2)
    if not safe(rest) then
      core.raise("container", "ARCHIVE", ("%s: the engine's archive holds the path '%s'"):format(self:label(),
        entry.name))
    end
    unpack_entry(reader, entry, rest == "" and to or fs.join(to, rest))
  end
end

return Container
