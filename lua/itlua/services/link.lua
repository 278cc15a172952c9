--- The way to the host of the services (host.lua): starting one, finding one that was left running, asking it.

local core = require "itlua.core"
local fs = require "itlua.fs"
local json = require "itlua.json"

local link = {}

local PATIENCE = 10 -- seconds until a host that was started has to listen

-- ---- asking

---@class itlua.services.Link
---@field socket string
local Link = {}
Link.__index = Link

--- A way to the host that listens, or will in a moment, on this socket.
---@param socket string
---@return itlua.services.Link
function link.to(socket)
  return setmetatable({ socket = socket }, Link)
end

local function client_of(self)
  if not self.client then
    self.client = require("itlua.http").client {
      unix_socket = self.socket, base_url = "http://services", quiet = true, timeout = false, proxy = false, cookies = false,
    }
    require("itlua.policy").exempt(self.client)
  end
  return self.client
end

-- What is made beside the socket by the first who finds nobody there.
local function wanted(socket) return fs.join(fs.dirname(socket), "wanted") end

-- The host may not listen yet, or not have been started. A service takes as long as it takes: the test's deadline ends
-- this wait.
local function request(self, method, path, body)
  local client, deadline = client_of(self), core.now() + PATIENCE
  while true do
    local ok, r = pcall(client.request, client, method, path, { json = body })
    if ok then
      self.met = true
      return r
    end
    if core.is_error(r) ~= "http" or r.code == "timeout" then error(r, 0) end
    if self.met or core.now() > deadline then
      core.raise("service", "NO_HOST", "the process that runs the services does not answer: " .. tostring(r.message))
    end
    if not self.called then
      self.called = true
      pcall(fs.write, wanted(self.socket), "")
    end
    core.sleep(0.005)
  end
end

--- Asks; what the host refuses or cannot do is raised as an error of kind "service".
---@param method string
---@param path string
---@param body? table
---@return table|string
function Link:ask(method, path, body)
  local silent = core.silence and core.silence(true) -- what we ask is no part of the test's timeline
  local ok, r = pcall(request, self, method, path, body)
  if core.silence then core.silence(silent) end
  if not ok then error(r, 0) end
  if (r.headers:get "content-type" or ""):find("json", 1, true) then
    local value = r:json()
    local failure = value.failure
    if failure then core.raise("service", failure.code, failure.message) end
    return value
  end
  if r.status >= 400 then core.raise("service", "REFUSED", ("%s %s: %d %s"):format(method, path, r.status, r.body)) end
  return r.body
end

-- ---- starting one

-- Of what is to run, and of the program that runs it: another one may not understand what is asked.
local function fingerprint(plan)
  return require("itlua.encode").sha256(json.encode(plan) .. "\0" .. require("itlua.cli.core").version)
end

link.fingerprint = fingerprint

local function input_for(plan, socket, folder, guard)
  return json.encode { socket = socket, plan = plan, fingerprint = fingerprint(plan), folder = folder, guard = guard }
end

---@class itlua.services.Running
---@field socket string
---@field process? itlua.Process   from the first use on
local Running = {}
Running.__index = Running

