--- Where the settings of a run come from: the built-in values, `.busted`, `itlua.lua`, its profile, the command line;
--- the later wins. `.busted` and `itlua.lua` are Lua: they run with the user's globals and a deadline.

local core = require "itlua.core"
local system = require "itlua.cli.core"
local nearest = require "itlua.cli.nearest"
local options = require "itlua.cli.options"
local profile = require "itlua.cli.profile"

local config = {}

local BUDGET = 5 -- seconds that a configuration file may compute

-- Words of itlua.lua that are no options of the command line.
local own = { "guard", "hosts", "network", "profiles", "secrets", "services", "connections" }

local function read(path)
  local f, why = io.open(path, "rb")
  if not f then return nil, (why:gsub("^.-: ", "")) end
  local text
  text, why = f:read("a")
  f:close()
  return text, why
end

-- Runs a configuration file: what it returned, or nil and a message with the place.
local function evaluate(path)
  local text, why = read(path)
  if not text then return nil, ("%s: %s"):format(path, why) end
  local chunk
  chunk, why = load((text:gsub("^#[^\n]*", "")), "@" .. path, "t", core.globals())
  if not chunk then return nil, why end
  local scope = core.enter(BUDGET)
  local ok, value = pcall(chunk)
  local expired = core.leave(scope)
  if expired then return nil, ("%s: still running after %g s"):format(path, BUDGET) end
  if ok then return value, text end
  why = tostring(value)
  return nil, why:find(path, 1, true) and why or ("%s: %s"):format(path, why)
end

