--- Real PostgreSQL servers for these specs: each in a temporary folder, on a free port, as an unprivileged user where
-- the tests run as root (PostgreSQL refuses that), ended with the handle. The first server of a machine makes a
-- template of an empty cluster beside its data; the others copy it, which takes milliseconds instead of a second.
--
--     local server = postgres.start()          -- or { settings = { max_connections = 5 }, hba = "…" }
--     local db = sql.connect(server:url())      -- server:url("name") for another database
--     server:stop()                             -- or local server <close>
--     server:kill()                             -- as a crash; server:start() again

local fs = require "itlua.fs"
local process = require "itlua.process"
local sql = require "itlua.sql"
local task = require "itlua.task"

local postgres = {}

local Server = {}
Server.__index = Server

-- ---- where its programs are, and who runs them

local function run(words)
  local result = process.run(words)
  if result.code ~= 0 then
    error(("%s: exit code %d\n%s%s"):format(table.concat(words, " "), result.code, result.stdout, result.stderr))
  end
  return result.stdout
end

local function shell(text)
  return (run({ "/bin/sh", "-c", text }):gsub("%s+$", ""))
end

-- Data in memory where there is room for it: these servers come and go by the dozen.
local function base()
  local free = shell "[ -w /dev/shm ] && df -Pk /dev/shm | awk 'NR == 2 { print $4 }' || echo 0"
  return tonumber(free) > 2000000 and "/dev/shm" or "/tmp"
end

local bin, user, group

local function find()
  if bin then return end
  bin = shell "ls -d /usr/lib/postgresql/*/bin /usr/local/pgsql/bin 2>/dev/null | sort -V | tail -n 1"
  if bin == "" then bin = shell "dirname $(command -v postgres)" end
  if shell "id -u" == "0" then
    user = shell "id -un postgres 2>/dev/null || echo nobody"
    group = shell("id -g " .. user)
  end
end

-- The command as the unprivileged user.
local function as_user(words)
  if not user then return words end
  local all = { "setpriv", "--reuid=" .. user, "--regid=" .. group, "--clear-groups" }
  return table.move(words, 1, #words, #all + 1, all)
end

local function own(path)
  if user then run { "chown", "-R", user, path } end
end

-- No JIT: while it compiles (seconds, on a busy machine) a statement cannot be stopped.
local base_settings = {
  jit = "off",
  listen_addresses = "127.0.0.1", fsync = "off", synchronous_commit = "off", full_page_writes = "off",
  shared_buffers = "32MB", max_connections = 50, autovacuum = "off", max_wal_senders = 0, wal_level = "minimal",
}

-- An empty cluster, made once a machine and version.
local function template()
  local version = run({ bin .. "/postgres", "--version" }):match "(%d[%w.]*)"
  local path = ("%s/itlua-postgres-%s-%s"):format(base(), version, shell "id -u")
  if fs.exists(path) then return path end
  local fresh = shell("mktemp -d " .. base() .. "/itlua-pg.XXXXXX")
  own(fresh)
  run(as_user { bin .. "/initdb", "-D", fresh .. "/data", "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8",
    "--locale=C", "--no-instructions" })
  if not os.rename(fresh, path) then run { "rm", "-rf", fresh } end -- another was first
  return path
end

local function conf(settings, port, socket)
  local lines = { ("port = %d"):format(port), ("unix_socket_directories = '%s'"):format(socket) }
  for name, value in pairs(settings) do lines[#lines + 1] = ("%s = '%s'"):format(name, tostring(value)) end
  return table.concat(lines, "\n") .. "\n"
end

-- ---- starting and stopping

--- Starts it (again, in the same place) and waits until it takes connections.
function Server:start()
  self.process = process.start {
    command = as_user { bin .. "/postgres", "-D", self.data }, merge = true, cwd = self.folder,
    env = { LC_ALL = "C" },
  }
  while true do
    local ok, err = pcall(function() sql.connect({ host = self.socket, port = self.port, user = "postgres",
      dbname = "template1" }):close() end)
    if ok then return end
    if not self.process:running() then error("postgres ended:\n" .. self.process:output("stdout")) end
    if err.code ~= "ENOENT" and err.code ~= "ECONNREFUSED" and err.code ~= "57P03" then error(err, 0) end
    task.sleep(0.01)
  end
end

--- Starts a server.
---@param options? { settings?: table, hba?: string, tls?: boolean } more of postgresql.conf; the whole of pg_hba.conf
function postgres.start(options)
  options = options or {}
  find()
  local from = template()
  for _ = 1, 20 do
    local folder = shell("mktemp -d " .. base() .. "/itlua-pg.XXXXXX")
    local port = math.random(20000, 32000)
    local settings = {}
    for name, value in pairs(base_settings) do settings[name] = value end
    for name, value in pairs(options.settings or {}) do settings[name] = value end
    run { "cp", "-a", from .. "/data", folder .. "/data" }
    fs.append(folder .. "/data/postgresql.conf", conf(settings, port, folder))
    if options.hba then fs.write(folder .. "/data/pg_hba.conf", options.hba) end
    if options.tls then
      run { "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
        "-keyout", folder .. "/data/server.key", "-out", folder .. "/data/server.crt" }
      fs.append(folder .. "/data/postgresql.conf", "ssl = on\n")
    end
    own(folder)
    local self = setmetatable({ folder = folder, data = folder .. "/data", port = port, socket = folder }, Server)
    local ok, err = pcall(self.start, self)
    if ok then return self end
    self:stop()
    if not tostring(err):find("could not bind", 1, true) then error(err, 0) end
  end
  error "no free port for PostgreSQL"
end

--- The URL of one of its databases.
---@param database? string
---@param name? string     of the user, "postgres"
function Server:url(database, name)
  return ("postgresql://%s@127.0.0.1:%d/%s"):format(name or "postgres", self.port, database or "postgres")
end

--- To the server and all its processes, each of which is a group of its own: "STOP" freezes it, "CONT" lets it go on.
function Server:signal(name)
  local processes = shell(("ps -o pid= --pid %d --ppid %d"):format(self.process.pid, self.process.pid))
  shell(("kill -%s %s 2>/dev/null || true"):format(name, processes:gsub("%s+", " ")))
end

--- As a crash: SIGKILL to all of it. Frozen first, or one process would see another die and say so.
function Server:kill()
  self:signal "STOP"
  self:signal "KILL"
  self.process:wait()
end

--- An empty database, and its URL.
function Server:database(name)
  local db <close> = sql.connect(self:url())
  db:exec(("CREATE DATABASE %s"):format(name))
  return self:url(name)
end

--- What it has logged.
function Server:log()
  return self.process:output "stdout"
end

--- Runs psql with the statement and returns what it prints, unaligned, without headers.
function Server:psql(statement)
  return (run({ bin .. "/psql", "-X", "-A", "-t", "-q", "-c", statement, self:url() }):gsub("\n$", ""))
end

--- Ends it and removes its folder.
function Server:stop()
  if self.process then
    if self.process:running() then
      self:signal "CONT"
      self.process:signal "INT" -- a fast shutdown; TERM would wait for connections
    end
    self.process:stop { grace = 5 }
  end
  process.run { "rm", "-rf", self.folder }
end

Server.__close = Server.stop

return postgres
