--- Services of kind "process": a program of the project.
--
--     app = { kind = "process", command = { "./server" }, cwd = "app", ready = { http = "/health" },
--             env = { DATABASE_URL = "${db.url}", PORT = "${app.port}" } }
--     app = { kind = "process", command = "node app.js", ready = { line = "listening on (%d+)" } }
--
-- `exit = 0` is the code that it has to end with, when it is stopped and at the end of the run; without it any will do.
-- `${app.port}` in its own description is a free port that itlua chose; the first capture of ready.line is the port else.

local core = require "itlua.core"
local fs = require "itlua.fs"

local kind = {
  name = "process",
  options = {
    command = "text", env = "table", clear_env = "boolean", cwd = "string", ready = "table", port = "number", url = "string",
    stop_timeout = "number", exit = "number",
  },
  fields = { "url", "host", "port" },
  own_fields = { "port" },
}

local conditions = { http = "string", line = "string", port = "any", status = "number", host = "string" }

function kind.check(spec)
  if not spec.command or #spec.command == 0 then return "option 'command' is missing" end
  for name, value in pairs(spec.ready or {}) do
    local wanted = conditions[name]
    if not wanted then return ("ready has no '%s' (there is http, line, port, status)"):format(tostring(name)) end
    if wanted ~= "any" and type(value) ~= wanted then return ("ready.%s must be a %s"):format(name, wanted) end
  end
  if spec.ready and spec.ready.line then
    local ok, why = pcall(string.find, "", spec.ready.line)
    if not ok then return ("ready.line is no Lua pattern: %s"):format((tostring(why):gsub("^.-: ", ""))) end
  end
  local program = type(spec.command) == "table" and spec.command[1]
  if program and type(program) ~= "string" then return "command[1] must be a string" end
end

-- ---- what has to come true

local function line_condition(instance, pattern)
  return {
    name = ("a line of its output matches '%s'"):format(pattern),
    try = function()
      for _, line in ipairs(instance.lines) do
        local found = table.pack(line.text:find(pattern))
        if found[1] then
          local port = found[3] and math.tointeger(tonumber(found[3]))
          if port then
            instance.fields.port = port
            instance.fields.url = ("http://%s:%d"):format(instance.fields.host, port)
          end
          return true
        end
      end
      return false, ("%d lines, none matches"):format(#instance.lines)
    end,
  }
end

local function http_condition(instance, path, status)
  return {
    name = "GET " .. path .. (status and (" is answered with " .. status) or ""),
    try = function()
      local http = require "itlua.http"
      if not instance.fields.url and not path:find "^http" then
        core.raise("service", "NO_PORT", "which port? use ${its-name.port} in its env or command, or a ready.line that "
          .. "captures it")
      end
      instance.api = instance.api or http.client { timeout = 2, quiet = true, proxy = false, redirects = false }
      local r = instance.api:get(path:find "^http" and path or instance.fields.url .. path)
      if status and r.status == status or not status and r.status < 400 then return true end
      return false, ("%d %s"):format(r.status, (r.body or ""):sub(1, 120))
    end,
  }
end

local function port_condition(instance)
  return {
    name = "its port takes connections",
    try = function()
      local http = require "itlua.http"
      instance.api = instance.api or http.client { timeout = 2, quiet = true, proxy = false }
      local ok, err = pcall(instance.api.get, instance.api, instance.fields.url)
      if ok or core.is_error(err) and err.code ~= "ECONNREFUSED" then return true end
      return false, tostring(err)
    end,
  }
end

local function conditions_of(instance, ready)
  local list = {}
  if ready.line then list[#list + 1] = line_condition(instance, ready.line) end
  if ready.http then list[#list + 1] = http_condition(instance, ready.http, ready.status) end
  if ready.port then list[#list + 1] = port_condition(instance) end
  return list
end

-- ---- the provider

local program = { name = "native" }

local function words_of(command)
  return type(command) == "string" and command or table.concat(command, " ")
end

function program.find(spec)
  local command = spec.command
  local name = type(command) == "table" and tostring(command[1])
  if name and not name:find("/", 1, true) and not require("itlua.services.native").find(name) then
    return nil, ("there is no program '%s' in PATH"):format(name)
  end
  local path = name and name:find("/", 1, true) and (name:sub(1, 1) == "/" and name or fs.join(spec.cwd or ".", name))
  if path and not path:find("${", 1, true) and not fs.exists(path) then return nil, ("there is no %s"):format(path) end
  return {}, words_of(command)
end

function program.start(context)
  local spec = context.spec
  local host = spec.ready and spec.ready.host or "127.0.0.1"
  local instance = { fields = { host = host, port = context.own_port, url = spec.url }, lines = {}, grace = spec.stop_timeout }
  if not spec.url and instance.fields.port then
    instance.fields.url = ("http://%s:%d"):format(host, instance.fields.port)
  end
  instance.ready = conditions_of(instance, spec.ready or {})
  function instance:launch()
    self.process = require("itlua.process").start {
      command = spec.command, env = spec.env, clear_env = spec.clear_env, cwd = spec.cwd, merge = true,
    }
  end
  instance:launch()
  return instance
end

kind.providers = { program }

return kind
