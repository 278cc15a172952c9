--- What `services` of an itlua.lua says: checked before anything runs, as data that a process of its own can be given.
--
--     services = {
--       db  = { kind = "postgres", version = "15", migrations = "db/migrations" },
--       app = { kind = "process", command = { "./server" }, env = { DATABASE_URL = "${db.url}", PORT = "${app.port}" },
--               ready = { http = "/health" } },
--     }
--
-- `${name.field}` in any string stands for what another service turns out to be; it makes that service a dependency.

local kinds = require "itlua.services.kinds"
local nearest = require "itlua.cli.nearest"
local show = require "itlua.show"

local plan = {}

---@class itlua.services.Spec      what one service is to be; beside these, the options of its kind
---@field kind string
---@field provider? string|string[]  which of the kind's ways of having one: "environment", "docker", "native"; of a list
---                                the first that can be had
---@field depends_on? string[]     services that have to be ready first, beside those it refers to
---@field startup_timeout? number  seconds until it has to be ready; 30, of some kinds more
---@field needs string[]           all services it depends on (filled in here)

---@alias itlua.services.Plan table<string, itlua.services.Spec>

local REFERENCE = "%$%{([^}]*)%}"

local own = {
  kind = "string", provider = "text", depends_on = "table", startup_timeout = "number", needs = "table",
}

-- Every string in the value is given to `fn`; returns the value with what it returned.
local function map_strings(value, fn)
  if type(value) == "string" then return fn(value) end
  if type(value) ~= "table" then return value end
  local out = {}
  for key, item in pairs(value) do out[key] = map_strings(item, fn) end
  return out
end

--- The value with what its references stand for.
---@param value any
---@param field fun(name: string, field: string): any
---@return any
function plan.resolve(value, field)
  return map_strings(value, function(text)
    return (text:gsub(REFERENCE, function(reference)
      return tostring(field(reference:match "^([^.]*)%.(.*)$"))
    end))
  end)
end

local function has(list, value)
  for _, item in ipairs(list) do if item == value then return true end end
  return false
end

local function listed(list)
  return #list > 0 and (" (there is %s)"):format(table.concat(list, ", ")) or ""
end

-- Data only: the plan goes to another process.
local function unfit(path, value)
  local kind = type(value)
  if kind == "string" or kind == "number" or kind == "boolean" then return nil end
  if kind ~= "table" then return ("%s is a %s: services are described by data"):format(path, kind) end
  for _, key in ipairs(show.keys(value)) do
    local wrong = unfit(("%s.%s"):format(path, tostring(key)), value[key])
    if wrong then return wrong end
  end
end

local words = { text = "string or a table", version = "string" }

