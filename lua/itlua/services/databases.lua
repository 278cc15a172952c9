--- The databases that a PostgreSQL service hands out to spec files: clones of a migrated template, a few of them made ahead,
--- so that a file gets one without waiting; what was given back is removed beside what runs.

local core = require "itlua.core"

local databases = {}

local AHEAD = 2

---@class itlua.services.Databases
local Databases = {}
Databases.__index = Databases

--- None is made yet.
---@param url string      of the server, with a user who may create databases
---@param options { migrations?: string, seeds?: string|table, external?: string }
---@return itlua.services.Databases
function databases.new(url, options)
  return setmetatable({ url = url, options = options, ready = {}, used = {}, dropping = {}, waiting = 0 }, Databases)
end

--- Where they come from; the template is made when it is first asked for.
---@return itlua.sql.Clones
function Databases:source()
  while self.opening do core.sleep(0.002) end
  if self.from then return self.from end
  self.opening = true
  local ok, result = pcall(function()
    local admin <close> = require("itlua.sql").connect(self.url)
    return require("itlua.sql.isolation.clones").source(admin, {
      migrations = self.options.migrations, seeds = self.options.seeds, warm = 0,
    })
  end)
  self.opening = false
  if not ok then error(result, 0) end
  self.from = result
  return result
end

-- ---- handing out

-- On a server that stays there is no more than is used: whoever is killed would leave them.
local function wanted(self)
  return (self.options.external and 0 or AHEAD) + self.waiting
end

--- Makes databases ahead, beside what runs.
function Databases:fill()
  if self.filling then return end
  self.filling = true
  core.daemon(function()
    local ok, err = pcall(function()
      while #self.ready < wanted(self) do
        local source = self:source()
        local name = source:obtain()
        if self.waiting == 0 then source:visit(name) end
        table.insert(self.ready, name)
      end
    end)
    self.filling, self.failure = false, not ok and err or nil
  end)
end

-- One after the other, over a connection of their own.
local function drop_all(self)
  if self.cleaning then return end
  self.cleaning = true
  core.daemon(function()
    pcall(function()
      local admin <close> = require("itlua.sql").connect(self.url)
      while self.dropping[1] do
        admin:exec(("DROP DATABASE IF EXISTS %s WITH (FORCE)"):format(self.dropping[1]))
        table.remove(self.dropping, 1)
      end
    end)
    self.cleaning = false
  end)
end

-- The files that the template was made of, as they are now.
local function stamp_of(self)
  local fs, parts = require "itlua.fs", {}
  for _, path in ipairs { self.options.migrations or false, self.options.seeds or false } do
    local kind = type(path) == "string" and fs.exists(path)
    for _, name in ipairs(kind == "folder" and fs.list(path) or {}) do
      local stat = fs.stat(fs.join(path, name))
      parts[#parts + 1] = ("%s %d %.6f"):format(name, stat.size, stat.modified)
    end
    if kind == "file" then parts[#parts + 1] = ("%.6f"):format(fs.stat(path).modified) end
  end
  return table.concat(parts, "\n")
end

-- Kept services may outlive a change of their migrations.
local function renew_source(self)
  local stamp = stamp_of(self)
  if self.stamp and self.stamp ~= stamp then
    table.move(self.ready, 1, #self.ready, #self.dropping + 1, self.dropping)
    self.ready, self.from = {}, nil
    drop_all(self)
  end
  self.stamp = stamp
end

--- The name of a database that nobody else has.
---@return string
function Databases:take()
  renew_source(self)
  self.waiting = self.waiting + 1
  for _ = 1, 2 do -- again where its connection was ended just then, as by a restart
    self.failure = nil
    while #self.ready == 0 and not self.failure do
      self:fill()
      core.sleep(0.002)
    end
    if #self.ready > 0 then break end
  end
  self.waiting = self.waiting - 1
  local name = table.remove(self.ready, 1)
  if not name then error(self.failure, 0) end
  self.used[name] = true
  self:fill()
  return name
end

--- It is not needed any more. What cannot be removed now goes with the server, or with the next that is.
---@param name string
function Databases:give_back(name)
  if not self.used[name] then return end
  self.used[name] = nil
  table.insert(self.dropping, name)
  drop_all(self)
end

--- On a server that stays: those that were handed out and not given back, and what was to be removed.
---@return string[]
function Databases:left()
  local list = table.move(self.dropping, 1, #self.dropping, 1, {})
  table.move(self.ready, 1, #self.ready, #list + 1, list)
  for name in pairs(self.used) do list[#list + 1] = name end
  return list
end

return databases
