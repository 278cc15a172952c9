--- itlua version: the program's version and that of every library in it.

local system = require "itlua.cli.core"

local version = {}

version.help = [[
Usage: itlua version

Prints the version of itlua and of each library it uses.
]]

-- Libraries that a binding knows the version of, and what of the binding says it.
local bindings = {
  { "cJSON", "itlua.json.core", "version" },
  { "libcurl", "itlua.http.core", "version" },
  { "libmicrohttpd", "itlua.server.core", "library_version" },
  { "OpenSSL", "itlua.crypto.core", "libcrypto" },
  { "libpq", "itlua.sql.core", "version" },
  { "hiredis", "itlua.redis.core", "version" },
  { "librdkafka", "itlua.kafka.core", "version" },
  { "libyaml", "itlua.yaml.core", "version" },
  { "libedit", "itlua.edit.core", "version" },
}

local function version_of(binding, field)
  local value = binding[field]
  if type(value) == "function" then value = value() end
  if type(value) == "table" then value = value.version end
  return tostring(value)
end

--- Names and versions, in order.
---@return table[] list    {name, version}
function version.list()
  local list = { { "Lua", system.lua }, { "libuv", system.libuv } }
  for _, entry in ipairs(bindings) do
    local ok, binding = pcall(require, entry[2])
    if ok then list[#list + 1] = { entry[1], version_of(binding, entry[3]) }
    elseif not tostring(binding):find("itlua has no module", 1, true) then
      list[#list + 1] = { entry[1], "cannot be loaded: " .. tostring(binding) }
    end
  end
  for _, name in ipairs { "luassert", "say" } do
    local ok, module = pcall(require, name)
    local v = ok and type(module) == "table" and rawget(module, "_VERSION")
    if v then list[#list + 1] = { name, (tostring(v):gsub("^%a+%s+", "")) } end
  end
  return list
end

---@return integer exit_code
function version.run()
  io.stdout:write("itlua ", system.version, "\n")
  for _, entry in ipairs(version.list()) do io.stdout:write(("  %-14s %s\n"):format(entry[1], entry[2])) end
  return 0
end

return version