local function wrong_option(path, spec, kind)
  local known = {}
  for name in pairs(own) do if name ~= "needs" then known[#known + 1] = name end end
  for name in pairs(kind.options) do known[#known + 1] = name end
  for _, name in ipairs(show.keys(spec)) do
    local wanted = own[name] or kind.options[name]
    if not wanted then
      return ("%s has no option '%s'%s"):format(path, tostring(name), nearest.hint(tostring(name), known))
    end
    local is = type(spec[name])
    if wanted == "version" and math.type(spec[name]) == "integer" then is, spec[name] = wanted, tostring(spec[name]) end
    if wanted == "version" and is == "string" then is = wanted end
    if wanted ~= "any" and not ((wanted == "text" and (is == "string" or is == "table")) or is == wanted) then
      return ("%s.%s must be a %s, not a %s"):format(path, name, words[wanted] or wanted, is)
    end
  end
end

local function wrong_provider(path, spec, kind)
  if not spec.provider then return nil end
  local names = {}
  for _, provider in ipairs(kind.providers) do
    if not has(names, provider.name) then names[#names + 1] = provider.name end
  end
  local asked = type(spec.provider) == "table" and spec.provider or { spec.provider }
  for _, name in ipairs(asked) do
    if not has(names, name) then
      return ("%s: no provider '%s' of %s%s"):format(path, tostring(name), kind.name, listed(names))
    end
  end
  return #asked == 0 and ("%s.provider names none%s"):format(path, listed(names)) or nil
end

-- ---- references

local function wrong_reference(path, reference, name, all)
  local to, field = reference:match "^([^.]*)%.(.*)$"
  if not to then return ("%s: ${%s} is no reference: ${service.field}"):format(path, reference) end
  local other = all[to]
  if not other then
    return ("%s: ${%s} refers to no service%s"):format(path, reference, nearest.hint(to, show.keys(all)))
  end
  local kind = kinds.find(other.kind)
  if kind.knows and to ~= name then
    local ok, why = kind.knows(other, field)
    return not ok and ("%s: ${%s}: %s"):format(path, reference, why) or nil
  end
  local fields = to == name and (kind.own_fields or {}) or kind.fields
  if not has(fields, field) then
    return ("%s: ${%s}: %s has no field '%s'%s"):format(path, reference, to == name and "a service itself" or to, field,
      listed(fields))
  end
end

-- Fills in `needs`; returns what is wrong with a reference.
local function find_needs(name, spec, all)
  local path, needs, wrong = "services." .. name, {}, nil
  for _, other in ipairs(spec.depends_on or {}) do
    if type(other) ~= "string" or not all[other] then
      return ("%s.depends_on: there is no service '%s'%s"):format(path, tostring(other),
        nearest.hint(tostring(other), show.keys(all)))
    end
    if not has(needs, other) then needs[#needs + 1] = other end
  end
  map_strings(spec, function(text)
    for reference in text:gmatch(REFERENCE) do
      wrong = wrong or wrong_reference(path, reference, name, all)
      local to = reference:match "^[^.]*"
      if to ~= name and not has(needs, to) then needs[#needs + 1] = to end
    end
    return text
  end)
  table.sort(needs)
  spec.needs = needs
  return wrong
end

-- "a needs b needs a", or nil.
local function cycle(all)
  local state, trail, found = {}, {}, nil
  local function visit(name)
    if found or state[name] == "done" then return end
    trail[#trail + 1] = name
    if state[name] == "open" then
      local from = 1
      while trail[from] ~= name do from = from + 1 end
      found = table.concat(trail, " needs ", from)
      return
    end
    state[name] = "open"
    for _, other in ipairs(all[name].needs) do visit(other) end
    state[name] = "done"
    trail[#trail] = nil
  end
  for _, name in ipairs(show.keys(all)) do visit(name) end
  return found
end

-- ---- all of it

local function check_one(name, spec)
  local path = "services." .. tostring(name)
  if type(name) ~= "string" or not name:find "^[%a_][%w_]*$" then
    return ("services: '%s' is no name for a service"):format(tostring(name))
  end
  if type(spec) ~= "table" then return ("%s must be a table, not a %s"):format(path, type(spec)) end
  if type(spec.kind) ~= "string" then
    return ("%s needs a kind%s"):format(path, listed(kinds.names()))
  end
  local kind, wrong = kinds.find(spec.kind)
  if not kind then return ("%s: %s"):format(path, wrong) end
  wrong = wrong_option(path, spec, kind) or unfit(path, spec) or wrong_provider(path, spec, kind)
  if wrong then return wrong end
  wrong = kind.check and kind.check(spec)
  return wrong and ("%s: %s"):format(path, wrong)
end

--- Reads it. Nothing is started or looked for.
---@param given any              what itlua.lua has under `services`
---@return itlua.services.Plan?
---@return string? wrong         what is wrong with it
---@return string? name          and the word of the file that says it
function plan.read(given)
  if type(given) ~= "table" then return nil, ("services must be a table, not a %s"):format(type(given)), "services" end
  local all = {}
  for _, name in ipairs(show.keys(given)) do
    local wrong = check_one(name, given[name])
    if wrong then return nil, wrong, tostring(name) end
    all[name] = map_strings(given[name], function(text) return text end)
  end
  for _, name in ipairs(show.keys(all)) do
    local wrong = find_needs(name, all[name], all)
    if wrong then return nil, wrong, name end
  end
  local circle = cycle(all)
  if circle then return nil, ("services need each other: %s"):format(circle), circle:match "^%S+" end
  return all
end

return plan