--- The services that it has started, a line each; nil where there are none.
---@return string?
function Running:started()
  local lines = {}
  for line in (self.process and self.process:output() or ""):gmatch "started ([^\n]+)\n" do lines[#lines + 1] = line end
  return lines[1] and table.concat(lines, "\n") or nil
end

--- What its host has printed since the last call: a line when a service begins to start, and one when it has.
---@return string
function Running:news()
  local text = self.process and self.process:output() or ""
  local seen = self.seen or 0
  local last = text:match "^.*()\n" or 0
  self.seen = math.max(seen, last)
  return text:sub(seen + 1, self.seen)
end

-- Ends the process and all that it runs.
local function stop_process(self)
  local process = self.process
  self.process = nil
  if not process:running() and process:wait().code ~= 0 then
    io.stderr:write("itlua: the process that runs the services has ended: ", process:output(), "\n")
  end
  local scope = core.enter(self.grace + 3, true)
  pcall(process.stop, process, { grace = self.grace })
  core.leave(scope)
  for line in process:output():gmatch "failed ([^\n]+)\n" do
    io.stderr:write("itlua: ", (line:gsub("\1", "\n")), "\n")
  end
end

--- Ends it and all that it runs.
function Running:close()
  if self.closed then return end
  self.closed = true
  self.watch:close()
  if self.process then stop_process(self) end
  self.folder:close()
end

Running.__close = Running.close

-- Seconds that it may take to end: the compose tool needs some.
local function grace_of(plan)
  for _, spec in pairs(plan) do if spec.kind == "compose" then return 60 end end
  return 5
end

-- Starts the host when the first who asks finds nobody there: many a run of a project uses none of its services.
local function await_first_use(self, plan, guard)
  local name = wanted(self.socket)
  repeat self.watch:next() until self.closed or fs.exists(name)
  if self.closed then return end
  local process = require "itlua.process"
  self.process = process.start {
    command = { process.self(), "services", "host" }, merge = true,
    input = input_for(plan, self.socket, self.folder.path, guard),
  }
end

--- Makes the way to a host for a run, which starts with its first use and ends with this process.
---@param plan itlua.services.Plan
---@param guard? boolean|"end"      what itlua.lua says of it
---@return itlua.services.Running
function link.start(plan, guard)
  local place = os.getenv "TMPDIR"
  local folder = fs.tempdir { prefix = "itlua-run-", within = place and #place > 60 and "/tmp" or nil }
  local socket = folder:join "services"
  local self = setmetatable({
    folder = folder, socket = socket, grace = grace_of(plan), watch = fs.watch(folder.path),
  }, Running)
  core.daemon(await_first_use, self, plan, guard)
  return self
end

-- ---- one that is left running

--- The folder of the host that `itlua services up` leaves running for this project. Its name is none of those that hosts
--- take for what others have left (host.lua).
---@return string
function link.kept_folder()
  local runtime, project = os.getenv "XDG_RUNTIME_DIR", fs.stat "."
  local place = runtime and fs.exists(runtime) == "folder" and runtime or "/tmp"
  return ("%s/itlua-kept-%x-%x-%x"):format(place, fs.stat("/proc/self").uid, project.device, project.inode)
end

-- Whether the folder is ours: its name can be foreseen.
local function is_ours(folder)
  local ok, stat = pcall(fs.stat, folder, { follow = false })
  return ok and stat.type == "folder" and stat.uid == fs.stat("/proc/self").uid and stat.mode & 18 == 0
end

--- The socket of one that was left running and answers, and the fingerprint of its plan.
---@return string? socket
---@return string? fingerprint
function link.kept()
  local folder = link.kept_folder()
  local socket = folder .. "/socket"
  if not is_ours(folder) or not fs.exists(socket) then return nil end
  if not require("itlua.cli.core").connects(socket) then return nil end
  local ok, answer = pcall(Link.ask, link.to(socket), "GET", "/services")
  if not ok then return nil end
  return socket, answer.fingerprint
end

--- Starts one that stays.
---@param plan itlua.services.Plan
---@param guard? boolean|"end"
---@return string socket
function link.keep(plan, guard)
  local process = require "itlua.process"
  local folder = link.kept_folder()
  fs.mkdir(folder, { mode = 448 })
  if not is_ours(folder) then core.raise("service", "FOLDER", folder .. " belongs to somebody else") end
  local socket = folder .. "/socket"
  fs.remove(socket, { force = true })
  local plan_file = folder .. "/plan"
  fs.write(plan_file, input_for(plan, socket, nil, guard), { mode = 384 })
  -- It has a session of its own before the first shell ends: with that goes whatever is left in its group.
  process.run {
    command = { "/bin/sh", "-c", [[setsid sh -c '"$1" services host <"$2" >"$3" 2>&1 &' sh "$@"; exit $?]], "sh",
      process.self(), plan_file, folder .. "/log" },
    check = true, timeout = 10,
  }
  return socket
end

return link
