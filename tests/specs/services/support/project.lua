--- Projects of their own with an itlua.lua, and runs of itlua in them.

local fs = require "itlua.fs"
local process = require "itlua.process"

local project = {}

--- An HTTP service that says what its environment is: GET /env/NAME, /health, POST /exit.
project.APP = [[
local server = require "itlua.server"
local srv = server.listen { port = math.tointeger(tonumber(os.getenv "PORT" or "0")) }
srv:get("/health", function() return { text = "fine" } end)
srv:get("/env/{name}", function(req) return { text = os.getenv(req.params.name) or "" } end)
srv:post("/say", function(req) print(req.body) io.stdout:flush() return 204 end)
print("listening on " .. srv.port)
io.stdout:flush()
srv:serve()
]]

--- The settings of a service that runs APP.
---@param more? string    further fields, as Lua
function project.app(more)
  return ([[{ kind = "process", command = { %q, "exec", "app.lua" }, %s }]]):format(process.self(), more
    or [[env = { PORT = "${app.port}" }, ready = { http = "/health" }]])
end

--- Makes one: files by name; `services` is the Lua of the table, `specs` the spec files.
---@param files table<string, string>
---@return itlua.fs.Temporary
function project.new(files)
  local dir = fs.tempdir { prefix = "itlua-project-" }
  for name, text in pairs(files) do dir:write(name, text) end
  if not files["app.lua"] then dir:write("app.lua", project.APP) end
  return dir
end

--- The itlua.lua that declares these services.
---@param services string
function project.settings(services)
  return "return { services = {\n" .. services .. "\n} }\n"
end

--- Runs itlua in it.
---@param dir itlua.fs.Temporary
---@param arguments string[]
---@param env? table
---@return itlua.process.Result
function project.run(dir, arguments, env)
  local all = { DATABASE_URL = false, REDIS_URL = false, DOCKER_HOST = "unix:///nowhere", NO_COLOR = "1" }
  for name, value in pairs(env or {}) do all[name] = value end
  return process.run {
    command = { process.self(), table.unpack(arguments) }, cwd = dir.path, merge = true, env = all, timeout = 240,
  }
end

--- Runs its specs, which have to pass.
function project.passes(dir, arguments, env)
  local result = project.run(dir, arguments or { "-o", "plainTerminal" }, env)
  if result.code ~= 0 then error(("exit code %d\n%s"):format(result.code, result.stdout), 2) end
  return result.stdout
end

return project
