--- Rows about containers: against the same calls to the engine by curl, with the databases' own clients polling.

local container = require "itlua.container"
local core = require "itlua.core"
local fs = require "itlua.fs"
local peers = require "tests.bench.peers"
local process = require "itlua.process"
local redis = require "itlua.redis"
local sql = require "itlua.sql"
local task = require "itlua.task"

local function seconds(fn)
  local began = core.now()
  fn()
  return core.now() - began
end

-- Starts a container by curl, polls with a command that has $port, prints the seconds that took, removes it.
local SHELL = [[
api() { curl -fsS --unix-socket %s -H 'Content-Type: application/json' "$@"; }
from=$(date +%%s%%N)
id=$(api -X POST -d '%s' http://d/v1.41/containers/create | sed 's/.*"Id":"\([0-9a-f]*\)".*/\1/')
api -X POST http://d/v1.41/containers/$id/start
port=$(api http://d/v1.41/containers/$id/json | sed 's/.*"HostIp":"127.0.0.1","HostPort":"\([0-9]*\)".*/\1/')
until %s >/dev/null 2>&1; do :; done
echo $((($(date +%%s%%N) - from) / 1000))
api -X DELETE "http://d/v1.41/containers/$id?force=1&v=1"
]]

local function by_shell(image, port, poll)
  local body = ('{"Image":"%s","ExposedPorts":{"%d/tcp":{}},"HostConfig":{"PortBindings":{"%d/tcp":' ..
    '[{"HostIp":"127.0.0.1","HostPort":""}]}}}'):format(image, port, port)
  local script = SHELL:format(container.engine().endpoint.path, body, poll)
  return function() return tonumber(peers.output({ "/bin/sh", "-c", script }):match "%d+") / 1e6 end
end

local function redis_ready()
  local c
  local took = seconds(function()
    c = container.run "redis:7-alpine"
    local r <close> = redis.connect(c:url(6379, "redis"))
    r:ping()
  end)
  c:close()
  return took
end

local ENV = { POSTGRES_PASSWORD = "bench", POSTGRES_DB = "bench" }

local function postgres_ready(cached)
  local c
  local took = seconds(function()
    c = container.run { image = "postgres:16-alpine", env = ENV, cache = cached }
    local db <close> = sql.connect(("postgresql://postgres:bench@%s/bench"):format(c:address(5432)))
    db:value "SELECT 1"
  end)
  c:close()
  return took
end

local function sleeper()
  return container.run { image = "busybox", command = { "sleep", "1000" } }
end

local function five(at_once)
  local list = {}
  local took = seconds(function()
    if at_once then
      list = task.all(sleeper, sleeper, sleeper, sleeper, sleeper)
    else
      for i = 1, 5 do list[i] = sleeper() end
    end
  end)
  for _, c in ipairs(list) do c:close() end
  return took
end

local KILLED = [[
  local container, task, process = require "itlua.container", require "itlua.task", require "itlua.process"
  local function run() return container.run { image = "busybox", command = { "sleep", "1000" } } end
  local list = task.all(run, run, run, run, run)
  for _ = 1, 3 do process.start { "sleep", "4711" } end
  io.stdout:setvbuf "line"
  for _, c in ipairs(list) do print(c.name) end
  print "up"
  task.sleep(100)
]]

local function there(name)
  return container.engine():call("GET", "/containers/" .. name .. "/json", "look", { may = { [404] = true } }).status < 400
end

local function killed()
  local dir <close> = fs.tempdir()
  local run <close> = process.start { peers.itlua, "exec", dir:write("killed.lua", KILLED) }
  local names = {}
  for line in run:lines { timeout = 60 } do
    if line == "up" then break end
    names[#names + 1] = line
  end
  return seconds(function()
    run:signal "KILL"
    for _, name in ipairs(names) do
      while there(name) do core.sleep(0.01) end
    end
    while process.run({ "pgrep", "-f", "^sleep 4711$" }).code == 0 do core.sleep(0.01) end
  end)
end

-- Only where there is an engine with the images.
local function row(fields)
  local run = fields.run
  function fields.run(compare)
    local ok, why = container.available()
    if not ok then error(why, 0) end
    return run(compare)
  end
  return fields
end

return {
  row { key = "redis-container", what = "A redis container to its first PING", as = "time", reach = 1,
    against = "curl and redis-cli", needs = { "curl", "redis-cli" }, run = function(compare)
      return compare(redis_ready, by_shell("redis:7-alpine", 6379, "[ \"$(redis-cli -p $port ping)\" = PONG ]"))
    end },
  row { key = "postgres-container", what = "A postgres container, kept state, to its first SELECT", as = "time", reach = 1,
    against = "curl and psql, from the same image", needs = { "curl", "psql" }, run = function(compare)
      local c <close> = container.run { image = "postgres:16-alpine", env = ENV, cache = true }
      local image = c:inspect().Config.Image
      return compare(function() return postgres_ready(true) end, by_shell(image, 5432,
        "PGPASSWORD=bench psql -h 127.0.0.1 -p $port -U postgres -c 'SELECT 1' bench"))
    end },
  row { key = "postgres-cache", what = "A postgres container from its kept state", as = "time", reach = 0.333,
    against = "its plain start", run = function(compare)
      return compare(function() return postgres_ready(true) end, function() return postgres_ready() end)
    end },
  row { key = "five-containers", what = "5 containers started together", as = "time", reach = 0.75,
    against = "one after the other", run = function(compare)
      return compare(function() return five(true) end, function() return five(false) end)
    end },
  row { key = "killed", what = "SIGKILL to 5 containers and 3 processes gone", as = "seconds", reach = 1.5,
    against = "-", needs = { "pgrep" }, run = function(compare) return compare(killed) end },
}
