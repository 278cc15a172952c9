--- Routes: which handler a method and a path lead to.
-- A pattern is a path whose segments may be parameters: "/orders/{id}", "/orders/{id:int}", "/files/{path*}" (the rest
-- of the path, slashes included). Where several match, the literal segment wins over the typed one, that over the
-- untyped one, and "{path*}" comes last. A route without parameters is found by one look into a table.

local core = require "itlua.core"
local text = require "itlua.server.text"

---@class itlua.server.route
---@field method string
---@field pattern string
---@field handler function

---@class itlua.server.router
local Router = {}
Router.__index = Router

-- What "{name:type}" may be besides a Lua pattern: each gives the parameter's value, or nil where the segment is none.
local types = {
  int = function(segment) return segment:find("^-?%d+$") and math.tointeger(tonumber(segment)) or nil end,
  number = function(segment) return segment:find("^-?%d+%.?%d*$") and tonumber(segment) or nil end,
  uuid = function(segment)
    local x = "%x%x%x%x"
    local pattern = "^" .. x .. x .. "%-" .. x .. "%-" .. x .. "%-" .. x .. "%-" .. x .. x .. x .. "$"
    return segment:find(pattern) and segment:lower() or nil
  end,
}

local function node()
  return { literal = {}, typed = {}, untyped = {}, methods = {} }
end

---@return itlua.server.router
function Router.new()
  return setmetatable({ root = node(), static = {} }, Router)
end

local function converter(pattern, kind)
  if types[kind] then return types[kind] end
  local anchored = "^" .. kind .. "$"
  if not pcall(string.find, "", anchored) then
    core.usage(("route %s: {…:%s} is neither int, number, uuid nor a Lua pattern"):format(pattern, kind))
  end
  return function(segment) return segment:find(anchored) and segment or nil end
end

-- The child of `parent` for a segment of the pattern; "{rest*}" ends the pattern.
local function child_for(parent, segment, pattern)
  local inside = segment:match("^{(.*)}$")
  if not inside then
    if segment:find("[{}]") then
      core.usage(("route %s: a parameter is a whole segment, as in /orders/{id}"):format(pattern))
    end
    local name = text.decode(segment)
    parent.literal[name] = parent.literal[name] or node()
    return parent.literal[name]
  end
  local rest = inside:match("^([%a_][%w_]*)%*$")
  if rest then
    parent.rest = parent.rest or { name = rest, node = node() }
    return parent.rest.node, true
  end
  local name, kind = inside:match("^([%a_][%w_]*):(.+)$")
  name = name or inside:match("^[%a_][%w_]*$")
  if not name then core.usage(("route %s: {%s} is no parameter"):format(pattern, inside)) end
  local list = kind and parent.typed or parent.untyped
  for _, child in ipairs(list) do
    if child.name == name and child.kind == kind then return child.node end
  end
  local child = { name = name, kind = kind, convert = kind and converter(pattern, kind), node = node() }
  list[#list + 1] = child
  return child.node
end

--- Adds a route. `method` "*" is any. An earlier route of the same method and pattern is replaced.
---@param method string
---@param pattern string
---@param handler function
function Router:add(method, pattern, handler)
  if type(pattern) ~= "string" or pattern:sub(1, 1) ~= "/" then
    core.usage(("route %s: a path that begins with a slash is expected"):format(tostring(pattern)))
  end
  local at, ended = self.root, false
  for segment in pattern:gmatch("/([^/]*)") do
    if ended then core.usage(("route %s: nothing can follow {…*}"):format(pattern)) end
    at, ended = child_for(at, segment, pattern)
  end
  at.methods[method] = { method = method, pattern = pattern, handler = handler }
  if not pattern:find("{", 1, true) then self.static[text.decode(pattern)] = at end
end

local function pick(methods, method)
  return methods[method] or (method == "HEAD" and methods.GET) or methods["*"]
end

local function collect(allowed, methods)
  for name in pairs(methods) do allowed[name] = true end
end

local find

local function find_parameter(list, path, from, to, method, params, allowed)
  local segment = text.decode(path:sub(from, to - 1))
  if segment == "" then return nil end
  for i = 1, #list do
    local child, value = list[i], segment
    if child.convert then value = child.convert(segment) end
    if value ~= nil then
      local route = find(child.node, path, to, method, params, allowed)
      if route then
        params[child.name] = value
        return route
      end
    end
  end
  return nil
end

-- The route below `at` for the rest of the path, which begins with the slash at `slash`.
find = function(at, path, slash, method, params, allowed)
  if slash > #path then
    collect(allowed, at.methods)
    return pick(at.methods, method)
  end
  local from = slash + 1
  local to = path:find("/", from, true) or #path + 1
  local literal = at.literal[text.decode(path:sub(from, to - 1))]
  local route = literal and find(literal, path, to, method, params, allowed)
    or find_parameter(at.typed, path, from, to, method, params, allowed)
    or find_parameter(at.untyped, path, from, to, method, params, allowed)
  if route or not at.rest then return route end
  collect(allowed, at.rest.node.methods)
  route = pick(at.rest.node.methods, method)
  if route then params[at.rest.name] = text.decode(path:sub(from)) end
  return route
end

local function names(allowed)
  if allowed.GET then allowed.HEAD = true end
  allowed.OPTIONS = true
  local list = {}
  for name in pairs(allowed) do list[#list + 1] = name end
  table.sort(list)
  return list
end

--- The route for a request, and its parameters; or nil and, where the path is known, the methods that are allowed.
---@param method string
---@param path string as it was sent, without the query
---@return itlua.server.route? route
---@return table? params_or_allowed
function Router:find(method, path)
  local static = self.static[path]
  local route = static and (static.methods[method] or pick(static.methods, method))
  if route then return route, nil end
  local params, allowed = {}, {}
  route = find(self.root, path, 1, method, params, allowed)
  if route then return route, params end
  if next(allowed) then return nil, names(allowed) end
  return nil, nil
end

return Router
