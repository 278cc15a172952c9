--- itlua doctor: what this machine offers to tests. It looks and asks; it changes and downloads nothing.

local system = require "itlua.cli.core"

local doctor = {}

doctor.help = [[
Usage: itlua doctor

Says what this machine offers: what the program itself needs, containers,
databases and brokers that can be started as plain processes, limits, settings of
the folder one stands in.
  ok  there and working     --  not there (and what it would be good for)
  !!  there, but not as it should be
Exit code: 0, or 1 where something is marked !!.
]]

local wrong

local function say(mark, name, text)
  if mark == "!!" then wrong = true end
  io.stdout:write(("  %s  %-14s %s\n"):format(mark, name, text))
end

local function title(text) io.stdout:write("\n", text, "\n") end

-- The first line that a command prints, or nil when it fails.
local function ask(command)
  local handle = io.popen(command .. " 2>&1 </dev/null")
  local line = handle and handle:read("l")
  local ok = handle and handle:close()
  return ok and line or nil
end

-- Where a program is: in the PATH, or in one of the folders (shell patterns) where packages hide it.
local function find(name, ...)
  for folder in (os.getenv("PATH") or ""):gmatch("[^:]+") do
    local path = folder .. "/" .. name
    if system.kind(path) == "file" then return path end
  end
  for _, pattern in ipairs { ... } do
    local path = ask(("ls -d %s/%s 2>/dev/null | sort -V | tail -n 1"):format(pattern, name))
    if path and system.kind(path) == "file" then return path end
  end
end

local function program(name, purpose, version_option, ...)
  local path = find(name, ...)
  if not path then return say("--", name, "not found; " .. purpose) end
  local line = ask(("'%s' %s"):format(path, version_option))
  if line then say("ok", name, ("%s (%s)"):format(line, path))
  else say("!!", name, ("%s cannot be run"):format(path)) end
end

-- == the program itself ==

local function itself()
  title(("itlua %s"):format(system.version))
  for _, entry in ipairs(require("itlua.cli.version").list()) do
    local loaded = not entry[2]:find("cannot be loaded", 1, true)
    say(loaded and "ok" or "!!", entry[1], entry[2])
  end
  local worker, why = pcall(function()
    local w <close> = system.worker("0", false)
    w:send("E")
    local ev, ended
    repeat ev, ended = w:next() until ev == nil
    if ended.code ~= 0 or ended.signal ~= 0 then error(ended.reason .. " " .. ended.output, 0) end
  end)
  if worker then say("ok", "workers", "a worker process starts and ends")
  else say("!!", "workers", "a worker process cannot be started: " .. tostring(why)) end
end

-- == the machine ==

local function memory()
  local f = io.open("/proc/meminfo")
  local text = f and f:read("a") or ""
  if f then f:close() end
  local total, free = text:match("MemTotal:%s*(%d+)"), text:match("MemAvailable:%s*(%d+)")
  if not total then return end
  say("ok", "memory", ("%.1f GB, %.1f GB of it free"):format(total / 2 ^ 20, (free or 0) / 2 ^ 20))
end

local function machine()
  title("This machine")
  local cores = system.cores()
  say("ok", "processors", ("%d: -j %d in a project with an itlua.lua"):format(cores, cores))
  memory()
  local files = system.limit("files")
  if files < 1024 then say("!!", "open files", ("%d at most: runs with much concurrency need 1024"):format(files))
  else say("ok", "open files", files == math.huge and "no limit" or ("%d at most"):format(files)) end
  local folder = os.getenv("TMPDIR") or "/tmp"
  say(system.kind(folder) == "directory" and "ok" or "!!", "temporary", folder)
  local locale = os.getenv("LC_ALL") or os.getenv("LC_CTYPE") or os.getenv("LANG") or ""
  if locale:lower():find("utf%-?8") then say("ok", "locale", locale)
  else say("--", "locale", (locale ~= "" and locale or "C") .. ": not UTF-8, names outside ASCII may look odd") end
end

-- == containers ==

local function compose_tool()
  local ok, words = pcall(require("itlua.container.compose").tool)
  if ok then say("ok", "compose", table.concat(words, " "))
  else say("--", "compose", "no docker compose, docker-compose or podman compose; services of kind compose need one") end
end

local function containers()
  title("Containers")
  compose_tool()
  local environment = setmetatable({}, { __index = function(_, name) return os.getenv(name) end })
  local ok, engine = pcall(require("itlua.container.engine").connect, environment)
  if ok then return say("ok", "engine", tostring(engine)) end
  local text = tostring(type(engine) == "table" and engine.message or engine)
  if type(engine) == "table" and engine.code == "NO_ENGINE" and not os.getenv("DOCKER_HOST") then
    return say("--", "engine", "none answers: no Docker or Podman socket; containers cannot be started here")
  end
  say("!!", "engine", (text:gsub("\n", "\n                     ")))
end

-- == programs that stand in for containers ==

local function programs()
  title("Programs")
  program("postgres", "tests of SQL need one, or a container", "--version", "/usr/lib/postgresql/*/bin",
    "/usr/local/pgsql/bin")
  program("initdb", "makes a database to throw away", "--version", "/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin")
  program("redis-server", "tests of Redis need one, or a container", "--version")
  program("java", "a Kafka broker of its own needs it", "-version")
  local kafka, why = require("itlua.services.kafka.home").find {}
  if kafka then say("ok", "kafka", ("Apache Kafka %s in %s"):format(kafka.version, kafka.path))
  else say("--", "kafka", "a broker of its own: " .. why) end
  program("openssl", "makes certificates to test with", "version")
end

-- == services ==

local function one_service(name, spec, kind)
  local chosen, passed = require("itlua.services.choice").of(kind, spec)
  local tried = #passed > 0 and " (not " .. table.concat(passed, "; not ") .. ")" or ""
  if chosen then say("ok", name, ("%s: %s%s"):format(chosen.provider.name, chosen.text, tried))
  else say(spec.kind and "!!" or "--", name, "cannot be had here" .. tried) end
end

-- What a run would take for each service, and what was passed over for it.
local function services()
  local kinds = require "itlua.services.kinds"
  local settings = system.kind("itlua.lua") == "file" and require("itlua.cli.config").load({}, {}) or {}
  if settings.services then
    title("Services of itlua.lua")
    for _, name in ipairs(require("itlua.show").keys(settings.services)) do
      local spec = settings.services[name]
      one_service(name, spec, kinds.find(spec.kind))
    end
    return
  end
  title("Services that an itlua.lua could declare")
  for _, name in ipairs { "postgres", "redis", "kafka" } do one_service(name, {}, kinds.find(name)) end
end

-- == this folder ==

local function folder()
  title("This folder")
  local any
  for _, name in ipairs { "itlua.lua", ".busted" } do
    if system.kind(name) == "file" then
      any = true
      local settings, why = require("itlua.cli.config").load({}, {})
      if settings then say("ok", name, "can be read") else say("!!", name, why) end
      break
    end
  end
  if not any then say("--", "settings", "neither an itlua.lua nor a .busted: a plain busted project") end
  local found
  for _, name in ipairs { "specs", "spec" } do
    if system.kind(name) == "directory" then
      found = true
      say("ok", name .. "/", "is run by default")
      break
    end
  end
  if not found then say("--", "specs", "no specs/ and no spec/: name paths to run") end
end

---@return integer exit_code
function doctor.run()
  wrong = false
  itself()
  machine()
  containers()
  programs()
  services()
  folder()
  return wrong and 1 or 0
end

return doctor
