--- A Redis server of the spec's own: a free port, nothing on disk, ended with the file.

local process = require "itlua.process"

local server = {}

---@param options? string[] further arguments of redis-server
---@return { port: integer, url: string, process: itlua.Process }
function server.start(options)
  for _ = 1, 20 do
    local port = math.random(20000, 50000)
    local command = { "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--daemonize", "no" }
    for _, word in ipairs(options or {}) do command[#command + 1] = word end
    local started = process.start { command = command, merge = true }
    if pcall(started.expect, started, "Ready to accept connections", { timeout = 30 }) then
      return { port = port, url = "redis://127.0.0.1:" .. port, process = started }
    end
    started:close()
  end
  error("redis-server did not start")
end

return server
