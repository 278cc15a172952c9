--- Where a Kafka and a Java that runs it are on this machine.

local choice = require "itlua.services.choice"
local fs = require "itlua.fs"
local native = require "itlua.services.native"

local home = {}

---@class itlua.services.KafkaHome
---@field path string       the folder with libs/
---@field version string    of Kafka
---@field scala string
---@field java string       the program
---@field java_version string

--- The folder for Kafka's files that are kept: fetched ones in kafka_2.13-VERSION, templates.
---@return string
function home.cache() return native.cache() .. "/kafka" end

-- ---- Kafka

-- "2.13", "4.3.1" of a folder whose libs/ has kafka_2.13-4.3.1.jar.
local function version_of(path)
  if fs.exists(path .. "/libs") ~= "folder" then return nil end
  for _, name in ipairs(fs.list(path .. "/libs")) do
    local scala, version = name:match "^kafka_([%d.]+)%-([%d.]+%d)%.jar$"
    if scala then return version, scala end
  end
end

local function numbers(version)
  local list = {}
  for n in version:gmatch "%d+" do list[#list + 1] = tonumber(n) end
  return list
end

local function newer(a, b)
  local x, y = numbers(a), numbers(b)
  for i = 1, math.max(#x, #y) do
    if (x[i] or 0) ~= (y[i] or 0) then return (x[i] or 0) > (y[i] or 0) end
  end
  return false
end

-- Those fetched into the cache, and where packages and people put it; the newest first.
local function installed()
  local list, folders = {}, { "/opt/kafka", "/usr/share/kafka", "/usr/local/kafka" }
  local cache = home.cache()
  for _, name in ipairs(fs.exists(cache) == "folder" and fs.list(cache) or {}) do
    if name:find "^kafka_" then table.insert(folders, cache .. "/" .. name) end
  end
  for _, path in ipairs(folders) do
    local version, scala = version_of(path)
    if version then list[#list + 1] = { path = path, version = version, scala = scala } end
  end
  table.sort(list, function(a, b) return newer(a.version, b.version) end)
  return list
end

-- The one that is named, or nil and why it is not one.
local function named(path, by)
  if fs.exists(path) ~= "folder" then return nil, ("%s is %s, which is no folder"):format(by, path) end
  local version, scala = version_of(path)
  if not version then return nil, ("%s is %s, which has no libs/kafka_*.jar"):format(by, path) end
  return { path = fs.realpath(path), version = version, scala = scala }
end

local function find_kafka(spec)
  local by, path = "option 'home'", spec.home
  if not path then
    by, path = "KAFKA_HOME", os.getenv "KAFKA_HOME"
    if path == "" then path = nil end
  end
  local there, why
  if path then
    there, why = named(path, by)
    if not there then return nil, why end
    there = { there }
  else
    there = installed()
    if #there == 0 then
      return nil, ("no Kafka: not in option 'home', KAFKA_HOME, %s/kafka_*, /opt/kafka"):format(home.cache())
    end
  end
  local versions = {}
  for i, one in ipairs(there) do
    if choice.version_fits(spec.version, one.version) then return one end
    versions[i] = one.version
  end
  return nil, ("version %s was asked for, there is %s"):format(spec.version, table.concat(versions, ", "))
end

-- ---- Java

-- As its folder says it, which costs nothing; else as it says itself.
local function java_version(path)
  local release = fs.join(fs.dirname(fs.dirname(fs.realpath(path))), "release")
  local text = fs.exists(release) == "file" and fs.read(release):match 'JAVA_VERSION="([^"]+)"'
  if text then return text end
  local ok, result = pcall(require("itlua.process").run, { command = { path, "-version" }, merge = true, timeout = 20 })
  return ok and result.stdout:match 'version "([^"]+)"' or nil
end

-- 17 of "17.0.15", 8 of "1.8.0_392".
local function major(version)
  local first, second = version:match "^(%d+)%.?(%d*)"
  return tonumber(first == "1" and second or first) or 0
end

local function find_java()
  local folder = os.getenv "JAVA_HOME"
  if folder and folder ~= "" then
    local path = fs.join(folder, "bin/java")
    if not fs.exists(path) then return nil, ("JAVA_HOME is %s, which has no bin/java"):format(folder) end
    return path
  end
  local path = native.find "java"
  if not path then return nil, "Kafka needs Java, and there is no java in JAVA_HOME or PATH" end
  return path
end

-- What it takes to run a broker of this version.
local function java_needed(kafka)
  return major(kafka) >= 4 and 17 or major(kafka) >= 3 and 8 or nil
end

--- What can be started here.
---@param spec { home?: string, version?: string }
---@return itlua.services.KafkaHome?
---@return string? why     there is none
function home.find(spec)
  local found, why = find_kafka(spec)
  if not found then return nil, why end
  local needed = java_needed(found.version)
  if not needed then return nil, ("Kafka %s in %s is too old: 3.3 is the first without ZooKeeper"):format(found.version,
    found.path) end
  local java
  java, why = find_java()
  if not java then return nil, ("%s (Kafka %s is in %s)"):format(why, found.version, found.path) end
  local version = java_version(java)
  if not version then return nil, ("%s cannot be run, or does not say its version"):format(java) end
  if major(version) < needed then
    return nil, ("Kafka %s needs Java %d or newer, %s is %s"):format(found.version, needed, java, version)
  end
  found.java, found.java_version = java, version
  return found
end

return home
