--- Programs of this machine as services: where they are, which port is free, where their data goes, as whom they run.

local core = require "itlua.core"
local fs = require "itlua.fs"
local process = require "itlua.process"

local native = {}

local MEMORY, ENOUGH = "/dev/shm", 500 << 10 -- kilobytes

--- A program in the PATH.
---@param name string
---@return string? path
function native.find(name)
  for folder in (os.getenv "PATH" or "/usr/bin:/bin"):gmatch "[^:]+" do
    local path = fs.join(folder, name)
    if fs.exists(path) == "file" then return path end
  end
end

--- The folders that match "/usr/lib/postgresql/*/bin", the newest version first.
---@param pattern string     with one `*`
---@return string[]
function native.folders(pattern)
  local above, below = pattern:match "^(.-)/?[^/]*%*[^/]*(.*)$"
  local name = pattern:sub(#above + 2, #pattern - #below)
  local matching = "^" .. name:gsub("%p", "%%%0"):gsub("%%%*", "(.*)") .. "$"
  local list = {}
  if fs.exists(above) ~= "folder" then return list end
  for _, entry in ipairs(fs.list(above)) do
    local version = entry:match(matching)
    if version and fs.exists(above .. "/" .. entry .. below) == "folder" then
      list[#list + 1] = { path = above .. "/" .. entry .. below, number = tonumber(version:match "[%d.]+") or 0 }
    end
  end
  table.sort(list, function(a, b) return a.number > b.number end)
  for i, item in ipairs(list) do list[i] = item.path end
  return list
end

--- The number of the user that this program runs as.
---@return integer
function native.uid()
  return fs.stat("/proc/self").uid
end

--- For servers that refuse to run as root: what to put in front of a command, and whose the data has to be. Nothing where
--- this program is not root.
---@param name string      the user to prefer; else nobody
---@return string[] prefix
---@return { uid: string, gid: string }? owner
function native.unprivileged(name)
  if native.uid() ~= 0 then return {}, nil end
  local users = fs.read "/etc/passwd"
  for _, user in ipairs { name, "nobody" } do
    local uid, gid = ("\n" .. users):match("\n" .. user .. ":[^:]*:(%d+):(%d+)")
    if uid then
      local setpriv = native.find "setpriv"
      if not setpriv then
        core.raise("service", "NO_PROGRAM", "itlua runs as root and has no setpriv to become another user (package util-linux)")
      end
      return { setpriv, "--reuid=" .. uid, "--regid=" .. gid, "--clear-groups", "--" }, { uid = uid, gid = gid }
    end
  end
  core.raise("service", "NO_USER", "itlua runs as root, and there is no user to run the server as")
end

-- Whether as much is free as a server with some databases takes. Containers often have a small one (size=65536k).
local function has_room()
  local mounts, size = fs.read "/proc/mounts", nil
  for options in mounts:gmatch("\n%S+ " .. MEMORY .. " tmpfs (%S+)") do size = options:match "size=(%d+)k" or "unlimited" end
  local free = tonumber(fs.read("/proc/meminfo"):match "MemAvailable:%s*(%d+)")
  return size and (size == "unlimited" or tonumber(size) >= ENOUGH) and free and free >= 2 * ENOUGH
end

--- A folder for data that is thrown away: in memory where there is room.
---@param prefix string
---@return itlua.fs.Temporary
function native.scratch(prefix)
  local ok, room = pcall(has_room)
  if ok and room then
    local made, folder = pcall(fs.tempdir, { within = MEMORY, prefix = prefix })
    if made then return folder end
  end
  return fs.tempdir { prefix = prefix }
end

--- Where such folders may be.
---@return string[]
function native.scratch_places() return { MEMORY, os.getenv "TMPDIR" or "/tmp" } end

--- What outlives runs and can be made again: templates. $ITLUA_CACHE, else where the system keeps such things.
---@return string
function native.cache()
  local own = os.getenv "ITLUA_CACHE"
  if own and own ~= "" and pcall(fs.mkdir, own) then return own end
  local home = os.getenv "XDG_CACHE_HOME"
  if not home or home == "" then
    local user = os.getenv "HOME"
    home = user and user ~= "" and fs.join(user, ".cache") or nil
  end
  local path = home and fs.join(home, "itlua")
  if path and pcall(fs.mkdir, path) then return path end
  path = ("%s/itlua-cache-%d"):format(os.getenv "TMPDIR" or "/tmp", native.uid())
  fs.mkdir(path, { mode = 448 })
  -- A name that can be foreseen in a folder that everybody writes to: somebody else's would be run.
  local stat = fs.stat(path, { follow = false })
  if stat.type ~= "folder" or stat.uid ~= native.uid() or stat.mode & 18 ~= 0 then
    core.raise("service", "CACHE", path .. " belongs to somebody else")
  end
  return path
end

-- The ports that the system gives out by itself, to every connection that leaves: ip(7), ip_local_port_range.
local function first_ephemeral()
  local f = io.open "/proc/sys/net/ipv4/ip_local_port_range"
  local first = f and f:read "n"
  if f then f:close() end
  return first or 32768
end

local LOWEST, TRIES <const> = 10000, 20

--- A port that nothing listens on, and that no connection takes before the service does, or while it is stopped: below
--- those that the system gives out, where there is room.
---@return integer
function native.port()
  local server, highest = require "itlua.server", first_ephemeral() - 1
  for _ = 1, highest - LOWEST >= 1000 and TRIES or 0 do
    local port = math.random(LOWEST, highest)
    local ok, srv = pcall(server.listen, { port = port })
    if ok then
      srv:close()
      return port
    end
  end
  local srv <close> = server.listen()
  return srv.port
end

--- The process and all below it, as numbers.
---@param pid integer
---@return integer[]
function native.tree(pid)
  local list = { pid }
  local i = 1
  while list[i] do
    local f = io.open(("/proc/%d/task/%d/children"):format(list[i], list[i]))
    for child in (f and f:read "a" or ""):gmatch "%d+" do list[#list + 1] = math.tointeger(tonumber(child)) end
    if f then f:close() end
    i = i + 1
  end
  return list
end

--- A signal for a process and all below it, also those with groups of their own.
---@param pid integer
---@param name string      "STOP"
function native.signal_tree(pid, name)
  process.run { command = { "/bin/sh", "-c", 'kill -s "$@" 2>/dev/null || :', "kill", name, table.unpack(native.tree(pid)) } }
end

return native
