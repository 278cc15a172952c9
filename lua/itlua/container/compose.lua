--- Docker Compose projects through the installed tool: up, found by labels, always taken down with their volumes.

local Container = require "itlua.container.handle"
local closing = require "itlua.closing"
local condition = require "itlua.container.condition"
local core = require "itlua.core"
local encode = require "itlua.encode"
local fs = require "itlua.fs"
local identity = require "itlua.identity"
local owner = require "itlua.container.owner"
local plan = require "itlua.container.plan"
local process = require "itlua.process"

local compose = {}

---@class itlua.container.ComposeOptions
---@field file? string|string[]     compose files; the tool's own search in `folder` without
---@field folder? string            where the tool runs
---@field project? string           its name; made up
---@field services? string[]        only these and what they need
---@field profiles? string[]
---@field env? table<string, string|number>   for the files' ${NAME}
---@field build? boolean            build images anew
---@field wait? table<string, itlua.container.Condition|false>   by service; without: what container.run would wait for.
---    false: it only has to have been started
---@field startup_timeout? number   seconds, 120

local KNOWN = {
  file = "string table", folder = "string", project = "string", services = "table", profiles = "table", env = "table",
  build = "boolean", wait = "table", startup_timeout = "number",
}

---@class itlua.container.Project
---@field name string
local Project = {}
Project.__index = Project
Project.__name = "itlua.container.compose"

function Project:__tostring()
  return ("compose project %s%s"):format(self.name, self.removed and " (removed)" or "")
end

-- ---- the tool

local TOOLS = { { "docker", "compose" }, { "docker-compose" }, { "podman", "compose" } }

local tool

