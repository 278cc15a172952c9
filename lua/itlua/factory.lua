--- Factories: valid records in one line, each test naming only what it is about.
--
--   local customers = factory.define("customer", {
--     table = "customers",
--     fields = { name = factory.fake "name", email = function(r, f) return f:email(r.name) end },
--     traits = { vip = { tier = "gold" } },
--   })
--   local c = customers:create(db, "vip", { name = "Ada" })

local core = require "itlua.core"
local fake = require "itlua.fake"
local insertion = require "itlua.sql.insertion"
local null = require "itlua.null"

local factory = {}
local defined = {}

---@class itlua.factory
---@field name string
---@field table? string
local Factory = {}
Factory.__index = Factory

local Lazy = {} -- a field's value that is made anew for each record: called with the record, the fake source, the number

local function lazy(fn)
  return setmetatable({ make = fn }, Lazy)
end

--- 1, 2, 3, … for each record of the factory, or what `fn` makes of it.
---@param fn? fun(n: integer): any
function factory.sequence(fn)
  return lazy(function(_, _, n) return fn and fn(n) or n end)
end

--- What the fake source's method returns: factory.fake "email", factory.fake("integer", 1, 9).
---@param method string
function factory.fake(method, ...)
  if type(fake.new(1)[method]) ~= "function" then core.usage(("there is no fake '%s'"):format(method)) end
  local arguments = table.pack(...)
  return lazy(function(_, source) return source[method](source, table.unpack(arguments, 1, arguments.n)) end)
end

--- Another factory's record: created where this one is created, built where it is built. The field gets its `key` ("id").
---@param name string
---@param options? { traits?: string[], fields?: table, key?: string }
function factory.association(name, options)
  options = options or {}
  local made = lazy(function() end)
  made.association = { name = name, traits = options.traits or {}, fields = options.fields, key = options.key or "id" }
  return made
end

local function check(name, definition)
  if type(definition) ~= "table" then core.usage("factory.define needs a table") end
  for key in pairs(definition) do
    if not ({ table = 1, fields = 1, traits = 1, parent = 1, insert = 1, after_build = 1, after_create = 1 })[key] then
      core.usage(("factory '%s': unknown key '%s'"):format(name, tostring(key)))
    end
  end
end

--- Defines a factory. `fields` holds values, functions `(record, fake, n)`, sequences, fakes and associations; `traits` named
--- variations; `parent` another factory to start from; `insert(db, record)` how to store it when it is no plain table row.
---@param name string
---@param definition { table?: string, fields?: table, traits?: table<string, table>, parent?: string, insert?: function,
--- after_build?: function, after_create?: function }
---@return itlua.factory
function factory.define(name, definition)
  check(name, definition)
  local parent = definition.parent and factory.get(definition.parent)
  local self = setmetatable({ name = name, count = 0, fields = {}, traits = {} }, Factory)
  for _, source in ipairs { parent or {}, definition } do
    for key, value in pairs(source.fields or {}) do self.fields[key] = value end
    for key, value in pairs(source.traits or {}) do self.traits[key] = value end
  end
  for _, key in ipairs { "table", "insert", "after_build", "after_create" } do
    self[key] = definition[key] or parent and parent[key] or nil
  end
  defined[name] = self
  return self
end

--- The factory of that name.
---@param name string
---@return itlua.factory
function factory.get(name)
  local found = defined[name]
  if found then return found end
  local names = {}
  for known in pairs(defined) do names[#names + 1] = known end
  table.sort(names)
  core.usage(("there is no factory '%s'; defined are: %s"):format(name, table.concat(names, ", ")))
end

-- The field definitions in force: the factory's, then each trait's, then the overrides of this call.
local function fields_for(self, ...)
  local fields = {}
  for key, value in pairs(self.fields) do fields[key] = value end
  for _, argument in ipairs { ... } do
    local layer = argument
    if type(argument) == "string" then
      layer = self.traits[argument]
      if not layer then core.usage(("factory '%s' has no trait '%s'"):format(self.name, argument)) end
    end
    for key, value in pairs(layer) do fields[key] = value end
  end
  return fields
end

-- Fields may look at each other through the record: one that is not there yet is made first.
local function resolve(self, fields, associate)
  self.count = self.count + 1
  local n, source, making = self.count, fake.of_run(), {}
  local record = {}
  local view
  local function make(key)
    local definition = fields[key]
    if type(definition) == "function" then return definition(view, source, n) end
    if getmetatable(definition) ~= Lazy then return definition end
    if definition.association then return associate(definition.association) end
    return definition.make(view, source, n)
  end
  view = setmetatable({}, { __index = function(_, key)
    if record[key] ~= nil or fields[key] == nil then return record[key] end
    if making[key] then core.usage(("factory '%s': field '%s' needs itself"):format(self.name, key)) end
    making[key] = true
    record[key] = make(key)
    return record[key]
  end })
  local keys = {}
  for key in pairs(fields) do keys[#keys + 1] = key end
  table.sort(keys) -- the order in which random values are drawn must not depend on chance
  for _, key in ipairs(keys) do
    local _ = view[key]
  end
  return record
end

local function layers(association)
  local list = table.move(association.traits, 1, #association.traits, 1, {})
  list[#list + 1] = association.fields
  return list
end

--- A record that is stored nowhere.
---@param ... string|table traits and fields, later ones win
---@return table
function Factory:build(...)
  local record = resolve(self, fields_for(self, ...), function(other)
    return factory.get(other.name):build(table.unpack(layers(other)))[other.key]
  end)
  if self.after_build then self.after_build(record) end
  return record
end

--- A record that is stored: inserted into the factory's table (the row comes back with what the database filled in) or by its
--- `insert`. Associations are created first.
---@param db table
---@param ... string|table traits and fields
---@return table row
function Factory:create(db, ...)
  local record = resolve(self, fields_for(self, ...), function(other)
    return factory.get(other.name):create(db, table.unpack(layers(other)))[other.key]
  end)
  if self.after_build then self.after_build(record) end
  local row
  if self.insert then
    row = self.insert(db, record) or record
  elseif self.table then
    row = insertion.row(db, self.table, record)
  else
    core.usage(("factory '%s' has neither a table nor an insert function; build() needs none"):format(self.name))
  end
  if self.after_create then self.after_create(row, db) end
  return row
end

local function list_of(count, make)
  local list = {}
  for i = 1, count do list[i] = make(i) end
  return list
end

---@param count integer
---@return table[]
function Factory:build_list(count, ...)
  local arguments = table.pack(...)
  return list_of(count, function() return self:build(table.unpack(arguments, 1, arguments.n)) end)
end

---@param db table
---@param count integer
---@return table[] rows
function Factory:create_list(db, count, ...)
  local arguments = table.pack(...)
  return list_of(count, function() return self:create(db, table.unpack(arguments, 1, arguments.n)) end)
end

factory.null = null

return factory
