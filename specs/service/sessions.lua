--- What is not kept for long, in Redis: refresh tokens and answered Idempotency-Keys go there, everything else to the
--- store behind it.

local json = require "itlua.json"
local redis = require "itlua.redis"
local task = require "itlua.task"
local problem = require "problem"

local Sessions = {}

local SECONDS, DAY = 1, 86400
local mine = { refresh_tokens = true, idempotency = true }

---@param url string
---@param store table
function Sessions.new(url, store)
  return setmetatable({ url = url, store = store }, Sessions)
end

local function key(name, id) return "shop:" .. name .. ":" .. id end

-- A connection that was lost is made again, once.
local function call(self, ...)
  local words = table.pack(...)
  for _ = 1, 2 do
    local ok, result = pcall(task.timeout, SECONDS, function()
      local client = rawget(self, "client") or redis.connect(self.url)
      rawset(self, "client", client)
      return client:call(table.unpack(words))
    end)
    if ok then return result end
    rawset(self, "client", nil)
    if result.kind == "timeout" then break end
  end
  return problem.raise(503, "unavailable", "The sessions' store does not answer.", nil, { ["retry-after"] = "1" })
end

local methods = {}

function methods.insert(self, name, row)
  return call(self, "SET", key(name, row.id), json.encode(row), "NX", "EX", DAY) and row or nil
end

function methods.get(self, name, id)
  local text = call(self, "GET", key(name, id))
  return text and json.decode(text)
end

function methods.update(self, name, id, changes)
  local row = methods.get(self, name, id)
  if not row then return nil end
  for field, value in pairs(changes) do row[field] = value end
  call(self, "SET", key(name, id), json.encode(row), "EX", DAY)
  return row
end

function methods.delete(self, name, id)
  local text = call(self, "GETDEL", key(name, id))
  return text and json.decode(text)
end

function Sessions.__index(_, name)
  if name == "client" then return nil end
  local method = methods[name]
  return function(self, where, ...)
    if method and mine[where] then return method(self, where, ...) end
    local store = rawget(self, "store")
    return store[name](store, where, ...)
  end
end

return Sessions
