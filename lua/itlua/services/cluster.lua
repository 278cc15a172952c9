--- PostgreSQL servers to throw away: a cluster copied from a template that initdb made once, in memory where possible,
--- without fsync, on a free port of the loopback address, with a password.

local encode = require "itlua.encode"
local fs = require "itlua.fs"
local native = require "itlua.services.native"
local process = require "itlua.process"

local cluster = {}

local FORMAT = 2 -- of the template: counts up when initdb is called otherwise

-- What makes a server fast that nobody will miss. Dynamic shared memory is in the data folder: what a killed server leaves
-- in /dev/shm nobody would remove. What is committed is with the system, and stays when the server is killed.
local settings = {
  fsync = "off", full_page_writes = "off", wal_level = "minimal", max_wal_senders = "0",
  shared_buffers = "64MB", huge_pages = "off", jit = "off", max_connections = "200", autovacuum = "off",
  max_logical_replication_workers = "0", dynamic_shared_memory_type = "mmap", logging_collector = "off",
  log_destination = "stderr", log_checkpoints = "off", checkpoint_warning = "0", lc_messages = "C", timezone = "UTC",
  log_timezone = "UTC",
}

local function run(words)
  return process.run { command = words, check = true, merge = true, env = { LC_ALL = "C" }, timeout = 120 }.stdout
end

---@class itlua.services.Installed
---@field bin string
---@field version string

-- Asking a program its version takes longer than starting it has to: the answer is kept with the file's state.
local function version_of(bin)
  local stat = fs.stat(bin .. "/postgres")
  local kept = ("%s/version-%s"):format(native.cache(), encode.sha256(("%s %d %d %.6f"):format(bin, stat.size, stat.inode,
    stat.modified)):sub(1, 16))
  local ok, text = pcall(fs.read, kept)
  if not ok then
    ok, text = pcall(run, { bin .. "/postgres", "--version" })
    if ok then pcall(fs.write, kept, text, { atomic = true }) end
  end
  return ok and text:match "(%d[%d.]*)" or nil
end

