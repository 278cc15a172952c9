--- A request's header fields, by name in any case.

local headers = {}

---@class itlua.server.Headers   headers["content-type"], headers.Host; a repeated one is its values joined by ", ", and
---headers:all(name) tells them apart. pairs() goes through them with names in lower case.
local Headers = {}

local lists = setmetatable({}, { __mode = "k" })

--- Every value of a header, in order.
---@param name string
---@return string[]
function Headers:all(name)
  local values = lists[self][name:lower()]
  return values and { table.unpack(values) } or {}
end

--- The value of a header, also of one named as a method of this object.
---@param name string
---@return string?
function Headers:get(name)
  return rawget(self, name:lower())
end

local meta = { __name = "itlua.server.headers" }

function meta:__index(name)
  if Headers[name] then return Headers[name] end
  return type(name) == "string" and rawget(self, name:lower()) or nil
end

--- Makes the object of a flat list {name, value, name, value, …}.
---@param fields string[]
---@return itlua.server.Headers
function headers.new(fields)
  local self, all = setmetatable({}, meta), {}
  for i = 1, #fields, 2 do
    local name, value = fields[i]:lower(), fields[i + 1]
    local before = rawget(self, name)
    self[name] = before and before .. (name == "cookie" and "; " or ", ") .. value or value
    all[name] = all[name] or {}
    table.insert(all[name], value)
  end
  lists[self] = all
  return self
end

return headers
