--- Rows about services: an installed PostgreSQL against doing it by hand, and what a later file waits for.

local fs = require "itlua.fs"
local peers = require "tests.bench.peers"

local SETTINGS = 'return { services = { db = { kind = "postgres", provider = "native" } } }\n'

-- A run of specs in a project of its own; each writes to `seconds` what it has measured.
local function run(specs)
  local dir <close> = fs.tempdir()
  dir:write("itlua.lua", SETTINGS)
  for name, text in pairs(specs) do dir:write("specs/" .. name .. "_spec.lua", text) end
  peers.output({ peers.itlua, "-j", "1", "--concurrency", "1" }, { cwd = dir.path })
  return tonumber(fs.read(dir:join "seconds"))
end

local FIRST = [[
  local core = require "itlua.core"
  local began = core.now()
  local services, sql = require "itlua.services", require "itlua.sql"
  it("is there", function()
    local db <close> = sql.connect(services.db.url)
    assert.equal(1, db:value "SELECT 1")
    require("itlua.fs").write("seconds", tostring(core.now() - began))
  end)
]]

local BEFORE = [[
  local services = require "itlua.services"
  it("is first", function()
    services.db:connect()
    require("itlua.task").sleep(0.5) -- the next file's database is made ahead
  end)
]]

local SECOND = [[
  local core = require "itlua.core"
  local began = core.now()
  local db = require("itlua.services").db:connect()
  it("has a database of its own", function()
    assert.equal(1, db:value "SELECT 1")
    require("itlua.fs").write("seconds", tostring(core.now() - began))
  end)
]]

-- As the README of PostgreSQL does it; prints the seconds.
local BY_HAND = [[
set -e
dir=$(mktemp -d); as=
bin=$(dirname "$(readlink -f "$(command -v postgres || ls -d /usr/lib/postgresql/*/bin/postgres | tail -n 1)")")
[ "$(id -u)" != 0 ] || { chown postgres "$dir"; as='setpriv --reuid=postgres --regid=postgres --clear-groups'; }
port=$((20000 + $$ % 20000))
from=$(date +%s%N)
$as "$bin/initdb" -D "$dir/data" -A trust -U postgres >/dev/null 2>&1
$as "$bin/postgres" -D "$dir/data" -k "$dir" -p $port >/dev/null 2>&1 &
until psql -h 127.0.0.1 -p $port -U postgres -c 'SELECT 1' >/dev/null 2>&1; do sleep 0.01; done
echo $((($(date +%s%N) - from) / 1000))
kill -INT $!; wait; rm -rf "$dir"
]]

return {
  { key = "native-postgres", what = "An installed PostgreSQL as a service to its first SELECT", as = "time", reach = 0.2,
    against = "initdb, postgres and psql by hand", needs = { "psql" }, run = function(compare)
      run { a = FIRST } -- the template is made once a machine
      return compare(function() return run { a = FIRST } end, function()
        return tonumber(peers.output { "/bin/sh", "-c", BY_HAND }) / 1e6
      end)
    end },
  { key = "second-file", what = "The first test of a file with a database of a service that runs", as = "seconds",
    reach = 0.05, against = "-", needs = { "psql" }, run = function(compare)
      return compare(function() return run { a = BEFORE, b = SECOND } end)
    end },
}