--- The words that the installed tool is called by. Raises COMPOSE_MISSING.
---@return string[]
function compose.tool()
  if tool then return tool end
  for _, words in ipairs(TOOLS) do
    local command = table.move(words, 1, #words, 1, {})
    command[#command + 1] = "version"
    local ok, result = pcall(process.run, { command = command, timeout = 20 })
    if ok and result.code == 0 then
      tool = words
      return words
    end
  end
  core.raise("container", "COMPOSE_MISSING", "container.compose needs docker compose, docker-compose or podman compose; " ..
    "none of them runs here (on Debian: apt-get install docker-compose, or Docker's package docker-compose-plugin)")
end

-- The tool has to speak to our engine, however that was found.
local function environment(engine, env)
  local all = { DOCKER_HOST = engine.address, COMPOSE_PROJECT_NAME = false, COMPOSE_ANSI = "never" }
  local tls = engine.endpoint.tls
  if tls then
    all.DOCKER_TLS_VERIFY = tls.verify ~= false and "1" or false
    all.DOCKER_CERT_PATH = tls.ca and fs.dirname(tls.ca) or false
  end
  for name, value in pairs(env or {}) do all[name] = value end
  return all
end

local function said(result)
  local text = (result.stderr ~= "" and result.stderr or result.stdout):gsub("\27%[[%d;]*%a", ""):gsub("\r", "\n")
  return (text:gsub("%s+$", ""))
end

-- Runs the tool with the project's name and files in front.
function Project:_tool(timeout, ...)
  local words = compose.tool()
  local command = table.move(words, 1, #words, 1, {})
  for _, word in ipairs(self.front) do command[#command + 1] = word end
  for _, word in ipairs { ... } do command[#command + 1] = word end
  local ok, result = pcall(process.run, { command = command, cwd = self.folder, env = self.env, timeout = timeout })
  if ok then return result end
  if core.is_error(result) == "timeout" and result.code == "PROCESS" then
    core.raise("container", "COMPOSE", ("%s: '%s' was not done within %.6g s\n%s"):format(tostring(self), (...), timeout,
      said(result)))
  end
  return error(result, 0)
end

local function front_of(options, name)
  local words = { "-p", name }
  for _, file in ipairs(type(options.file) == "string" and { options.file } or options.file or {}) do
    local path = options.folder and not file:find "^/" and fs.join(options.folder, file) or file
    if not fs.exists(path) then
      core.raise("container", "COMPOSE_INVALID", ("container.compose: there is no file %s"):format(path))
    end
    words[#words + 1] = "-f"
    words[#words + 1] = fs.realpath(path)
  end
  for _, profile in ipairs(options.profiles or {}) do
    words[#words + 1] = "--profile"
    words[#words + 1] = profile
  end
  return words
end

-- ---- its containers

local function containers_of(self, service)
  local labels = { "com.docker.compose.project=" .. self.name }
  if service then labels[2] = "com.docker.compose.service=" .. service end
  return self.engine:ask("GET", "/containers/json", tostring(self) .. ": list",
    { query = { all = "true", filters = { label = labels } } })
end

--- The names of its services that have a container.
---@return string[]
function Project:services()
  local seen, list = {}, {}
  for _, item in ipairs(containers_of(self)) do
    local name = item.Labels["com.docker.compose.service"]
    if name and not seen[name] then
      seen[name] = true
      list[#list + 1] = name
    end
  end
  table.sort(list)
  return list
end

--- The container of a service: with port(n), exec, logs, pause and all else a container has.
---@param name string
---@return itlua.container.Container
function Project:service(name)
  if self.removed then core.usage(("%s was taken down"):format(tostring(self))) end
  local list = containers_of(self, name)
  table.sort(list, function(a, b) return a.Created < b.Created end)
  local found = list[1]
  if not found then
    core.raise("container", "SERVICE", ("%s has no service '%s' (there is %s)"):format(tostring(self), name,
      table.concat(self:services(), ", ")))
  end
  return Container.new(self.engine, {
    id = found.Id, name = found.Names[1]:gsub("^/", ""), image = found.Image, attached = true,
  })
end

--- What its services have printed; of one, or all of them with their names in front.
---@param service? string
---@param options? table    tail, since: as of a container's logs
---@return string
function Project:logs(service, options)
  if service then return self:service(service):logs(options) end
  local text = {}
  for _, name in ipairs(self:services()) do
    for line in self:service(name):logs(options):gmatch "[^\n]+" do text[#text + 1] = ("%s | %s"):format(name, line) end
  end
  return table.concat(text, "\n")
end

---@class itlua.container.Published
---@field id string                     the container's
---@field host string
---@field ports table<string, integer>  by the port inside, "8080" or "53/udp": the one of this machine
---@field port integer?                 where there is one alone
---@field url string?                   of that one

--- Where its services are, by their names, at this moment.
---@return table<string, itlua.container.Published>
function Project:published()
  local found, host = {}, self.engine:published_host()
  for _, item in ipairs(containers_of(self)) do
    local name, one = item.Labels["com.docker.compose.service"], { id = item.Id, host = host, ports = {} }
    local count = 0
    for _, binding in ipairs(type(item.Ports) == "table" and item.Ports or {}) do
      local key = binding.Type == "tcp" and tostring(binding.PrivatePort) or binding.PrivatePort .. "/" .. binding.Type
      if binding.PublicPort and not one.ports[key] then
        one.ports[key], count = binding.PublicPort, count + 1
      end
    end
    local _, port = next(one.ports)
    if count == 1 then one.port, one.url = port, ("http://%s:%d"):format(host, port) end
    if name then found[name] = found[name] or one end
  end
  return found
end

-- ---- its life

local function tell_tool(self, timeout, ...)
  local result = self:_tool(timeout, ...)
  if result.code ~= 0 then
    core.raise("container", "COMPOSE", ("%s: %s failed with code %d\n%s"):format(tostring(self), (...), result.code,
      said(result)))
  end
end

--- Ends its containers, which stay: start brings them back.
---@param options? { timeout?: number }   seconds from the stop signal to the kill, 10
function Project:stop(options)
  local grace = math.ceil(options and options.timeout or 10)
  tell_tool(self, grace + 60, "stop", "-t", tostring(grace))
end

--- Starts its stopped containers, and waits until they are ready. Published ports may have changed.
function Project:start()
  tell_tool(self, self.startup_timeout, "start")
  self:wait_ready()
end

--- A signal for the first process of each of its containers; "STOP" pauses them, "CONT" lets them go on.
---@param name string
function Project:signal(name)
  if name == "STOP" then return tell_tool(self, 60, "pause") end
  if name == "CONT" then return tell_tool(self, 60, "unpause") end
  tell_tool(self, 60, "kill", "-s", "SIG" .. name)
end

local function down(self)
  local result = self:_tool(60, "down", "-v", "--remove-orphans", "-t", "2")
  if result.code ~= 0 then owner.remove_project(self.engine, self.name) end -- as the tool itself would find it
  owner.unmark_project(self.engine, self.name)
  if result.code == 0 then return end
  core.raise("container", "COMPOSE", ("%s: down failed with code %d\n%s"):format(tostring(self), result.code, said(result)))
end

--- Takes it down: containers, networks, volumes.
function Project:down()
  if self.removed then return end
  self.removed = true
  local scope = core.enter(70, true)
  local span = core.span("container", "compose down " .. self.name)
  local ok, err = pcall(down, self)
  core.span_end(span)
  core.leave(scope)
  closing.done(self.lease)
  if not ok then error(err, 0) end
end

Project.close, Project.__close = Project.down, Project.down

-- The state and the last words of what does not run as it should.
local function unwell(self)
  local text = {}
  for _, name in ipairs(self:services()) do
    local c = self:service(name)
    local state = c:inspect().State
    local bad = state.Status == "exited" and state.ExitCode ~= 0 or
      type(state.Health) == "table" and state.Health.Status == "unhealthy"
    if bad then
      text[#text + 1] = ("    %s: %s%s"):format(name, state.Status, state.Status == "exited" and
        (" (%d)"):format(state.ExitCode) or ", unhealthy")
      for line in c:logs({ tail = 10 }):gmatch "[^\n]+" do text[#text + 1] = "      " .. line end
    end
  end
  return #text > 0 and "\n" .. table.concat(text, "\n") or ""
end

local function check_file(self)
  local result = self:_tool(60, "config", "-q")
  if result.code ~= 0 then
    core.raise("container", "COMPOSE_INVALID", ("container.compose: the compose file is not valid\n%s"):format(said(result)))
  end
end

-- One that is done, as a migration is, is not waited for.
local function wait_for(self, name)
  local wanted = self.wait[name]
  if wanted == false then return end
  local c = self:service(name)
  local state = c:inspect().State
  if not wanted and state.Status == "exited" then
    if state.ExitCode == 0 then return end
    core.raise("container", "COMPOSE", ("%s: service %s has ended%s"):format(tostring(self), name, unwell(self)))
  end
  wanted = wanted or condition.default(c)
  if wanted then c:wait_for(wanted, { timeout = self.startup_timeout }) end
end

--- Waits until all its services are ready.
function Project:wait_ready()
  for name in pairs(self.wait) do self:service(name) end -- raises where there is no such service
  local tasks, failure = {}, nil
  for i, name in ipairs(self:services()) do tasks[i] = core.spawn(wait_for, self, name) end
  for _, task in ipairs(tasks) do
    local ok, err = core.join(task)
    if not ok then failure = failure or err end
  end
  if failure then error(failure, 0) end
end

local function up(self, options)
  local words = { "up", "-d" }
  if options.build then words[#words + 1] = "--build" end
  for _, service in ipairs(options.services or {}) do words[#words + 1] = service end
  local result = self:_tool(self.startup_timeout, table.unpack(words))
  if result.code ~= 0 then
    local ok, more = pcall(unwell, self)
    core.raise("container", "COMPOSE", ("%s: up failed with code %d\n%s%s"):format(tostring(self), result.code,
      said(result), ok and more or ""), { output = result.stdout .. result.stderr })
  end
  self:wait_ready()
end

-- Taking it down will remove all that has its name.
local function refuse_what_is_there(self)
  owner.sweep_project(self.engine, self.name)
  if #containers_of(self) == 0 then return end
  core.raise("container", "NAME", ("there is a compose project '%s' already, of somebody else: leave option 'project' " ..
    "out, or take that one down (docker-compose -p %s down)"):format(self.name, self.name))
end

--- Brings a project up, and returns when its services are ready.
---@param engine itlua.container.Engine
---@param options itlua.container.ComposeOptions
---@return itlua.container.Project
function compose.up(engine, options)
  plan.check(options, KNOWN, "container.compose")
  if not options.file and not options.folder then core.usage "container.compose needs a file, or a folder" end
  if options.folder and fs.exists(options.folder) ~= "folder" then
    core.raise("container", "COMPOSE_INVALID", ("container.compose: there is no folder %s"):format(options.folder))
  end
  local name = options.project or ("%s%s-%s"):format(owner.PROJECT, identity.current().pid, encode.hex(encode.random(4)))
  local self = setmetatable({
    engine = engine, name = name, front = front_of(options, name), folder = options.folder,
    env = environment(engine, options.env), wait = options.wait or {}, startup_timeout = options.startup_timeout or 120,
  }, Project)
  check_file(self)
  if options.project then refuse_what_is_there(self) end
  owner.protect(engine, owner.PROJECT_LABEL .. "=" .. name)
  owner.mark_project(engine, name)
  self.lease = closing.add(tostring(self), 1, function() self:down() end)
  local span = core.span("container", "compose up " .. name)
  local ok, err = pcall(up, self, options)
  core.span_end(span, not ok and "failed" or nil)
  if ok then return self end
  pcall(self.down, self)
  return error(err, 0)
end

return compose