--- What is installed, the newest first but for the one in the PATH.
---@return itlua.services.Installed[]
function cluster.installed()
  local folders, seen, list = {}, {}, {}
  local own = native.find "postgres"
  if own then folders[1] = fs.dirname(fs.realpath(own)) end
  for _, pattern in ipairs { "/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin" } do
    for _, folder in ipairs(native.folders(pattern)) do folders[#folders + 1] = folder end
  end
  folders[#folders + 1] = "/usr/local/pgsql/bin"
  for _, bin in ipairs(folders) do
    if not seen[bin] and fs.exists(bin .. "/postgres") and fs.exists(bin .. "/initdb") then
      seen[bin] = true
      local version = version_of(bin)
      if version then list[#list + 1] = { bin = bin, version = version } end
    end
  end
  return list
end

local function as_user(prefix, words)
  return table.move(words, 1, #words, #prefix + 1, table.move(prefix, 1, #prefix, 1, {}))
end

-- A folder that the server's user can write to.
local function folder_for(owner, path)
  fs.mkdir(path, { mode = 448 })
  if owner then run { "chown", owner.uid .. ":" .. owner.gid, path } end
  return path
end

local function initdb(offer, prefix, data, password)
  local auth = tonumber(offer.version:match "^%d+") < 18 and "md5" or "scram-sha-256" -- md5 costs nothing per connection
  local words = { offer.bin .. "/initdb", "-D", data, "-U", "postgres", "-A", auth, "-E", "UTF8", "-N", "--no-instructions",
    "--pwfile=" .. password, "--wal-segsize=1" }
  local ok, err = pcall(run, as_user(prefix, { words[1], "--locale=C.UTF-8", table.unpack(words, 2) }))
  if ok then return end
  if not tostring(err):find "invalid locale" then error(err, 0) end
  run(as_user(prefix, { words[1], "--locale=C", table.unpack(words, 2) }))
end

-- The template of this version, made by whoever is first.
local function template(offer, prefix, owner, place)
  local path = ("%s/postgres-%s-%s-%d"):format(native.cache(), offer.version, owner and owner.uid or "own", FORMAT)
  if fs.exists(path) then return path end
  local work <close> = fs.tempdir { within = place, prefix = "itlua-initdb-" }
  if owner then fs.chmod(work.path, "711") end
  local folder = folder_for(owner, work:join "made")
  local secret = encode.hex(encode.random(12))
  local password = folder .. "/password"
  fs.write(password, secret .. "\n", { mode = 384 })
  if owner then run { "chown", owner.uid, password } end
  initdb(offer, prefix, folder .. "/data", password)
  -- Beside its place first: only a whole one may appear there.
  local made <close> = fs.tempdir { within = native.cache(), prefix = "postgres-made-" }
  run { "tar", "-C", folder .. "/data", "-cf", made:join "data.tar", "." }
  fs.write(made:join "password", secret, { mode = 384 })
  pcall(fs.rename, made.path, path) -- another may have been first
  return path
end

local function arguments(context, fields, socket)
  local words, all = {}, {}
  for name, value in pairs(settings) do all[name] = value end
  for name, value in pairs(context.spec.settings or {}) do
    if value == true then value = "on" elseif value == false then value = "off" end
    all[name] = tostring(value)
  end
  all.listen_addresses, all.port, all.unix_socket_directories = "127.0.0.1", fields.port, socket
  for name, value in pairs(all) do
    words[#words + 1] = "-c"
    words[#words + 1] = ("%s=%s"):format(name, value)
  end
  return words
end

-- Unpacks the template as the server's user, and becomes the server, all in one process.
local UNPACK = [[set -e; umask 077; to=$1
if [ ! -e "$to/data" ]; then mkdir "$to/data"; tar -C "$to/data" -xmf -; fi
shift; cd "$to"; exec "$@" </dev/null]]

-- The file is opened by us: the server's user could not.
local OPEN = [[from=$1; owner=$2; to=$3; shift 3; [ "$owner" = "" ] || chown "$owner" "$to"; exec "$@" <"$from"]]

--- Starts one.
---@param context itlua.services.Context
---@param offer itlua.services.Installed
---@return itlua.services.Instance
function cluster.start(context, offer)
  local prefix, owner = native.unprivileged "postgres"
  local folder = context.folder()
  if owner then fs.chmod(fs.dirname(folder), "711") end
  local from = template(offer, prefix, owner, fs.dirname(folder))
  local fields = {
    host = "127.0.0.1", port = context.port(), user = "postgres", version = offer.version,
    password = fs.read(from .. "/password"),
  }
  local instance = { fields = fields }
  function instance:launch()
    local server = { "/bin/sh", "-c", UNPACK, "postgres", folder, offer.bin .. "/postgres", "-D", folder .. "/data" }
    local words = arguments(context, fields, folder)
    table.move(words, 1, #words, #server + 1, server)
    local command = { "/bin/sh", "-c", OPEN, "postgres", from .. "/data.tar", owner and owner.uid or "", folder }
    for _, part in ipairs { prefix, server } do table.move(part, 1, #part, #command + 1, command) end
    self.process = process.start { command = command, merge = true, env = { LC_ALL = "C", PGDATA = false } }
  end
  function instance:stop(seconds)
    native.signal_tree(self.process.pid, "CONT")
    self.process:signal "INT" -- connections are ended; TERM would wait for them
    local ok = pcall(self.process.wait, self.process, { timeout = seconds })
    if not ok then self:kill() end
  end
  -- Each of its processes has a group of its own. The first would say that the others have crashed.
  function instance:kill()
    native.signal_tree(self.process.pid, "STOP")
    native.signal_tree(self.process.pid, "KILL")
    self.process:wait { timeout = 5 }
  end
  function instance:signal(name)
    if name == "KILL" then return self:kill() end
    native.signal_tree(self.process.pid, name)
  end
  instance:launch()
  return instance
end

return cluster
