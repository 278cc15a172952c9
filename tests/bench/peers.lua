--- What the benchmark measures with and against: commands run and timed, the programs in C beside this file, servers.

local core = require "itlua.core"
local fs = require "itlua.fs"
local process = require "itlua.process"
local server = require "itlua.server"

local peers = { itlua = process.self(), build = os.getenv "BUILD" or "build" }

-- Where the system's own programs are, which are not in everybody's path.
local path = (os.getenv "PATH" or "/usr/bin:/bin") .. ":/usr/sbin"

--- Whether there is such a program.
---@param name string
---@return boolean
function peers.has(name)
  return process.run { "/bin/sh", "-c", 'command -v "$0"', name, env = { PATH = path } }.code == 0
end

--- What a command prints, without the last line end; raises where it fails.
---@param words string[]
---@param options? table of process.run
---@return string
function peers.output(words, options)
  local all = { check = true, timeout = 300, table.unpack(words) }
  for name, value in pairs(options or {}) do all[name] = value end
  return (process.run(all).stdout:gsub("%s+$", ""))
end

--- The program tests/bench/NAME.c, compiled where it is older than its source.
---@param name string
---@param library? string   of pkg-config
---@return string path
function peers.program(name, library)
  local source = ("tests/bench/%s.c"):format(name)
  local program = fs.join(fs.realpath(peers.build), "bench", name)
  fs.mkdir(fs.dirname(program))
  if not fs.exists(program) or fs.stat(program).modified < fs.stat(source).modified then
    peers.output { "/bin/sh", "-c", ('${CC:-cc} -D_GNU_SOURCE -O2 -o "$0" "$1" %s'):format(
      library and ("$(pkg-config --cflags --libs %s)"):format(library) or ""), program, source }
  end
  return program
end

--- What is started until this is closed shares one CPU. A request that is answered in microseconds takes twice as long from
--- one CPU to another, for either side of a comparison, and which of the two it is the system decides anew with every process.
function peers.on_one_cpu()
  local own = peers.output { "/bin/sh", "-c", "echo $PPID" }
  local before = peers.output { "taskset", "-cp", own }:match "(%S+)$"
  peers.output { "taskset", "-cp", before:match "%d+", own }
  return setmetatable({}, { __close = function() peers.output { "taskset", "-cp", before, own } end })
end

local gauge

--- Runs a command to its end, its output thrown away.
---@param words string[]
---@param options? { cwd?: string, memory?: boolean, code?: integer }   the exit code it has to have, 0
---@return number seconds
---@return number kilobytes   the peak of all its processes, with `memory`
function peers.timed(words, options)
  options = options or {}
  gauge = gauge or peers.program "gauge"
  local all = { gauge }
  if options.memory then all[2] = "-m" end
  table.move(words, 1, #words, #all + 1, all)
  local seconds, kilobytes, code = peers.output(all, { cwd = options.cwd }):match "^(%S+) (%d+) (%d+)$"
  if tonumber(code) ~= (options.code or 0) then
    error(("%s: exit code %s"):format(table.concat(words, " "), code), 0)
  end
  return tonumber(seconds), tonumber(kilobytes)
end

--- Runs one test and returns the seconds of its measured part.
---@param before string   Lua that makes what the test needs
---@param body string     Lua that is measured
---@return number seconds
function peers.in_test(before, body)
  local dir <close> = fs.tempdir()
  local result = dir:join "seconds"
  dir:write("measured_spec.lua", ([[
    local core, fs = require "itlua.core", require "itlua.fs"
    it("is measured", function()
      %s
      collectgarbage()
      local from = core.now()
      %s
      fs.write(%q, tostring(core.now() - from))
    end)
  ]]):format(before, body, result))
  peers.output { peers.itlua, "--timeout=280", dir:join "measured_spec.lua" }
  return tonumber(fs.read(result))
end

-- A port that was free just now.
local function free_port()
  local probe <close> = server.listen()
  return probe.port
end

-- Waits until something listens there.
local function reachable(started, port)
  for _ = 1, 500 do
    if process.run { "/bin/sh", "-c", ("exec 2>/dev/null; command -v bash >/dev/null || exit 1; " ..
      "bash -c ': </dev/tcp/127.0.0.1/%d'"):format(port) }.code == 0 then return end
    if not started:running() then error(started:output "stderr", 0) end
    core.sleep(0.01)
  end
  error(("nothing listens on port %d"):format(port), 0)
end

--- What every HTTP server of the benchmark answers.
peers.body = '{"id":1,"customer":"c-1","status":"pending","items":[{"sku":"a","quantity":2}]}'

local nginx_conf = [[
daemon off;
master_process off;
worker_processes 1;
pid nginx.pid;
error_log nginx.log;
events { worker_connections 512; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
  server {
    listen 127.0.0.1:%d;
    default_type application/json;
    location / { return 200 '%s'; }
  }
}
]]

local Service = {}
Service.__index = Service
function Service.__close(self)
  self.process:close()
  self.dir:close()
end

--- nginx with one worker that answers `peers.body`; `.url`.
function peers.nginx()
  local dir, port = fs.tempdir(), free_port()
  local conf = dir:write("nginx.conf", nginx_conf:format(port, peers.body))
  local started = process.start { "nginx", "-p", dir.path, "-c", conf, env = { PATH = path } }
  reachable(started, port)
  return setmetatable({ dir = dir, process = started, url = ("http://127.0.0.1:%d/"):format(port) }, Service)
end

--- A script under `itlua exec` that prints the URL it serves; `.url`.
---@param script string
function peers.service(script)
  local dir = fs.tempdir()
  local started = process.start { peers.itlua, "exec", dir:write("service.lua", script) }
  return setmetatable({ dir = dir, process = started, url = started:expect "^http://.*" }, Service)
end

--- itlua.server with a Lua handler that answers `peers.body`; `.url`.
function peers.lua_server()
  return peers.service(([[
    local srv = require("itlua.server").listen()
    srv:get("/", function() return { headers = { ["content-type"] = "application/json" }, body = %q } end)
    io.stdout:setvbuf "line"
    print(srv.url .. "/")
    srv:serve()
  ]]):format(peers.body))
end

--- Seconds a request under wrk with 32 connections.
---@param url string
---@return number
function peers.wrk(url)
  local out = peers.output { "wrk", "-t1", "-c32", "-d2s", url }
  if out:find "Non%-2xx" or out:find "Socket errors" then error(out, 0) end
  return 1 / tonumber(out:match "Requests/sec:%s*([%d.]+)")
end

--- redis-server without a disk; `.port`.
function peers.redis()
  local dir, port = fs.tempdir(), free_port()
  local started = process.start { "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly",
    "no", "--dir", dir.path }
  reachable(started, port)
  return setmetatable({ dir = dir, process = started, port = port }, Service)
end

return peers
