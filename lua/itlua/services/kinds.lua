--- The kinds of services: a Lua file each, in kinds/ or of the project (`kind = "specs/support/mqtt.lua"`).

local core = require "itlua.core"
local nearest = require "itlua.cli.nearest"

local kinds = {}

---@class itlua.services.Kind
---@field name string
---@field options table<string, string>   its options beside those every service has, and their types; "text" is a string or
---    a table
---@field startup_timeout? number         seconds, where a service says nothing; 30
---@field fields string[]                 what others may refer to
---@field knows? fun(spec: table, field: string): boolean, string?   whether others may refer to a field, instead of `fields`;
---    else what there is
---@field field? fun(fields: table, field: string): any    what a reference to it stands for, instead of fields[field]
---@field ends_first? boolean            at the end of all, it ends before the others: it uses them
---@field own_fields? string[]            what it may refer to of itself, known before it is started
---@field providers itlua.services.Provider[]   in the order in which they are tried
---@field check? fun(spec: table): string?      what is wrong with its description, before anything runs
---@field prepare? fun(context: itlua.services.Context, instance: itlua.services.Instance)   once it is ready: its data
---@field requests? table<string, fun(instance: itlua.services.Instance, body: table): table?>   what its methods may ask of
---    the process that runs it, by Service:request(name, body)
---@field methods? table<string, function>      what services.NAME has in a spec: fn(service, …)

---@class itlua.services.Provider
---@field name string
---@field find fun(spec: table): any, string    an offer and what it is in a few words; or nil and why there is none
---@field start fun(context: itlua.services.Context, offer: any): itlua.services.Instance

---@class itlua.services.Context    what a kind is given of the host
---@field name string
---@field spec table                its description, references resolved
---@field folder fun(): string      a folder of its own, in memory where possible
---@field port fun(): integer       a port that is free
---@field log fun(line: string)

---@class itlua.services.Instance   what runs
---@field fields table              url, host, port, …: strings, numbers, booleans
---@field process? itlua.Process
---@field ready? itlua.services.Condition[]   what has to come true, in this order
---@field launch? fun(self)         starts its process again after a stop; without, it begins anew
---@field restart? fun(self, seconds: number)   instead of stop and launch
---@field stop? fun(self, seconds: number)    ends it; without, its process is ended
---@field signal? fun(self, name: string)
---@field discard? fun(self)        what is left to do when it is over for good

---@class itlua.services.Condition
---@field name string               "SELECT 1 over TCP"
---@field try fun(): boolean?, string?   true, or not yet and why; what it raises is why, too

local builtin = { "compose", "container", "fixture", "kafka", "postgres", "process", "redis" }
local found = {}

--- The names of the built-in ones.
---@return string[]
function kinds.names() return builtin end

local function from_file(path)
  local chunk, why = loadfile(path, "t", core.globals())
  if not chunk then return nil, "kind " .. why end
  local ok, kind = pcall(chunk)
  if not ok then return nil, ("kind %s: %s"):format(path, tostring(kind)) end
  if type(kind) ~= "table" or type(kind.providers) ~= "table" then
    return nil, ("kind %s returns no table with providers"):format(path)
  end
  kind.name, kind.options, kind.fields = kind.name or path, kind.options or {}, kind.fields or { "url" }
  return kind
end

--- The kind of that name, or of that file.
---@param name string
---@return itlua.services.Kind?
---@return string? wrong
function kinds.find(name)
  if found[name] then return found[name] end
  local kind, wrong
  if name:find "%.lua$" then
    kind, wrong = from_file(name)
  else
    for _, known in ipairs(builtin) do
      if known == name then kind = require("itlua.services.kinds." .. name) end
    end
    if not kind then
      wrong = ("there is no kind '%s'%s (there is %s; or the path of a Lua file)"):format(name, nearest.hint(name, builtin),
        table.concat(builtin, ", "))
    end
  end
  found[name] = kind
  return kind, wrong
end

return kinds