-- "itlua.lua:7" where the file names `word` on line 7.
local function place(path, text, word)
  local number = 0
  for line in (text .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    local code = line:gsub("%-%-.*$", "")
    if code:find("%f[%w_-]" .. word:gsub("%W", "%%%0") .. "%f[^%w_-]") then return path .. ":" .. number end
  end
  return path
end

local function join_names(list)
  local names = {}
  for name in pairs(list) do names[#names + 1] = tostring(name) end
  table.sort(names)
  return names
end

local function contains(list, word)
  for _, item in ipairs(list) do
    if item == word then return true end
  end
  return false
end

-- Takes the options of `from` over into `into`. `words`: others that may stand there; without them unknown names are let be.
local function take(into, from, path, text, words)
  local names = join_names(from)
  table.sort(names)
  for _, name in ipairs(names) do
    local value = from[name]
    local o = options.named(name) or options.named((name:gsub("_", "-")))
    if name == "ROOT" then
      into.ROOT = type(value) == "table" and value or { value }
    elseif o then
      local v, expected = options.coerce(o, value)
      if expected then
        return ("%s: %s must be %s, not %s"):format(place(path, text, name), name, expected,
          type(value) == "string" and ("'" .. value .. "'") or ("a " .. type(value)))
      end
      into[o.long] = v
      for _, other in ipairs(o.sets or {}) do into[other] = v end
    elseif words and not contains(words, name) then
      local known = { table.unpack(words) }
      for _, option in ipairs(options.run) do
        if option.config ~= false then known[#known + 1] = option.long end
      end
      return ("%s: unknown setting '%s'%s"):format(place(path, text, name), name, nearest.hint(name, known))
    end
  end
end

-- .busted: {_all = {…}, default = {…}, task = {…}}
local function busted(into, path, task)
  local file, text = evaluate(path)
  if type(text) ~= "string" or file == nil and text:find(path, 1, true) == 1 then return text end
  if type(file) ~= "table" then return ("%s: returns no table"):format(path) end
  local chosen = file[task or "default"]
  if task and type(chosen) ~= "table" then
    local tasks = {}
    for name, value in pairs(file) do
      if type(value) == "table" and name ~= "_all" then tasks[#tasks + 1] = tostring(name) end
    end
    table.sort(tasks)
    return ("%s: no task '%s'%s"):format(path, task,
      #tasks > 0 and (" (there is " .. table.concat(tasks, ", ") .. ")") or "")
  end
  local wrong = type(file._all) == "table" and take(into, file._all, path, text)
  return wrong or type(chosen) == "table" and take(into, chosen, path, text) or nil
end

local function strings(value)
  if type(value) ~= "table" then return false end
  for _, v in pairs(value) do
    if type(v) ~= "string" then return false end
  end
  return true
end

-- Every profile of the file is checked, the chosen one or not.
local function check_profiles(profiles, path, text)
  if type(profiles) ~= "table" then
    return ("%s: profiles must be a table of tables"):format(place(path, text, "profiles"))
  end
  for _, name in ipairs(join_names(profiles)) do
    if type(profiles[name]) ~= "table" then
      return ("%s: the profile '%s' must be a table"):format(place(path, text, name), name)
    end
    local wrong = take({}, profiles[name], path, text, profile.words)
    if wrong then return wrong end
    local _, mistake = profile.layers(name, profiles)
    if mistake then return ("%s: %s"):format(place(path, text, name), mistake) end
  end
end

-- Whom a run may talk to.
local function take_network(into, file, layers, path, text)
  local mode = profile.word(layers, "network", file.network)
  if mode ~= nil and mode ~= "declared" and mode ~= "any" then
    return ('%s: network must be "declared" or "any"'):format(place(path, text, "network"))
  end
  local hosts = profile.word(layers, "hosts", file.hosts)
  if hosts ~= nil and not strings(hosts) then
    return ("%s: hosts must be a list of names of hosts"):format(place(path, text, "hosts"))
  end
  for _, entry in ipairs(hosts or {}) do
    if not require("itlua.policy.network").is_pattern(entry) then
      return ("%s: hosts has '%s', which is no host: \"api.example\", \"*.example\" or \"10.0.0.7:8080\""):format(
        place(path, text, "hosts"), entry)
    end
  end
  into.network, into.hosts = mode, hosts
end

-- The words that are no options, of the file and of its profile.
local function take_words(into, file, layers, path, text)
  local secrets = profile.word(layers, "secrets", file.secrets)
  if secrets ~= nil and not strings(secrets) then
    return ("%s: secrets must be a list of names of environment variables"):format(place(path, text, "secrets"))
  end
  into.secrets = secrets
  into.read_only = profile.word(layers, "read_only") and true or nil
  into.connections = profile.word(layers, "connections", file.connections)
  if into.connections ~= nil and not strings(into.connections) then
    return ("%s: connections must be URLs by name"):format(place(path, text, "connections"))
  end
  local guard = profile.word(layers, "guard", file.guard)
  if guard ~= nil and type(guard) ~= "boolean" and guard ~= "end" then
    return ("%s: guard must be true, false or \"end\""):format(place(path, text, "guard"))
  end
  into.guard = guard
  local wrong = take_network(into, file, layers, path, text)
  if wrong then return wrong end
  local declared = profile.word(layers, "services", file.services)
  if declared ~= nil then
    local services, mistake, word = require("itlua.services.plan").read(declared)
    if not services then return ("%s: %s"):format(place(path, text, word), mistake) end
    into.services = services
  end
end

-- The profile's layers into the settings.
local function take_profile(into, name, profiles, path, text)
  if not name then return nil, {} end
  local layers, wrong = profile.layers(name, profiles)
  if not layers then return ("--profile: %s"):format(wrong) end
  for _, layer in ipairs(layers) do
    wrong = take(into, layer.settings, path, text)
    if wrong then return wrong end
  end
  return nil, layers
end

-- itlua.lua: {option = value, profiles = {name = {…}}, secrets = {…}}
local function project(into, path, chosen)
  local file, text = evaluate(path)
  if type(file) ~= "table" then
    return file == nil and type(text) == "string" and text:find(path, 1, true) == 1 and text
      or ("%s: returns no table"):format(path)
  end
  local wrong = take(into, file, path, text, own) or check_profiles(file.profiles or {}, path, text)
  if wrong then return wrong end
  into.profiles = profile.names(file.profiles)
  local layers
  wrong, layers = take_profile(into, chosen, file.profiles, path, text)
  return wrong or take_words(into, file, layers, path, text)
end

--- All settings of a run, from everywhere.
---@param given table        what the command line said (options.parse)
---@param roots string[]     its paths
---@return table? settings   long names to values; ROOT, project (there is an itlua.lua), guard, secrets, services
---@return string? wrong     what is wrong with them, with the place
function config.load(given, roots)
  local settings = options.defaults()
  local directory = given.directory
  if directory and system.kind(directory) ~= "directory" then
    return nil, ("-C %s: no such folder"):format(directory)
  end
  local function inside(name) return directory and (directory .. "/" .. name) or name end

  local file = given["config-file"]
  if file and system.kind(file) ~= "file" then return nil, ("--config-file %s: no such file"):format(file) end
  file = file or system.kind(inside(".busted")) == "file" and inside(".busted") or nil
  if given.run and not file then return nil, ("--run %s: there is no .busted"):format(given.run) end
  local wrong = file and busted(settings, file, given.run)
  if wrong then return nil, wrong end

  file = inside("itlua.lua")
  settings.project = system.kind(file) == "file"
  if settings.project then
    wrong = project(settings, file, given.profile)
    if wrong then return nil, wrong end
  elseif given.profile then
    local layers
    wrong, layers = take_profile(settings, given.profile)
    if wrong then return nil, wrong end
    take_words(settings, {}, layers)
  end

  for name, value in pairs(given) do settings[name] = value end
  if #roots > 0 then settings.ROOT = roots end
  for _, tag in ipairs(settings.tags) do
    for _, excluded in ipairs(settings["exclude-tags"]) do
      if tag == excluded then return nil, ("--tags and --exclude-tags both name #%s"):format(tag) end
    end
  end
  return settings
end

--- The names of the environment variables that itlua.lua here calls secret; nil without one, or where it is broken.
---@return string[]?
function config.secrets()
  local ok, settings = pcall(config.load, {}, {})
  return ok and settings and settings.secrets or nil
end

return config
